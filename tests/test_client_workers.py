"""Many attempts at once: none waits for another, each ends in time, connections are kept."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from reo_cli.client.connection import Connection
from reo_cli.client.outcome import Outcome, Verdict
from reo_cli.client.workers import Ended, Workers
from tests import faults
from tests.attempts import GRACE, TIMEOUT, body_of, target_for
from tests.faults import FaultServer

DELIVERED = Verdict.DELIVERED


@contextmanager
def working(server: FaultServer, timeout: float = 5) -> Iterator[Workers[int]]:
    with closing(Workers[int](target_for(server.url, timeout=timeout))) as workers:
        yield workers


def ends(workers: Workers[int], number: int) -> list[Ended[int]]:
    """Wait for so many attempts to end."""
    found: list[Ended[int]] = []
    until = time.monotonic() + 10
    while len(found) < number and time.monotonic() < until:
        found += [each for each in workers.wait(0.2) if not isinstance(each, int)]
    return found


def verdicts(workers: Workers[int], number: int) -> dict[int, Verdict]:
    return {each.token: each.outcome.verdict for each in ends(workers, number)}


def test_attempts_go_on_side_by_side_and_keep_their_connections() -> None:
    with FaultServer(faults.late(0.3)) as server, working(server) as workers:
        began = time.monotonic()
        for turn in range(2):
            for token in range(20):
                workers.start(token, body_of(f"{turn}-{token}"))
            assert verdicts(workers, 20) == dict.fromkeys(range(20), DELIVERED)
        assert time.monotonic() - began < 6, "one by one, forty answers of 0.3 s take 12 s"
    assert server.connections == 20
    assert len(server.accepted) == 40


def test_each_attempt_has_its_own_deadline() -> None:
    with FaultServer(faults.silence()) as server, working(server, TIMEOUT) as workers:
        began: list[float] = []
        for token in range(3):
            began.append(time.monotonic())
            workers.start(token, body_of(token))
            time.sleep(0.1)
        over = ends(workers, 3)
    assert [each.token for each in over] == [0, 1, 2]
    for each in over:
        assert TIMEOUT - 0.02 < each.at - began[each.token] < TIMEOUT + GRACE


def test_an_attempt_that_hangs_holds_up_no_other_and_threads_are_used_again() -> None:
    with FaultServer([faults.silence()]) as server, working(server) as workers:
        workers.start(-1, body_of(-1))
        while not server.requests:
            assert not workers.wait(0.05)
        for token in range(50):
            workers.start(token, body_of(token))
            assert verdicts(workers, 1) == {token: DELIVERED}
        threads = [each.name for each in threading.enumerate()]
        assert len([each for each in threads if each.startswith("reo-")]) == 2, threads
    assert server.connections == 2


def test_another_thread_ends_the_waiting() -> None:
    with FaultServer() as server, working(server) as workers:
        workers.post()
        assert workers.wait(5) == []
        threading.Timer(0.2, workers.post, [15]).start()
        began = time.monotonic()
        assert workers.wait(5) == [15]
        assert time.monotonic() - began < 2
    workers.post()  # when all is closed: nothing happens


def test_a_bug_in_a_thread_is_raised_where_answers_are_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(connection: Connection, body: bytes) -> Outcome:
        if body == b"bug":
            raise ZeroDivisionError
        return attempt(connection, body)

    attempt = Connection.attempt
    monkeypatch.setattr(Connection, "attempt", broken)
    with FaultServer() as server, working(server) as workers:
        workers.start(1, body_of(1))
        assert verdicts(workers, 1) == {1: DELIVERED}
        workers.start(2, b"bug")
        with pytest.raises(ZeroDivisionError):
            ends(workers, 1)


@pytest.mark.parametrize(("threads", "verdict"), [(1, DELIVERED), (0, Verdict.LIMIT)])
def test_fewer_threads_than_attempts_carry_them_and_none_is_a_limit(
    threads: int, verdict: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> None:
        raise RuntimeError("can't start new thread")

    with FaultServer() as server, working(server) as workers:
        for token in range(4):
            if token == threads:
                monkeypatch.setattr("reo_cli.client.workers.Thread", fail)
            workers.start(token, body_of(token))
        assert verdicts(workers, 4) == dict.fromkeys(range(4), verdict)
    assert server.connections == threads

"""Many attempts at once: none waits for another, each ends in time, connections are kept."""

import threading
import time

import pytest

from reo_cli.client import Pool, Target
from reo_cli.client import pool as pool_module
from reo_cli.client.dial import open_wire
from reo_cli.client.wire import Deadline, Wire
from reo_cli.outcome import Verdict
from reo_cli.sandbox import Sandbox
from tests import faults
from tests.attempts import GRACE, TIMEOUT, body_of, target_for
from tests.faults import FaultServer

EVENT = {
    "mode": "DOMAIN",
    "source": "TELEMETRY",
    "activity_type": "primary",
    "count": 1,
    "domain": "acme.com",
    "event_at": 1_790_000_000,
    "product_id": "app",
}
"""What the sandbox takes."""


def ends(pool: "Pool[int]", number: int, within: float = 10) -> dict[int, Verdict]:
    """Wait for so many attempts to end."""
    found: dict[int, Verdict] = {}
    until = time.monotonic() + within
    while len(found) < number and time.monotonic() < until:
        found |= {each.token: each.outcome.verdict for each in pool.wait(0.2) if each.outcome}
    return found


def ends_into(found: dict[int, Verdict], pool: "Pool[int]") -> None:
    """Note what ends within two seconds."""
    for _ in range(20):
        found |= {each.token: each.outcome.verdict for each in pool.wait(0.1) if each.outcome}


def test_attempts_go_on_side_by_side_and_keep_their_connections() -> None:
    late = faults.late(0.3, faults.success())
    with FaultServer(late) as server:
        pool: Pool[int] = Pool(target_for(server.url))
        began = time.monotonic()
        for turn in range(2):
            for token in range(20):
                pool.start(token, body_of(f"{turn}-{token}"))
            assert ends(pool, 20) == dict.fromkeys(range(20), Verdict.DELIVERED)
        assert time.monotonic() - began < 2, "forty answers of 0.3 s, twenty at a time"
        pool.close()
    assert server.connections == 20
    assert len(server.accepted) == 40


def test_each_attempt_has_its_own_deadline() -> None:
    with FaultServer(faults.silence()) as server:
        pool: Pool[int] = Pool(target_for(server.url, TIMEOUT))
        began: dict[int, float] = {}
        over: dict[int, float] = {}
        while len(over) < 3:
            if len(began) < 3:
                began[len(began)] = time.monotonic()
                pool.start(len(began) - 1, body_of(len(began)))
                time.sleep(0.1)
            over |= {ended.token: ended.at for ended in pool.wait(0.01)}
        pool.close()
    for token, at in over.items():
        assert TIMEOUT - 0.02 < at - began[token] < TIMEOUT + GRACE
    assert list(over) == [0, 1, 2]


def test_an_attempt_that_hangs_holds_up_no_other() -> None:
    script = [faults.silence(), *[faults.success()] * 50]
    with FaultServer(script) as server:
        pool: Pool[int] = Pool(target_for(server.url, 3))
        pool.start(-1, body_of(-1))
        while not server.requests:
            assert not pool.wait(0.05)
        for token in range(50):
            pool.start(token, body_of(token))
            assert ends(pool, 1, 2) == {token: Verdict.DELIVERED}
        pool.close()
    assert server.connections == 2


def test_a_dead_kept_connection_is_replaced_among_others() -> None:
    with FaultServer(close_every=3) as server:
        pool: Pool[int] = Pool(target_for(server.url))
        done: list[int] = []
        for token in range(60):
            pool.start(token, body_of(token))
            if token % 4 == 3:
                verdicts = ends(pool, 4)
                assert set(verdicts.values()) == {Verdict.DELIVERED}
                done += verdicts
        pool.close()
    assert sorted(done) == list(range(60))
    assert sorted(server.accepted) == list(range(60))


def test_another_thread_ends_the_waiting() -> None:
    with FaultServer() as server:
        pool: Pool[int] = Pool(target_for(server.url))
        timer = threading.Timer(0.2, pool.wake)
        timer.start()
        began = time.monotonic()
        assert pool.wait(5) == []
        assert time.monotonic() - began < 2
        timer.join()
        pool.wake()
        pool.wake()
        assert pool.wait(5) == []
        pool.close()
        pool.wake()  # of a pool that is closed: nothing happens


def test_a_bug_in_a_thread_is_raised_where_answers_are_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with FaultServer() as server:
        pool: Pool[int] = Pool(target_for(server.url))
        pool.start(1, body_of(1))
        assert ends(pool, 1) == {1: Verdict.DELIVERED}

        def broken(*_: object) -> None:
            raise ZeroDivisionError("a bug")

        monkeypatch.setattr("reo_cli.client.pool.open_wire", broken)
        pool.start(2, body_of(2))  # on the kept connection
        assert ends(pool, 1) == {2: Verdict.DELIVERED}
        pool.start(3, body_of(3))  # on it too
        pool.start(4, body_of(4))  # wants a new one
        found: dict[int, Verdict] = {}
        with pytest.raises(ZeroDivisionError, match="a bug"):
            ends_into(found, pool)
        assert found in ({}, {3: Verdict.DELIVERED})
        pool.close()


def test_without_threads_connections_are_opened_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("can't start new thread")

    with Sandbox() as server:
        pool: Pool[int] = Pool(target_for(server.url))
        monkeypatch.setattr("threading.Thread.start", fail)
        for token in range(3):
            pool.start(token, body_of(token, **EVENT))
        assert ends(pool, 3) == dict.fromkeys(range(3), Verdict.DELIVERED)
        pool.close()


def opened_late(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Make every connection take some time to be opened."""

    def slow(target: Target, deadline: Deadline) -> Wire:
        wire = open_wire(target, deadline)
        time.sleep(seconds)
        return wire

    monkeypatch.setattr(pool_module, "open_wire", slow)


def test_what_may_not_be_sent_any_more_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    opened_late(monkeypatch, 0.2)
    with FaultServer() as server:
        pool: Pool[int] = Pool(target_for(server.url))
        pool.start(1, body_of(1))
        pool.may_send = lambda: False  # such as after a Retry-After
        ended = [each for _ in range(5) for each in pool.wait(0.2)]
        assert [(each.token, each.outcome) for each in ended] == [(1, None)]
        pool.may_send = lambda: True
        pool.start(2, body_of(2))
        assert ends(pool, 1) == {2: Verdict.DELIVERED}
        pool.close()
    assert server.accepted == [2]
    assert server.connections == 1, "the connection was kept for the next"


def test_nothing_is_sent_when_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    opened_late(monkeypatch, TIMEOUT + 0.1)
    with FaultServer() as server:
        pool: Pool[int] = Pool(target_for(server.url, TIMEOUT))
        pool.start(1, body_of(1))
        (ended,) = [each for _ in range(5) for each in pool.wait(0.2)]
        pool.close()
    assert ended.outcome is not None
    assert (ended.outcome.verdict, ended.outcome.unreachable) == (Verdict.TRANSIENT, True)
    assert not server.requests


def test_an_answer_that_came_in_time_counts_though_nobody_looked() -> None:
    with FaultServer() as server:
        pool: Pool[int] = Pool(target_for(server.url, TIMEOUT))
        pool.start(1, body_of(1))
        assert ends(pool, 1) == {1: Verdict.DELIVERED}
        pool.start(2, body_of(2))
        time.sleep(TIMEOUT + 0.2)
        pool._expire()
        assert ends(pool, 1) == {2: Verdict.DELIVERED}
        assert len(server.requests) == 2
        pool.close()

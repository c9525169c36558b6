"""Connections that are kept, lost, replaced (N14), or answered before the request is sent."""

import select
import ssl
import time

import pytest

from reo_cli.client.outcome import Verdict
from tests import faults
from tests.attempts import GRACE, TIMEOUT, ask, body_of, connected
from tests.faults import SUCCESS, Action, FaultServer, head_of, response
from tests.proxies import CONTEXT

DELIVERED, REJECTED, TRANSIENT = Verdict.DELIVERED, Verdict.REJECTED, Verdict.TRANSIENT


@pytest.mark.parametrize("every", [0, 1, 2, 3, 7])
@pytest.mark.parametrize("tls", [None, CONTEXT], ids=["http", "https"])
def test_n14_a_keep_alive_connection_may_be_closed_at_any_time(
    every: int, tls: ssl.SSLContext | None
) -> None:
    bodies = [body_of(number, meta={"pad": "é" * number * 300}) for number in range(60)]
    with FaultServer(close_every=every, tls=tls) as server, connected(server) as connection:
        assert [connection.attempt(body).verdict for body in bodies] == [DELIVERED] * 60
    assert server.accepted == list(range(60))
    assert [request.body for request in server.requests if request.accepted] == bodies
    assert server.connections == (-(-60 // every) if every else 1)


@pytest.mark.parametrize("fault", [faults.reset(), faults.hang_up()], ids=["reset", "hang up"])
def test_n14_a_race_with_the_close_is_not_counted(fault: Action) -> None:
    script = [faults.success(), fault] * 10  # each connection is lost at its second request
    with FaultServer(script) as server, connected(server) as connection:
        assert {connection.attempt(body_of(each)).verdict for each in range(10)} == {DELIVERED}
    assert server.accepted == list(range(10))
    assert server.connections == 10


@pytest.mark.parametrize(
    ("script", "requests"),
    [
        ([faults.reset()], 1),  # a fresh connection is not replaced
        ([faults.success(), faults.reset(), faults.reset()], 3),  # nor is a second one
        ([faults.success(), faults.cut(5)], 2),  # nor one that has answered, or that waits
        ([faults.success(), faults.cut_head()], 2),
        ([faults.success(), faults.silence()], 2),
    ],
)
def test_what_is_not_sent_again(script: list[Action], requests: int) -> None:
    with FaultServer(script) as server, connected(server, TIMEOUT) as connection:
        if script[0] == faults.success():
            assert connection.attempt(body_of(1)).verdict is DELIVERED
        outcome = connection.attempt(body_of(2))
        assert (outcome.verdict, outcome.unreachable) == (TRANSIENT, False)
        assert len(server.requests) == requests


def test_the_second_connection_has_only_what_is_left_of_the_time() -> None:
    script = [faults.success(), faults.late(0.6, faults.hang_up()), faults.silence()]
    with FaultServer(script) as server, connected(server, timeout=1.2) as connection:
        connection.attempt(body_of(1))
        start = time.monotonic()
        assert connection.attempt(body_of(2)).reason == "no answer within 1.2 s"
        assert 1.1 < time.monotonic() - start < 1.2 + GRACE
        assert len(server.requests) == 3


def test_every_attempt_on_a_kept_connection_has_its_own_deadline() -> None:
    late = faults.late(0.7 * TIMEOUT)
    with FaultServer(late) as server, connected(server, TIMEOUT) as connection:
        assert [connection.attempt(body_of()).verdict for _ in range(3)] == [DELIVERED] * 3
    assert server.connections == 1


WHOLE = response(200, SUCCESS)
OLD = WHOLE.replace(b"1.1", b"1.0")
TWICE = {"Content-Length": f"{len(SUCCESS)}, {len(SUCCESS)}"}


@pytest.mark.parametrize(
    ("action", "is_kept"),
    [
        (faults.answer(200, SUCCESS, {"Connection": "close"}), False),
        (faults.answer(200, SUCCESS, {"Connection": "x, Close"}), False),
        (faults.raw(OLD, "keep"), False),
        (faults.raw(OLD.replace(b"\r\n", b"\r\nConnection: Keep-Alive\r\n", 1), "keep"), True),
        (faults.answer(500, b" " * 70_000), False),
        (faults.raw(b"HTTP/1.1 101 No\r\n\r\n", "keep"), False),
        (faults.raw(head_of(200, TWICE) + SUCCESS, "keep"), False),
        (faults.raw(response(204, SUCCESS), "keep"), True),
    ],
    ids=["close", "listed", "1.0", "1.0 kept", "large", "switching", "two lengths", "204 body"],
)
def test_which_connections_may_be_used_again(action: Action, is_kept: bool) -> None:
    with FaultServer([action]) as server, connected(server) as connection:
        connection.attempt(body_of(1))
        assert connection.attempt(body_of(2)).verdict is DELIVERED
    assert [request.connection for request in server.requests] == [1, 1 if is_kept else 2]


AFTERWARDS = {
    "more": Action("more", (WHOLE + response(500),), accepted=True),
    "408": Action("408", (WHOLE, response(408)), pause=0.1, accepted=True),
    "close": Action("close", (WHOLE, b""), "close", pause=0.1, accepted=True),
    "reset": Action("reset", (WHOLE, b""), "reset", pause=0.1, accepted=True),
}


@pytest.mark.parametrize("name", AFTERWARDS)
def test_what_comes_between_two_attempts_belongs_to_none(name: str) -> None:
    with FaultServer([AFTERWARDS[name]]) as server, connected(server) as connection:
        assert connection.attempt(body_of(1)).verdict is DELIVERED
        stream = connection._line.sock
        assert name == "more" or select.select([stream], [], [], 5)[0]
        assert connection.attempt(body_of(2)).verdict is DELIVERED
    assert server.accepted == [1, 2]


LARGE = body_of("large", meta={"x": "y" * 20_000_000})


@pytest.mark.parametrize(
    ("status", "verdict"),
    [(413, REJECTED), (401, Verdict.KEY_REFUSED), (503, TRANSIENT), (200, TRANSIENT)],
)
def test_an_early_answer_is_heard(status: int, verdict: Verdict) -> None:
    with FaultServer(Action("early", (response(status, SUCCESS),), "close", early=True)) as server:
        outcome = ask(server, LARGE)
    assert (outcome.verdict, outcome.http_status) == (verdict, status)


def test_an_early_answer_is_heard_when_the_server_takes_no_more() -> None:
    """The rest of the request is owed on that connection: the next goes out on another."""
    stuck = Action("413", (response(413), b""), pause=9, early=True)
    with FaultServer([stuck]) as server, connected(server, timeout=0.5) as connection:
        outcome = connection.attempt(LARGE)
        assert (outcome.verdict, outcome.http_status) == (REJECTED, 413)
        assert connection.attempt(body_of(2)).verdict is DELIVERED
        assert [request.connection for request in server.requests] == [1, 2]

"""Connections that are kept, lost, replaced (N14), or answered before the request is sent."""

import select
import time

import pytest

from reo_cli.client.outcome import Verdict
from tests import faults
from tests.attempts import GRACE, TIMEOUT, ask, body_of, connected
from tests.faults import SUCCESS, Action, FaultServer, head_of, response

DELIVERED, REJECTED, TRANSIENT = Verdict.DELIVERED, Verdict.REJECTED, Verdict.TRANSIENT
NOT_THE_API, KEY_REFUSED, CONFIG = Verdict.NOT_THE_API, Verdict.KEY_REFUSED, Verdict.CONFIG


@pytest.mark.parametrize("every", [1, 2, 3, 7])
def test_n14_a_keep_alive_connection_may_be_closed_at_any_time(every: int) -> None:
    ids = list(range(60))
    with FaultServer(close_every=every) as server, connected(server) as connection:
        verdicts = [connection.attempt(body_of(each)).verdict for each in ids]
    assert verdicts == [DELIVERED] * len(ids)
    assert server.accepted == ids


@pytest.mark.parametrize("fault", [faults.reset(), faults.hang_up()], ids=["reset", "hang up"])
def test_n14_a_race_with_the_close_is_not_counted(fault: Action) -> None:
    seen: set[int] = set()

    def script(_: int, request: faults.Request) -> Action:
        is_new = request.connection not in seen
        seen.add(request.connection)
        return faults.success() if is_new else fault

    with FaultServer(script) as server, connected(server) as connection:
        verdicts = [connection.attempt(body_of(each)).verdict for each in range(10)]
    assert verdicts == [DELIVERED] * 10
    assert server.accepted == list(range(10))


def test_a_fresh_connection_is_not_replaced() -> None:
    with FaultServer(faults.reset()) as server:
        assert ask(server).verdict is TRANSIENT
    assert len(server.requests) == 1


def test_a_second_dead_connection_ends_the_attempt() -> None:
    with (
        FaultServer([faults.success(), faults.reset(), faults.reset()]) as server,
        connected(server) as connection,
    ):
        assert connection.attempt(body_of(1)).verdict is DELIVERED
        assert connection.attempt(body_of(2)).verdict is TRANSIENT
    assert len(server.requests) == 3


@pytest.mark.parametrize("fault", [faults.cut(5), faults.cut_head(), faults.silence()])
def test_a_kept_connection_that_answered_or_waits_is_not_asked_again(fault: Action) -> None:
    with FaultServer([faults.success(), fault]) as server, connected(server, TIMEOUT) as connection:
        connection.attempt(body_of(1))
        outcome = connection.attempt(body_of(2))
        assert (outcome.verdict, outcome.unreachable) == (TRANSIENT, False)
        assert len(server.requests) == 2


def test_the_second_connection_has_only_what_is_left_of_the_time() -> None:
    slow = faults.late(0.6, faults.hang_up())
    with (
        FaultServer([faults.success(), slow, faults.silence()]) as server,
        connected(server, timeout=1.2) as connection,
    ):
        connection.attempt(body_of(1))
        start = time.monotonic()
        assert connection.attempt(body_of(2)).reason == "no answer within 1.2 s"
        assert 1.1 < time.monotonic() - start < 1.2 + GRACE
        assert len(server.requests) == 3


def test_every_attempt_on_a_kept_connection_has_its_own_deadline() -> None:
    late = faults.late(0.7 * TIMEOUT)
    with FaultServer(late) as server, connected(server, TIMEOUT) as connection:
        verdicts = [connection.attempt(body_of()).verdict for _ in range(3)]
    assert verdicts == [DELIVERED] * 3
    assert server.connections == 1


LENGTH = str(len(SUCCESS))
TWO_LENGTHS = head_of(200, {"Content-Length": f"{LENGTH}, {LENGTH}"}) + SUCCESS

CLOSING = {
    "close": faults.answer(200, SUCCESS, {"Connection": "close"}),
    "listed": faults.answer(200, SUCCESS, {"Connection": "x, Close"}),
    "1.0": faults.raw(response(200, SUCCESS).replace(b"1.1", b"1.0"), "keep"),
    "too large": faults.answer(500, b" " * 70_000),
    "switching": faults.raw(b"HTTP/1.1 101 No\r\n\r\n", "keep"),
    "two lengths": faults.raw(TWO_LENGTHS, "keep"),
}


@pytest.mark.parametrize("name", CLOSING)
def test_connections_that_must_not_be_used_again(name: str) -> None:
    with FaultServer([CLOSING[name]]) as server, connected(server) as connection:
        connection.attempt(body_of(1))
        assert connection.attempt(body_of(2)).verdict is DELIVERED
    assert [request.connection for request in server.requests] == [1, 2]


def test_http_1_0_can_be_kept_alive() -> None:
    kept = response(200, SUCCESS, {"Connection": "Keep-Alive"}).replace(b"1.1", b"1.0")
    with FaultServer(faults.raw(kept, "keep")) as server, connected(server) as connection:
        for _ in range(3):
            connection.attempt(body_of())
    assert server.connections == 1


AFTERWARDS = {
    "more": Action("more", (response(200, SUCCESS) + response(500),), accepted=True),
    "408": Action("408", (response(200, SUCCESS), response(408)), pause=0.1, accepted=True),
    "close": Action("close", (response(200, SUCCESS), b""), "close", pause=0.1, accepted=True),
    "reset": Action("reset", (response(200, SUCCESS), b""), "reset", pause=0.1, accepted=True),
}


@pytest.mark.parametrize("name", AFTERWARDS)
def test_what_comes_between_two_attempts_belongs_to_none(name: str) -> None:
    with FaultServer([AFTERWARDS[name]]) as server, connected(server) as connection:
        assert connection.attempt(body_of(1)).verdict is DELIVERED
        stream = connection._line.sock
        assert name == "more" or select.select([stream], [], [], 5)[0]
        assert connection.attempt(body_of(2)).verdict is DELIVERED
    assert server.accepted == [1, 2]


def test_no_cookie_is_sent_back() -> None:
    cookie = faults.answer(200, SUCCESS, {"Set-Cookie": "session=1; Path=/"}, accepted=True)
    with FaultServer(cookie) as server, connected(server) as connection:
        assert {connection.attempt(body_of(each)).verdict for each in range(3)} == {DELIVERED}
        assert len(connection._session.cookies) == 0
    assert not [each for each in server.requests if "cookie" in each.headers]


LARGE = body_of("large", meta={"x": "y" * 20_000_000})


@pytest.mark.parametrize(
    ("action", "verdict"),
    [
        (faults.failure(413), REJECTED),
        (faults.answer(401), KEY_REFUSED),
        (faults.failure(503), TRANSIENT),
        (faults.success(), TRANSIENT),
    ],
)
def test_an_early_answer_is_heard(action: Action, verdict: Verdict) -> None:
    with FaultServer(faults.early_answer(action)) as server:
        outcome = ask(server, LARGE)
    assert outcome.verdict is verdict
    assert outcome.http_status == int(action.name.removeprefix("HTTP ").replace("success", "200"))


def test_an_early_answer_is_heard_when_the_server_takes_no_more() -> None:
    """The rest of the request is owed on that connection: the next goes out on another."""
    stuck = Action("413", (response(413), b""), pause=9, early=True)
    with FaultServer([stuck]) as server, connected(server, timeout=0.5) as connection:
        outcome = connection.attempt(LARGE)
        assert (outcome.verdict, outcome.http_status) == (REJECTED, 413)
        assert connection.attempt(body_of(2)).verdict is DELIVERED
        assert [request.connection for request in server.requests] == [1, 2]

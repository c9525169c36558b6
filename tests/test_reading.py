"""Any bytes at all, as an answer: nothing ever raises, and only a whole success is a delivery."""

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reo_cli.client.connection import Connection
from reo_cli.client.outcome import Verdict
from tests import faults
from tests.attempts import body_of, connected
from tests.faults import SUCCESS, FaultServer, head_of, response

CHUNKED = head_of(200, {"Transfer-Encoding": "chunked"})
LAST_CHUNK = b"0\r\n"
WHOLE = {
    "length": response(200, SUCCESS, {"X": "y"}),
    "chunks": CHUNKED + b"%x\r\n%b\r\n" % (len(SUCCESS), SUCCESS) + LAST_CHUNK + b"\r\n",
    "close": head_of(200) + SUCCESS,
    "interim": b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + response(200, SUCCESS),
}
PIECES = [
    *[b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"\r\n", b"\r\n\r\n", b"5\r\n"],
    *[b"0\r\n", b"-1\r\n", b"{}", b"Content-Length: 74\r\n", b"Connection: close\r\n", b": x\r\n"],
    *[b"HTTP/1.1 100 Continue\r\n\r\n", SUCCESS[:40], b"\x00", b"\xff" * 9, b"Set-Cookie: a=b\r\n"],
]
STARTS = [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 403 No\r\n", b"HTTP/1.1 100 \r\n\r\n", CHUNKED, b""]


@pytest.fixture(scope="module")
def line() -> Iterator[tuple[FaultServer, Connection]]:
    with FaultServer() as server, connected(server) as connection:
        yield server, connection


@pytest.mark.parametrize("form", WHOLE)
def test_a_success_that_is_cut_anywhere_is_no_delivery(
    form: str, line: tuple[FaultServer, Connection]
) -> None:
    server, connection = line
    whole = WHOLE[form]
    enough = whole.rindex(LAST_CHUNK) + 1 if form == "chunks" else len(whole)
    for end in range(len(whole) + 1):
        server.script = faults.raw(whole[:end])
        verdict = connection.attempt(body_of()).verdict
        assert (verdict is Verdict.DELIVERED) is (end >= enough), whole[:end]
        assert verdict in (Verdict.DELIVERED, Verdict.TRANSIENT)


@settings(max_examples=300)
@given(st.sampled_from(STARTS), st.lists(st.sampled_from(PIECES) | st.binary(max_size=9)))
def test_bytes_without_a_success_are_no_delivery(
    line: tuple[FaultServer, Connection], start: bytes, pieces: list[bytes]
) -> None:
    server, connection = line
    server.script = faults.raw(b"".join([start, *pieces]))
    assert connection.attempt(body_of()).verdict is not Verdict.DELIVERED


@settings(max_examples=300)
@given(st.sampled_from(list(WHOLE.values())), st.integers(0, 400), st.integers(1, 255))
def test_a_success_with_one_wrong_byte_is_judged_by_what_it_says(
    line: tuple[FaultServer, Connection], whole: bytes, at: int, change: int
) -> None:
    server, connection = line
    at %= len(whole)
    server.script = faults.raw(whole[:at] + bytes([whole[at] ^ change]) + whole[at + 1 :])
    outcome = connection.attempt(body_of())
    if outcome.verdict is Verdict.DELIVERED:
        assert outcome.response["status"] == "success"
        assert outcome.http_status is not None
        assert 200 <= outcome.http_status < 300


@given(st.lists(st.integers(1, 200)))
@settings(max_examples=30)
def test_how_the_bytes_arrive_makes_no_difference(
    line: tuple[FaultServer, Connection], cuts: list[int]
) -> None:
    server, connection = line
    for whole in WHOLE.values():
        ends = sorted({min(each, len(whole)) for each in cuts} | {len(whole)})
        pieces = [whole[start:end] for start, end in itertools.pairwise([0, *ends])]
        server.script = faults.Action("pieces", pieces, "close", pause=0.001)
        assert connection.attempt(body_of()).verdict is Verdict.DELIVERED

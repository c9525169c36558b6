"""Any bytes at all, as an answer: it is read, or it is none; nothing ever raises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reo_cli.client.reading import Reply, drive, reply
from reo_cli.outcome import Verdict
from tests import faults
from tests.attempts import ask
from tests.faults import SUCCESS, FaultServer, head_of, response

DELIVERED, REJECTED, TRANSIENT = Verdict.DELIVERED, Verdict.REJECTED, Verdict.TRANSIENT
NOT_THE_API, KEY_REFUSED, CONFIG = Verdict.NOT_THE_API, Verdict.KEY_REFUSED, Verdict.CONFIG
TE = {"Transfer-Encoding": "chunked"}
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(SUCCESS), SUCCESS)


STARTS = [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 403 No\r\n", b"HTTP/1.1 100 \r\n\r\n", b""]
PIECES = [
    *[b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"\r\n", b"\r\n\r\n", b"5\r\n"],
    *[b"0\r\n", b"{}", SUCCESS, CHUNKS, b"Content-Length: 76\r\n", b"Connection: close\r\n"],
]


def read(pieces: list[bytes]) -> Reply | None:
    """What `reply` makes of a stream that comes in these pieces; None if there is no head."""
    waiting = iter([piece for piece in pieces if piece])
    try:
        return drive(reply(), lambda: next(waiting, b""))
    except ConnectionError:
        return None


@given(st.sampled_from(STARTS), st.lists(st.sampled_from(PIECES) | st.binary(max_size=9)))
def test_any_bytes_are_an_answer_or_none(start: bytes, pieces: list[bytes]) -> None:
    reply = read([start, *pieces])
    if reply is not None:
        assert 100 <= reply.status <= 999
        assert not (reply.reusable and reply.problem)


GOOD = [
    response(200, SUCCESS, {"X": "y"}),
    head_of(200, TE) + CHUNKS,
    head_of(200) + SUCCESS,
    b"HTTP/1.1 100 Continue\r\n\r\n" + response(503, b"no"),
    head_of(200, TE) + b"zz\r\n",
]


@given(st.sampled_from(GOOD), st.lists(st.integers(1, 200)))
def test_how_the_bytes_arrive_makes_no_difference(data: bytes, cuts: list[int]) -> None:
    ends = sorted({min(each, len(data)) for each in cuts} | {len(data)})
    pieces = [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    assert read(pieces) == read([data])


@pytest.mark.parametrize("seed", range(20))
def test_random_bytes_over_a_socket_never_raise(seed: int) -> None:
    import random

    data = random.Random(seed).randbytes(300)
    for noise in (data, head_of(200) + data, head_of(200, TE) + data):
        with FaultServer(faults.raw(noise)) as server:
            assert ask(server).verdict is TRANSIENT

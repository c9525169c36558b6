"""The sandbox as an HTTP/1.1 server, over real sockets: any bytes, any pace, many clients."""

import json
import os
import resource
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reo_cli.sandbox import Sandbox, SandboxOptions, loop
from reo_cli.sandbox.protocol import MAX_BODY, MAX_HEAD, ProtocolError, Request, RequestReader

PAYLOAD = {
    "mode": "DOMAIN",
    "source": "TELEMETRY",
    "activity_type": "primary",
    "count": 3,
    "domain": "reo.dev",
    "event_at": 1_763_900_000,
    "event_id": "e1",
    "product_id": "reoWebApp",
}
BODY = json.dumps({"payload": PAYLOAD}).encode()
START = b"POST /api/product/aggregateusage HTTP/1.1\r\nHost: x\r\nX-API-KEY: any\r\n"
LENGTH = b"Content-Length: %d\r\n\r\n" % len(BODY)
POST = START + LENGTH + BODY


def chunked(body: bytes) -> bytes:
    head = START + b"Transfer-Encoding: chunked\r\n\r\n"
    chunks = b"5;ext=1\r\n%b\r\n%X\r\n%b\r\n" % (body[:5], len(body) - 5, body[5:])
    return head + chunks + b"0\r\nTrailer: 1\r\n\r\n"


CHUNKED = chunked(BODY)
TIMEOUT = 20.0


class Wire:
    """One connection to a sandbox, in bytes."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname
        assert parts.port
        self.sock = socket.create_connection((parts.hostname, parts.port), TIMEOUT)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.sock.makefile("rb")

    def send(self, data: bytes) -> "Wire":
        self.sock.sendall(data)
        return self

    def answer(self, has_body: bool = True) -> tuple[int, dict[str, str], bytes]:
        """The next answer: status, headers (lower case names), body."""
        version, status, _ = self.file.readline().split(b" ", 2)
        assert version == b"HTTP/1.1"
        headers: dict[str, str] = {}
        while (line := self.file.readline()) != b"\r\n":
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        length = int(headers.get("content-length", "0")) if has_body else 0
        return int(status), headers, self.file.read(length)

    def status(self) -> int:
        return self.answer()[0]

    def is_closed(self) -> bool:
        """Wait for the server to end the connection; true when it did so without a reset."""
        return self.file.read(1) == b""

    def close(self) -> None:
        self.file.close()
        self.sock.close()


Connect = Callable[[Sandbox], Wire]


@pytest.fixture
def connect() -> Iterator[Connect]:
    with ExitStack() as stack:

        def connected(sandbox: Sandbox) -> Wire:
            wire = Wire(sandbox.url)
            stack.callback(wire.close)
            return wire

        yield connected


@contextmanager
def wired(sandbox: Sandbox) -> Iterator[Wire]:
    wire = Wire(sandbox.url)
    try:
        yield wire
    finally:
        wire.close()


def test_a_connection_serves_many_requests(connect: Connect) -> None:
    with Sandbox() as sandbox:
        wire = connect(sandbox)
        for _ in range(3):
            status, headers, body = wire.send(POST).answer()
            assert (status, headers["connection"]) == (200, "keep-alive")
            assert json.loads(body)["status"] == "success"
        assert sandbox.totals.accepted == 3


@pytest.mark.parametrize("latency", [0.0, 0.01])
def test_pipelined_requests_are_answered_in_order(connect: Connect, latency: float) -> None:
    with Sandbox(SandboxOptions(latency=latency)) as sandbox:
        wire = connect(sandbox).send(POST + b"GET / HTTP/1.1\r\n\r\n" + CHUNKED + POST[:60])
        assert [wire.status() for _ in range(3)] == [200, 404, 200]
        assert wire.send(POST[60:]).status() == 200


def test_a_chunked_body_is_put_together(connect: Connect) -> None:
    with Sandbox() as sandbox:
        wire = connect(sandbox)
        for _ in range(2):
            for at in range(0, len(CHUNKED), 7):
                wire.send(CHUNKED[at : at + 7])
            assert wire.status() == 200


def test_a_client_that_expects_continue_is_told_to(connect: Connect) -> None:
    with Sandbox() as sandbox:
        wire = connect(sandbox)
        for _ in range(2):
            wire.send(START + b"Expect: 100-continue\r\n" + LENGTH)
            assert wire.answer()[0] == 100
            assert wire.send(BODY).status() == 200
        wire.send(START + b"Expect: 100-continue\r\n" + LENGTH + BODY)
        assert wire.status() == 200  # the body was there already
        assert wire.send(POST).status() == 200


def test_a_body_too_large_is_refused_before_it_is_sent(connect: Connect) -> None:
    head = START + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY + 1)
    with Sandbox() as sandbox:
        wire = connect(sandbox).send(head)
        assert wire.status() == 413
        assert wire.is_closed()


@pytest.mark.parametrize(
    ("request_", "stays"),
    [
        (POST, True),
        (POST.replace(b"Host: x", b"Connection: Foo, Close"), False),
        (POST.replace(b"HTTP/1.1", b"HTTP/1.0"), False),
        (POST.replace(b"HTTP/1.1\r\nHost: x", b"HTTP/1.0\r\nConnection: keep-alive"), True),
        (b"\r\n" + POST, True),
        (POST.replace(b" /api", b" http://127.0.0.1:1/api"), True),
        (POST.replace(b"usage HTTP", b"usage?a=b HTTP"), True),
    ],
)
def test_the_connection_ends_when_the_client_says_so(
    connect: Connect, request_: bytes, stays: bool
) -> None:
    with Sandbox() as sandbox:
        wire = connect(sandbox).send(request_)
        status, headers, _ = wire.answer()
        assert status == 200
        assert headers["connection"] == ("keep-alive" if stays else "close")
        if stays:
            assert wire.send(POST).status() == 200
        else:
            assert wire.is_closed()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/product/aggregateusage", 405),
        ("PUT", "/api/product/aggregateusage", 405),
        ("GET", "/", 404),
        ("POST", "/api/product/aggregateusage/", 404),
        ("POST", "/API/product/aggregateusage", 404),
        ("HEAD", "/", 404),
        ("HEAD", "/api/product/aggregateusage", 405),
    ],
)
def test_other_paths_and_methods(connect: Connect, method: str, path: str, status: int) -> None:
    with Sandbox() as sandbox:
        wire = connect(sandbox).send(f"{method} {path} HTTP/1.1\r\n\r\n".encode())
        found, headers, body = wire.answer(has_body=method != "HEAD")
        assert found == status
        assert headers.get("allow") == ("POST" if status == 405 else None)
        if method != "HEAD":
            assert json.loads(body)["status"] == "failure"
        assert wire.send(POST).status() == 200
        assert sandbox.totals.refused == {"not_found" if status == 404 else "wrong_method": 1}


MALFORMED = [
    (b"hello\r\n\r\n", 400),
    (b"hello world\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00", 400),
    (b"\x00", 400),
    (b"POST /api HTTP/2.0\r\n\r\n", 400),
    (b"POST /a b HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nspace : 1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n folded\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\na: \x00\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\na: b\rc: d\r\n\r\n", 400),
    (START + b"Content-Length: -1\r\n\r\n", 400),
    (START + b"Content-Length: 0x5\r\n\r\n", 400),
    (START + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
    (START + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    (START + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
    (START + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    (START + b"Transfer-Encoding: chunked\r\n\r\n-5\r\n", 400),
    (START + b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", 400),
    (START + b"Transfer-Encoding: chunked\r\n\r\n" + b"0" * 2000, 400),
    (START + b"Transfer-Encoding: chunked\r\n\r\n%X\r\n" % (MAX_BODY + 1), 413),
    (START + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 9000, 431),
    (START + b"Content-Length: 99999999999\r\n\r\n", 413),
    (START + b"X: " + b"x" * MAX_HEAD, 431),
    (START + b"Content-Length: 3000000\r\n\r\n" + b"x" * 3_000_000, 413),
]


@pytest.mark.parametrize(("data", "status"), MALFORMED, ids=range(len(MALFORMED)))
def test_what_is_no_request_is_refused_and_ends_the_connection(
    connect: Connect, data: bytes, status: int
) -> None:
    with Sandbox() as sandbox:
        wire = connect(sandbox)
        wire.send(data)
        found, headers, body = wire.answer()
        assert (found, headers["connection"]) == (status, "close")
        assert json.loads(body)["status"] == "failure"
        assert wire.is_closed()
        assert sandbox.totals.refused == {"malformed": 1}
        assert connect(sandbox).send(POST).status() == 200


def test_a_client_that_has_only_closed_its_side_still_gets_its_answer(connect: Connect) -> None:
    with Sandbox(SandboxOptions(latency=0.05)) as sandbox:
        wire = connect(sandbox).send(POST)
        wire.sock.shutdown(socket.SHUT_WR)
        assert wire.status() == 200
        assert wire.is_closed()


@pytest.mark.parametrize("latency", [0.0, 0.03])
@pytest.mark.parametrize("by", ["end", "reset"])
def test_a_client_that_went_away_hurts_nobody(connect: Connect, latency: float, by: str) -> None:
    with Sandbox(SandboxOptions(latency=latency)) as sandbox:
        for data in (POST, POST[:50], b"", POST * 3):
            wire = connect(sandbox).send(data)
            if by == "reset":
                wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            wire.close()
        assert connect(sandbox).send(POST).status() == 200


def test_a_client_that_resets_before_it_reads_hurts_nobody(connect: Connect) -> None:
    with Sandbox() as sandbox:
        wire = connect(sandbox).send(POST)
        assert wire.status() == 200
        wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wire.close()
        assert connect(sandbox).send(POST).status() == 200


def test_slow_clients_hold_nobody_up(connect: Connect) -> None:
    with Sandbox() as sandbox:
        slow = [connect(sandbox).send(POST[: 10 * part]) for part in range(1, 20)]
        assert connect(sandbox).send(POST).status() == 200
        assert [wire.send(POST[10 * part :]).status() for part, wire in enumerate(slow, 1)] == [
            200
        ] * len(slow)


def test_a_client_that_reads_nothing_holds_nobody_up(connect: Connect) -> None:
    with Sandbox() as sandbox:
        greedy, other = connect(sandbox), connect(sandbox)
        sent = answered = 0
        while answered == sent:
            greedy.send(b"GET / HTTP/1.1\r\n\r\n" * 1000)
            sent += 1000
            for _ in range(10):  # each of these gives every connection its turn
                assert other.send(POST).status() == 200
            answered = sandbox.totals.refused["not_found"]
        for _ in range(sent):
            assert greedy.status() == 404


def test_too_many_connections_are_told_so(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "MAX_CONNECTIONS", 3)
    with Sandbox() as sandbox:
        wires = [connect(sandbox) for _ in range(3)]
        assert [wire.send(POST).status() for wire in wires] == [200] * 3
        late = connect(sandbox)
        assert late.status() == 503
        assert late.is_closed()
        wires[0].close()
        late.close()
        assert wires[1].send(POST).status() == 200
        assert connect(sandbox).send(POST).status() == 200


def test_patience_with_a_request_that_never_ends_is_limited(connect: Connect) -> None:
    now = [1000.0]
    with Sandbox(clock=lambda: now[0]) as sandbox:
        idle, slow = connect(sandbox), connect(sandbox).send(POST[:-1])
        busy = connect(sandbox).send(POST)
        assert busy.status() == 200
        now[0] += loop.PATIENCE - 1
        assert busy.send(POST).status() == 200
        now[0] += 2
        assert busy.send(POST).status() == 200
        assert idle.is_closed()
        assert slow.is_closed()
        assert busy.send(POST).status() == 200


def test_a_long_latency_is_no_lack_of_patience(connect: Connect) -> None:
    now, latency = [1000.0], loop.PATIENCE * 2
    with Sandbox(SandboxOptions(latency=latency), clock=lambda: now[0]) as sandbox:
        wire = connect(sandbox).send(POST)
        while not sandbox.totals.accepted:
            time.sleep(0.001)
        now[0] += latency - 1
        connect(sandbox).send(POST)
        while sandbox.totals.accepted < 2:
            time.sleep(0.001)
        now[0] += 1
        connect(sandbox).send(POST)
        assert wire.status() == 200


def test_a_refused_client_that_keeps_sending_is_cut_off(connect: Connect) -> None:
    now = [1000.0]
    with Sandbox(clock=lambda: now[0]) as sandbox:
        wire = connect(sandbox).send(b"no request\n")
        assert wire.status() == 400
        now[0] += loop.LINGER + 1
        assert connect(sandbox).send(POST).status() == 200
        with suppress(ConnectionError):
            while True:
                wire.send(b"x" * 1000)


def test_latency_delays_each_answer_and_not_the_others(connect: Connect) -> None:
    latency, rounds = 0.05, 4
    with Sandbox(SandboxOptions(latency=latency)) as sandbox:
        wires = [connect(sandbox) for _ in range(64)]
        began = time.monotonic()
        for _ in range(rounds):
            for wire in wires:
                wire.send(POST)
            sent = time.monotonic()
            assert {wire.status() for wire in wires} == {200}
            assert time.monotonic() - sent >= latency - 0.02  # the first was sent a little before
        assert rounds * latency <= time.monotonic() - began < rounds * latency * 5


def test_an_answer_is_never_early(connect: Connect) -> None:
    with Sandbox(SandboxOptions(latency=0.02)) as sandbox:
        wire = connect(sandbox)
        for _ in range(20):
            began = time.monotonic()
            assert wire.send(POST).status() == 200
            assert time.monotonic() - began >= 0.02


def test_it_works_in_a_process_with_very_many_open_files(connect: Connect) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limits[1] != resource.RLIM_INFINITY and limits[1] < 1500:
        pytest.skip("the hard limit of open files is too low")
    with ExitStack() as stack:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1500, limits[1]))
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        for _ in range(1024):
            stack.callback(os.close, os.dup(0))
        sandbox = stack.enter_context(Sandbox(SandboxOptions(latency=0.01)))
        wire = connect(sandbox)
        assert [wire.send(POST).status() for _ in range(3)] == [200] * 3


def test_nothing_but_the_loopback_address_is_served() -> None:
    with Sandbox() as sandbox:
        port = urlsplit(sandbox.url).port
        assert sandbox.url == f"http://127.0.0.1:{port}/api/product/aggregateusage"
        with pytest.raises(OSError):  # noqa: PT011 (refused or unreachable)
            socket.create_connection(("127.0.0.2", port or 0), TIMEOUT)


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


BROKEN = st.builds(
    lambda data, at, junk, cut: data[:at] + junk + data[at + cut :],
    st.sampled_from([POST, CHUNKED, POST * 2]),
    st.integers(0, len(POST)),
    st.binary(max_size=8),
    st.integers(0, 8),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.binary(max_size=200) | BROKEN, max_size=4))
@example([b"\x16\x03\x01"])
@example([b"POST / HTTP/1.1\r\nContent-Length: \xb2\r\n\r\n"])
def test_no_bytes_stop_it(shared: Sandbox, pieces: list[bytes]) -> None:
    with wired(shared) as wire, suppress(ConnectionError):
        for piece in pieces:
            wire.send(piece)
        wire.sock.shutdown(socket.SHUT_WR)
        while wire.sock.recv(65536):
            pass
    with wired(shared) as wire:
        assert wire.send(POST).status() == 200


def read_all(pieces: list[bytes]) -> list[Request | int]:
    """All requests in the pieces, and the status of the error that ends them, if one does."""
    reader, found = RequestReader(), list[Request | int]()
    for piece in pieces:
        reader.feed(piece)
        try:
            while request := reader.next():
                found.append(request)
        except ProtocolError as error:
            return [*found, error.status]
    return found


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([POST, CHUNKED]) | BROKEN, min_size=1, max_size=3), st.data())
def test_requests_do_not_depend_on_how_their_bytes_arrive(
    requests: list[bytes], data: st.DataObject
) -> None:
    whole = b"".join(requests)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(whole)), max_size=10)))
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, None], strict=True)]
    assert read_all(pieces) == read_all([whole])


def test_each_body_is_that_of_its_request() -> None:
    data = POST + chunked(BODY) + chunked(b"another body") + POST
    bodies = [each.body for each in read_all([data]) if isinstance(each, Request)]
    assert bodies == [BODY, BODY, b"another body", BODY]

"""A loopback HTTP server that misbehaves exactly as told, and remembers what it was asked.

It speaks raw sockets, because the faults worth testing are those no HTTP library lets one make:
cut heads, wrong lengths, single dripping bytes, resets. What it does with a request is an `Action`,
a plain value; a script says which action each request gets:

    with FaultServer([failure(503), reset(), success()]) as server:
        ...                                   # the third request succeeds, and all later ones
    assert [each.event_id for each in server.requests] == ["a", "a", "a"]
    assert server.accepted == ["a"]           # the events it has stored, in order
"""

import contextlib
import itertools
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Literal, Self

PATH = "/api/product/aggregateusage"
SUCCESS = b'{"response_code": "200", "response": "Data Uploaded", "status": "success"}'
WRONG_KEY = b'{"response_code": 400, "response": "Authentication Failure", "status": "failure"}'
PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Welcome</body></html>"
JSON_TYPE = {"Content-Type": "application/json"}

# --- Actions: what the server does with one request ---------------------------------------------


@dataclass(frozen=True)
class Action:
    """One thing to do: wait `latency` seconds, send `pieces` with `pause` between them, then end.

    `then` is what becomes of the connection: `keep` it for the next request, `close` it, `reset` it
    (the client gets ECONNRESET), or `hold` it open in silence. `accepted` says that the event was
    stored, whatever the client gets to hear of it. `early`: all this before the body is read.
    """

    name: str
    pieces: Iterable[bytes] = ()
    then: Literal["keep", "close", "reset", "hold"] = "keep"
    accepted: bool = False
    latency: float = 0.0
    pause: float = 0.0
    early: bool = False


def answer(
    status: int, body: bytes = b"", headers: dict[str, str] | None = None, *, accepted: bool = False
) -> Action:
    """Answer properly: this status and body, with a right Content-Length."""
    return Action(f"HTTP {status}", (response(status, body, headers),), accepted=accepted)


def success() -> Action:
    """Store the event and say so, as the API documents it."""
    return replace(answer(200, SUCCESS, JSON_TYPE, accepted=True), name="success")


def failure(status: int, text: str = "No", headers: dict[str, str] | None = None) -> Action:
    """Answer with a status and a JSON body in the API's shape that says `failure`."""
    body = json.dumps({"response_code": status, "response": text, "status": "failure"})
    return answer(status, body.encode(), {**JSON_TYPE, **(headers or {})})


def wrong_key(status: int = 200) -> Action:
    """Refuse the key, as the API documents it."""
    return answer(status, WRONG_KEY, JSON_TYPE)


def throttled(wait: str | int = 1, status: int = 429) -> Action:
    """Ask to come back after `wait`: seconds, or any text as the header's value."""
    return failure(status, "Slow down", {"Retry-After": str(wait)})


def page(status: int = 200, size: int = 0) -> Action:
    """Answer with a web page, as captive portals and proxies do; padded to `size` bytes."""
    return answer(status, PAGE.ljust(size), {"Content-Type": "text/html; charset=utf-8"})


def redirect(location: str, status: int = 302) -> Action:
    """Send the client elsewhere."""
    return answer(status, b"", {"Location": location})


def late(seconds: float, action: Action | None = None) -> Action:
    """Do `action` (success by default) after `seconds`."""
    return replace(action or success(), latency=seconds)


def chunked(body: bytes = SUCCESS, *, size: int = 20, tail: bytes = b"0\r\n\r\n") -> Action:
    """Succeed with a chunked body; `tail` is what ends it, `b""` and more to get that wrong."""
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    chunks = b"".join(b"%x;note=1\r\n%b\r\n" % (len(part), part) for part in parts)
    head = head_of(200, {**JSON_TYPE, "Transfer-Encoding": "chunked"})
    return Action("chunked", (head, chunks + tail), accepted=True)


def bad_chunk() -> Action:
    """Store the event, and spoil the answer with a chunk of no size."""
    return replace(chunked(tail=b"zz\r\n\r\n"), name="bad chunk")


def until_close(body: bytes = SUCCESS, status: int = 200) -> Action:
    """Answer without a length: the body ends where the connection does."""
    return Action("until close", (head_of(status, JSON_TYPE), body), "close", accepted=True)


def cut(after: int, status: int = 200, body: bytes = SUCCESS, *, accepted: bool = False) -> Action:
    """Hang up after so many bytes of a good answer: in the head, in the body, or before both."""
    whole = response(status, body, JSON_TYPE)
    return Action(f"cut after {after}", (whole[:after],), "close", accepted)


def cut_head(status: int = 200, *, accepted: bool = False) -> Action:
    """Hang up in the middle of the headers: the trap of reliability.md section 1."""
    return replace(cut(40, status, accepted=accepted), name="cut head")


def cut_body(status: int = 200, *, accepted: bool = False) -> Action:
    """Hang up in the middle of the body."""
    whole = len(response(status, SUCCESS, JSON_TYPE))
    return replace(cut(whole - 20, status, accepted=accepted), name="cut body")


def cut_json(*, accepted: bool = False) -> Action:
    """Send half of the JSON, properly framed: HTTP is content, the answer is not."""
    return replace(answer(200, SUCCESS[:-20], JSON_TYPE, accepted=accepted), name="cut JSON")


def wrong_length(claimed: int | str, body: bytes = SUCCESS) -> Action:
    """Claim another Content-Length than that of the body, then hang up."""
    headers = {**JSON_TYPE, "Content-Length": str(claimed)}
    return Action("wrong length", (head_of(200, headers) + body,), "close", accepted=True)


def raw(data: bytes, then: Literal["keep", "close", "reset", "hold"] = "close") -> Action:
    """Send these bytes, HTTP or not."""
    return Action("raw", (data,), then)


def drip(data: bytes, pause: float = 0.05, *, before: bytes = b"") -> Action:
    """Send `before` at once, then `data` byte by byte, for ever: it is repeated when it ends."""
    return Action("drip", Endless(data, before, step=1), pause=pause)


def drip_head() -> Action:
    """Start a good answer and never finish its headers."""
    return drip(b"X-Wait: y\r\n", before=b"HTTP/1.1 200 OK\r\n")


def drip_body() -> Action:
    """Promise a long body and send it byte by byte."""
    return drip(b" ", before=head_of(200, {**JSON_TYPE, "Content-Length": "60000"}))


def drip_continue() -> Action:
    """Send one interim answer after the other, byte by byte."""
    return drip(b"HTTP/1.1 100 Continue\r\n\r\n", pause=0.01)


def silence() -> Action:
    """Read the request, and never say a word."""
    return Action("silence", then="hold")


def reset(*, accepted: bool = False, early: bool = False) -> Action:
    """Reset the connection, after the request was read or (`early`) before its body was."""
    return Action("reset", then="reset", accepted=accepted, early=early)


def hang_up(*, accepted: bool = False) -> Action:
    """Close the connection without an answer."""
    return Action("hang up", then="close", accepted=accepted)


def early_answer(action: Action) -> Action:
    """Give this answer when only the head of the request was read, and hang up."""
    return replace(action, early=True, then="close")


def endless(status: int = 200, data: bytes = b"[", kind: str = "application/json") -> Action:
    """Answer with a body that has no end: `data` over and over."""
    head = head_of(status, {"Content-Type": kind})
    return Action("endless", Endless(data * 8192, head, step=8192), "close")


@dataclass(frozen=True)
class Endless:
    """Pieces without end: `before`, then `data` over and over in pieces of `step` bytes."""

    data: bytes
    before: bytes = b""
    step: int = 1

    def __iter__(self) -> Iterator[bytes]:
        if self.before:
            yield self.before
        pieces = [self.data[at : at + self.step] for at in range(0, len(self.data), self.step)]
        yield from itertools.cycle(pieces)


def head_of(status: int, headers: dict[str, str] | None = None) -> bytes:
    """Status line and headers, with the empty line that ends them."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unheard Of"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{k}: {v}" for k, v in (headers or {}).items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def response(status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
    """A whole answer with a right Content-Length."""
    return head_of(status, {**(headers or {}), "Content-Length": str(len(body))}) + body


# --- The server ---------------------------------------------------------------------------------


@dataclass(slots=True)
class Request:
    """One request as it came, and what was done with it.

    `number` and `connection` count from 1; `at` is monotonic seconds. `body` is empty when it was
    never read.
    """

    number: int
    connection: int
    at: float
    method: str
    path: str
    headers: dict[str, str]
    head: bytes
    body: bytes = b""
    action: str = ""
    accepted: bool = False

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)

    @property
    def event_id(self) -> Any:
        """The id of the event in the body."""
        return self.json["payload"].get("event_id")


Script = Action | Sequence[Action] | Callable[[int, Request], Action]


@dataclass
class FaultServer:
    """The server; a context manager that listens on a free loopback port.

    `script` is one action for all requests, a list (success once it is used up), or a function of
    request number and whole request (so that none of its actions is early). `greeting` is done to
    a new connection before anything is read (by its number, from 1; None: nothing). `close_every`
    hangs up, unannounced, after so many requests on a connection. With `tls` it speaks TLS; a
    failed handshake is no request. `host` is `127.0.0.1`, `localhost` or `[::1]`.
    """

    script: Script = field(default_factory=success)
    close_every: int = 0
    greeting: Callable[[int], Action | None] | None = None
    tls: ssl.SSLContext | None = None
    host: str = "127.0.0.1"

    requests: list[Request] = field(default_factory=list, init=False)
    connections: int = field(default=0, init=False)
    received: int = field(default=0, init=False)
    """Bytes of requests, whole or not."""

    def __post_init__(self) -> None:
        self.port = 0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []

    @property
    def url(self) -> str:
        """The endpoint to send to."""
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}{PATH}"

    @property
    def accepted(self) -> list[Any]:
        """The ids of the events that were stored, in order, repeats included."""
        return [request.event_id for request in list(self.requests) if request.accepted]

    def __enter__(self) -> Self:
        self.come_back()
        return self

    def __exit__(self, *_: object) -> None:
        self.go_down()

    def come_back(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._stopping = threading.Event()
        address, family = ("127.0.0.1", socket.AF_INET)
        if self.host == "[::1]":
            address, family = ("::1", socket.AF_INET6)
        self._listener = socket.create_server((address, self.port), family=family, backlog=512)
        self.port = self._listener.getsockname()[1]
        self._start(self._accept, self._listener)

    def go_down(self) -> None:
        """Refuse new connections and drop the open ones; `come_back` ends it."""
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            still_open = list(self._open)
        for connection in still_open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(2)
        self._threads.clear()

    def _start(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            self._start(self._serve, connection, self.connections)

    def _serve(self, connection: socket.socket, number: int) -> None:
        """Serve one connection to its end; whatever the client does is fine."""
        with self._lock:
            self._open.add(connection)
        stream = connection
        try:
            greeting = self.greeting(number) if self.greeting else None
            if greeting is not None and not self._perform(greeting, stream):
                return
            if self.tls is not None:
                stream = self.tls.wrap_socket(connection, server_side=True)
                with self._lock:
                    self._open.add(stream)
            self._converse(stream, number)
        except OSError:
            pass
        finally:
            with self._lock:
                self._open -= {connection, stream}
            stream.close()

    def _converse(self, stream: socket.socket, connection: int) -> None:
        """Answer the requests of one connection."""
        buffer = b""
        for served in itertools.count(1):
            while b"\r\n\r\n" not in buffer:
                buffer += self._receive(stream)
            head, _, buffer = buffer.partition(b"\r\n\r\n")
            request = self._record(head, connection)
            planned = self._planned(request.number)
            if planned is None or not planned.early:
                length = int(request.headers.get("content-length", 0))
                while len(buffer) < length:
                    buffer += self._receive(stream)
                request.body, buffer = buffer[:length], buffer[length:]
            action = planned or self._decide(request)
            request.action = action.name
            request.accepted = action.accepted
            if not self._perform(action, stream) or served == self.close_every:
                return

    def _receive(self, stream: socket.socket) -> bytes:
        data = stream.recv(65536)
        if not data:
            raise ConnectionError("the client has hung up")
        with self._lock:
            self.received += len(data)
        return data

    def _record(self, head: bytes, connection: int) -> Request:
        """Note a request as soon as its head is there."""
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ", 2)
        pairs = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        with self._lock:
            number = len(self.requests) + 1
            now = time.monotonic()
            request = Request(number, connection, now, method, path, headers, head)
            self.requests.append(request)
        return request

    def _planned(self, number: int) -> Action | None:
        """Give the action that is known before the request is; None when a function decides."""
        if isinstance(self.script, Sequence):
            return self.script[number - 1] if number <= len(self.script) else success()
        return self.script if isinstance(self.script, Action) else None

    def _decide(self, request: Request) -> Action:
        """Ask the script's function."""
        assert callable(self.script)
        return self.script(request.number, request)

    def _perform(self, action: Action, stream: socket.socket) -> bool:
        """Do what the action says; gives whether the connection is still to be used."""
        if action.latency:
            self._stopping.wait(action.latency)
        for piece in action.pieces:
            stream.sendall(piece)
            if action.pause and self._stopping.wait(action.pause):
                return False
        if action.then == "hold":
            while stream.recv(65536):
                pass
        if action.then == "reset":
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return action.then == "keep"

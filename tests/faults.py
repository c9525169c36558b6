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
import http.client
import itertools
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

PATH = "/api/product/aggregateusage"
SUCCESS = b'{"response_code": "200", "response": "Data Uploaded", "status": "success"}'
WRONG_KEY = b'{"response_code": 400, "response": "Authentication Failure", "status": "failure"}'
PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Welcome</body></html>"
JSON_TYPE = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Action:
    """One thing to do: wait `latency` seconds, send `pieces`, repeat `forever` without end.

    `pause` seconds pass after each piece, and after each read of a connection that is held. `then`
    is what becomes of the connection: `keep` it for the next request, `close` it, `reset` it (the
    client gets ECONNRESET), `hold` it open in silence, or join it to a port of this machine, as the
    tunnel of a proxy. `accepted` says that the event was stored, whatever the client gets to hear
    of it. `early`: all this before the body is read.
    """

    name: str
    pieces: Sequence[bytes] = ()
    then: Literal["keep", "close", "reset", "hold"] | int = "keep"
    accepted: bool = False
    latency: float = 0.0
    pause: float = 0.0
    early: bool = False
    forever: Sequence[bytes] = ()


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


def throttled(wait: float) -> Action:
    """Ask to come back after so many seconds."""
    return failure(429, "Slow down", {"Retry-After": str(wait)})


def page(status: int = 200) -> Action:
    """Answer with a web page, as captive portals and proxies do."""
    return answer(status, PAGE, {"Content-Type": "text/html; charset=utf-8"})


def redirect(location: str, status: int = 302) -> Action:
    return answer(status, b"", {"Location": location})


def late(seconds: float, action: Action | None = None) -> Action:
    """Do `action` (success by default) after `seconds`."""
    return replace(action or success(), latency=seconds)


def cut(after: int, status: int = 200, *, accepted: bool = False) -> Action:
    """Hang up after so many bytes of a good answer."""
    whole = response(status, SUCCESS, JSON_TYPE)
    return Action(f"cut after {after}", (whole[:after],), "close", accepted)


def cut_head(*, accepted: bool = False) -> Action:
    """Hang up in the middle of the headers: the trap of reliability.md section 1."""
    return cut(40, accepted=accepted)


def cut_body(status: int = 200, *, accepted: bool = False) -> Action:
    return cut(-20, status, accepted=accepted)


def cut_json(*, accepted: bool = False) -> Action:
    """Send half of the JSON, properly framed: HTTP is content, the answer is not."""
    return replace(answer(200, SUCCESS[:-20], JSON_TYPE, accepted=accepted), name="cut JSON")


def raw(data: bytes, then: Literal["keep", "close", "hold"] = "close") -> Action:
    """Send these bytes, HTTP or not."""
    return Action("raw", (data,), then)


def drip(data: bytes, pause: float = 0.05, *, before: bytes = b"") -> Action:
    """Send `before` at once, then `data` byte by byte, over and over."""
    return Action("drip", (before,), pause=pause, forever=[bytes([each]) for each in data])


def drip_head() -> Action:
    """Start a good answer and never finish its headers."""
    return drip(b"X-Wait: y\r\n", before=b"HTTP/1.1 200 OK\r\n")


def drip_body() -> Action:
    """Promise a long body and send it byte by byte."""
    return drip(b" ", before=head_of(200, {**JSON_TYPE, "Content-Length": "60000"}))


def silence() -> Action:
    """Read the request, and never say a word."""
    return Action("silence", then="hold")


def reset(*, accepted: bool = False) -> Action:
    return Action("reset", then="reset", accepted=accepted)


def hang_up() -> Action:
    """Close the connection without an answer."""
    return Action("hang up", then="close")


def endless(status: int = 200, data: bytes = b"[") -> Action:
    """Answer with a body that has no end: `data` over and over."""
    return Action("endless", (head_of(status, JSON_TYPE),), forever=[data * 100])


def head_of(status: int, headers: dict[str, str] | None = None) -> bytes:
    """Status line and headers, with the empty line that ends them."""
    phrase = http.client.responses.get(status, "Unheard Of")
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{k}: {v}" for k, v in (headers or {}).items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def response(status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
    """A whole answer with a right Content-Length."""
    return head_of(status, {**(headers or {}), "Content-Length": str(len(body))}) + body


@dataclass(slots=True)
class Request:
    """One request as it came, and what was done with it.

    `number` and `connection` count from 1; `at` is monotonic seconds; `line` is the first line of
    it. `body` is empty when it was never read.
    """

    number: int
    connection: int
    at: float
    line: str
    headers: dict[str, str]
    body: bytes = b""
    accepted: bool = False

    @property
    def json(self) -> Any:
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
    a new connection before anything is read. `close_every` hangs up, unannounced, after so many
    requests on a connection. With `tls` it speaks TLS; a failed handshake is no request, the first
    byte after it is. `host` is `127.0.0.1`, `localhost` or `[::1]`.
    """

    script: Script = field(default_factory=success)
    close_every: int = 0
    greeting: Action | None = None
    tls: ssl.SSLContext | None = None
    host: str = "127.0.0.1"

    port: int = field(default=0, init=False)
    requests: list[Request] = field(default_factory=list, init=False)
    connections: int = field(default=0, init=False)
    relayed: bytes = field(default=b"", init=False)
    """What went through tunnels, either way."""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    @property
    def address(self) -> str:
        """Where it listens, as `HOST:PORT`."""
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The endpoint to send to."""
        return f"{'https' if self.tls else 'http'}://{self.address}{PATH}"

    @property
    def accepted(self) -> list[Any]:
        """The ids of the events that were stored, in order, repeats included."""
        return [request.event_id for request in list(self.requests) if request.accepted]

    def come_back(self) -> Self:
        """Listen, on the same port as before if there was one."""
        self._stopping = threading.Event()
        family, host = socket.AF_INET, "127.0.0.1"
        if self.host == "[::1]":
            family, host = socket.AF_INET6, "::1"
        self._listener = socket.create_server((host, self.port), family=family, backlog=512)
        self.port = self._listener.getsockname()[1]
        self._start(self._accept, self._listener)
        return self

    def go_down(self, *_: object) -> None:
        """Refuse new connections and drop the open ones; `come_back` ends it."""
        self._stopping.set()
        for each in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(2)
        self._threads.clear()

    __enter__, __exit__ = come_back, go_down

    def _start(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while not self._stopping.is_set():
                connection, _ = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.connections += 1
                self._start(self._serve, connection, self.connections)

    def _opened(self, stream: socket.socket) -> socket.socket:
        self._open.append(stream)
        return stream

    def _serve(self, stream: socket.socket, number: int) -> None:
        """Serve one connection to its end; whatever the client does is fine."""
        with contextlib.suppress(OSError), self._opened(stream):
            if self.greeting and not self._perform(self.greeting, stream):
                return
            if self.tls is None:
                self._converse(stream, number)
                return
            with self._opened(self.tls.wrap_socket(stream, server_side=True)) as secure:
                self._converse(secure, number)

    def _converse(self, stream: socket.socket, connection: int) -> None:
        """Answer the requests of one connection."""
        with stream.makefile("rb") as file:
            for served in itertools.count(1):
                head = list(itertools.takewhile(bytes.strip, file))
                if not head:
                    return
                request = self._noted(connection, *head)
                action = self._planned(request.number)
                if action is None or not action.early:
                    length = int(request.headers.get("content-length", 0))
                    request.body = file.read(length)
                    if len(request.body) < length:
                        return
                if action is None:
                    assert callable(self.script)
                    action = self.script(request.number, request)
                request.accepted = action.accepted
                if not self._perform(action, stream) or served == self.close_every:
                    return

    def _planned(self, number: int) -> Action | None:
        """Give the action that is known before the request is; None when a function decides."""
        if isinstance(self.script, Sequence):
            return self.script[number - 1] if number <= len(self.script) else success()
        return self.script if isinstance(self.script, Action) else None

    def _noted(self, connection: int, *head: bytes) -> Request:
        """Note a request as soon as its head is there."""
        first, *lines = (line.decode("latin-1").strip() for line in head)
        pairs = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        with self._lock:
            number = len(self.requests) + 1
            self.requests.append(Request(number, connection, time.monotonic(), first, headers))
            return self.requests[-1]

    def _perform(self, action: Action, stream: socket.socket) -> bool:
        """Do what the action says; gives whether the connection is still to be used."""
        self._stopping.wait(action.latency)
        for piece in itertools.chain(action.pieces, itertools.cycle(action.forever)):
            stream.sendall(piece)
            if action.pause and self._stopping.wait(action.pause):
                return False
        if isinstance(action.then, int):
            self._join(stream, action.then)
        if action.then == "hold":
            while stream.recv(65536):
                self._stopping.wait(action.pause)
        if action.then == "reset":
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return action.then == "keep"

    def _join(self, client: socket.socket, port: int) -> None:
        with self._opened(socket.create_connection(("127.0.0.1", port))) as server:
            self._start(self._carry, server, client)
            self._carry(client, server)

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                with self._lock:
                    self.relayed += data
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)

"""A server on the loopback interface that answers like the API: to try reo, for docs and tests.

It knows one path, and answers what the public documentation says. What that leaves open it decides
as follows, and the real API may do otherwise: a wrong or missing key is answered with HTTP 400, the
code inside the documented body; a body that breaks a rule with HTTP 400 and a `failure` that names
every such field; unknown fields are accepted, and so is an `event_id` that came before (counted as
repeated). Its rules are written apart from reo's checks on purpose: they are the second opinion.
"""

import json
import math
import random
import re
import socket
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import SimpleQueue
from socketserver import TCPServer
from typing import Any, NamedTuple

from reo_cli.errors import ExitCode, ReoError, start, system_limit
from reo_cli.text import visible

PATH = "/api/product/aggregateusage"
"""The only path of the API that reo uses."""

MAX_BODY = 1024 * 1024
"""The largest request body in bytes: four times what reo would send."""

_HOST = "127.0.0.1"
_GRACE = 1.0
"""Seconds that answers under way have at the end."""

Payload = dict[str, Any]


@dataclass(frozen=True)
class SandboxOptions:
    """How a sandbox behaves; the defaults accept any key and answer at once.

    `port` 0 takes a free one. `latency` is in seconds, from the end of a request to its answer.
    `fail_rate`, 0 to 1, is the share of requests answered 500, 503 or not at all, the same ones
    for the same `seed`. `rate_limit` is how many are let through in any second. Payloads accepted
    are appended to the file `record`, one a line.
    """

    port: int = 0
    api_key: str | None = None
    latency: float = 0.0
    fail_rate: float = 0.0
    rate_limit: int | None = None
    record: Path | None = None
    seed: int | None = None


class Answer(NamedTuple):
    """What to send back: nothing at all when `status` is 0. `header` is a whole line."""

    kind: str
    status: int
    body: bytes = b""
    problem: str = ""
    header: str = ""


def _failure(kind: str, status: int, problem: str, header: str = "") -> Answer:
    body = {"response_code": status, "response": problem, "status": "failure"}
    return Answer(kind, status, json.dumps(body).encode(), problem, header)


_SUCCESS = {"response_code": "200", "response": "Data Uploaded", "status": "success"}
_ACCEPTED = Answer("accepted", 200, json.dumps(_SUCCESS).encode())
_WRONG_KEY = _failure("authentication", 400, "Authentication Failure")
_NOT_FOUND = _failure("not_found", 404, f"Not Found: events go to {PATH}")
_WRONG_METHOD = _failure("wrong_method", 405, "Method Not Allowed: use POST", "Allow: POST\r\n")
_FAULTS = (
    _failure("failed", 500, "Internal Server Error"),
    _failure("failed", 503, "Service Unavailable"),
    Answer("dropped", 0, problem="dropped without an answer"),
)


class _Handler(BaseHTTPRequestHandler):
    """One connection: requests in, answers out, one write each."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 75.0  # seconds for the next bytes of a request, or for the client to take an answer
    server: "Sandbox"

    def setup(self) -> None:
        super().setup()
        self.server.open.add(self.connection)

    def finish(self) -> None:
        super().finish()
        self.server.open.discard(self.connection)

    def do_POST(self) -> None:
        lengths = self.headers.get_all("Content-Length", ["0"])
        if "Transfer-Encoding" in self.headers:
            return self.send_error(411, "send the body with a Content-Length")
        if len(set(lengths)) > 1 or not re.fullmatch(r"[0-9]{1,18}", lengths[0]):
            return self.send_error(400, "Content-Length is not one number")
        if int(lengths[0]) > MAX_BODY:
            return self.send_error(413, f"the body is larger than {MAX_BODY:,} bytes")
        body = self.rfile.read(int(lengths[0]))
        if len(body) < int(lengths[0]):  # the client has gone
            self.close_connection = True
            return None
        path, key = self.path.partition("?")[0], self.headers.get("X-API-KEY", "").strip(" \t")
        return self._send(self.server.judge(path, key, body))

    def send_error(self, code: int, message: str | None = None, *_: object) -> None:
        """Answer what is no request for an event, and end the connection."""
        self.close_connection = True
        refusal = _failure("malformed", code, message or HTTPStatus(code).phrase)
        if code == HTTPStatus.NOT_IMPLEMENTED:
            refusal = _WRONG_METHOD
        self._send(self.server.settle(refusal, {}, 0))
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(_GRACE)
        for _turn in range(64):  # lest a reset for what is unread overtake the answer
            if not self.connection.recv(65536):
                break

    def _send(self, answer: Answer) -> None:
        self.server.ending.wait(self.server.options.latency)
        if not answer.status:
            self.close_connection = True
            return
        head = (
            f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\n"
            f"Server: reo-sandbox\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(answer.body)}\r\n{answer.header}"
            f"Connection: {'close' if self.close_connection else 'keep-alive'}\r\n\r\n"
        )
        self.wfile.write(head.encode() + (b"" if self.command == "HEAD" else answer.body))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as in the base class
        """Say nothing: the observer of the sandbox is told of each request."""


class Sandbox(ThreadingHTTPServer):
    """A local server that answers like the API; as a context manager it serves, in threads.

    Listens from its construction on, which raises ReoError 73 when the port or the record cannot
    be had. `on_request` is called with a line of text for each request, one at a time. Leaving the
    context raises what ended the serving early (ReoError 74 when the record cannot be written).
    """

    request_queue_size = 512
    server_bind = TCPServer.server_bind  # that of HTTPServer looks a name up

    def __init__(
        self,
        options: SandboxOptions | None = None,
        on_request: Callable[[str], None] | None = None,
    ) -> None:
        self.options = options or SandboxOptions()
        self.open: set[socket.socket] = set()
        self.ending = threading.Event()
        self._on_request = on_request
        self._lock = threading.Lock()
        self._passed = deque[float](maxlen=self.options.rate_limit or 0)
        self._random = random.Random(self.options.seed).random  # noqa: S311 - no secret
        self._kinds = Counter[str]()
        self._ids: set[int] = set()
        self._repeated = 0
        self._failure: BaseException | None = None
        self._stops = SimpleQueue[None]()  # its `put` is allowed in a signal handler
        record, port = self.options.record, self.options.port
        with _needed("record_not_writable", f"cannot write the record `{record}`", _RECORD_HINT):
            self._record = record.open("ab", buffering=0) if record else None
        with _needed("port_not_available", f"cannot listen on port {port}", _PORT_HINT):
            super().__init__((_HOST, port), _Handler)
        self.url = f"http://{_HOST}:{self.server_address[1]}{PATH}"
        """The endpoint to send events to."""

    def __enter__(self) -> "Sandbox":
        start(threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True))
        return self

    def __exit__(self, *raised: object) -> None:
        """Answer what has come, and close everything."""
        self.shutdown()
        self.ending.set()
        for connection in list(self.open):
            with suppress(OSError):  # the client was faster
                connection.shutdown(socket.SHUT_RD)
        deadline = time.monotonic() + _GRACE
        while self.open and time.monotonic() < deadline:
            time.sleep(0.001)
        self.server_close()
        if self._record:
            self._record.close()
        if self._failure and not raised[0]:
            raise self._failure

    def stop(self) -> None:
        """Have `wait` return; for any thread and for signal handlers."""
        self._stops.put(None)

    def wait(self) -> None:
        """Return at `stop`, or when the serving has failed."""
        self._stops.get()

    def handle_error(self, *_: object) -> None:
        """End with what went wrong, unless a client has gone or no thread is left for another."""
        error = sys.exc_info()[1]
        if error and not isinstance(error, OSError) and not system_limit(error):
            self._failure = self._failure or error
            self.stop()

    @property
    def totals(self) -> dict[str, Any]:
        """Counts since the start: `requests` is `accepted` and all of `refused` (by kind)."""
        with self._lock:
            return {
                "requests": self._kinds.total(),
                "accepted": self._kinds["accepted"],
                "distinct_event_ids": len(self._ids),
                "repeated_event_ids": self._repeated,
                "refused": {kind: n for kind, n in self._kinds.items() if kind != "accepted"},
            }

    def judge(self, path: str, key: str, body: bytes) -> Answer:
        """Answer a POST, and keep what is accepted."""
        if path != PATH:
            return self.settle(_NOT_FOUND, {}, len(body))
        payload, line, problem = read(body)
        with self._lock:
            answer = self._obstacle(key) or (_failure("invalid", 400, problem) if problem else None)
            if answer is None:
                self._keep(line)
        return self.settle(answer or _ACCEPTED, payload, len(body))

    def settle(self, answer: Answer, payload: Payload, size: int) -> Answer:
        """Count an answer to a body of `size` bytes, and tell the observer."""
        event_id, activity = payload.get("event_id"), payload.get("activity_type")
        with self._lock:
            self._kinds[answer.kind] += 1
            if answer is _ACCEPTED and event_id is not None:
                known = hash(str(event_id))  # 64 bits: a third of the memory of the text
                self._repeated += known in self._ids
                self._ids.add(known)
            if self._on_request:
                self._on_request(
                    f"{answer.status or '---'} {_shown(event_id, str | int)}"
                    f" {_shown(activity, str)} {size:,} bytes"
                    + (f": {visible(answer.problem)}" if answer.problem else "")
                )
        return answer

    def _obstacle(self, key: str) -> Answer | None:
        """Return the answer that does not depend on the body, if there is one."""
        wanted, share = (self.options.api_key or "").strip(" \t"), self.options.fail_rate
        if not key or (wanted and key.encode("latin-1") != wanted.encode()):
            return _WRONG_KEY
        if self.options.rate_limit and (wait := seconds_to_wait(self._passed, time.monotonic())):
            header = f"Retry-After: {math.ceil(wait)}\r\n"
            return _failure("rate_limited", 429, "Too Many Requests", header)
        if share and (chosen := self._random()) < share:
            return _FAULTS[int(chosen / share * len(_FAULTS))]
        return None

    def _keep(self, line: bytes) -> None:
        """Append a line to the record, unbuffered, so that not even a kill loses it."""
        if self._failure:
            raise self._failure
        try:
            while self._record and line:
                line = line[self._record.write(line) :]
        except OSError as error:
            message = f"writing `{self.options.record}` failed: {error.strerror}"
            self._failure = ReoError(ExitCode.IO, "record_failed", message)
            raise self._failure from None


_RECORD_HINT = "`--record` takes a file in a folder that exists and can be written to"
_PORT_HINT = "`--port 0` takes a free one"


@contextmanager
def _needed(reason: str, message: str, hint: str) -> Iterator[None]:
    """Raise ReoError 73 for what cannot be had."""
    try:
        yield
    except OSError as error:
        message = f"{message}: {error.strerror}"
        raise ReoError(ExitCode.CANT_CREATE, reason, message, hint) from None


def seconds_to_wait(passed: "deque[float]", now: float) -> float:
    """Return 0 and let a request through, or the seconds until the next one may pass.

    `passed` holds the times of the last requests let through, and as many as may pass a second.
    """
    if len(passed) == passed.maxlen and now < passed[0] + 1.0:
        return passed[0] + 1.0 - now
    passed.append(now)
    return 0.0


def read(body: bytes) -> tuple[Payload, bytes, str]:
    """Return the payload of a body, the same as a line of JSON, and what is wrong; never raises."""
    try:
        value = _decode(body.decode())
        payload = value.get("payload") if isinstance(value, dict) else None
        line = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    except (ValueError, RecursionError) as error:
        return {}, b"", f"the body is not JSON: {error}"
    if not isinstance(payload, dict):
        return {}, b"", 'the body must be {"payload": {...}}'
    # Half of a surrogate pair becomes an escape, which JSON has too.
    return payload, line.encode(errors="backslashreplace") + b"\n", "; ".join(_problems(payload))


def _problems(payload: Payload) -> Iterator[str]:
    for field, (holds, demand) in _RULES.items():
        value = payload.get(field)
        if value is None and field in _REQUIRED:
            yield f"{field} is missing"
        elif value is not None and not holds(value):
            yield f"{field} must be {demand}"
    if not any(_is_filled(payload.get(name)) for name in ("ip_addr", "domain")):
        yield "ip_addr or domain is missing"


def _is_filled(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_integer(value: object) -> bool:
    return type(value) is int  # a boolean is an int to isinstance


_Rule = tuple[Callable[[Any], bool], str]
_TEXT: _Rule = (lambda value: isinstance(value, str), "a string")
_NAME: _Rule = (_is_filled, "a non-empty string")
_REQUIRED = ("mode", "source", "activity_type", "count", "event_at", "product_id")
_RULES: dict[str, _Rule] = {
    "mode": (("DOMAIN", "USER").__contains__, "DOMAIN"),
    "source": (("TELEMETRY", "PRODUCT_CLOUD").__contains__, "TELEMETRY"),
    "activity_type": _NAME,
    "environment": _TEXT,
    "count": (lambda value: _is_integer(value) and value >= 0, "an integer from 0"),
    "ip_addr": _TEXT,
    "domain": _TEXT,
    "event_id": (lambda value: type(value) in (str, int), "a string or an integer"),
    "event_at": (_is_integer, "an integer: epoch seconds"),
    "product_id": _NAME,
    "user_agent": _TEXT,
    "meta": (lambda value: isinstance(value, dict), "an object"),
}


def _finite(text: str) -> float:
    number = float(text)  # `float("NaN")` too: JSON has no such number
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is out of range")
    return number


_decode = json.JSONDecoder(parse_float=_finite, parse_constant=_finite).decode


def _shown(value: object, kind: Any) -> str:
    return visible(str(value) or "-", limit=64) if isinstance(value, kind) else "-"

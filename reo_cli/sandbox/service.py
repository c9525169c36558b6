"""Requests → answers: the key, the faults asked for, the rules, the record and the totals.

Knows neither sockets nor clocks (the time is an argument). `server` gives it requests one after
the other; only `totals` is called from other threads.
"""

import json
import math
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Any, Literal, NamedTuple

from reo_cli.errors import ExitCode, ReoError
from reo_cli.sandbox import rules
from reo_cli.sandbox.protocol import ProtocolError, Request

PATH = "/api/product/aggregateusage"
"""The only path of the API that reo uses (api.md)."""

Kind = Literal[
    "accepted",
    "authentication",
    "invalid",
    "rate_limited",
    "failed",
    "dropped",
    "not_found",
    "wrong_method",
    "malformed",
]
"""What became of a request; all but `accepted` are kinds of refusal."""


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


class RequestLine(NamedTuple):
    """One request as told to an observer; `status` is 0 when it was given no answer.

    `size` is that of the body in bytes. `event_id` and `activity_type` are foreign text, None when
    they could not be read. `problem` is empty for what was accepted.
    """

    status: int
    kind: Kind
    event_id: str | int | None
    activity_type: str | None
    size: int
    problem: str


@dataclass(frozen=True)
class Totals:
    """Counts since the start; `requests` is `accepted` and all of `refused` (by kind) together.

    `distinct_ids` and `repeated_ids` are about accepted events that have an `event_id`.
    """

    requests: int = 0
    accepted: int = 0
    distinct_ids: int = 0
    repeated_ids: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)


class Answer(NamedTuple):
    """What to send back; nothing at all when `status` is 0. `headers` are whole lines with CRLF."""

    kind: Kind
    status: int
    body: bytes
    headers: str = ""
    problem: str = ""


def _failure(kind: Kind, status: int, problem: str, headers: str = "") -> Answer:
    text = {"response_code": status, "response": problem, "status": "failure"}
    return Answer(kind, status, json.dumps(text).encode(), headers, problem)


_SUCCESS = {"response_code": "200", "response": "Data Uploaded", "status": "success"}
_ACCEPTED = Answer("accepted", 200, json.dumps(_SUCCESS).encode())
_WRONG_KEY = _failure("authentication", 400, "Authentication Failure")
_NOT_FOUND = _failure("not_found", 404, f"Not Found: events go to {PATH}")
_WRONG_METHOD = _failure("wrong_method", 405, "Method Not Allowed: use POST", "Allow: POST\r\n")
_TOO_DEEP = _failure("invalid", 400, "the payload is nested too deeply")
_FAULTS = (
    _failure("failed", 500, "Internal Server Error"),
    _failure("failed", 503, "Service Unavailable"),
    Answer("dropped", 0, b"", "", "dropped without an answer"),
)
TOO_MANY_CONNECTIONS = _failure("failed", 503, "Too many connections")


class RateLimit:
    """Lets at most `per_second` requests through in any second, wherever it begins."""

    def __init__(self, per_second: int) -> None:
        self._passed: deque[float] = deque(maxlen=per_second)

    def wait(self, now: float) -> float:
        """Return 0 and let the request through, or the seconds until the next one may pass."""
        passed = self._passed
        if len(passed) == passed.maxlen and now < passed[0] + 1.0:
            return passed[0] + 1.0 - now
        passed.append(now)
        return 0.0


class Faults:
    """Chooses the requests that fail, and how."""

    def __init__(self, rate: float, seed: int | None) -> None:
        import random  # 8 ms, needed by few

        self._rate = rate
        self._random = random.Random(seed).random  # noqa: S311 (no secret depends on it)

    def next(self) -> Answer | None:
        """Return the fault of the next request, or None."""
        chosen = self._random()
        return _FAULTS[int(chosen / self._rate * len(_FAULTS))] if chosen < self._rate else None


class Record:
    """The file of accepted payloads: each is in it before its answer is sent."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = FileIO(path, "a")
        except OSError as error:
            raise ReoError(
                ExitCode.CANT_CREATE,
                "record_not_writable",
                f"cannot write the record `{path}`: {error.strerror}",
                "`--record` takes a file in a folder that exists and can be written to",
            ) from None

    def write(self, line: bytes) -> None:
        """Append `line`, unbuffered, so that not even a kill loses it."""
        try:
            while line:
                line = line[self._file.write(line) :]
        except OSError as error:
            raise ReoError(
                ExitCode.IO, "record_failed", f"writing `{self._path}` failed: {error.strerror}"
            ) from None

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Service:
    """The API's answers, one request after the other."""

    def __init__(
        self, options: SandboxOptions, on_request: Callable[[RequestLine], None] | None = None
    ) -> None:
        self._key = None if options.api_key is None else options.api_key.encode()
        self._limit = RateLimit(options.rate_limit) if options.rate_limit else None
        self._faults = Faults(options.fail_rate, options.seed) if options.fail_rate else None
        self._record = Record(options.record) if options.record else None
        self._on_request = on_request
        self._lock = threading.Lock()
        self._kinds: Counter[Kind] = Counter()
        self._ids: set[int] = set()
        self._repeated = 0

    def answer(self, request: Request, now: float) -> Answer:
        """Answer a request that came at `now`, in seconds of a monotonic clock."""
        head, body = request
        if head.path != PATH.encode():
            return self._settle(_NOT_FOUND, {}, len(body))
        if head.method != b"POST":
            return self._settle(_WRONG_METHOD, {}, len(body))
        payload, problem = rules.read(body)
        answer = self._obstacle(head.key, now) or self._judge(payload, problem)
        return self._settle(answer, payload, len(body))

    def refuse(self, error: ProtocolError) -> Answer:
        """Answer what is no request."""
        return self._settle(_failure("malformed", error.status, str(error)), {}, 0)

    @property
    def totals(self) -> Totals:
        """The counts at this moment; may be asked for from any thread."""
        with self._lock:
            return Totals(
                requests=self._kinds.total(),
                accepted=self._kinds["accepted"],
                distinct_ids=len(self._ids),
                repeated_ids=self._repeated,
                refused={kind: times for kind, times in self._kinds.items() if kind != "accepted"},
            )

    def close(self) -> None:
        """Close the record."""
        if self._record:
            self._record.close()

    def _obstacle(self, key: bytes, now: float) -> Answer | None:
        """Return the answer that does not depend on the body, if there is one."""
        if not key if self._key is None else key != self._key:
            return _WRONG_KEY
        if self._limit and (wait := self._limit.wait(now)):
            headers = f"Retry-After: {math.ceil(wait)}\r\n"
            return _failure("rate_limited", 429, "Too Many Requests", headers)
        return self._faults.next() if self._faults else None

    def _judge(self, payload: dict[str, Any], problem: str) -> Answer:
        if problem:
            return _failure("invalid", 400, problem)
        if self._record:
            try:
                line = rules.encode(payload)
            except RecursionError:
                return _TOO_DEEP
            self._record.write(line)
        return _ACCEPTED

    def _settle(self, answer: Answer, payload: dict[str, Any], size: int) -> Answer:
        event_id = payload.get("event_id")
        with self._lock:
            self._kinds[answer.kind] += 1
            if answer is _ACCEPTED and event_id is not None:
                self._remember(event_id)
        if self._on_request:
            activity = payload.get("activity_type")
            self._on_request(
                RequestLine(
                    answer.status,
                    answer.kind,
                    event_id if isinstance(event_id, str | int) else None,
                    activity if isinstance(activity, str) else None,
                    size,
                    answer.problem,
                )
            )
        return answer

    def _remember(self, event_id: str | int) -> None:
        """Count the id, as text; 64 bits of it are kept, a third of the memory."""
        known = hash(str(event_id))
        if known in self._ids:
            self._repeated += 1
        else:
            self._ids.add(known)

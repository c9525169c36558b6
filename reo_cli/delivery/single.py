"""`send`: one event from flags and JSON → one `SendResult`.

The same record, check, identity and outcome as in a run over files, but one connection and no
threads, and every attempt counts: a person waits for the answer.
"""

import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from reo_cli.checks.checker import Checker
from reo_cli.client import Target
from reo_cli.client.outcome import Outcome, Verdict
from reo_cli.delivery.body import request_body
from reo_cli.delivery.identity import content_digest, subject_of
from reo_cli.delivery.pace import CAP_ONE, LONGEST_WAIT, Random, delay
from reo_cli.delivery.stops import asked_to_come_back, date, fatal, other_key, timed_out
from reo_cli.delivery.summary import SendResult
from reo_cli.errors import ExitCode, ReoError
from reo_cli.events import Event, Rules
from reo_cli.records import Record

if TYPE_CHECKING:
    from reo_cli.client.connection import Connection
    from reo_cli.delivery.ledger import Account, Ledger


@dataclass(frozen=True)
class SingleOrder:
    """What `send` is asked to do; `target` None is a dry run. Times are in seconds.

    `started` is the process's start in monotonic seconds. `memory` is the ledger's part; it is
    used only for an event that brings its own `event_id`. `hints` say what to do about a required
    field that is missing, `connect` lends a connection in place of one for this event only.
    """

    record: Record
    rules: Rules
    endpoint: str
    endpoint_source: str
    target: Target | None
    retries: int
    max_time: float | None
    started: float
    memory: "OneMemory"
    hints: Mapping[str, str]
    connect: "Callable[[Target], AbstractContextManager[Connection]] | None" = None


@dataclass(frozen=True)
class Watch:
    """Told of each attempt, and of each wait in words."""

    attempted: Callable[[str | int, int, Outcome], None]
    waiting: Callable[[str], None]


FLAGS = {
    "activity_type": "give it with -a, or once and for all with REO_ACTIVITY_TYPE",
    "count": "give it with -n",
    "product_id": "give it with -p, or once and for all with REO_PRODUCT_ID",
}
"""What to do about a required field that is missing."""


def send(order: SingleOrder, watch: Watch, random: Random) -> SendResult:
    """Send one event; what goes wrong is in the result, never raised. Only bugs raise."""
    result = SendResult(
        *("failed", ExitCode.OK), endpoint=order.endpoint, endpoint_source=order.endpoint_source
    )
    event, issues = Checker(order.rules, order.hints).check(order.record)
    if event is None:
        return replace(
            result,
            status="invalid",
            exit_code=ExitCode.INVALID,
            event_id=_given_id(order.record),
            payload=_given(order.record),
            issues=issues,
            elapsed_ms=_elapsed_ms(order),
        )
    event_id = event.event_id if event.event_id is not None else uuid.uuid4().hex
    payload = {"event_id": event_id} | {k: v for k, v in event.payload.items() if k != "event_id"}
    result = replace(result, event_id=event_id, payload=payload, issues=issues)
    single = _Single(order, watch, random, event, result)
    try:
        return single.go()
    except ReoError as fault:
        return single.stopped(fault)
    finally:
        order.memory.close()


def _given(record: Record) -> dict[str, object] | None:
    """Return the fields of an event that is not valid as they were given."""
    if record.fields is None:
        return None
    meta = record.fields.get("meta")
    whole = {**(meta if isinstance(meta, dict) else {}), **record.meta}
    return {**record.fields, **({"meta": whole} if whole else {})}


def _given_id(record: Record) -> str | int | None:
    found = (record.fields or {}).get("event_id")
    return found if isinstance(found, str | int) else None


class OneMemory:
    """The ledger for one event, opened when it is needed; `path` None remembers nothing."""

    def __init__(
        self, path: Callable[[], Path | None], endpoint: str, key: str | None, account: str | None
    ) -> None:
        self._path = path
        self._who = (endpoint, key, account)
        self._ledger: Ledger | None = None
        self._account: Account | None = None

    def knows(self, event: Event) -> bool:
        """Tell whether the event was delivered before.

        Raises ReoError: 65 when it has changed since, 78 when another key has delivered it, 73 to
        75 for the ledger.
        """
        from reo_cli.delivery.ledger import Account, Ledger

        path = self._path()
        if path is None or event.event_id is None:
            return False
        self._ledger = Ledger.open(path)
        self._account = Account(self._ledger, *self._who)
        known = self._account.find(event.event_id)
        if known is None:
            other = self._account.find_elsewhere(event.event_id)
            if other is not None:
                raise other_key(f"event_id {event.event_id}", other.delivered_at)
            return False
        if not known.is_same(content_digest(event, b"")):
            message = f"the event has changed since it was delivered on {date(known.delivered_at)}"
            hint = "give it another event_id, or send it with send-file --on-change send"
            raise ReoError(ExitCode.INVALID, "changed", message, hint)
        return True

    def close(self) -> None:
        """Close the ledger, if it was opened."""
        if self._ledger is not None:
            self._ledger.close()

    def record(self, event: Event) -> None:
        """Remember that the event has been delivered; raises ReoError 74 or 75."""
        from reo_cli.delivery.ledger import Acknowledged

        if self._account is not None and event.event_id is not None:
            content = content_digest(event, b"")
            subject, count = subject_of(event.payload), event.payload["count"]
            done = Acknowledged(event.event_id, content, time.time(), subject, count)
            self._account.record([done])


class _Single:
    def __init__(
        self, order: SingleOrder, watch: Watch, random: Random, event: Event, result: SendResult
    ) -> None:
        self._order = order
        self._watch = watch
        self._random = random
        self._event = event
        self._result = result
        self._attempts = 0
        self._not_sent = 0
        self._last: Outcome | None = None

    def go(self) -> SendResult:
        """Ask the ledger, send, tell the ledger; raises ReoError for what stops it."""
        order, event = self._order, self._event
        if order.target is None:
            return self._end("dry_run", ExitCode.OK)
        if event.event_id is not None and order.memory.knows(event):
            return self._end("already_delivered", ExitCode.OK)
        outcome = self._attempt_all(order.target)
        if outcome.verdict is Verdict.DELIVERED:
            return self._recorded(event)
        if outcome.verdict is Verdict.REJECTED:
            hint = outcome.hint or "change the data: the API will refuse it again"
            return self._end("rejected", ExitCode.DATA, outcome.reason, hint)
        if outcome.verdict is Verdict.TRANSIENT:
            hint = outcome.hint or self._again()
            return self._end("errored", ExitCode.UNAVAILABLE, outcome.reason, hint)
        return self.stopped(fatal(outcome.verdict, outcome))

    def _recorded(self, event: Event) -> SendResult:
        """Remember a delivery; that it can't be does not undo it."""
        try:
            if event.event_id is not None:
                self._order.memory.record(event)
        except ReoError as fault:
            message = f"the event was delivered, but that could not be recorded: {fault.message}"
            hint = "a second send of it would not know"
            error = ReoError(fault.exit_code, fault.reason, message, hint)
            return replace(self._end("delivered", fault.exit_code), error=error)
        return self._end("delivered", ExitCode.OK)

    def stopped(self, error: ReoError) -> SendResult:
        """Return the result of a run that was stopped."""
        status = "invalid" if error.exit_code is ExitCode.INVALID else "failed"
        if self._attempts and error.reason in ("max_time", "interrupted", "retry_after"):
            error = error.changed(hint="; ".join(filter(None, (error.hint, self._again()))))
        return replace(self._end(status, error.exit_code), error=error)

    def _attempt_all(self, target: Target) -> Outcome:
        """Make attempts until one is definite or they are used up; raises ReoError 75."""
        from reo_cli.client.connection import Connection

        body = request_body(self._result.event_id or "", self._event.content)
        lend = self._order.connect
        with lend(target) if lend else closing(Connection(target)) as connection:
            return self._attempts_on(connection, body, target.timeout)

    def _attempts_on(self, connection: "Connection", body: bytes, timeout: float) -> Outcome:
        while True:
            left = self._time_left(timeout)
            self._attempts += 1
            outcome = connection.attempt(body, left)
            self._last = outcome
            self._not_sent += outcome.unreachable
            self._watch.attempted(self._result.event_id or "", self._attempts, outcome)
            if outcome.verdict is not Verdict.TRANSIENT:
                return outcome
            if self._is_over() and self._order.max_time is not None:
                raise self._timed_out(self._order.max_time)
            if self._attempts > self._order.retries:
                return outcome
            self._wait(outcome)

    def _time_left(self, timeout: float) -> float:
        """Return the seconds that an attempt may take; raises ReoError 75 when there are none."""
        most = self._order.max_time
        if most is None:
            return timeout
        left = self._order.started + most - time.monotonic()
        if left <= 0:
            raise self._timed_out(most)
        return min(timeout, left)

    def _timed_out(self, most: float) -> ReoError:
        return timed_out(most, self._last.reason if self._last else "", hint="")

    def _is_over(self) -> bool:
        most = self._order.max_time
        return most is not None and time.monotonic() - self._order.started >= most

    def _wait(self, outcome: Outcome) -> None:
        asked = outcome.retry_after
        if asked is not None and asked > LONGEST_WAIT:
            raise asked_to_come_back(asked)
        jitter = delay(self._attempts, self._random, throttled=outcome.throttled, cap=CAP_ONE)
        wait = max(jitter, asked or 0.0)
        most = self._order.max_time
        if most is not None and time.monotonic() + wait - self._order.started >= most:
            raise self._timed_out(most)
        self._watch.waiting(f"{outcome.reason}: trying again in {wait:.1f} s")
        time.sleep(wait)

    def _end(self, status: str, code: ExitCode, reason: str = "", hint: str = "") -> SendResult:
        last = self._last
        error = (
            ReoError(code, status, f"the event was {status}: {reason}", hint) if reason else None
        )
        return replace(
            self._result,
            status=status,
            exit_code=code,
            http_status=last.http_status if last else None,
            response=last.response if last else None,
            attempts=self._attempts,
            elapsed_ms=_elapsed_ms(self._order),
            error=error,
        )

    def _again(self) -> str:
        """Say how to send the same event again, also where its id was not the user's."""
        if self._event.event_id is not None or self._attempts == self._not_sent:
            return "run it again later"
        given = f"--event-id {self._result.event_id} --event-at {self._event.payload['event_at']}"
        return f"it may have arrived: to send the same event later, add {given}"


def _elapsed_ms(order: SingleOrder) -> int:
    return round((time.monotonic() - order.started) * 1000)

"""`send`: one event from flags and JSON → one `SendResult`.

The same record, check, identity and outcome as in a run over files, but one connection and no
threads, and every attempt counts: a person waits for the answer.
"""

import math
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from reo_cli.checks.checker import Checker
from reo_cli.client import Target
from reo_cli.client.outcome import Outcome, Verdict
from reo_cli.delivery.identity import content_digest, request_body, subject_of
from reo_cli.delivery.pace import CAP_ONE, LONGEST_WAIT, delay
from reo_cli.delivery.stops import asked_to_come_back, date, fatal, other_key, timed_out
from reo_cli.delivery.summary import SendResult
from reo_cli.errors import ExitCode, ReoError
from reo_cli.events import Event, Rules
from reo_cli.records import Record

if TYPE_CHECKING:
    from reo_cli.client.connection import Connection
    from reo_cli.delivery.ledger import Account


@dataclass(frozen=True, kw_only=True)
class SingleOrder:
    """What `send` is asked to do; `target` None is a dry run. Times are in seconds.

    `started` is the process's start in monotonic seconds. `ledger` gives the path of the ledger,
    None to remember nothing; it is asked only for an event that brings its own `event_id`. `hints`
    say what to do about a required field that is missing, `connect` lends a connection in place of
    one for this event only. `attempted` is told of each attempt, `waiting` of each wait in words.
    """

    record: Record
    rules: Rules
    endpoint: str
    endpoint_source: str = ""
    target: Target | None = None
    retries: int
    max_time: float | None = None
    started: float
    ledger: Callable[[], Path | None]
    account: str | None = None
    hints: Mapping[str, str]
    attempted: Callable[[str | int, int, Outcome], None]
    waiting: Callable[[str], None]
    connect: "Callable[[Target], AbstractContextManager[Connection]] | None" = None


FLAGS = {
    "activity_type": "give it with -a, or once and for all with REO_ACTIVITY_TYPE",
    "count": "give it with -n",
    "product_id": "give it with -p, or once and for all with REO_PRODUCT_ID",
}
"""What to do about a required field that is missing."""

CHANGE_IT = "change the data: the API will refuse it again"


def send(order: SingleOrder) -> SendResult:
    """Send one event; what goes wrong is in the result, never raised. Only bugs raise."""
    event, issues = Checker(order.rules, order.hints).check(order.record)
    result = SendResult(
        *("invalid", ExitCode.INVALID, *_given(order.record)),
        endpoint=order.endpoint,
        endpoint_source=order.endpoint_source,
        issues=issues,
    )
    if event is None:
        return replace(result, elapsed_ms=_elapsed_ms(order))
    event_id = event.event_id if event.event_id is not None else uuid.uuid4().hex
    payload = {"event_id": event_id} | {k: v for k, v in event.payload.items() if k != "event_id"}
    single = _Single(order, event, replace(result, event_id=event_id, payload=payload))
    with ExitStack() as stack:
        try:
            return single.go(stack)
        except ReoError as fault:
            return single.stopped(fault)


def _given(record: Record) -> tuple[str | int | None, dict[str, object] | None]:
    """Return id and fields of an event as they were given."""
    if record.fields is None:
        return None, None
    event_id, meta = record.fields.get("event_id"), record.fields.get("meta")
    whole = {**(meta if isinstance(meta, dict) else {}), **record.meta}
    fields = {**record.fields, **({"meta": whole} if whole else {})}
    return event_id if isinstance(event_id, str | int) else None, fields


class _Single:
    """One event on its way: the attempts so far, and the result in the making."""

    def __init__(self, order: SingleOrder, event: Event, result: SendResult) -> None:
        self._order = order
        self._event = event
        self._result = result
        self._account: Account | None = None
        self._attempts = self._not_sent = 0
        self._last: Outcome | None = None

    def go(self, stack: ExitStack) -> SendResult:
        """Ask the ledger, send, tell the ledger; raises ReoError for what stops it."""
        target = self._order.target
        if target is None:
            return self._end("dry_run")
        if self._is_known(target, stack):
            return self._end("already_delivered")
        outcome = self._attempt_all(target)
        if outcome.verdict is Verdict.DELIVERED:
            return self._end("delivered", self._unrecorded())
        if outcome.verdict is Verdict.REJECTED:
            status, code, hint = "rejected", ExitCode.DATA, CHANGE_IT
        elif outcome.verdict is Verdict.TRANSIENT:
            status, code, hint = "errored", ExitCode.UNAVAILABLE, self._again()
        else:
            raise fatal(outcome.verdict, outcome)
        message = f"the event was {status}: {outcome.reason}"
        return self._end(status, ReoError(code, status, message, outcome.hint or hint))

    def stopped(self, error: ReoError) -> SendResult:
        """Return the result of a run that was stopped."""
        status = "invalid" if error.exit_code is ExitCode.INVALID else "failed"
        if self._attempts and error.reason in ("max_time", "interrupted", "retry_after"):
            error = error.changed(hint="; ".join(filter(None, (error.hint, self._again()))))
        return self._end(status, error)

    def _end(self, status: str, error: ReoError | None = None) -> SendResult:
        last = self._last
        return replace(
            self._result,
            status=status,
            exit_code=error.exit_code if error else ExitCode.OK,
            http_status=last.http_status if last else None,
            response=last.response if last else None,
            attempts=self._attempts,
            elapsed_ms=_elapsed_ms(self._order),
            error=error,
        )

    def _is_known(self, target: Target, stack: ExitStack) -> bool:
        """Tell whether the event was delivered before.

        Raises ReoError: 65 when it has changed since, 78 when another key has delivered it, 73 to
        75 for the ledger.
        """
        event_id = self._event.event_id
        path = None if event_id is None else self._order.ledger()
        if event_id is None or path is None:
            return False
        from reo_cli.delivery.ledger import Account, Ledger

        ledger = stack.enter_context(Ledger.open(path))
        order = self._order
        self._account = Account(ledger, order.endpoint, target.key, order.account)
        known = self._account.find(event_id)
        if known is not None and not known.is_same(content_digest(self._event, b"")):
            message = f"the event has changed since it was delivered on {date(known.delivered_at)}"
            hint = "give it another event_id, or send it with send-file --on-change send"
            raise ReoError(ExitCode.INVALID, "changed", message, hint)
        other = None if known else self._account.find_elsewhere(event_id)
        if other is not None:
            raise other_key(f"event_id {event_id}", other.delivered_at)
        return known is not None

    def _unrecorded(self) -> ReoError | None:
        """Remember a delivery; return why it can't be, which does not undo it."""
        event = self._event
        if self._account is None or event.event_id is None:
            return None
        from reo_cli.delivery.ledger import Acknowledged

        subject, content = subject_of(event.payload), content_digest(event, b"")
        row = (event.event_id, content, time.time(), subject, event.payload["count"])
        try:
            self._account.record([Acknowledged(*row)])
        except ReoError as fault:
            message = f"the event was delivered, but that could not be recorded: {fault.message}"
            return fault.changed(message=message, hint="a second send of it would not know")
        return None

    def _attempt_all(self, target: Target) -> Outcome:
        """Make attempts until one is definite or they are used up; raises ReoError 75."""
        from reo_cli.client.connection import Connection

        order, event_id = self._order, self._result.event_id or ""
        body = request_body(event_id, self._event.content)
        lend = order.connect
        with lend(target) if lend else closing(Connection(target)) as connection:
            while True:
                left = self._time_left()
                self._attempts += 1
                outcome = self._last = connection.attempt(body, min(target.timeout, left))
                self._not_sent += outcome.unreachable
                order.attempted(event_id, self._attempts, outcome)
                if outcome.verdict is not Verdict.TRANSIENT:
                    return outcome
                self._time_left()
                if self._attempts > order.retries:
                    return outcome
                self._wait(outcome)

    def _time_left(self, wait: float = 0.0) -> float:
        """Return the seconds left after a wait; raises ReoError 75 when there are none."""
        most = self._order.max_time
        if most is None:
            return math.inf
        left = self._order.started + most - time.monotonic() - wait
        if left <= 0:
            raise timed_out(most, self._last.reason if self._last else "", hint="")
        return left

    def _wait(self, outcome: Outcome) -> None:
        import random

        asked = outcome.retry_after or 0.0
        if asked > LONGEST_WAIT:
            raise asked_to_come_back(asked)
        jitter = delay(self._attempts, random.random, throttled=outcome.throttled, cap=CAP_ONE)
        wait = max(jitter, asked)
        self._time_left(wait)
        self._order.waiting(f"{outcome.reason}: trying again in {wait:.1f} s")
        time.sleep(wait)

    def _again(self) -> str:
        """Say how to send the same event again, also where its id was not the user's."""
        if self._event.event_id is not None or self._attempts == self._not_sent:
            return "run it again later"
        given = f"--event-id {self._result.event_id} --event-at {self._event.payload['event_at']}"
        return f"it may have arrived: to send the same event later, add {given}"


def _elapsed_ms(order: SingleOrder) -> int:
    return round((time.monotonic() - order.started) * 1000)

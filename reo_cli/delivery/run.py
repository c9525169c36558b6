"""`send-file`, whole: open, lock, check all, send, and always a `Summary`.

Regular files are read twice: once to their ends, so that an error in the last line is known before
the first request, and once to send. A pipe is checked as it flows.
"""

import math
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack, closing
from functools import partial

from reo_cli.checks.checker import Checker
from reo_cli.checks.issues import IssueLog
from reo_cli.checks.rollup import RolledUp, RollUp
from reo_cli.client import Target
from reo_cli.client.workers import Workers
from reo_cli.delivery import opening, stops
from reo_cli.delivery.book import Book, Listener
from reo_cli.delivery.decide import Decider, Input, Job
from reo_cli.delivery.dispatch import Dispatcher
from reo_cli.delivery.folders import allow_open_files
from reo_cli.delivery.intake import AT_ONCE, Intake
from reo_cli.delivery.ledger import Account, Ledger
from reo_cli.delivery.ledger.admin import tidy
from reo_cli.delivery.opening import Order
from reo_cli.delivery.progress import Meter
from reo_cli.delivery.rejects import Rejects
from reo_cli.delivery.replaced import Watch
from reo_cli.delivery.signals import Signals
from reo_cli.delivery.summary import Counts, InputSummary, LedgerSummary, Summary, sum_of
from reo_cli.errors import ReoError, system_limit
from reo_cli.readers.source import Source, share_read
from reo_cli.records import Issue

EARLY = ("max_time", "gave_up", "interrupted", "retry_after")
"""What ends a run before its end though nothing is wrong with what it sends."""

HOPELESS = ("invalid_input", "replaced", "all_rejected", "delivered_under_another_key")
"""Why the same command, run again, would stop in the same place."""

TOO_LITTLE_TIME = "the check alone takes that long: no run with this --max-time will ever send"

ROLLED_UP = "roll-up"
"""The name of the one input that the sums of all others are."""

BODIES_SHOWN = 5
"""Request bodies that a dry run shows."""


def upload(order: Order, log: IssueLog, listener: Listener, signals: Signals) -> Summary:
    """Send the events of all inputs; what goes wrong is in the summary, never raised.

    Signals end it in order, and do nothing any more once it is over: the result is still to be
    told. Only bugs raise.
    """
    run = _Run(order, log, listener)
    try:
        with ExitStack() as stack:
            stack.callback(signals.ignore)
            signals.guard()
            run.go(stack, signals)
    except Exception as fault:
        error = system_limit(fault) or (fault if isinstance(fault, ReoError) else None)
        if error is None:
            raise
        run.result.error = run.result.error or error
        signals.ignore()  # one may have come before the first time
    return run.summary()


class _Run:
    """One run; `result` tells what it has come to so far, `summary` the rest once it has ended."""

    def __init__(self, order: Order, log: IssueLog, listener: Listener) -> None:
        self._order = order
        self._log = log
        self._listener = listener
        self._checker = Checker(order.rules, order.hints)
        self._meter = Meter(listener, time.monotonic)
        self._sources: Sequence[Source] = []
        self._inputs = [InputSummary(name) for name in order.names]
        self._streams: set[int] = set()
        """The inputs that another run could not read again."""
        self._accounts: list[Account] = []
        self._rejects: list[Rejects] = []
        self._watch: Watch | None = None
        self._dispatcher: Dispatcher | None = None
        self.result = Summary(
            self._inputs,
            dry_run=order.target is None,
            endpoint=order.endpoint,
            endpoint_source=order.endpoint_source,
            restarts=order.resend,
            where=order.where,
            allow_failure=order.allow_failure,
            rolled_up=RolledUp(0, 0, 0, "", ()) if order.roll_up else None,
        )

    def go(self, stack: ExitStack, signals: Signals) -> None:
        """Do everything in its order; raises ReoError for what stops the run."""
        order, result = self._order, self.result
        allow_open_files()
        self._sources = opening.sources(order, stack)
        streams = {at for at, each in enumerate(self._sources) if each.streamed}
        self._rejects = opening.rejects(order, self._sources, stack)
        if order.locked:
            opening.lock_all(order, self._sources, self._time_left(), stack)
        inputs, self._sources = opening.inputs(order, self._sources, stack)
        self._inputs = result.inputs = [InputSummary(each.name) for each in inputs]
        self._streams = {0} if streams and (order.roll_up or len(inputs) == 1) else streams
        ledger = opening.ledger(order, stack)
        if ledger is not None:
            stack.callback(self._note, ledger)
            if ledger.created:
                self._listener.note(f"created ledger: {ledger.path}")
        self._accounts = opening.accounts(order, ledger, stack)
        self._watch = Watch(self._accounts[0]) if self._accounts else None
        if order.roll_up is not None:
            inputs = self._summed(inputs, RollUp(order.roll_up))
        target, flows = order.target, order.skip_invalid
        checked = [each for each in inputs if target is None or not (each.streamed or flows)]
        if checked:
            self._survey(checked)
        if target is not None and result.error is None:
            self._send(target, inputs, checked, signals)
            delivered, days = sum_of(self._inputs).delivered, order.ledger_keep_days
            if ledger and delivered and (warning := tidy(ledger, days, time.time())):
                self._listener.warning(warning)

    def _note(self, ledger: Ledger) -> None:
        self.result.ledger = LedgerSummary(ledger.path, ledger.created, ledger.events())

    def _summed(self, inputs: Sequence[Input], rollup: RollUp) -> list[Input]:
        """Sum up all inputs: their sums are the one input from then on, unless one is wrong."""
        order, result = self._order, self.result
        kept = self._rejects if order.skip_invalid else ()
        book = Book(self._inputs, self._log, self._listener, rejects=kept)
        decider = Decider(order.identity)
        self._check(Intake(inputs, self._checker, decider, book, rollup=rollup))
        counts = sum_of(self._inputs)
        if book.broken or (counts.invalid and not order.skip_invalid):
            result.error = stops.invalid_input(counts.invalid, counts.read, order.skip_invalid)
            return []
        self._inputs = [InputSummary(ROLLED_UP)]
        result.rolled_up = rolled_up = rollup.result()
        if rolled_up.differing:
            self._listener.warning(str(rolled_up))
            if order.command:
                ignored = rolled_up.ignoring(order.reading.mapped)
                self._listener.hint(f"to leave that out, `{order.command} {ignored}`")
        names = [each.file for each in result.inputs]
        return [Input(0, ROLLED_UP, b"", False, lambda: rollup.events(names), lambda: None)]

    def _survey(self, inputs: Sequence[Input]) -> None:
        """Check inputs to their ends without sending; there is an error if one is wrong."""
        order, result, is_dry = self._order, self.result, self.result.dry_run
        book = Book(self._inputs, self._log, self._listener if is_dry else None)

        def settle(job: Job) -> None:
            body = job.body.decode() if is_dry else ""
            if is_dry and result.to_send < BODIES_SHOWN:
                result.bodies.append(body)
            result.to_send += is_dry
            book.settle(job, "unsent", "dry run" if is_dry else "", body=body)

        limit = order.policy.limit if is_dry else None
        self._check(Intake(inputs, self._checker, self._decider(), book, limit), settle)
        events = sum_of(self._inputs)
        counts = sum_of(result.inputs, events) if order.roll_up else events
        if counts.rejected:
            result.error = stops.changed_sums(counts.rejected, events.read)
        elif counts.invalid or book.broken:
            result.error = stops.invalid_input(counts.invalid, counts.read, order.skip_invalid)
            if mending := self._log.commands(order.reading, self._checker.needed):
                hint = f"{result.error.hint}; or {mending[0]}"
                result.error = result.error.changed(hint=hint)
        else:
            self._judge([each.index for each in inputs])
        if result.error is not None and self._listener.lists_records and not is_dry:
            # that nothing is sent is known only now that all are checked
            again = Book([InputSummary("") for _ in self._inputs], IssueLog(0), self._listener)
            unsent = partial(again.settle, word="unsent", reason="nothing was sent")
            self._check(Intake(inputs, self._checker, self._decider(), again), unsent)

    def _decider(self) -> Decider:
        order = self._order
        account = self._accounts[0] if self._accounts else None
        rehearses = self.result.dry_run and order.ledger is not None
        return Decider(order.identity, account, self._watch, rehearses=rehearses)

    def _check(self, intake: Intake, settle: Callable[[Job], None] = lambda _: None) -> None:
        """Take inputs through reading, check and decision; give what could be sent to `settle`.

        Raises ReoError for what stops it, `--max-time` (75) among it.
        """
        with closing(intake):
            while not intake.done:
                self._time_left()
                intake.take_some(AT_ONCE, settle)
                self._meter.checking(intake.book, share_read(self._sources))
                intake.book.flush()

    def _time_left(self) -> float:
        """Return the seconds left of `--max-time`; raises ReoError 75."""
        most = self._order.policy.max_time
        left = math.inf if most is None else self._order.started + most - time.monotonic()
        if most is not None and left <= 0:
            raise stops.timed_out(most)
        return left

    def _judge(self, inputs: Collection[int]) -> None:
        """Decide over events that replace others, of files before anything is sent.

        A pipe, and what is sent as far as it is valid, cannot be stopped any more: a warning.
        """
        order, rule, watch = self._order, self._order.identity.on_change, self._watch
        found = watch.judge(inputs) if watch else ()
        for each in found:
            file = self._inputs[each.input].file
            text = stops.replaced(each, file)
            issue = Issue(file, each.line, each.record, "", "error", text, code="replaced")
            if order.skip_invalid or each.input in self._streams:
                self._log.add([issue._replace(severity="warning")])
                self._listener.warning(f"{text}: they count twice", loud=True)
            elif rule == "error":
                self.result.error = self.result.error or stops.would_count_twice(each, file)
                self._log.add([issue])
            else:
                done = "are left, as" if rule == "skip" else "are sent all the same, as"
                self._listener.note(f"{text}: they {done} --on-change {rule} says")
        if watch and found and self.result.error is None and not self.result.dry_run:
            (watch.leave if rule == "skip" else watch.forget)([each.input for each in found])

    def _send(
        self, target: Target, inputs: Sequence[Input], checked: Sequence[Input], signals: Signals
    ) -> None:
        """Send what is new, and account for what was checked and not reached."""
        order, result, meter = self._order, self.result, self._meter
        surveyed = {each.index: self._inputs[each.index].counts for each in checked}
        for each in self._inputs:
            each.counts = Counts()
        unchecked = {each.index for each in inputs} - surveyed.keys()
        meter.sending(None if unchecked else sum(each.read for each in surveyed.values()))
        workers = Workers[Job](target)
        book = Book(
            self._inputs,
            self._log,
            self._listener,
            accounts=self._accounts,
            rejects=self._rejects,
            streams=self._streams,
            checked=surveyed,
        )
        limit, wake = order.policy.limit, workers.post
        intake = Intake(inputs, self._checker, self._decider(), book, limit, wake)
        self._dispatcher = Dispatcher(order.policy, workers, intake, order.started)
        signals.post_to(workers.post)
        with closing(book), closing(intake), closing(workers):
            try:
                for _ in self._dispatcher.turns():
                    meter.turn(self._dispatcher, book)
                result.error = self._dispatcher.error
                for at, counts in surveyed.items():
                    left = counts.read - self._inputs[at].counts.read
                    self._inputs[at].counts.unsent += max(0, left)
                book.flush()
                if unchecked and result.error is None:
                    self._judge(unchecked)
            finally:
                signals.post_to(None)
        if book.broken and result.error is None:
            result.error = stops.not_all_read(bool(sum_of(self._inputs).delivered))

    def summary(self) -> Summary:
        """Return what the run has come to."""
        order, result, sending = self._order, self.result, self._dispatcher
        counts = sum_of(self._inputs)
        if result.inputs is not self._inputs:  # records, and the sums of them
            result.sums = counts
            if path := self._inputs[0].rejects_file:
                result.inputs[0].rejects_file = path
        if sending is not None:
            took = (sending.last_answer or 0.0) - (sending.first_request or 0.0)
            result.events_per_s = counts.delivered / took if took > 0 else 0.0
            result.attempts = sending.attempts
        error, total = result.error, self._meter.total
        reason = error.reason if error else ""
        begins_anew = order.resend and order.policy.limit is not None
        can_go_on = not (
            result.dry_run or order.ledger is None or begins_anew or reason in HOPELESS
        )
        if error and reason in EARLY and total:
            done = counts.delivered + counts.already_delivered
            how_far = f"{done:,} of {total:,} events are delivered"
            result.error = error.changed(message=f"{error.message}; {how_far}")
        elif error and reason == "max_time" and not (sending or self._streams or order.wait):
            can_go_on, result.error = False, error.changed(hint=TOO_LITTLE_TIME)
        result.resume = order.command if can_go_on and (counts.errored or counts.unsent) else ""
        result.issues = self._log.kept()
        result.errors, result.warnings = self._log.errors, self._log.warnings
        result.cut_pipe = any(each.streamed and not each.ended for each in self._sources)
        result.elapsed_s = time.monotonic() - order.started
        return result

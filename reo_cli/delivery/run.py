"""`send-file`, whole: open, lock, check all, send, and always a `Summary`.

Regular files are read twice: once to their ends, so that an error in the last line is known before
the first request, and once to send. A pipe is checked as it flows.
"""

import os
import random
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from pathlib import Path

from reo_cli.checks.checker import Checker
from reo_cli.checks.issues import IssueLog
from reo_cli.checks.rollup import RolledUp, RollUp
from reo_cli.client import Target
from reo_cli.client.workers import Workers
from reo_cli.delivery import opening
from reo_cli.delivery.book import Book, Listener
from reo_cli.delivery.decide import Decider, Job, Memory
from reo_cli.delivery.dispatch import Dispatcher
from reo_cli.delivery.folders import allow_open_files
from reo_cli.delivery.intake import AT_ONCE, Feed, Input, Intake, Pipe, Summing
from reo_cli.delivery.ledger import Ledger
from reo_cli.delivery.ledger.admin import tidy
from reo_cli.delivery.opening import Order
from reo_cli.delivery.progress import Meter, Silent, sum_of
from reo_cli.delivery.rejects import Rejects
from reo_cli.delivery.replaced import Watch
from reo_cli.delivery.signals import Signals
from reo_cli.delivery.stops import (
    changed_sums,
    invalid_input,
    not_all_read,
    replaced,
    timed_out,
    would_count_twice,
)
from reo_cli.delivery.summary import Counts, InputSummary, LedgerSummary, Summary
from reo_cli.errors import ExitCode, ReoError, system_limit
from reo_cli.readers import read
from reo_cli.readers.source import Source, open_source, share_read
from reo_cli.records import STDIN, Issue

EARLY = ("max_time", "gave_up", "interrupted", "retry_after")
"""What ends a run before its end though nothing is wrong with what it sends."""

HOPELESS = ("invalid_input", "replaced", "all_rejected", "delivered_under_another_key")
"""Why the same command, run again, would stop in the same place."""

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
        try:
            with ExitStack() as stack:
                signals.guard()
                run.go(stack, signals)
        finally:
            signals.ignore()
    except Exception as fault:
        error = system_limit(fault) or (fault if isinstance(fault, ReoError) else None)
        if error is None:
            raise
        run.error = run.error or error
        signals.ignore()  # one may have come before the first time
    return run.summary()


class _Run:
    """The state of one run; `summary` tells what it has come to, however it ended."""

    def __init__(self, order: Order, log: IssueLog, listener: Listener) -> None:
        self._order = order
        self._listener = listener
        self._checker = Checker(order.rules, order.hints)
        self._sources: list[Source] = []
        self._log = log
        self._inputs = [InputSummary(name) for name in order.names]
        self._records: list[InputSummary] = []
        """The inputs of a roll-up, once `_inputs` is the one of its events."""
        self._reading = order.reading
        self._piped = False
        self._rollup = RollUp(order.roll_up) if order.roll_up else None
        self._rolled_up = RolledUp(0, 0, 0, "", ()) if order.roll_up else None
        self._surveyed: list[InputSummary] = []
        self._dispatcher: Dispatcher | None = None
        self._ledger: Ledger | None = None
        self._skipped: Watch | None = None
        self._ledger_summary: LedgerSummary | None = None
        self._bodies: list[str] = []
        self._to_send = 0
        self._waited = 0.0
        self._total: int | None = None
        self._meter = Meter(listener, time.monotonic)
        self.error: ReoError | None = None

    def go(self, stack: ExitStack, signals: Signals) -> None:
        """Do everything in its order; raises ReoError for what stops the run."""
        order = self._order
        allow_open_files()
        if list(order.names).count(STDIN) > 1:
            raise ReoError(ExitCode.USAGE, "stdin_twice", "`-` can be given only once")
        for name in order.names:
            self._sources.append(order.given or open_source(name))
            self._sources[-1].close()  # one descriptor at a time: it is opened when it is read
            stack.callback(self._sources[-1].close)
        self._piped = any(source.streamed for source in self._sources)
        if order.target is None:
            self._query(stack)
            memory = self._view_ledger(stack)
            if self._sum_up(()):
                self._survey(memory, range(len(self._inputs)))
            return
        rejects = opening.rejects(order, self._sources, stack)
        if order.locked:
            began = time.monotonic()
            opening.lock_all(order, self._sources, self._time_left(), stack)
            self._waited = time.monotonic() - began
        self._query(stack)
        held = self._open_ledger(stack)
        stack.callback(self._note_ledger)
        if not self._sum_up(rejects if order.skip_invalid else ()):
            return
        files = {at for at, source in enumerate(self._sources) if not source.streamed}
        readable = {0} if self._records else files
        checked = set() if order.skip_invalid else readable
        if not checked or self._survey(held, checked):
            self._send(order.target, held, rejects, checked, signals)

    def _query(self, stack: ExitStack) -> None:
        """Read the rows of `--sql` from then on, in place of the inputs; raises ReoError."""
        if not self._reading.sql:
            return
        from reo_cli.readers.sql import NAME, queried

        origins = [self._reading.sql.encode(), *map(opening.origin_of, self._sources)]
        rows, self._reading = queried(self._sources, self._reading)
        stack.callback(rows.end)
        rows.origin = b"\0".join(origins)
        self._sources = [rows]
        self._inputs = [InputSummary(NAME)]

    def _streams(self) -> set[int]:
        """Return the inputs that another run could not read again."""
        if self._piped and len(self._inputs) == 1:
            return {0}
        return {at for at, source in enumerate(self._sources) if source.streamed}

    def _sum_up(self, rejects: Sequence[Rejects]) -> bool:
        """Sum up all inputs, where that is asked for: their sums are the one input from then on.

        False when something is wrong with them. Raises ReoError like `_check`.
        """
        order, rollup = self._order, self._rollup
        if rollup is None:
            return True
        book = Book(self._inputs, self._log, self._listener, rejects=rejects, clock=time.time)
        decider = Decider(order.identity, None)
        inputs = self._opened(range(len(self._sources)), None)
        intake = Summing(inputs, self._checker, decider, book, order.identity.shard, rollup)
        while not intake.done:
            self._time_left()
            intake.take_some(AT_ONCE, lambda _: None)
            self._meter.checking(book, share_read(self._sources))
            book.flush()
        decider.close()
        counts = sum_of(self._inputs)
        if book.broken or (counts.invalid and not order.skip_invalid):
            self.error = invalid_input(counts.invalid, counts.read, order.skip_invalid)
            return False
        self._records, self._inputs = self._inputs, [InputSummary(ROLLED_UP)]
        self._rolled_up = rollup.result()
        if self._rolled_up.differing:
            self._listener.warning(str(self._rolled_up))
            ignored = self._rolled_up.ignoring(order.reading.mapped)
            if order.command:
                self._listener.hint(f"to leave that out, `{order.command} {ignored}`")
        return True

    def _time_left(self) -> float | None:
        """Return the seconds left of `--max-time`, None without it; raises ReoError 75."""
        most = self._order.policy.max_time
        if most is None:
            return None
        left = self._order.started + most - time.monotonic()
        if left <= 0:
            raise timed_out(most)
        return left

    def _open_ledger(self, stack: ExitStack) -> Memory:
        """Open the ledger, and one for this run only where the other is not looked into."""
        self._ledger = opening.ledger(self._order, stack)
        self._note_ledger()
        if self._ledger is not None and self._ledger.created:
            self._listener.note(f"created ledger: {self._ledger.path}")
        return opening.memory(self._order, self._ledger, stack)

    def _view_ledger(self, stack: ExitStack) -> Memory | None:
        """Open the ledger to look into it only, if there is one."""
        self._ledger = opening.viewed_ledger(self._order, stack)
        self._note_ledger()
        return opening.viewed_memory(self._order, self._ledger) if self._ledger else None

    def _note_ledger(self) -> None:
        ledger = self._ledger
        if ledger is not None:
            self._ledger_summary = LedgerSummary(ledger.path, ledger.created, ledger.events())

    def _survey(self, memory: Memory | None, which: Collection[int]) -> bool:
        """Check inputs to their ends without sending; False when something is wrong with them."""
        order = self._order
        dry_run = order.target is None
        silent = Silent(self._listener, settled=dry_run)
        book = Book(self._inputs, self._log, silent, clock=time.time)

        def settle(job: Job) -> None:
            self._to_send += 1
            body = job.body.decode() if dry_run else ""
            if body and len(self._bodies) < BODIES_SHOWN:
                self._bodies.append(body)
            book.unsent(job, "dry run" if dry_run else "", body=body)

        watch = Watch(memory.lookup) if memory else None
        self._check(memory, which, book, settle, watch)
        self._surveyed = self._inputs
        counts = sum_of([*self._records, *self._inputs])
        if counts.invalid or counts.rejected or book.broken:
            self.error = invalid_input(counts.invalid, counts.read, order.skip_invalid)
            if mending := self._log.commands(order.reading):
                self.error = self.error.changed(hint=f"{self.error.hint}; or {mending[0]}")
            if counts.rejected:
                self.error = changed_sums(counts.rejected, sum_of(self._inputs).read)
        elif watch is not None:
            self._judge(watch, which)
        if self.error is not None:
            if self._listener.lists_records and not dry_run:
                self._list_unsent(memory, which)
            return False
        if not dry_run:
            self._inputs = [InputSummary(each.file) for each in self._inputs]
        return True

    def _check(
        self,
        memory: Memory | None,
        which: Collection[int],
        book: Book,
        settle: Callable[[Job], None],
        watch: Watch | None = None,
    ) -> None:
        """Take inputs through reading, check and decision, and give what could be sent to settle.

        Raises ReoError for what stops it, `--max-time` (75) among it.
        """
        order = self._order
        rehearses = order.target is None and order.ledger is not None
        decider = Decider(order.identity, memory, rehearses=rehearses, watch=watch)
        inputs = self._opened(which, None)
        limit = order.policy.limit if order.target is None else None
        intake = Intake(inputs, self._checker, decider, book, order.identity.shard, limit)
        while not intake.done:
            self._time_left()
            intake.take_some(AT_ONCE, settle)
            self._meter.checking(book, share_read(self._sources))
        decider.close()

    def _judge(self, watch: Watch, which: Collection[int]) -> None:
        """Decide over events that replace others, of files before anything is sent.

        A pipe, and what is sent as far as it is valid, cannot be stopped any more: a warning.
        """
        order, rule = self._order, self._order.identity.on_change
        found = watch.judge(which)
        for each in found:
            file = self._inputs[each.input].file
            text = replaced(each, file)
            issue = Issue(file, each.line, each.record, "", "error", text, code="replaced")
            if order.skip_invalid or each.input in self._streams():
                self._log.add([issue._replace(severity="warning")])
                self._listener.warning(f"{text}: they count twice", loud=True)
            elif rule == "error":
                self.error = self.error or would_count_twice(each, file)
                self._log.add([issue])
            else:
                done = "are left, as" if rule == "skip" else "are sent all the same, as"
                self._listener.note(f"{text}: they {done} --on-change {rule} says")
        if found and rule == "skip":
            self._skipped = watch
        if found and self.error is None and rule != "skip" and order.target is not None:
            watch.forget([each.input for each in found])

    def _list_unsent(self, memory: Memory | None, which: Collection[int]) -> None:
        """Tell of every record that nothing was sent, which is known only when all are checked."""
        inputs = [InputSummary(each.file) for each in self._inputs]
        book = Book(inputs, IssueLog(0), self._listener, clock=time.time)
        self._check(memory, which, book, lambda job: book.unsent(job, "nothing was sent"))

    def _send(
        self,
        target: Target,
        memory: Memory,
        rejects: list[Rejects],
        checked: Collection[int],
        signals: Signals,
    ) -> None:
        order = self._order
        workers = Workers[Job](target)
        surveyed = {at: self._surveyed[at].counts for at in checked}
        book = Book(
            self._inputs,
            self._log,
            self._listener,
            memory=memory,
            rejects=rejects,
            streams=self._streams(),
            checked=surveyed,
            clock=time.time,
        )
        inputs = self._opened(range(len(self._inputs)), workers.post)
        unchecked = set(range(len(self._inputs))) - set(checked)
        watch = Watch(memory.lookup) if unchecked else None
        decider = Decider(order.identity, memory, watch=watch, skipped=self._skipped)
        intake = Intake(
            inputs, self._checker, decider, book, order.identity.shard, order.policy.limit
        )
        if len(checked) == len(self._inputs):
            self._total = sum_of(self._surveyed).read
        self._meter.sending(book, self._total)
        self._dispatcher = Dispatcher(
            order.policy,
            workers,
            intake,
            book,
            random.Random().random,  # noqa: S311 - jitter, not a secret
            time.monotonic,
            order.started,
            self._meter.turn,
        )
        signals.post_to(workers.post)
        try:
            self._dispatcher.run()
            self.error = self._dispatcher.error
            for at, counts in surveyed.items():
                left = counts.read - self._inputs[at].counts.read
                self._inputs[at].counts.unsent += max(0, left)
            book.flush()
            if watch is not None and self.error is None:
                self._judge(watch, unchecked)
            if book.any_delivered and self._ledger is not None:
                warning = tidy(self._ledger, order.keep_days, time.time())
                if warning:
                    self._listener.warning(warning)
        finally:
            signals.post_to(None)
            workers.close()
            decider.close()
            book.close()
        if book.broken and self.error is None:
            self.error = not_all_read(bool(sum_of(self._inputs).delivered))

    def _opened(self, which: Collection[int], wake: Callable[[], None] | None) -> list[Input]:
        """Describe inputs to the intake: the sources, or the sums of all."""
        if self._rollup and self._records:
            names, rollup = [each.file for each in self._records], self._rollup
            return [Input(0, ROLLED_UP, b"", False, lambda: rollup.events(names), lambda: None)]
        return [self._input(at, self._sources[at], wake) for at in which]

    def _input(self, at: int, source: Source, wake: Callable[[], None] | None) -> Input:
        """Describe an input to the intake: `wake` is for a pipe to call, if it is sent."""
        order = self._order

        def start() -> Feed:
            if not source.streamed:
                source.rewind()
                source.guarded = True
                return read(source, self._reading)
            items = read(source, self._reading)
            return Pipe(items, wake, source.stop) if wake and order.given is None else items

        def close() -> None:
            source.verify_unchanged()
            source.close()

        origin = opening.origin_of(source)
        path = b"-" if source.streamed else os.fsencode(Path(source.path).resolve())
        return Input(at, source.name, origin, source.streamed, start, close, path)

    def summary(self) -> Summary:
        """Return what the run has come to."""
        order, dispatcher = self._order, self._dispatcher
        first = dispatcher.first_request if dispatcher else None
        last = dispatcher.last_answer if dispatcher else None
        delivered = sum_of(self._inputs).delivered
        took = last - first if first is not None and last is not None else 0.0
        if self._records and self._inputs[0].rejects_file:
            self._records[0].rejects_file = self._inputs[0].rejects_file
        return Summary(
            inputs=self._records or self._inputs,
            attempts=dispatcher.attempts if dispatcher else 0,
            elapsed_s=time.monotonic() - order.started,
            events_per_s=delivered / took if took > 0 else 0.0,
            issues=self._log.kept(),
            errors=self._log.errors,
            warnings=self._log.warnings,
            ledger=self._ledger_summary,
            error=self.error and self._with_distance(self.error),
            dry_run=order.target is None,
            rolled_up=self._rolled_up,
            sums=self._inputs[0].counts if self._records else Counts(),
            bodies=self._bodies,
            to_send=self._to_send,
            endpoint=order.endpoint,
            endpoint_source=order.endpoint_source,
            resume=order.command if self._is_unfinished() else "",
            restarts=order.resend,
            where=order.where,
            cut_pipe=any(each.streamed and not each.ended for each in self._sources),
            allow_failure=order.allow_failure,
        )

    def _with_distance(self, error: ReoError) -> ReoError:
        """Return the error that stopped the run with how far it came, and could come."""
        if self._ended_in_check():
            hint = "the check alone takes that long: no run with this --max-time will ever send"
            return error.changed(hint=hint)
        if error.reason not in EARLY or not self._total:
            return error
        counts = sum_of(self._inputs)
        done = counts.delivered + counts.already_delivered
        how_far = f"{done:,} of {self._total:,} events are delivered"
        return error.changed(message=f"{error.message}; {how_far}")

    def _ended_in_check(self) -> bool:
        """Tell whether reading and checking alone used up `--max-time`, as they will again."""
        if self.error is None or self.error.reason != "max_time" or self._waited >= 1:
            return False
        sent = self._dispatcher is not None and self._dispatcher.first_request is not None
        return not (sent or self._order.skip_invalid or self._streams())

    def _is_unfinished(self) -> bool:
        """Tell whether the same command, run again, would have something to do and could do it."""
        counts = sum_of(self._inputs)
        order = self._order
        if order.target is None or order.ledger is None:
            return False  # it would start from the first record
        if self.error and (self.error.reason in HOPELESS or self._ended_in_check()):
            return False
        return bool(counts.errored or counts.unsent)

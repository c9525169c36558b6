"""Files → `Validation`: the same reading and checks as `send-file`, without network or key.

With what the valid events add up to, in memory that does not grow with their number.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from reo_cli.checks.checker import Checker
from reo_cli.checks.issues import IssueLog
from reo_cli.checks.repeats import Repeats
from reo_cli.checks.scratch import ScratchFailed
from reo_cli.errors import ExitCode, Interrupted, ReoError, system_limit
from reo_cli.events import Event
from reo_cli.readers import ReadOptions, read
from reo_cli.readers.source import Source, open_source, share_read
from reo_cli.records import Issue, Record

if TYPE_CHECKING:
    from reo_cli.checks.rollup import Plan, RolledUp

Progress = Callable[[int, float | None], None]
"""Told the number of records read so far, now and then, and for one file how much of its bytes."""

PROGRESS_EVERY = 4096

Opened = Callable[[], tuple[Source, ReadOptions]]
"""Opens an input, and tells how it is read."""

MOST_DISTINCT = 10_000
"""Distinct values counted exactly; more are that number "or more" (design.md)."""


class Distinct(NamedTuple):
    """A number of distinct values; `estimated`: there are that many or more."""

    number: int = 0
    estimated: bool = False


class Totals(NamedTuple):
    """What the valid events add up to; times are epoch seconds.

    Valid is what passed the check of its own record: an event that repeats another one, or has its
    `event_id`, is among them.
    """

    sum_of_count: int = 0
    domains: Distinct = Distinct()
    ips: Distinct = Distinct()
    first_event_at: int | None = None
    last_event_at: int | None = None


class FileResult:
    """One input: records read, those with errors, issues found, and what its events add up to.

    `skipped` are the records that `--only` and `--skip` left out, which are not read. `error` is
    what kept it from being read to its end.
    """

    skipped = 0
    totals = Totals()
    error: ReoError | None = None

    def __init__(
        self, file: str, read: int = 0, invalid: int = 0, errors: int = 0, warnings: int = 0
    ) -> None:
        self.file, self.read, self.invalid = file, read, invalid
        self.errors, self.warnings = errors, warnings

    @property
    def valid(self) -> int:
        """Records without an error."""
        return self.read - self.invalid

    def note(self, issues: Sequence[Issue], log: IssueLog) -> int:
        """Count issues of it; return how many are errors."""
        warnings, errors = log.warnings, log.add(issues)
        self.warnings += log.warnings - warnings
        self.errors += errors
        return errors


class Validation(NamedTuple):
    """The end of a `validate` run; `issues` holds at most `--max-issues` of them.

    `error` is what kept an input from being read to its end, if anything did. `repeats` are the
    records that are invalid because of another one only: they are in the totals. `hints` are
    complete commands that read more of the values, `rolled_up` is what `--roll-up` would send.
    """

    files: Sequence[FileResult]
    totals: Totals
    issues: Sequence[Issue] = ()
    error: ReoError | None = None
    repeats: int = 0
    hints: Sequence[str] = ()
    rolled_up: "RolledUp | None" = None

    @property
    def faults(self) -> Sequence[ReoError]:
        """What kept inputs from being read to their end, `error` first."""
        others = [each.error for each in self.files if each.error and each.error is not self.error]
        return [self.error, *others] if self.error else others

    @property
    def exit_code(self) -> ExitCode:
        """0 when every record is valid, 65 when not, else what stopped the reading."""
        if self.error is not None:
            return self.error.exit_code
        broken = any(each.errors or each.invalid for each in self.files)
        return ExitCode.INVALID if broken else ExitCode.OK

    @property
    def status(self) -> str:
        """`valid` or `invalid`."""
        return "valid" if self.exit_code is ExitCode.OK else "invalid"


def validate(
    names: Sequence[str],
    options: ReadOptions,
    checker: Checker,
    log: IssueLog,
    progress: Progress,
    roll_up: "Plan | None" = None,
) -> Validation:
    """Read and check inputs to their end; never raises for what is in them.

    An input that cannot be opened or read to its end does not keep the others from being checked;
    what was wrong with the first such is in `Validation.error`. A signal ends it with what was
    found so far.
    """
    run = _Run(checker, log, progress, roll_up, is_alone=len(names) == 1)
    error = rolled_up = None
    try:
        if options.sql:
            from reo_cli.readers.queried import NAME

            run.check(NAME, partial(_queried, names, options))
        for name in () if options.sql else names:
            run.check(name, partial(_opened, name, options))
        run.find_repeats()
        rolled_up = run.rollup.result() if run.rollup else None
    except ReoError as stop:  # a signal, or no room for what must be remembered
        error = stop
    error = error or next((each.error for each in run.files if each.error), None)
    places = {name: at for at, name in enumerate(names)}
    issues = sorted(
        log.kept(), key=lambda each: (places.get(each.file, -1), each.line, each.record)
    )
    hints = log.commands(options, checker.needed)
    totals = run.totals.result()
    return Validation(run.files, totals, issues, error, run.repeated, hints, rolled_up)


class _Run:
    """What was found in the inputs of one run so far."""

    def __init__(
        self,
        checker: Checker,
        log: IssueLog,
        progress: Progress,
        roll_up: "Plan | None",
        *,
        is_alone: bool,
    ) -> None:
        self._checker = checker
        self._log = log
        self._progress = progress
        self._is_alone = is_alone  # there is one input, of which the share can be told
        self._repeats = Repeats()
        self.rollup = roll_up.begin() if roll_up else None
        self.totals = TotalsCounter()
        self.files: list[FileResult] = []
        self.repeated = 0
        """Records that are invalid because of another one only."""

    def check(self, name: str, opened: Opened) -> None:
        """Read and check one input; raises ReoError for what ends the run."""
        result, own = FileResult(name), TotalsCounter()
        self.files.append(result)
        self._repeats.begin_file(name)
        keep = self._repeats.add
        if self.rollup:
            keep = partial(self.rollup.add, at_input=len(self.files) - 1)
        try:
            source, reading = opened()
            with closing(source):
                for event in _checked(read(source, reading), result, self._checker, self._log):
                    if event is not None:
                        own.add(event.payload)
                        keep(event)
                    if not result.read % PROGRESS_EVERY:
                        share = share_read([source]) if self._is_alone else None
                        self._progress(sum(each.read for each in self.files), share)
                source.verify_unchanged()
        except (Interrupted, ScratchFailed):
            raise
        except ReoError as fault:
            result.error = system_limit(fault) or fault
        finally:
            result.totals = own.result()
            self.totals.merge(own)

    def find_repeats(self) -> None:
        """Count the events that repeat others, or have the id of another."""
        for at, issue in self._repeats.find():
            errors = self.files[at].note([issue], self._log)
            self.files[at].invalid += errors
            self.repeated += errors


def _opened(name: str, options: ReadOptions) -> tuple[Source, ReadOptions]:
    return open_source(name), options


def _queried(names: Sequence[str], options: ReadOptions) -> tuple[Source, ReadOptions]:
    """Return the rows of `--sql` over all inputs, which are one input."""
    from reo_cli.readers.queried import queried

    with ExitStack() as stack:
        sources = [stack.enter_context(closing(open_source(name))) for name in names]
        return queried(sources, options)


def _checked(
    items: Iterable[Record | Issue], result: FileResult, checker: Checker, log: IssueLog
) -> Iterator[Event | None]:
    """Yield the event of each record, None for one that is not valid, and count them."""
    for item in items:
        if isinstance(item, Issue):
            result.note([item], log)
        elif item.left_out:
            result.skipped += 1
        else:
            event, issues = checker.check(item)
            result.read += 1
            if (issues and result.note(issues, log)) or event is None:
                result.invalid += 1
                event = None
            yield event


class TotalsCounter:
    """Adds up payloads."""

    def __init__(self) -> None:
        self._count = 0
        self._first, self._last = sys.maxsize, -1
        self._distinct: dict[str, set[str]] = {"domain": set(), "ip_addr": set()}

    def add(self, payload: Mapping[str, Any]) -> None:
        """Add one valid event."""
        self._count += payload["count"]
        at = payload["event_at"]
        if at < self._first:
            self._first = at
        if at > self._last:
            self._last = at
        for name, known in self._distinct.items():
            if name in payload and len(known) <= MOST_DISTINCT:
                known.add(payload[name])

    def merge(self, other: "TotalsCounter") -> None:
        """Add what another counter has added up."""
        self._count += other._count
        self._first, self._last = min(self._first, other._first), max(self._last, other._last)
        for name, known in self._distinct.items():
            if len(known) <= MOST_DISTINCT:
                known |= other._distinct[name]

    def result(self) -> Totals:
        """Return the totals."""
        domains, ips = (
            Distinct(min(len(known), MOST_DISTINCT), len(known) > MOST_DISTINCT)
            for known in self._distinct.values()
        )
        span = (self._first, self._last) if self._last >= 0 else (None, None)
        return Totals(self._count, domains, ips, *span)

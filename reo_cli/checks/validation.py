"""Files → `Validation`: the same reading and checks as `send-file`, without network or key."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, NamedTuple

from reo_cli.checks.checker import Checker
from reo_cli.checks.issues import IssueLog
from reo_cli.checks.repeats import Repeats
from reo_cli.checks.scratch import ScratchFailed
from reo_cli.checks.totals import Totals, TotalsCounter
from reo_cli.errors import ExitCode, Interrupted, ReoError, system_limit
from reo_cli.events import Event
from reo_cli.readers import ReadOptions, read
from reo_cli.readers.source import Source, open_source, share_read
from reo_cli.records import Issue, Record

if TYPE_CHECKING:
    from reo_cli.checks.rollup import Plan, RolledUp, RollUp

Progress = Callable[[int, float | None], None]
"""Told the number of records read so far, now and then, and for one file how much of its bytes."""

PROGRESS_EVERY = 4096


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
        self.file = file
        self.read = read
        self.invalid = invalid
        self.errors = errors
        self.warnings = warnings

    @property
    def valid(self) -> int:
        """Records without an error."""
        return self.read - self.invalid


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
    rollup = None
    if roll_up:
        from reo_cli.checks.rollup import RollUp

        rollup = RollUp(roll_up)
    run = _Run(options, checker, log, progress, rollup, is_one=len(names) == 1)
    error: ReoError | None = None
    rolled_up = None
    try:
        if options.sql:
            error = run.read_query(names)
        else:
            for name in names:
                fault = run.read_file(name, lambda name=name: open_source(name))  # type: ignore[misc]
                error = error or fault
        run.find_repeats()
        rolled_up = rollup.result() if rollup else None
    except ReoError as stop:  # a signal, or no room for what must be remembered
        error = stop
    places = {name: at for at, name in enumerate(names)}
    issues = sorted(
        log.kept(), key=lambda each: (places.get(each.file, -1), each.line, each.record)
    )
    totals, hints = run.totals.result(), log.commands(options)
    return Validation(run.files, totals, issues, error, run.repeated, hints, rolled_up)


class _Run:
    def __init__(
        self,
        options: ReadOptions,
        checker: Checker,
        log: IssueLog,
        progress: Progress,
        rollup: "RollUp | None",
        *,
        is_one: bool,
    ) -> None:
        self._options = options
        self._checker = checker
        self._log = log
        self._progress = progress
        self._is_one = is_one
        self._read = 0
        self._repeats = Repeats()
        self._rollup = rollup
        self.repeated = 0
        self.files: list[FileResult] = []
        self.totals = TotalsCounter()

    def read_query(self, names: Sequence[str]) -> ReoError | None:
        """Read and check the rows of `--sql` over all inputs, which are one input."""
        from reo_cli.readers.sql import NAME, queried

        def opened() -> Source:
            with ExitStack() as stack:
                sources = [stack.enter_context(closing(open_source(name))) for name in names]
                rows, self._options = queried(sources, self._options)
            return rows

        return self.read_file(NAME, opened)

    def read_file(self, name: str, opened: Callable[[], Source]) -> ReoError | None:
        """Read and check one input; return what kept it from being read to its end (66, 74).

        Raises ReoError for what ends the run.
        """
        result = FileResult(name)
        self.files.append(result)
        self._repeats.begin_file(name)
        totals = TotalsCounter()
        try:
            with closing(opened()) as source:
                self._source = source
                self._check_all(read(source, self._options), result, totals)
                source.verify_unchanged()
        except (Interrupted, ScratchFailed):
            raise
        except ReoError as fault:
            result.error = system_limit(fault) or fault
        finally:
            self._read += result.read
            result.totals = totals.result()
            self.totals.merge(totals)
        return result.error

    def _check_all(
        self, items: Iterator[Record | Issue], result: FileResult, totals: TotalsCounter
    ) -> None:
        check, add, keep = self._checker.check, totals.add, self._keeper()
        for item in items:
            if isinstance(item, Issue):
                self._note(result, [item])
                continue
            if item.left_out:
                result.skipped += 1
                continue
            event, issues = check(item)
            errors = self._note(result, issues) if issues else 0
            if event is None or errors:
                result.invalid += 1
            else:
                add(event.payload)
                keep(event)
            result.read += 1
            if not result.read % PROGRESS_EVERY:
                share = share_read([self._source]) if self._is_one else None
                self._progress(self._read + result.read, share)

    def _keeper(self) -> Callable[[Event], None]:
        """Return what is done with a valid event: those of a roll-up are meant to repeat."""
        rollup, at = self._rollup, len(self.files) - 1
        return self._repeats.add if rollup is None else lambda event: rollup.add(event, at)

    def _note(self, result: FileResult, issues: Sequence[Issue]) -> int:
        warnings = self._log.warnings
        errors = self._log.add(issues)
        result.errors += errors
        result.warnings += self._log.warnings - warnings
        return errors

    def find_repeats(self) -> None:
        """Note the events that came before, which is known only when all are read."""
        for at, issue in self._repeats.find():
            errors = self._note(self.files[at], [issue])
            self.files[at].invalid += errors
            self.repeated += errors

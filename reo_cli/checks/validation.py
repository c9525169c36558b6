"""Files → `Validation`: the same reading and checks as `send-file`, without network or key."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import NamedTuple

from reo_cli.checks.checker import Checker
from reo_cli.checks.issues import IssueLog
from reo_cli.checks.repeats import Repeats
from reo_cli.checks.scratch import ScratchFailed
from reo_cli.checks.totals import Totals, TotalsCounter
from reo_cli.errors import ExitCode, Interrupted, ReoError
from reo_cli.readers import ReadOptions, read
from reo_cli.readers.source import open_source, share_read
from reo_cli.records import Issue, Record

Progress = Callable[[int, float | None], None]
"""Told the number of records read so far, now and then, and for one file how much of its bytes."""

PROGRESS_EVERY = 4096


@dataclass
class FileResult:
    """One input: records read, those with errors, issues found, and what its events add up to.

    `skipped` are the records that `--only` and `--skip` left out, which are not read. `error` is
    what kept it from being read to its end.
    """

    file: str
    read: int = 0
    invalid: int = 0
    errors: int = 0
    warnings: int = 0
    skipped: int = 0
    totals: Totals = field(default_factory=Totals)
    error: ReoError | None = None

    @property
    def valid(self) -> int:
        """Records without an error."""
        return self.read - self.invalid


class Validation(NamedTuple):
    """The end of a `validate` run; `issues` holds at most `--max-issues` of them.

    `error` is what kept an input from being read to its end, if anything did. `repeats` are the
    records that are invalid because of another one only: they are in the totals. `hints` are
    complete commands that read more of the values.
    """

    files: Sequence[FileResult]
    totals: Totals
    issues: Sequence[Issue] = ()
    error: ReoError | None = None
    repeats: int = 0
    hints: Sequence[str] = ()

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
) -> Validation:
    """Read and check inputs to their end; never raises for what is in them.

    An input that cannot be opened or read to its end does not keep the others from being checked;
    what was wrong with the first such is in `Validation.error`. A signal ends it with what was
    found so far.
    """
    run = _Run(options, checker, log, progress, is_one=len(names) == 1)
    error: ReoError | None = None
    try:
        for name in names:
            fault = run.read_file(name)
            error = error or fault
        run.find_repeats()
    except ReoError as stop:  # a signal, or no room for what must be remembered
        error = stop
    places = {name: at for at, name in enumerate(names)}
    issues = sorted(
        log.kept(), key=lambda each: (places.get(each.file, -1), each.line, each.record)
    )
    hints = log.commands(options)
    return Validation(run.files, run.totals.result(), issues, error, run.repeated, hints)


class _Run:
    def __init__(
        self,
        options: ReadOptions,
        checker: Checker,
        log: IssueLog,
        progress: Progress,
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
        self.repeated = 0
        self.files: list[FileResult] = []
        self.totals = TotalsCounter()

    def read_file(self, name: str) -> ReoError | None:
        """Read and check one input; return what kept it from being read to its end (66, 74).

        Raises ReoError for what ends the run.
        """
        result = FileResult(name)
        self.files.append(result)
        self._repeats.begin_file(name)
        totals = TotalsCounter()
        try:
            with closing(open_source(name)) as source:
                self._source = source
                self._check_all(read(source, self._options), result, totals)
                source.verify_unchanged()
        except (Interrupted, ScratchFailed):
            raise
        except ReoError as fault:
            result.error = fault
        finally:
            self._read += result.read
            result.totals = totals.result()
            self.totals.merge(totals)
        return result.error

    def _check_all(
        self, items: Iterator[Record | Issue], result: FileResult, totals: TotalsCounter
    ) -> None:
        check, add, repeat = self._checker.check, totals.add, self._repeats.add
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
                repeat(event)
            result.read += 1
            if not result.read % PROGRESS_EVERY:
                share = share_read([self._source]) if self._is_one else None
                self._progress(self._read + result.read, share)

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

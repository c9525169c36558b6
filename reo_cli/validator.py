"""Records → `Validation`: the same reading and checks as `send-file`, without network or key."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

from reo_cli.checker import Checker
from reo_cli.errors import Interrupted, ReoError
from reo_cli.issues import IssueLog
from reo_cli.readers import ReadOptions, read
from reo_cli.readers.source import open_source
from reo_cli.records import Issue, Record
from reo_cli.repeats import Repeats, ScratchFailed
from reo_cli.totals import TotalsCounter
from reo_cli.validation import FileResult, Validation

Progress = Callable[[int], None]
"""Told the number of records read so far, now and then."""

PROGRESS_EVERY = 4096


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
    run = _Run(options, checker, log, progress)
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
    return Validation(run.files, run.totals.result(), issues, error, run.repeated)


class _Run:
    def __init__(
        self, options: ReadOptions, checker: Checker, log: IssueLog, progress: Progress
    ) -> None:
        self._options = options
        self._checker = checker
        self._log = log
        self._progress = progress
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
                self._progress(self._read + result.read)

    def _note(self, result: FileResult, issues: Sequence[Issue]) -> int:
        errors = self._log.add(issues)
        result.errors += errors
        result.warnings += sum(not each.again for each in issues) - errors
        return errors

    def find_repeats(self) -> None:
        """Note the events that came before, which is known only when all are read."""
        found = self._repeats.find(self._log.limit)
        for at, result in enumerate(self.files):
            errors, warnings = found.errors.get(at, 0), found.warnings.get(at, 0)
            if self._log.strict:
                errors, warnings = errors + warnings, 0
            result.errors += errors
            result.invalid += errors
            result.warnings += warnings
            self.repeated += errors
        errors, warnings = sum(found.errors.values()), sum(found.warnings.values())
        self._log.add_some(found.issues, errors, warnings)

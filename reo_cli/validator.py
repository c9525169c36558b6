"""Records → `Validation`: the same reading and checks as `send-file`, without network or key."""

from collections.abc import Callable, Sequence

from reo_cli.errors import ReoError
from reo_cli.checker import Checker
from reo_cli.issues import IssueLog
from reo_cli.readers import ReadOptions, read
from reo_cli.readers.source import open_source
from reo_cli.records import Issue
from reo_cli.repeats import Repeats
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

    What cannot be opened or read on the way ends in `Validation.error`, with the results so far.
    """
    run = _Run(options, checker, log, progress)
    error = None
    try:
        for name in names:
            run.read_file(name)
        run.find_repeats()
    except ReoError as fault:
        error = fault
    return Validation(run.files, run.totals.result(), log.kept(), error)


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
        self.files: list[FileResult] = []
        self.totals = TotalsCounter()

    def read_file(self, name: str) -> None:
        result = FileResult(name)
        self.files.append(result)
        source = open_source(name)
        self._repeats.begin_file(name)
        check, add, repeat = self._checker.check, self.totals.add, self._repeats.add
        try:
            for item in read(source, self._options):
                if isinstance(item, Issue):
                    self._note(result, [item])
                    continue
                result.read += 1
                event, issues = check(item)
                if issues and self._note(result, issues):
                    result.invalid += 1
                if event is not None:
                    add(event.payload)
                    repeat(event)
                if result.read % PROGRESS_EVERY == 0:
                    self._progress(self._read + result.read)
            source.verify_unchanged()
        finally:
            source.close()
            self._read += result.read

    def _note(self, result: FileResult, issues: Sequence[Issue]) -> int:
        errors = self._log.add(issues)
        result.errors += errors
        result.warnings += len(issues) - errors
        return errors

    def find_repeats(self) -> None:
        by_name = {each.file: each for each in self.files}
        for issue in self._repeats.issues():
            result = by_name[issue.file]
            if self._note(result, [issue]):
                result.invalid += 1

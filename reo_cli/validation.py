"""What `reo validate` found: issues and totals, as plain values for the reports."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from reo_cli.errors import ExitCode, ReoError
from reo_cli.records import Issue


class Distinct(NamedTuple):
    """A number of distinct values; `estimated` when there were too many to count exactly."""

    number: int = 0
    estimated: bool = False


class Totals(NamedTuple):
    """What the valid events add up to; times are epoch seconds, days are UTC (`2026-11-23`).

    Valid is what passed the check of its own record: an event that repeats another one, or has its
    `event_id`, is among them. `per_day` are events, in the order of the days.
    """

    sum_of_count: int = 0
    domains: Distinct = Distinct()
    ips: Distinct = Distinct()
    first_event_at: int | None = None
    last_event_at: int | None = None
    per_day: Mapping[str, int] = MappingProxyType({})


class FileResult:
    """One input: records read, those with errors, issues found, and what its events add up to."""

    def __init__(
        self, file: str, read: int = 0, invalid: int = 0, errors: int = 0, warnings: int = 0
    ) -> None:
        self.file = file
        self.read = read
        self.invalid = invalid
        self.errors = errors
        self.warnings = warnings
        self.totals = Totals()
        self.error: ReoError | None = None
        """What kept the input from being read to its end."""
        self.skipped = 0
        """Records that `--only` and `--skip` left out; they are not read."""

    @property
    def valid(self) -> int:
        """Records without an error."""
        return self.read - self.invalid


class Validation(NamedTuple):
    """The end of a `validate` run; `issues` holds at most `--max-issues` of them.

    `error` is what kept an input from being read to its end, if anything did.
    """

    files: Sequence[FileResult]
    totals: Totals
    issues: Sequence[Issue] = ()
    error: ReoError | None = None
    repeats: int = 0
    """Records that are invalid because of another one only: they are in the totals."""

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

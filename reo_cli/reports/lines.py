"""Issues as lines, `file:line: field: message (hint)`, for people who read a pipe or a log.

At most `--max-issues` are printed; the others are counted in one last line. With 0 only that line
is left. Errors come before warnings where there is no room for both.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reo_cli.records import Issue
from reo_cli.reports.plain import clean
from reo_cli.reports.streams import Stream, Tone

if TYPE_CHECKING:
    from reo_cli.delivery.summary import Settled

FAILED = ("rejected", "errored")
"""Ends of a record that people want to see with the API's reason, beside the issues."""


def more_issues(unshown: int, printed: int) -> str:
    """The line that stands for the issues beyond `--max-issues`."""
    plural = "s" * (unshown != 1)
    how = f"(`--max-issues {unshown + printed}` shows all)"
    if printed:
        return f"… and {unshown:,} more issue{plural} {how}"
    return f"{unshown:,} issue{plural} not shown {how}"


def as_issue(settled: "Settled") -> Issue:
    """A record that the API did not take, as a finding."""
    message = f"{settled.outcome}: {settled.reason}" if settled.reason else settled.outcome
    return Issue(settled.file, settled.line, settled.record, "", "error", message)


class IssueLines:
    """Prints findings as they come; those that a result holds besides at the end."""

    def __init__(self, stream: Stream, limit: int, *, errors_only: bool = False) -> None:
        self._stream = stream
        self._limit = limit
        self._errors_only = errors_only
        self._printed = 0
        self._seen: set[Issue] = set()
        self._issues = 0
        self._failures = 0

    def issue(self, issue: Issue) -> None:
        """Print one; warnings leave half of the room to errors that may follow."""
        if self._errors_only and issue.severity == "warning":
            return
        self._issues += 1
        room = self._limit if issue.severity == "error" else (self._limit + 1) // 2
        if self._print(issue, room):
            self._seen.add(issue)

    def settled(self, settled: "Settled") -> None:
        """Print a record that was rejected or errored."""
        if settled.outcome in FAILED:
            self._failures += 1
            self._print(as_issue(settled), self._limit)

    def finish(self, issues: Sequence[Issue], errors: int, warnings: int) -> None:
        """Print what is left of `issues`, and how many of all there are beyond those printed."""
        for issue in issues:
            if issue in self._seen or (self._errors_only and issue.severity == "warning"):
                continue
            self._print(issue, self._limit)
        found = errors if self._errors_only else errors + warnings
        unshown = max(found, self._issues) + self._failures - self._printed
        if unshown > 0:
            self._stream.lines(more_issues(unshown, self._printed))

    def _print(self, issue: Issue, room: int) -> bool:
        if self._printed >= room:
            return False
        self._printed += 1
        self._stream.lines(_line(issue, self._stream))
        return True


def _line(issue: Issue, stream: Stream) -> str:
    """An issue of a file begins with its place, one of a command line with its severity."""
    if issue.line:
        place = f"{issue.file}:{issue.line}:"
        rest = str(issue).removeprefix(place)
    else:
        place = f"{issue.severity}:"
        rest = f" {issue._replace(file='', severity='error')}"
    tone: Tone = "warn" if issue.severity == "warning" else "bad"
    return stream.paint(clean(place, stream), tone) + clean(rest, stream)

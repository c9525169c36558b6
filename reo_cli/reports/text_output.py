"""Results and issues as lines of plain text: one line says one thing and names what it is about.

This is what a pipe, a log and a cron mail get. At most `--max-issues` issues are printed, the
others are counted in one last line; errors come before warnings where there is no room for both.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from reo_cli.records import Issue
from reo_cli.reports.streams import Stream, Tone
from reo_cli.reports.view import Cell, Column, Content, Grid
from reo_cli.text import visible

if TYPE_CHECKING:
    from reo_cli.delivery.summary import Settled

LONGEST_NAME = 1_000
LONGEST_LINE = 20_000
"""A path or a command is of use only whole; so is a body of a dry run, freak cases apart."""

FAILED = ("rejected", "errored")
"""Ends of a record that people want to see with the API's reason, beside the issues."""


def clean(text: str, stream: Stream, limit: int = LONGEST_LINE) -> str:
    """`text` fit to be shown; masked before it is cut, lest half a key be left."""
    return visible(stream.mask(text), limit)


def shown(cell: Cell, stream: Stream) -> str:
    """A cell as people read it."""
    return f"{cell:,}" if isinstance(cell, int) else clean(cell, stream, LONGEST_NAME)


def content_lines(content: Content, stream: Stream) -> Iterator[str]:
    """`content` for a pipe."""
    if content.grid is not None:
        for row in content.grid.all_rows():
            cells = zip(content.grid.columns[1:], row[1:], strict=True)
            counts = (f"{shown(cell, stream)} {_noun(column, cell)}" for column, cell in cells)
            yield f"{shown(row[0], stream)}: {', '.join(counts)}"
    for fact in content.facts:
        yield f"{fact.label}: {clean(fact.text, stream)}"
    yield from (clean(line, stream) for line in (*content.lines, *content.bodies))


def _noun(column: Column, cell: Cell) -> str:
    return column.name.removesuffix("s") if cell == 1 else column.name


def grid_lines(grid: Grid, stream: Stream) -> Iterator[str]:
    """`grid` for a pipe as columns, its heads in the first line."""
    heads = [column.name for column in grid.columns]
    rows = [heads, *([shown(cell, stream) for cell in row] for row in grid.all_rows())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


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
    where = (settled.file, settled.line, settled.record)
    return Issue(*where, "", "error", message, code=settled.outcome)


class IssueLines:
    """Prints issues as they come, or else at the end those that a result holds."""

    def __init__(self, stream: Stream, limit: int, *, errors_only: bool = False) -> None:
        self.stream = stream
        self.limit = limit
        self._errors_only = errors_only
        self._found = 0
        self._failures = 0
        self._printed = 0
        self._held: list[Issue] = []

    def issue(self, issue: Issue) -> None:
        """Tell of one."""
        if not (self._errors_only and issue.severity == "warning"):
            self._found += 1
            self.show(issue)

    def settled(self, settled: "Settled") -> None:
        """Tell of a record that was rejected or errored."""
        if settled.outcome in FAILED:
            self._failures += 1
            self.show(as_issue(settled))

    def finish(self, issues: Sequence[Issue], errors: int, warnings: int) -> None:
        """Show what is left, and how many of all issues there are beyond those shown."""
        if not self._found:
            for issue in issues:
                self.issue(issue)
        found = max(errors + (0 if self._errors_only else warnings), self._found)
        shown = self.show_rest()
        if found + self._failures > shown:
            self.stream.lines(more_issues(found + self._failures - shown, shown))

    def show(self, issue: Issue) -> None:
        """Print it; warnings leave half of the room to errors that may follow."""
        is_warning = issue.severity == "warning"
        room = (self.limit + 1) // 2 if is_warning else self.limit
        if self._printed < room:
            self._printed += 1
            self.stream.lines(_line(issue, self.stream))
        elif is_warning and len(self._held) < self.limit:
            self._held.append(issue)

    def show_rest(self) -> int:
        """Print the warnings that there is room for; return how many issues were shown in all."""
        rest = self._held[: max(0, self.limit - self._printed)]
        self.stream.lines(*(_line(issue, self.stream) for issue in rest))
        return self._printed + len(rest)


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

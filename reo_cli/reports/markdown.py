"""A result as markdown, for `$GITHUB_STEP_SUMMARY`.

Every punctuation mark of a text that may be foreign is written as a character reference: such a
mark has no meaning in markdown or HTML, so data adds no markup, no table cell and no tag.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from reo_cli.records import Issue
from reo_cli.reports.chart import bars
from reo_cli.reports.content import Closing, Content, Grid
from reo_cli.reports.lines import more_issues
from reo_cli.reports.plain import all_rows, clean, shown
from reo_cli.reports.streams import Stream

LARGEST_TABLE = 400_000
"""Characters of issues in a summary: GitHub refuses one of more than 1 MiB as a whole."""

_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")
_CHART_WIDTH = 80


class Section:
    """The section of one command, drawn with the mask of `stream`."""

    def __init__(self, title: str, stream: Stream) -> None:
        self._title = title
        self._stream = stream

    def lines(
        self, content: Content, closing: Closing, issues: Sequence[Issue], unshown: int
    ) -> Iterator[str]:
        """All of it; `issues` are shown as a table, `unshown` is the number of the others."""
        yield f"### {self._title}\n"
        yield from self._closing(closing)
        if content.grid is not None:
            yield from self._grid(content.grid)
        for fact in content.facts:
            yield f"- {fact.label}: {self._text(fact.text)}"
        yield ""
        yield from self._issues(issues, unshown)
        if content.chart is not None:
            yield f"{content.chart.title}\n\n```text"
            yield from bars(content.chart, _CHART_WIDTH)
            yield "```\n"
        for line in content.lines:
            yield f"- <code>{self._text(line)}</code>"
        yield ""

    def _closing(self, closing: Closing) -> Iterator[str]:
        for error in closing.errors:
            yield f"**error:** {self._text(error.message)}\n"
            if error.hint:
                yield f"**hint:** {self._text(error.hint)}\n"
        for hint in closing.hints:
            yield f"**hint:** {self._text(hint)}\n"
        if closing.warning:
            yield f"**warning:** {self._text(closing.warning)}\n"

    def _grid(self, grid: Grid) -> Iterator[str]:
        yield _row(column.name for column in grid.columns)
        yield _row(["---", *["---:"] * (len(grid.columns) - 1)])
        for row in all_rows(grid):
            yield _row(self._text(shown(cell, self._stream)) for cell in row)
        yield ""

    def _issues(self, issues: Sequence[Issue], unshown: int) -> Iterator[str]:
        if issues:
            yield _row(("where", "field", "severity", "problem"))
            yield _row(["---"] * 4)
        room, printed = LARGEST_TABLE, 0
        for issue in issues:
            row = self._issue(issue)
            room -= len(row)
            if room < 0:
                break
            printed += 1
            yield row
        unshown += len(issues) - printed
        if unshown > 0:
            yield f"\n{more_issues(unshown, printed)}"
        yield ""

    def _issue(self, issue: Issue) -> str:
        hint = f" ({issue.hint})" if issue.hint else ""
        where = f"{issue.file}:{issue.line}" if issue.line else ""
        cells = (where, issue.field, issue.severity, issue.message + hint)
        return _row(map(self._text, cells))

    def _text(self, text: str) -> str:
        return _PUNCTUATION.sub(
            lambda mark: f"&#{ord(mark[0])};", clean(text, self._stream, limit=4_000)
        )


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"

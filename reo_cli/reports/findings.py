"""Issues as a screen shows them: by file, each with its line, its words and the value in context.

Loaded only to draw a table; a pipe gets `str(issue)`, one line each.
"""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from reo_cli.records import Issue
from reo_cli.reports.lines import more_issues
from reo_cli.reports.plain import LONGEST_NAME, clean
from reo_cli.reports.streams import Stream
from reo_cli.reports.tables import STYLES, draw

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

NARROW = 60
"""Below these columns the words stand under the line number instead of beside it."""
LONGEST_TEXT = 2_000

_QUOTED = re.compile(r'"([^"]+)"|`([^`]+)`')


def finding_lines(issues: Sequence[Issue], unshown: int, stream: Stream) -> Iterator[str]:
    """`issues` grouped by file, and how many there are beyond them."""
    by_file: dict[str, list[Issue]] = {}
    for issue in issues:
        by_file.setdefault(issue.file, []).append(issue)
    for place, (file, found) in enumerate(by_file.items()):
        if place:
            yield ""
        yield f" {stream.paint(clean(file, stream, LONGEST_NAME), 'strong')}"
        yield from _of_the_file(found, stream)
        yield from draw(_of_records([each for each in found if each.record], stream), stream)
    if unshown:
        yield f" {more_issues(unshown, len(issues))}"


def _of_the_file(found: Sequence[Issue], stream: Stream) -> Iterator[str]:
    """Findings about the header; a line break of ours would spoil the command in their hint."""
    for issue in found:
        if issue.record == 0:
            warning = stream.paint("warning: ", "warn") if issue.severity == "warning" else ""
            field = f"{issue.field}: " if issue.field else ""
            yield f"  line {issue.line}: {warning}{clean(field + issue.message, stream)}"
            if issue.hint:
                yield f"  {stream.paint('hint:', 'hint')} {clean(issue.hint, stream)}"


def _of_records(found: Sequence[Issue], stream: Stream) -> "RenderableType":
    from rich.console import Group
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    if stream.width < NARROW:
        blocks: list[RenderableType] = []
        for issue in found:
            blocks.append(Text(f"  line {issue.line} {clean(issue.field, stream)}"))
            blocks.append(Padding(_problem(issue, stream.width - 4, stream), (0, 0, 0, 4)))
        return Group(*blocks)
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(justify="right", style="dim", no_wrap=True)
    grid.add_column(max_width=20, overflow="fold")
    grid.add_column(overflow="fold")
    taken = 6 + max((len(str(issue.line)) for issue in found), default=0) + 5
    taken += max((min(20, len(issue.field)) for issue in found), default=0)
    for issue in found:
        problem = _problem(issue, stream.width - taken, stream)
        grid.add_row(f"line {issue.line}", Text(clean(issue.field, stream), "bold"), problem)
    return Padding(grid, (0, 0, 0, 2))


def _problem(issue: Issue, room: int, stream: Stream) -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    words = Text(clean(issue.message, stream, LONGEST_TEXT), overflow="fold")
    if issue.severity == "warning":
        words = Text.assemble(("warning: ", STYLES["warn"]), words, overflow="fold")
    parts = [words]
    if issue.excerpt:
        parts.append(_in_context(issue, room, stream))
    if issue.hint:
        hint = clean(issue.hint, stream, LONGEST_TEXT)
        parts.append(Text.assemble(("hint: ", STYLES["hint"]), hint, overflow="fold"))
    return Group(*parts)


def _in_context(issue: Issue, room: int, stream: Stream) -> "Text":
    from rich.text import Text

    # Where `…` is three characters, both of them have to fit.
    room -= 0 if stream.utf8 else 4
    before, value, after = in_context(stream.mask(issue.excerpt), issue, room)
    return Text.assemble(
        (clean(before, stream), "dim"),
        (clean(value, stream), "bold underline"),
        (clean(after, stream), "dim"),
        no_wrap=True,
        overflow="ellipsis",
    )


def in_context(excerpt: str, issue: Issue, room: int) -> tuple[str, str, str]:
    """What stands in `excerpt` before the offending value, the value, and what stands after it.

    At most about `room` characters of the line that holds the value; the value is empty when the
    message doesn't quote it or it can't be told which of several places is meant.
    """
    line, start, end = _find(excerpt, issue)
    if start == end:
        return line[:room], "", "…" if len(line) > room else ""
    value = line[start:end][: max(room - 8, 8)]
    left = max(0, min(start - (room - len(value)) // 2, len(line) - room + 1))
    right = left + room - 1
    return (
        ("…" if left else "") + line[left:start],
        value,
        line[start + len(value) : right] + ("…" if right < len(line) else ""),
    )


def _find(excerpt: str, issue: Issue) -> tuple[str, int, int]:
    """The line of the excerpt that holds the value, and where in it."""
    quoted = _QUOTED.search(issue.message)
    value = (quoted[1] or quoted[2]) if quoted else ""
    lines = [line.strip() for line in excerpt.splitlines()] or [""]
    if not value:
        return lines[0], 0, 0
    key = rf'"{re.escape(issue.field.rpartition(".")[2])}"\s*:\s*'
    whole = rf"(?<!\w){re.escape(value)}(?!\w)"
    for pattern in (rf'{key}"?({re.escape(value)})', f"({whole})"):
        places = [(line, match) for line in lines for match in re.finditer(pattern, line)]
        if len(places) == 1:
            line, match = places[0]
            return line, match.start(1), match.end(1)
    return next((line for line in lines if value in line), lines[0]), 0, 0

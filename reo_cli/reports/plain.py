"""Content → lines of plain text: one line says one thing and names what it is about.

This is what a pipe, a log and a cron mail get; screens share its facts, charts and narrow lists.
"""

from collections.abc import Iterator, Sequence

from reo_cli.reports.content import Cell, Chart, Column, Content, Fact, Grid
from reo_cli.reports.streams import Stream, Tone
from reo_cli.text import visible

LONGEST_NAME = 1_000
LONGEST_LINE = 20_000
"""A path or a command is of use only whole; so is a body of a dry run, freak cases apart."""


def plain_lines(content: Content, stream: Stream) -> Iterator[str]:
    """`content` for a pipe."""
    if content.grid is not None:
        for row in all_rows(content.grid):
            cells = zip(content.grid.columns[1:], row[1:], strict=True)
            counts = (f"{shown(cell, stream)} {_noun(column, cell)}" for column, cell in cells)
            yield f"{shown(row[0], stream)}: {', '.join(counts)}"
    for fact in content.facts:
        yield f"{fact.label}: {clean(fact.text, stream)}"
    yield from (line.strip() for line in chart_lines(content.chart, stream))
    yield from (clean(line, stream) for line in content.lines)


def _noun(column: Column, cell: Cell) -> str:
    return column.name.removesuffix("s") if cell == 1 else column.name


def plain_grid(grid: Grid, stream: Stream) -> Iterator[str]:
    """`grid` for a pipe as columns, its heads in the first line."""
    heads = [column.name for column in grid.columns]
    rows = [[shown(cell, stream) for cell in row] for row in all_rows(grid)]
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    for row in (heads, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def stacked_grid(grid: Grid, stream: Stream) -> Iterator[str]:
    """`grid` as a list per row, for narrow screens; zeros only in the last one."""
    rows = all_rows(grid)
    names = max(len(column.name) for column in grid.columns)
    for row in rows:
        yield stream.paint(shown(row[0], stream), "strong")
        for column, cell in zip(grid.columns[1:], row[1:], strict=True):
            if cell != 0 or row is rows[-1]:
                text = stream.paint(f"{shown(cell, stream):>9}", tone_of(column, cell))
                yield f"  {column.name:<{names}} {text}"


def fact_lines(facts: Sequence[Fact], stream: Stream) -> Iterator[str]:
    """`facts` for a screen, their labels in one column."""
    labels = max((len(fact.label) for fact in facts), default=0)
    for fact in facts:
        label = f"{fact.label:<{labels}}"
        for line in _wrapped(clean(fact.text, stream), stream.width - labels - 3):
            yield f" {stream.paint(label, 'dim')}  {stream.paint(line, fact.tone)}"
            label = " " * labels


def _wrapped(text: str, width: int) -> list[str]:
    """`text` in lines, broken between words only: a path stays whole."""
    if len(text) <= width:
        return [text]
    from textwrap import wrap

    return wrap(text, max(width, 10), break_long_words=False, break_on_hyphens=False) or [text]


def chart_lines(chart: Chart | None, stream: Stream) -> Iterator[str]:
    """`chart` for a screen or a pipe; `bars` needs the calendar, so it is loaded here."""
    if chart is None:
        return
    from reo_cli.reports.chart import bars

    yield f" {stream.paint(chart.title, 'dim')}"
    yield from (f" {line}" for line in bars(chart, stream.width))


def tone_of(column: Column, cell: Cell) -> Tone:
    """The tone of `cell`: a zero is no news."""
    return "dim" if cell == 0 else column.tone


def shown(cell: Cell, stream: Stream) -> str:
    """A cell as people read it."""
    return f"{cell:,}" if isinstance(cell, int) else clean(cell, stream, LONGEST_NAME)


def clean(text: str, stream: Stream, limit: int = LONGEST_LINE) -> str:
    """`text` fit to be shown; masked before it is cut, lest half a key be left."""
    return visible(stream.mask(text), limit)


def all_rows(grid: Grid) -> list[Sequence[Cell]]:
    """The rows of `grid`, the total last."""
    return [*grid.rows, *([grid.total] if grid.total is not None else ())]

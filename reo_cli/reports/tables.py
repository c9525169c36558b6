"""Content → what a screen shows: tables and findings drawn by rich, in the width of the terminal.

rich is imported when something is drawn: it costs as much time as all the rest of a small command.
Data reaches it as `Text`, never as markup, and is made visible before.
"""

import io
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from reo_cli.reports.content import Cell, Column, Content, Grid
from reo_cli.reports.plain import (
    chart_lines,
    clean,
    fact_lines,
    shown,
    stacked_grid,
    tone_of,
)
from reo_cli.reports.streams import Stream, Tone

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

NARROWEST_NAME = 16
"""A column of texts is folded down to this before the table gives way to a list."""

STYLES: dict[Tone, str] = {
    "": "",
    "bad": "bold red",
    "warn": "yellow",
    "good": "green",
    "hint": "cyan",
    "dim": "dim",
    "strong": "bold",
}


def table_lines(content: Content, stream: Stream) -> Iterator[str]:
    """`content` for a screen, its parts set apart by an empty line."""
    parts: list[Iterable[str]] = [
        grid_lines(content.grid, stream) if content.grid else (),
        _findings(content, stream),
        fact_lines(content.facts, stream),
        chart_lines(content.chart, stream),
        (clean(line, stream) for line in content.lines),
    ]
    written = False
    for part in parts:
        lines = list(part)
        if lines and written:
            yield ""
        yield from lines
        written = written or bool(lines)


def grid_lines(grid: Grid, stream: Stream) -> Iterable[str]:
    """A table, without its columns of zeros where they don't fit; else a list for each row."""
    for candidate in (grid, _without_zeros(grid)):
        if _width_needed(candidate, stream) <= stream.width:
            return draw(_table(candidate, stream), stream)
    return stacked_grid(grid, stream)


def _without_zeros(grid: Grid) -> Grid:
    places = [place for place in range(len(grid.columns)) if any(_column(grid, place))]
    total = None if grid.total is None else [grid.total[place] for place in places]
    rows = [[row[place] for place in places] for row in grid.rows]
    return Grid([grid.columns[place] for place in places], rows, total)


def draw(renderable: "RenderableType", stream: Stream) -> list[str]:
    """What rich makes of `renderable` for `stream`, without blanks at the ends of lines.

    The environment has no say: `stream` knows whether there is a terminal and colour.
    """
    from rich.console import Console

    drawn = io.StringIO()
    console = Console(
        file=drawn,
        width=stream.width,
        color_system="standard" if stream.colour else None,
        force_terminal=stream.colour,
        force_jupyter=False,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    console.print(renderable)
    lines = [line.rstrip() for line in drawn.getvalue().splitlines()]
    return lines[bool(lines and not lines[0]) : len(lines) - bool(lines and not lines[-1])]


def _findings(content: Content, stream: Stream) -> Iterable[str]:
    if not (content.issues or content.unshown):
        return ()
    from reo_cli.reports.findings import finding_lines

    return finding_lines(content.issues, content.unshown, stream)


def _width_needed(grid: Grid, stream: Stream) -> int:
    from rich.cells import cell_len

    width = 1
    for place, column in enumerate(grid.columns):
        cells = _column(grid, place)
        widest = max((cell_len(shown(cell, stream)) for cell in cells), default=0)
        if not _numeric(cells):
            widest = min(widest, NARROWEST_NAME)
        width += max(widest, *map(len, column.name.split())) + 2
    return width


def _table(grid: Grid, stream: Stream) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=box.SIMPLE, padding=(0, 1, 0, 0), show_footer=grid.total is not None, show_edge=True
    )
    for place, column in enumerate(grid.columns):
        numeric = _numeric(_column(grid, place))
        total = "" if grid.total is None else grid.total[place]
        table.add_column(
            Text("\n".join(column.name.split()) if numeric else column.name),
            _cell(column, total, stream),
            header_style="dim",
            footer_style="bold",
            vertical="bottom",
            justify="right" if numeric else "left",
            no_wrap=numeric,
            overflow="fold",
        )
    for row in grid.rows:
        table.add_row(*(_cell(*pair, stream) for pair in zip(grid.columns, row, strict=True)))
    return table


def _cell(column: Column, cell: Cell, stream: Stream) -> "RenderableType":
    from rich.text import Text

    return Text(shown(cell, stream), STYLES[tone_of(column, cell)])


def _column(grid: Grid, place: int) -> list[Cell]:
    total = [] if grid.total is None else [grid.total[place]]
    return [row[place] for row in grid.rows] + total


def _numeric(cells: list[Cell]) -> bool:
    return all(isinstance(cell, int) for cell in cells)

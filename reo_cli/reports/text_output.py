"""Results as lines of plain text: one line says one thing and names what it is about.

This is what a pipe, a log and a cron mail get.
"""

from collections.abc import Iterator

from reo_cli.reports.streams import Stream
from reo_cli.reports.view import Cell, Column, Grid, View


def shown(cell: Cell, stream: Stream) -> str:
    """A cell as people read it."""
    return f"{cell:,}" if isinstance(cell, int) else stream.clean(cell)


def view_lines(view: View, stream: Stream) -> Iterator[str]:
    """A result for a pipe."""
    for block in view.blocks:
        if not isinstance(block, Grid):
            yield from (stream.clean(str(item)) for item in block)
            continue
        for row in block.rows:
            cells = zip(block.columns[1:], row[1:], strict=True)
            counts = (f"{shown(cell, stream)} {_noun(column, cell)}" for column, cell in cells)
            yield f"{shown(row[0], stream)}: {', '.join(counts)}"


def _noun(column: Column, cell: Cell) -> str:
    return column.name.removesuffix("s") if cell == 1 else column.name

"""Results as a screen shows them: tables drawn by rich, texts broken between words only.

rich is imported when a table is drawn: it costs as much time as all the rest of a small command.
Data reaches it as `Text`, never as markup, and is made visible before.
"""

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from reo_cli.reports.streams import Stream, Tone
from reo_cli.reports.text_output import clean, shown
from reo_cli.reports.view import Cell, Column, Content, Fact, Grid

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

STYLES: dict[Tone, str] = {
    "": "",
    "bad": "bold red",
    "warn": "yellow",
    "good": "green",
    "hint": "cyan",
    "dim": "dim",
    "strong": "bold",
}

_COMMAND = re.compile(r"`([^`]*\breo [a-z][^`]*)`|(?<=: )(reo [a-z-]+ .*)$")
_MENTION = 3
"""Words of a command that may stand inside a sentence; a longer one is there to be pasted."""


def content_lines(content: Content, stream: Stream) -> Iterator[str]:
    """`content` for a screen, its parts set apart by an empty line."""
    parts: list[Iterable[str]] = [
        table_lines(content.grid, stream) if content.grid else (),
        fact_lines(content.facts, stream),
        (clean(line, stream) for line in content.lines),
        (line for body in content.bodies for line in _indented(body, stream)),
    ]
    written = False
    for part in parts:
        lines = list(part)
        if lines and written:
            yield ""
        yield from lines
        written = written or bool(lines)


def _indented(body: str, stream: Stream) -> Iterator[str]:
    import json

    text = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    yield from (clean(line, stream) for line in text.split("\n"))


def fact_lines(facts: Sequence[Fact], stream: Stream) -> Iterator[str]:
    """`facts`, their labels in one column."""
    room = max((len(fact.label) for fact in facts), default=0)
    for fact in facts:
        label = f"{fact.label:<{room}}"
        for line in wrapped(clean(fact.text, stream), stream.width - room - 3):
            yield f" {stream.paint(label, 'dim')}  {stream.paint(line, fact.tone)}"
            label = " " * room


def wrapped(text: str, width: int) -> list[str]:
    """`text` in lines, broken between words only: a path stays whole."""
    if len(text) <= width:
        return [text]
    from textwrap import wrap

    return wrap(text, max(width, 10), break_long_words=False, break_on_hyphens=False) or [text]


def labelled(label: str, tone: Tone, text: str, stream: Stream, margin: str = "") -> Iterator[str]:
    """`label text` in as many lines as it takes; a command to paste has its own, unbroken."""
    indent = margin + " " * (len(label) + bool(label))
    begin = margin + (f"{stream.paint(label, tone)} " if label else "")
    for part, is_command in _parts(clean(text, stream)):
        if is_command:
            if begin != indent:
                yield begin.rstrip()
            yield f"{margin}  {part}"
            begin = indent
            continue
        for line in wrapped(part, stream.width - len(indent)):
            yield f"{begin}{line}"
            begin = indent


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """The sentences of `text` and the commands to paste between them, which are True."""
    at = 0
    for match in _COMMAND.finditer(text):
        rest, command = text[match.end() :].strip(" ."), match[1] or match[2]
        if command.count(" ") < _MENTION and (rest or not match.start()):
            continue
        before = text[at : match.start()].strip(" ;,")
        if before:
            yield (before if before.endswith(":") else f"{before}:"), False
        yield command, True
        at = match.end()
    rest = text[at:].strip(" ;,") if at else text
    if rest:
        yield rest, False


def table_lines(grid: Grid, stream: Stream) -> Iterable[str]:
    """A table of the columns that hold something; where that is too wide, a list for each row."""
    from rich.measure import Measurement

    grid = _without_zeros(grid)
    table = _table(grid, stream)
    console = _console(stream, io.StringIO())
    options = console.options.update(max_width=10_000)
    if Measurement.get(console, options, table).maximum <= stream.width:
        return draw(table, stream)
    return _stacked(grid, stream)


def draw(renderable: "RenderableType", stream: Stream) -> list[str]:
    """What rich makes of `renderable` for `stream`, without blanks at the ends of lines."""
    drawn = io.StringIO()
    _console(stream, drawn).print(renderable)
    lines = [line.rstrip() for line in drawn.getvalue().splitlines()]
    return lines[bool(lines and not lines[0]) : len(lines) - bool(lines and not lines[-1])]


def _console(stream: Stream, file: io.StringIO) -> "Console":
    """rich for `stream`; the environment has no say, `stream` knows what it can show."""
    from rich.console import Console
    from rich.theme import Theme

    return Console(
        file=file,
        theme=Theme({"markdown.code": "cyan"}),  # rich's has a black ground, also on white screens
        width=stream.width,
        color_system="standard" if stream.colour else None,
        force_terminal=stream.colour,
        force_jupyter=False,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )


def _without_zeros(grid: Grid) -> Grid:
    rows = grid.all_rows()
    kept = [at for at in range(len(grid.columns)) if at < 2 or any(row[at] for row in rows)]
    total = None if grid.total is None else [grid.total[at] for at in kept]
    return Grid(
        [grid.columns[at] for at in kept], [[r[at] for at in kept] for r in grid.rows], total
    )


def _table(grid: Grid, stream: Stream) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0), show_footer=grid.total is not None)
    for place, column in enumerate(grid.columns):
        numeric = all(isinstance(row[place], int) for row in grid.rows)
        total = "" if grid.total is None else grid.total[place]
        table.add_column(
            Text(column.name),
            Text(shown(total, stream), "bold"),
            header_style="dim",
            justify="right" if numeric else "left",
            no_wrap=True,
        )
    for row in grid.rows:
        cells = zip(grid.columns, row, strict=True)
        table.add_row(*(Text(shown(cell, stream), _style(column, cell)) for column, cell in cells))
    return table


def _style(column: Column, cell: Cell) -> str:
    """A zero is no news."""
    return STYLES["dim" if cell in (0, "-") else column.tone]


def _stacked(grid: Grid, stream: Stream) -> Iterator[str]:
    names = max(len(column.name) for column in grid.columns)
    numeric = all(isinstance(cell, int) for row in grid.rows for cell in row[1:])
    for row in grid.all_rows():
        yield stream.paint(shown(row[0], stream), "strong")
        for column, cell in zip(grid.columns[1:], row[1:], strict=True):
            text = f"{shown(cell, stream):>9}" if numeric else shown(cell, stream)
            if cell != 0:
                yield f"  {column.name:<{names}} {stream.paint(text, column.tone)}"

"""Results as a screen shows them: tables drawn by rich, texts broken between words only.

rich is imported when something is drawn: it costs as much time as all the rest of a small command.
Data reaches it as `Text`, never as markup, and is made visible before.
"""

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from reo_cli.reports.streams import Stream
from reo_cli.reports.view import Fact, Grid, Line, View, shown

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

_COMMAND = re.compile(r"`([^`]*\breo [a-z][^`]*)`|(?<=: )(reo [a-z-]+ .*)$")
_MENTION = 3
"""Words of a command that may stand inside a sentence; a longer one is there to be pasted."""


def view_lines(view: View, stream: Stream) -> Iterator[str]:
    """A result for a screen, its blocks set apart by an empty line."""
    for number, block in enumerate([each for each in view.blocks if each]):
        if number:
            yield ""
        if isinstance(block, Grid):
            yield from table_lines(block, stream)
            continue
        room = max((len(item.label) for item in block if isinstance(item, Fact)), default=0)
        for item in block:
            if isinstance(item, Fact):
                yield from _fact_lines(item, room, stream)
            elif isinstance(item, Line):
                yield from labelled(item, stream)
            else:
                yield from (stream.clean(line) for line in item.indented().split("\n"))


def _fact_lines(fact: Fact, room: int, stream: Stream) -> Iterator[str]:
    label = f"{fact.label:<{room}}"
    for line in wrapped(stream.clean(fact.text), stream.width - room - 3):
        yield f" {stream.paint(label, 'dim')}  {stream.paint(line, fact.tone)}"
        label = " " * room


def wrapped(text: str, width: int) -> list[str]:
    """`text` in lines, broken between words only: a path stays whole."""
    if len(text) <= width:
        return [text]
    from textwrap import wrap

    return wrap(text, max(width, 10), break_long_words=False, break_on_hyphens=False) or [text]


def labelled(line: Line, stream: Stream) -> Iterator[str]:
    """`line` in as many lines as it takes; a command to paste has its own, unbroken."""
    label, tone, margin = line.label, line.tone, line.margin
    indent = margin + " " * (len(label) + bool(label))
    begin = margin + (f"{stream.paint(label, tone)} " if label else "")
    for part, is_command in _parts(stream.clean(line.text)):
        if is_command:
            if begin != indent:
                yield begin.rstrip()
            yield f"{margin}  {part}"
            begin = indent
            continue
        for piece in wrapped(part, stream.width - len(indent)):
            yield begin + stream.paint(piece, "" if label else tone)
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
    kept = [at for at in range(len(grid.columns)) if at < 2 or any(row[at] for row in grid.rows)]
    columns = [*grid.columns.items()]
    rows = [[row[at] for at in kept] for row in grid.rows]
    grid = Grid(dict(columns[at] for at in kept), rows, grid.summed)
    table, console = _table(grid, stream), _console(stream)
    wide = console.options.update(max_width=10_000)
    if console.measure(table, options=wide).maximum <= stream.width:
        return draw(table, stream)
    return _stacked(grid, stream)


def _table(grid: Grid, stream: Stream) -> "Table":
    """A table in which a row that sums the others up stands below a rule; a zero is no news."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0), show_footer=grid.summed)
    for name, *cells in zip(grid.columns, *grid.rows, strict=True):
        table.add_column(
            Text(name),
            Text(shown(cells[-1], stream)),
            header_style="dim",
            justify="right" if isinstance(cells[0], int) else "left",
            no_wrap=True,
        )
    for row in grid.rows[: len(grid.rows) - grid.summed]:
        pairs = zip(row, grid.columns.values(), strict=True)
        cells = [stream.paint(shown(cell, stream), tone if cell else "dim") for cell, tone in pairs]
        table.add_row(*map(Text.from_ansi, cells))
    return table


def _stacked(grid: Grid, stream: Stream) -> Iterator[str]:
    room = max(map(len, grid.columns))
    numeric = all(isinstance(cell, int) for row in grid.rows for cell in row[1:])
    _, *columns = grid.columns.items()
    for first, *cells in grid.rows:
        yield stream.paint(shown(first, stream), "strong")
        for (name, tone), cell in zip(columns, cells, strict=True):
            text = f"{shown(cell, stream):>{9 if numeric else 0}}"
            if cell != 0:
                yield f"  {name:<{room}} {stream.paint(text, tone)}"


def topic_lines(text: str, stream: Stream) -> list[str]:
    """A topic of `reo help`: Markdown drawn on a terminal, in a pipe the file itself.

    The marks by which the tests fill in its tables are nothing to read, and are left out.
    """
    lines = [line for line in text.splitlines() if not line.startswith("<!--")]
    if not stream.terminal:
        return lines
    from rich.markdown import Markdown

    return draw(Markdown("\n".join(lines), code_theme="ansi_dark", hyperlinks=False), stream)


def draw(renderable: "RenderableType", stream: Stream) -> list[str]:
    """What rich makes of `renderable` for `stream`, without blanks at the ends of lines."""
    console = _console(stream)
    with console.capture() as drawn:
        console.print(renderable)
    lines = [line.rstrip() for line in drawn.get().splitlines()]
    return lines[bool(lines and not lines[0]) : len(lines) - bool(lines and not lines[-1])]


def _console(stream: Stream) -> "Console":
    """rich for `stream`, which knows better than the environment what it can show."""
    from rich.console import Console
    from rich.theme import Theme

    return Console(
        theme=Theme({"markdown.code": "cyan"}),  # rich's has a black ground, also on white screens
        width=stream.width,
        color_system="standard" if stream.colour else None,
        force_terminal=stream.colour,
    )

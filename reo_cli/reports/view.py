"""What a command's result says, as a `View`: values that have no form yet.

Text, terminal, markdown and JSON are drawn from the same view, so that they can't tell different
stories. Texts in it are still raw: whoever writes them out makes them visible. The simplest form is
here: what a pipe, a log and a cron mail get, where one line says one thing.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from reo_cli.errors import ExitCode, ReoError
from reo_cli.records import Issue
from reo_cli.reports.streams import Stream, Tone

Cell = str | int
Shape = dict[str, object]
Rows = Sequence[tuple[str, Mapping[str, int]]]


class Grid(NamedTuple):
    """Rows under named columns; the first cell names its row, the last row may sum the others.

    The tone of a column is for its numbers other than 0, or for its texts.
    """

    columns: Mapping[str, Tone]
    rows: Sequence[Sequence[Cell]]
    summed: bool = False


class Fact(NamedTuple):
    """A text with a label; on a screen the labels of a block stand in one column."""

    label: str
    text: str
    tone: Tone = ""

    def __str__(self) -> str:
        return f"{self.label}: {self.text}"


class Line(NamedTuple):
    """A line of its own, with a label before it or without; `tone` is that of the label, if any."""

    text: str
    label: str = ""
    tone: Tone = ""
    margin: str = ""

    def __str__(self) -> str:
        return f"{self.label} {self.text}" if self.label else self.text


class Json(str):
    """JSON as text: it stands in JSON as it is, its numbers unchanged; a screen indents it."""

    __slots__ = ()

    def indented(self) -> str:
        """The same JSON in several lines."""
        import json

        return json.dumps(json.loads(self), indent=2, ensure_ascii=False)


Block = Grid | Sequence[Fact | Line | Json]
"""What a screen sets apart from the rest by an empty line."""


class View(NamedTuple):
    """The end of a command.

    `shape` is its JSON after what all results begin with, or all of it where `status` is empty.
    `blocks` are for people, `issues` those kept. `entries` are what `-o ndjson` has before the
    summary and was not written before.

    The last words are `errors` (what went wrong), `hints` (what to do next), `kept` (where the
    events of a failing run are, said under `-q` only) and `forgiven`. `done` says what was
    delivered although it cannot be printed; `died` that nothing came of the run, so that the error
    is told first.
    """

    status: str
    exit_code: ExitCode
    shape: Shape
    blocks: Sequence[Block] = ()
    issues: Sequence[Issue] = ()
    entries: Sequence[Shape] = ()
    errors: Sequence[ReoError | None] = ()
    hints: Sequence[str] = ()
    kept: Sequence[str] = ()
    forgiven: str = ""
    done: str = ""
    died: bool = False

    def lines(self, stream: Stream) -> Iterator[str]:
        """The result for a pipe."""
        for block in self.blocks:
            if not isinstance(block, Grid):
                yield from (stream.clean(str(item)) for item in block)
                continue
            _, *names = block.columns
            for first, *cells in block.rows:
                counts = [_counted(*each, stream) for each in zip(cells, names, strict=True)]
                yield f"{shown(first, stream)}: {', '.join(counts)}"


def shown(cell: Cell, stream: Stream) -> str:
    """A cell as people read it."""
    return f"{cell:,}" if isinstance(cell, int) else stream.clean(cell)


def _counted(cell: Cell, noun: str, stream: Stream) -> str:
    return f"{shown(cell, stream)} {noun.removesuffix('s') if cell == 1 else noun}"


def counted(rows: Rows, tones: Mapping[str, Tone], *, summed: bool) -> Grid:
    """The grid of what was counted of each input: a column for each count of the first."""
    names = list(rows[0][1])
    columns = {name.replace("_", " "): tones.get(name, "") for name in names}
    cells: list[list[Cell]] = [[file, *(counts[name] for name in names)] for file, counts in rows]
    return Grid({"file": "", **columns}, cells, summed)

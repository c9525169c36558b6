"""What people are shown of a result, before it has a form: a grid, facts, a chart, plain lines.

Every command describes its result once in these values; text, table and markdown are drawn from
the same description, so that they can't tell different stories. Texts in it are still raw.
Named tuples: a frozen dataclass costs ten times as much at import, and start-up time counts.
"""

from collections.abc import Sequence
from typing import NamedTuple

from reo_cli.errors import ReoError
from reo_cli.records import Issue
from reo_cli.reports.streams import Tone

Cell = str | int


class Column(NamedTuple):
    """A column of a grid; `tone` is for its numbers other than 0, or for its texts."""

    name: str
    tone: Tone = ""


class Fact(NamedTuple):
    """A labelled line. `text` is never broken by us, so that a path or a command can be copied."""

    label: str
    text: str
    tone: Tone = ""


class Grid(NamedTuple):
    """Rows under named columns; the first column names the row, `total` sums the others up."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    total: Sequence[Cell] | None = None


class Chart(NamedTuple):
    """Bars under a title: a label and a number each."""

    title: str
    bars: Sequence[tuple[str, int]]


class Content(NamedTuple):
    """A whole result: its parts in the order in which they are shown.

    `issues` are those a table shows (a pipe gets them line by line, as they are found), `unshown`
    those found beyond them. `lines` are printed as they are: bodies, commands.
    """

    grid: Grid | None = None
    issues: Sequence[Issue] = ()
    unshown: int = 0
    facts: Sequence[Fact] = ()
    chart: Chart | None = None
    lines: Sequence[str] = ()


class Closing(NamedTuple):
    """The last words, on standard error: what went wrong, what to do next, what was forgiven."""

    errors: Sequence[ReoError] = ()
    hints: Sequence[str] = ()
    warning: str = ""

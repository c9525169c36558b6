"""What a command gives to its report: a `View` of its result, in values that have no form yet.

Text, terminal and markdown are drawn from the same `Content`, so that they can't tell different
stories. Texts in it are still raw: whoever writes them out makes them visible.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from reo_cli.errors import ExitCode, ReoError
from reo_cli.records import Issue
from reo_cli.reports.streams import Tone

if TYPE_CHECKING:
    from reo_cli.delivery.summary import SendResult, Settled, Summary

Cell = str | int
Shape = dict[str, object]


class Column(NamedTuple):
    """A column of a grid; `tone` is for its numbers other than 0, or for its texts."""

    name: str
    tone: Tone = ""


class Fact(NamedTuple):
    """A labelled line. `text` is broken between words only, so that a path can be copied."""

    label: str
    text: str
    tone: Tone = ""


def is_elsewhere(result: "Summary | SendResult") -> bool:
    """Whether events went where a setting says; `--sandbox` was typed for this run."""
    return result.endpoint_source not in ("", "flag --sandbox")


def endpoint_fact(result: "Summary | SendResult") -> Fact:
    """Where events went, with the source of an endpoint that is not the API's."""
    source = f" ({result.endpoint_source})" if result.endpoint_source else ""
    return Fact("endpoint", f"{result.endpoint}{source}")


class Grid(NamedTuple):
    """Rows under named columns; the first column names the row, `total` sums the others up."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    total: Sequence[Cell] | None = None

    def all_rows(self) -> list[Sequence[Cell]]:
        """The rows, the total last."""
        return [*self.rows, *([self.total] if self.total is not None else ())]


class Content(NamedTuple):
    """A result for people: its parts in the order in which they are shown.

    `lines` are printed as they are, `bodies` are JSON, which a terminal shows indented.
    """

    grid: Grid | None = None
    facts: Sequence[Fact] = ()
    lines: Sequence[str] = ()
    bodies: Sequence[str] = ()


class Closing(NamedTuple):
    """The last words, on standard error: what went wrong, what to do next, what was forgiven.

    `done` says what was delivered in spite of all, `kept` what a failing run under `-q` says of its
    events; `died` that nothing came of the run, so that the error is told first.
    """

    errors: Sequence[ReoError] = ()
    hints: Sequence[str] = ()
    warning: str = ""
    done: str = ""
    kept: Sequence[str] = ()
    died: bool = False


class Result(Protocol):
    """What every command ends with."""

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of the process, lost output apart."""


ResultT = TypeVar("ResultT", bound=Result)


class View(NamedTuple, Generic[ResultT]):
    """One command's results: `shape` is their JSON, `content` and `closing` what people are told.

    `content` is asked with True for a terminal. `issues_of` gives the issues kept and the numbers
    of all errors and warnings, `blank` the result of a run that failed before there was one, `line`
    the ndjson of a settled record.
    """

    name: str
    blank: Callable[[ReoError], ResultT]
    shape: Callable[[ResultT], Shape]
    content: Callable[[ResultT, bool], Content]
    closing: Callable[[ResultT], Closing]
    issues_of: Callable[[ResultT], tuple[Sequence[Issue], int, int]] = lambda _: ((), 0, 0)
    line: "Callable[[Settled], Shape] | None" = None

"""What a command gives to its report, and what a form is: the two seams of this package."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from reo_cli.errors import ExitCode, ReoError
from reo_cli.records import Issue
from reo_cli.reports.content import Closing, Content

if TYPE_CHECKING:
    from reo_cli.delivery.summary import Settled


class Result(Protocol):
    """What every command ends with."""

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of the process, lost output apart."""


ResultT = TypeVar("ResultT", bound=Result)
ResultT_contra = TypeVar("ResultT_contra", contravariant=True)


class Command(NamedTuple, Generic[ResultT]):
    """One command's results: `shape` is its JSON, `content` and `closing` what people are told.

    `issues_of` gives the issues kept and the numbers of all errors and warnings; `blank` the
    result of a run that failed before there was one; `line` the ndjson of a settled record.
    """

    name: str
    blank: Callable[[ReoError], ResultT]
    shape: Callable[[ResultT], dict[str, object]]
    issues_of: Callable[[ResultT], tuple[Sequence[Issue], int, int]]
    content: Callable[[ResultT], Content]
    closing: Callable[[ResultT], Closing]
    line: "Callable[[Settled], dict[str, object]] | None" = None


class Form(Protocol[ResultT_contra]):
    """How results look."""

    def settled(self, settled: "Settled") -> None:
        """One record has reached its end."""

    def finish(self, result: ResultT_contra) -> None:
        """Write the result."""

"""Results for people: a table on a terminal, plain text of the same content otherwise."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Generic

from reo_cli.reports.command import Command, ResultT
from reo_cli.reports.plain import plain_lines
from reo_cli.reports.streams import Stream

if TYPE_CHECKING:
    from reo_cli.delivery.summary import Settled


class PeopleForm(Generic[ResultT]):
    """Draws the content of a result on `out`: `table`, or else `text`."""

    def __init__(self, out: Stream, command: Command[ResultT], output: str) -> None:
        self._out = out
        self._command = command
        self._as_table = output == "table"

    def settled(self, settled: "Settled") -> None:
        """Nothing: the result holds the counts."""

    def finish(self, result: ResultT) -> None:
        """Draw it."""
        self._out.lines(*self._lines(result))

    def _lines(self, result: ResultT) -> Iterable[str]:
        content = self._command.content(result)
        if not self._as_table:
            return plain_lines(content, self._out)
        from reo_cli.reports.tables import table_lines

        return table_lines(content, self._out)

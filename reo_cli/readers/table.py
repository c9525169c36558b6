"""Rows of a table, whatever it was read from → Records, by what its header's names stand for."""

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any

from reo_cli.events import folded
from reo_cli.readers.columns import Columns, Maker, Problem, as_text, missing, with_fault
from reo_cli.readers.options import ReadOptions
from reo_cli.records import Issue, Record
from reo_cli.text import pasted, visible

Row = Sequence[Any]
"""Cells: text, or a value with a type where the format has one; "" where there is none."""

Rows = Iterator[tuple[int, Row, str, Problem | None]]
"""Rows that are not blank: line, cells, text, and what keeps one from being a record."""

_LOOKED_AT = 50
"""Rows that show what the columns of a bad header hold."""

_TOTALS = frozenset(
    "total totals subtotal sum grand overall gesamt summe insgesamt celkem totale totaal".split()
)
"""Words that begin the row of a sum."""

_TOTALS_BEGIN = frozenset(word[:3] for word in _TOTALS)


class Table(Maker):
    """The columns of one table; `records` makes a Record of each row.

    `line` is where the header stands, `mark` what separates cells, for messages.
    """

    columns: Columns

    def __init__(
        self, file: str, header: Sequence[str], line: int, options: ReadOptions, mark: str = ""
    ) -> None:
        super().__init__(file, options)
        self.header = list(header)
        self.line = line
        self._mark = mark

    def records(self, rows: Rows) -> Iterator[Record | Issue]:
        """Yield a Record for each row, or Issues about the header."""
        first = [] if all(map(str.strip, self.header)) else list(islice(rows, 1))
        self._name_columns(first[0][1] if first else ())
        self.columns = Columns(self.header, self._options, header=True)
        problem = self._header_problem(
            row for _, row, _, _ in chain(first, islice(rows, _LOOKED_AT))
        )
        if problem:
            yield self.issue(self.line, "error", problem)
        there = {*map(folded, self.header)}
        for name in self._options.ignored:
            if folded(name) not in there:
                message = f"there is no column `{visible(name, 60)}`, which --ignore names"
                yield self.issue(self.line, "warning", Problem("ignores-nothing", message))
        if not problem:
            for line, row, text, wrong in chain(first, rows):
                yield self._record(line, row, text, wrong)

    def _name_columns(self, first: Row) -> None:
        """Call nameless columns by their number where options do, or where the first row has text.

        One without a name and without content is a delimiter too many.
        """
        options = self._options
        said = {*options.mapped.values(), *options.ignored, *options.only, *options.skip}
        self._unnamed = []
        for at, name in enumerate(self.header):
            if not name.strip():
                own = f"column {at + 1}"
                is_used = own in said or options.extra != "error"
                if is_used or (at < len(first) and as_text(first[at])):
                    self.header[at] = own
                else:
                    self._unnamed.append(at)

    def _header_problem(self, rows: Iterator[Row]) -> Problem | None:
        """Return what is wrong with the header, of which `rows` show what its columns hold."""
        columns, options = self.columns, self._options
        lost = [
            f"`{visible(name, 60)}`"
            for name in (*options.only, *options.skip)
            if columns.find(name) is None and name not in columns.fields
        ]
        if lost:
            message = f"there is no column {', '.join(lost)} for --only or --skip"
            return Problem("no-such-column", message)
        if columns.is_good and not missing(columns.fields, options.given):
            return None
        from reo_cli.readers.advice import header_problem

        shown = list(rows)
        samples = {
            name: [row[at] for row in shown if at < len(row)] for at, name in enumerate(self.header)
        }
        return header_problem(columns, options, self._file, samples)

    def _record(self, line: int, row: Row, text: str, problem: Problem | None) -> Record:
        """Return the record of a row, which says so where it cannot be one."""
        is_ragged = len(row) != len(self.header)
        if self._is_filtered:
            whole = problem is None and not is_ragged
            if self.columns.leaves_out(row, whole=whole):
                return self.record(line, text, None)
        if problem is None:
            if is_ragged:
                problem = self._ragged(row, text)
            elif row[-1] == self.header[-1] or self._unnamed or "\0" in text:
                problem = self._odd(row, text)
        if problem is not None:
            return self.faulty(line, text, problem)
        record = self.record(line, text, *self.columns.split(row))
        return record._replace(doubt=self._total(record, row)) if reads_as_total(row) else record

    def _total(self, record: Record, row: Row) -> Issue:
        """Return what to say of a row of totals, unless it is an event all the same."""
        at = next(at for at, cell in enumerate(row) if cell)
        what = f"reads as a total, not as an event: `{visible(as_text(row[at]), 60)}`"
        skip = f"{self.header[at].strip()}={as_text(row[at])}"
        hint = f"add --skip {pasted(skip)}" if self._options.command else ""
        (issue,) = with_fault(record, Problem("total-row", what, hint)).faults
        return issue._replace(options=(("--skip", skip),) if hint else ())

    def _odd(self, row: Row, text: str) -> Problem | None:
        """Return what keeps a row of the right length from being a record."""
        if "\0" in text:
            hint = "the file is damaged: export it again"
            return Problem("nul-byte", "a NUL byte stands in the row", hint)
        if list(row[1:]) == self.header[1:] and as_text(row[0]) == self.header[0].strip():
            what = "the header stands here again; were files joined?"
            return Problem("header-again", what, self._skip(row, 0))
        for at in self._unnamed:
            if as_text(row[at]):
                what = f"`{visible(as_text(row[at]), 60)}` stands in a column without a name"
                hint = self._options.hint(self._file, "--ignore", f"column {at + 1}")
                return Problem("unnamed-column", what, hint)
        return None

    def _skip(self, row: Row, at: int) -> str:
        """Return the command that leaves out rows like this one."""
        word = f"{self.header[at].strip()}={as_text(row[at])}"
        return self._options.hint(self._file, "--skip", word)

    def _ragged(self, row: Row, text: str) -> Problem:
        width = len(self.header)
        cells = "1 cell" if len(row) == 1 else f"{len(row)} cells"
        message = f"{cells} where the header has {width}"
        mark = {"\t": "tab", ",": "comma", ";": "semicolon"}.get(self._mark, self._mark)
        filled = [at for at, cell in enumerate(row) if as_text(cell)]
        is_footer = len(filled) == 1 < width or reads_as_total(row)
        if is_footer and filled[0] < width:
            hint = f"if it is not an event, {self._skip(row, filled[0])}"
        elif any(map(as_text, row[width:])):
            hint = f"put a cell that holds a {mark} in quotes"
        elif len(row) > width:
            hint = f"remove the {mark} at its end"
        elif text[-1:] in "\r\n":
            hint = "a column that is empty needs its delimiter too"
        else:
            hint = "was the file cut off?"
        return Problem("ragged-row", message, hint)


def reads_as_total(row: Row) -> bool:
    """Tell whether a row is the sum of others, by the first of its cells that holds something."""
    first = row[0] or next(filter(None, row), "")
    if first.__class__ is not str or first[:3].lower() not in _TOTALS_BEGIN:
        return False
    return first.split(None, 1)[0].strip(":").lower() in _TOTALS

"""CSV and TSV → Records, by RFC 4180: what is valid is read exactly, the rest is an issue.

A row that cannot be read costs one record: reading goes on with the next line that is a row.
"""

import io
import itertools
import re
from _csv import Error as CSVError
from _csv import field_size_limit
from _csv import reader as csv_reader
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from reo_cli.readers.grammar import (
    DELIMITERS,
    OTHER_DELIMITERS,
    cells_of,
    detect_delimiter,
    grammar,
    is_header,
    names_fields,
)
from reo_cli.readers.lines import KEPT, Lines, TooLong
from reo_cli.readers.names import NameRules, Plan, plan
from reo_cli.readers.text import RECORD_LIMIT, CutOff, Undecodable
from reo_cli.records import Issue, Record, line_starts
from reo_cli.values import shown

HEADER_WITHIN = 20
"""Lines that are looked at to find a header below a title."""

NO_META: dict[str, str] = {}

_new: Any = tuple.__new__  # half the time of a named tuple's own constructor
_REST = "what follows it was taken for its text"
_CLOSE_IT = 'close it, or double it if it belongs to the text: ""'


class Problem(NamedTuple):
    """What keeps a row from being a record."""

    message: str
    hint: str = ""


TOO_LONG = Problem("the row is longer than 1 MiB", "shorten it")
UNCLOSED = Problem("a quote is opened and not closed", _CLOSE_IT)


class Table:
    """Reads one CSV input; `records` is the only thing to call, once."""

    def __init__(
        self,
        file: str,
        blocks: Iterator[str],
        delimiter: str | None,
        rules: NameRules,
        line: int = 1,
    ) -> None:
        self._file = file
        self._lines = Lines(blocks, line)
        self._given_delimiter = delimiter
        self._delimiter = delimiter or ","
        self._rules = rules
        self._header: list[str] = []

    @property
    def line(self) -> int:
        """The number of the line that comes next, from 1."""
        return self._lines.number + len(self._lines.taken)

    def records(self) -> Iterator[Record | Issue]:
        """Yield a Record for each row, or one Issue about the header."""
        field_size_limit(RECORD_LIMIT * 4)  # ours is the limit for a whole record
        try:
            problem = self._read_header()
        except (CSVError, TooLong) as fault:
            problem = Problem(f"the header: {_explained(fault, len(self._lines.taken)).message}")
        line = self._lines.number if self._lines.taken else 1
        columns = plan(self._header, self._rules, header=True)
        if problem is None and not columns.is_good(self._rules.given):
            from reo_cli.readers.headers import header_issue

            problem = Problem(*header_issue(self._header, columns, self._rules, self._file))
        if problem is not None and not any(columns.targets):
            from reo_cli.suggestions import suggestions

            guessed = suggestions(self._header)
            problem = problem if guessed else self._another_header() or problem
        if problem is not None:
            yield Issue(self._file, line, 0, "", "error", *problem)
            return
        yield from self._rows(_Shape(self._header, columns, self._delimiter))

    def _read_header(self) -> Problem | None:
        """Read up to the header's end; return what is wrong with it as CSV."""
        lines = self._lines
        for _ in lines:
            text = self._logical_line()
            named = re.match(r"sep=([^\r\n\"])\r?\n?\Z", text, re.IGNORECASE)
            if named:  # a line that Excel writes and reads
                self._given_delimiter = self._given_delimiter or named[1]
            if named or not text.strip(' \t\r\n,;|"'):
                lines.begin()
                continue
            if text.lstrip()[:2] in ('{"', "[{"):
                hint = "pass --format json"
                if self._rules.command:
                    hint = f"try: {self._rules.command.extended(self._file, ('--format', 'json'))}"
                return Problem("the file holds JSON, not CSV", hint)
            found = detect_delimiter(text, self._rules)
            self._delimiter = self._given_delimiter or found
            columns = len(cells_of(text, self._delimiter) or [""])
            if columns == 1 and len(cells_of(text, found) or ()) > 1:
                return _wrong_delimiter(self._delimiter, found)
            lines.give_back(keep=0)
            return self._parse_header()
        return Problem("the file is empty: there is not even a header", "export it again")

    def _logical_line(self) -> str:
        """Return the line taken, with those that a name with line breaks goes on in."""
        lines = self._lines
        first = lines.taken[0]
        quotes = first.count('"')
        try:
            while quotes % 2:
                quotes += next(lines).count('"')
        except (StopIteration, TooLong):  # a quote that is not closed
            return first
        return "".join(lines.taken)

    def _parse_header(self) -> Problem | None:
        self._header = next(self._reader())
        text = "".join(self._lines.taken)
        if "\0" in text:
            return Problem("the header holds NUL bytes", "the file is damaged: export it again")
        if '"' in text and not grammar(self._delimiter).match(text):
            return Problem("the header: a quote stands inside a name", _CLOSE_IT)
        return None

    def _another_header(self) -> Problem | None:
        """Look for the header in another form, or below the first line."""
        lines = self._lines
        first = "".join(lines.taken)
        for mark in OTHER_DELIMITERS:
            if names_fields(first.rstrip("\r\n").split(mark), self._rules):
                word = "a space" if mark == " " else f"`{mark}`"
                return Problem(f"{word} separates the columns", f"pass --delimiter '{mark}'")
        only = self._header[0] if len(self._header) == 1 else ""
        if any(names_fields(only.split(mark), self._rules) for mark in DELIMITERS):
            return Problem("each line is in quotes as a whole", "remove the quotes at its ends")
        try:
            for below in itertools.islice(lines, HEADER_WITHIN):
                if is_header(below, self._rules):
                    at = lines.number + len(lines.taken) - 1
                    hint = "remove the lines above it"
                    return Problem(f"the header seems to be in line {at}", hint)
        except (TooLong, Undecodable, CutOff):
            return None
        return None

    def _reader(self) -> Iterator[list[str]]:
        return csv_reader(self._lines, delimiter=self._delimiter, strict=True)

    def _rows(self, shape: "_Shape") -> Iterator[Record]:
        lines = self._lines
        reader = self._reader()
        number = 0
        while True:
            lines.begin()
            try:
                row = next(reader)
            except StopIteration:
                return
            except (CSVError, TooLong) as fault:
                number += 1
                yield self._unreadable(number, fault, shape)
                reader = self._reader()
                continue
            if not row or (not row[0].strip() and not any(map(str.strip, row))):
                continue
            number += 1
            taken = lines.taken
            text = taken[0] if len(taken) == 1 else "".join(taken)
            problem = self._problem(row, text, shape)
            if problem:
                yield self._broken(number, problem, shape)
                continue
            fields = {name: cell for name, cell in zip(shape.fields, row, strict=True) if cell}
            fields.pop("", None)
            meta = {key: row[i] for i, key in shape.meta if row[i]} if shape.meta else NO_META
            yield _new(
                Record,
                (self._file, lines.number, number, fields, meta, text, shape.locate, (), True),
            )

    def _problem(self, row: list[str], text: str, shape: "_Shape") -> Problem | None:
        """Return what keeps a row from being a record."""
        if len(row) != shape.width:
            return _ragged(row, text, shape)
        if '"' in text and not grammar(self._delimiter).match(text):
            if re.search(rf'(?:^|{re.escape(self._delimiter)})[ \t]+"', text):
                return Problem("a space stands before a quote", "remove it, or put it inside")
            message = "a quote stands inside a cell without quotes"
            return Problem(message, 'put the cell in quotes and double the one inside: ""')
        if "\0" in text:
            return Problem("a NUL byte stands in the row", "the file is damaged: export it again")
        if row[0].endswith(shape.first) and row[1:] == self._header[1:] and shape.is_again(row[0]):
            return Problem("the header stands here again", "remove the line; were files joined?")
        for at in shape.unnamed:
            if row[at].strip():
                what = f"{shown(row[at])} stands in column {at + 1}, which has no name"
                return Problem(what, "name the column in the header")
        return None

    def _unreadable(self, number: int, fault: Exception, shape: "_Shape") -> Record:
        """Return the record for a row that the CSV reader gave up on."""
        lines = self._lines
        if not isinstance(fault, TooLong):
            return self._broken(number, _explained(fault, len(lines.taken)), shape)
        rows = sum(map(shape.is_row, lines.taken[1:]))
        if rows * 2 > len(lines.taken) - 1:  # the quote has swallowed rows, for the most part
            return self._broken(number, UNCLOSED, shape)
        record = self._said(number, TOO_LONG)
        if lines.skip_quoted():
            return record
        issue = record.faults[0]._replace(message=UNCLOSED.message, hint=f"{_CLOSE_IT}; {_REST}")
        return record._replace(faults=(issue,))

    def _broken(self, number: int, problem: Problem, shape: "_Shape") -> Record:
        """Return a record that says what is wrong, and give back the rows that it swallowed."""
        lines = self._lines
        if len(lines.taken) > 1 and any(map(shape.is_row, lines.taken[1:])):
            problem = UNCLOSED
            lines.give_back(keep=1)
        return self._said(number, problem)

    def _said(self, number: int, problem: Problem) -> Record:
        """Return a record that says what is wrong with the lines taken."""
        lines = self._lines
        text = "".join(lines.taken)
        text = text if len(text) <= RECORD_LIMIT else text[:KEPT]
        excerpt = text.partition("\n")[0][:KEPT]
        issue = Issue(self._file, lines.number, number, "", "error", *problem, excerpt)
        return Record(self._file, lines.number, number, None, NO_META, text, None, (issue,))


def _wrong_delimiter(given: str, found: str) -> Problem:
    message = f"there is no {_mark(given)} in the header, which has {_mark(found)}s"
    word = {"\t": "tab", ";": "';'", "|": "'|'"}.get(found, found)
    return Problem(message, f"pass --delimiter {word}")


def _mark(delimiter: str) -> str:
    return {"\t": "tab", ",": "comma", ";": "semicolon"}.get(delimiter, delimiter)


def _explained(fault: Exception, lines: int) -> Problem:
    """Say in our words why a row could not be read; `lines` is how many it took."""
    if isinstance(fault, TooLong):
        return UNCLOSED if lines > 1 else TOO_LONG
    if "unexpected end" in str(fault):
        return Problem(UNCLOSED.message, f"{_CLOSE_IT}; or was the file cut off?")
    hint = 'double a quote that belongs to the text: ""'
    return Problem("text stands behind a closing quote", hint)


def _ragged(row: Sequence[str], text: str, shape: "_Shape") -> Problem:
    cells = "1 cell" if len(row) == 1 else f"{len(row)} cells"
    message = f"{cells} where the header has {shape.width}"
    if len(row) > shape.width:
        mark = _mark(shape.delimiter)
        if any(cell.strip() for cell in row[shape.width :]):
            return Problem(message, f"put a cell that holds a {mark} in quotes")
        return Problem(message, f"remove the {mark} at its end")
    if text[-1:] in "\r\n":
        return Problem(message, "a column that is empty needs its delimiter too")
    return Problem(message, "was the file cut off?")


class _Shape:
    """The columns of one table, prepared for its rows."""

    def __init__(self, header: list[str], columns: Plan, delimiter: str) -> None:
        self.width = len(header)
        self.first = header[0] if header else ""
        self.fields: list[str] = []
        self.meta: list[tuple[int, str]] = []
        for at, target in enumerate(columns.targets):
            is_key = target is not None and target.startswith("meta.")
            if target is not None and is_key:
                self.meta.append((at, target[5:]))
            self.fields.append("" if target is None or is_key else target)
        self.unnamed = [at for at, name in enumerate(header) if not name.strip()]
        self.delimiter = delimiter
        self._column = {target: at for at, target in enumerate(columns.targets) if target}

    def is_again(self, first: str) -> bool:
        """Tell whether the first cell is the header's; joined files may have a mark between."""
        return first.removeprefix("\ufeff") == self.first

    def is_row(self, line: str) -> bool:
        """Tell whether a line by itself is a row of this table, as far as its cells tell.

        The last cell may go on in the next line.
        """
        cells = cells_of(line, self.delimiter)
        if cells is None and line.count('"') % 2:
            cells = cells_of(line.rstrip("\r\n") + '"', self.delimiter)
        return cells is not None and len(cells) == self.width > 1

    def locate(self, record: Record, field: str) -> int:
        """Return the line of a field's cell: rows of several lines are read again for it."""
        at = self._column.get(field)
        if at is None or len(line_starts(record.text.rstrip("\r\n"))) == 1:
            return record.line
        lines = io.StringIO(record.text, newline="")
        before = next(csv_reader(lines, delimiter=self.delimiter))[:at]
        return record.line + sum(len(line_starts(cell)) - 1 for cell in before)

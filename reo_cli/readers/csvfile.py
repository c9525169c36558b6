"""CSV and TSV → rows of a table, by RFC 4180: what is valid is read exactly, the rest is an issue.

A row that cannot be read costs one record: reading goes on with the next line that is a row.
"""

import csv
import itertools
import re
from collections.abc import Iterator

from reo_cli.readers.columns import plan
from reo_cli.readers.grammar import (
    DELIMITERS,
    OTHER_DELIMITERS,
    cells_of,
    detect_delimiter,
    grammar,
    is_header,
    named,
    names_fields,
)
from reo_cli.readers.options import ReadOptions
from reo_cli.readers.table import Problem, Row, Table
from reo_cli.readers.text import RECORD_LIMIT, Lines, Unreadable
from reo_cli.records import EXCERPT, Issue, Record

_HEADER_WITHIN = 20
"""Lines that are looked at to find a header below a title."""

_LOOKED_AT = 50
"""Rows that show what the columns of a bad header hold."""

_CLOSE_IT = 'close it, or double it if it belongs to the text: ""'
_UNCLOSED = Problem("unclosed-quote", "a quote is opened and not closed", _CLOSE_IT)
_TOO_LONG = Problem("too-long", "the row is longer than 1 MiB", "shorten it")


class _TooLong(Exception):
    """The lines of one row are over the record limit."""


class CSVFile:
    """Reads one CSV input; `records` is the only thing to call, once."""

    def __init__(
        self, file: str, lines: Lines, delimiter: str | None, options: ReadOptions, line: int
    ) -> None:
        self._file = file
        self._lines = lines
        self._given = delimiter
        self._delimiter = delimiter or ","
        self._options = options
        self._first = line
        self._taken: list[str] = []
        self._size = 0

    @property
    def line(self) -> int:
        """The number of the line that comes next, from 1."""
        return self._first + len(self._taken)

    def records(self) -> Iterator[Record | Issue]:
        """Yield a Record for each row, or one Issue about the header."""
        csv.field_size_limit(RECORD_LIMIT * 4)  # ours is the limit for a whole record
        try:
            header = self._header()
        except _TooLong:
            header = _TOO_LONG._replace(message="the header is longer than 1 MiB")
        if isinstance(header, Problem):
            code, message, hint = header
            yield Issue(self._file, self._first, 0, "", "error", message, hint, "", code)
            return
        table = Table(self._file, header, self._first, self._options, self._delimiter)
        rows = self._rows(table)
        first = list(itertools.islice(rows, 1)) if table.unnamed else []
        for _, row, _, _ in first:
            table.name_by(row)
        shown = itertools.chain(first, itertools.islice(rows, _LOOKED_AT))
        issues = table.header_issues(row for _, row, _, _ in shown)
        yield from issues
        if all(issue.severity == "warning" for issue in issues):
            for line, row, text, problem in itertools.chain(first, rows):
                yield table.record(line, row, text, problem)

    def _take(self) -> Iterator[str]:
        """Yield lines to the CSV reader, and keep those of the row at hand."""
        read, taken = self._lines.read, self._taken
        while line := read(RECORD_LIMIT + 1):
            taken.append(line)
            self._size += len(line)
            if self._size > RECORD_LIMIT:
                raise _TooLong
            yield line

    def _begin(self) -> None:
        """Start a new row: forget the lines of the last one."""
        self._first += len(self._taken)
        self._taken.clear()
        self._size = 0

    def _give_back(self, keep: int) -> None:
        """Take back the lines of the row at hand, all but the first `keep`."""
        self._lines.give_back(self._taken[keep:])
        del self._taken[keep:]

    def _rows(self, table: Table) -> Iterator[tuple[int, Row, str, Problem | None]]:
        """Yield each row that is not blank: its line, cells and text, or what is wrong with it."""
        taken = self._taken
        reader = csv.reader(self._take(), delimiter=self._delimiter, strict=True)
        while True:
            self._begin()
            try:
                row = next(reader)
            except StopIteration:
                return
            except (csv.Error, _TooLong) as fault:
                yield self._torn(fault, table)
                reader = csv.reader(self._take(), delimiter=self._delimiter, strict=True)
                continue
            if not row or (not row[0].strip() and not any(map(str.strip, row))):
                continue
            if len(taken) == 1:
                text = taken[0]
            elif len(row) != len(table.header) and self._is_row(taken[1], table):
                yield self._torn(csv.Error(), table)
                continue
            else:
                text = "".join(taken)
            problem = None
            if '"' in text and not grammar(self._delimiter).match(text):
                problem = self._misplaced_quote(text)
            yield self._first, row, text, problem

    def _is_row(self, line: str, table: Table) -> bool:
        """Tell whether a line by itself is a row, or begins one whose last cell goes on below."""
        cells = next(csv.reader([line], delimiter=self._delimiter), [])
        return len(cells) == len(table.header) > 1

    def _torn(self, fault: Exception, table: Table) -> tuple[int, Row, str, Problem]:
        """Return the row that the CSV reader gave up on, and go to where the next may begin."""
        taken = self._taken
        problem = _UNCLOSED
        if len(taken) > 1 and self._is_row(taken[1], table):
            self._give_back(1)  # the quote has swallowed it
        elif isinstance(fault, _TooLong):
            problem = _TOO_LONG if self._skip_long() else _UNCLOSED
        elif "unexpected end" in str(fault):
            problem = _UNCLOSED._replace(hint=f"{_CLOSE_IT}; or was the file cut off?")
        elif str(fault):
            hint = 'double a quote that belongs to the text: ""'
            problem = Problem("misplaced-quote", "text stands behind a closing quote", hint)
        return self._first, [], "".join(taken)[:RECORD_LIMIT], problem

    def _skip_long(self) -> bool:
        """Go behind a row that is too long to be kept; False at the end of the input.

        Quotes that belong to the text are doubled, so a line with an odd number of them ends it.
        """
        excerpt = self._taken[0][:EXCERPT]
        lines = len(self._taken) - 1
        quotes = sum(line.count('"') for line in self._taken)
        piece = self._taken[-1]
        while quotes % 2 or piece[-1:] not in "\r\n":
            lines += piece[-1:] in "\r\n"
            piece = self._lines.read(RECORD_LIMIT)
            if not piece:
                break
            quotes += piece.count('"')
        self._taken[:] = [excerpt, *[""] * lines]
        return bool(piece)

    def _misplaced_quote(self, text: str) -> Problem:
        if re.search(rf'(?:^|{re.escape(self._delimiter)})[ \t]+"', text):
            what = "a space stands before a quote"
            return Problem("misplaced-quote", what, "remove it, or put it inside")
        what = "a quote stands inside a cell without quotes"
        hint = 'put the cell in quotes and double the one inside: ""'
        return Problem("misplaced-quote", what, hint)

    def _header(self) -> "list[str] | Problem":
        """Go to the table's start; return its columns' names, or what is wrong with them."""
        for text in self._take():
            named = text[:4].lower() == "sep=" and re.match(
                r"sep=([^\r\n\"])\r?\n?\Z", text, re.IGNORECASE
            )
            if named:  # a line that Excel writes and reads
                self._given = self._given or named[1]
            whole = "" if named or text[:1] == "#" else self._whole(text)
            if whole.strip(' \t\r\n,;|"'):
                return self._given_header(text) or self._header_of(whole)
            self._begin()
        self._first = 1
        hint = "export it again"
        return Problem("empty", "the file is empty: there is not even a header", hint)

    def _given_header(self, text: str) -> list[str]:
        """Return the names that `--columns` gives, if any; the first line is a row then."""
        names = list(self._options.header)
        if names:
            self._delimiter = self._given or max(
                DELIMITERS, key=lambda each: len(cells_of(text, each) or ()) == len(names)
            )
            self._give_back(0)
        return names

    def _whole(self, text: str) -> str:
        """Return a line with those that a name with line breaks goes on in."""
        quotes = text.count('"')
        try:
            lines = self._take()
            while quotes % 2:
                quotes += next(lines).count('"')
        except (StopIteration, _TooLong):  # a quote that is not closed
            return text
        return "".join(self._taken)

    def _header_of(self, text: str) -> "list[str] | Problem":
        options = self._options
        if text.lstrip()[:2] in ('{"', "[{"):
            hint = options.hint(self._file, "--format", "json", otherwise="pass --format json")
            return Problem("not-csv", "the file holds JSON, not CSV", hint)
        found = detect_delimiter(text, options)
        self._delimiter = self._given or found
        if len(cells_of(text, self._delimiter) or [""]) == 1 < len(cells_of(text, found) or ()):
            word = "tab" if found == "\t" else found
            message = f"{named(self._delimiter)} does not separate the columns, but {named(found)}"
            hint = options.hint(self._file, "--delimiter", word)
            return Problem("wrong-delimiter", message, hint)
        names = cells_of(text, self._delimiter)
        if names is None:
            unclosed = text.count('"') % 2
            what = (
                "a quote is opened and not closed" if unclosed else "a quote stands inside a name"
            )
            return Problem("unclosed-quote", f"the header: {what}", _CLOSE_IT)
        if "\0" in text:
            hint = "the file is damaged: export it again"
            return Problem("nul-byte", "the header holds NUL bytes", hint)
        return self._another_form(names, text) or names

    def _another_form(self, names: list[str], text: str) -> Problem | None:
        """Say that the header has another form, or stands below the first line."""
        options = self._options
        if names_fields(names, options) or plan(names, options, header=True).fields:
            return self._drawn(text)
        for mark in OTHER_DELIMITERS:
            if len(plan(text.rstrip("\r\n").split(mark), options, header=True).fields) > 1:
                hint = options.hint(self._file, "--delimiter", mark)
                return Problem("wrong-delimiter", f"{named(mark)} separates the columns", hint)
        only = names[0] if len(names) == 1 else ""
        if any(names_fields(only.split(mark), options) for mark in DELIMITERS):
            hint = "remove the quotes at its ends"
            return Problem("misplaced-quote", "each line is in quotes as a whole", hint)
        return self._drawn(text) or self._header_below()

    def _drawn(self, text: str) -> Problem | None:
        """Say that the table is drawn for people to look at, by its first or second line."""
        below = self._look(1)
        if not _is_drawn(text) and not (below and _is_drawn(below[0])):
            return None
        hint = "write it as CSV: psql --csv, mysql --batch, or the like"
        return Problem("drawn-table", "the table is drawn to be looked at, as psql does", hint)

    def _header_below(self) -> Problem | None:
        """Look for the header below the first line."""
        for at, line in enumerate(self._look(_HEADER_WITHIN)):
            if is_header(line, self._options):
                skipped = self._first + at + self._options.skip_lines
                hint = self._options.hint(self._file, "--skip-lines", str(skipped))
                return Problem(
                    "header-below", f"the header seems to be in line {skipped + 1}", hint
                )
        return None

    def _look(self, most: int) -> list[str]:
        """Return the next lines without taking them."""
        keep = len(self._taken)
        try:
            below = list(itertools.islice(self._take(), most))
        except (_TooLong, Unreadable):
            below = self._taken[keep:]
        self._give_back(keep)
        return below


def _is_drawn(line: str) -> bool:
    """Tell a line between a header and rows that are there to be looked at."""
    return not line.strip("-+|=: \t\r\n") and bool(re.search("[-+=]{2}", line))

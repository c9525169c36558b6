"""CSV and TSV → rows of a table, by RFC 4180: what is valid is read exactly, the rest is an issue.

A row that cannot be read costs one record: reading goes on with the next line that is a row.
"""

import csv
import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from reo_cli.readers.columns import Columns, Problem
from reo_cli.readers.options import ReadOptions
from reo_cli.readers.table import Rows, Table
from reo_cli.readers.text import RECORD_LIMIT, Lines, Unreadable
from reo_cli.records import Issue, Record

_DELIMITERS = (",", ";", "\t", "|")
_OTHER_DELIMITERS = (":", "^", "~", " ")
"""Some that are never taken without --delimiter."""

_HEADER_WITHIN = 20
"""Lines that are looked at to find a header below a title."""

_NAMED_DELIMITER = re.compile(r"sep=([^\r\n\"])\r?\n?\Z", re.IGNORECASE)
"""A line that Excel writes and reads."""

_DRAWN = re.compile(r"(?=.*[-+=]{2})[-+|=: \t\r\n]+\Z")
"""A line between a header and rows that are there to be looked at."""

_CLOSE_IT = 'close it, or double it if it belongs to the text: ""'
_UNCLOSED = Problem("unclosed-quote", "a quote is opened and not closed", _CLOSE_IT)
_CUT_OFF = _UNCLOSED._replace(hint=f"{_CLOSE_IT}; or was the file cut off?")
_MISPLACED = Problem(
    *("misplaced-quote", "a quote stands inside a cell, not around it"),
    'put the whole cell in quotes and double those inside: ""',
)
_TOO_LONG = Problem("too-long", "the row is longer than 1 MiB", "shorten it")


class CSVFile:
    """Reads one CSV input; `records` is the only thing to call, once."""

    def __init__(
        self, file: str, lines: Lines, delimiter: str | None, options: ReadOptions
    ) -> None:
        self._file = file
        self._lines = lines
        self._given = delimiter
        self._delimiter = delimiter or ","
        self._options = options
        self._width = 0

    def records(self) -> Iterator[Record | Issue]:
        """Yield a Record for each row, or Issues about the header; raises Unreadable."""
        line, header = self._header()
        self._width = len(header)
        table = Table(self._file, header, line, self._options, self._delimiter)
        yield from table.records(self._rows())

    def _rows(self) -> Rows:
        delimiter = self._delimiter
        grammar, cells_in = _grammar(delimiter), _splitter(delimiter)
        while True:
            line = self._lines.line
            text = self._lines.read()
            if not text:
                return
            problem = None
            if len(text) > RECORD_LIMIT or ('"' in text and not grammar.match(text)):
                text, row, problem = self._of_several_lines(text)
            elif '"' in text:
                row = cells_in(text)
            else:
                row = text.rstrip("\r\n").split(delimiter)
            if problem or row[0].strip() or any(map(str.strip, row)):
                yield line, row, text, problem

    def _of_several_lines(self, first: str) -> tuple[str, list[str], Problem | None]:
        """Return the text and cells of a row that is none by its first line alone.

        If it is none with those that follow either, but the second is, a quote has swallowed that:
        they are read again.
        """
        is_open = _opens(self._delimiter).match(first) is not None
        taken, problem = self._taken(first, is_open=is_open)
        text = "".join(taken)
        row = None if problem else cells_of(text, self._delimiter)
        if len(taken) > 1 and (row is None or len(row) != self._width) and self._is_row(taken[1]):
            self._lines.give_back(taken[1:])
            return first, [], _UNCLOSED
        if row is None:
            return text[:RECORD_LIMIT], [], problem or _MISPLACED
        return text, row, None

    def _taken(self, first: str, *, is_open: bool) -> tuple[list[str], Problem | None]:
        """Take the lines of a row, up to one behind which no quote is open; say what is wrong.

        What is too long is not kept: its end is looked for, unless it has swallowed a row.
        """
        taken, last, size = [first], first, len(first)
        while is_open or last[-1] not in "\r\n":
            if size > RECORD_LIMIT and len(taken) > 1 and self._is_row(taken[1]):
                break
            last = self._lines.read()
            if not last:
                break
            is_open ^= last.count('"') % 2 == 1  # those that belong to the text are doubled
            if size <= RECORD_LIMIT:
                taken.append(last)
            size += len(last)
        if is_open:
            return taken, _UNCLOSED if size > RECORD_LIMIT else _CUT_OFF
        return taken, _TOO_LONG if size > RECORD_LIMIT else None

    def _is_row(self, line: str) -> bool:
        """Tell whether a line by itself is a row, or begins one whose last cell goes on below."""
        row = next(csv.reader([line], delimiter=self._delimiter), [])
        return len(row) == self._width > 1

    def _header(self) -> tuple[int, list[str]]:
        """Go to the table's start; return its line and its columns' names. Raises Unreadable."""
        while True:
            line = self._lines.line
            first = self._lines.read()
            if not first:
                message = "the file is empty: there is not even a header"
                raise Unreadable("empty", message, "export it again", line=1)
            if len(first) > RECORD_LIMIT:
                message = "the header is longer than 1 MiB"
                raise Unreadable("too-long", message, "shorten it", line=line)
            if named := _NAMED_DELIMITER.match(first):
                self._given = self._given or named[1]
            elif first[0] != "#":
                taken, problem = self._taken(first, is_open=first.count('"') % 2 == 1)
                text = first if problem else "".join(taken)
                if text.strip(' \t\r\n,;|"'):
                    return self._begun(line, taken, text)

    def _begun(self, line: int, taken: list[str], text: str) -> tuple[int, list[str]]:
        """Return the header's line and names, given the first lines that say something."""
        names = list(self._options.header)
        try:
            if not names:
                return line, self._names_in(text)
        except Unreadable as fault:
            fault.line = line
            raise
        self._lines.give_back(taken)
        self._delimiter = self._given or max(
            _DELIMITERS, key=lambda each: len(cells_of(text, each) or ()) == len(names)
        )
        return line, names

    def _names_in(self, text: str) -> list[str]:
        if text.lstrip()[:2] in ('{"', "[{"):
            raise Unreadable("not-csv", "the file holds JSON, not CSV", "", ("--format", "json"))
        found = detect_delimiter(text, self._options)
        self._delimiter = self._given or found
        names = cells_of(text, self._delimiter)
        if len(names or [""]) == 1 < len(cells_of(text, found) or ()):
            what = f"{_named(self._delimiter)} does not separate the columns, but {_named(found)}"
            raise _another_delimiter(what, found)
        if names is None:
            what = "a quote stands inside a name"
            what = "a quote is opened and not closed" if text.count('"') % 2 else what
            raise Unreadable("unclosed-quote", f"the header: {what}", _CLOSE_IT)
        if "\0" in text:
            hint = "the file is damaged: export it again"
            raise Unreadable("nul-byte", "the header holds NUL bytes", hint)
        self._refuse_other_forms(names, text)
        return names

    def _refuse_other_forms(self, names: list[str], text: str) -> None:
        """Raise what is wrong with a header that has another form, or stands below."""
        options = self._options
        is_strange = not (_fields(names, options) or _names_fields(names, options))
        for mark in _OTHER_DELIMITERS if is_strange else ():
            if len(_fields(text.rstrip("\r\n").split(mark), options)) > 1:
                raise _another_delimiter(f"{_named(mark)} separates the columns", mark)
        below = self._below(_HEADER_WITHIN if is_strange else 1)
        if any(map(_DRAWN.match, (text, *below[:1]))):
            hint = "write it as CSV: psql --csv, mysql --batch, or the like"
            message = "the table is drawn to be looked at, as psql does"
            raise Unreadable("drawn-table", message, hint)
        for skipped, line in enumerate(below, self._lines.line - 1):
            if is_strange and is_header(line, options):
                message = f"the header seems to be in line {skipped + 1}"
                raise Unreadable("header-below", message, "", ("--skip-lines", str(skipped)))

    def _below(self, most: int) -> list[str]:
        """Return the next lines without taking them."""
        lines: list[str] = []
        try:
            while len(lines) < most and (line := self._lines.read()):
                lines.append(line)
        except Unreadable:  # it is said when it is read
            pass
        self._lines.give_back(lines)
        return lines


def _another_delimiter(message: str, mark: str) -> Unreadable:
    word = "tab" if mark == "\t" else mark
    return Unreadable("wrong-delimiter", message, "", ("--delimiter", word))


def _named(mark: str) -> str:
    """Call a delimiter as people do."""
    return {"\t": "a tab", " ": "a space"}.get(mark, f"`{mark}`")


def detect_delimiter(line: str, options: ReadOptions) -> str:
    """Return the delimiter that makes most fields, then most columns, of a header line."""

    def score(delimiter: str) -> tuple[int, int]:
        names = cells_of(line, delimiter) or line.rstrip("\r\n").split(delimiter)
        return len(_fields(names, options)), len(names)

    # One that does not stand in the line makes one column of it, as a comma does then.
    return max((each for each in _DELIMITERS if each in line or each == ","), key=score)


def is_header(line: str, options: ReadOptions) -> bool:
    """Tell whether a line is a CSV file's header as it should be."""
    cells = cells_of(line, detect_delimiter(line, options))
    return cells is not None and _names_fields(cells, options)


def _fields(names: list[str], options: ReadOptions) -> set[str]:
    return Columns(names, options, header=True).fields


def _names_fields(names: list[str], options: ReadOptions) -> bool:
    """Tell whether two of some names are fields, or are likely meant to be."""
    fields = _fields(names, options)
    if len(fields) < 2:
        from reo_cli.readers.suggest import candidates

        fields.update(candidates(names))
    return len(fields) >= 2


@lru_cache(maxsize=8)
def _grammar(delimiter: str) -> "re.Pattern[str]":
    """Return RFC 4180's grammar of one record."""
    mark, cell = re.escape(delimiter), _cell(delimiter)
    return re.compile(rf"{cell}(?:{mark}{cell})*+\r*\n?\Z")


@lru_cache(maxsize=8)
def _opens(delimiter: str) -> "re.Pattern[str]":
    """Return the grammar of the first line of a record that goes on in the next."""
    return re.compile(rf'(?:{_cell(delimiter)}{re.escape(delimiter)})*+"(?:[^"]|"")*+\Z')


def _cell(delimiter: str) -> str:
    return rf'(?:"(?:[^"]|"")*+"|[^"\r\n{re.escape(delimiter)}]*+)'


@lru_cache(maxsize=8)
def _splitter(delimiter: str) -> Callable[[str], list[str]]:
    """Return what splits the text of a record: a reader is made once, as that takes its time."""
    text = ""
    reader = csv.reader(iter(lambda: text, None), delimiter=delimiter, strict=True)
    csv.field_size_limit(RECORD_LIMIT * 4)  # ours is the limit for a whole record

    def split(record: str) -> list[str]:
        nonlocal text
        text = record
        return next(reader)

    return split


def cells_of(text: str, delimiter: str) -> list[str] | None:
    """Return the cells of a text that is a record by itself, else None."""
    return _splitter(delimiter)(text) if _grammar(delimiter).match(text) else None

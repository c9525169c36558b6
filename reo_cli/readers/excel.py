"""Spreadsheets (`.xlsx`, `.xls`, `.ods`) → rows of a table, whose cells keep their types.

python-calamine reads them: the values of formulas, dates as dates, numbers as numbers. A sheet is
read as a whole, as the format of these files wants it. The line of a row is its number there.
"""

import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from datetime import date, time
from html import unescape
from itertools import chain
from typing import TYPE_CHECKING, Any

from reo_cli.events import BY_NAME
from reo_cli.readers.columns import as_text
from reo_cli.readers.options import ReadOptions
from reo_cli.readers.table import Problem, Table
from reo_cli.readers.text import Stream, Unreadable
from reo_cli.records import Issue, Record
from reo_cli.text import visible

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

_TEXTS = frozenset(name for name, field in BY_NAME.items() if field.kind == "text")
"""Fields whose numbers are texts: a cell `17` is the product `17`."""

_LOOKED_AT = 50
_ERROR = re.compile(rb'<c r="([A-Z]+)([0-9]+)"[^>]* t="e"[^>]*>.*?<v>([^<]*)</v>')
_PIECE = 1 << 20


class Spreadsheet:
    """Reads one sheet; `records` is the only thing to call, once."""

    line = 1
    """The line that is said for what is wrong with all of it."""

    def __init__(self, file: str, stream: Stream, options: ReadOptions) -> None:
        self._file = file
        self._options = options
        self._content = stream.readall()

    def records(self) -> Iterator[Record | Issue]:
        """Yield a Record for each row that is not blank; raises Unreadable."""
        sheet = self._sheet()
        rows = self._rows(sheet)
        found = self._header(rows)
        if found is None:
            message = f"the sheet `{visible(sheet.name, 60)}` is empty"
            yield Issue(self._file, 1, 0, "", "error", message, code="empty")
            return
        line, header, rows = found
        table = Table(self._file, header, line, self._options)
        first = next(rows, None)
        if first is not None:
            table.name_by(first[1])
            rows = chain([first], rows)
        shown = [row for row, _ in zip(rows, range(_LOOKED_AT), strict=False)]
        issues = table.header_issues(row for _, row in shown)
        yield from issues
        if any(issue.severity == "error" for issue in issues):
            return
        targets = enumerate(table.plan.targets)
        texts = [at for at, target in targets if target in _TEXTS]
        faults = self._errors(sheet)
        for line, row in chain(shown, rows):
            for at in texts:
                if at < len(row):
                    row[at] = as_text(row[at])
            text = "\t".join(map(as_text, row))
            yield table.record(line, row, text, self._problem(table, line, faults))

    def _sheet(self) -> "CalamineSheet":
        book = self._workbook()
        names = book.sheet_names
        name = self._options.sheet or next(iter(names), "")
        if name not in names:
            listed = ", ".join(f"`{visible(each, 60)}`" for each in names)
            hint = f"its sheets are {listed}"
            raise Unreadable("no-such-sheet", f"there is no sheet `{visible(name, 60)}`", hint)
        return book.get_sheet_by_name(name)

    def _workbook(self) -> "CalamineWorkbook":
        try:
            import python_calamine as calamine
        except ImportError:
            message = "is a spreadsheet, for which an extra is needed"
            raise Unreadable("needs-extra", message, "pip install 'reo-cli[excel]'") from None
        try:
            return calamine.CalamineWorkbook.from_filelike(io.BytesIO(self._content))
        except calamine.PasswordError:
            hint = "save it without one"
            raise Unreadable("damaged-sheet", "the file has a password", hint) from None
        except calamine.CalamineError as fault:
            message = f"the spreadsheet cannot be read: {visible(str(fault))}"
            raise Unreadable("damaged-sheet", message, "export it again") from fault

    def _rows(self, sheet: "CalamineSheet") -> Iterator[tuple[int, list[Any]]]:
        """Yield each row that is not blank, with its number in the sheet."""
        for number, cells in enumerate(sheet.iter_rows(), 1):
            row = [_plain(cell) for cell in cells]
            if number > self._options.skip_lines and any(map(as_text, row)):
                yield number, row

    def _header(
        self, rows: Iterator[tuple[int, list[Any]]]
    ) -> tuple[int, list[str], Iterator[tuple[int, list[Any]]]] | None:
        """Return where the header stands, its names, and the rows below: titles have one cell."""
        for number, row in rows:
            if self._options.header:
                return number, list(self._options.header), chain([(number, row)], rows)
            if len(row) == 1 or sum(1 for cell in row if as_text(cell)) > 1:
                return number, [as_text(cell) for cell in row], rows
        return None

    def _problem(
        self, table: Table, line: int, faults: dict[int, list[tuple[int, str]]]
    ) -> Problem | None:
        """Return what keeps a row from being a record: an error in a cell that is read."""
        for at, error in faults.get(line, ()):
            if at < len(table.header) and table.plan.targets[at] is not None:
                what = f"the cell of `{visible(table.header[at], 60)}` holds the error {error}"
                return Problem("cell-error", what, "mend its formula")
        return None

    def _errors(self, sheet: "CalamineSheet") -> dict[int, list[tuple[int, str]]]:
        """Return the errors (`#REF!`) of an .xlsx file by row; the library gives empty cells."""
        found: dict[int, list[tuple[int, str]]] = {}
        left = sheet.start[1] if sheet.start else 0
        for letters, number, error in _error_cells(self._content, sheet.name):
            found.setdefault(number, []).append((_column(letters) - left, error))
        return found


def _plain(cell: Any) -> Any:
    """Return a cell as JSON could have it: times are ISO 8601, `3.0` is 3."""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return int(cell)
    if isinstance(cell, date | time):
        return cell.isoformat()
    return cell if isinstance(cell, str | int | float) else str(cell)


def _column(letters: str) -> int:
    """Return the number of a column, from 0."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


def _error_cells(content: bytes, sheet: str) -> Iterable[tuple[str, int, str]]:
    """Yield the column, row and text of each cell of an .xlsx file's sheet that holds an error."""
    if not content.startswith(b"PK"):
        return
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        part = _part_of(archive, sheet)
        if part not in archive.namelist():
            return
        with archive.open(part) as file:
            rest = b""
            while piece := file.read(_PIECE):
                text = rest + piece
                end = 0
                for cell in _ERROR.finditer(text):
                    yield cell[1].decode(), int(cell[2]), cell[3].decode("utf-8", "replace")
                    end = cell.end()
                rest = text[max(end, len(text) - 1024) :]


def _part_of(archive: zipfile.ZipFile, sheet: str) -> str:
    """Return the name of the file in which an .xlsx file keeps a sheet, or nothing."""
    targets = {each.get("Id"): each.get("Target", "") for each in _tags(archive, *_RELATIONS)}
    for each in _tags(archive, "xl/workbook.xml", "sheet"):
        if each.get("name") == sheet:
            return "xl/" + targets.get(each.get("r:id"), "").removeprefix("/xl/")
    return ""


_RELATIONS = ("xl/_rels/workbook.xml.rels", "Relationship")


def _tags(archive: zipfile.ZipFile, part: str, name: str) -> Iterator[dict[str, str]]:
    """Yield the attributes of the tags with a name in a part of an .xlsx file."""
    if part not in archive.namelist():
        return
    with archive.open(part) as file:
        text = file.read(_PIECE).decode("utf-8", "replace")
    for tag in re.finditer(rf"<{name} ([^>]*)>", text):
        yield {key: unescape(value) for key, value in re.findall(r'([\w:]+)="([^"]*)"', tag[1])}

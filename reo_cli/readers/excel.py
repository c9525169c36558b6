"""Spreadsheets (`.xlsx`, `.xls`, `.ods`) → rows of a table, whose cells keep their types.

python-calamine reads them: the values of formulas, dates as dates, numbers as numbers. A sheet is
read as a whole, as the format of these files wants it. The line of a row is its number there.
"""

import io
import re
import zipfile
from collections.abc import Iterator
from datetime import date, time
from html import unescape
from itertools import chain, dropwhile
from typing import TYPE_CHECKING, Any

from reo_cli.events import BY_NAME
from reo_cli.readers.columns import Problem, as_text, with_fault
from reo_cli.readers.options import ReadOptions
from reo_cli.readers.table import Table
from reo_cli.readers.text import Stream, Unreadable
from reo_cli.records import Issue, Record
from reo_cli.text import visible

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

_TEXTS = frozenset(name for name, field in BY_NAME.items() if field.kind == "text")
"""Fields whose numbers are texts: a cell `17` is the product `17`."""

_ERROR = re.compile(rb'<c r="([A-Z]+)([0-9]+)"[^>]* t="e"[^>]*>.*?<v>([^<]*)</v>')


def records(file: str, stream: Stream, options: ReadOptions) -> Iterator[Record | Issue]:
    """Yield a Record for each row of one sheet that is not blank; raises Unreadable."""
    content = stream.readall()
    sheet = _sheet(_workbook(content), options.sheet)
    rows = _rows(sheet, options.skip_lines)
    if not options.header:
        rows = dropwhile(lambda each: _is_title(each[1]), rows)
    line, first = next(rows, (0, []))
    if not line:
        raise Unreadable("empty", f"the sheet `{visible(sheet.name, 60)}` is empty")
    if options.header:
        rows = chain([(line, first)], rows)
    table = Table(file, options.header or [as_text(cell) for cell in first], line, options)
    errors = _errors(content, sheet)
    texts = ((line, row, "\t".join(map(as_text, row)), None) for line, row in rows)
    for item in table.records(texts):
        yield item if isinstance(item, Issue) else _mended(item, table, errors.get(item.line, []))


def _is_title(row: list[Any]) -> bool:
    return len(row) > 1 >= sum(1 for cell in row if as_text(cell))


def _mended(record: Record, table: Table, errors: list[tuple[int, str]]) -> Record:
    """Return a record with numbers as texts where these belong, or with the error in a cell."""
    if record.fields is None:
        return record
    for at, error in errors:
        if at < len(table.header) and table.columns.targets[at] is not None:
            what = f"the cell of `{visible(table.header[at], 60)}` holds the error {error}"
            problem = Problem("cell-error", what, "mend its formula")
            return with_fault(record._replace(fields=None, meta={}), problem)
    texts = {name: as_text(each) for name, each in record.fields.items() if name in _TEXTS}
    return record._replace(fields={**record.fields, **texts})


def _sheet(book: "CalamineWorkbook", name: str | None) -> "CalamineSheet":
    names = book.sheet_names
    name = name or next(iter(names), "")
    if name not in names:
        listed = ", ".join(f"`{visible(each, 60)}`" for each in names)
        message, hint = f"there is no sheet `{visible(name, 60)}`", f"its sheets are {listed}"
        raise Unreadable("no-such-sheet", message, hint)
    return book.get_sheet_by_name(name)


def _workbook(content: bytes) -> "CalamineWorkbook":
    try:
        import python_calamine as calamine
    except ImportError:
        message = "is a spreadsheet, for which an extra is needed"
        raise Unreadable("needs-extra", message, "pip install 'reo-cli[excel]'") from None
    try:
        return calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
    except calamine.PasswordError:
        raise Unreadable(
            "damaged-sheet", "the file has a password", "save it without one"
        ) from None
    except calamine.CalamineError as fault:
        message = f"the spreadsheet cannot be read: {visible(str(fault))}"
        raise Unreadable("damaged-sheet", message, "export it again") from fault


def _rows(sheet: "CalamineSheet", skipped: int) -> Iterator[tuple[int, list[Any]]]:
    """Yield each row that is not blank, with its number in the sheet."""
    for number, cells in enumerate(sheet.iter_rows(), 1):
        row = [_plain(cell) for cell in cells]
        if number > skipped and any(map(as_text, row)):
            yield number, row


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


def _errors(content: bytes, sheet: "CalamineSheet") -> dict[int, list[tuple[int, str]]]:
    """Return the errors (`#REF!`) of an .xlsx file, column and text, by row.

    The library gives empty cells.
    """
    found: dict[int, list[tuple[int, str]]] = {}
    if content.startswith(b"PK"):
        left = sheet.start[1] if sheet.start else 0
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for cell in _ERROR.finditer(_part(archive, _place(archive, sheet.name))):
                error = cell[3].decode("utf-8", "replace")
                found.setdefault(int(cell[2]), []).append((_column(cell[1].decode()) - left, error))
    return found


def _part(archive: zipfile.ZipFile, name: str) -> bytes:
    return archive.read(name) if name in archive.namelist() else b""


def _place(archive: zipfile.ZipFile, sheet: str) -> str:
    """Return the name of the part in which an .xlsx file keeps a sheet, or nothing."""
    relations = _tags(_part(archive, "xl/_rels/workbook.xml.rels"), "Relationship")
    targets = {each.get("Id"): each.get("Target", "") for each in relations}
    for each in _tags(_part(archive, "xl/workbook.xml"), "sheet"):
        if each.get("name") == sheet:
            return "xl/" + targets.get(each.get("r:id"), "").removeprefix("/xl/")
    return ""


def _tags(part: bytes, name: str) -> Iterator[dict[str, str]]:
    """Yield the attributes of the tags with a name in a part of an .xlsx file."""
    for tag in re.finditer(rf"<{name} ([^>]*)>", part.decode("utf-8", "replace")):
        yield {key: unescape(value) for key, value in re.findall(r'([\w:]+)="([^"]*)"', tag[1])}

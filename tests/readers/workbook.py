"""Cells → the bytes of an `.xlsx` file, as a spreadsheet program writes them."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any
from xml.sax.saxutils import escape

_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_STYLES = (
    f"<styleSheet {_MAIN}><fonts><font/></fonts><fills><fill/></fills><borders><border/></borders>"
    "<cellStyleXfs><xf/></cellStyleXfs>"
    '<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="22"/><xf numFmtId="21"/></cellXfs>'
    "</styleSheet>"
)


class Fault(str):
    """An error such as `#REF!`."""


def workbook(sheets: Mapping[str, Sequence[Sequence[Any]]]) -> bytes:
    """Return a file of these sheets; None is an empty cell."""
    file = io.BytesIO()
    names = list(sheets)
    with zipfile.ZipFile(file, "w") as archive:
        parts = "".join(
            f'<Override PartName="/xl/worksheets/s{n}.xml" ContentType="{_KIND}.worksheet+xml"/>'
            for n in range(len(names))
        )
        archive.writestr(
            "[Content_Types].xml",
            f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
            f'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{_KIND}.sheet.main+xml"/>'
            f'<Override PartName="/xl/styles.xml" ContentType="{_KIND}.styles+xml"/>'
            f"{parts}</Types>",
        )
        archive.writestr("_rels/.rels", _relations([("officeDocument", "xl/workbook.xml")]))
        listed = "".join(
            f'<sheet name="{escape(name)}" sheetId="{n + 1}" r:id="r{n}"/>'
            for n, name in enumerate(names)
        )
        archive.writestr(
            "xl/workbook.xml",
            f'{_HEAD}<workbook {_MAIN} xmlns:r="{_OFFICE}"><sheets>{listed}</sheets></workbook>',
        )
        archive.writestr("xl/styles.xml", _HEAD + _STYLES)
        targets = [("worksheet", f"worksheets/s{n}.xml") for n in range(len(names))]
        archive.writestr(
            "xl/_rels/workbook.xml.rels", _relations([*targets, ("styles", "styles.xml")])
        )
        for n, rows in enumerate(sheets.values()):
            body = "".join(_row(at + 1, row) for at, row in enumerate(rows))
            archive.writestr(
                f"xl/worksheets/s{n}.xml",
                f"{_HEAD}<worksheet {_MAIN}><sheetData>{body}</sheetData></worksheet>",
            )
    return file.getvalue()


def _relations(targets: Sequence[tuple[str, str]]) -> str:
    each = "".join(
        f'<Relationship Id="r{n}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for n, (kind, target) in enumerate(targets)
    )
    return f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">{each}</Relationships>'


def _row(number: int, cells: Sequence[Any]) -> str:
    inner = "".join(
        _cell(f"{chr(65 + at)}{number}", cell) for at, cell in enumerate(cells) if cell is not None
    )
    return f'<row r="{number}">{inner}</row>'


def _cell(place: str, value: Any) -> str:
    if isinstance(value, Fault):
        return f'<c r="{place}" t="e"><v>{value}</v></c>'
    if isinstance(value, bool):
        return f'<c r="{place}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, str):
        return f'<c r="{place}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'
    style = {date: 1, datetime: 2, time: 3}.get(type(value), 0)
    if isinstance(value, datetime):
        number = (value - datetime(1899, 12, 30)).total_seconds() / 86400
    elif isinstance(value, date):
        number = (value - date(1899, 12, 30)).days
    elif isinstance(value, time):
        number = (value.hour * 3600 + value.minute * 60 + value.second) / 86400
    else:
        number = value
    return f'<c r="{place}" s="{style}"><v>{number}</v></c>'

"""Cells → the bytes of an `.xlsx` file, as a spreadsheet program writes them."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any
from xml.sax.saxutils import escape

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_STYLES = "".join(f'<xf numFmtId="{number}"/>' for number in (0, 14, 22, 21))
"""Formats of numbers: plain, a date, a date with its time, a time."""

_EPOCH = datetime(1899, 12, 30)


class Fault(str):
    """An error such as `#REF!`."""


def workbook(sheets: Mapping[str, Sequence[Sequence[Any]]]) -> bytes:
    """Return a file of these sheets; None is an empty cell."""
    places = [f"worksheets/s{n}.xml" for n in range(len(sheets))]
    types = "".join(_type(f"/xl/{place}", "worksheet") for place in places)
    listed = "".join(
        f'<sheet name="{escape(name)}" sheetId="{n + 1}" r:id="r{n}"/>'
        for n, name in enumerate(sheets)
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
        f'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f"{_type('/xl/workbook.xml', 'sheet.main')}{_type('/xl/styles.xml', 'styles')}{types}"
        "</Types>",
        "_rels/.rels": _relations([("officeDocument", "xl/workbook.xml")]),
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{listed}'
        "</sheets></workbook>",
        "xl/styles.xml": f'<styleSheet xmlns="{_MAIN}"><cellXfs>{_STYLES}</cellXfs></styleSheet>',
        "xl/_rels/workbook.xml.rels": _relations([("worksheet", place) for place in places]),
    }
    for place, rows in zip(places, sheets.values(), strict=True):
        inner = "".join(_row(at + 1, row) for at, row in enumerate(rows))
        sheet = f'<worksheet xmlns="{_MAIN}"><sheetData>{inner}</sheetData></worksheet>'
        parts[f"xl/{place}"] = sheet
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in parts.items():
            head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
            archive.writestr(name, head + text)
    return file.getvalue()


def _type(place: str, kind: str) -> str:
    return f'<Override PartName="{place}" ContentType="{_KIND}.{kind}+xml"/>'


def _relations(targets: Sequence[tuple[str, str]]) -> str:
    each = "".join(
        f'<Relationship Id="r{n}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for n, (kind, target) in enumerate(targets)
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{each}</Relationships>'


def _row(number: int, cells: Sequence[Any]) -> str:
    inner = (_cell(f"{chr(65 + at)}{number}", cell) for at, cell in enumerate(cells))
    return f'<row r="{number}">{"".join(inner)}</row>'


def _cell(place: str, value: Any) -> str:
    match value:
        case None:
            return ""
        case Fault():
            return f'<c r="{place}" t="e"><v>{value}</v></c>'
        case bool():
            return f'<c r="{place}" t="b"><v>{int(value)}</v></c>'
        case str():
            return f'<c r="{place}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'
        case datetime():
            style, number = 2, (value - _EPOCH).total_seconds() / 86400
        case date():
            style, number = 1, float((value - _EPOCH.date()).days)
        case time():
            style, number = 3, (value.hour * 3600 + value.minute * 60 + value.second) / 86400
        case _:
            style, number = 0, value
    return f'<c r="{place}" s="{style}"><v>{number}</v></c>'

"""Spreadsheets: cells keep their types, lines are rows of the sheet, and the extra is optional."""

import io
import zipfile
from datetime import date, datetime, time
from html import escape
from typing import Any

import pytest

from tests.conftest import World
from tests.readers.reading import items, problem, told

OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
EPOCH = datetime(1899, 12, 30)


class Fault(str):
    """An error such as `#REF!`."""


def archive(parts: dict[str, str]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        for name, text in parts.items():
            file.writestr(name, text)
    return data.getvalue()


def workbook(sheets: dict[str, list[list[Any]]]) -> bytes:
    """Return an `.xlsx` file with what is needed to read it; None is an empty cell."""
    parts, listed, relations = {}, "", ""
    for at, (name, rows) in enumerate(sheets.items()):
        inner = "".join(row_of(line, row) for line, row in enumerate(rows, 1))
        parts[f"xl/s{at}.xml"] = f"<worksheet><sheetData>{inner}</sheetData></worksheet>"
        listed += f'<sheet name="{escape(name)}" sheetId="{at + 1}" r:id="r{at}"/>'
        relations += f'<Relationship Id="r{at}" Type="{OFFICE}/worksheet" Target="s{at}.xml"/>'
    book = f'<Relationship Id="r" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
    formats = "".join(f'<xf numFmtId="{number}"/>' for number in (0, 14, 22, 21))
    return archive(
        {
            "_rels/.rels": f"<Relationships>{book}</Relationships>",
            "xl/workbook.xml": f'<workbook xmlns:r="{OFFICE}"><sheets>{listed}</sheets></workbook>',
            "xl/_rels/workbook.xml.rels": f"<Relationships>{relations}</Relationships>",
            "xl/styles.xml": f"<styleSheet><cellXfs>{formats}</cellXfs></styleSheet>",
            **parts,
        }
    )


def row_of(line: int, row: list[Any]) -> str:
    cells = (cell_of(f"{chr(65 + at)}{line}", value) for at, value in enumerate(row))
    return f'<row r="{line}">{"".join(cells)}</row>'


def cell_of(place: str, value: Any) -> str:
    """Return a cell; numbers have a format: plain, a date, a date with its time, a time."""
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
            style, number = 2, (value - EPOCH).total_seconds() / 86400
        case date():
            style, number = 1, float((value - EPOCH.date()).days)
        case time():
            style, number = 3, (value.hour + value.minute / 60) / 24
        case _:
            style, number = 0, value
    return f'<c r="{place}" s="{style}"><v>{number}</v></c>'


HEADER = ["Domain", "count", "event at", "product_id", None]


def sheet(*rows: list[Any]) -> bytes:
    return workbook({"Usage": [HEADER, *rows], "Other": [["domain"], ["b.com"]]})


def test_cells_keep_their_types() -> None:
    data = sheet(
        ["a.com", 3, date(2026, 9, 1), 17, None],
        [None, None],
        ["b.com", 4.5, datetime(2026, 9, 1, 10, 30, 15), "x", None],
        ["c.com", True, 45992, None],
        [None, None, None],
    )
    assert told(data, name="x.xlsx") == [
        {"domain": "a.com", "count": 3, "event_at": "2026-09-01", "product_id": "17"},
        {"domain": "b.com", "count": 4.5, "event_at": "2026-09-01T10:30:15", "product_id": "x"},
        {"domain": "c.com", "count": True, "event_at": 45992},
    ]
    assert [each.line for each in items(data, name="upload.bin")] == [2, 4, 5]


def test_title_rows_and_a_sheet_by_name() -> None:
    rows: list[Any] = [["Report", None], [None], ["domain", "count"], ["a.com", 1]]
    data = workbook({"Cover": [["hello"]], "Zahlen & mehr": rows})
    ways: list[dict[str, Any]] = [{}, {"skip_lines": 3, "header": ("domain", "count")}]
    for more in ways:
        (record,) = items(data, sheet="Zahlen & mehr", **more)
        assert record.line == 4
        assert told(data, sheet="Zahlen & mehr", **more) == [{"domain": "a.com", "count": 1}]
    issue = problem(data, sheet="Nope")
    assert (issue.code, "`Zahlen & mehr`" in issue.hint) == ("no-such-sheet", True)
    data = workbook({"a": [["day", "time", "n"], [date(2026, 9, 1), time(10, 30), 1]]})
    assert told(data, mapped={"event_at": "day+time"}) == [{"event_at": "2026-09-01 10:30:00"}]


def test_errors_in_cells_are_named_where_they_are_read() -> None:
    data = sheet(["a.com", Fault("#REF!"), 1, "p"], ["b.com", 2, 3, "p", Fault("#N/A")])
    good = {"domain": "b.com", "count": 2, "event_at": 3, "product_id": "p"}
    assert told(data) == [(2, "cell-error"), good]
    assert "#REF!" in str(items(data)[0])


@pytest.mark.parametrize(
    ("name", "data", "code", "words"),
    [
        ("x.xlsx", workbook({"E": []}), "empty", "sheet `E` is empty"),
        ("x.xlsx", sheet()[:300], "damaged-sheet", "export it again"),
        ("x.xls", b"\xd0\xcf\x11\xe0" + b"x" * 600, "damaged-sheet", "cannot be read"),
        ("x.xls", b"<html><table>", "another-format", "web page"),
        ("x.zip", archive({"a.csv": ""}), "another-format", "zip file that holds `a.csv`"),
        ("x.zip", archive({"a.csv": ""}), "another-format", "try: unzip -p x.zip | reo "),
    ],
    ids=range(6),
)
def test_what_is_no_sheet_is_said(name: str, data: bytes, code: str, words: str) -> None:
    issue = problem(data, name=name)
    assert (issue.code, words in str(issue)) == (code, True)


def test_the_format_goes_by_the_content() -> None:
    row = {"domain": "a.com", "count": "1"}
    assert told(b"domain\tcount\na.com\t1\n", name="x.xls") == [row]
    issue = problem(sheet(), format="csv", name="x.csv")
    assert (issue.code, issue.hint.endswith("--format xlsx")) == ("another-format", True)


def test_a_workbook_is_delivered_and_read_only_with_the_extra(world: World) -> None:
    path = world.folder / "usage.xlsx"
    path.write_bytes(sheet(["acme.com", 3, date(2026, 9, 1), 17], ["b.com", 2, 1788220800, 17]))
    run = world.run("send-file", "--sandbox", "-o", "json", path.name, "-a", "pull")
    assert (run.code, run.json["delivered"]) == (0, 2)
    (world.folder / "python_calamine.py").write_text("raise ImportError")
    run = world.run("validate", path.name, "-a", "x", env={"PYTHONPATH": str(world.folder)})
    assert run.code == 65
    assert "pip install 'reo-cli[excel]'" in run.stdout

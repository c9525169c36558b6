"""Spreadsheets: cells keep their types, lines are rows of the sheet, and the extra is optional."""

import io
import zipfile
from datetime import date, datetime, time
from typing import Any

import pytest

from reo_cli.readers import ReadOptions
from reo_cli.records import Issue, Record
from tests.conftest import World
from tests.readers.reading import ALL, fields, items
from tests.readers.workbook import Fault, workbook

HEADER = ["Domain", "count", "event at", "product_id", None]


def sheet(*rows: list[Any], header: list[Any] | None = None) -> bytes:
    return workbook({"Usage": [header or HEADER, *rows], "Other": [["domain"], ["b.com"]]})


def test_cells_keep_their_types() -> None:
    data = sheet(
        ["a.com", 3, date(2026, 9, 1), 17, None],
        [None, None],
        ["b.com", 4.5, datetime(2026, 9, 1, 10, 30, 15), "x", None],
        ["c.com", True, 45992, None],
        [None, None, None],
    )
    found = items(data, name="x.xlsx")
    assert fields(found) == [
        {"domain": "a.com", "count": 3, "event_at": "2026-09-01", "product_id": "17"},
        {"domain": "b.com", "count": 4.5, "event_at": "2026-09-01T10:30:15", "product_id": "x"},
        {"domain": "c.com", "count": True, "event_at": 45992},
    ]
    assert [each.line for each in found] == [2, 4, 5]


def test_title_rows_and_a_sheet_by_name() -> None:
    rows: list[Any] = [["Report", None], [None], ["domain", "count"], ["a.com", 1]]
    data = workbook({"Cover": [["hello"]], "Zahlen & mehr": rows})
    (record,) = items(data, ALL._replace(sheet="Zahlen & mehr"), name="x.xlsx")
    assert isinstance(record, Record)
    assert (record.line, record.fields) == (4, {"domain": "a.com", "count": 1})
    (issue,) = items(data, ALL._replace(sheet="Nope"), name="x.xlsx")
    assert isinstance(issue, Issue)
    assert (issue.code, "`Zahlen & mehr`" in issue.hint) == ("no-such-sheet", True)
    given = ALL._replace(sheet="Zahlen & mehr", skip_lines=3, header=("domain", "count"))
    assert fields(items(data, given, name="x.xlsx")) == [{"domain": "a.com", "count": 1}]
    joined = ALL._replace(mapped={"event_at": "day+time"})
    data = workbook({"a": [["day", "time", "n"], [date(2026, 9, 1), time(10, 30), 1]]})
    assert fields(items(data, joined)) == [{"event_at": "2026-09-01 10:30:00"}]


def test_errors_in_cells_are_named_where_they_are_read() -> None:
    data = sheet(["a.com", Fault("#REF!"), 1, "p"], ["b.com", 2, 3, "p", Fault("#N/A")])
    bad, good = items(data, name="x.xlsx")
    assert isinstance(bad, Record)
    (issue,) = bad.faults
    assert (issue.code, issue.line, "#REF!" in issue.message) == ("cell-error", 2, True)
    assert isinstance(good, Record)
    assert good.fields == {"domain": "b.com", "count": 2, "event_at": 3, "product_id": "p"}


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("x.xlsx", workbook({"E": []}), "empty"),
        ("x.xlsx", sheet()[:300], "damaged-sheet"),
        ("x.xls", b"\xd0\xcf\x11\xe0" + b"x" * 600, "damaged-sheet"),
        ("x.xls", b"<html><table>", "another-format"),
    ],
)
def test_what_is_no_sheet_is_said(name: str, data: bytes, code: str) -> None:
    (issue,) = items(data, name=name)
    assert isinstance(issue, Issue)
    assert issue.code == code


def test_the_format_goes_by_the_content() -> None:
    assert fields(items(b"domain\tcount\na.com\t1\n", ALL, name="x.xls")) == [
        {"domain": "a.com", "count": "1"}
    ]
    assert len(items(sheet(["a.com", 1, 2, "x"]), name="upload.bin")) == 1
    (issue,) = items(sheet(), ReadOptions(format="csv"), name="x.csv")
    assert isinstance(issue, Issue)
    assert issue.hint.endswith("--format xlsx")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("usage.csv", "domain\n")
    (issue,) = items(archive.getvalue(), name="x.zip")
    assert isinstance(issue, Issue)
    assert issue.message.endswith("zip file that holds `usage.csv`")
    assert issue.hint.startswith("try: unzip -p x.zip | reo ")


def test_a_workbook_is_delivered_and_read_only_with_the_extra(world: World) -> None:
    path = world.folder / "usage.xlsx"
    path.write_bytes(sheet(["acme.com", 3, date(2026, 9, 1), 17], ["b.com", 2, 1788220800, 17]))
    run = world.run("send-file", "--sandbox", "-o", "json", path.name, "-a", "pull")
    assert (run.code, run.json["delivered"]) == (0, 2)
    blocked = world.folder / "python_calamine.py"
    blocked.write_text("raise ImportError")
    run = world.run("validate", path.name, "-a", "x", env={"PYTHONPATH": str(world.folder)})
    assert run.code == 65
    assert "pip install 'reo-cli[excel]'" in run.stdout

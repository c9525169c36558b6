"""Spreadsheets: cells keep their types, lines are rows of the sheet, and the extra is optional."""

import io
import zipfile
from datetime import date, datetime, time
from typing import Any

import pytest

from reo_cli.readers import ReadOptions
from tests.conftest import World
from tests.readers.reading import ALL, items, problem, told
from tests.readers.workbook import Fault, workbook

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
    assert [each.line for each in items(data, name="x.xlsx")] == [2, 4, 5]


def test_title_rows_and_a_sheet_by_name() -> None:
    rows: list[Any] = [["Report", None], [None], ["domain", "count"], ["a.com", 1]]
    data = workbook({"Cover": [["hello"]], "Zahlen & mehr": rows})
    named = ALL._replace(sheet="Zahlen & mehr")
    assert told(data, named) == [{"domain": "a.com", "count": 1}]
    assert [each.line for each in items(data, named)] == [4]
    given = named._replace(skip_lines=3, header=("domain", "count"))
    assert told(data, given) == [{"domain": "a.com", "count": 1}]
    issue = problem(data, ALL._replace(sheet="Nope"))
    assert (issue.code, "`Zahlen & mehr`" in issue.hint) == ("no-such-sheet", True)
    data = workbook({"a": [["day", "time", "n"], [date(2026, 9, 1), time(10, 30), 1]]})
    joined = ALL._replace(mapped={"event_at": "day+time"})
    assert told(data, joined) == [{"event_at": "2026-09-01 10:30:00"}]


def test_errors_in_cells_are_named_where_they_are_read() -> None:
    data = sheet(["a.com", Fault("#REF!"), 1, "p"], ["b.com", 2, 3, "p", Fault("#N/A")])
    good = {"domain": "b.com", "count": 2, "event_at": 3, "product_id": "p"}
    assert told(data) == [(2, "cell-error"), good]
    assert "#REF!" in str(items(data)[0])


def archive(name: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        file.writestr(name, "domain\n")
    return data.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "options", "code", "words"),
    [
        ("x.xlsx", workbook({"E": []}), ALL, "empty", "sheet `E` is empty"),
        ("x.xlsx", sheet()[:300], ALL, "damaged-sheet", "export it again"),
        ("x.xls", b"\xd0\xcf\x11\xe0" + b"x" * 600, ALL, "damaged-sheet", "cannot be read"),
        ("x.xls", b"<html><table>", ALL, "another-format", "web page"),
        ("x.csv", sheet(), ReadOptions(format="csv"), "another-format", "--format xlsx)"),
        ("x.zip", archive("usage.csv"), ALL, "another-format", "zip file that holds `usage.csv`"),
        ("x.zip", archive("usage.csv"), ALL, "another-format", "try: unzip -p x.zip | reo "),
    ],
    ids=range(7),
)
def test_what_is_no_sheet_is_said(
    name: str, data: bytes, options: ReadOptions, code: str, words: str
) -> None:
    issue = problem(data, options, name=name)
    assert (issue.code, words in str(issue)) == (code, True)


def test_the_format_goes_by_the_content() -> None:
    row = {"domain": "a.com", "count": "1"}
    assert told(b"domain\tcount\na.com\t1\n", name="x.xls") == [row]
    assert len(items(sheet(["a.com", 1, 2, "x"]), name="upload.bin")) == 1


def test_a_workbook_is_delivered_and_read_only_with_the_extra(world: World) -> None:
    path = world.folder / "usage.xlsx"
    path.write_bytes(sheet(["acme.com", 3, date(2026, 9, 1), 17], ["b.com", 2, 1788220800, 17]))
    run = world.run("send-file", "--sandbox", "-o", "json", path.name, "-a", "pull")
    assert (run.code, run.json["delivered"]) == (0, 2)
    (world.folder / "python_calamine.py").write_text("raise ImportError")
    run = world.run("validate", path.name, "-a", "x", env={"PYTHONPATH": str(world.folder)})
    assert run.code == 65
    assert "pip install 'reo-cli[excel]'" in run.stdout

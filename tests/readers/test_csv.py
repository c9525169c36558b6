"""CSV: all of RFC 4180 is read exactly, everything else costs one row and is said."""

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reo_cli.readers.text import RECORD_LIMIT
from reo_cli.records import Record
from tests.readers.reading import STRICT, items, problem, told

CELL = st.text(
    st.sampled_from('ab ,;"\r\n\té|')
    | st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    max_size=8,
)
NAMES = ("activity_type", "environment", "user_agent")


@given(
    st.lists(st.tuples(CELL, CELL, CELL), max_size=6),
    st.sampled_from(",;\t|"),
    st.sampled_from([("\n", csv.QUOTE_ALL), ("\r\n", csv.QUOTE_MINIMAL)]),
    st.integers(1, 50),
)
def test_what_is_written_by_the_rules_is_read_exactly(
    rows: list[tuple[str, str, str]], delimiter: str, way: Any, drip: int
) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator=way[0], quoting=way[1])
    writer.writerows([NAMES, *rows])
    read = items(out.getvalue(), name="x.csv", drip=drip)
    wanted = [row for row in rows if any(cell.strip() for cell in row)]
    assert [isinstance(each, Record) and (each.number, each.fields) for each in read] == [
        (number, {name: cell for name, cell in zip(NAMES, row, strict=True) if cell})
        for number, row in enumerate(wanted, 1)
    ]


LONG = RECORD_LIMIT // 8


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ('a"b,1', "misplaced-quote"),
        ('"a"b,1', "misplaced-quote"),
        ('a, "1"', "misplaced-quote"),
        ("a", "ragged-row"),
        ("a,1,x", "ragged-row"),
        ("a,1,", "ragged-row"),
        ("a\0,1", "nul-byte"),
        ("domain,count", "header-again"),
        ("\ufeffdomain,count", "header-again"),
        ('"a,1', "unclosed-quote"),
        ('"a\nb\nc",1,x', "ragged-row"),
        ("x" * (RECORD_LIMIT + 1) + ",1", "too-long"),
        ('"' + "x\n" * (LONG * 4 + 1) + '",1', "too-long"),
        ('"' + "x\nx\nd,3\nx" * LONG + '",1', "too-long"),
    ],
    ids=range(14),
)
def test_a_bad_row_costs_one_row(row: str, code: str) -> None:
    good = [{"domain": name, "count": count} for name, count in ("b1", "c2", "d3")]
    found = told(f"domain,count\nb,1\n{row}\nc,2\nd,3\n", name="x.csv")
    assert found == [good[0], (3, code), *good[1:]]


UNCLOSED = (2, "unclosed-quote")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        # The delimiter is decided from the header.
        ("count\n1;2\n", [("1;2",)]),
        ("count,domain\n1,a\n", [("1", "a")]),
        ("count;domain;x,y\n1;a;2\n", [("1", "a")]),
        ("count\tdomain\n1\ta\n", [("1", "a")]),
        ("count|domain\r\n1|a\n", [("1", "a")]),
        ("domain;Date;Downloads\na;2;3\n", [("a",)]),
        ('"count;1";"domain"\n1;a\n', [("a",)]),
        ('"count","a,b,c,d"\n1,2\n', [("1",)]),
        ("sep=|\ndomain|count\na|1\n", [("a", "1")]),
        ('sep=,\r\n"count","domain"\r\n1,a.com\r\n', [("1", "a.com")]),
        # An open quote gives back the rows that it has swallowed, even if it ends well.
        ('domain,count\n"b,1\n' + "c,2\n" * 4 * LONG, [UNCLOSED] + [("c", "2")] * 4 * LONG),
        ('domain,count\n"a,1\nb,2\nc,"3"\nd,4\n', [UNCLOSED, ("b", "2"), ("c", "3"), ("d", "4")]),
        ('count,domain\n"1,u\n2,"two\nlines"\n3,c\n', [UNCLOSED, ("2", "two\nlines"), ("3", "c")]),
        ('domain,count\n"' + "x\n" * 8 * LONG + "c,2\n", [UNCLOSED]),
        ('domain,count\n"c,2\n', [UNCLOSED]),
        # Blank rows, comments above and unnamed empty columns are skipped.
        ("\n,,\ndomain,,count,\n\n,,,\n a ,,1,\n   \n,  ,,\n", [(" a ", "1")]),
        ("# a\n#b\ndomain,count\na,1\n", [("a", "1")]),
        ('"Company, its\nDomain";count;domain\r\nx.com;1;a.com\n', [("1", "a.com")]),
        ('"\nx",count\n1,2\n', [("2",)]),
    ],
    ids=range(19),
)
def test_tables(text: str, found: list[Any]) -> None:
    read = told(text, name="x.csv")
    assert [tuple(each.values()) if isinstance(each, dict) else each for each in read] == found


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty"),
        ("\n\n", "empty"),
        (",,\n", "empty"),
        ('a,"b\n1,2\n', "unclosed-quote"),
        ('a"b,c\n1,2\n', "unclosed-quote"),
        ("a\0,b\n1,2\n", "nul-byte"),
        ("\0" * 60, "nul-byte"),
        ("x" * (RECORD_LIMIT + 1) + "1,2\n", "too-long"),
        ("a b c\n1\n", "no-header"),
        ('primary;"1,250";acme.com;2026-05-01\n', "no-header"),
        ("Report for May\n\nactivity_type,count,domain\na,1,b.com\n", "header-below"),
        (" domain | count\n--------+-------\n a.com  |     3\n", "drawn-table"),
        ("activity_type:count:domain\na:1:b.com\n", "wrong-delimiter"),
        ('sep="\r\n"count","domain"\r\n', "unclosed-quote"),
        ('{"count": 1}\n', "not-csv"),
        ("\ncount,domain,\n1,a,x\n", "unknown-column"),
    ],
    ids=range(16),
)
def test_a_header_that_is_none_is_one_issue(text: str, code: str) -> None:
    issue = problem(text, STRICT, format="csv")
    assert (issue.line, issue.code) == (1 + (code == "unknown-column"), code)


def test_a_delimiter_that_is_given() -> None:
    for data in ('"a;b",count,domain\n1,2,3\n', "sep=;\ndomain,count\na,1\n"):
        issue = problem(data, delimiter=";", name="x.csv")
        assert (issue.code, issue.hint.endswith("--delimiter ,")) == ("wrong-delimiter", True)
    assert problem("domain,count\na,1\n", name="x.tsv").code == "wrong-delimiter"
    found = told("sep=|\ndomain;count\na;1\n", delimiter=";", name="x.csv")
    assert found == [{"domain": "a", "count": "1"}]
    assert told('"Domain, of company"\nx.com\n', name="x.tsv") == [{}]


def test_the_line_is_where_the_record_starts() -> None:
    first, second = items(b'domain,count,meta.x\r\n"a\r\nb","1\n",c\rd,2,e\n', name="x.csv")
    assert isinstance(first, Record)
    assert (first.line, second.line, first.excerpt) == (2, 5, '"a')


def test_a_hint_names_the_line_of_the_header_and_what_to_skip() -> None:
    text = "x\nReport for May\n\nactivity_type,count,domain\na,1,b.com\n"
    issue = problem(text, STRICT, skip_lines=1)
    assert (issue.line, issue.hint.endswith("--skip-lines 3")) == (2, True)

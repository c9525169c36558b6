"""CSV: all of RFC 4180 is read exactly, everything else costs one row and is said."""

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reo_cli.readers import ReadOptions
from reo_cli.readers.csvfile import detect_delimiter
from reo_cli.readers.text import RECORD_LIMIT
from reo_cli.records import Record
from tests.readers.reading import ALL, fields, items

CELL = st.text(
    st.sampled_from('ab ,;"\r\n\té|')
    | st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    max_size=8,
)
NAMES = ("activity_type", "environment", "user_agent")


def table(data: str, **options: Any) -> list[Any]:
    return fields(items(data.encode(), ALL._replace(format="csv", **options)))


@given(
    st.lists(st.tuples(CELL, CELL, CELL), max_size=6),
    st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n"]),
    st.integers(1, 50),
)
def test_what_is_written_by_the_rules_is_read_exactly(
    rows: list[tuple[str, str, str]], delimiter: str, end: str, drip: int
) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([NAMES, *rows])
    read = items(out.getvalue().encode(), ALL._replace(format="csv"), drip=drip)
    wanted = [row for row in rows if any(cell.strip() for cell in row)]
    assert fields(read) == [
        {name: cell for name, cell in zip(NAMES, row, strict=True) if cell} for row in wanted
    ]
    assert [each.number for each in read if isinstance(each, Record)] == list(
        range(1, len(wanted) + 1)
    )


@given(st.text(st.sampled_from('a,"\n\r '), max_size=60))
def test_any_text_becomes_rows_or_issues(text: str) -> None:
    read = items(("count,domain\n" + text).encode(), ALL._replace(format="csv"))
    lines = [each.line for each in read]
    assert lines == sorted(lines)
    for each in read:
        assert isinstance(each, Record)
        assert each.fields is not None or len(each.faults) == 1


@pytest.mark.parametrize(
    ("line", "delimiter"),
    [
        ("count,domain\n", ","),
        ("count;domain;x,y\n", ";"),
        ("count\tdomain\n", "\t"),
        ("count|domain\r\n", "|"),
        ("count\n", ","),
        ("Company Domain;Date;Downloads\n", ";"),
        ('"a;b","c;d","e"\n', ","),
        ('"count","a,b,c,d"\n', ","),
        ('"count;1";"domain"\n', ";"),
    ],
)
def test_the_delimiter_is_decided_from_the_header(line: str, delimiter: str) -> None:
    assert detect_delimiter(line, ReadOptions()) == delimiter


def test_an_open_quote_gives_back_the_rows_that_it_swallowed() -> None:
    rows = "c,2\n" * (RECORD_LIMIT // 2)
    found = table(f'domain,count\n"b,1\n{rows}')
    assert found[0] == (2, "a quote is opened and not closed")
    assert len(found) == 1 + RECORD_LIMIT // 2


def test_an_open_quote_before_what_is_no_row_takes_the_rest() -> None:
    found = table('domain,count\nb,1\n"' + "x\n" * RECORD_LIMIT + "c,2\n")
    assert found == [{"domain": "b", "count": "1"}, (3, "a quote is opened and not closed")]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ('a"b,1', "a quote stands inside"),
        ('"a"b,1', "a quote stands inside"),
        ('a, "1"', "a quote stands inside"),
        ("a", "1 cell where the header has 2"),
        ("a,1,x", "3 cells where the header has 2"),
        ("a,1,", "3 cells where the header has 2"),
        ("a\0,1", "NUL"),
        ("domain,count", "the header stands here again"),
        ("\ufeffdomain,count", "the header stands here again"),
        ('"a,1', "a quote is opened and not closed"),
        ("x" * (RECORD_LIMIT + 1) + ",1", "longer than 1 MiB"),
        ('"' + "x\n" * (RECORD_LIMIT // 2 + 1) + '",1', "longer than 1 MiB"),
        ('"' + "x\nx\nd,3\nx" * (RECORD_LIMIT // 8) + '",1', "longer than 1 MiB"),
    ],
)
def test_a_bad_row_costs_one_row(row: str, words: str) -> None:
    found = table(f"domain,count\nb,1\n{row}\nc,2\nd,3\n")
    assert found[0] == {"domain": "b", "count": "1"}
    assert found[1][0] == 3
    assert words in found[1][1]
    assert found[-2:] == [{"domain": "c", "count": "2"}, {"domain": "d", "count": "3"}]


def test_a_bad_row_of_several_lines_is_one_issue() -> None:
    found = table('domain,count\n"a\nb\nc",1,x\nd,2\n')
    assert found == [(2, "3 cells where the header has 2"), {"domain": "d", "count": "2"}]


def test_a_swallowing_quote_that_ends_well_still_costs_one_row() -> None:
    found = table('domain,count\n"a,1\nb,2\nc,"3"\nd,4\n')
    assert found[0] == (2, "a quote is opened and not closed")
    assert found[1:] == [{"domain": each, "count": n} for each, n in ("b2", "c3", "d4")]


def test_blank_rows_and_unnamed_columns_are_skipped() -> None:
    found = table("\n,,\ndomain,,count,\n\n,,,\n a ,,1,\n   \n,  ,,\n")
    assert found == [{"domain": " a ", "count": "1"}]


def test_the_line_is_where_the_record_starts() -> None:
    data = b'domain,count,meta.x\r\n"a\r\nb","1\n",c\rd,2,e\n'
    first, second = items(data, ALL._replace(format="csv"))
    assert isinstance(first, Record)
    assert (first.line, second.line) == (2, 5)
    assert first.excerpt == '"a'


@pytest.mark.parametrize("text", ["", "\n\n", ",,\n"])
def test_an_empty_file_has_no_header(text: str) -> None:
    ((_, message),) = table(text)
    assert "not even a header" in message


@pytest.mark.parametrize("header", ['a,"b\n', 'a"b,c\n', "a\0,b\n", "x" * (RECORD_LIMIT + 1)])
def test_a_header_that_is_no_csv_is_one_issue(header: str) -> None:
    ((line, message),) = table(f"{header}1,2\n")
    assert line == 1
    assert "header" in message


def test_a_line_that_names_the_delimiter() -> None:
    assert table("sep=|\ndomain|count\na|1\n") == [{"domain": "a", "count": "1"}]
    assert table("sep=|\ndomain;count\na;1\n", delimiter=";") == [{"domain": "a", "count": "1"}]


def test_names_may_hold_line_breaks_and_delimiters() -> None:
    text = '"Company, its\nDomain";count;domain\r\nx.com;1;a.com\n'
    for delimiter in (None, ";"):
        options = ALL._replace(delimiter=delimiter)
        (record,) = items(text.encode(), options)
        assert isinstance(record, Record)
        assert (record.fields, record.line) == ({"count": "1", "domain": "a.com"}, 3)
    text = '"\nx",count\n1,2\n'
    assert fields(items(text.encode())) == [{"count": "2"}]
    text = '"Domain, of company"\nx.com\n'
    assert fields(items(text.encode(), name="x.tsv")) == [{}]


def test_a_delimiter_that_is_not_there_is_said() -> None:
    options = ALL._replace(delimiter=";")
    ((_, message),) = fields(items(b'"a;b",count,domain\n1,2,3\n', options))
    assert "`;` does not separate" in message


def test_a_swallowed_row_is_given_back_though_it_goes_on_in_the_next_line() -> None:
    text = 'count,domain,user_agent\n"1,a.com,u\n2,b.com,"two\nlines"\n3,c.com,\n'
    (line, message), *rows = fields(items(text.encode()))
    assert (line, "not closed" in message) == (2, True)
    assert [row["count"] for row in rows] == ["2", "3"]


@pytest.mark.parametrize("line", ["sep=\r\n", 'sep="\r\n', "sep=,\r\n"])
def test_a_line_that_names_no_delimiter(line: str) -> None:
    options = ReadOptions(given=ALL.given)
    found = fields(items(f'{line}"count","domain"\r\n1,a.com\r\n'.encode(), options))
    if line == "sep=,\r\n":
        assert found == [{"count": "1", "domain": "a.com"}]
    else:
        assert "header" in found[0][1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Report for May\n\nactivity_type,count,domain\na,1,b.com\n", "seems to be in line 3"),
        ("activity_type:count:domain\na:1:b.com\n", "`:` separates the columns"),
        ("a b c\n", "names no columns: `a b c`"),
        ('primary;"1,250";acme.com;2026-05-01\n', "holds values"),
    ],
)
def test_a_header_that_is_none(text: str, words: str) -> None:
    ((line, message),) = fields(items(text.encode(), ReadOptions()))
    assert (line, words in message) == (1, True), message

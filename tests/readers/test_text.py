"""Bytes → text: encodings, byte order marks, gzip, lines, and what a file is that is no text."""

import gzip
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reo_cli.readers.text import Lines, Stream
from reo_cli.records import Record
from tests.readers.reading import ALL, STRICT, WHOLE, Drip, items, problem, told

TEXT = "domain,count\nmünchen.de,1\r\n\U0001f600,2\n"


def packed(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


@pytest.mark.parametrize("drip", [1, 2, 3, 5, WHOLE])
@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        (None, TEXT.encode()),
        (None, TEXT.encode("utf-8-sig")),
        (None, ("\ufeff" + TEXT).encode("utf-16-le")),
        (None, ("\ufeff" + TEXT).encode("utf-16-be")),
        (None, ("\ufeff" + TEXT).encode("utf-32-le")),
        ("utf-16-le", TEXT.encode("utf-16-le")),
        ("cp1252", TEXT.encode("utf-8-sig")),  # a mark is stronger than an option
        ("gb18030", TEXT.encode("gb18030")),
    ],
)
def test_text_comes_out_whole(encoding: str | None, data: bytes, drip: int) -> None:
    for each in (data, packed(data), packed(data[:30]) + packed(b"") + packed(data[30:])):
        assert told(each, name="x.csv", encoding=encoding, drip=drip) == [
            {"domain": "münchen.de", "count": "1"},
            {"domain": "\U0001f600", "count": "2"},
        ]


@given(st.text(st.sampled_from("a,é\r\n"), max_size=40), st.integers(1, 9), st.integers(2, 9))
@example("a\r\ra", 1, 2)
def test_lines_end_where_they_do(text: str, drip: int, limit: int) -> None:
    def lines(most: int) -> list[str]:
        reader = Lines(Stream(Drip(text.encode(), drip).read1))
        return list(iter(lambda: reader.read(most), ""))

    whole, pieces = lines(99), lines(limit)
    assert "".join(whole) == text
    assert all(line.count("\n") + line.count("\r") <= 2 for line in whole)
    assert not any(a[-1:] == "\r" and b[:1] == "\n" for a, b in pairwise(whole))
    assert max(map(len, pieces), default=0) <= limit + 1
    ends = sum(piece[-1] in "\r\n" for piece in pieces)
    assert ends == sum(line[-1] in "\r\n" for line in whole)


@pytest.mark.parametrize("drip", [1, 4, WHOLE])
@pytest.mark.parametrize(
    ("encoding", "data", "line", "code"),
    [
        (None, b"count\ncd\xffe\n", 2, "not-in-encoding"),
        (None, b"\xef\xbb\xbfcount\n1\n\xff\n", 3, "not-in-encoding"),
        (None, "count\nü\n".encode() + b"\xfc\n", 3, "not-in-encoding"),
        (None, b"count\n1\nab\xc3", 3, "cut-off"),
        (None, "\ufeffcount\na\n".encode("utf-16-le") + b"\0\xd8b\0", 3, "not-in-encoding"),
        (None, "\ufeffcount\na\n".encode("utf-16-le") + b"a", 3, "cut-off"),
        ("cp1252", b"count\n\x81", 2, "not-in-encoding"),
        ("ascii", b"count\nab\xe9", 2, "not-in-encoding"),
        ("shift_jis", b"count\n\x81\x20\n", 2, "not-in-encoding"),
        ("utf-7", b"count\n\xff\n", 2, "not-in-encoding"),
    ],
)
def test_bad_bytes_are_found_where_they_are(
    encoding: str | None, data: bytes, line: int, code: str, drip: int
) -> None:
    *_, (at, found) = told(data, encoding=encoding, name="x.csv", drip=drip)
    assert found == code
    gives_up_early = encoding in ("utf-7", "shift_jis") or data.startswith(b"\xff\xfe")
    assert at <= line if gives_up_early else at == line  # before the lines that it holds


HEADER = b"count,domain,user_agent\n"
BAD = (4, "not-in-encoding")


@pytest.mark.parametrize("drip", [4096, WHOLE])
@pytest.mark.parametrize("before", [0, 80_000, 200_000])
@pytest.mark.parametrize("bad", [b"\xfc\n1,c.com,\n", b"\xc3"])
def test_a_bad_byte_in_a_long_row_ends_no_input_in_silence(
    bad: bytes, before: int, drip: int
) -> None:
    data = HEADER + b"1,a.com,\n1,b.com," + b"x" * before + bad
    good, wrong = told(data, name="x.csv", drip=drip)
    assert (good["domain"], wrong[0]) == ("a.com", 3)
    assert "0xFC" in str(problem(b"x" * before + b"\xfc,b\n", name="x.csv", drip=drip))


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("bad", [b"\xfc", b"1,M\xfcller"])
def test_lines_before_a_bad_byte_are_read_whatever_their_ends(end: bytes, bad: bytes) -> None:
    for first in (b"\n", end):
        data = HEADER.rstrip() + first + b"1,a.com," + end + b"2,b.com," + end + bad + end
        one, other, wrong = told(data, name="x.csv")
        assert (one["count"], other["count"], wrong) == ("1", "2", BAD)


@pytest.mark.parametrize("name", ["x.json", "x.csv"])
def test_the_line_of_a_bad_byte_may_be_the_first_that_says_something(name: str) -> None:
    assert told(b"\n \r\n\n\xfc\n", name=name) == [BAD]
    assert told(b'{"count":\r2,"domain":\r\n"a",\n"b\xfc"}', name="x.json")[-1] == BAD


@pytest.mark.parametrize(
    ("name", "text"),
    [("x.csv", "activity_type\nMüller\n"), ("x.json", '{"activity_type": "Müller"}\n')],
)
def test_a_legacy_encoding_is_one_error_that_names_the_way_out(name: str, text: str) -> None:
    data = text.encode("cp1252") * 5
    hint = problem(data, name=name).hint
    assert '"Müller"' in hint
    assert hint.endswith("--encoding cp1252")
    assert {"activity_type": "Müller"} in told(data, encoding="cp1252", name=name)


def test_encoding_and_header_are_mended_by_one_command() -> None:
    data = "Firma;count;domain\nMüller;1;a.com\n".encode("cp1252")
    issue = problem(data, STRICT, given=ALL.given - {"domain"}, name="x.csv")
    assert issue.hint.endswith("--encoding cp1252 --ignore Firma")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["count,domain\n1,acme.com\n", '{"count": 1}\n'])
def test_utf16_without_a_mark_is_recognized(encoding: str, text: str) -> None:
    assert problem(text.encode(encoding)).hint.endswith(f"--encoding {encoding}")
    assert len(items(text.encode(encoding), encoding=encoding)) == 1


ROWS = b"count\n" + b"1\n" * 50_000
ONE = {"count": "1"}


@pytest.mark.parametrize("drip", [2, WHOLE])
@pytest.mark.parametrize(
    ("data", "rows", "damaged"),
    [
        (packed(b"count\n1\n") + bytes(512), 1, False),
        (packed(ROWS), 50_000, False),
        (packed(ROWS)[:-4], 50_000, True),  # what it holds is read first
        (packed(b"abc" * 99)[:-1], 0, True),
        (packed(b"abc")[:12], 0, True),
        (packed(b"count\n1\n") + b"b", 1, True),
        (b"\x1f\x8bnothing of the kind", 0, True),
        (packed(b"abc")[:-8] + bytes(8), 0, True),
        (b"", 0, True),
    ],
    ids=range(9),
)
def test_gzip_is_unpacked_as_it_comes_and_damage_is_said(
    data: bytes, rows: int, damaged: bool, drip: int
) -> None:
    found = told(data, name="x.csv.gz", drip=drip)
    wrong = [code for _, code in found[rows:]]
    assert (found[:rows], wrong) == ([ONE] * rows, ["damaged-gzip"] * damaged)


@pytest.mark.parametrize("name", ["x.json", "x.ndjson", "x.csv", "x"])
def test_any_amount_of_white_space_may_come_first(name: str) -> None:
    good = b"count,domain\nx,a.com\n" if name == "x.csv" else b'{"count": "x", "domain": "a.com"}'
    for space in (b"\n" * 1_300_000, b" \r\n" * 500_000, b"\r\t" * 600_000):
        (record,) = items(space + good, name=name)
        assert isinstance(record, Record)
        lines = len(space.decode().replace("\r\n", "\n").replace("\r", "\n").split("\n"))
        assert record.line == lines + (name == "x.csv")


@pytest.mark.parametrize("data", [b"\x1f", b"\xc2\xa0\x0c", "\u2028\u3000".encode()])
def test_what_only_looks_empty_is_no_empty_input(data: bytes) -> None:
    for name in ("x.ndjson", "x.ndjson.gz", "x.json"):
        assert told(data, name=name) == [(1, "not-json")]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"SQLite format 3\0\n1,2\n", "SQLite"),
        (b"BZh91AY&SY\n1,2\n", "bzip2"),
        (b"<!DOCTYPE html>\n<html>\n", "web page"),
        (b'\n <?xml version="1.0"?>\n', "web page or XML"),
    ],
)
def test_other_kinds_of_files_are_named(data: bytes, words: str) -> None:
    for name in ("x.csv", "x.json", "x"):
        issue = problem(data, name=name)
        assert (issue.code, words in issue.message) == ("another-format", True)


def test_csv_that_is_called_json_is_named() -> None:
    assert "holds CSV, not JSON" in problem("count,domain\n1,a.com\n", name="x.json").message


@pytest.mark.parametrize(
    ("data", "options"),
    [
        *((f"{name},count\n1,2\n", {}) for name in ("PAR1", "BZh1", "SQLite format", "%PDF")),
        ("html,count\n1,2\n", {}),  # a column called like a kind of file
        ("Report\nof May\ncount\n2\n", {"skip_lines": 2}),
    ],
)
def test_what_is_read_all_the_same(data: str, options: dict[str, Any]) -> None:
    assert told(data, name="x.csv", **options) == [{"count": "2"}]

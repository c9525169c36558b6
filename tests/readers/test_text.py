"""Bytes → text: encodings, byte order marks, gzip, lines, and what a file is that is no text."""

import gzip
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reo_cli.readers import ReadOptions
from reo_cli.readers.text import Lines, Stream, Unreadable, unpacked
from reo_cli.records import Issue, Record
from tests.readers.reading import ALL, WHOLE, Drip, items, problem, told

TEXT = "domain,count\nmünchen.de,1\r\n\U0001f600,2\n"


def packed(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def lines_of(
    data: bytes, size: int, encoding: str | None = None, limit: int = 1 << 20
) -> list[str]:
    lines = Lines(unpacked(Stream(Drip(data, size).read1)), encoding)
    return list(iter(lambda: lines.read(limit), ""))


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
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
        ("shift_jis", "日本,1\n".encode("shift_jis")),
    ],
)
def test_text_comes_out_whole(encoding: str | None, data: bytes, size: int) -> None:
    wanted = "日本,1\n" if encoding == "shift_jis" else TEXT
    assert "".join(lines_of(data, size, encoding)) == wanted
    assert "".join(lines_of(packed(data), size, encoding)) == wanted


@given(st.text(st.sampled_from("a,é\r\n"), max_size=40), st.integers(1, 9), st.integers(2, 9))
@example("a\r\ra", 1, 2)
def test_lines_end_where_they_do(text: str, size: int, limit: int) -> None:
    whole = lines_of(text.encode(), size, limit=99)
    assert "".join(whole) == text
    assert all(line.count("\n") + line.count("\r") <= 2 for line in whole)
    assert not any(a[-1:] == "\r" and b[:1] == "\n" for a, b in pairwise(whole))
    pieces = lines_of(text.encode(), size, limit=limit)
    assert max(map(len, pieces), default=0) <= limit + 1
    ends = sum(piece[-1] in "\r\n" for piece in pieces)
    assert ends == sum(line[-1] in "\r\n" for line in whole)


@pytest.mark.parametrize("size", [1, 4, 1000])
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
    encoding: str | None, data: bytes, line: int, code: str, size: int
) -> None:
    *_, (at, found) = told(data, ALL._replace(encoding=encoding, format="csv"), drip=size)
    assert found == code
    assert at <= line  # a decoder that gives up does so before the lines it holds
    if encoding not in ("utf-7", "shift_jis") and b"\xff\xfe" not in data[:2]:
        assert at == line


HEADER = b"count,domain,user_agent\n"
BAD = (4, "not-in-encoding")


@pytest.mark.parametrize("drip", [4096, WHOLE])
@pytest.mark.parametrize("before", [0, 80_000, 200_000])
@pytest.mark.parametrize("bad", [b"\xfc\n1,c.com,\n", b"\xc3"])
def test_a_bad_byte_in_a_long_row_ends_no_input_in_silence(
    bad: bytes, before: int, drip: int
) -> None:
    good, wrong = told(
        HEADER + b"1,a.com,\n1,b.com," + b"x" * before + bad, name="x.csv", drip=drip
    )
    assert (good["domain"], wrong[0]) == ("a.com", 3)
    assert "0xFC" in str(problem(b"x" * before + b"\xfc,b\n", name="x.csv", drip=drip))


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("bad", [b"\xfc", b"1,M\xfcller"])
def test_lines_before_a_bad_byte_are_read_whatever_their_ends(end: bytes, bad: bytes) -> None:
    for first in (b"\n", end):
        data = HEADER.rstrip() + first + b"1,a.com," + end + b"2,b.com," + end + bad + end
        one, other, wrong = told(data, name="x.csv")
        assert (one["count"], other["count"], wrong) == ("1", "2", BAD)
    *_, wrong = told(b'{"count": 1}\n{"count": 2,\r"domain":\r\n"a\xfc"}', name="x.json")
    assert wrong == BAD
    assert (
        told(b"\n \r\n\n\xfc\n", name="x.json") == told(b"\n \r\n\n\xfc\n", name="x.csv") == [BAD]
    )


@pytest.mark.parametrize("name", ["x.csv", "x.json"])
def test_a_legacy_encoding_is_one_error_that_names_the_way_out(name: str) -> None:
    text = "activity_type\nMüller\n" if name == "x.csv" else '{"activity_type": "Müller"}\n'
    data = text.encode("cp1252") * 5
    hint = problem(data, name=name).hint
    assert '"Müller"' in hint
    assert hint.endswith("--encoding cp1252")
    assert {"activity_type": "Müller"} in told(data, ALL._replace(encoding="cp1252"), name=name)


def test_encoding_and_header_are_mended_by_one_command() -> None:
    data = "Firma;count;domain\nMüller;1;a.com\n".encode("cp1252")
    issue = problem(data, ReadOptions(given=ALL.given - {"domain"}), name="x.csv")
    assert issue.hint.endswith("--encoding cp1252 --ignore Firma")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["count,domain\n1,acme.com\n", '{"count": 1}\n'])
def test_utf16_without_a_mark_is_recognized(encoding: str, text: str) -> None:
    assert problem(text.encode(encoding)).hint.endswith(f"--encoding {encoding}")
    assert len(items(text.encode(encoding), ALL._replace(encoding=encoding))) == 1


@pytest.mark.parametrize("size", [1, 2, 11, 1000])
def test_gzip_is_unpacked_as_it_comes(size: int) -> None:
    one, other = packed(b"count\n1\n"), packed(b"2\n")
    assert lines_of(one, size) == ["count\n", "1\n"]
    assert lines_of(one + packed(b"") + other, size) == ["count\n", "1\n", "2\n"]
    assert lines_of(one + bytes(512), size) == ["count\n", "1\n"]
    assert lines_of(packed(b"x\n" * 1_000_000), size) == ["x\n"] * 1_000_000


@pytest.mark.parametrize(
    "data",
    [
        packed(b"abc" * 99)[:-1],
        packed(b"abc")[:12],
        packed(b"a") + b"b",
        b"\x1f\x8bnothing of the kind",
        packed(b"abc")[:-8] + bytes(8),
    ],
)
def test_damaged_gzip_is_said(data: bytes) -> None:
    with pytest.raises(Unreadable) as caught:
        lines_of(data, 7)
    assert caught.value.code == "damaged-gzip"


def test_what_a_cut_gzip_holds_is_read_first() -> None:
    first, *_, last = told(packed(b"count\n" + b"1\n" * 100_000)[:-4], name="x.csv.gz")
    assert (first, last[1]) == ({"count": "1"}, "damaged-gzip")


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


CSV = b"activity_type,count,domain\na,1,a.com\na,1,a.com\n"


@pytest.mark.parametrize(
    ("names", "data", "words"),
    [
        ("x.csv x.json x", b"SQLite format 3\0\n1,2\n", "SQLite"),
        ("x.csv x.json x", b"BZh91AY&SY\n1,2\n", "bzip2"),
        ("x.csv x.json x", b"<!DOCTYPE html>\n<html>\n", "web page"),
        ("x.csv x.json x", b'\n <?xml version="1.0"?>\n', "web page or XML"),
        ("x.json", CSV, "holds CSV, not JSON"),
    ],
)
def test_other_kinds_of_files_are_named(names: str, data: bytes, words: str) -> None:
    for name in names.split():
        issue: Issue = problem(data, name=name)
        assert (issue.code, words in issue.message) == ("another-format", True)


@pytest.mark.parametrize(
    ("data", "options", "found"),
    [
        *(
            (f"{name},count\n1,2\n", {}, {"count": "2"})  # a column called like a kind of file
            for name in ("PAR1", "BZh1", "SQLite format", "%PDF", "html")
        ),
        ("Report\nof May\ncount\n1\n", {"skip_lines": 2}, {"count": "1"}),
    ],
)
def test_what_is_read_all_the_same(data: str, options: dict[str, Any], found: Any) -> None:
    assert told(data, ALL._replace(**options), name="x.csv") == [found]

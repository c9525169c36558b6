"""Bytes → text: encodings, byte order marks, gzip, lines, and what a file is that is no text."""

import gzip
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reo_cli.readers import ReadOptions
from reo_cli.readers.text import Lines, Stream, Unreadable, unpacked
from reo_cli.records import Issue, Record
from tests.readers.reading import ALL, Drip, fields, items

TEXT = "domain,count\nmünchen.de,1\r\n\U0001f600,2\n"


def text_of(data: bytes, size: int, encoding: str | None = None, limit: int = 1 << 20) -> str:
    lines = Lines(unpacked(Stream(Drip(data, size).read1)), encoding)
    return "".join(iter(lambda: lines.read(limit), ""))


def lines_of(data: bytes, size: int, limit: int) -> list[str]:
    lines = Lines(Stream(Drip(data, size).read1))
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
    assert text_of(data, size, encoding) == wanted
    assert text_of(gzip.compress(data, mtime=0), size, encoding) == wanted


@given(st.text(st.sampled_from("a,é\r\n"), max_size=40), st.integers(1, 9), st.integers(2, 9))
def test_lines_end_where_they_do(text: str, size: int, limit: int) -> None:
    whole = lines_of(text.encode(), size, 99)
    assert "".join(whole) == text
    assert all(line.count("\n") + line.count("\r") <= 2 for line in whole)
    assert not any(a[-1:] == "\r" and b[:1] == "\n" for a, b in pairwise(whole))
    pieces = lines_of(text.encode(), size, limit)
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
    *_, issue = items(data, ALL._replace(encoding=encoding, format="csv"), drip=size)
    assert isinstance(issue, Issue)
    assert issue.code == code
    assert issue.line <= line  # a decoder that gives up does so before the lines it holds
    if encoding not in ("utf-7", "shift_jis") and b"\xff\xfe" not in data[:2]:
        assert issue.line == line


HEADER = b"count,domain,user_agent\n"


@pytest.mark.parametrize("size", [4096, 1 << 18])
@pytest.mark.parametrize("before", [0, 80_000, 200_000])
@pytest.mark.parametrize("bad", [b"\xfc\n1,c.com,\n", b"\xc3"])
def test_a_bad_byte_in_a_long_row_ends_no_input_in_silence(
    bad: bytes, before: int, size: int
) -> None:
    data = HEADER + b"1,a.com,\n1,b.com," + b"x" * before + bad
    good, issue = items(data, name="x.csv", drip=size)
    assert isinstance(good, Record)
    assert isinstance(issue, Issue)
    assert issue.line == 3
    (header,) = items(b"x" * before + b"\xfc,b\n", name="x.csv", drip=size)
    assert "0xFC" in str(header)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("bad", [b"\xfc", b"1,M\xfcller"])
def test_lines_before_a_bad_byte_are_read_whatever_their_ends(end: bytes, bad: bytes) -> None:
    for first in (b"\n", end):
        data = HEADER.rstrip() + first + b"1,a.com," + end + b"2,b.com," + end + bad + end
        *told, (line, message) = fields(items(data, name="x.csv"))
        assert [each["count"] for each in told] == ["1", "2"]
        assert (line, "0xFC" in message) == (4, True)


@pytest.mark.parametrize(
    ("name", "data", "line"),
    [
        ("x.json", b'{"count": 1}\n{"count": 2,\r"domain":\r\n"a\xfc"}', 4),
        ("x.json", b"\n \r\n\xfc\n", 3),
        ("x.csv", b"\n \r\n\xfc\n", 3),
    ],
)
def test_the_line_of_a_bad_byte(name: str, data: bytes, line: int) -> None:
    *_, (at, message) = fields(items(data, name=name))
    assert (at, "0xFC" in message) == (line, True)


@pytest.mark.parametrize("name", ["x.csv", "x.json"])
def test_a_legacy_encoding_is_one_error_that_names_the_way_out(name: str) -> None:
    text = "activity_type\nMüller\n" if name == "x.csv" else '{"activity_type": "Müller"}\n'
    data = text.encode("cp1252") * 5
    (issue,) = items(data, name=name)
    assert isinstance(issue, Issue)
    assert '"Müller"' in issue.hint
    assert issue.hint.endswith("--encoding cp1252")
    assert {"activity_type": "Müller"} in fields(
        items(data, ALL._replace(encoding="cp1252"), name=name)
    )


def test_encoding_and_header_are_mended_by_one_command() -> None:
    data = "Firma;count;domain\nMüller;1;a.com\n".encode("cp1252")
    (issue,) = items(data, ReadOptions(given=ALL.given - {"domain"}), name="x.csv")
    assert isinstance(issue, Issue)
    assert issue.hint.endswith("--encoding cp1252 --ignore Firma")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["count,domain\n1,acme.com\n", '{"count": 1}\n'])
def test_utf16_without_a_mark_is_recognized(encoding: str, text: str) -> None:
    (issue,) = items(text.encode(encoding))
    assert isinstance(issue, Issue)
    assert issue.hint.endswith(f"--encoding {encoding}")
    assert len(items(text.encode(encoding), ALL._replace(encoding=encoding))) == 1


@pytest.mark.parametrize("size", [1, 2, 11, 1000])
def test_gzip_is_unpacked_as_it_comes(size: int) -> None:
    one, other = gzip.compress(b"count\n1\n", mtime=0), gzip.compress(b"2\n", mtime=0)
    assert text_of(one, size) == "count\n1\n"
    assert text_of(one + gzip.compress(b"", mtime=0) + other, size) == "count\n1\n2\n"
    assert text_of(one + bytes(512), size) == "count\n1\n"
    assert text_of(gzip.compress(b"x\n" * 5_000_000, mtime=0), size) == "x\n" * 5_000_000


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(b"abc" * 99, mtime=0)[:-1],
        gzip.compress(b"abc", mtime=0)[:12],
        gzip.compress(b"a", mtime=0) + b"b",
        b"\x1f\x8bnothing of the kind",
        gzip.compress(b"abc", mtime=0)[:-8] + bytes(8),
    ],
)
def test_damaged_gzip_is_said(data: bytes) -> None:
    with pytest.raises(Unreadable) as caught:
        text_of(data, 7)
    assert caught.value.code == "damaged-gzip"


def test_what_a_cut_gzip_holds_is_read_first() -> None:
    data = gzip.compress(b"count\n" + b"1\n" * 100_000, mtime=0)[:-4]
    found = fields(items(data, name="x.csv.gz"))
    assert found[0] == {"count": "1"}
    assert "damaged" in found[-1][1]


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
        ((line, message),) = fields(items(data, name=name))
        assert (line, "is not JSON" in message) == (1, True)


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"SQLite format 3\0", "SQLite"),
        (b"BZh91AY&SY", "bzip2"),
        (b"<!DOCTYPE html>\n<html>", "web page"),
        (b'\n <?xml version="1.0"?>', "web page or XML"),
    ],
)
def test_other_kinds_of_files_are_named(start: bytes, words: str) -> None:
    for name in ("x.csv", "x.json", "x"):
        ((_, message),) = fields(items(start + b"\n1,2\n", name=name))
        assert words in message


@pytest.mark.parametrize("column", ["PAR1", "BZh1", "SQLite format", "%PDF", "html"])
def test_a_column_may_be_called_like_a_kind_of_file(column: str) -> None:
    assert fields(items(f"{column},count\n1,2\n".encode(), name="x.csv")) == [{"count": "2"}]


def test_csv_with_the_name_of_json_is_said_once() -> None:
    data = b"activity_type,count,domain\na,1,a.com\na,1,a.com\n"
    ((line, message),) = fields(items(data, name="x.json"))
    assert (line, message) == (1, "the file holds CSV, not JSON")


def test_lines_may_be_skipped() -> None:
    data = b"Report\nof May\ncount,domain\n1,a.com\n"
    (record,) = items(data, ALL._replace(skip_lines=2), name="x.csv")
    assert isinstance(record, Record)
    assert (record.line, record.fields) == (4, {"count": "1", "domain": "a.com"})

"""Bytes → text: encodings, byte order marks, gzip, and where blocks are cut."""

import gzip
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reo_cli.readers import ReadOptions
from reo_cli.readers.source import BLOCK, Source
from reo_cli.readers.text import CutOff, Undecodable, decoded, last_end, unpacked
from reo_cli.records import Issue, Record, line_starts
from tests.readers.reading import ALL, Drip, fields, items

TEXT = "domain,count\nmünchen.de,1\r\n\U0001f600,2\n"


def chunks(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def unzipped(data: bytes, size: int = 7) -> bytes:
    return b"".join(unpacked(Source("x", "x", Drip(data, size), streamed=True)))


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
    assert "".join(decoded(chunks(data, size), encoding)) == wanted


@given(st.text(st.sampled_from("a,é\r\n"), max_size=40), st.integers(1, 9))
def test_blocks_end_where_lines_end(text: str, size: int) -> None:
    blocks = list(decoded(chunks(text.encode(), size), None))
    assert "".join(blocks) == text
    for block, after in pairwise(blocks):
        assert block[-1] in "\r\n"
        assert not (block[-1] == "\r" and after[0] == "\n")


def test_a_line_without_end_is_cut_into_blocks() -> None:
    data = (b"x" * BLOCK for _ in range(8))
    sizes = [len(block) for block in decoded(data, None)]
    assert sum(sizes) == 8 * BLOCK
    assert max(sizes) <= 2 * BLOCK


@pytest.mark.parametrize("size", [1, 4, 1000])
@pytest.mark.parametrize(
    ("encoding", "data", "offset"),
    [
        (None, b"ab\ncd\xffe\n", 5),
        (None, b"\xef\xbb\xbfab\ncd\xff\n", 8),
        (None, "ab\nü\n".encode() + b"\xfc", 6),
        (None, b"ab\xc3", 2),
        (None, b"\xff\xfea\0\n\0\0\xd8b\0", 6),
        ("cp1252", b"ab\n\x81", 3),
        ("ascii", b"ab\xe9", 2),
    ],
)
def test_bad_bytes_are_found_where_they_are(
    encoding: str | None, data: bytes, offset: int, size: int
) -> None:
    with pytest.raises(Undecodable) as caught:
        list(decoded(chunks(data, size), encoding))
    assert caught.value.offset == offset


def test_lines_before_a_bad_byte_are_read() -> None:
    data = b"count\n1\n2\nM\xfcller\n3\n"
    assert fields(items(data))[:2] == [{"count": "1"}, {"count": "2"}]


def test_a_legacy_encoding_is_one_error_that_names_the_way_out() -> None:
    data = "activity_type\nM\u00fcller\n".encode("cp1252") * 5
    (issue,) = items(data)
    assert isinstance(issue, Issue)
    assert issue.line == 2
    assert issue.message == "byte 0xFC at offset 15 is not UTF-8"
    assert '"Müller"' in issue.hint
    assert issue.hint.endswith("--encoding cp1252")
    assert {"activity_type": "Müller"} in fields(
        items(data, ReadOptions("csv", None, "cp1252", ALL))
    )


def test_the_encoding_counts_for_json_too() -> None:
    data = '{"domain": "münchen.de"}'.encode("cp1252")
    assert fields(items(data, ReadOptions(encoding="cp1252", names=ALL))) == [
        {"domain": "münchen.de"}
    ]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["count,domain\n1,acme.com\n", '{"count": 1}\n'])
def test_utf16_without_a_mark_is_recognized(encoding: str, text: str) -> None:
    (issue,) = items(text.encode(encoding))
    assert isinstance(issue, Issue)
    assert issue.hint.endswith(f"--encoding {encoding}")
    assert len(items(text.encode(encoding), ReadOptions(encoding=encoding, names=ALL))) == 1


@pytest.mark.parametrize("size", [1, 2, 11, 1000])
def test_gzip_is_unpacked_as_it_comes(size: int) -> None:
    one, other = gzip.compress(b"count\n1\n", mtime=0), gzip.compress(b"2\n", mtime=0)
    assert unzipped(one, size) == b"count\n1\n"
    assert unzipped(one + gzip.compress(b"", mtime=0) + other, size) == b"count\n1\n2\n"
    assert unzipped(one + bytes(512), size) == b"count\n1\n"
    assert unzipped(gzip.compress(b"x" * 10_000_000, mtime=0), size) == b"x" * 10_000_000


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
    with pytest.raises(CutOff):
        unzipped(data)


def test_what_a_cut_gzip_holds_is_read_first() -> None:
    data = gzip.compress(b"count\n" + b"1\n" * 100_000, mtime=0)[:-4]
    found = fields(items(data, name="x.csv.gz"))
    assert found[0] == {"count": "1"}
    assert "damaged" in found[-1][1]


@given(st.text("a\r\n"))
def test_last_end(text: str) -> None:
    end = last_end(text)
    assert end == 0 or text[end - 1] in "\r\n"


HEADER = b"count,domain,user_agent\n"


@pytest.mark.parametrize("size", [4096, 1 << 18])
@pytest.mark.parametrize("before", [0, 80_000, 200_000])
@pytest.mark.parametrize("bad", [b"\xfc\n1,c.com,\n", b"\xc3"])
def test_a_bad_byte_in_a_long_row_ends_no_input_in_silence(
    bad: bytes, before: int, size: int
) -> None:
    data = HEADER + b"1,a.com,\n1,b.com," + b"x" * before + bad
    found = items(data, name="x.csv", drip=size)
    (issue,) = (each for each in found if isinstance(each, Issue))
    assert issue.line == 3
    assert f"offset {len(HEADER) + 17 + before:,}" in issue.message
    assert len(found) == 2
    (header,) = items(b"x" * before + b"\xfc,b\n", name="x.csv", drip=size)
    assert "0xFC" in str(header)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("bad", [b"\xfc", b"1,M\xfcller"])
def test_lines_before_a_bad_byte_are_read_whatever_their_ends(end: bytes, bad: bytes) -> None:
    for first in (b"\n", end):
        data = HEADER.rstrip() + first + b"1,a.com," + end + b"2,b.com," + end + bad
        *told, (line, message) = fields(items(data, name="x.csv"))
        assert [each["count"] for each in told] == ["1", "2"]
        assert (line, "0xFC" in message) == (4, True)


def test_a_bad_byte_inside_a_value_of_several_lines() -> None:
    data = b'{"count": 1}\n{"count": 2,\r"domain":\r\n"a\xfc"}'
    *_, (line, message) = fields(items(data, name="x.json"))
    assert (line, "0xFC" in message) == (4, True)


@pytest.mark.parametrize("name", ["x.json", "x.csv"])
def test_a_bad_byte_below_white_space(name: str) -> None:
    ((line, message),) = fields(items(b"\n \r\n\xfc", name=name))
    assert (line, "0xFC" in message) == (3, True)


@pytest.mark.parametrize("name", ["x.json", "x.ndjson", "x.csv", "x"])
def test_any_amount_of_white_space_may_come_first(name: str) -> None:
    good = b"count,domain\nx,a.com\n" if name == "x.csv" else b'{"count": "x", "domain": "a.com"}'
    for space in (b"\n" * 1_300_000, b" \r\n" * 500_000, b"\r\t" * 600_000):
        (record,) = items(space + good, name=name)
        assert isinstance(record, Record)
        lines = len(line_starts(space.decode())) + (name == "x.csv")
        assert record.line == lines


@pytest.mark.parametrize("data", [b"\x1f", b"\xc2\xa0\x0c", "\u2028\u3000".encode()])
def test_what_only_looks_empty_is_no_empty_input(data: bytes) -> None:
    for name in ("x.ndjson", "x.ndjson.gz", "x.json"):
        ((line, message),) = fields(items(data, name=name))
        assert (line, "is not JSON" in message) == (1, True)


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"PAR1\x15\x04", "Parquet"),
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
    (record,) = items(f"{column},count\n1,2\n".encode(), name="x.csv")
    assert isinstance(record, Record)
    assert record.fields == {"count": "2"}


def test_csv_with_the_name_of_json_is_said_once() -> None:
    data = b"activity_type,count,domain\na,1,a.com\na,1,a.com\n"
    ((line, message),) = fields(items(data, name="x.json"))
    assert (line, message) == (1, "the file holds CSV, not JSON")

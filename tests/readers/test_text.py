"""Bytes → text: encodings, byte order marks, gzip, lines, and what a file is that is no text."""

import gzip
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reo_cli.readers.text import Lines, Stream
from reo_cli.records import Issue, Record
from tests.readers.reading import WHOLE, Drip, items, told

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


BAD = "not-in-encoding"
UTF16 = "\ufeffcount\na\n".encode("utf-16-le")


@pytest.mark.parametrize("drip", [1, 4, 4096, WHOLE])
@pytest.mark.parametrize(
    ("encoding", "data", "wrong"),
    [
        (None, b"count\ncd\xffe\n", (2, BAD)),
        (None, b"\xef\xbb\xbfcount\n1\n\xff\n", (3, BAD)),
        (None, "count\nü\n".encode() + b"\xfc\n", (3, BAD)),
        (None, b"count\n1\nab\xc3", (3, "cut-off")),
        (None, UTF16 + b"\0\xd8b\0", (3, BAD)),
        (None, UTF16 + b"a", (3, "cut-off")),
        ("cp1252", b"count\n\x81", (2, BAD)),
        ("ascii", b"count\nab\xe9", (2, BAD)),
        ("shift_jis", b"count\n\x81\x20\n", (2, BAD)),
        ("utf-7", b"count\n\xff\n", (2, BAD)),
        # A long row, and whatever the ends of the lines before are.
        (None, b"count\n1\n" + b"x" * 80_000 + b"\xfc\n1\n", (3, BAD)),
        (None, b"count\n1\n" + b"x" * 200_000 + b"\xfc\n1\n", (3, BAD)),
        (None, b"count\n1\n" + b"x" * 80_000 + b"\xc3", (3, "cut-off")),
        (None, b"x" * 80_000 + b"\xfc,b\n", (1, BAD)),
        *((None, b"count\n1\n2\n\xfc\n".replace(b"\n", end), (4, BAD)) for end in (b"\r", b"\r\n")),
        (None, b"count\n1\r2\rM\xfcller\r", (4, BAD)),
    ],
    ids=range(17),
)
def test_bad_bytes_end_an_input_where_they_are(
    encoding: str | None, data: bytes, wrong: tuple[int, str], drip: int
) -> None:
    *good, (line, code) = told(data, encoding=encoding, name="x.csv", drip=drip)
    assert code == wrong[1]
    if encoding in ("utf-7", "shift_jis") or data.startswith(UTF16):
        assert line <= wrong[0]  # a decoder that gives up does so before the lines that it holds
    else:
        assert (line, len(good)) == (wrong[0], max(0, line - 2))


def test_bad_bytes_in_json_end_it_where_they_are() -> None:
    good, bad = told(b'{"count": 1}\n{"count": 2,\r"domain":\r\n"a\xfc"}', name="x.json")
    assert (good, bad) == ({"count": 1}, (4, BAD))
    for name in ("x.json", "x.csv"):
        assert told(b"\n \r\n\n\xfc\n", name=name) == [(4, BAD)]


MUELLER = "count;domain\n1;a.com\nMüller;b.com\n"


@pytest.mark.parametrize(
    ("name", "text", "encoding", "more"),
    [
        ("x.csv", MUELLER, "cp1252", ""),
        ("x.csv", MUELLER.replace("count", "Firma"), "cp1252", " --ignore Firma"),
        ("x.json", '{"count": "Müller"}\n' * 5, "cp1252", ""),
        *(("x.csv", "count\n1\n", encoding, "") for encoding in ("utf-16-le", "utf-16-be")),
        *(("x.json", '{"count": 1}\n', encoding, "") for encoding in ("utf-16-le", "utf-16-be")),
    ],
)
def test_another_encoding_is_one_error_that_names_the_way_out(
    name: str, text: str, encoding: str, more: str
) -> None:
    found = items(text.encode(encoding), name=name, extra="error" if more else "ignore")[-1]
    assert isinstance(found, Issue)
    assert found.hint.endswith(f"--encoding {encoding}{more}")
    assert '"Müller"' in str(found) or "ü" not in text or more
    assert (1, BAD) not in told(text.encode(encoding), encoding=encoding, name=name)


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


@pytest.mark.parametrize(
    ("names", "data", "code", "words"),
    [
        *(
            ("x.ndjson x.ndjson.gz x.json", data, "not-json", "")  # it only looks empty
            for data in (b"\x1f", b"\xc2\xa0\x0c", "\u2028\u3000".encode())
        ),
        ("x.csv x.json x", b"SQLite format 3\0\n1,2\n", "another-format", "SQLite"),
        ("x.csv x.json x", b"BZh91AY&SY\n1,2\n", "another-format", "bzip2"),
        ("x.csv x.json x", b"<!DOCTYPE html>\n<html>\n", "another-format", "web page"),
        ("x.csv x.json x", b'\n <?xml version="1.0"?>\n', "another-format", "web page or XML"),
        ("x.json", b"count,domain\n1,a.com\n", "another-format", "holds CSV, not JSON"),
    ],
)
def test_what_is_neither_a_table_nor_json_is_named(
    names: str, data: bytes, code: str, words: str
) -> None:
    for name in names.split():
        (found,) = items(data, name=name)
        issue = found if isinstance(found, Issue) else found.faults[0]
        assert (issue.code, words in issue.message) == (code, True)


def test_a_column_may_be_called_like_a_kind_of_file() -> None:
    for name in ("PAR1", "BZh1", "SQLite format", "%PDF", "html"):
        assert told(f"{name},count\n1,2\n", name="x.csv") == [{"count": "2"}]
    assert told("Report\nof May\ncount\n1\n", skip_lines=2) == [{"count": "1"}]

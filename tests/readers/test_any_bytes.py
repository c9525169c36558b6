"""Whatever the bytes: records or issues, and nothing raised; the same events in every format."""

import csv
import io
import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from reo_cli.checks.checker import Checker
from reo_cli.delivery.identity import content_digest
from reo_cli.events import Rules
from reo_cli.readers import ReadOptions
from reo_cli.records import Issue, Record
from tests.readers.reading import ALL, NOW, STRICT, WHOLE, items

CHECKER = Checker(Rules(NOW))
STARTS = [
    *(b"", b"count,domain\n", b'{"count": 1}\n', b"["),
    *(b"\xff\xfe", b"\xef\xbb\xbf", b"\x1f\x8b\x08", b"PK"),
]
PIECES = [*(bytes([each]) for each in b'",\n\r\0{}[]:\\\xff\xc3'), b"1e9", b'"count"', b"null"]


@given(
    st.sampled_from(STARTS),
    st.lists(st.sampled_from(PIECES) | st.binary(max_size=4), max_size=30).map(b"".join),
    st.sampled_from(["auto", "json", "ndjson", "csv", "tsv"]),
    st.sampled_from([None, "utf-8", "utf-16", "cp1252", "shift_jis", "utf-7", "iso2022_jp"]),
    st.sampled_from([1, 3, WHOLE]),
    st.sampled_from([STRICT, ALL, STRICT._replace(mapped={"count": "domain"}, extra="meta")]),
)
@example(b"", b"", "csv", None, 1, ALL)
def test_any_bytes_become_records_or_issues(
    start: bytes, data: bytes, kind: str, encoding: str | None, drip: int, options: ReadOptions
) -> None:
    found = items(start + data, options, format=kind, encoding=encoding, drip=drip)
    for each in found:
        assert each.line >= 1
        if isinstance(each, Record):
            event, issues = CHECKER.check(each)
            assert event is not None or issues
            str([str(issue) for issue in issues])
        else:
            assert each.message
    if kind == "csv" and encoding is None:  # a decoder that gives up does so before its lines
        assert [each.line for each in found] == sorted(each.line for each in found)


CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
TEXT = st.text(CHARACTERS, max_size=9).filter(lambda text: text != "\\N")  # absent in CSV
FILLED = TEXT.filter(lambda text: bool(text.strip()))
KEY = FILLED.filter(lambda text: text != "plan")
EVENT: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "activity_type": FILLED,
        "count": st.integers(0, 2**60),
        "domain": st.sampled_from(["acme.com", "Reo.dev", "münchen.de", "gmail.com"]),
        "event_at": st.integers(10**8, 2 * 10**9),
        "product_id": FILLED,
    },
    optional={
        "event_id": FILLED,
        "ip_addr": st.ip_addresses().map(str),
        "user_agent": TEXT,
        "environment": TEXT,
        "mode": st.sampled_from(["DOMAIN", "USER"]),
        "meta.plan": FILLED,
        "meta": st.dictionaries(KEY, st.integers() | st.none() | TEXT, max_size=3),
    },
)


def events(data: bytes, name: str) -> list[tuple[Any, bytes]]:
    """Read, check and identify what a file holds."""
    found = []
    for each in items(data, STRICT, name=name):
        assert not isinstance(each, Issue), each
        event, issues = CHECKER.check(each)
        assert event is not None, issues
        found.append((event.payload, content_digest(event, b"")))
    return found


@given(st.lists(EVENT, min_size=1, max_size=5))
def test_the_same_events_in_every_format_are_the_same(written: list[dict[str, Any]]) -> None:
    table = io.StringIO(newline="")
    rows = csv.DictWriter(table, sorted({name for each in written for name in each}))
    rows.writeheader()
    for each in written:
        rows.writerow({**each, **({"meta": json.dumps(each["meta"])} if "meta" in each else {})})
    as_table = events(table.getvalue().encode(), "x.csv")
    assert as_table == events(table.getvalue().encode("utf-16"), "x.csv")
    assert as_table == events(json.dumps(written, indent=1).encode(), "x.json")
    assert as_table == events("\n".join(map(json.dumps, written)).encode(), "x.ndjson")

"""Whatever the bytes: records or issues, and nothing raised; the same events in every format."""

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reo_cli.checks.checker import Checker
from reo_cli.delivery.identity import content_digest
from reo_cli.errors import ExitCode, ReoError
from reo_cli.events import Rules
from reo_cli.readers import ReadOptions, read
from reo_cli.readers.source import Source
from reo_cli.records import Issue, Record
from tests.readers.reading import ALL, WHOLE, items

FORMATS = ["auto", "json", "ndjson", "csv", "tsv"]
ENCODINGS = [None, "utf-8", "utf-16", "cp1252", "shift_jis", "utf-7", "iso2022_jp"]
STARTS = [
    *(b"", b"count,domain\n", b'{"count": 1}\n', b"["),
    *(b"\xff\xfe", b"\xef\xbb\xbf", b"\x1f\x8b\x08", b"PK"),
]
PIECES = [*(bytes([each]) for each in b'",\n\r\0{}[]:\\\xff\xc3'), b"1e9", b'"count"', b"null"]

CHECKER = Checker(Rules(now=1795000000))


@given(
    st.sampled_from(STARTS),
    st.lists(st.sampled_from(PIECES) | st.binary(max_size=4), max_size=30).map(b"".join),
    st.sampled_from(FORMATS),
    st.sampled_from(ENCODINGS),
    st.sampled_from([1, 3, WHOLE]),
    st.sampled_from([ReadOptions(), ALL, ReadOptions(mapped={"count": "domain"}, extra="meta")]),
)
@example(b"", b"", "csv", None, 1, ALL)
def test_any_bytes_become_records_or_issues(
    start: bytes, data: bytes, kind: str, encoding: str | None, drip: int, options: ReadOptions
) -> None:
    found = items(start + data, options._replace(format=kind, encoding=encoding), drip=drip)
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


def test_an_empty_pipe_is_no_success() -> None:
    with pytest.raises(ReoError) as caught:
        list(read(Source("-", "-", io.BytesIO(b""), streamed=True), ReadOptions()))
    assert caught.value.exit_code is ExitCode.NO_INPUT


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=9)
FILLED = TEXT.filter(lambda text: bool(text.strip()))
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
        "meta": st.dictionaries(FILLED, st.integers() | st.none() | TEXT, max_size=3),
    },
)


def events(data: bytes, name: str) -> list[tuple[Any, bytes]]:
    """Read, check and identify what a file holds."""
    found = []
    for each in items(data, ReadOptions(), name=name):
        assert not isinstance(each, Issue), each
        event, issues = CHECKER.check(each)
        assert event is not None, issues
        found.append((event.payload, content_digest(event, b"")))
    return found


def has_one_plan(event: dict[str, Any]) -> bool:
    """A key of `meta` may be given only once."""
    return "plan" not in event.get("meta", {})


@given(st.lists(EVENT.filter(has_one_plan), min_size=1, max_size=5))
def test_the_same_events_in_every_format_are_the_same(written: list[dict[str, Any]]) -> None:
    lines = "".join(json.dumps(each) + "\n" for each in written)
    names = sorted({name for each in written for name in each})
    table = io.StringIO(newline="")
    rows = csv.DictWriter(table, names)
    rows.writeheader()
    for each in written:
        rows.writerow({**each, **({"meta": json.dumps(each["meta"])} if "meta" in each else {})})
    as_lines = events(lines.encode(), "x.ndjson")
    assert as_lines == events(json.dumps(written, indent=1).encode(), "x.json")
    assert as_lines == events(table.getvalue().encode(), "x.csv")
    assert as_lines == events(table.getvalue().encode("utf-16"), "x.csv")

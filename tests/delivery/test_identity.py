"""What an event is known by: the same for ever, on every machine, in every run and format.

The golden ids below pin the canonical form. They must never change: events that were delivered
would be sent again under other ids. A new form gets a new version, and the old ids stay valid.
"""

import json
import random
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reo_cli.checks.checker import Checker
from reo_cli.delivery.identity import (
    content_digest,
    derived_id,
    id_but_for_count,
    id_from_fields,
    id_key,
    place_id,
    request_body,
    subject_of,
)
from reo_cli.events import Event, Rules
from reo_cli.readers import ReadOptions, read
from reo_cli.readers.source import open_source
from reo_cli.records import Record
from tests.delivery.harness import ndjson, write_csv

NOW = 1_800_000_000

SAMPLE: dict[str, Any] = {
    "mode": "DOMAIN",
    "activity_type": "secondary23",
    "source": "TELEMETRY",
    "environment": "PRODUCTION",
    "event_id": 1231231232,
    "event_at": 639303296,
    "count": 1250,
    "ip_addr": "156.59.87.83",
    "domain": "",
    "product_id": "reoWebApp",
    "user_agent": "Mozilla/5.0 (Macintosh, Intel Mac OS X 10_15_7)",
    "meta": {"property1": "value1", "property2": "value2"},
}
"""The documentation's own sample (api.md)."""

PLAIN = {
    "activity_type": "primary",
    "count": 3,
    "domain": "reo.dev",
    "event_at": 1_790_000_000,
    "product_id": "app",
}


def event(fields: dict[str, Any], rules: Rules | None = None) -> Event:
    found, issues = Checker(rules or Rules(NOW)).check(Record("x.json", 1, 1, fields, {}, ""))
    assert found is not None, issues
    return found


def derived(fields: dict[str, Any], occurrence: int = 1) -> str:
    return derived_id(content_digest(event(fields), b""), occurrence)


# Golden ids


@pytest.mark.parametrize(
    ("golden", "fields"),
    [
        ("5e5b75d4427cdd4db2a02c209d21ac02", SAMPLE),
        ("ab27677a372ff73a77cced6b737b10f3", {}),
        (
            "7e4d7b1de9f6df18999d7d8c2ef0b80f",
            {"domain": "Zürich.Example", "user_agent": "Ä\u2028😀"},
        ),
        (
            "99b607c049ba38fe54e967c3aa45b760",
            {"meta": {"b": 1.50, "a": [True, None, {"z": "1e3"}]}},
        ),
        ("1efa92abb7011c0c97f519f29bc2b270", {"ip_addr": "2001:DB8:0:0::1", "count": "12.0"}),
    ],
)
def test_golden_ids_of_events(golden: str, fields: dict[str, Any]) -> None:
    assert derived({**PLAIN, **fields}) == golden


def test_golden_ids_of_equal_events() -> None:
    assert derived(PLAIN, 2) == "209bbdf68e05399a07b514bd37d2cecf"
    assert derived(PLAIN, 1_000_000) == "a2f7e9b1e6307f1fdfb424e52d1885d0"


def test_golden_content_of_the_documentation_s_sample() -> None:
    sample = event(SAMPLE)
    assert sample.content.decode() == (
        '{"mode":"DOMAIN","source":"TELEMETRY","activity_type":"secondary23",'
        '"environment":"PRODUCTION","count":1250,"ip_addr":"156.59.87.83","event_at":639303296,'
        '"product_id":"reoWebApp","user_agent":"Mozilla/5.0 (Macintosh, Intel Mac OS X 10_15_7)",'
        '"meta":{"property1":"value1","property2":"value2"}}'
    )
    body = request_body(sample.event_id or "", sample.content)
    assert json.loads(body) == {"payload": {k: v for k, v in SAMPLE.items() if k != "domain"}}
    assert body.startswith(b'{"payload":{"event_id":1231231232,"mode":')


@pytest.mark.parametrize(
    ("names", "golden"),
    [
        (["domain"], "87e27866671a50588a77340786dea3d9"),
        (["domain", "event_at"], "46f688ba32aa30a2eca8b7bd8185cf44"),
        (["event_at", "domain"], "36dfdc6f56fc19b7b233a16ec32ecbff"),
        (["meta.plan", "domain"], "cf6ed13d3bc75ae6e859a75a32381ae2"),
        (["user_agent"], "dc6c0c34aafe1d9748b985ad54c8f900"),
    ],
)
def test_golden_ids_from_fields(names: list[str], golden: str) -> None:
    payload = event({**PLAIN, "meta": {"plan": "pro"}}).payload
    assert id_from_fields(payload, names) == golden


@pytest.mark.parametrize(
    ("event_id", "golden"),
    [
        ("1231231232", "46d6546640ba1cbd07603359cd450e97"),
        (1231231232, "46d6546640ba1cbd07603359cd450e97"),
        ("01231231232", "be7be0f7f3368249a3416ee7959a328a"),
        ("a", "243c08b0b4f50e9743d047984d8d2507"),
        ("é", "d3045fe4bf2cff6cb6db233b3d0cdcdf"),
        ("", "249683195d7307230f99ad3546c3b145"),
    ],
)
def test_golden_keys_under_which_ids_are_remembered(event_id: str | int, golden: str) -> None:
    assert id_key(event_id).hex() == golden


def test_golden_ids_of_sums_and_of_places_and_a_golden_subject() -> None:
    """Ledgers and rejects files hold them: in another form, events would count twice."""
    plain = event(PLAIN)
    assert id_but_for_count(plain) == "f16dbdf8e32ce055cce002fa9e130d87"
    assert place_id(b"/data/x.csv", "a,b\n", 2) == "reject-4d330b6d19feff2536a6a772683fb1be"
    assert subject_of(plain.payload) == 1491187513551388275


# What an id depends on, and what not


@pytest.mark.parametrize(
    ("change", "is_same"),
    [
        ({"count": 4}, False),
        ({"domain": "reo.com"}, False),
        ({"event_at": 1_790_000_001}, False),
        ({"environment": "PRODUCTION"}, False),
        ({"meta": {"a": "1"}}, False),
        ({"activity_type": "Primary"}, False),
        ({"activity_type": "pri mary"}, False),
        ({"event_id": "a"}, True),
        ({"count": "3"}, True),
        ({"count": 3.0}, True),
        ({"domain": "REO.dev"}, True),
        ({"domain": "reo.dev."}, True),
        ({"event_at": "2026-09-21T14:13:20Z"}, True),
        ({"environment": ""}, True),
        ({"environment": None}, True),
        ({"mode": "DOMAIN"}, True),
        ({"ip_addr": "  "}, True),
    ],
)
def test_other_content_is_another_event_and_another_spelling_or_order_the_same(
    change: dict[str, Any], is_same: bool
) -> None:
    assert (derived({**PLAIN, **change}) == derived(PLAIN)) == is_same
    plain = {**PLAIN, "meta": {"b": "1", "a": "2"}}
    turned = dict(reversed({**PLAIN, "meta": {"a": "2", "b": "1"}, **change}.items()))
    assert (derived(turned) == derived(plain)) == is_same


def test_an_event_whose_time_is_the_run_s_is_known_by_where_it_came_from() -> None:
    def timed(fields: dict[str, Any], later: int = 0) -> Event:
        return event(fields, Rules(NOW + later, absent={"event_at": "now"}))

    timeless = {k: v for k, v in PLAIN.items() if k != "event_at"}
    today, tomorrow = timed(timeless), timed(timeless, 86_400)
    origin = b"/data/x.csv\x0017\x001790000000000000000"
    assert derived_id(content_digest(today, origin), 1) == "bdbe2a4f0ea579e1997f86853acbed19"
    assert content_digest(tomorrow, origin) == content_digest(today, origin)
    assert content_digest(today, b"file 2") != content_digest(today, origin)
    given_time = timed(PLAIN)
    assert content_digest(given_time, b"file 2") == content_digest(given_time, origin)


# The same events in every format

NAMES = st.sampled_from(
    ["primary", "secondary1", "CALL HOME", "DEMO_LOGIN", "Ünïcode ✓", "a,b;c\td"]
)
FIELDS = st.fixed_dictionaries(
    {
        "activity_type": NAMES,
        "count": st.integers(0, 10**12),
        "domain": st.sampled_from(["reo.dev", "acme.com", "bücher.example"]),
        "event_at": st.integers(1_500_000_000, 1_790_000_000),
        "product_id": st.sampled_from(["app", "reoWebApp"]),
    },
    optional={
        "environment": st.sampled_from(["PRODUCTION", 'quote " and, comma', "two\nlines"]),
        "event_id": st.text("abc0189-", min_size=1, max_size=4),
        "user_agent": st.text(
            st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20
        ).filter(lambda text: text.strip() == text and not text.startswith("\ufeff")),
    },
)


def contents(path: Path) -> list[tuple[bytes, str | int | None]]:
    """Read a file and give content and id of each event."""
    checker = Checker(Rules(NOW))
    with closing(open_source(str(path))) as source:
        items = [each for each in read(source, ReadOptions()) if isinstance(each, Record)]
    found = [checker.check(each).event for each in items]
    return [(each.content, each.event_id) for each in found if each is not None]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=st.lists(FIELDS, min_size=1, max_size=6))
def test_json_ndjson_and_csv_give_the_same_payloads_and_ids(
    tmp_path: Path, events: list[dict[str, Any]]
) -> None:
    pretty = "\n".join(json.dumps(each, indent=2) for each in events)
    (tmp_path / "array.json").write_text(json.dumps(events))
    (tmp_path / "pretty.json").write_text(pretty)
    (tmp_path / "lines.ndjson").write_text(ndjson({"payload": each} for each in events))
    write_csv(tmp_path / "table.csv", events)
    first, *others = map(contents, sorted(tmp_path.iterdir()))
    assert len(first) == len(events)
    assert others == [first] * 3


def ids_of(events: list[int]) -> list[str]:
    """Give the ids of events by their contents and occurrences, as one file has them."""
    counted = [(number, events[: at + 1].count(number)) for at, number in enumerate(events)]
    return [derived({**PLAIN, "count": number}, times) for number, times in counted]


@settings(max_examples=50)
@given(
    events=st.lists(st.integers(0, 5), max_size=30),
    more=st.lists(st.integers(0, 5), max_size=10),
    seed=st.integers(0, 99),
)
def test_ids_are_unique_and_stable_under_reordering_and_appending(
    events: list[int], more: list[int], seed: int
) -> None:
    ids = ids_of(events)
    assert len(set(ids)) == len(events)
    assert all(len(each) == 32 and int(each, 16) >= 0 for each in ids)
    shuffled = events.copy()
    random.Random(seed).shuffle(shuffled)
    assert sorted(ids_of(shuffled)) == sorted(ids)
    assert ids_of(events + more)[: len(ids)] == ids

"""Roll-up: which events become one, when a bucket begins, and that the sums are Python's own."""

import random
import tracemalloc
from collections import Counter
from datetime import UTC, datetime
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reo_cli.checks.rollup import Plan, RollUp, Unit
from reo_cli.errors import ReoError
from reo_cli.events import Event, Rules
from reo_cli.records import Record
from tests.checks.test_checker import event_of

NOW = 1_790_000_000  # 2026-09-21 14:13:20 UTC, a Monday


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def event(number: int = 1, **fields: Any) -> Event:
    made = event_of({"count": 1, "event_at": NOW, **fields}, Rules(NOW))
    return made._replace(record=Record("x", number, number, None, {}, ""))


def rolled(events: list[Event], plan: Plan | None = None) -> list[Event]:
    sums = RollUp(plan or Plan("day", UTC, NOW, until_now=True))
    for each in events:
        sums.add(each, 0)
    return list(sums.events(["x"]))


@pytest.mark.parametrize(
    ("unit", "zone", "moment", "start"),
    [
        ("hour", "UTC", "2026-08-12T13:59:59Z", "2026-08-12T13:00Z"),
        ("day", "UTC", "2026-08-12T23:59:59Z", "2026-08-12T00:00Z"),
        ("week", "UTC", "2026-08-12T00:00Z", "2026-08-10T00:00Z"),  # Monday
        ("week", "UTC", "2026-08-10T00:00Z", "2026-08-10T00:00Z"),
        ("week", "UTC", "2026-01-01T00:00Z", "2025-12-29T00:00Z"),
        ("month", "UTC", "2026-02-28T23:00Z", "2026-02-01T00:00Z"),
        ("hour", "Asia/Kolkata", "2026-08-12T13:10Z", "2026-08-12T12:30Z"),
        ("day", "America/New_York", "2026-08-12T03:59Z", "2026-08-11T04:00Z"),
        ("month", "Pacific/Auckland", "2026-07-31T12:30Z", "2026-07-31T12:00Z"),
        # Clocks are put forward: the day begins in winter time and ends in summer time.
        ("day", "Europe/Berlin", "2026-03-29T21:59Z", "2026-03-28T23:00Z"),
        ("day", "Europe/Berlin", "2026-03-29T22:00Z", "2026-03-29T22:00Z"),
        ("week", "Europe/Berlin", "2026-03-29T21:59Z", "2026-03-22T23:00Z"),
        # Back: the hour from 2 to 3 comes twice.
        ("hour", "Europe/Berlin", "2026-10-25T00:30Z", "2026-10-25T00:00Z"),
        ("hour", "Europe/Berlin", "2026-10-25T01:30Z", "2026-10-25T01:00Z"),
        ("day", "Europe/Berlin", "2026-10-25T22:59Z", "2026-10-24T22:00Z"),
        # A day that begins at one, because midnight is skipped, and one with two midnights.
        ("day", "America/Santiago", "2026-09-06T12:00Z", "2026-09-06T04:00Z"),
        ("day", "America/Havana", "2026-11-01T05:30Z", "2026-11-01T04:00Z"),
    ],
)
def test_when_a_bucket_begins(unit: Unit, zone: str, moment: str, start: str) -> None:
    assert Plan(unit, ZoneInfo(zone), NOW).start_of(at(moment)) == at(start)


def test_what_agrees_in_all_but_count_and_time_is_one() -> None:
    same = [event(count=2), event(event_at=NOW - 3600), event(count=40, event_at=NOW - 7200)]
    others: list[dict[str, Any]] = [
        {"domain": "other.com"},
        {"domain": None, "ip_addr": "8.8.8.8"},
        {"user_agent": "x"},
        {"environment": 'a,"count":1,"event_at":2'},
        {"meta": {"count": 1, "event_at": 2}},
        {"event_id": "mine"},
        {"event_id": 7},
        {"event_at": NOW - 86_400},
    ]
    found = rolled([*same, *(event(**each) for each in others)])
    assert len(found) == 1 + len(others)
    first, *_ = found
    (whole,) = [each for each in found if each.payload["count"] == 43]
    days = [first.payload["event_at"], whole.payload["event_at"]]
    assert days == [at("2026-09-20T00:00Z"), at("2026-09-21T00:00Z")]
    for each in found:
        checked = event(**{"domain": None, **each.payload})
        assert each == checked._replace(record=each.record)


def test_a_bucket_that_is_not_over_is_left_out() -> None:
    plan = Plan("day", ZoneInfo("America/New_York"), NOW)
    sums = RollUp(plan)
    for text in ("2026-09-21T03:59Z", "2026-09-21T04:00Z", "2026-09-22T00:00Z"):
        sums.add(event(event_at=at(text)), 0)
    assert (sums.records, sums.left_out, sums.groups) == (1, 2, 1)
    sums = RollUp(plan._replace(until_now=True))
    for moment in (NOW - 86_400, NOW, NOW + 1):
        sums.add(event(event_at=moment), 0)
    assert (sums.records, sums.left_out) == (2, 1)


RAW = st.fixed_dictionaries(
    {
        "count": st.integers(0, 2**40),
        "event_at": st.integers(NOW - 600_000, NOW),
        "domain": st.sampled_from(["a.com", "b.com"]),
        "user_agent": st.sampled_from([None, "x", "y"]),
    }
)


@given(
    *(st.lists(RAW, max_size=60), st.sampled_from(get_args(Unit))),
    st.randoms(use_true_random=False),
)
def test_the_sums_are_pythons_own_in_any_order(
    raw: list[dict[str, Any]], unit: Unit, chance: random.Random
) -> None:
    plan = Plan(unit, ZoneInfo("Europe/Berlin"), NOW, until_now=True)
    wanted: Counter[tuple[str, str | None, int]] = Counter()
    for each in raw:
        wanted[each["domain"], each["user_agent"], plan.start_of(each["event_at"])] += each["count"]
    first = rolled([event(**each) for each in raw], plan)
    sums = [each.payload for each in first]
    found = {(e["domain"], e.get("user_agent"), e["event_at"]): e["count"] for e in sums}
    assert (found, len(found)) == (dict(wanted), len(first))
    chance.shuffle(raw)
    again = rolled([event(**each) for each in raw], plan)
    assert [e.content for e in again] == [e.content for e in first]


def test_a_sum_beyond_64_bits_is_said() -> None:
    with pytest.raises(ReoError, match="more than 64 bits") as fault:
        rolled([event(count=2**62), event(count=2**62)])
    assert fault.value.exit_code == 65


def test_the_record_of_an_event_is_the_first_that_went_into_it() -> None:
    sums = RollUp(Plan("day", UTC, NOW, until_now=True))
    for place, number in ((0, 5), (0, 6), (1, 2)):
        sums.add(event(number, domain="b.com" if place else "a.com"), place)
    places = [(e.record.file, e.record.line) for e in sums.events(["one", "two"])]
    assert places == [("one", 5), ("two", 2)]


@pytest.mark.parametrize(
    ("fields", "differing"),
    [
        (lambda n: {"meta": {"plan": "free", "request_id": n}}, ["meta.request_id"]),
        (lambda n: {"event_id": f"e{n}", "user_agent": f"ua{n}"}, ["event_id", "user_agent"]),
        (lambda n: {"domain": f"company{n}.com"}, []),
        (lambda n: {"domain": f"company{n}.com", "meta": {"id": n}}, []),
        (lambda n: {"domain": f"company{n % 50}.com", "user_agent": f"x{n}"}, ["user_agent"]),
        (lambda n: {"domain": f"company{n % 50}.com"}, []),
    ],
)
def test_in_what_events_differ_when_next_to_nothing_was_summed(
    fields: Any, differing: list[str]
) -> None:
    sums = RollUp(Plan("day", UTC, NOW, until_now=True))
    for number in range(400):
        sums.add(event(**fields(number)), 0)
    assert sorted(sums.differing()) == differing


def test_memory_does_not_grow_with_the_number_of_groups() -> None:
    example = event(user_agent="Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) 7654321")
    sums = RollUp(Plan("day", UTC, NOW, until_now=True))
    tracemalloc.start()
    for number in range(40_000):
        agent = f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {number:07}"
        sums.add(example._replace(payload={**example.payload, "user_agent": agent}), 0)
    assert sum(1 for _ in sums.events(["x"])) == sums.groups == 40_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 * 1024 * 1024

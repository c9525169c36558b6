"""Repeats and totals: exact over any number of events, in memory that does not grow."""

import pytest

from reo_cli import repeats
from reo_cli.checker import Checker
from reo_cli.distinct import EXACT_DISTINCT, DistinctCounter
from reo_cli.events import Event, Rules
from reo_cli.records import Record
from reo_cli.repeats import Repeated, Repeats
from reo_cli.totals import DAYS_KEPT, TotalsCounter
from reo_cli.validation import Distinct

CHECKER = Checker(Rules(now=1795000000))


def event(count: int, line: int, event_id: str | None = None) -> Event:
    fields = {
        "activity_type": "a",
        "count": str(count),
        "domain": "acme.com",
        "event_at": "1790000000",
        "product_id": "p",
        "event_id": event_id,
    }
    made = CHECKER.check(Record("x.csv", line, line - 1, fields, {}, "")).event
    assert made is not None
    return made


def found(*files: list[tuple[int, str | None]], limit: int = 100) -> Repeated:
    """Ask over files of (count, event_id), their lines numbered from 2."""
    seen = Repeats()
    for at, rows in enumerate(files):
        seen.begin_file(f"{at}.csv")
        for line, (count, event_id) in enumerate(rows, 2):
            seen.add(event(count, line, event_id))
    return seen.find(limit)


@pytest.fixture(params=[repeats.RUN, 3], ids=["in memory", "on disk"])
def run(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With few entries in memory everything goes through the file."""
    monkeypatch.setattr(repeats, "RUN", request.param)


@pytest.mark.usefixtures("run")
class TestRepeats:
    def test_none(self) -> None:
        assert found([(n, None) for n in range(50)]) == ({}, {}, [])

    def test_equal_rows_of_a_file_are_warned_of_in_their_order(self) -> None:
        repeated = found([(n % 7, None) for n in range(20)])
        assert repeated.warnings == {0: 13}
        assert [issue.line for issue in repeated.issues] == list(range(9, 22))
        assert repeated.issues[0].message == "the same as line 2"

    def test_equal_rows_of_two_files_are_one_event(self) -> None:
        assert found([(1, None)], [(1, None)]) == ({}, {}, [])

    def test_an_id_is_compared_over_all_files(self) -> None:
        repeated = found([(1, "a"), (2, "b"), (1, "a")], [(3, "b"), (2, "b")])
        assert [str(issue).partition(" (")[0] for issue in repeated.issues] == [
            "0.csv:4: warning: event_id: the same event as line 2",
            "1.csv:2: event_id: 0.csv:3 has the same event_id and other content",
            "1.csv:3: warning: event_id: the same event as 0.csv:3",
        ]
        assert (repeated.errors, repeated.warnings) == ({1: 1}, {0: 1, 1: 1})

    def test_what_is_kept_is_bounded_and_the_first(self) -> None:
        repeated = found([(1, None)] * 500, limit=3)
        assert repeated.warnings == {0: 499}
        assert [issue.line for issue in repeated.issues] == [3, 4, 5]


def test_distinct_values_are_exact_at_first_and_then_estimated() -> None:
    counter = DistinctCounter()
    for n in range(EXACT_DISTINCT):
        counter.update({f"c{n}.com", f"c{n // 2}.com"})
    assert counter.result(20_000) == Distinct(EXACT_DISTINCT, estimated=False)
    for n in range(0, 200_000, 100):
        counter.update({f"c{n + more}.com" for more in range(100)})
    assert counter.result(400_000).estimated
    assert abs(counter.result(400_000).number - 200_000) < 20_000
    assert counter.result(150_000) == Distinct(150_000, estimated=True)


def test_merged_counters_count_a_value_once() -> None:
    whole = DistinctCounter()
    for start in (0, 5_000, 50_000, 0):
        part = DistinctCounter()
        for n in range(start, start + 60_000):
            part.update({f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}"})
        whole.merge(part)
    assert abs(whole.result(240_000).number - 110_000) < 11_000
    small = DistinctCounter()
    small.update({"a"})
    small.merge(small)
    assert small.result(1).number == 1


def test_totals_of_two_files() -> None:
    whole, parts = TotalsCounter(), []
    ips = ["2A00:1450:0:0::8A", "2a00:1450::8a"]
    for days in ((3, 1), (2, 3)):
        part = TotalsCounter()
        for day in days:
            part.add(
                {
                    "count": day,
                    "event_at": day * 86_400 + 5,
                    "domain": f"d{day}",
                    "ip_addr": ips[day % 2],
                }
            )
        parts.append(part.result())
        whole.merge(part)
    assert [part.sum_of_count for part in parts] == [4, 5]
    total = whole.result()
    assert (total.sum_of_count, total.domains.number, total.ips.number) == (9, 3, 1)
    assert (total.first_event_at, total.last_event_at) == (86_405, 3 * 86_400 + 5)
    assert total.per_day == {"1970-01-02": 1, "1970-01-03": 1, "1970-01-04": 2}


def test_too_many_days_are_no_chart_and_years_beyond_the_calendar_no_crash() -> None:
    counter = TotalsCounter()
    for day in range(DAYS_KEPT + 1):
        counter.add({"count": 1, "event_at": day * 86_400})
    assert not counter.result().per_day
    counter = TotalsCounter()
    counter.add({"count": 1, "event_at": 999_999_999_999})
    assert list(counter.result().per_day) == ["day 11574074"]

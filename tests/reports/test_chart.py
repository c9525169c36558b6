from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reo_cli.reports.chart import MOST_ROWS, bars, events_chart
from reo_cli.reports.content import Chart


def days(first: str, *offsets: int) -> dict[str, int]:
    start = date.fromisoformat(first)
    return {(start + timedelta(offset)).isoformat(): offset + 1 for offset in offsets}


@pytest.mark.parametrize(
    ("per_day", "title", "rows"),
    [
        (days("2026-11-01", *range(16)), "events a day", 16),
        (days("2026-11-01", *range(17)), "events a week, from Monday", 4),
        (days("2026-01-01", *range(200)), "events a month", 7),
        (days("2020-01-01", *range(0, 2000, 3)), "events a year", 6),
        (days("1970-01-01", *range(0, 9000, 3)), "events a year, the last 16", 16),
    ],
)
def test_the_finest_unit_that_fits(per_day: dict[str, int], title: str, rows: int) -> None:
    chart = events_chart(per_day)
    assert chart is not None
    assert (chart.title, len(chart.bars)) == (title, rows)


def test_a_gap_is_seen_and_a_long_one_takes_one_row() -> None:
    chart = events_chart({"1990-04-04": 1, "2026-11-01": 2, "2026-11-04": 3})
    assert chart is not None
    assert chart.bars == [
        ("1990-04-04", 1),
        ("…", 0),
        ("2026-11-01", 2),
        ("2026-11-02", 0),
        ("2026-11-03", 0),
        ("2026-11-04", 3),
    ]


@pytest.mark.parametrize("per_day", [{}, {"2026-11-01": 5}, {"2026-11-01": 5, "day 4000000": 1}])
def test_no_chart_of_less_than_two_days(per_day: dict[str, int]) -> None:
    assert events_chart(per_day) is None


def test_the_longest_bar_takes_the_room_and_a_single_event_is_seen() -> None:
    chart = Chart("events a day", [("2026-11-01", 1), ("…", 0), ("2026-11-09", 1_000_000)])
    assert bars(chart, 40) == [
        "2026-11-01  █ 1",
        "…",
        "2026-11-09  ███████████████ 1,000,000",
    ]


@given(st.dictionaries(st.dates(), st.integers(1, 10**9), max_size=60), st.integers(20, 300))
def test_any_days_give_a_chart_that_fits(per_day: dict[date, int], width: int) -> None:
    chart = events_chart({day.isoformat(): events for day, events in per_day.items()})
    if chart is None:
        assert len(per_day) < 2
        return
    assert len(chart.bars) <= MOST_ROWS
    assert all(len(line) <= max(width, 34) for line in bars(chart, width))
    if "last" not in chart.title:
        assert sum(events for _, events in chart.bars) == sum(per_day.values())

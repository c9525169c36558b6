"""Events per day → a chart of few rows: days, or weeks, months, years when the days are many."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import date, timedelta
from typing import NamedTuple

from reo_cli.reports.content import Chart

MOST_ROWS = 16
LONG_GAP = 2
"""Empty units that are shown one by one; a longer gap is one row, `…`."""
GAP = "…"


class _Unit(NamedTuple):
    title: str
    label: str
    start_of: Callable[[date], date]
    step: timedelta
    """Leads from the start of one unit into the next."""


_UNITS = (
    _Unit("events a day", "%Y-%m-%d", lambda day: day, timedelta(1)),
    _Unit(
        "events a week, from Monday",
        "%Y-%m-%d",
        lambda day: day - timedelta(day.weekday()),
        timedelta(7),
    ),
    _Unit("events a month", "%Y-%m", lambda day: day.replace(day=1), timedelta(31)),
    _Unit("events a year", "%Y", lambda day: day.replace(month=1, day=1), timedelta(366)),
)


def events_chart(per_day: Mapping[str, int]) -> Chart | None:
    """A chart of `per_day` (`2026-11-23` → events), or None when there are not two days.

    The finest unit with at most `MOST_ROWS` rows is used. Units without an event have their rows
    too, since a gap in the data is what such a chart is looked at for.
    """
    days = dict(_dated(per_day))
    if len(days) < 2:
        return None
    rows: list[tuple[str, int]] = []
    title = ""
    for unit in _UNITS:
        title, rows = unit.title, list(_rows(days, unit))
        if len(rows) <= MOST_ROWS:
            return Chart(title, rows)
    return Chart(f"{title}, the last {MOST_ROWS}", rows[-MOST_ROWS:])


def _dated(per_day: Mapping[str, int]) -> Iterator[tuple[date, int]]:
    """The days within the calendar; a time in the year 10000 is only warned of."""
    for day, events in per_day.items():
        with suppress(ValueError):
            yield date.fromisoformat(day), events


def _rows(days: Mapping[date, int], unit: _Unit) -> Iterator[tuple[str, int]]:
    sums: Counter[date] = Counter()
    for day, events in days.items():
        sums[unit.start_of(day)] += events
    following: date | None = None
    for start in sorted(sums):
        if following is not None:
            yield from _gap(following, start, unit)
        yield f"{start:{unit.label}}", sums[start]
        following = start


def _gap(before: date, after: date, unit: _Unit) -> list[tuple[str, int]]:
    """The rows of the units without an event between two that have some."""
    empty: list[tuple[str, int]] = []
    start = unit.start_of(before + unit.step)
    while start < after:
        if len(empty) == LONG_GAP:
            return [(GAP, 0)]
        empty.append((f"{start:{unit.label}}", 0))
        start = unit.start_of(start + unit.step)
    return empty


def bars(chart: Chart, width: int) -> list[str]:
    """The rows of `chart` for a screen of `width` columns, without the title."""
    labels = max(len(label) for label, _ in chart.bars)
    most = max(events for _, events in chart.bars)
    room = max(4, min(40, width - labels - len(f"{most:,}") - 6))
    return [
        label if label == GAP else f"{label:<{labels}}  {_bar(events, most, room)}{events:,}"
        for label, events in chart.bars
    ]


def _bar(events: int, most: int, room: int) -> str:
    return "█" * max(1, round(events * room / most)) + " " if events else ""

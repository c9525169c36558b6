"""What the valid events of a file add up to, in memory that does not grow with their number."""

from collections.abc import Mapping
from typing import Any

from reo_cli.distinct import DistinctCounter
from reo_cli.validation import Totals

DAYS_KEPT = 4000
"""Days counted one by one, 11 years of them; with more there is no chart."""

DAY = 86_400


class TotalsCounter:
    """Adds up payloads."""

    def __init__(self) -> None:
        self._count = 0
        self._domains = DistinctCounter()
        self._ips = DistinctCounter()
        self._first: int | None = None
        self._last: int | None = None
        self._days: dict[int, int] = {}

    def add(self, payload: Mapping[str, Any]) -> None:
        """Add one valid event."""
        self._count += payload["count"]
        at: int = payload["event_at"]
        if self._first is None or self._last is None:
            self._first = self._last = at
        elif at < self._first:
            self._first = at
        elif at > self._last:
            self._last = at
        day = at // DAY
        days = self._days
        if day in days:
            days[day] += 1
        elif len(days) < DAYS_KEPT:
            days[day] = 1
        if "domain" in payload:
            self._domains.add(payload["domain"])
        if "ip_addr" in payload:
            self._ips.add(payload["ip_addr"])

    def merge(self, other: "TotalsCounter") -> None:
        """Add what another counter has added up."""
        self._count += other._count
        self._domains.merge(other._domains)
        self._ips.merge(other._ips)
        if other._first is not None and other._last is not None:
            self._first = min(other._first, other._first if self._first is None else self._first)
            self._last = max(other._last, other._last if self._last is None else self._last)
        for day, events in other._days.items():
            if day in self._days or len(self._days) < DAYS_KEPT:
                self._days[day] = self._days.get(day, 0) + events

    def result(self) -> Totals:
        """Return the totals; more days than can be shown give none rather than some."""
        days = self._days if len(self._days) < DAYS_KEPT else {}
        per_day = {_date(day): days[day] for day in sorted(days)}
        domains, ips = self._domains.result(), self._ips.result()
        return Totals(self._count, domains, ips, self._first, self._last, per_day)


def _date(day: int) -> str:
    from datetime import UTC, datetime

    try:
        return f"{datetime.fromtimestamp(day * DAY, UTC):%Y-%m-%d}"
    except (ValueError, OverflowError, OSError):
        return f"day {day}"

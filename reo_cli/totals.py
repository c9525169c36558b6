"""What the valid events of a file add up to, in memory that does not grow with their number."""

from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from heapq import heappush, heappushpop
from typing import Any

from reo_cli.validation import Distinct, Totals

EXACT_DISTINCT = 10_000
"""Distinct values counted exactly; above it the number is an estimate (design.md)."""

SAMPLE = 2048
"""Hashes kept for the estimate: its standard error is 1/sqrt(2048), about 2 %."""

DAYS_KEPT = 4000

DAY = 86_400


class DistinctCounter:
    """Counts distinct texts: exactly at first, then from the smallest of their hashes.

    The estimate is the k-minimum-values sketch: of n uniform hashes the k-th smallest lies at
    about k/n of the range (Bar-Yossef et al., 2002).
    """

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._smallest: list[int] = []
        self._sampled: set[int] = set()

    def add(self, value: str) -> None:
        """Count a value."""
        known = self._known
        if value in known:
            return
        if not self._smallest:
            if len(known) < EXACT_DISTINCT:
                known.add(value)
                return
            for each in known:
                self._sample(each)
        self._sample(value)

    def _sample(self, value: str) -> None:
        # A heap of negated hashes: the largest of the smallest is on top.
        hashed = -int.from_bytes(blake2b(value.encode(), digest_size=8).digest(), "big")
        if len(self._smallest) < SAMPLE:
            if hashed not in self._sampled:
                self._sampled.add(hashed)
                heappush(self._smallest, hashed)
        elif hashed > self._smallest[0] and hashed not in self._sampled:
            self._sampled.add(hashed)
            self._sampled.remove(heappushpop(self._smallest, hashed))

    def result(self) -> Distinct:
        """Return the number so far."""
        if not self._smallest:
            return Distinct(len(self._known))
        estimate = int((SAMPLE - 1) * 2**64 / -self._smallest[0])
        return Distinct(max(estimate, EXACT_DISTINCT + 1), estimated=True)


class TotalsCounter:
    """Adds up payloads."""

    def __init__(self) -> None:
        self._count = 0
        self._domains = DistinctCounter()
        self._ips = DistinctCounter()
        self._first: int | None = None
        self._last: int | None = None
        self._days: dict[int, int] = {}

    def add(self, payload: dict[str, Any]) -> None:
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

    def result(self) -> Totals:
        """Return the totals; more days than can be shown give none rather than some."""
        days = self._days if len(self._days) < DAYS_KEPT else {}
        per_day = {_date(day): days[day] for day in sorted(days)}
        domains, ips = self._domains.result(), self._ips.result()
        return Totals(self._count, domains, ips, self._first, self._last, per_day)


def _date(day: int) -> str:
    try:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)).strftime("%Y-%m-%d")
    except OverflowError:
        return f"day {day}"

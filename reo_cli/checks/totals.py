"""What the valid events of a file add up to, in memory that does not grow with their number."""

import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

MOST_DISTINCT = 10_000
"""Distinct values counted exactly; more are that number "or more" (design.md)."""


class Distinct(NamedTuple):
    """A number of distinct values; `estimated`: there are that many or more."""

    number: int = 0
    estimated: bool = False


class Totals(NamedTuple):
    """What the valid events add up to; times are epoch seconds.

    Valid is what passed the check of its own record: an event that repeats another one, or has its
    `event_id`, is among them.
    """

    sum_of_count: int = 0
    domains: Distinct = Distinct()
    ips: Distinct = Distinct()
    first_event_at: int | None = None
    last_event_at: int | None = None


class TotalsCounter:
    """Adds up payloads."""

    def __init__(self) -> None:
        self._count = 0
        self._first, self._last = sys.maxsize, -1
        self._distinct: dict[str, set[str]] = {"domain": set(), "ip_addr": set()}

    def add(self, payload: Mapping[str, Any]) -> None:
        """Add one valid event."""
        self._count += payload["count"]
        at = payload["event_at"]
        if at < self._first:
            self._first = at
        if at > self._last:
            self._last = at
        for name, known in self._distinct.items():
            if name in payload and len(known) <= MOST_DISTINCT:
                known.add(payload[name])

    def merge(self, other: "TotalsCounter") -> None:
        """Add what another counter has added up."""
        self._count += other._count
        self._first, self._last = min(self._first, other._first), max(self._last, other._last)
        for name, known in self._distinct.items():
            if len(known) <= MOST_DISTINCT:
                known |= other._distinct[name]

    def result(self) -> Totals:
        """Return the totals."""
        domains, ips = (
            Distinct(min(len(known), MOST_DISTINCT), len(known) > MOST_DISTINCT)
            for known in self._distinct.values()
        )
        span = (self._first, self._last) if self._last >= 0 else (None, None)
        return Totals(self._count, domains, ips, *span)

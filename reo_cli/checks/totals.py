"""What the valid events of a file add up to, in memory that does not grow with their number."""

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
        self._domains: set[str] = set()
        self._ips: set[str] = set()
        self._times: tuple[int, int] | None = None

    def add(self, payload: Mapping[str, Any]) -> None:
        """Add one valid event."""
        self._count += payload["count"]
        at = payload["event_at"]
        first, last = self._times or (at, at)
        if not first <= at <= last or self._times is None:
            self._times = min(at, first), max(at, last)
        for name, known in (("domain", self._domains), ("ip_addr", self._ips)):
            if name in payload and len(known) <= MOST_DISTINCT:
                known.add(payload[name])

    def merge(self, other: "TotalsCounter") -> None:
        """Add what another counter has added up."""
        self._count += other._count
        if other._times:
            first, last = self._times or other._times
            self._times = min(first, other._times[0]), max(last, other._times[1])
        for known, others in ((self._domains, other._domains), (self._ips, other._ips)):
            if len(known) <= MOST_DISTINCT:
                known |= others

    def result(self) -> Totals:
        """Return the totals."""
        first, last = self._times or (None, None)
        return Totals(self._count, _distinct(self._domains), _distinct(self._ips), first, last)


def _distinct(known: set[str]) -> Distinct:
    return Distinct(min(len(known), MOST_DISTINCT), estimated=len(known) > MOST_DISTINCT)

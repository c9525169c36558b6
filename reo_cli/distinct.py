"""How many different values there are: exactly at first, then estimated in constant memory."""

from bisect import insort
from zlib import crc32

from reo_cli.validation import Distinct

EXACT_DISTINCT = 10_000
"""Distinct values counted exactly; above it the number is an estimate (design.md)."""

SAMPLE = 2048
"""Hashes kept for the estimate: its standard error is 1/sqrt(2048), about 2 %."""

_RANGE = 2**64


class DistinctCounter:
    """Counts distinct texts.

    The estimate is the k-minimum-values sketch: of n uniform hashes the k-th smallest lies at
    about k/n of the range (Bar-Yossef et al., 2002).
    """

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._smallest: list[int] = []
        self._largest_kept = _RANGE

    def add(self, value: str) -> None:
        """Count a value."""
        if self._smallest:
            self._sample(_hashed(value))
            return
        self._known.add(value)
        if len(self._known) > EXACT_DISTINCT:
            self._begin_sample()

    def merge(self, other: "DistinctCounter") -> None:
        """Count all values that another counter has counted."""
        if other._smallest and not self._smallest:
            self._begin_sample()
        for hashed in other._smallest:
            self._sample(hashed)
        for value in other._known:
            self.add(value)

    def _begin_sample(self) -> None:
        """Go over to the estimate; that takes at least one hash to be seen."""
        hashes = sorted(set(map(_hashed, self._known)))[:SAMPLE]
        self._known.clear()
        self._smallest = hashes or [_RANGE]
        self._largest_kept = hashes[-1] if len(hashes) == SAMPLE else _RANGE

    def _sample(self, hashed: int) -> None:
        if hashed >= self._largest_kept or hashed in self._smallest:
            return
        insort(self._smallest, hashed)
        del self._smallest[SAMPLE:]
        if len(self._smallest) == SAMPLE:
            self._largest_kept = self._smallest[-1]

    def result(self) -> Distinct:
        """Return the number so far."""
        if not self._smallest:
            return Distinct(len(self._known))
        estimate = (SAMPLE - 1) * _RANGE // self._smallest[-1]
        return Distinct(max(estimate, EXACT_DISTINCT + 1), estimated=True)


def _hashed(value: str) -> int:
    """Return 64 bits that look random and are the same in every run.

    A checksum made even by multiplication: a cryptographic digest takes three times as long, and
    a poor one only makes the estimate poorer.
    """
    checksum = crc32(value.encode())
    checksum ^= checksum >> 16
    return checksum * 0x9E3779B97F4A7C15 * 0xD6E8FEB86659FD93 % _RANGE

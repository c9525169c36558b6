"""How many different values there are: exactly at first, then estimated in constant memory."""

from collections.abc import Iterable

from reo_cli.validation import Distinct

EXACT_DISTINCT = 10_000
"""Distinct values counted exactly; above it the number is an estimate (design.md)."""

SAMPLE = 4096
"""Hashes kept for the estimate: its standard error is 1/sqrt(4096), about 1.6 %."""

_RANGE = 2**64

_SPREAD = 0x9E3779B97F4A7C15 * 0xD6E8FEB86659FD93 % _RANGE
"""Any odd number of 64 bits with no pattern: the golden ratio's, times a prime's."""


class DistinctCounter:
    """Counts distinct texts.

    The estimate is the k-minimum-values sketch: of n uniform hashes the k-th smallest lies at
    about k/n of the range (Bar-Yossef et al., 2002).
    """

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._smallest: list[int] = []
        self._largest_kept = _RANGE

    def update(self, values: set[str]) -> None:
        """Count some values."""
        if self._smallest:
            self._sample(_hashes(values))
            return
        self._known |= values
        if len(self._known) > EXACT_DISTINCT:
            self._begin_sample()

    def merge(self, other: "DistinctCounter") -> None:
        """Count all values that another counter has counted."""
        if other._smallest and not self._smallest:
            self._begin_sample()
        self._sample(other._smallest)
        self.update(other._known)

    def _begin_sample(self) -> None:
        """Go over to the estimate; that takes at least one hash to be seen."""
        hashes = sorted(set(_hashes(self._known)))[:SAMPLE]
        self._known.clear()
        self._smallest = hashes or [_RANGE]
        self._largest_kept = hashes[-1] if len(hashes) == SAMPLE else _RANGE

    def _sample(self, hashes: Iterable[int]) -> None:
        largest = self._largest_kept
        smaller = {each for each in hashes if each < largest}
        if smaller:
            self._smallest = sorted(smaller.union(self._smallest))[:SAMPLE]
            if len(self._smallest) == SAMPLE:
                self._largest_kept = self._smallest[-1]

    def result(self, most: int) -> Distinct:
        """Return the number so far; of `most` values there cannot be more than those."""
        if not self._smallest:
            return Distinct(len(self._known))
        estimate = (SAMPLE - 1) * _RANGE // self._smallest[-1]
        return Distinct(min(max(estimate, EXACT_DISTINCT + 1), most), estimated=True)


def _hashes(values: Iterable[str]) -> list[int]:
    """Return for each value 64 bits that look random and are the same in every run.

    A checksum made even by multiplication: a cryptographic digest takes three times as long, and
    a poor one only makes the estimate poorer.
    """
    from zlib import crc32

    checksums = map(crc32, map(str.encode, values))
    return [(each ^ each >> 16) * _SPREAD & _RANGE - 1 for each in checksums]

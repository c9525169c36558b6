"""Where a long run stands: what a progress display is told, many times a second."""

from typing import NamedTuple


class Progress(NamedTuple):
    """Where a run stands, for a progress display; times in seconds, rate in events a second.

    `total` is None while unknown (stdin). `waiting` is text such as `waiting 12 s (429)` or empty,
    `share` the part of the inputs' bytes that was read, from 0 to 1, where that is known.
    """

    done: int
    total: int | None
    failures: int
    rate: float
    limit: int
    elapsed: float
    waiting: str = ""
    share: float | None = None

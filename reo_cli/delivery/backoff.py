"""How long to wait before the next attempt: full jitter, so that clients do not come in waves."""

from collections.abc import Callable

BASE = 0.25
"""Seconds of the first wait's upper bound; doubled with each failure."""

THROTTLED_BASE = 1.0
"""The same when the server asked for less but named no time."""

CAP = 30.0
"""Seconds that no wait exceeds in `send-file`."""

CAP_ONE = 5.0
"""The same in `send`: a person waits."""

LONGEST_WAIT = 300.0
"""Seconds of `Retry-After` above which reo stops and says when to come back (reliability.md)."""

Random = Callable[[], float]
"""Uniform in [0, 1)."""


def delay(failures: int, random: Random, *, throttled: bool = False, cap: float = CAP) -> float:
    """Return seconds to wait after `failures` (from 1) in a row: U(0, min(cap, base * 2^n))."""
    base = THROTTLED_BASE if throttled else BASE
    bound: float = min(cap, base * 2 ** min(failures - 1, 16))
    return random() * bound

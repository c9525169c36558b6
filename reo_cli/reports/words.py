"""Times and plurals as people read them. Pure; nothing here depends on the locale."""

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reo_cli.checks.rollup import RolledUp


def count_of(value: int, noun: str) -> str:
    """`1 event`, `1,234 events`."""
    return f"{value:,} {noun}{'s' * (value != 1)}"


def duration(seconds: float) -> str:
    """`0.42 s`, `12.3 s`, `2 min 5 s`, `1 h 2 min`."""
    if seconds < 1:
        return f"{max(seconds, 0.0):.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60:,} h {minutes % 60} min"


def rate(events_per_second: float) -> str:
    """`812 events a second`, with a decimal below ten."""
    digits = 1 if events_per_second < 10 else 0
    return f"{events_per_second:,.{digits}f} events a second"


def instant(epoch: int) -> str:
    """Epoch seconds as `2026-11-23 10:59 UTC`; the number itself when no calendar reaches it."""
    try:
        moment = time.gmtime(epoch)
    except (OverflowError, OSError, ValueError):
        return str(epoch)
    return "{:04}-{:02}-{:02} {:02}:{:02} UTC".format(*moment)


def roll_up_text(rolled_up: "RolledUp") -> str:
    """`1,000 records gave 12 events; 30 more from 2026-08-02 on are left out: it is not over`."""
    if not rolled_up.left_out:
        return str(rolled_up)
    are = "is" if rolled_up.left_out == 1 else "are"
    left_out = f"{rolled_up.left_out:,} more from {rolled_up.open_bucket} on {are} left out"
    return f"{rolled_up}; {left_out}: it is not over"

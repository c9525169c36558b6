"""What the user asked of a run, as plain values."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Policy:
    """The options of `send-file` that decide how events are sent; times in seconds.

    `limit` bounds the events that are newly sent, `max_rejects` the rejections before anything of
    an input was delivered (0: no bound).
    """

    concurrency: int = 8
    retries: int = 5
    rate: float | None = None
    max_time: float | None = None
    give_up_after: float = 120.0
    limit: int | None = None
    max_rejects: int = 100


FINISH_WITHIN = 5.0
"""Seconds that requests under way get after a signal or a fatal answer (design.md)."""

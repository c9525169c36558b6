"""How far a run is, told to the listener a few times a second."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from reo_cli.delivery.summary import sum_of
from reo_cli.records import Progress

if TYPE_CHECKING:
    from reo_cli.delivery.book import Book, Listener
    from reo_cli.delivery.dispatch import Dispatcher

EVERY = 0.1
"""Seconds between two tellings."""

HINT_AFTER = 10.0
"""Seconds of sending before the time that is left can be judged."""

LONG = 600.0
"""Seconds left from which a higher concurrency is suggested (design.md)."""


class Meter:
    """Measures a run and tells the listener, in the check and then of `total` records on their way.

    `total` is None while their number is unknown.
    """

    def __init__(self, listener: "Listener", clock: Callable[[], float]) -> None:
        self._listener = listener
        self._clock = clock
        self._began = self._told = clock()
        self._skipped = 0
        self._hinted = False
        self.total: int | None = None

    def checking(self, book: "Book", share: float | None) -> None:
        """Tell how many records have been checked, and which `share` of the bytes."""
        now = self._clock()
        if now - self._told >= EVERY:
            self._told = now
            read, elapsed = sum_of(book.inputs).read, now - self._began
            rate = read / elapsed
            self._listener.progress(Progress(read, None, 0, rate, 0, elapsed, "checking", share))

    def sending(self, total: int | None) -> None:
        """Start over: from now on it is sent."""
        self.total = total
        self._began = self._clock()

    def turn(self, dispatcher: "Dispatcher", book: "Book") -> None:
        """Tell where the run stands, at most ten times a second.

        The rate is that since the first request: what was delivered before is skipped in no time.
        """
        now = self._clock()
        if now - self._told < EVERY:
            return
        self._told = now
        counts, pace = sum_of(book.inputs), dispatcher.pace
        began, waiting = dispatcher.first_request, pace.waiting(now)
        if began is None:
            began, self._skipped = now, counts.read
            waiting = waiting or "skipping what was delivered before" * bool(counts.read)
        rate = (counts.read - self._skipped) / (now - began) if now > began else 0.0
        failures = counts.invalid + counts.rejected + counts.errored
        elapsed = now - self._began
        self._listener.progress(
            Progress(counts.read, self.total, failures, rate, pace.limit, elapsed, waiting)
        )
        if rate and self.total and now - began >= HINT_AFTER:
            self._advise((self.total - counts.read) / rate, dispatcher)

    def _advise(self, left: float, dispatcher: "Dispatcher") -> None:
        most = dispatcher.policy.concurrency
        if self._hinted or left <= LONG or dispatcher.pace.throttled or most >= 256:
            return
        self._hinted = True
        better = min(256, most * 4)
        self._listener.hint(f"about {left / 60:.0f} min left; --concurrency {better} may be faster")

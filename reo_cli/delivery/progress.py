"""How far a run is, told to the listener a few times a second."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from reo_cli.delivery.summary import Counts, InputSummary, Settled
from reo_cli.records import Progress

if TYPE_CHECKING:
    from reo_cli.client.outcome import Outcome
    from reo_cli.delivery.book import Book, Listener
    from reo_cli.delivery.dispatch import Dispatcher

EVERY = 0.1
"""Seconds between two tellings."""

HINT_AFTER = 10.0
"""Seconds of sending before the time that is left can be judged."""

LONG = 600.0
"""Seconds left from which a higher concurrency is suggested (design.md)."""


def sum_of(inputs: Sequence[InputSummary]) -> Counts:
    """Return the counts of inputs together."""
    return sum((each.counts for each in inputs), Counts())


class Silent:
    """A listener for the check before sending: only a dry run settles records in it."""

    def __init__(self, listener: "Listener", *, settled: bool) -> None:
        self.note = listener.note
        self.warning = listener.warning
        self.hint = listener.hint
        self.progress = listener.progress
        self.lists_records = listener.lists_records
        self._settled = listener.settled if settled else None

    def settled(self, settled: Settled) -> None:
        """Pass the end of a record on in a dry run only."""
        if self._settled:
            self._settled(settled)

    def attempted(self, event_id: str | int, attempt: int, outcome: "Outcome") -> None:
        """Nothing is attempted while inputs are checked."""


class Meter:
    """Measures a run and tells the listener."""

    def __init__(self, listener: "Listener", clock: Callable[[], float]) -> None:
        self._listener = listener
        self._clock = clock
        self._told = 0.0
        self._began = self._measured_from = clock()
        self._before = self._last = Counts()
        self._book: Book | None = None
        self._total: int | None = None
        self._hinted = False

    def checking(self, book: "Book", share: float | None) -> None:
        """Tell how many records have been checked, and which `share` of the bytes."""
        now = self._clock()
        if now - self._told >= EVERY:
            self._told = now
            read = sum_of(book.inputs).read
            elapsed = now - self._began
            rate = read / elapsed if elapsed else 0.0
            self._listener.progress(Progress(read, None, 0, rate, 0, elapsed, "checking", share))

    def sending(self, book: "Book", total: int | None) -> None:
        """Start measuring the sending of `total` records, None when their number is unknown."""
        self._book = book
        self._total = total
        self._began = self._measured_from = self._clock()

    def turn(self, dispatcher: "Dispatcher") -> None:
        """Tell where the run stands, at most ten times a second."""
        now = self._clock()
        if now - self._told < EVERY or self._book is None:
            return
        self._told = now
        counts = sum_of(self._book.inputs)
        rate = self._rate(counts, now)
        skips = self._measured_from == now
        waiting = dispatcher.pace.waiting(now)
        self._listener.progress(
            Progress(
                done=counts.read,
                total=self._total,
                failures=counts.invalid + counts.rejected + counts.errored,
                rate=rate,
                limit=dispatcher.pace.limit,
                elapsed=now - self._began,
                waiting=waiting or "skipping what was delivered before" * skips,
            )
        )
        if rate and self._total and now - self._measured_from >= HINT_AFTER:
            self._advise((self._total - counts.read) / rate, dispatcher)

    def _rate(self, counts: Counts, now: float) -> float:
        """Return the events delivered a second since the last time that known ones were skipped."""
        last, self._last = self._last, counts
        skipped = counts.already_delivered - last.already_delivered
        if skipped > counts.delivered - last.delivered:
            self._measured_from, self._before = now, counts
        seconds = now - self._measured_from
        return (counts.delivered - self._before.delivered) / seconds if seconds else 0.0

    def _advise(self, left: float, dispatcher: "Dispatcher") -> None:
        most = dispatcher.policy.concurrency
        if self._hinted or left <= LONG or dispatcher.pace.throttled or most >= 256:
            return
        self._hinted = True
        better = min(256, most * 4)
        self._listener.hint(f"about {left / 60:.0f} min left; --concurrency {better} may be faster")

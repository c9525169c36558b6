"""Which event is next: a new one, or one whose wait for another attempt is over.

The order is the dispatcher's only choice; when a request may start is for the pace to say.
"""

import heapq
from collections.abc import Iterator

from reo_cli.delivery.decide import Job
from reo_cli.delivery.intake import STOPPED, Intake

WAITING_MOST = 2000
"""Events that may wait for another attempt before no new ones are taken."""


class Queue:
    """The events that are still to be sent; `retries` is how often each may be tried again."""

    def __init__(self, intake: Intake, retries: int) -> None:
        self._intake = intake
        self._retries = retries
        self._waiting: list[Job] = []
        self._ahead: Job | None = None
        self._probed_with_new = False

    @property
    def at_end(self) -> bool:
        """True when no new event is left."""
        return self._ahead is None and self._intake.done

    @property
    def waits(self) -> bool:
        """True when an event waits for another attempt."""
        return bool(self._waiting)

    @property
    def due(self) -> float | None:
        """When the next event may be tried again; None when none waits."""
        return self._waiting[0].due if self._waiting else None

    @property
    def has_more_now(self) -> bool:
        """True unless a pipe or a failed event is waited for, or nothing is left."""
        return self._takes_new and self._intake.has_more_now

    @property
    def _takes_new(self) -> bool:
        return len(self._waiting) < WAITING_MOST and not self._intake.done

    def look_ahead(self) -> None:
        """Have the next new event at hand, so that the end of the inputs is known in time.

        Raises ReoError for what keeps an input from being read or decided over.
        """
        if self._ahead is None and self._takes_new:
            self._ahead = self._intake.take()

    def next(self, now: float) -> Job | None:
        """Return an event whose wait is over, else a new one, None if there is neither."""
        self.look_ahead()
        if self._waiting and self._waiting[0].due <= now:
            return heapq.heappop(self._waiting)
        return self._new()

    def next_probe(self, *, first: bool) -> Job | None:
        """Return the event to probe an outage with: by turns a new one and one that has failed.

        For it may be no outage, but events on which the server fails: for ever, then a new one gets
        through; or a few times, then the one that has failed most often is the next that will not.
        The `first` request of a run goes alone, until its event has had all its attempts.
        """
        self.look_ahead()
        if not self._waiting:
            return self._new()
        most = self._retries
        alone = first and all(job.failures <= most for job in self._waiting)
        self._probed_with_new = not (alone or self._probed_with_new or self._ahead is None)
        if self._probed_with_new:
            return self._new()
        job = max(self._waiting, key=lambda job: (job.failures <= most, job.failures, -job.due))
        self._waiting.remove(job)
        heapq.heapify(self._waiting)
        return job

    def _new(self) -> Job | None:
        job, self._ahead = self._ahead, None
        return job

    def again(self, job: Job, due: float) -> None:
        """Try an event again, not before `due`."""
        job.due = due
        heapq.heappush(self._waiting, job)

    def leave(self) -> Iterator[tuple[Job, str]]:
        """Yield the events that are left, each with the reason why it is not sent."""
        for job in sorted(self._waiting):
            yield job, "not tried again"
        if self._ahead is not None:
            yield self._ahead, STOPPED

"""Which event is next: a new one, or one whose wait for another attempt is over.

The order is the dispatcher's only choice; when a request may start is for the pace to say.
"""

import heapq
from collections import deque
from collections.abc import Iterator

from reo_cli.delivery.decide import Job
from reo_cli.delivery.intake import STOPPED, Intake

AHEAD = 64
"""New events at hand: what takes time to prepare them is done while answers are waited for."""

AT_ONCE = 16
"""Of these, how many are prepared before answers are looked at again: half a millisecond."""

WAITING_MOST = 2000
"""Events that may wait for another attempt before no new ones are taken."""


class Queue:
    """The events that are still to be sent; `retries` is how often each may be tried again."""

    def __init__(self, intake: Intake, retries: int) -> None:
        self._intake = intake
        self._retries = retries
        self._waiting: list[Job] = []
        self._ahead: deque[Job] = deque()
        self._probed_with_new = False

    @property
    def at_end(self) -> bool:
        """True when no new event is left."""
        return not self._ahead and self._intake.done

    @property
    def waits(self) -> bool:
        """True when an event waits for another attempt."""
        return bool(self._waiting)

    @property
    def due(self) -> float | None:
        """When the next event may be tried again; None when none waits."""
        return self._waiting[0].due if self._waiting else None

    def look_ahead(self) -> bool:
        """Take some more new events, unless enough are at hand; tell whether there are more now.

        So they are ready when answers come, and the end of the inputs is known in time. Raises
        ReoError for what keeps an input from being read or decided over.
        """
        if len(self._ahead) >= AHEAD or len(self._waiting) >= WAITING_MOST or self._intake.done:
            return False
        self._intake.take_some(AT_ONCE, self._ahead.append)
        return self._intake.has_more_now

    def next(self, now: float) -> Job | None:
        """Return an event whose wait is over, else a new one, None if there is neither."""
        if self._waiting and self._waiting[0].due <= now:
            return heapq.heappop(self._waiting)
        return self._new()

    def next_probe(self, *, first: bool) -> Job | None:
        """Return the event to probe an outage with: by turns a new one and one that has failed.

        For it may be no outage, but events on which the server fails: for ever, then a new one gets
        through; or a few times, then the one that has failed most often is the next that will not.
        The `first` request of a run goes alone, until its event has had all its attempts.
        """
        if not self._waiting:
            return self._new()
        most = self._retries
        alone = first and all(job.failures <= most for job in self._waiting)
        self._probed_with_new = bool(self._ahead) and not (alone or self._probed_with_new)
        if self._probed_with_new:
            return self._new()
        job = max(self._waiting, key=lambda job: (job.failures <= most, job.failures, -job.due))
        self._waiting.remove(job)
        heapq.heapify(self._waiting)
        return job

    def _new(self) -> Job | None:
        if not self._ahead:
            self.look_ahead()
        return self._ahead.popleft() if self._ahead else None

    def again(self, job: Job, due: float) -> None:
        """Try an event again, not before `due`."""
        job.due = due
        heapq.heappush(self._waiting, job)

    def leave(self) -> Iterator[tuple[Job, str]]:
        """Yield the events that are left, each with the reason why it is not sent."""
        for job in sorted(self._waiting):
            yield job, "not tried again"
        for job in self._ahead:
            yield job, STOPPED

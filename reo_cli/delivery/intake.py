"""Inputs → jobs: reads records, checks them, settles what needs no request, and says what is next.

A file is read where answers are recorded too, a pipe, which may be slow, in a thread of its own.
What is next is a new event, or one whose wait for another attempt is over; when a request may
start is for the pace to say.
"""

import heapq
import math
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from queue import Empty
from queue import Queue as Handover
from typing import Literal

from reo_cli.checks.checker import Checker
from reo_cli.checks.rollup import RollUp
from reo_cli.delivery.book import Book
from reo_cli.delivery.decide import Decider, Input, Job
from reo_cli.errors import ReoError, start
from reo_cli.events import Event
from reo_cli.records import Issue, Record

STOPPED = "the run had stopped"
"""Why an event that was read has not been sent."""

AT_ONCE = 256
"""Records settled without a request before answers are looked at again."""

LINGER = 0.2
"""Seconds in which the reader of a pipe, once told to stop, hands over its next record."""

AHEAD = 64
"""New events at hand: what takes time to prepare them is done while answers are waited for."""

PREPARED = 16
"""Of these, how many are prepared before answers are looked at again: half a millisecond."""

WAITING_MOST = 2000
"""Events that may wait for another attempt before no new ones are taken."""

Item = Record | Issue | Event
Feed = Iterator[Item | None]
"""The records of one input, or the events of a roll-up; None where a pipe has none yet."""


class Pipe(Iterator[Item | None]):
    """A feed that reads in a thread of its own, and calls `wake` when there is something new.

    After `stop` was called the items end where what has come out of the pipe does.
    """

    def __init__(self, items: Feed, wake: Callable[[], None], stop: Callable[[], None]) -> None:
        self._items = items
        self._wake = wake
        self._stop = stop
        self._ready: Handover[Item | BaseException | None] = Handover(AT_ONCE)
        start(threading.Thread(target=self._read, name="reo-reader", daemon=True))

    def _read(self) -> None:
        try:
            for item in self._items:
                self._ready.put(item)
                self._wake()
            self._ready.put(StopIteration())
        except BaseException as fault:  # noqa: BLE001 - raised again where the records are taken
            self._ready.put(fault)
        self._wake()

    def __next__(self) -> Item | None:
        """Return the next item, or None; raises what reading raised."""
        try:
            item = self._ready.get_nowait()
        except Empty:
            return None
        if isinstance(item, BaseException):
            raise item
        return item

    def leave(self) -> Iterator[Item | None]:
        """Stop reading; yield what has come out of the pipe already."""
        self._stop()
        try:
            while not isinstance(item := self._ready.get(timeout=LINGER), BaseException):
                yield item
        except Empty:
            return  # the thread waits for the pipe: nothing is left in memory


class Intake:
    """The events of all inputs, in their order; what needs no request is settled in the `book`.

    `limit` bounds those that are to be sent. With `wake` a pipe is read in a thread of its own,
    which calls it when there is more. A `rollup` takes all events: nothing can be sent before all
    are read.
    """

    def __init__(
        self,
        inputs: Sequence[Input],
        checker: Checker,
        decider: Decider,
        book: Book,
        limit: int | None = None,
        wake: Callable[[], None] | None = None,
        rollup: RollUp | None = None,
    ) -> None:
        self._left = deque(inputs)
        self._checker = checker
        self._decider = decider
        self.book = book
        self._room = math.inf if limit is None else limit
        self._wake = wake
        self._rollup = rollup
        self._feed: Feed | None = None

    @property
    def done(self) -> bool:
        """True when all inputs are read to their ends."""
        return self._feed is None and not self._left

    def take_some(self, most: int, into: Callable[[Job], None]) -> bool:
        """Give up to `most` events that are to be sent to `into`: one look at the ledger for all.

        Tells whether there are more at once. Raises ReoError for what keeps an input from being
        read or decided over; what comes before has been given then.
        """
        with self._decider.together():
            for _ in range(AT_ONCE):
                item = self._next()
                if item is None:
                    return False
                job = self._job(item)
                if job is not None:
                    into(job)
                    most -= 1
                if not most:
                    break
        return not self.done

    def close(self) -> None:
        """Forget what was seen."""
        self._decider.close()

    def abandon(self) -> None:
        """Stop reading; what was read ahead of a pipe is unsent, as it cannot be read again."""
        feed, self._feed = self._feed, None
        self._left.clear()
        for item in feed.leave() if isinstance(feed, Pipe) else ():
            try:
                job = self._job(item) if item else None
            except ReoError:
                continue  # the run has its error already
            if job is not None:
                self.book.settle(job, "unsent", STOPPED)

    def _next(self) -> Item | None:
        """Return the next item of all inputs; None when there is none now, or none any more."""
        while not self.done:
            feed = self._feed or self._open()
            try:
                return next(feed)
            except StopIteration:
                self._feed = None
                self._input.close()
        return None

    def _open(self) -> Feed:
        now = self._input = self._left.popleft()
        self._decider.begin(now)
        self.book.begin_input(now.index)
        self._feed = now.open()
        if self._wake and now.stop:
            self._feed = Pipe(self._feed, self._wake, now.stop)
        return self._feed

    def _job(self, item: Item) -> Job | None:
        """Check a record; settle it unless it is an event that is to be sent."""
        if isinstance(item, Issue):
            self.book.issue(item)
            return None
        if isinstance(item, Event):
            return self._job_of(item, ())
        if item.left_out:
            self.book.skipped()
            return None
        event, issues = self._checker.check(item)
        if event is not None:
            return self._job_of(event, issues)
        payload = self._checker.as_far_as_good(item)
        if payload is not None:
            payload["event_id"] = self._decider.id_of_invalid(item, payload, issues)
        if self._decider.is_ours(item.number):
            self.book.invalid(item, issues, payload)
        return None

    def _job_of(self, event: Event, issues: Sequence[Issue]) -> Job | None:
        """Decide over an event; settle it unless it is to be sent."""
        book = self.book
        if self._rollup is not None:
            book.warn(issues)
            self._rollup.add(event, book.summed())
            return None
        job = self._decider.decide(event)
        if job is None:
            return None
        issues = [*issues, *job.issues]
        if job.is_wrong:  # of a roll-up only records can be invalid
            payload = {**event.payload, "event_id": job.event_id}
            word: Literal["invalid", "rejected"]
            word = "rejected" if event.record.fields is None else "invalid"
            book.invalid(event.record, issues, payload, word, job.derived)
            return None
        if issues:
            book.warn(issues)
        if job.known:
            book.settle(job, "already_delivered")
        elif book.take(job):
            if job.stop is not None:
                book.settle(job, "unsent", job.stop.message)
                raise job.stop
            self._room -= 1
            if self._room >= 0:
                return job
            book.settle(job, "unsent", "over --limit")
        return None


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
        return self._intake.take_some(PREPARED, self._ahead.append)

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

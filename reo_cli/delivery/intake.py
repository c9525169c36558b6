"""Inputs → jobs: takes records from the feeds, checks them, settles what needs no request."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reo_cli.checker import Checker
from reo_cli.delivery.book import Book
from reo_cli.delivery.decide import Decider, Job, Shard
from reo_cli.delivery.feed import Feed, Item
from reo_cli.errors import ReoError
from reo_cli.records import Issue, Record

STOPPED = "the run had stopped"
"""Why an event that was read has not been sent."""

AT_ONCE = 200
"""Records settled without a request before answers are looked at again."""


@dataclass(frozen=True)
class Input:
    """One input of a run: `open` starts reading it, `close` ends that and may find it changed.

    `origin` stands for it in the identity of events without a time of their own, which is new in
    every run where the input is `streamed`.
    """

    index: int
    name: str
    origin: bytes
    streamed: bool
    open: Callable[[], Feed]
    close: Callable[[], None]


class Intake:
    """The events of all inputs in their order, one at a time."""

    def __init__(
        self,
        inputs: Sequence[Input],
        checker: Checker,
        decider: Decider,
        book: Book,
        shard: Shard | None = None,
        limit: int | None = None,
    ) -> None:
        self._left = list(reversed(inputs))
        self._checker = checker
        self._decider = decider
        self._book = book
        self._shard = shard
        self._room = limit
        self._input: Input | None = None
        self._feed: Feed | None = None
        self.has_more_now = True
        """False while a pipe is waited for, and at the end."""

    @property
    def done(self) -> bool:
        """True when all inputs are read to their ends."""
        return self._feed is None and not self._left

    def take(self) -> Job | None:
        """Return the next event to be sent; None when there is none now, or only after a pause.

        Raises ReoError for what keeps an input from being read or decided over.
        """
        for _ in range(AT_ONCE):
            if self._feed is None and not self._open_next():
                break
            try:
                item = self._feed.poll() if self._feed else None
            except StopIteration:
                self._end_input()
                continue
            if item is None:
                self.has_more_now = False
                return None
            job = self._job(item)
            if job is not None:
                self.has_more_now = True
                return job
        self.has_more_now = not self.done
        return None

    def take_some(self, most: int, into: Callable[[Job], None]) -> None:
        """Give up to `most` events that are to be sent to `into`: one look at the ledger for all.

        Raises ReoError like `take`; what comes before has been given then.
        """
        with self._decider.together():
            for _ in range(most):
                job = self.take()
                if job is None:
                    return
                into(job)

    def abandon(self) -> None:
        """Stop reading; what was read ahead of a pipe is unsent, as it cannot be read again."""
        feed, self._feed = self._feed, None
        self._left.clear()
        for item in feed.leave() if feed else ():
            try:
                job = self._job(item)
            except ReoError:
                continue  # the run has its error already
            if job is not None:
                self._book.unsent(job, STOPPED)

    def _open_next(self) -> bool:
        if not self._left:
            return False
        self._input = self._left.pop()
        now = self._input
        self._decider.begin_input(now.index, now.name, now.origin, streamed=now.streamed)
        self._book.begin_input(now.index)
        self._feed = self._input.open()
        return True

    def _end_input(self) -> None:
        self._feed = None
        if self._input is not None:
            self._input.close()

    def _job(self, item: Item) -> Job | None:
        if isinstance(item, Issue):
            self._book.issue(item)
            return None
        event, issues = self._checker.check(item)
        if event is None:
            if self._is_ours(item):
                self._book.invalid(item, issues, self._checker.as_far_as_good(item))
            return None
        decision = self._decider.decide(event)
        if decision.issues:
            issues = [*issues, *decision.issues]
            if any(issue.severity == "error" for issue in decision.issues):
                self._book.invalid(item, issues, self._checker.as_far_as_good(item))
                return None
        job = decision.job
        if job is None:
            return None
        if issues:
            self._book.warn(issues)
        if decision.known:
            self._book.already(job)
            return None
        if not self._book.take(job):
            return None
        if decision.stop is not None:
            self._book.unsent(job, decision.stop.message)
            raise decision.stop
        return job if self._has_room(job) else None

    def _has_room(self, job: Job) -> bool:
        """Count a new event against `--limit`; settle it as unsent when that is reached."""
        if self._room is None:
            return True
        if not self._room:
            self._book.unsent(job, "over --limit")
            return False
        self._room -= 1
        return True

    def _is_ours(self, record: Record) -> bool:
        """Tell whether a record without an identity falls to this shard: by its number."""
        return self._shard is None or record.number % self._shard.of == self._shard.index

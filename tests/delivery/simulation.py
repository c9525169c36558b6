"""A run in virtual time: the real dispatcher, intake and books over a server that is a function.

Nothing sleeps and nothing is random but by a seed, so ten minutes of outage take milliseconds and
every figure is the same in every run.
"""

import heapq
import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from reo_cli.checks.checker import Checker
from reo_cli.checks.issues import IssueLog
from reo_cli.client.outcome import Outcome, Verdict
from reo_cli.client.workers import Ended
from reo_cli.delivery.book import Book
from reo_cli.delivery.decide import Decider, Identity, Input, Job
from reo_cli.delivery.dispatch import Dispatcher, Policy
from reo_cli.delivery.intake import Feed, Intake
from reo_cli.delivery.ledger import Account
from reo_cli.delivery.summary import Counts, InputSummary, Settled
from reo_cli.events import Rules
from reo_cli.records import Issue, Progress, Record

NOW = 1_800_000_000


def outcome(verdict: Verdict = Verdict.DELIVERED, status: int | None = None) -> Outcome:
    return Outcome(verdict, f"HTTP {status}" if status else str(verdict), http_status=status)


DELIVERED = outcome(Verdict.DELIVERED, 200)
REJECTED = outcome(Verdict.REJECTED, 400)
ERROR = outcome(Verdict.TRANSIENT, 500)
KEY_REFUSED = outcome(Verdict.KEY_REFUSED, 401)
BUSY = Outcome(Verdict.TRANSIENT, "HTTP 503", http_status=503, throttled=True)
REFUSED = Outcome(Verdict.TRANSIENT, "connection refused", unreachable=True)
PORTAL = Outcome(Verdict.NOT_THE_API, "a web page", after_delivery=Verdict.TRANSIENT)


def come_back_after(seconds: float) -> Outcome:
    return Outcome(
        Verdict.TRANSIENT, "HTTP 429", http_status=429, retry_after=seconds, throttled=True
    )


@dataclass
class Attempt:
    """One request as the server sees it; `under_way` counts those it is serving besides."""

    event_id: str | int
    number: int
    of_event: int
    at: float
    under_way: int


Server = Callable[[Attempt], tuple[float, Outcome]]
"""Gives the seconds until the answer, and the answer."""


@dataclass
class VirtualTransport:
    """Carries requests to a function; `at` lets things happen at their time."""

    server: Server
    at: Mapping[float, int | None] = field(default_factory=dict)
    time: float = 0.0
    attempts: list[Attempt] = field(default_factory=list)
    most_under_way: int = 0

    def __post_init__(self) -> None:
        self._order = itertools.count()
        self._due: list[tuple[float, int, Ended[Job] | int | None]] = [
            (at, next(self._order), message) for at, message in sorted(self.at.items())
        ]
        self._times: dict[str | int, int] = {}
        self._serving = 0
        self._idle_turns = 0

    def start(self, job: Job, body: bytes) -> None:
        under_way = self._serving
        times = self._times[job.event_id] = self._times.get(job.event_id, 0) + 1
        attempt = Attempt(job.event_id, len(self.attempts) + 1, times, self.time, under_way)
        self.attempts.append(attempt)
        self._serving += 1
        self.most_under_way = max(self.most_under_way, self._serving)
        seconds, result = self.server(attempt)
        done = self.time + seconds
        heapq.heappush(self._due, (done, next(self._order), Ended(job, result, done)))
        self._idle_turns = 0

    def wait(self, timeout: float) -> list[Ended[Job] | int]:
        """Pass the time until something happens; a dispatcher that spins is an error."""
        until = self.time + timeout
        if self._due:
            until = min(until, max(self.time, self._due[0][0]))
        self._idle_turns = 0 if until > self.time else self._idle_turns + 1
        assert self._idle_turns < 5000, "the dispatcher turns without waiting"
        self.time = until
        messages: list[Ended[Job] | int] = []
        while self._due and self._due[0][0] <= self.time:
            message = heapq.heappop(self._due)[2]
            self._serving -= isinstance(message, Ended)
            if message is not None:
                messages.append(message)
        return messages


class Ears:
    """A listener that keeps what it hears."""

    lists_records = False

    def __init__(self) -> None:
        self.ends: list[Settled] = []
        self.said: list[str] = []
        self.note = self.hint = self.said.append

    def warning(self, text: str, *, loud: bool = False) -> None:
        self.said.append(text)

    def settled(self, settled: Settled) -> None:
        self.ends.append(settled)

    def attempted(self, event_id: str | int, attempt: int, outcome: Outcome) -> None:
        pass

    def progress(self, progress: Progress) -> None:
        pass


def records(number: int, *, same: bool = False) -> Iterator[Record]:
    """Give records with the ids 1, 2, 3, …, or all with the same content and none."""
    for at in range(1, number + 1):
        fields = {"activity_type": "primary", "count": 1, "domain": "reo.dev"}
        own = {"event_at": NOW, "product_id": "app"} | ({} if same else {"event_id": str(at)})
        yield Record("x.csv", at + 1, at, fields | own, {}, f"record {at}")


@dataclass
class Simulation:
    """One run over `items` (or whatever `feed` gives), and what has become of it."""

    server: Server
    items: Iterable[Record | Issue] = ()
    policy: Policy = field(default_factory=Policy)
    at: Mapping[float, int | None] = field(default_factory=dict)
    account: Account | None = None
    feed: Feed | None = None
    earlier: Counts | None = None
    watch: Callable[[Dispatcher], object] = lambda _: None

    def run(self) -> "Simulation":
        self.transport = VirtualTransport(self.server, self.at)
        self.ears = Ears()
        summary = InputSummary("x.csv")
        book = Book(
            [summary],
            IssueLog(100),
            self.ears,
            accounts=[self.account] if self.account else [],
            streams={0} if self.feed else (),
            checked={0: self.earlier} if self.earlier else None,
            clock=lambda: NOW + self.transport.time,
        )
        feed = self.feed or iter(self.items)
        source = Input(0, "x.csv", b"origin", bool(self.feed), lambda: feed, lambda: None)
        decider = Decider(Identity(), self.account)
        intake = Intake([source], Checker(Rules(NOW)), decider, book, limit=self.policy.limit)
        self.dispatcher = Dispatcher(
            self.policy,
            self.transport,
            intake,
            book,
            0.0,
            self.watch,
            lambda: self.transport.time,
            random.Random(1).random,
        )
        self.dispatcher.run()
        book.flush()
        decider.close()
        self.counts = summary.counts
        return self

    @property
    def requests(self) -> int:
        return len(self.transport.attempts)

    @property
    def events(self) -> int:
        """The events that a stopped run has met: those it has tried, and those at hand."""
        return len({each.event_id for each in self.transport.attempts}) + self.at_hand

    @property
    def at_hand(self) -> int:
        """The events that a stopped run had ready to be sent."""
        return len(self.dispatcher._queue._ahead)

    @property
    def seconds(self) -> float:
        return self.transport.time

    @property
    def stopped_by(self) -> tuple[int, str]:
        """The exit code and the slug of the error; (0, "") without one."""
        error = self.dispatcher.error
        return (int(error.exit_code), error.reason) if error else (0, "")


def run(server: Server, number: int, /, **policy: Any) -> Simulation:
    """Run over so many events of their own; `policy` are fields of `Policy`."""
    return Simulation(server, records(number), Policy(**policy)).run()


def always(result: Outcome, seconds: float = 0.05) -> Server:
    return lambda _: (seconds, result)

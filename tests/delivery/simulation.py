"""A run in virtual time: the real dispatcher, intake and books over a server that is a function.

Nothing sleeps and nothing is random but by a seed, so ten minutes of outage take milliseconds and
every figure is the same in every run.
"""

import heapq
import itertools
import operator
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from reo_cli.checks.checker import Checker
from reo_cli.checks.issues import IssueLog
from reo_cli.client.outcome import Outcome, Verdict
from reo_cli.client.workers import Ended
from reo_cli.delivery.book import Book
from reo_cli.delivery.decide import Decider, Identity, Input, Job
from reo_cli.delivery.dispatch import Dispatcher, Policy
from reo_cli.delivery.intake import Intake
from reo_cli.delivery.ledger import Account
from reo_cli.delivery.summary import InputSummary, Settled
from reo_cli.events import Rules
from reo_cli.records import Progress, Record

NOW = 1_800_000_000

DELIVERED = Outcome(Verdict.DELIVERED, "HTTP 200", http_status=200)
REJECTED = Outcome(Verdict.REJECTED, "HTTP 400", http_status=400)
ERROR = Outcome(Verdict.TRANSIENT, "HTTP 500", http_status=500)
KEY_REFUSED = Outcome(Verdict.KEY_REFUSED, "HTTP 401", http_status=401)
BUSY = Outcome(Verdict.TRANSIENT, "HTTP 503", http_status=503, throttled=True)
REFUSED = Outcome(Verdict.TRANSIENT, "connection refused", unreachable=True)


def come_back_after(seconds: float) -> Outcome:
    return BUSY._replace(reason="HTTP 429", http_status=429, retry_after=seconds)


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


def always(result: Outcome, seconds: float = 0.05) -> Server:
    return lambda _: (seconds, result)


class Ears:
    """A listener that keeps what it hears."""

    lists_records = False

    def __init__(self) -> None:
        self.ends: list[Settled] = []
        self.told: list[Progress] = []
        self.said: list[str] = []
        self.settled, self.progress = self.ends.append, self.told.append
        self.note = self.hint = self.said.append

    def warning(self, text: str, *, loud: bool = False) -> None:
        self.said.append(text)

    def attempted(self, event_id: str | int, attempt: int, outcome: Outcome) -> None:
        pass


def records(number: int) -> Iterator[Record]:
    """Give records with the ids 1, 2, 3, …"""
    for at in range(1, number + 1):
        fields = {"activity_type": "primary", "count": 1, "domain": "reo.dev"}
        own = {"event_at": NOW, "product_id": "app", "event_id": str(at)}
        yield Record("x.csv", at + 1, at, fields | own, {}, f"record {at}")


@dataclass
class Simulation:
    """One run over so many records, or over these, and what has become of it.

    It carries the requests itself; `signals` come at their times.
    """

    server: Server
    items: int | Iterable[Record | None]
    policy: Policy = field(default_factory=Policy)
    signals: Mapping[float, int] = field(default_factory=dict)
    account: Account | None = None

    def __post_init__(self) -> None:
        self.seconds = 0.0
        self.attempts: list[Attempt] = []
        self._order = itertools.count()
        self._due: list[tuple[float, int, Ended[Job] | int]] = [
            (at, next(self._order), number) for at, number in sorted(self.signals.items())
        ]
        self._tries: Counter[str | int] = Counter()
        self._serving = self._idle_turns = 0

    def start(self, job: Job, body: bytes) -> None:
        """Begin an attempt, as the dispatcher wants it of what carries requests."""
        self._tries[job.event_id] += 1
        number, of_event = len(self.attempts) + 1, self._tries[job.event_id]
        attempt = Attempt(job.event_id, number, of_event, self.seconds, self._serving)
        self.attempts.append(attempt)
        self._serving += 1
        seconds, result = self.server(attempt)
        done = self.seconds + seconds
        heapq.heappush(self._due, (done, next(self._order), Ended(job, result, done)))

    def wait(self, timeout: float) -> list[Ended[Job] | int]:
        """Pass the time until something happens; a dispatcher that spins is an error."""
        until = self.seconds + timeout
        if self._due:
            until = min(until, max(self.seconds, self._due[0][0]))
        self._idle_turns = 0 if until > self.seconds else self._idle_turns + 1
        assert self._idle_turns < 5000, "the dispatcher turns without waiting"
        self.seconds = until
        messages = []
        while self._due and self._due[0][0] <= until:
            message = heapq.heappop(self._due)[2]
            self._serving -= isinstance(message, Ended)
            messages.append(message)
        return messages

    def run(self) -> Self:
        """Do it, and see that each record that was read is settled once; the rest is unsent."""
        summary, ears = InputSummary("x.csv"), Ears()
        feed = iter(list(records(self.items)) if isinstance(self.items, int) else self.items)
        source = Input(0, "x.csv", b"origin", False, lambda: feed, lambda: None)
        accounts = [self.account] if self.account else []
        book = Book([summary], IssueLog(100), ears, accounts)
        decider = Decider(Identity(), self.account)
        intake = Intake([source], Checker(Rules(NOW)), decider, book, limit=self.policy.limit)
        clock, chance = (lambda: self.seconds), random.Random(1).random
        dispatcher = Dispatcher(self.policy, self, intake, 0.0, clock, chance)
        for _ in dispatcher.turns():
            pass
        intake.close()
        self.error, self.counts = dispatcher.error, summary.counts
        assert dispatcher.attempts == sum(each.attempts for each in ears.ends) == self.requests
        assert self._tries.keys() <= {each.event_id for each in ears.ends}
        assert self.counts.read == len(ears.ends)
        if isinstance(self.items, int):
            left = operator.length_hint(feed)
            assert self.counts.read == self.items - left
            self.counts.unsent += left
        return self

    @property
    def requests(self) -> int:
        return len(self.attempts)

    @property
    def stopped_by(self) -> tuple[int, str]:
        """The exit code and the slug of the error; (0, "") without one."""
        return (int(self.error.exit_code), self.error.reason) if self.error else (0, "")


def run(server: Server, items: int | Iterable[Record | None], /, **policy: Any) -> Simulation:
    """Run over so many records, or these; `policy` are fields of `Policy`."""
    return Simulation(server, items, Policy(**policy)).run()

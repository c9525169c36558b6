"""The heart of a run: hands out events, takes in outcomes, records, retries, stops.

It is single-threaded and knows neither sockets nor clocks: requests, inputs, time and randomness
come from outside, so tests run it in virtual time. An acknowledgement is recorded before its
connection gets another event: a kill repeats at most the requests under way.
"""

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from reo_cli.client.outcome import Outcome, Verdict
from reo_cli.client.workers import Ended
from reo_cli.delivery.decide import Job
from reo_cli.delivery.intake import Intake, Queue
from reo_cli.delivery.pace import LONGEST_WAIT, Pace, Random, delay
from reo_cli.delivery.signals import FINISH_WITHIN
from reo_cli.delivery.stops import (
    all_rejected,
    asked_to_come_back,
    fatal,
    gave_up,
    timed_out,
)
from reo_cli.errors import Interrupted, ReoError

TICK = 0.5
"""Seconds after which the progress display is refreshed even if nothing happens."""


class Transport(Protocol):
    """What carries requests: `client.workers.Workers`, or a simulation in tests."""

    def start(self, token: Job, body: bytes) -> None:
        """Begin an attempt."""

    def wait(self, timeout: float) -> list[Ended[Job] | int]:
        """Return the attempts that are over and the signals that came, after so many seconds."""


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


class Dispatcher:
    """One run over the events of an `Intake`.

    `clock` gives monotonic seconds, of which `started` is the process's start.
    """

    def __init__(
        self,
        policy: Policy,
        transport: Transport,
        intake: Intake,
        started: float,
        clock: Callable[[], float] = time.monotonic,
        random: Random = random.random,
    ) -> None:
        self.policy = policy
        self.pace = Pace(policy.concurrency, clock(), random, policy.rate)
        self._transport = transport
        self._intake = intake
        self._queue = Queue(intake, policy.retries)
        self._book = intake.book
        self._random = random
        self._now = clock
        self._under_way: set[Job] = set()
        self._deadline = started + policy.max_time if policy.max_time is not None else math.inf
        self._signals = 0
        self._end: float | None = None
        """When a run that was stopped waits for no more answers."""
        self._well_at, self._cause = 0.0, ""
        self.attempts = 0
        self.first_request: float | None = None
        self.last_answer: float | None = None
        self.error: ReoError | None = None

    def turns(self) -> Iterator[None]:
        """Send everything, or stop with `error` set; what is left is counted as unsent.

        Yields after every turn, so that someone can look on.
        """
        while not self._finished():
            try:
                self._turn()
            except ReoError as fault:  # what is still under way is taken in all the same
                self._stop(fault)
            yield
        self._leave()

    def _finished(self) -> bool:
        if self._end is not None:
            return not self._under_way or self._now() >= self._end
        return self._queue.at_end and not self._under_way and self._queue.due is None

    def _turn(self) -> None:
        if self._end is None:
            self._check_time()
        more = self._end is None and self._start_some()
        self._handle(self._transport.wait(0.0 if more else self._patience()))
        self._book.flush()

    def _check_time(self) -> None:
        now, policy = self._now(), self.policy
        if now >= self._deadline and policy.max_time is not None:
            self._stop(timed_out(policy.max_time, self._last_cause(now)))
        elif not (self._under_way or self._queue.due is not None or self.pace.outage):
            self.pace.rested(now)
        elif self.pace.idle(now) >= policy.give_up_after:
            self._stop(gave_up(policy.give_up_after, self._last_cause(now)))

    def _last_cause(self, now: float) -> str:
        """Return what keeps events from getting through at present, empty when they do."""
        waiting = self.pace.waiting(now) if self.pace.is_closed(now) else ""
        unanswered = "no answer came" if self._under_way and self.last_answer is None else ""
        return waiting or self._cause or unanswered

    def _start_some(self) -> bool:
        """Start what may start, get ready for more; tell whether there is more to get ready."""
        pace, queue = self.pace, self._queue
        for _ in range(self.policy.concurrency):
            now = self._now()
            if not pace.may_start(len(self._under_way), now):
                break
            job = queue.next_probe(first=not pace.proven) if pace.outage else queue.next(now)
            if job is None:
                break
            pace.started(now)
            job.started = now
            self.first_request = self.first_request or now
            self._transport.start(job, job.body)
            self._under_way.add(job)
        return queue.look_ahead()

    def _patience(self) -> float:
        """Return how long to wait for a message before something is to be done anyway."""
        now = self._now()
        if self._end is not None:
            until = self._end if self._under_way else now
        else:
            opens, due = self.pace.wake_at(now), self._queue.due
            if opens is None and due is not None and len(self._under_way) < self.pace.limit:
                opens = due
            until = min(self._deadline, math.inf if opens is None else opens)
        return max(0.0, min(until - now, TICK))

    def _handle(self, messages: Sequence[Ended[Job] | int]) -> None:
        """Settle what has arrived together: one commit for all of it."""
        delivered = []
        for message in messages:
            if isinstance(message, int):
                self._signals += 1
                self._stop(Interrupted(message))
                if self._signals > 1:
                    self._end = self._now()
            elif self._is_delivered(message):
                delivered.append((message.token, message.outcome))
        if delivered:
            self._book.delivered(delivered)

    def _is_delivered(self, answer: Ended[Job]) -> bool:
        """Take in an answer; tell whether its event was delivered and is to be recorded."""
        job, outcome, now = answer.token, answer.outcome, answer.at
        self._under_way.discard(job)
        self.attempts += 1
        job.attempts += 1
        self.last_answer = now
        if outcome.verdict is Verdict.LIMIT and self._under_way:  # fewer at once will do
            outcome = outcome._replace(verdict=Verdict.TRANSIENT, unreachable=True)
        verdict = outcome.verdict
        if outcome.after_delivery is not None and self._book.any_delivered:
            verdict = outcome.after_delivery
        too_late = self.pace.is_closed(now)
        self.pace.ended(outcome, verdict, len(self._under_way), job.started, now)
        self._book.attempted(job, outcome)
        if verdict is Verdict.TRANSIENT:
            self._on_transient(job, outcome, now, too_late)
            return False
        self._well_at, self._cause = now, ""
        if verdict is Verdict.REJECTED:
            self._on_rejected(job, outcome)
        elif verdict is not Verdict.DELIVERED:
            self._book.settle(job, "unsent", outcome=outcome)
            self._stop(fatal(verdict, outcome))
        return verdict is Verdict.DELIVERED

    def _on_rejected(self, job: Job, outcome: Outcome) -> None:
        rejected = self._book.rejected(job, outcome)
        most = self.policy.max_rejects
        if most and rejected >= most and not self._book.has_deliveries(job.input):
            file, any_other = job.event.record.file, self._book.any_delivered
            self._stop(all_rejected(file, rejected, outcome.reason, any_other))

    def _on_transient(self, job: Job, outcome: Outcome, now: float, too_late: bool) -> None:
        asked = outcome.retry_after or 0.0
        if asked > LONGEST_WAIT:
            self._book.settle(job, "unsent", outcome=outcome)
            self._stop(asked_to_come_back(asked))
            return
        job.failures += 1
        job.charged += self._counts(job, outcome, too_late)
        job.failed = now
        self._cause = outcome.reason
        if job.charged > self.policy.retries:
            self._book.settle(job, "errored", outcome=outcome)
            return
        wait = delay(job.failures, self._random, throttled=outcome.throttled)
        self._queue.again(job, now + max(wait, asked))

    def _counts(self, job: Job, outcome: Outcome, too_late: bool) -> bool:
        """Tell whether a failed attempt counts against its event: an outage is not its fault.

        It counts when another one got through since it failed before, or when none is left that
        could. That a server refuses what was on its way, `too_late`, when it asked for a wait
        counts for nothing.
        """
        if self.policy.retries == 0:
            return True
        if outcome.unreachable or (outcome.throttled and not self.pace.proven):
            return False
        if self._queue.at_end and all(each.failures for each in self._under_way):
            return True
        return self._well_at > job.failed and not (outcome.throttled and too_late)

    def _stop(self, error: ReoError) -> None:
        """Start nothing more; the first reason stays."""
        if self._end is None:
            self._end = self._now() + FINISH_WITHIN
            self.error = error

    def _leave(self) -> None:
        """Account for every event that has not been settled."""
        for job in self._under_way:
            self.attempts += 1
            job.attempts += 1
            self._book.settle(job, "errored", "no answer before the run ended")
        for job, reason in self._queue.leave():
            self._book.settle(job, "unsent", reason)
        if self._end is not None:
            self._intake.abandon()

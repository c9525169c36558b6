"""Threads that each hold one connection: bodies go in, outcomes come out of one inbox.

Daemon threads on purpose: an executor would keep the process alive for its running requests.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Protocol

from reo_cli.delivery.decide import Job
from reo_cli.outcome import Outcome


class Attempts(Protocol):
    """One connection: sends a body, returns the outcome."""

    def attempt(self, body: bytes) -> Outcome:
        """Make one attempt; never raises for what the network or the server does."""

    def close(self) -> None:
        """Close the connection."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an attempt came to, and when (monotonic seconds)."""

    job: Job
    outcome: Outcome
    at: float


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal that arrived."""

    number: int


@dataclass(frozen=True, slots=True)
class Wake:
    """Something new can be read."""


@dataclass(frozen=True, slots=True)
class Crash:
    """A bug in a worker, to be raised in the main thread."""

    fault: BaseException


Message = Answer | Signal | Wake | Crash


class Workers:
    """Up to `most` workers, started as they are needed."""

    def __init__(self, connect: Callable[[], Attempts], most: int) -> None:
        self._connect = connect
        self._most = most
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._inbox: SimpleQueue[Message] = SimpleQueue()
        self._started = 0

    def now(self) -> float:
        """Return monotonic seconds."""
        return time.monotonic()

    def submit(self, job: Job, under_way: int) -> None:
        """Hand out a job; `under_way` counts those handed out before and not answered."""
        if self._started <= under_way and self._started < self._most:
            self._started += 1
            threading.Thread(target=self._work, name="reo-worker", daemon=True).start()
        self._jobs.put(job)

    def close(self) -> None:
        """Let the workers end and close their connections, each once its attempt is over."""
        for _ in range(self._started):
            self._jobs.put(None)

    def post(self, message: Message) -> None:
        """Put a message into the inbox; safe in signal handlers and other threads."""
        self._inbox.put(message)

    def wait(self, timeout: float) -> list[Message]:
        """Return all messages there are, after at most `timeout` seconds."""
        messages: list[Message] = []
        try:
            messages.append(
                self._inbox.get(timeout=timeout) if timeout > 0 else self._inbox.get_nowait()
            )
            while True:
                messages.append(self._inbox.get_nowait())
        except Empty:
            return messages

    def _work(self) -> None:
        try:
            connection = self._connect()
            while (job := self._jobs.get()) is not None:
                outcome = connection.attempt(job.body)
                self._inbox.put(Answer(job, outcome, time.monotonic()))
            connection.close()
        except BaseException as fault:  # noqa: BLE001 - a bug: raised again in the main thread
            self._inbox.put(Crash(fault))

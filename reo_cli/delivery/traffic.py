"""What a run is told of while it waits: answers, signals, and that there is more to read."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import NamedTuple

from reo_cli.client import Pool
from reo_cli.delivery.decide import Job
from reo_cli.outcome import Outcome


class Answer(NamedTuple):
    """What an attempt came to, and when (monotonic seconds); None: nothing was sent after all."""

    job: Job
    outcome: Outcome | None
    at: float


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal that arrived."""

    number: int


@dataclass(frozen=True, slots=True)
class Wake:
    """Something new can be read."""


Message = Answer | Signal | Wake


class Traffic:
    """Requests under way, and one inbox for all that happens meanwhile."""

    def __init__(self, pool: "Pool[Job]") -> None:
        self._pool = pool
        self._inbox: SimpleQueue[Signal | Wake] = SimpleQueue()

    def now(self) -> float:
        """Return monotonic seconds."""
        return time.monotonic()

    def submit(self, job: Job) -> None:
        """Start an attempt."""
        self._pool.start(job, job.body)

    def ask_before_sending(self, may_send: Callable[[], bool]) -> None:
        """Have `may_send` asked when a request has waited for its connection."""
        self._pool.may_send = may_send

    def post(self, message: Signal | Wake) -> None:
        """Put a message into the inbox; safe in signal handlers and other threads."""
        self._inbox.put(message)
        self._pool.wake()

    def wait(self, timeout: float) -> list[Message]:
        """Return what has happened, after at most `timeout` seconds."""
        messages: list[Message] = [Answer(*ended) for ended in self._pool.wait(timeout)]
        try:
            while True:
                messages.append(self._inbox.get_nowait())
        except Empty:
            return messages

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

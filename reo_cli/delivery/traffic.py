"""What a run is told of while it waits: answers, signals, and that there is more to read."""

import time
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import NamedTuple

from reo_cli.client.outcome import Outcome
from reo_cli.client.workers import Workers
from reo_cli.delivery.decide import Job


class Answer(NamedTuple):
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


Message = Answer | Signal | Wake


class Traffic:
    """Requests under way, and one inbox for all that happens meanwhile."""

    def __init__(self, workers: "Workers[Job]") -> None:
        self._workers = workers
        self._inbox: SimpleQueue[Signal | Wake] = SimpleQueue()

    def now(self) -> float:
        """Return monotonic seconds."""
        return time.monotonic()

    def submit(self, job: Job) -> None:
        """Start an attempt."""
        self._workers.start(job, job.body)

    def post(self, message: Signal | Wake) -> None:
        """Put a message into the inbox; safe in signal handlers and other threads."""
        self._inbox.put(message)
        self._workers.wake()

    def wait(self, timeout: float) -> list[Message]:
        """Return what has happened, after at most `timeout` seconds."""
        messages: list[Message] = [Answer(*ended) for ended in self._workers.wait(timeout)]
        try:
            while True:
                messages.append(self._inbox.get_nowait())
        except Empty:
            return messages

    def close(self) -> None:
        """Close all connections."""
        self._workers.close()

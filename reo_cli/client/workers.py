"""Many attempts at once: threads that each keep one connection, and one queue of what is over.

No more threads than attempts under way; all are daemons, so that none keeps the process alive.
"""

import time
from contextlib import closing
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Generic, NamedTuple, TypeVar

from reo_cli.client.faults import limited
from reo_cli.client.outcome import Outcome
from reo_cli.client.target import Target

Token = TypeVar("Token")


class Ended(NamedTuple, Generic[Token]):
    """An attempt that is over: what it was started with, what came of it, and when (monotonic)."""

    token: Token
    outcome: Outcome
    at: float


class Workers(Generic[Token]):
    """Connections to one target. All but `post` belongs to one thread."""

    def __init__(self, target: Target) -> None:
        from reo_cli.client import connection

        self._connect = partial(connection.Connection, target)
        self._inbox: SimpleQueue[tuple[Token, bytes] | None] = SimpleQueue()
        self._ended: SimpleQueue[Ended[Token] | BaseException | int | None] = SimpleQueue()
        self._threads = 0
        self._under_way = 0
        self._bug: BaseException | None = None

    def start(self, token: Token, body: bytes) -> None:
        """Begin an attempt."""
        self._under_way += 1
        if self._under_way > self._threads:
            try:
                Thread(target=self._work, name=f"reo-{self._threads}", daemon=True).start()
                self._threads += 1
            except RuntimeError as error:  # fewer threads will do, none will not
                if not self._threads:
                    self._ended.put(Ended(token, limited(error), time.monotonic()))
                    return
        self._inbox.put((token, body))

    def wait(self, timeout: float | None = None) -> list[Ended[Token] | int]:
        """Return what is over and what was posted, after at most `timeout` seconds.

        Raises only what is a bug, once all that was over before has been returned.
        """
        if self._bug is not None:
            raise self._bug
        over: list[Ended[Token] | int] = []
        try:
            while True:
                item = self._ended.get(timeout=timeout)
                timeout = 0
                if isinstance(item, BaseException):
                    self._bug = item
                elif item is not None:
                    self._under_way -= isinstance(item, Ended)
                    over.append(item)
        except Empty:
            return over

    def post(self, signal: int | None = None) -> None:
        """End the waiting, with a signal or without; safe in signal handlers and other threads."""
        self._ended.put(signal)

    def close(self) -> None:
        """Let the threads end, each once its attempt is over."""
        for _ in range(self._threads):
            self._inbox.put(None)

    def _work(self) -> None:
        try:
            with closing(self._connect()) as connection:
                while (job := self._inbox.get()) is not None:
                    token, body = job
                    outcome = connection.attempt(body)
                    self._ended.put(Ended(token, outcome, time.monotonic()))
        except BaseException as bug:  # noqa: BLE001 - raised again where answers are waited for
            self._ended.put(bug)

"""SIGINT, SIGTERM and SIGHUP: an orderly end, whatever a command is doing when they come.

What the caller of the process ignores (`nohup`, a shell's `&`) stays ignored.
"""

import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, Any, Self

from reo_cli.errors import Interrupted, start

if TYPE_CHECKING:
    from socket import socket

HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

FINISH_WITHIN = 5.0
"""Seconds that requests under way get after a signal or a fatal answer (design.md)."""

GRACE = 0.8
"""Seconds for the last words, after which the process is ended all the same."""


class Signals:
    """A context in which signals raise `Interrupted`, are posted to a dispatcher, or ignored.

    Outside of the context nothing is done to any signal: those of a program are its own.
    """

    def __init__(self) -> None:
        self._before: dict[signal.Signals, Any] = {}
        self._post: Callable[[int], None] | None = None
        self._told: socket | None = None
        self._came = False

    def __enter__(self) -> Self:
        for number in HANDLED:
            before = signal.getsignal(number)
            if before is not signal.SIG_IGN:
                self._before[number] = before
                signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *exc: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        if self._told is not None and self._came:
            self._told.detach()  # the guard goes on while the process ends
        elif self._told is not None:
            signal.set_wakeup_fd(-1)
            self._told.close()

    def post_to(self, post: Callable[[int], None] | None) -> None:
        """Hand signals to `post` from now on; None lets them raise again."""
        self._post = post

    def ignore(self) -> None:
        """Let signals do nothing: the work is done, and its result is about to be told."""
        self._post = lambda _number: None

    def guard(self) -> None:
        """Make sure that signals end the process in time, even while it cannot run handlers.

        It may wait for a reader of its output that has stopped, or for others at the ledger. Ending
        it then is no worse than `kill -9`: what was acknowledged is recorded.
        """
        if not self._before:
            return
        from socket import socketpair
        from threading import Thread

        heard, self._told = socketpair()
        self._told.setblocking(False)
        signal.set_wakeup_fd(self._told.fileno(), warn_on_full_buffer=False)
        start(Thread(target=_watch, args=(heard,), name="reo-signals", daemon=True))

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._came = True
        if self._post is None:
            raise Interrupted(number)
        self._post(number)


def _watch(heard: "socket") -> None:
    """End the process when the time after a signal is over; a second one shortens it."""
    first, end = 0, 0.0
    while True:
        patience = max(0.0, end - time.monotonic()) if first else None
        if not select.select([heard], [], [], patience)[0]:
            with suppress(OSError, ValueError):  # standard error may take nothing either
                if select.select([], [2], [], 0)[1]:
                    os.write(2, f"error: {Interrupted(first)}, at once\n".encode())
            os._exit(128 + first)
        numbers = heard.recv(64)
        if not numbers:  # the run is over, and no signal came
            heard.close()
            return
        for number in numbers:
            if number in HANDLED:
                end = time.monotonic() + GRACE + (0 if first else FINISH_WITHIN)
                first = first or number

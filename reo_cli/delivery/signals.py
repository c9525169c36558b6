"""SIGINT, SIGTERM and SIGHUP: an orderly end, whatever the run is doing when they come."""

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

from reo_cli.delivery.stops import interrupted

HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """A context in which signals raise ReoError (129, 130, 143), or are posted to a dispatcher.

    What the caller of the process ignores (`nohup`, a shell's `&`) stays ignored.
    """

    def __init__(self) -> None:
        self._post: Callable[[int], None] | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Signals":
        for number in HANDLED:
            before = signal.getsignal(number)
            if before is not signal.SIG_IGN:
                self._before[number] = before
                signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *exc: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def post_to(self, post: Callable[[int], None] | None) -> None:
        """Hand signals to `post` from now on; None lets them raise again."""
        self._post = post

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._post is None:
            raise interrupted(number)
        self._post(number)

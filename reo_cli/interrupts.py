"""The signals that end a run in order, and the error that each of them is."""

import signal
from types import FrameType
from typing import Any, Self

from reo_cli.errors import ExitCode, ReoError

HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(ReoError):
    """The end of a run by a signal: 130, 143 or 129."""

    def __init__(self, number: int) -> None:
        name = signal.Signals(number).name
        super().__init__(ExitCode(128 + number), "interrupted", f"stopped by {name}")


class Interrupts:
    """A context in which these signals raise `Interrupted`, wherever the program is.

    What the caller of the process ignores (`nohup`, a shell's `&`) stays ignored.
    """

    def __init__(self) -> None:
        self._before: dict[signal.Signals, Any] = {}

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

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        raise Interrupted(number)

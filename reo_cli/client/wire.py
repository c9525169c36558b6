"""A socket with a deadline: whatever it does, it is over when the time is.

Every operation gets the time that is left, so a peer that drips a byte now and then gains nothing
(reliability.md section 1); or none at all, and then says at once that it would have to wait. Plain
TCP, TLS and TLS within TLS look the same from outside.
"""

import contextlib
from collections.abc import Callable
from typing import NamedTuple, Protocol

RECEIVE_SIZE = 16 * 1024

Clock = Callable[[], float]
"""Monotonic seconds."""


class Deadline(NamedTuple):
    """The end of an attempt: `at` on `clock`, which is `seconds` after its beginning."""

    seconds: float
    at: float
    clock: Clock

    @classmethod
    def after(cls, seconds: float, clock: Clock) -> "Deadline":
        """Give the deadline that is `seconds` from now."""
        return cls(seconds, clock() + seconds, clock)

    def left(self) -> float:
        """Seconds that are left; raises TimeoutError when there are none."""
        left = self.at - self.clock()
        if left <= 0:
            raise TimeoutError
        return left


class Stream(Protocol):
    """What is needed of a socket, or of TLS on top of one."""

    def recv(self, size: int, /) -> bytes:
        """Read what comes next, at most `size` bytes; `b""` at the end of the stream."""
        ...

    def send(self, data: memoryview, /) -> int:
        """Write some of `data`; gives how much."""
        ...

    def settimeout(self, value: float, /) -> None:
        """Set the seconds that each later operation may take; 0: it may not wait."""
        ...

    def fileno(self) -> int:
        """Return the descriptor to be watched."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class Wire:
    """One open connection; `deadline` is for the operations that wait.

    `not_now` is what the others raise when they would have to.
    """

    def __init__(
        self, stream: Stream, deadline: Deadline, not_now: tuple[type[OSError], ...] = ()
    ) -> None:
        self.stream = stream
        self.deadline = deadline
        self.received = 0
        """Bytes received; whoever counts those of one answer sets it to 0 before."""
        self.not_now: tuple[type[OSError], ...] = (BlockingIOError, *not_now)
        self._waits = True

    def flush(self) -> bool:
        """Tell whether all that `send_at_once` took is on its way; raises OSError."""
        return True

    def send(self, data: bytes) -> None:
        """Send all of `data`; raises OSError."""
        view = memoryview(data)
        while view:
            self._may_wait(self.deadline.left())
            view = view[self.stream.send(view) :]

    def receive(self) -> bytes:
        """Wait for the next bytes, `b""` at the end of the stream; raises OSError."""
        self._may_wait(self.deadline.left())
        return self._receive()

    def send_at_once(self, data: memoryview) -> memoryview:
        """Send what can be sent without waiting and give the rest; raises OSError, `not_now`."""
        self._may_not_wait()
        return data[self.stream.send(data) :]

    def receive_at_once(self) -> bytes:
        """Receive what is there already; raises OSError, `not_now` if there is nothing."""
        self._may_not_wait()
        return self._receive()

    def _receive(self) -> bytes:
        data = self.stream.recv(RECEIVE_SIZE)
        self.received += len(data)
        return data

    def _may_wait(self, seconds: float) -> None:
        self._waits = True
        self.stream.settimeout(seconds)

    def _may_not_wait(self) -> None:
        if self._waits:
            self._waits = False
            self.stream.settimeout(0)

    def is_idle(self) -> bool:
        """Whether the connection is open and silent, fit for another request.

        What waits here is the end of the stream, or an answer to nothing (some servers say 408
        before they hang up) that must not be taken for the answer to the next request.
        """
        try:
            self.receive_at_once()
        except self.not_now:
            return True
        except OSError:
            return False
        return False

    def close(self) -> None:
        """Close the connection; never raises."""
        with contextlib.suppress(OSError):
            self.stream.close()

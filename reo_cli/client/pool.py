"""Many attempts at once, in one thread: each has a connection for itself, kept for later ones.

Only opening a connection takes other threads, because it waits for name servers, proxies and
handshakes. An attempt never raises for anything that the network or the server does. The dead end
of a kept connection is replaced at once and unseen (reliability.md section 1).
"""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from threading import Thread
from typing import Generic, NamedTuple, TypeVar

from reo_cli.answers import Fault
from reo_cli.client.dial import open_wire
from reo_cli.client.exchange import Exchange
from reo_cli.client.faults import Failed, connect_fault
from reo_cli.client.reading import Reply
from reo_cli.client.results import Results
from reo_cli.client.target import Target
from reo_cli.client.wire import Clock, Deadline, Wire
from reo_cli.outcome import Outcome, classify

Token = TypeVar("Token")


class Ended(NamedTuple, Generic[Token]):
    """An attempt that is over: what it was started with, what came of it, and when (monotonic).

    The outcome is None when nothing was sent, because it may not be any more (`Pool.may_send`).
    """

    token: Token
    outcome: Outcome | None
    at: float


class _Attempt(Generic[Token]):
    """An attempt under way; `exchange` is None while a connection is opened for it."""

    def __init__(self, token: Token, request: bytes, deadline: Deadline) -> None:
        self.token = token
        self.request = request
        self.deadline = deadline
        self.exchange: Exchange | None = None
        self.line: _Line[Token] | None = None


class _Line(Generic[Token]):
    """An open connection, and the attempt that has it, if any; `fresh` until its first answer."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.fresh = True
        self.attempt: _Attempt[Token] | None = None


class Pool(Generic[Token]):
    """Connections to one target. All but `wake` belongs to one thread.

    `threads` False opens connections in the caller's thread, for one attempt at a time.
    """

    def __init__(
        self, target: Target, clock: Clock = time.monotonic, *, threads: bool = True
    ) -> None:
        self._target = target
        self._clock = clock
        self._results = Results(target)
        self._dialers: _Dialers[Token] | None = _Dialers(target, self.wake) if threads else None
        self._selector = DefaultSelector()
        self._idle: list[_Line[Token]] = []
        self._active: dict[_Attempt[Token], None] = {}  # in the order in which their time is over
        self._ended: list[Ended[Token]] = []
        self._waker, self._wakened = socket.socketpair()
        self._is_awake = False
        self.may_send: Callable[[], bool] = lambda: True
        """Asked once more when a connection that had to be opened is ready."""
        for each in (self._waker, self._wakened):
            each.setblocking(False)
        self._selector.register(self._wakened, EVENT_READ)

    def start(self, token: Token, body: bytes, timeout: float | None = None) -> None:
        """Begin an attempt; it ends by `timeout` seconds, the target's unless another is given."""
        deadline = Deadline.after(timeout or self._target.timeout, self._clock)
        attempt = _Attempt(token, self._target.request(body), deadline)
        self._active[attempt] = None
        while self._idle:
            line = self._idle.pop()
            if line.wire.is_idle():
                self._exchange(attempt, line)
                return
            self._drop(line)
        self._dial(attempt)

    def wait(self, timeout: float | None = None) -> list[Ended[Token]]:
        """Return the attempts that are over, after at most `timeout` seconds, or when woken.

        Raises only what is a bug, once all that was over before has been returned.
        """
        if self._dialers is not None:
            self._dialers.raise_bug()
        for key, _ in self._selector.select(self._patience(timeout)):
            if key.data is None:
                self._wake_up()
            else:
                self._ready(key.data)
        self._expire()
        ended, self._ended = self._ended, []
        return ended

    def wake(self) -> None:
        """End the waiting; safe in signal handlers and other threads."""
        if not self._is_awake:
            self._is_awake = True
            with contextlib.suppress(OSError):  # the pool is closed
                self._waker.send(b"!")

    def close(self) -> None:
        """Close all connections, also those with an attempt under way."""
        for key in list(self._selector.get_map().values()):
            if key.data is not None:
                self._drop(key.data)
        if self._dialers is not None:
            self._dialers.close()
        self._selector.close()
        self._waker.close()
        self._wakened.close()

    def _patience(self, timeout: float | None) -> float | None:
        """Return how long to wait: for nothing while an end is known, else to the next deadline."""
        if self._ended:
            return 0.0
        first = next(self._exchanging(), None)
        if first is None or timeout == 0:
            return timeout
        left = max(0.0, first.deadline.at - self._clock())
        return left if timeout is None else min(left, timeout)

    def _exchanging(self) -> Iterator[_Attempt[Token]]:
        """Yield the attempts that have a connection, the oldest first."""
        return (each for each in self._active if each.exchange is not None)

    def _wake_up(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wakened.recv(64)
        self._is_awake = False  # from here on new things wake us again; those before are seen below
        if self._dialers is not None:
            for attempt, result in self._dialers.results():
                self._dialed(attempt, result)

    def _dial(self, attempt: _Attempt[Token]) -> None:
        attempt.exchange = attempt.line = None
        if self._dialers is None or not self._dialers.submit(attempt):
            self._dialed(attempt, _opened(self._target, attempt.deadline))

    def _dialed(self, attempt: _Attempt[Token], result: Wire | Fault) -> None:
        if isinstance(result, Fault):
            self._end(attempt, result)
            return
        line: _Line[Token] = _Line(result)
        self._selector.register(result.stream, EVENT_READ, line)
        if attempt.deadline.at <= self._clock():
            self._idle.append(line)
            seconds = attempt.deadline.seconds
            self._end(attempt, connect_fault(TimeoutError(), self._target.name, seconds))
        elif not self.may_send():
            self._idle.append(line)
            self._end(attempt, None)
        else:
            self._exchange(attempt, line)

    def _exchange(self, attempt: _Attempt[Token], line: _Line[Token]) -> None:
        line.attempt, attempt.line = attempt, line
        attempt.exchange = Exchange(line.wire, attempt.request)
        attempt.exchange.send()
        if attempt.exchange.is_sending:
            self._watch(line, attempt.exchange)

    def _watch(self, line: _Line[Token], exchange: Exchange) -> None:
        """Wait for what the exchange waits for: an answer may come before all is sent."""
        also = EVENT_WRITE if exchange.is_sending and not exchange.wants_to_read else 0
        self._selector.modify(line.wire.stream, EVENT_READ | also, line)

    def _ready(self, line: _Line[Token]) -> None:
        """Go on with what a socket is ready for."""
        attempt = line.attempt
        if attempt is None or attempt.exchange is None:
            if not line.wire.is_idle():
                self._idle.remove(line)
                self._drop(line)
            return
        exchange = attempt.exchange
        if exchange.is_sending:
            exchange.send()
            self._watch(line, exchange)
        try:
            reply = exchange.receive()
        except OSError as error:
            self._failed(attempt, line, error)
        else:
            if reply is not None:
                self._answered(attempt, line, reply)

    def _expire(self) -> None:
        """End the attempts whose time is over; while a connection is opened, that sees to it."""
        while (attempt := next(self._exchanging(), None)) is not None:
            exchange, line = attempt.exchange, attempt.line
            if exchange is None or line is None or attempt.deadline.at > self._clock():
                return
            try:
                self._answered(attempt, line, exchange.expire())
            except OSError as error:
                self._failed(attempt, line, error)

    def _answered(self, attempt: _Attempt[Token], line: _Line[Token], reply: Reply) -> None:
        sent = attempt.exchange is not None and attempt.exchange.sent
        if reply.reusable and sent:
            line.attempt, line.fresh = None, False
            self._idle.append(line)
        else:
            self._drop(line)
        self._end(attempt, self._results.of_reply(reply, sent))

    def _failed(self, attempt: _Attempt[Token], line: _Line[Token], error: OSError) -> None:
        """Take the end of an exchange without a reply: again, if the server had left it before."""
        self._drop(line)
        if line.fresh or line.wire.received or isinstance(error, TimeoutError):
            seconds = attempt.deadline.seconds
            self._end(attempt, self._results.of_error(error, seconds))
        else:
            self._dial(attempt)

    def _drop(self, line: _Line[Token]) -> None:
        self._selector.unregister(line.wire.stream)
        line.wire.close()

    def _end(self, attempt: _Attempt[Token], result: Outcome | Fault | None) -> None:
        del self._active[attempt]
        outcome = classify(result) if isinstance(result, Fault) else result
        self._ended.append(Ended(attempt.token, outcome, self._clock()))


class _Dialers(Generic[Token]):
    """Threads that open connections; daemons, so that none of them keeps the process alive."""

    def __init__(self, target: Target, wake: Callable[[], None]) -> None:
        self._target = target
        self._wake = wake
        self._waiting: SimpleQueue[_Attempt[Token] | None] = SimpleQueue()
        self._opened: SimpleQueue[tuple[_Attempt[Token], Wire | Fault | BaseException]]
        self._opened = SimpleQueue()
        self._threads = 0
        self._busy = 0
        self._bug: BaseException | None = None

    def submit(self, attempt: _Attempt[Token]) -> bool:
        """Open a connection for an attempt; False when the system gives no thread for it."""
        if self._busy >= self._threads:
            try:
                Thread(target=self._work, name="reo-dialer", daemon=True).start()
            except RuntimeError:
                if not self._threads:
                    return False
            else:
                self._threads += 1
        self._busy += 1
        self._waiting.put(attempt)
        return True

    def results(self) -> Iterator[tuple[_Attempt[Token], Wire | Fault]]:
        """Yield the attempts whose connections are open or failed."""
        while True:
            try:
                attempt, result = self._opened.get_nowait()
            except Empty:
                return
            self._busy -= 1
            if isinstance(result, BaseException):
                self._bug = result
            else:
                yield attempt, result

    def raise_bug(self) -> None:
        """Raise what a thread has raised, if any has."""
        if self._bug is not None:
            raise self._bug

    def close(self) -> None:
        """Let the threads end, each once its connection is open or failed."""
        for _ in range(self._threads):
            self._waiting.put(None)

    def _work(self) -> None:
        while (attempt := self._waiting.get()) is not None:
            result: Wire | Fault | BaseException
            try:
                result = _opened(self._target, attempt.deadline)
            except BaseException as bug:  # noqa: BLE001 - raised again where the attempt was started
                result = bug
            self._opened.put((attempt, result))
            self._wake()


def _opened(target: Target, deadline: Deadline) -> Wire | Fault:
    try:
        return open_wire(target, deadline)
    except Failed as failed:
        return failed.fault

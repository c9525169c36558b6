"""The event loop: many connections, one thread, no connection that can hold up another.

A connection is in one of four states: it reads; it waits for its latency to pass (nothing is read
then); it writes what the kernel did not take at once; it is closing and throws away what comes.
"""

import select
import selectors
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE

from reo_cli.sandbox.protocol import CONTINUE, ProtocolError, Request, RequestReader, render
from reo_cli.sandbox.service import TOO_MANY_CONNECTIONS, Answer, Service

MAX_CONNECTIONS = 512
"""More are answered 503: half of the file descriptors a process usually may open."""

PATIENCE = 75.0
"""Seconds a connection has to bring a complete request, or to take its answer."""

LINGER = 2.0
"""Seconds a closing connection is read on, so that no reset overtakes its last answer."""

_SWEEP = 1.0
_READ_SIZE = 64 * 1024


class _Connection:
    """One client's socket and where it stands; `since` is when its present patience began."""

    __slots__ = ("closing", "events", "lingering", "out", "reader", "since", "sock", "waiting")

    def __init__(self, sock: socket.socket, now: float) -> None:
        self.sock = sock
        self.since = now
        self.reader = RequestReader()
        self.events = 0
        self.out = b""
        self.waiting = False
        self.closing = False
        self.lingering = False


class Loop:
    """Serves the connections of `listener` until `stop`; `latency` in seconds."""

    def __init__(
        self,
        listener: socket.socket,
        service: Service,
        latency: float,
        clock: Callable[[], float],
    ) -> None:
        self._listener = listener
        self._service = service
        self._latency = latency
        self._clock = clock
        self._now = clock()
        self._swept = self._now
        self._connections: set[_Connection] = set()
        self._due: deque[tuple[float, _Connection, bytes]] = deque()
        """Answers in the order of their time, which is that of their requests."""
        self._stopped = False
        self._accepting = True
        self._alarm, self._bell = socket.socketpair()
        self._bell.setblocking(False)
        self._selector = selectors.DefaultSelector()
        # epoll waits whole milliseconds, which makes every answer one late: 2 % at 50 ms. `select`
        # on the epoll itself is exact, but takes only descriptors below FD_SETSIZE.
        self._is_exact = self._selector.fileno() < 1024
        self._selector.register(listener, EVENT_READ, self._accept)
        self._selector.register(self._alarm, EVENT_READ, lambda: None)

    def stop(self) -> None:
        """Have `run` return; for any thread and for signal handlers, also after the end."""
        self._stopped = True
        with suppress(OSError):
            self._bell.send(b"\0")

    def run(self) -> None:
        """Serve. At the end, answers that still wait are sent and every socket is closed."""
        try:
            while not self._stopped:
                ready = self._wait()
                self._now = self._clock()
                self._send_due(self._now)
                for key, _ in ready:
                    key.data()
                if self._now - self._swept >= _SWEEP:
                    self._sweep()
            self._send_due(float("inf"))
        finally:
            self._close_all()

    def _wait(self) -> list[tuple[selectors.SelectorKey, int]]:
        if not self._due:
            idle = self._accepting and not self._connections
            return self._selector.select(None if idle else _SWEEP)
        timeout = max(0.0, min(_SWEEP, self._due[0][0] - self._clock()))
        if self._is_exact:
            select.select([self._selector], [], [], timeout)
            timeout = 0
        return self._selector.select(timeout)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError:  # no file descriptor is left: the next sweep tries again
                self._selector.unregister(self._listener)
                self._accepting = False
                return
            sock.setblocking(False)
            connection = _Connection(sock, self._now)
            self._connections.add(connection)
            self._watch(connection, EVENT_READ)
            if len(self._connections) > MAX_CONNECTIONS:
                connection.closing = True
                self._deliver(connection, _rendered(TOO_MANY_CONNECTIONS, False))

    def _watch(self, connection: _Connection, events: int) -> None:
        if events == connection.events:
            return
        if not events:
            self._selector.unregister(connection.sock)
        elif connection.events:
            self._selector.modify(connection.sock, events, self._handler(connection))
        else:
            self._selector.register(connection.sock, events, self._handler(connection))
        connection.events = events

    def _handler(self, connection: _Connection) -> Callable[[], None]:
        def handle() -> None:
            if connection.out:
                self._flush(connection)
                self._advance(connection)
            elif connection.waiting:
                self._watch(connection, 0)
            else:
                self._receive(connection)

        return handle

    def _receive(self, connection: _Connection) -> None:
        try:
            data = connection.sock.recv(_READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close(connection)
        elif not connection.lingering:
            connection.reader.feed(data)
            self._advance(connection)

    def _advance(self, connection: _Connection) -> None:
        """Answer the requests that have arrived, as far as the connection's state lets."""
        while not (connection.waiting or connection.out or connection.closing):
            try:
                request = connection.reader.next()
            except ProtocolError as error:
                connection.closing = True
                self._reply(connection, _rendered(self._service.refuse(error), False))
                return
            if request is None:
                self._encourage(connection)
                return
            self._reply(connection, self._answer(connection, request))

    def _answer(self, connection: _Connection, request: Request) -> bytes:
        """Return the answer's bytes, none when the connection is to be dropped."""
        head = request.head
        answer = self._service.answer(request, self._now)
        connection.closing = not (head.keep_alive and answer.status)
        return _rendered(answer, head.keep_alive, head.method == b"HEAD")

    def _encourage(self, connection: _Connection) -> None:
        if connection.reader.wants_continue:
            connection.reader.wants_continue = False
            with suppress(OSError):  # a client that has gone shows in the next read
                connection.sock.send(CONTINUE)

    def _reply(self, connection: _Connection, data: bytes) -> None:
        if self._latency:
            connection.waiting = True
            self._due.append((self._now + self._latency, connection, data))
        else:
            self._deliver(connection, data)

    def _send_due(self, now: float) -> None:
        due = self._due
        while due and due[0][0] <= now:
            _, connection, data = due.popleft()
            connection.waiting = False
            self._deliver(connection, data)
            self._advance(connection)

    def _deliver(self, connection: _Connection, data: bytes) -> None:
        if not data:
            self._close(connection)
            return
        connection.out = data
        self._flush(connection)

    def _flush(self, connection: _Connection) -> None:
        try:
            sent = connection.sock.send(connection.out)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._close(connection)
            return
        connection.out = connection.out[sent:]
        if connection.out:
            self._watch(connection, EVENT_WRITE)
            return
        connection.since = self._now
        if connection.closing:
            self._linger(connection)
        self._watch(connection, EVENT_READ)

    def _linger(self, connection: _Connection) -> None:
        connection.lingering = True
        with suppress(OSError):  # the client may have gone: the next read says so
            connection.sock.shutdown(socket.SHUT_WR)

    def _sweep(self) -> None:
        """Close what has used up its patience; accept again if descriptors had run out."""
        self._swept = self._now
        for connection in list(self._connections):
            patience = LINGER if connection.lingering else PATIENCE
            if not connection.waiting and self._now - connection.since > patience:
                self._close(connection)
        if not self._accepting:
            self._selector.register(self._listener, EVENT_READ, self._accept)
            self._accepting = True

    def _close(self, connection: _Connection) -> None:
        connection.closing = True
        connection.out = b""
        self._watch(connection, 0)
        connection.sock.close()
        self._connections.discard(connection)

    def _close_all(self) -> None:
        for connection in list(self._connections):
            self._close(connection)
        self._selector.close()
        for sock in (self._listener, self._alarm, self._bell):
            sock.close()


def _rendered(answer: Answer, keep_alive: bool, head_only: bool = False) -> bytes:
    if not answer.status:
        return b""
    return render(answer.status, answer.body, answer.headers, keep_alive, head_only)

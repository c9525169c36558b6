"""TLS within the TLS of an https proxy: two layers that a socket cannot carry by itself."""

from typing import TYPE_CHECKING, TypeVar

from reo_cli.client.wire import RECEIVE_SIZE, Deadline, Wire

if TYPE_CHECKING:
    from collections.abc import Callable
    from ssl import SSLContext

Result = TypeVar("Result")


class NestedTls:
    """A stream on top of a wire that is TLS already; the outer wire does the waiting, if any."""

    def __init__(self, outer: Wire, context: "SSLContext", host: str) -> None:
        from ssl import MemoryBIO

        self._outer = outer
        self._incoming, self._outgoing = MemoryBIO(), MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._waits = True
        self.unsent = memoryview(b"")
        """What is encrypted and not yet taken by the outer wire."""

    def do_handshake(self) -> None:
        """Agree with the other end, its certificate checked; raises OSError."""
        self._run(self._tls.do_handshake)
        self.flush()

    def recv(self, size: int, /) -> bytes:
        """Read what comes next; an end without goodbye is an end, as with a socket."""
        from ssl import SSLEOFError, SSLZeroReturnError

        try:
            return self._run(lambda: self._tls.read(size))
        except (SSLEOFError, SSLZeroReturnError):
            return b""

    def send(self, data: memoryview, /) -> int:
        """Encrypt some of `data` and send it, once what was taken before is gone."""
        self.flush()
        return self._run(lambda: self._tls.write(data[:RECEIVE_SIZE])) if data else 0

    def _run(self, operation: "Callable[[], Result]") -> Result:
        """Do one thing, with as much of what comes in as it needs."""
        from ssl import SSLWantReadError

        while True:
            try:
                return operation()
            except SSLWantReadError:
                self.flush()
                data = self._outer.receive() if self._waits else self._outer.receive_at_once()
                if data:
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()

    def flush(self) -> None:
        """Hand on what is encrypted; raises the outer wire's `not_now` when it takes no more."""
        self.unsent = memoryview(bytes(self.unsent) + self._outgoing.read())
        if self._waits:
            self._outer.send(bytes(self.unsent))
            self.unsent = memoryview(b"")
        while self.unsent:
            self.unsent = self._outer.send_at_once(self.unsent)

    def settimeout(self, value: float, /) -> None:
        """Set the time for what comes next; 0: it may not wait."""
        self._waits = value > 0
        if self._waits:
            self._outer.deadline = Deadline.after(value, self._outer.deadline.clock)

    def fileno(self) -> int:
        """Return the descriptor of the socket below."""
        return self._outer.stream.fileno()

    def close(self) -> None:
        """Close the connection."""
        self._outer.close()


class NestedWire(Wire):
    """A wire whose stream is `NestedTls`."""

    stream: NestedTls

    def flush(self) -> bool:
        """Hand on what is encrypted; tell whether the outer wire has taken all of it."""
        try:
            self.stream.flush()
        except self.not_now:
            return False
        return True

"""urllib3's connections with one deadline over an attempt, and what has been seen of it.

Connecting, sending and each read get the time that is left, so a peer that drips a byte now and
then gains nothing (reliability.md section 1). The reads of http.client go through a file that it
makes itself, for an answer and for a proxy's; `response_class` is the place to put one that counts.

Undocumented names this leans on (hence the pin of urllib3, and tests on its lowest version):
`_new_conn`, `_tunnel`, `_connect_tls_proxy`, `response_class` and `ConnectionCls` of its
connections and pools, `_read_status` of http.client's response.
"""

import io
import socket
import time
from functools import partial
from http.client import HTTPException, HTTPResponse, RemoteDisconnected, parse_headers
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from reo_cli.client.dial import dial, look_up
from reo_cli.client.faults import (
    Failed,
    TooLarge,
    cut_fault,
    exchange_fault,
    tls_fault,
    tunnel_fault,
)
from reo_cli.client.target import Target

ANSWER_LIMIT = 128 * 1024
"""Bytes of an answer, head and framing counted in, after which nothing more is read."""

LAST_LOOK = 0.001
"""Seconds for one read after the deadline: the answer may have come while we stood still."""


class Attempt:
    """One attempt's time and what has been seen of it; a connection begins it anew for each."""

    def __init__(self) -> None:
        self.line: Timed | None = None
        """The connection, open or not."""
        self.begin(0)

    def begin(self, seconds: float) -> None:
        """Start the clock: it may take so many seconds from now on."""
        self.seconds = seconds
        self.at = time.monotonic() + seconds
        self.opened = False
        """Whether a connection was opened for it."""
        self.status: int | None = None
        """The status that was read last, perhaps of a proxy."""
        self.unsent: OSError | None = None
        """What kept the whole request from going out."""
        self.received = 0
        """Bytes of the answer that was read last."""
        self.eof = False
        """Whether the end of the stream was seen."""
        self.rest = False
        """Whether there was more than the answer."""
        self._looked = False

    def left(self) -> float:
        """Seconds that are left; raises TimeoutError when there are none."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def left_to_read(self) -> float:
        """As `left`, but once there is time for what has arrived already."""
        left = self.at - time.monotonic()
        if left > 0:
            return left
        if self._looked:
            raise TimeoutError
        self._looked = True
        return LAST_LOOK


class _Reader(io.RawIOBase):
    """Reads a socket's file within an attempt: each read has only what is left of its time."""

    def __init__(self, file: io.RawIOBase, stream: socket.socket, attempt: Attempt) -> None:
        self._file = file
        self._stream = stream
        self.attempt = attempt
        self.is_over = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        attempt = self.attempt
        if self.is_over:
            return 0
        if attempt.received > ANSWER_LIMIT:
            raise TooLarge
        self._stream.settimeout(attempt.left_to_read())
        count = self._file.readinto(buffer)
        if count is None:
            raise TimeoutError
        attempt.received += count
        attempt.eof = not count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


class _Answer(io.BufferedReader):
    """The bytes of one answer; notes, when it is done, whether there were more of them."""

    raw: _Reader

    def close(self) -> None:
        if not self.closed:
            self.raw.is_over = True
            self.raw.attempt.rest = bool(self.peek())
        super().close()


class _Response(HTTPResponse):
    """http.client's response to an attempt, read through our file."""

    def __init__(self, attempt: Attempt, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        attempt.received, attempt.status = 0, None
        self._attempt = attempt
        self.fp = _Answer(_Reader(self.fp.detach(), sock, attempt))

    def _read_status(self) -> tuple[str, int, str]:
        """Skip every interim answer: http.client only knows 100, and the next is ours."""
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]
            self._attempt.status = status
            if not 100 <= status < 200 or status == 101:
                return version, status, reason
            parse_headers(self.fp)


class Timed(HTTPConnection):
    """A connection whose every step ends with its attempt; what fails is a `Failed`."""

    def __init__(self, *args: Any, attempt: Attempt, target: Target, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.attempt = attempt
        self.target = target
        attempt.line = self
        self.response_class: Any = partial(_Response, attempt)

    def _new_conn(self) -> socket.socket:
        attempt, peer = self.attempt, self.target.peer
        addresses = look_up(peer.host, peer.port, attempt.left, attempt.seconds)
        return dial(addresses, self.target.good, peer.name, attempt.left, attempt.seconds)

    def connect(self) -> None:
        """Open it, all layers of it; raises `Failed`."""
        self.attempt.opened = True
        try:
            super().connect()
        except OSError as error:
            raise Failed(tls_fault(error, self.target.name, self.attempt.seconds)) from None

    def _connect_tls_proxy(self, hostname: str, sock: socket.socket) -> Any:
        try:
            stream = super()._connect_tls_proxy(hostname, sock)  # type: ignore[misc]
        except OSError as error:
            raise Failed(tls_fault(error, self.target.peer.name, self.attempt.seconds)) from None
        return _Bounded(stream, self.attempt)

    def _tunnel(self) -> None:
        attempt, target = self.attempt, self.target
        try:
            super()._tunnel()
            if attempt.eof:
                raise RemoteDisconnected("")
        except (OSError, HTTPException, TooLarge) as error:
            blamed = attempt.unsent or error
            names = target.peer.name, target.name
            raise Failed(tunnel_fault(blamed, *names, attempt.seconds, attempt.status)) from None
        self.sock.settimeout(attempt.left())

    def send(self, data: Any) -> None:
        """Send all of `data`.

        What keeps it from going out is a BrokenPipeError, whatever it is: urllib3 then still looks
        for an answer, as a server may refuse a request before it has read all of it.
        """
        if self.sock is None:
            self.connect()
        view = memoryview(data)
        try:
            while view:
                self.sock.settimeout(self.attempt.left())
                view = view[self.sock.send(view) :]
        except OSError as error:
            self.attempt.unsent = error
            raise BrokenPipeError from error

    def getresponse(self) -> Any:
        """Read the head of the answer; raises `Failed`."""
        attempt = self.attempt
        try:
            response = super().getresponse()
        except (OSError, HTTPException, HTTPError, TooLarge) as error:
            cut = cut_fault(attempt.status) if attempt.received and attempt.eof else None
            fault = cut or exchange_fault(error, self.target.name, attempt.seconds, attempt.status)
            raise Failed(fault) from None
        if attempt.eof:  # http.client takes the end of the stream for the end of the head
            raise Failed(cut_fault(attempt.status))
        return response


class TimedTls(Timed, HTTPSConnection):
    """The same over TLS, perhaps through a proxy; `session` is its version and certificate."""

    session: tuple[str, Any] | None = None

    def connect(self) -> None:
        """Open it, all layers of it; raises `Failed`."""
        super().connect()
        stream: Any = self.sock
        self.session = (stream.version(), stream.getpeercert())


class _Bounded:
    """The TLS of an https proxy, below our own: urllib3 would renew its timeout at every record."""

    def __init__(self, stream: Any, attempt: Attempt) -> None:
        self._stream = stream
        self._attempt = attempt

    def recv(self, *args: int) -> bytes:
        self._stream.settimeout(self._attempt.left_to_read())
        data: bytes = self._stream.recv(*args)
        return data

    def sendall(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            self._stream.settimeout(self._attempt.left())
            view = view[self._stream.send(view) :]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

"""urllib3's connections with one deadline over an attempt, and what has been seen of it.

Connecting, sending and each read get the time that is left, so a peer that drips a byte now and
then gains nothing (reliability.md section 1). The reads of http.client go through a file that it
makes itself, for an answer and for a proxy's; `response_class` is the place to put one that counts.

Undocumented names this leans on (hence the pin of urllib3, and tests on its lowest version):
`_new_conn`, `_tunnel`, `_connect_tls_proxy` and `response_class` of its connections, `_read_status`
of http.client's response.
"""

import io
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.client import HTTPException, HTTPResponse, RemoteDisconnected, parse_headers
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from reo_cli.client.dial import Address, dial, look_up
from reo_cli.client.faults import failed
from reo_cli.client.target import Target

ANSWER_LIMIT = 128 * 1024
"""Bytes of an answer, head and framing counted in, after which nothing more is read."""

LAST_LOOK = 0.001
"""Seconds for one read after the deadline: the answer may have come while we stood still."""


class Attempt:
    """One attempt's time and what has been seen of it; a connection begins it anew for each."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.addresses: list[Address] = []
        """What the name of the other end was found to stand for."""
        self.session: tuple[str, Any] | None = None
        """Version of TLS and certificate of the other end, as the connection was opened."""
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
        self._looked = False

    def left(self, *, to_read: bool = False) -> float:
        """Seconds that are left, once also to read what is there; raises TimeoutError for none."""
        left = self.at - time.monotonic()
        if left <= 0 and to_read and not self._looked:
            self._looked, left = True, LAST_LOOK
        if left <= 0:
            raise TimeoutError
        return left

    def was_left(self) -> bool:
        """Tell whether a kept connection ended before its answer, with time for another."""
        return not (self.opened or self.received) and time.monotonic() < self.at

    @contextmanager
    def step(self, name: str, where: str) -> Iterator[None]:
        """Raise `Failed` for whatever fails in a step on the way to `where`."""
        try:
            yield
        except (OSError, UnicodeError, RuntimeError, HTTPException, HTTPError) as error:
            raise failed(name, error, where, self) from None

    def send(self, stream: Any, data: Any) -> None:
        """Send all of `data`; raises OSError."""
        view = memoryview(data)
        while view:
            stream.settimeout(self.left())
            view = view[stream.send(view) :]


class _Reader(io.RawIOBase):
    """Reads a socket's file within an attempt: each read has only what is left of its time."""

    def __init__(self, file: io.RawIOBase, stream: socket.socket, attempt: Attempt) -> None:
        self._file = file
        self._stream = stream
        self._attempt = attempt

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        attempt = self._attempt
        if attempt.received > ANSWER_LIMIT:
            raise HTTPException("an answer has more bytes than anybody needs")
        self._stream.settimeout(attempt.left(to_read=True))
        count = self._file.readinto(buffer) or 0
        attempt.received += count
        attempt.eof = not count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


class _Response(HTTPResponse):
    """http.client's response to an attempt, read through our file."""

    def __init__(self, attempt: Attempt, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        attempt.received, attempt.status = 0, None
        self._attempt = attempt
        self.fp = io.BufferedReader(_Reader(self.fp.detach(), sock, attempt))

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

    def __init__(self, attempt: Attempt, **options: Any) -> None:
        peer = attempt.target.peer
        super().__init__(peer.host, peer.port, **options)
        self.attempt = attempt
        self.response_class: Any = partial(_Response, attempt)

    def _new_conn(self) -> socket.socket:
        attempt, target = self.attempt, self.attempt.target
        with attempt.step("dns", target.peer.host):
            attempt.addresses = look_up(target.peer.host, target.peer.port, attempt.left)
        with attempt.step("tcp", target.peer.name):
            stream = dial(attempt.addresses, target.good, attempt.left)
            stream.settimeout(attempt.left())
        # Head and body go out in two pieces; neither may wait for the other's acknowledgement.
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return stream

    def connect(self) -> None:
        """Open it, all layers of it; raises `Failed`."""
        attempt, target = self.attempt, self.attempt.target
        attempt.opened = True
        if target.proxy:
            self.set_tunnel(target.host, target.port, target.proxy.headers, target.proxy.scheme)
        with attempt.step("tls", target.name):
            super().connect()

    def _tunnel(self) -> None:
        with self.attempt.step("proxy", self.attempt.target.peer.name):
            super()._tunnel()
            self._require_whole_head()
            self.sock.settimeout(self.attempt.left())

    def send(self, data: Any) -> None:
        """Send all of `data`.

        What keeps it from going out is a BrokenPipeError, whatever it is: there may be an answer.
        """
        try:
            self.attempt.send(self.sock, data)
        except OSError as error:
            self.attempt.unsent = error
            raise BrokenPipeError from error

    def getresponse(self) -> Any:
        """Read the head of the answer; raises `Failed`."""
        with self.attempt.step("answer", self.attempt.target.name):
            response = super().getresponse()
            self._require_whole_head()
        return response

    def _require_whole_head(self) -> None:
        if self.attempt.eof:  # http.client takes the end of the stream for the end of the head
            raise RemoteDisconnected("")


class TimedTls(Timed, HTTPSConnection):
    """The same over TLS, perhaps through a proxy."""

    def __init__(self, attempt: Attempt) -> None:
        super().__init__(attempt, ssl_context=attempt.target.tls)

    def connect(self) -> None:
        """Open it, all layers of it; raises `Failed`."""
        super().connect()
        stream: Any = self.sock
        self.attempt.session = (stream.version(), stream.getpeercert())

    def _connect_tls_proxy(self, hostname: str, sock: socket.socket) -> Any:
        target: Any = self.attempt.target
        with self.attempt.step("tls", target.peer.name):
            return _Bounded(target.tls.wrap_socket(sock, server_hostname=hostname), self.attempt)


class _Bounded:
    """The TLS of an https proxy, below our own: urllib3 would renew its timeout at every record."""

    def __init__(self, stream: Any, attempt: Attempt) -> None:
        self._stream = stream
        self._attempt = attempt

    def recv(self, *args: int) -> bytes:
        self._stream.settimeout(self._attempt.left(to_read=True))
        data: bytes = self._stream.recv(*args)
        return data

    def sendall(self, data: bytes) -> None:
        self._attempt.send(self._stream, data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

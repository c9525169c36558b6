"""Certificates, and a real forward proxy on loopback that remembers what it saw, for tests."""

import contextlib
import socket
import ssl
import threading
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import trustme


def written(authority: trustme.CA, path: Path) -> Path:
    """Write the certificate of an authority to a file; gives its path."""
    authority.cert_pem.write_to_path(str(path))
    return path


FOLDER = TemporaryDirectory()
AUTHORITY = trustme.CA(organization_name="Test Authority")
BUNDLE = written(AUTHORITY, Path(FOLDER.name, "private ca.pem"))
STRANGER = written(trustme.CA(), Path(FOLDER.name, "stranger.pem"))
"""A CA that has signed nothing here."""


def server_context(
    *names: str, since: float = -40, until: float = 90, authority: trustme.CA = AUTHORITY
) -> ssl.SSLContext:
    """TLS for a server of these names, with a certificate that is valid between these days."""
    now = datetime.now(UTC)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(
        *(names or ("localhost", "127.0.0.1", "ingest.example")),
        not_before=now + timedelta(days=since),
        not_after=now + timedelta(days=until),
    ).configure_cert(context)
    return context


@dataclass
class ForwardProxy:
    """Connects every tunnel to `port` on loopback, whatever host was asked for.

    `password` (`user:secret`) has to be given if set. `answer` is sent instead of a tunnel if set.
    With `tls` the proxy itself is spoken to over TLS. `heads` are the requests it got, `relayed`
    the bytes from clients that went through its tunnels.
    """

    port: int
    password: str = ""
    answer: bytes = b""
    tls: ssl.SSLContext | None = None
    heads: list[bytes] = field(default_factory=list, init=False)
    relayed: bytearray = field(default_factory=bytearray, init=False)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = [self._listener]
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self._sockets.append(client)
        with contextlib.suppress(OSError):
            if self.tls is not None:
                client = self.tls.wrap_socket(client, server_side=True)
                self._sockets.append(client)
            head = b""
            while b"\r\n\r\n" not in head:
                head += _received(client)
            self.heads.append(head)
            if self.answer:
                client.sendall(self.answer)
            elif not self._is_known(head):
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            else:
                self._tunnel(client)
        client.close()

    def _is_known(self, head: bytes) -> bool:
        token = b64encode(self.password.encode())
        return not self.password or b"Proxy-Authorization: Basic " + token + b"\r\n" in head

    def _tunnel(self, client: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", self.port))
        self._sockets.append(server)
        client.sendall(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 test\r\n\r\n")
        threading.Thread(target=self._copy, args=(server, client, None), daemon=True).start()
        self._copy(client, server, self.relayed)

    def _copy(self, source: socket.socket, sink: socket.socket, log: bytearray | None) -> None:
        with contextlib.suppress(OSError):
            while True:
                data = _received(source)
                if log is not None:
                    log += data
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)


def _received(source: socket.socket) -> bytes:
    data = source.recv(65536)
    if not data:
        raise ConnectionError("the other end has hung up")
    return data

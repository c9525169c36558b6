"""HTTP/1.1 on the server's side: bytes → requests, answers → bytes, without sockets.

As much of RFC 9112 as an API needs, and bounds on all of it. Any bytes lead to a `Request`, to the
wish for more, or to a `ProtocolError`.
"""

import re
from functools import lru_cache
from typing import NamedTuple

MAX_HEAD = 16 * 1024
"""The largest request line with headers, and the largest trailer of a chunked body, in bytes."""

MAX_BODY = 1024 * 1024
"""The largest request body in bytes: four times what reo would send."""

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_NAME = re.compile(_TOKEN + rb"+")
_REQUEST_LINE = re.compile(rb"(%b{1,32}) ([\x21-\x7e\x80-\xff]+) HTTP/1\.([01])" % _TOKEN)
_UNFINISHED = re.compile(rb"%b{1,32}(?: [^\r\n]*(?:\r(?:\n.*)?)?)?" % _TOKEN, re.DOTALL)
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?", re.DOTALL)
_CHUNK_LINE = 1024
_TLS_HANDSHAKE = 0x16


class ProtocolError(Exception):
    """Bytes that are no request; `status` is what to answer before the connection ends."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Head(NamedTuple):
    """What the server wants to know of a request line and its headers.

    `length` is the size of the body in bytes, 0 when it is `chunked`. `key` is the `X-API-KEY`.
    """

    method: bytes
    path: bytes
    keep_alive: bool
    length: int
    chunked: bool
    expects_continue: bool
    key: bytes


class Request(NamedTuple):
    """A complete request."""

    head: Head
    body: bytes


@lru_cache(maxsize=256)
def parse_head(block: bytes) -> Head:
    """Parse a request line and headers, without the empty line; raises ProtocolError.

    A client sends the same few blocks over and over on its connections, hence the cache.
    """
    first, *lines = block.split(b"\r\n")
    start = _REQUEST_LINE.fullmatch(first)
    if start is None:
        raise ProtocolError(400, "the first line is not that of an HTTP/1.1 request")
    method, target, minor = start.groups()
    headers = _headers(lines)
    connection = _tokens(headers, b"connection")
    chunked, length = _framing(headers)
    return Head(
        method=method,
        path=_path(target),
        keep_alive=b"close" not in connection if minor == b"1" else b"keep-alive" in connection,
        length=length,
        chunked=chunked,
        expects_continue=minor == b"1" and b"100-continue" in _tokens(headers, b"expect"),
        key=headers.get(b"x-api-key", [b""])[-1],
    )


def _headers(lines: list[bytes]) -> dict[bytes, list[bytes]]:
    headers: dict[bytes, list[bytes]] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not _NAME.fullmatch(name) or _CONTROL.search(value):
            raise ProtocolError(400, "a header line is malformed")
        headers.setdefault(name.lower(), []).append(value.strip(b" \t"))
    return headers


def _tokens(headers: dict[bytes, list[bytes]], name: bytes) -> set[bytes]:
    values = b",".join(headers.get(name, ()))
    return {token.strip(b" \t").lower() for token in values.split(b",")}


def _framing(headers: dict[bytes, list[bytes]]) -> tuple[bool, int]:
    """Return whether the body is chunked, and its length if not (RFC 9112, section 6)."""
    lengths = set(headers.get(b"content-length", ()))
    if b"transfer-encoding" in headers:
        if lengths:
            raise ProtocolError(400, "both Content-Length and Transfer-Encoding are given")
        if _tokens(headers, b"transfer-encoding") != {b"chunked"}:
            raise ProtocolError(501, "the only Transfer-Encoding understood is chunked")
        return True, 0
    if not lengths:
        return False, 0
    text = lengths.pop()
    if lengths or not _LENGTH.fullmatch(text):
        raise ProtocolError(400, "Content-Length is not one number")
    return False, int(text)


def _path(target: bytes) -> bytes:
    """Return the path of a request target, also of the absolute form that proxies get."""
    if target[:7].lower() == b"http://":
        target = b"/" + target[7:].partition(b"/")[2]
    return target.partition(b"?")[0]


class RequestReader:
    """Gathers the bytes of one connection and cuts requests from them."""

    def __init__(self) -> None:
        self.wants_continue = False
        """The client waits for `100 Continue` before it sends its body; set back when sent."""
        self._buffer = bytearray()
        self._head: Head | None = None
        self._chunks = _Chunks()

    def feed(self, data: bytes) -> None:
        """Add what the connection brought."""
        self._buffer += data

    def next(self) -> Request | None:
        """Return the next request, or None until more bytes are fed; raises ProtocolError."""
        head = self._head or self._next_head()
        if head is None:
            return None
        self._head = head
        body = self._body(head)
        if body is None:
            return None
        self._head = None
        self.wants_continue = False
        return Request(head, body)

    def _next_head(self) -> Head | None:
        buffer = self._buffer
        while buffer.startswith(b"\r\n"):  # allowed before a request: RFC 9112, section 2.2
            del buffer[:2]
        end = buffer.find(b"\r\n\r\n", 0, MAX_HEAD + 4)
        if end < 0:
            _refuse_hopeless(buffer)
            return None
        head = parse_head(bytes(buffer[:end]))
        if head.length > MAX_BODY:
            raise ProtocolError(413, f"the body is larger than {MAX_BODY:,} bytes")
        del buffer[: end + 4]
        self.wants_continue = head.expects_continue
        return head

    def _body(self, head: Head) -> bytes | None:
        buffer = self._buffer
        if head.chunked:
            if not self._chunks.take(buffer):
                return None
            body, self._chunks = bytes(self._chunks.body), _Chunks()
            return body
        length = head.length
        if len(buffer) < length:
            return None
        body = bytes(buffer[:length])
        del buffer[:length]
        return body


def _refuse_hopeless(buffer: bytearray) -> None:
    """Raise ProtocolError when no further byte can make a request of an unfinished head."""
    if len(buffer) > MAX_HEAD:
        raise ProtocolError(431, f"the headers are larger than {MAX_HEAD:,} bytes")
    if buffer and buffer != b"\r" and not _UNFINISHED.fullmatch(buffer):
        tls = buffer[0] == _TLS_HANDSHAKE
        raise ProtocolError(400, "this is http, not https" if tls else "this is no HTTP request")


class _Chunks:
    """A chunked body, decoded as it arrives (RFC 9112, section 7.1)."""

    def __init__(self) -> None:
        self.body = bytearray()
        self._left = 0
        self._in_chunk = False
        self._in_trailer = False
        self._trailer = 0

    def take(self, buffer: bytearray) -> bool:
        """Move what belongs to the body out of `buffer`; true when it is complete."""
        while True:
            if self._left:
                part = buffer[: self._left]
                del buffer[: len(part)]
                self.body += part
                self._left -= len(part)
                if self._left:
                    return False
            line = _cut_line(buffer)
            if line is None:
                return False
            if self._take_line(line):
                return True

    def _take_line(self, line: bytes) -> bool:
        if self._in_chunk:
            if line:
                raise ProtocolError(400, "a chunk is longer than it says")
            self._in_chunk = False
            return False
        if self._in_trailer:
            self._trailer += len(line)
            if self._trailer > MAX_HEAD:
                raise ProtocolError(431, f"the trailer is larger than {MAX_HEAD:,} bytes")
            return not line
        self._start_chunk(line)
        return False

    def _start_chunk(self, line: bytes) -> None:
        size = _CHUNK_SIZE.fullmatch(line)
        if size is None:
            raise ProtocolError(400, "a chunk does not start with its size")
        self._left = int(size[1], 16)
        self._in_chunk = self._left > 0
        self._in_trailer = not self._in_chunk
        if len(self.body) + self._left > MAX_BODY:
            raise ProtocolError(413, f"the body is larger than {MAX_BODY:,} bytes")


def _cut_line(buffer: bytearray) -> bytes | None:
    end = buffer.find(b"\r\n", 0, _CHUNK_LINE + 2)
    if end < 0:
        if len(buffer) > _CHUNK_LINE + 1:
            raise ProtocolError(400, "a line in the chunked body is too long")
        return None
    line = bytes(buffer[:end])
    del buffer[: end + 2]
    return line


@lru_cache(maxsize=128)
def render(status: int, body: bytes, headers: str, keep_alive: bool, head_only: bool) -> bytes:
    """Return an answer as bytes; `headers` are whole further lines, each ended by CRLF."""
    connection = "keep-alive" if keep_alive else "close"
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\n"
        f"Server: reo-sandbox\r\n"
        f"Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n"
        f"{headers}Connection: {connection}\r\n\r\n"
    )
    return head.encode("ascii") + (b"" if head_only else body)

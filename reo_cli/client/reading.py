"""Bytes → one HTTP/1.1 answer, strictly: what is not exactly framed is marked so, never mended.

Pure: a `Reader` is sent the next bytes whenever it asks, `b""` at the end of the stream, or is
thrown the OSError that came instead. Framing follows RFC 9112 section 6; limits are reliability.md
section 5.
"""

import re
from collections.abc import Callable, Generator, Mapping
from typing import Literal, NamedTuple, TypeVar

from reo_cli.outcome import CUT_OFF

Result = TypeVar("Result")

Reader = Generator[None, bytes, Result]
"""Asks for bytes until it has what it reads."""

Receive = Callable[[], bytes]
"""Waits for the next bytes; raises OSError."""

HEAD_LIMIT = BODY_LIMIT = 64 * 1024
"""Bytes of headers (those of interim answers counted in) and of body that are read."""

TOO_LARGE = "the answer is larger than 64 KiB"
LATE = "the answer was not complete in time"
BAD_CHUNK = "the answer has a bad chunk"
NOT_HTTP = "the answer is not HTTP/1.1"

_START = b"HTTP/1."
_TEXT = r"[^\x00-\x08\x0a-\x1f\x7f]*"
_STATUS_LINE = re.compile(rf"HTTP/1\.([01]) ([1-9][0-9]{{2}})(?: {_TEXT})?")
_HEADER = re.compile(rf"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*({_TEXT}?)[ \t]*")
_CHUNK = re.compile(rf"([0-9A-Fa-f]{{1,8}})[ \t]*(?:;{_TEXT})?")
_LENGTH = re.compile(r"[0-9]{1,15}")


class Closed(ConnectionError):
    """The connection ended before the first byte of an answer."""


class Garbled(ConnectionError):
    """Bytes came, but not the whole head of an answer; `status` where it could be read."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


class _BadFraming(ValueError):
    """What came breaks the rules by which the end of the body is found."""


class Reply(NamedTuple):
    """An answer as it was read: `framed` unless there is a `problem`.

    `reusable` says that the connection may carry another request.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    problem: str
    reusable: bool


class Head(NamedTuple):
    """Status line and headers; `clean` is False when a line of them breaks the rules."""

    version: int
    status: int
    headers: Mapping[str, str]
    clean: bool


def drive(reader: "Reader[Result]", receive: Receive) -> Result:
    """Give a reader what `receive` brings, until it is done; raises what the reader does."""
    try:
        next(reader)
        while True:
            try:
                piece = receive()
            except OSError as error:
                reader.throw(error)
            else:
                reader.send(piece)
    except StopIteration as done:
        result: Result = done.value
        return result


def reply() -> "Reader[Reply]":
    """Read one answer, past any interim ones.

    Raises `Closed` or `Garbled` when there is no whole head, and what it is thrown until then;
    whatever goes wrong after the head is the reply's `problem`.
    """
    head, data = yield from final_head()
    body = _Body(data)
    problem = ""
    try:
        yield from body.read(_framing(head))
    except _BadFraming as error:
        problem = str(error)
    except TimeoutError:
        problem = LATE
    except OSError:
        problem = CUT_OFF
    content = bytes(body.content or body.rest)[:BODY_LIMIT]
    reusable = not problem and body.has_end and not body.rest and _stays_open(head)
    return Reply(head.status, head.headers, content, problem, reusable)


def final_head() -> "Reader[tuple[Head, bytes]]":
    """Read the head of the final answer; gives it and the bytes that came after it.

    Raises `Closed`, `Garbled` and what it is thrown.
    """
    data, budget = b"", HEAD_LIMIT
    while True:
        while (end := data.find(b"\r\n\r\n")) < 0 and len(data) <= budget:
            piece = yield
            if not piece:
                raise _cut_head(data) if data else Closed
            data += piece
            if not _START.startswith(data[: len(_START)]):
                raise Garbled(NOT_HTTP)
        if not 0 <= end <= budget:
            raise Garbled("the answer's headers are larger than 64 KiB")
        budget -= end
        head = _parse_head(data[:end].decode("latin-1"))
        data = data[end + 4 :]
        if head.status >= 200 or head.status == 101:
            return head, data


def _cut_head(data: bytes) -> Garbled:
    line, line_end, _ = data.decode("latin-1").partition("\r\n")
    match = _STATUS_LINE.fullmatch(line) if line_end else None
    if match is None:
        return Garbled(CUT_OFF)
    return Garbled(f"{CUT_OFF} (HTTP {match[2]})", int(match[2]))


def _parse_head(text: str) -> Head:
    first, *lines = text.split("\r\n")
    match = _STATUS_LINE.fullmatch(first)
    if match is None:
        raise Garbled(NOT_HTTP)
    headers: dict[str, str] = {}
    clean = True
    for line in lines:
        pair = _HEADER.fullmatch(line)
        if pair is None:
            clean = False
            continue
        name, value = pair[1].lower(), pair[2]
        headers[name] = f"{headers[name]}\n{value}" if name in headers else value
    return Head(int(match[1]), int(match[2]), headers, clean)


def _listed(value: str) -> list[str]:
    """The members of a header that is a list, in lower case."""
    return [each.strip() for each in value.lower().replace("\n", ",").split(",")]


def _stays_open(head: Head) -> bool:
    wishes = _listed(head.headers.get("connection", ""))
    return "close" not in wishes and (head.version == 1 or "keep-alive" in wishes)


def _framing(head: Head) -> int | Literal["chunked", "close"]:
    """Say how the end of the body is found, a number being its length; raises `_BadFraming`."""
    length = head.headers.get("content-length")
    coding = head.headers.get("transfer-encoding")
    if not head.clean:
        raise _BadFraming("the answer has a malformed header")
    if head.status in (204, 304):
        return 0
    if coding is not None:
        if coding.lower() != "chunked" or length is not None or head.version == 0:
            raise _BadFraming("the answer has contradictory lengths")
        return "chunked"
    if length is None:
        return "close"
    if not _LENGTH.fullmatch(length):
        same = set(_listed(length))
        length = same.pop() if len(same) == 1 else ""
        if not _LENGTH.fullmatch(length):
            raise _BadFraming("the answer has a malformed length")
    return int(length)


class _Body:
    """The body of one answer: its `content` so far, and the `rest` that is not part of it."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._budget = 2 * BODY_LIMIT
        self.content = bytearray()
        self.has_end = False
        """Whether the answer says itself where it ends."""

    @property
    def rest(self) -> bytes:
        """What was received beyond the content."""
        return self._data[self._at :]

    def read(self, framing: int | Literal["chunked", "close"]) -> "Reader[None]":
        """Read to the end that `framing` sets; raises `_BadFraming` and what it is thrown."""
        self.has_end = framing != "close"
        if framing == "chunked":
            yield from self._read_chunks()
        elif framing == "close":
            yield from self._read_until_close()
        else:
            yield from self._take(framing)

    def _fill(self) -> "Reader[None]":
        piece = yield
        self._budget -= len(piece)
        if not piece or self._budget < 0:
            raise _BadFraming(TOO_LARGE if piece else CUT_OFF)
        self._data = self._data[self._at :] + piece
        self._at = 0

    def _take(self, size: int) -> "Reader[None]":
        """Move the next `size` bytes to the content, or what there is of them."""
        room = BODY_LIMIT - len(self.content)
        wanted = min(size, room)
        while wanted:
            piece = self._data[self._at : self._at + wanted]
            self.content += piece
            self._at += len(piece)
            wanted -= len(piece)
            if wanted:
                yield from self._fill()
        if size > room:
            raise _BadFraming(TOO_LARGE)

    def _read_until_close(self) -> "Reader[None]":
        piece = self.rest
        self._at = len(self._data)
        while True:
            self.content += piece
            if len(self.content) > BODY_LIMIT:
                raise _BadFraming(TOO_LARGE)
            piece = yield
            if not piece:
                return

    def _read_chunks(self) -> "Reader[None]":
        while size := (yield from self._chunk_size()):
            yield from self._take(size)
            yield from self._end_chunk()
        while trailer := (yield from self._line()):
            if not _HEADER.fullmatch(trailer):
                raise _BadFraming("the answer has a bad trailer")

    def _end_chunk(self) -> "Reader[None]":
        while len(self._data) < self._at + 2:
            yield from self._fill()
        if self._data[self._at : self._at + 2] != b"\r\n":
            raise _BadFraming(BAD_CHUNK)
        self._at += 2

    def _chunk_size(self) -> "Reader[int]":
        match = _CHUNK.fullmatch((yield from self._line()))
        if match is None:
            raise _BadFraming(BAD_CHUNK)
        return int(match[1], 16)

    def _line(self) -> "Reader[str]":
        while (end := self._data.find(b"\r\n", self._at)) < 0:
            yield from self._fill()
        line = self._data[self._at : end]
        self._at = end + 2
        return line.decode("latin-1")

"""Bytes → lines of text: unpacked if they are gzip, decoded by their mark or as is said.

Nothing here knows CSV or JSON. A byte that is no text, or a compressed file that is damaged, ends
the input with an `Unreadable`; all lines before it have been handed on.
"""

import io
import re
import zlib
from collections.abc import Callable, Sequence
from typing import BinaryIO, cast

from reo_cli.readers.source import BLOCK

RECORD_LIMIT = 1024 * 1024
"""Characters of the longest record (reliability.md section 5)."""

_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
"""Byte order marks; the longer of two that begin alike comes first."""

_ESCAPED = re.compile("[\udc80-\udcff]")
"""What `surrogateescape` makes of a byte that is not in the encoding."""


class Unreadable(Exception):
    """What ends an input before its end, and what to do about it; `options` would mend it.

    `line` is where that stands, 0 where who reads the lines is to say.
    """

    def __init__(
        self, code: str, message: str, hint: str = "", options: tuple[str, ...] = (), line: int = 0
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.hint, self.options = code, message, hint, options
        self.line = line


class Stream(io.RawIOBase):
    """Bytes as they come, of which the first can be looked at before they are read."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._head = b""

    def readable(self) -> bool:
        """Say that it is there to be read."""
        return True

    def peek(self, size: int) -> bytes:
        """Return what has arrived without taking it: `size` bytes or more, or all there are."""
        while len(self._head) < size and (data := self._read(BLOCK)):
            self._head += data
        return self._head

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        """Read what there is, at most a full buffer of it; a few bytes are waited for."""
        if len(buffer) < 16:  # gzip asks for the parts of its header
            self.peek(len(buffer))
        data = self._head or self._read(len(buffer))
        data, self._head = data[: len(buffer)], data[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


def unpacked(stream: Stream) -> Stream:
    """Return a stream decompressed if it is gzip; reading from it may raise Unreadable."""
    if not stream.peek(2).startswith(b"\x1f\x8b"):
        return stream
    import gzip

    file = gzip.GzipFile(fileobj=cast(BinaryIO, stream))

    def read(size: int) -> bytes:
        try:
            return file.read1(size)
        except (EOFError, OSError, zlib.error) as fault:
            message = f"the compressed file is damaged: {str(fault) or 'it ends too early'}"
            raise Unreadable("damaged-gzip", message, "copy or export it again") from fault

    return Stream(read)


class Lines:
    """The lines of a text, with their ends (LF, CRLF or CR) as they are.

    `line` is the number of the one that comes next, from 1. A mark decides over the encoding, then
    `encoding`, then UTF-8. What has arrived is handed on at once: a slow pipe is never waited for
    to fill a block.
    """

    def __init__(self, stream: Stream, encoding: str | None = None) -> None:
        head = stream.peek(4)
        marked = (name for mark, name in _MARKS if head.startswith(mark))
        self.encoding = next(marked, encoding or "utf-8")
        self.line = 1
        text = io.TextIOWrapper(
            io.BufferedReader(stream, BLOCK), self.encoding, "surrogateescape", newline=""
        )
        self._readline = text.readline
        self._again: list[str] = []
        self._held = ""
        """A character that was looked at: the next line begins with it."""
        self._fault: Unreadable | None = None
        self._was_good = False

    def read(self, limit: int = RECORD_LIMIT + 1) -> str:
        """Return the next line or, where it is longer, `limit` characters of it; "" at the end."""
        line = self._again.pop() if self._again else self._next(limit)
        self.line += line[-1:] in ("\n", "\r")
        return line

    def give_back(self, lines: Sequence[str]) -> None:
        """Take lines back: they are read again, in this order."""
        self._again += reversed(lines)
        self.line -= sum(line[-1:] in ("\n", "\r") for line in lines)

    def _next(self, limit: int) -> str:
        """Return what is read from the text; what ends it does so as often as it is read."""
        if self._fault is not None:
            raise self._fault
        try:
            line = self._held_line(limit) if self._held else self._readline(limit)
            if not line.isascii():
                if found := _ESCAPED.search(line):
                    raise self._not_of_encoding(line, found.start())
                self._was_good = True
            if line[-1:] == "\r" and len(line) == limit:
                self._look_for_its_end()
        except UnicodeError as fault:
            self._fault = self._undecodable(fault)
            raise self._fault from fault
        except Unreadable as fault:
            self._fault = fault
            raise
        return line

    def _look_for_its_end(self) -> None:
        """Take the LF that belongs to a CR, if one is next; hold another character."""
        after = self._readline(1)
        self._held = "" if after == "\n" else after

    def _held_line(self, limit: int) -> str:
        """Return the line that begins with the held character."""
        held, self._held = self._held, ""
        if held == "\r":
            self._look_for_its_end()
            return held
        return held + self._readline(limit - 1)

    def _undecodable(self, fault: UnicodeError) -> Unreadable:
        """Return what to say of bytes over which the decoder gave up."""
        why = getattr(fault, "reason", "") or str(fault)
        if re.search("truncated|end of data|incomplete", why):
            return _cut()
        return Unreadable("not-in-encoding", f"this is not {self._name}: {why}", _ANOTHER)

    @property
    def _name(self) -> str:
        return self.encoding.upper().removesuffix("-SIG")

    def _not_of_encoding(self, line: str, at: int) -> Unreadable:
        """Return what to say of the byte behind an escape."""
        if not _ESCAPED.sub("", line[at:]) and self._name == "UTF-8":
            return _cut()
        message = f"byte 0x{ord(line[at]) - 0xDC00:02X} in column {at + 1} is not {self._name}"
        hint = _ANOTHER
        options: tuple[str, ...] = ()
        if self._was_good:
            hint = f"the text before it is {self._name}: mend this line, or name another with "
            hint += "--encoding"
        elif self._name == "UTF-8" and (word := as_windows(line, at)):
            hint, options = f'if it should read "{word}", ', ("--encoding", "cp1252")
        return Unreadable("not-in-encoding", message, hint, options)


_ANOTHER = "name the right one with --encoding, such as latin-1, cp1250 or shift_jis"


def _cut() -> Unreadable:
    message = "the file ends in the middle of a character"
    return Unreadable("cut-off", message, "was it cut off? export it again")


def as_windows(line: str, at: int) -> str:
    """Return the word around an offending byte as Windows-1252 has it, or nothing."""
    before, after = (
        part.encode("utf-8", "surrogateescape").decode("cp1252", "replace")
        for part in (line[max(0, at - 40) : at], line[at : at + 40])
    )
    word = re.findall(r"[^\W_]*\Z", before)[0] + after[0] + re.findall(r"[^\W_]*", after[1:])[0]
    return "" if "\ufffd" in word else word

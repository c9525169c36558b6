"""Blocks of text → physical lines, with the memory of what the record at hand has taken."""

import io
from collections import deque
from collections.abc import Iterator

from reo_cli.readers.text import RECORD_LIMIT

KEPT = 4096
"""Characters kept of a line that is too long to be read."""


class TooLong(Exception):
    """A line, or the lines of one record, over the record limit; `text` is its start."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Lines:
    """Physical lines with their ends (LF, CRLF or CR), and those taken since the last `begin`."""

    def __init__(self, blocks: Iterator[str], number: int = 1) -> None:
        self._blocks = blocks
        self._lines: Iterator[str] = iter(())
        self._again: deque[str] = deque()
        self._size = 0
        self.taken: list[str] = []
        self.number = number
        """The number of the first line taken, or of the next if none is; from 1."""

    def begin(self) -> None:
        """Start a new record: forget the lines of the last one."""
        self.number += len(self.taken)
        self.taken = []
        self._size = 0

    def give_back(self, keep: int) -> None:
        """Take back the lines since `begin`, all but the first `keep`."""
        self._again.extendleft(reversed(self.taken[keep:]))
        self.taken = self.taken[:keep]

    def skip_quoted(self) -> bool:
        """Go past the end of the quoted cell whose start has been taken; False if there is none.

        Quotes that belong to the text are doubled, so a line with an odd number of them ends it; a
        line that is too long to be kept is taken for its end.
        """
        quotes = sum(line.count('"') for line in self.taken)
        while quotes % 2 and len(self.taken[-1]) <= RECORD_LIMIT:
            self.begin()
            try:
                quotes += next(self).count('"')
            except TooLong:
                break
            except StopIteration:
                return False
        return True

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._next_line()
        self.taken.append(line)
        self._size += len(line)
        if self._size > RECORD_LIMIT:
            raise TooLong(self.taken[0][:KEPT])
        return line

    def _next_line(self) -> str:
        while True:
            for line in self._lines:
                return line if line[-1] in "\r\n" else self._whole(line)
            self._lines = io.StringIO(next(self._blocks), newline="")

    def _whole(self, line: str) -> str:
        """Join a line that goes on in the following blocks, up to the limit."""
        parts = [line]
        size = len(line)
        for block in self._blocks:
            self._lines = io.StringIO(block, newline="")
            part = next(self._lines, "")
            if size <= RECORD_LIMIT:
                parts.append(part)
                size += len(part)
            if part[-1:] in ("\r", "\n"):
                break
        whole = "".join(parts)
        return whole if size <= RECORD_LIMIT else whole[: RECORD_LIMIT + 1]

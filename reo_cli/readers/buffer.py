"""The part of a JSON text that is being read: bounded, with the line of the place at hand."""

import re

from reo_cli.readers.source import BLOCK
from reo_cli.readers.text import RECORD_LIMIT, Lines

_SPACE = re.compile("[ \t\n\ufeff\x1e]*")
"""White space, the marks of files that were joined, and what `jq --seq` writes before a value."""

_TRIED_OFTEN = 4096
"""Characters of a value up to which each line that may end it is tried."""


class Buffer:
    """Text of which `_at` is the place at hand, in line `_line`; `_more` adds some."""

    def __init__(self, lines: Lines, line: int) -> None:
        self._lines = lines
        self._text = ""
        self._at = 0
        self._line = line

    @property
    def line(self) -> int:
        """The line that comes behind all that has arrived, from 1."""
        return self._line + self._text.count("\n", self._at)

    def _more(self) -> bool:
        """Add lines up to one that may end a value; False at the end of the input."""
        parts = [self._text[self._at :]]
        tried = size = len(parts[0])
        try:
            while piece := self._lines.read(BLOCK):
                if piece[-1:] == "\r" or piece[-2:] == "\r\n":
                    piece = piece.rstrip("\r\n") + "\n"
                parts.append(piece)
                size += len(piece)
                is_end = piece.rstrip("\n ,\t")[-1:] in ("}", "]", "") or len(piece) == BLOCK
                if (is_end and (size < _TRIED_OFTEN or size >= 2 * tried)) or size > RECORD_LIMIT:
                    break
        finally:  # so that a line that cannot be read is known by its number
            self._text, self._at = "".join(parts), 0
        return size > tried

    def _advance(self, to: int) -> None:
        self._line += self._text.count("\n", self._at, to)
        self._at = to

    def _next(self) -> str:
        """Go to the next character that counts and return it; "" at the end of the input."""
        while True:
            end = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]
            if end > self._at:
                self._advance(end)
            if end < len(self._text):
                return self._text[end]
            if not self._more():
                return ""

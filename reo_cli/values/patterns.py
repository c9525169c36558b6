"""Regular expressions that are compiled when they are first used.

Most of ours are for what is wrong with a value; compiling them all takes longer than checking a
small file.
"""

import re
import sys
from collections.abc import Iterator
from functools import cached_property


class Pattern:
    """A regular expression; the methods are those of `re.Pattern`."""

    def __init__(self, text: str, flags: int = 0) -> None:
        self._text = text
        self._flags = flags

    @cached_property
    def _compiled(self) -> "re.Pattern[str]":
        return re.compile(self._text, self._flags)

    def match(self, text: str, start: int = 0) -> "re.Match[str] | None":
        """Match at `start`."""
        return self._compiled.match(text, start)

    def search(self, text: str, start: int = 0) -> "re.Match[str] | None":
        """Find the first place from `start` on."""
        return self._compiled.search(text, start)

    def finditer(
        self, text: str, start: int = 0, end: int = sys.maxsize
    ) -> "Iterator[re.Match[str]]":
        """Find all places from `start` on, up to `end`."""
        return self._compiled.finditer(text, start, end)

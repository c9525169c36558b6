"""The part of a JSON text that is being read: bounded, with the line of the place at hand."""

import re
from collections.abc import Iterator

from reo_cli.readers.text import RECORD_LIMIT
from reo_cli.values.patterns import Pattern

_SPACE = re.compile(r"[ \t\r\n]*")
_TOKEN = Pattern(r'"(?:[^"\\\n]|\\.)*+"|[{}\[\]]')
_LINE_END = Pattern(r"\r\n?|\n")
_NEXT_PART = Pattern(r"[,{\]]")
_NEXT_ITEM = Pattern(r"\}\s*,?\s*(?=\{)")
_JOINED = Pattern(r"[ \t]*\}(?=[ \t]*,[ \t]*\{)")
"""The end of an object whose line begins the next one too: `},{`."""

_MARK = Pattern(r'\\.?|["{}\[\]]', re.DOTALL)
_ENDS = Pattern(r"[ \t]*,[ \t]*\}")
"""A comma too many before the end of an object."""

_CONCATENATED = Pattern(r"\}[ \t]*(?=\{)")
"""The end of a value that another one follows in the same line."""

PATIENCE = 16 * RECORD_LIMIT
"""Characters looked through for the brackets that close broken values, in one input."""

_BACK = 256
"""Characters kept before the place at hand: the indentation of its line."""


class Buffer:
    """Text from `at` on, and a little before it; `more` adds the next block."""

    def __init__(self, blocks: Iterator[str], line: int = 1) -> None:
        self._blocks = blocks
        self.text = ""
        self.at = 0
        self.line = line
        """The line of `at`, from 1."""
        self.taken = 0
        """Characters before `at` in the whole input."""
        self.indent = _BACK
        """Columns before the first object of the array at hand; many where it shares its line."""
        self.end_skipped = False
        """Whether what was skipped as broken went on to the end of the input."""
        self._has_returns = False
        self._patience = PATIENCE

    @property
    def last_line(self) -> int:
        """The line of the end of `text`, from 1."""
        found = self.text.count("\n", self.at)
        return self.line + found + (self._returns(len(self.text)) if self._has_returns else 0)

    def more(self) -> bool:
        """Add the next block and drop what was read; False at the end of the input."""
        block = next(self._blocks, None)
        if block is None:
            return False
        self._has_returns = self._has_returns or "\r" in block
        drop = max(0, self.at - _BACK)
        self.text = self.text[drop:] + block
        self.at -= drop
        return True

    def advance(self, to: int) -> None:
        """Go on to an offset of `text`."""
        self.line += self.text.count("\n", self.at, to)
        if self._has_returns:
            self.line += self._returns(to)
        self.taken += to - self.at
        self.at = to

    def _returns(self, to: int) -> int:
        """Count the CRs up to an offset that end a line without a LF."""
        found = self.text.count("\r", self.at, to) - self.text.count("\r\n", self.at, to)
        return found - (to > self.at and self.text.startswith("\r\n", to - 1))

    def skip_space(self) -> bool:
        """Go to the next character that counts; False at the end of the input."""
        if self.text.startswith("\n{", self.at):  # the plain case of NDJSON
            self.line += 1
            self.taken += 1
            self.at += 1
            return True
        while True:
            self.advance(_SPACE.match(self.text, self.at).end())  # type: ignore[union-attr]
            if self.at < len(self.text):
                return True
            if not self.more():
                return False

    def skip_line(self) -> None:
        """Go to the next line that may begin a value."""
        self._skip_to_line(_BACK)

    def skip_broken(self, in_array: bool, fault: int) -> None:
        """Go from the start of a broken value to where the next one may begin.

        An object that begins its line ends before the next line that is indented no deeper and may
        begin one, or behind its bracket in a line such as `},{`. Another ends at `fault` if an
        object begins there, or where its brackets close, or before any line that begins one. What
        is no object at all (a note, a word) ends before the next one.
        """
        if in_array and self.text[self.at] not in "{[":
            self._skip_stray()
            return
        ends = (self.text.rfind(end, 0, self.at) for end in "\r\n")
        line_start = max(ends) + 1
        indent = self.text[line_start : self.at]
        if not indent.strip():
            if in_array:
                self._skip_to_line(len(indent), allowed="{],")
            elif not self._skip_in_line(fault):
                self._skip_to_line(len(indent), barred="}:]")
            return
        if len(self.text) - self.at > RECORD_LIMIT and self._skip_long():
            return
        is_next = fault > self.at and self.text.startswith("{", fault)
        end = fault if is_next else self._end_by_brackets(in_array)
        if end is not None:
            self.advance(end)
        else:
            self._skip_to_line(_BACK, allowed="{]," if in_array else "{")

    def _skip_in_line(self, fault: int) -> bool:
        """Go to a value behind the fault in this line, if values follow one another in it.

        The fault stands outside texts.
        """
        line_end = _LINE_END.search(self.text, self.at)
        end = line_end.start() if line_end else len(self.text)
        if not self.at < fault < end:
            return False
        for token in _TOKEN.finditer(self.text, fault, end):
            if token[0] == "}" and _CONCATENATED.match(self.text, token.start()):
                self.advance(token.end())
                return True
        return False

    def _skip_stray(self) -> None:
        """Go to the next object, comma or end of the array in this line, else to a line with one.

        Such a line is indented no deeper than the objects that were read before.
        """
        line_end = _LINE_END.search(self.text, self.at)
        found = _NEXT_PART.search(self.text, self.at)
        if found and (line_end is None or found.start() < line_end.start()):
            self.advance(found.start())
        else:
            self._skip_to_line(self.indent, allowed="{],")

    def note_indent(self) -> None:
        """Remember how deep the objects of an array stand, by the one that begins here."""
        line = self.text[: self.at].rpartition("\n")[2]
        self.indent = len(line) if not line.strip() else _BACK

    def _skip_long(self) -> bool:
        """Go behind a value that is too long to be kept, by its brackets; False if that fails."""
        depth = 0
        in_text = escapes = False
        while self._patience > 0:
            for mark in _MARK.finditer(self.text, self.at + escapes):
                self._patience -= 1
                if mark[0] == '"':
                    in_text = not in_text
                elif not in_text and mark[0] in "{}[]":
                    depth += 1 if mark[0] in "{[" else -1
                    if depth <= 0:
                        self.advance(mark.end())
                        return True
            escapes = self.text.endswith("\\") and mark[0] == "\\"
            self.advance(len(self.text))
            if not self.more():
                self.end_skipped = True
                return True
        return False

    def _end_by_brackets(self, in_array: bool) -> int | None:
        """Return where the brackets of a broken value close, else before what may be the next."""
        while len(self.text) - self.at <= RECORD_LIMIT and self._patience > 0:
            end = self._closing()
            self._patience -= (end or len(self.text)) - self.at
            behind = _SPACE.match(self.text, end or 0).end()  # type: ignore[union-attr]
            if end is not None and behind < len(self.text):
                if self.text[behind] in (",]" if in_array else "{["):
                    return end
                break
            if not self.more():
                break
        follows = _NEXT_ITEM.search(self.text, self.at)
        return follows.start() + 1 if follows else None

    def _closing(self) -> int | None:
        """Return the place behind the bracket that closes the value at hand."""
        depth = 0
        for token in _TOKEN.finditer(self.text, self.at):
            depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(token[0], 0)
            if depth <= 0 and token[0] in "}]":
                return token.end()
        return None

    def _skip_to_line(self, indent: int, barred: str = "", allowed: str = "") -> None:
        """Go to the next line that is indented by no more than so much and begins as it may."""
        while True:
            end = _LINE_END.search(self.text, self.at)
            if end is None:
                self.advance(len(self.text))
                if not self.more():
                    self.end_skipped = True
                    return
                continue
            self.advance(end.end())
            while len(self.text) - self.at <= indent and self.more():
                pass
            first = self.text[self.at : self.at + indent + 1].lstrip(" \t")[:1]
            if first == "}" and "{" in allowed and (joined := _JOINED.match(self.text, self.at)):
                self.advance(joined.end())
                return
            if first == "," and _ENDS.match(self.text, self.at):
                continue
            if first and first not in "\r\n" + barred and (not allowed or first in allowed):
                return

"""JSON in every shape → Records: an object, an array, NDJSON, or values one after the other.

Values are decoded one at a time from a bounded buffer. A broken line of NDJSON costs one record; an
array ends at its first error, because what follows cannot be told from what stands inside records.
"""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, NoReturn

from reo_cli.readers.columns import Problem
from reo_cli.readers.jsontext import Decoder, explained
from reo_cli.readers.keys import Keys
from reo_cli.readers.options import ReadOptions
from reo_cli.readers.source import BLOCK
from reo_cli.readers.text import RECORD_LIMIT, Lines
from reo_cli.records import EXCERPT, Issue, Record
from reo_cli.text import visible

_SPACE = re.compile("[ \t\n\ufeff\x1e]*")
"""White space, the marks of files that were joined, and what `jq --seq` writes before a value."""

_MARK = re.compile(r'\\.?|["{}\[\]]', re.DOTALL)
"""What tells where a value ends: quotes and brackets, and what escapes them."""

_TRIED_OFTEN = 4096
"""Characters of a value up to which each line that may end it is tried."""

_NEAR_END = 10
"""A fault so close to the end of a piece may be a literal, number or escape that is cut in two."""

_LOOKED_AT = 100
"""Records that show what is in keys that are no fields."""

_TOO_LONG = Problem("too-long", "the record is longer than 1 MiB", "shorten it, or close it")
_TOO_DEEP = Problem("too-deep", "the value is nested too deeply", "an event may have 64 levels")
_CUT_OFF = Problem(
    *("cut-off", "the input ends in the middle of a value"),
    "was it cut off? export it again",
)


class _Broken(Exception):
    """What ends an array, and all of the input behind it but further lines of NDJSON."""

    def __init__(self, problem: Problem, line: int) -> None:
        super().__init__(problem.message)
        self.problem = problem
        self.line = line


class JSONFile:
    """Reads one JSON input; `records` is the only thing to call, once.

    `by_line` says that each line is a value by itself, as far as is known; `looks_ahead`, that
    there is no waiting for records that show what is in keys that are no fields.
    """

    def __init__(
        self, file: str, lines: Lines, options: ReadOptions, *, by_line: bool, looks_ahead: bool
    ) -> None:
        self._lines = lines
        self._text = ""
        self._at = 0
        self._line = lines.line
        self._keys = Keys(file, options)
        self._path = options.records
        self._decoder = Decoder()
        self._by_line = by_line
        self._looked_at = _LOOKED_AT if looks_ahead else 0

    def records(self) -> Iterator[Record | Issue]:
        """Yield a Record for each value, and an Issue for what is wrong between them."""
        items = self._items()
        for item in items:
            if self._keys.has_news and isinstance(item, Record):
                ahead = list(self._ahead(items))
                yield self._keys.told(item)
                yield from ahead
            else:
                yield item

    def _ahead(self, items: Iterator[Record | Issue]) -> Iterator[Record | Issue]:
        """Yield some more items, of which no more is kept than of one long record."""
        size = 0
        for item in islice(items, self._looked_at):
            yield item
            size += len(item.text) if isinstance(item, Record) else 0
            if size > RECORD_LIMIT:
                return

    def _items(self) -> Iterator[Record | Issue]:
        while here := self._next():
            line = self._line
            try:
                if here in ",]":
                    self._advance(self._at + 1)
                    yield self._keys.issue(line, "error", _STRAY[here])
                elif here == "[" or self._path:
                    yield from self._inside(self._path, {})
                else:
                    yield self._next_record()
            except _Broken as fault:
                goes_on = self._by_line and self._line == line
                problem = fault.problem
                if problem is not _CUT_OFF:
                    message = f"{problem.message}; the rest of the array is not read"
                    problem = problem._replace(message=message)
                yield self._keys.issue(fault.line, "error", problem)
                if not goes_on:
                    return
                self._go_on()
        yield from self._keys.at_end()

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
        finally:  # what was read before a line that cannot be stays in the buffer
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

    def _go_on(self) -> None:
        """Go to the next line that may begin a value: in pretty JSON one that begins an object."""
        while True:
            end = self._text.find("\n", self._at)
            self._advance(end + 1 if end >= 0 else len(self._text))
            if self._at == len(self._text) and not self._more():
                return
            if end >= 0 and (self._by_line or self._text[self._at] in "{["):
                return

    def _value(self) -> tuple[Any, str]:
        """Take the value at hand; return it and its text. Raises _Broken."""
        while True:
            text, start = self._text, self._at
            try:
                value, end = self._decoder.decode(text, start)
            except json.JSONDecodeError as fault:
                rest = text[fault.pos :].strip(" \t\n")
                is_cut = not rest or fault.msg.startswith("Unterminated")
                may_go_on = is_cut or (text[-1:] != "\n" and len(text) - fault.pos <= _NEAR_END)
                if may_go_on and len(text) - start <= RECORD_LIMIT and self._more():
                    continue
                self._break(fault.msg, fault.pos, is_cut=is_cut)
            except RecursionError:
                raise _Broken(_TOO_LONG if self._is_long() else _TOO_DEEP, self._line) from None
            if end == len(text) and not isinstance(value, dict | list | str) and self._more():
                continue  # a number may go on in the next piece
            self._advance(end)
            return value, text[start:end]

    def _is_long(self) -> bool:
        return len(self._text) - self._at > RECORD_LIMIT

    def _expect(self, marks: str, why: str) -> str:
        """Go behind the next character, which is to be one of some; tell which it was."""
        here = self._next()
        if not here or here not in marks:
            self._break(why, self._at, is_cut=not here)
        self._advance(self._at + 1)
        return here

    def _break(self, why: str, at: int, *, is_cut: bool = False) -> NoReturn:
        """Raise what is wrong at a place of the text, which the buffer does not go beyond."""
        text = self._text
        line = self._line + text.count("\n", self._at, at)
        column = at - text.rfind("\n", 0, at)
        if self._is_long():
            raise _Broken(_TOO_LONG, self._line)
        if is_cut and not self._more():
            raise _Broken(_CUT_OFF, line)
        raise _Broken(Problem("not-json", *explained(why, text, at, column)), line)

    def _next_record(self) -> Record:
        """Take the value at hand, which is a record, or broken for itself."""
        line = self._line
        try:
            value, text = self._value()
        except _Broken as fault:
            where = f" in line {fault.line}" if fault.line > line else ""
            text = self._text[self._at : self._at + EXCERPT].partition("\n")[0]
            self._go_on()
            message = fault.problem.message + where
            return self._keys.faulty(line, text, fault.problem._replace(message=message))
        self._by_line = "\n" not in text
        return self._record(line, text, value, {})

    def _inside(self, path: str, outer: Mapping[str, Any]) -> Iterator[Record | Issue]:
        """Yield the records of the array at hand, or of the arrays that a path leads to.

        `outer` are the scalars of what encloses it. Raises _Broken.
        """
        here = self._next()
        if here == "[":
            yield from self._elements(path, outer)
        elif here == "{" and path:
            yield from self._members(path, outer)
        else:
            yield self._element(path, outer)

    def _elements(self, path: str, outer: Mapping[str, Any]) -> Iterator[Record | Issue]:
        """Yield what is in an array."""
        self._advance(self._at + 1)
        if self._next() == "]":
            self._advance(self._at + 1)
            return
        while True:
            here = self._next()
            if path and here in "{[":
                yield from self._inside(path, outer)
            elif here and here in ",]":
                self._break("Expecting value", self._at)
            else:
                yield self._element("", outer)
            if self._expect(",]", "Expecting ',' delimiter") == "]":
                return

    def _element(self, path: str, outer: Mapping[str, Any]) -> Record:
        """Take one record of an array; one that is too long is skipped, as its end can be found."""
        line = self._line
        try:
            value, text = self._value()
        except _Broken as fault:
            if fault.problem is not _TOO_LONG:
                raise
            excerpt = self._text[self._at : self._at + EXCERPT]
            self._skip_long()
            return self._keys.faulty(line, excerpt, _TOO_LONG)
        if path:
            return self._keys.faulty(line, text, _no_array(path))
        return self._record(line, text, value, outer)

    def _skip_long(self) -> None:
        """Go behind the value at hand by its quotes and brackets, without keeping it."""
        depth, in_text = 0, False
        while True:
            cut = 0
            for mark in _MARK.finditer(self._text, self._at):
                if mark[0] == '"':
                    in_text = not in_text
                elif mark[0] == "\\":
                    cut = 1  # the character that it escapes comes with the next piece
                elif not in_text and mark[0] in "{}[]":
                    depth += 1 if mark[0] in "{[" else -1
                if not depth and not in_text:
                    self._advance(mark.end())
                    return
            self._advance(len(self._text) - cut)
            if not self._more():
                return

    def _members(self, path: str, outer: Mapping[str, Any]) -> Iterator[Record | Issue]:
        """Yield the records inside an object, whose scalars go to them where they come first."""
        line = self._line
        scalars = dict(outer)
        head, _, rest = path.partition(".")
        is_found = False
        self._advance(self._at + 1)
        ended = self._next() == "}"
        if ended:
            self._advance(self._at + 1)
        while not ended:
            if self._next() != '"':
                why = "Expecting property name enclosed in double quotes"
                self._break(why, self._at, is_cut=not self._next())
            key, _ = self._value()
            self._expect(":", "Expecting ':' delimiter")
            if self._next() in "{[" and key in (path, head):
                is_found = True
                yield from self._inside(rest if key == head else "", scalars)
            else:
                at = self._line
                value, _ = self._value()
                if not isinstance(value, dict | list):
                    scalars[key] = value
                    if is_found and self._keys.is_field(key):
                        what = f"`{visible(key, 60)}` comes behind the records, which lack it"
                        yield self._keys.issue(at, "error", Problem("late-key", what))
            ended = self._expect(",}", "Expecting ',' delimiter") == "}"
        if not is_found:
            yield self._keys.faulty(line, "", _no_array(path))

    def _record(self, line: int, text: str, value: Any, outer: Mapping[str, Any]) -> Record:
        """Return the record of a decoded value."""
        if len(text) > RECORD_LIMIT:
            return self._keys.faulty(line, text[:EXCERPT], _TOO_LONG)
        if self._decoder.has_unkept:
            return self._keys.unkept(line, text, value)
        return self._keys.record_of(line, text, value, outer)


_STRAY = {
    "]": Problem("not-json", "a closing bracket without an opening one", "remove it"),
    ",": Problem(
        *("not-json", "a comma stands between values outside an array"),
        "remove it, or put all in [ ]",
    ),
}


def _no_array(path: str) -> Problem:
    return Problem("no-records", f"holds no array at `{visible(path, 60)}`")

"""JSON in every shape → Records: an object, an array, NDJSON, or values one after the other.

Values are decoded one at a time from a bounded buffer. A broken line of NDJSON costs one record; an
array ends at its first error, because what follows cannot be told from what stands inside records.
"""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, NoReturn

from reo_cli.readers.buffer import Buffer
from reo_cli.readers.jsontext import Decoder, explained
from reo_cli.readers.keys import Keys
from reo_cli.readers.options import ReadOptions
from reo_cli.readers.text import RECORD_LIMIT, Lines
from reo_cli.records import EXCERPT, Issue, Record
from reo_cli.text import visible

NO_META: dict[str, Any] = {}

_MARK = re.compile(r'\\.?|["{}\[\]]', re.DOTALL)
"""What tells where a value ends: quotes and brackets, and what escapes them."""

_NEAR_END = 10
"""A fault so close to the end of a piece may be a literal, number or escape that is cut in two."""

_LOOKED_AT = 100
"""Records that show what is in keys that are no fields."""

_TOO_LONG = ("too-long", "the record is longer than 1 MiB", "shorten it, or close it")
_CUT_OFF = (
    *("cut-off", "the input ends in the middle of a value"),
    "was it cut off? export it again",
)


class _Broken(Exception):
    """What ends an array, and all of the input behind it but further lines of NDJSON."""


class JSONFile(Buffer):
    """Reads one JSON input; `records` is the only thing to call, once.

    `by_line` says that each line is a value by itself, as far as is known; `looks_ahead`, that
    there is no waiting for records that show what is in keys that are no fields.
    """

    def __init__(
        self,
        file: str,
        lines: Lines,
        options: ReadOptions,
        line: int,
        *,
        by_line: bool,
        looks_ahead: bool,
    ) -> None:
        self._file = file
        super().__init__(lines, line)
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
                if here == "[":
                    yield from self._inside(self._path, {})
                elif here in ",]":
                    self._advance(self._at + 1)
                    yield self._stray(here)
                elif self._path:
                    yield from self._inside(self._path, {})
                else:
                    yield self._next_record()
            except _Broken as fault:
                code, message, hint, at = fault.args
                goes_on = self._by_line and self._line == line
                message += "" if code == "cut-off" else "; the rest of the array is not read"
                yield Issue(self._file, at, 0, "", "error", message, hint, "", code)
                if not goes_on:
                    return
                self._go_on()
        yield from self._keys.at_end()

    def _stray(self, mark: str) -> Issue:
        what, hint = "a closing bracket without an opening one", "remove it"
        if mark == ",":
            what = "a comma stands between values outside an array"
            hint = "remove it, or put all in [ ]"
        return Issue(self._file, self._line, 0, "", "error", what, hint, "", "not-json")

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
                is_cut = fault.msg.startswith("Unterminated") or not text[fault.pos :].strip(
                    " \t\n"
                )
                may_go_on = is_cut or (text[-1:] != "\n" and len(text) - fault.pos <= _NEAR_END)
                if may_go_on and len(text) - start <= RECORD_LIMIT and self._more():
                    continue
                self._break(fault.msg, fault.pos, is_cut=is_cut)
            except RecursionError:
                self._break("nested too deeply", start)
            if end == len(text) and not isinstance(value, dict | list | str) and self._more():
                continue  # a number may go on in the next piece
            self._advance(end)
            return value, text[start:end]

    def _break(self, why: str, at: int, *, is_cut: bool = False) -> NoReturn:
        """Raise what is wrong at a place of the text, which the buffer does not go beyond."""
        text = self._text
        line = self._line + text.count("\n", self._at, at)
        column = at - text.rfind("\n", 0, at)
        if len(text) - self._at > RECORD_LIMIT:
            raise _Broken(*_TOO_LONG, self._line)
        if why == "nested too deeply":
            hint = "an event may have 64 levels"
            raise _Broken("too-deep", "the value is nested too deeply", hint, self._line)
        if is_cut and not self._more():
            raise _Broken(*_CUT_OFF, line)
        raise _Broken("not-json", *explained(why, text, at, column), line)

    def _next_record(self) -> Record:
        """Take the value at hand, which is a record, or broken for itself."""
        line = self._line
        try:
            value, text = self._value()
        except _Broken as fault:
            code, message, hint, at = fault.args
            where = f" in line {at}" if at > line else ""
            text = self._text[self._at : self._at + EXCERPT]
            self._go_on()
            return self._keys.faulty(line, text.partition("\n")[0], code, message + where, hint)
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
            line = self._line
            value, text = self._value()
            if path or not isinstance(value, dict):
                yield self._keys.faulty(line, text, "no-records", f"holds no array at `{path}`")
            else:
                yield self._record(line, text, value, outer)

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
                yield self._element(outer)
            if self._ends("]"):
                return

    def _element(self, outer: Mapping[str, Any]) -> Record:
        """Take one record of an array; one that is too long is skipped, as its end can be found."""
        line = self._line
        try:
            value, text = self._value()
        except _Broken as fault:
            if fault.args[0] != "too-long":
                raise
            excerpt = self._text[self._at : self._at + EXCERPT]
            self._skip_long()
            return self._keys.faulty(line, excerpt, *_TOO_LONG)
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

    def _ends(self, bracket: str) -> bool:
        """Go behind a comma or the bracket that ends the array or object; tell which it was."""
        here = self._next()
        if not here or here not in f",{bracket}":
            self._break("Expecting ',' delimiter", self._at, is_cut=not here)
        self._advance(self._at + 1)
        return here == bracket

    def _members(self, path: str, outer: Mapping[str, Any]) -> Iterator[Record | Issue]:
        """Yield the records inside an object, whose scalars go to them where they come first."""
        line = self._line
        self._advance(self._at + 1)
        scalars = dict(outer)
        head, _, rest = path.partition(".")
        is_found = False
        while self._next() != "}":
            if self._next() != '"':
                why = "Expecting property name enclosed in double quotes"
                self._break(why, self._at, is_cut=not self._next())
            key, _ = self._value()
            if self._next() != ":":
                self._break("Expecting ':' delimiter", self._at, is_cut=not self._next())
            self._advance(self._at + 1)
            if self._next() in "{[" and key in (path, head):
                is_found = True
                yield from self._inside(rest if key == head else "", scalars)
            else:
                at = self._line
                value, text = self._value()
                if not isinstance(value, dict | list):
                    scalars[key] = value
                    if is_found and self._keys.is_field(key):
                        what = f"`{visible(key, 60)}` comes behind the records, which lack it"
                        yield Issue(self._file, at, 0, "", "error", what, "", text, "late-key")
            if self._ends("}"):
                break
        else:
            self._advance(self._at + 1)
        if not is_found:
            message = f"holds no array at `{visible(path, 60)}`"
            yield self._keys.faulty(line, "", "no-records", message)

    def _record(self, line: int, text: str, value: Any, outer: Mapping[str, Any]) -> Record:
        """Return the record of a decoded value."""
        if len(text) > RECORD_LIMIT:
            return self._keys.faulty(line, text[:EXCERPT], *_TOO_LONG)
        if self._decoder.has_unkept:
            return self._keys.unkept(line, text, value)
        return self._keys.record_of(line, text, value, outer)

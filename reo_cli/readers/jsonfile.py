"""JSON in every shape → Records: an object, an array, NDJSON, or values one after the other.

A broken line of NDJSON costs one record; an array ends at its first error, because what follows
cannot be told from what stands inside records.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from reo_cli.readers.columns import Problem
from reo_cli.readers.jsontext import CUT_OFF, TOO_LONG, Broken, JSONText
from reo_cli.readers.keys import Keys
from reo_cli.readers.options import ReadOptions
from reo_cli.readers.text import RECORD_LIMIT, Lines
from reo_cli.records import EXCERPT, Issue, Record
from reo_cli.text import visible

_LOOKED_AT = 100
"""Records that show what is in keys that are no fields."""

_STRAY = {
    "]": Problem("not-json", "a closing bracket without an opening one", "remove it"),
    ",": Problem(
        *("not-json", "a comma stands between values outside an array"),
        "remove it, or put all in [ ]",
    ),
}


class JSONFile:
    """Reads one JSON input; `records` is the only thing to call, once.

    `by_line` says that each line is a value by itself, as far as is known; `looks_ahead`, that
    there is no waiting for records that show what is in keys that are no fields.
    """

    def __init__(
        self, file: str, lines: Lines, options: ReadOptions, *, by_line: bool, looks_ahead: bool
    ) -> None:
        self._text = JSONText(lines)
        self._keys = Keys(file, options)
        self._path = options.records
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
        text = self._text
        while here := text.next():
            line = text.line
            try:
                if here in _STRAY:
                    text.take(here, "")
                    yield self._keys.issue(line, "error", _STRAY[here])
                elif here == "[" or self._path:
                    yield from self._inside(self._path, {})
                else:
                    yield self._single()
            except Broken as fault:
                problem = fault.problem
                if problem is not CUT_OFF:
                    message = f"{problem.message}; the rest of the array is not read"
                    problem = problem._replace(message=message)
                yield self._keys.issue(fault.line, "error", problem)
                if not (self._by_line and text.line == line):
                    return
                self._go_on()
        yield from self._keys.at_end()

    def _go_on(self) -> None:
        """Go to the next line that may begin a value: in pretty JSON one that begins an object."""
        self._text.go_on("" if self._by_line else "{[")

    def _single(self) -> Record:
        """Take the value at hand, which is a record, or broken for itself."""
        line = self._text.line
        try:
            value, text = self._text.value()
        except Broken as fault:
            where = f" in line {fault.line}" if fault.line > line else ""
            excerpt = self._text.excerpt().partition("\n")[0]
            self._go_on()
            message = fault.problem.message + where
            return self._keys.faulty(line, excerpt, fault.problem._replace(message=message))
        self._by_line = "\n" not in text
        return self._record(line, text, value, {})

    def _inside(self, path: str, outer: Mapping[str, Any]) -> Iterator[Record | Issue]:
        """Yield the records of the array at hand, or of the arrays that a path leads to.

        `outer` are the scalars of what encloses it. Raises Broken.
        """
        here = self._text.next()
        if here == "{" and path:
            yield from self._members(path, outer)
        elif here == "[":
            for _ in self._parts("[", "]"):
                if path and self._text.next() in "{[":
                    yield from self._inside(path, outer)
                else:
                    yield self._element(outer)
        else:
            yield self._element(outer, path)

    def _members(self, path: str, outer: Mapping[str, Any]) -> Iterator[Record | Issue]:
        """Yield the records inside an object, whose scalars go to them where they come first."""
        line, scalars, is_found = self._text.line, dict(outer), False
        head, _, rest = path.partition(".")
        for _ in self._parts("{", "}"):
            at = self._text.line
            if self._text.next() != '"':
                self._text.take('"', "Expecting property name enclosed in double quotes")
            key, _text = self._text.value()
            self._text.take(":", "Expecting ':' delimiter")
            if self._text.next() in "{[" and key in (path, head):
                is_found = True
                yield from self._inside(rest if key == head else "", scalars)
                continue
            value, _text = self._text.value()
            if not isinstance(value, dict | list):
                scalars[key] = value
                if is_found and self._keys.is_field(key):
                    what = f"`{visible(key, 60)}` comes behind the records, which lack it"
                    yield self._keys.issue(at, "error", Problem("late-key", what))
        if not is_found:
            yield self._keys.faulty(line, "", _no_array(path))

    def _parts(self, begin: str, end: str) -> Iterator[None]:
        """Go to each element or member of the array or object at hand, then behind its end."""
        self._text.take(begin, "")
        if self._text.next() == end:
            self._text.take(end, "")
            return
        while True:
            self._text.next()
            yield
            if self._text.take(f",{end}", "Expecting ',' delimiter") == end:
                return

    def _element(self, outer: Mapping[str, Any], path: str = "") -> Record:
        """Take one record; one that is too long is skipped, as its end can be found.

        With a `path`, it is what holds no array there.
        """
        line = self._text.line
        try:
            value, text = self._text.value()
        except Broken as fault:
            if fault.problem is not TOO_LONG:
                raise
            excerpt = self._text.excerpt()
            self._text.skip()
            return self._keys.faulty(line, excerpt, TOO_LONG)
        if path:
            return self._keys.faulty(line, text, _no_array(path))
        return self._record(line, text, value, outer)

    def _record(self, line: int, text: str, value: Any, outer: Mapping[str, Any]) -> Record:
        """Return the record of a decoded value."""
        if len(text) > RECORD_LIMIT:
            return self._keys.faulty(line, text[:EXCERPT], TOO_LONG)
        if self._text.decoder.has_unkept:
            return self._keys.unkept(line, text, value)
        return self._keys.record_of(line, text, value, outer)


def _no_array(path: str) -> Problem:
    return Problem("no-records", f"holds no array at `{visible(path, 60)}`")

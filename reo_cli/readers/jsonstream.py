"""JSON in every shape → Records: an object, an array, NDJSON, or values one after the other.

Values are decoded one at a time from a bounded buffer. What is broken costs one record: reading
goes on where the next one begins, by its line or by the brackets.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any

from reo_cli.readers.buffer import Buffer
from reo_cli.readers.names import NameRules
from reo_cli.readers.objects import NO_META, KeyPlan, wrapped
from reo_cli.readers.places import key_place, token_place
from reo_cli.readers.text import RECORD_LIMIT
from reo_cli.records import EXCERPT, Issue, Record, line_starts
from reo_cli.values import kind_of, shown
from reo_cli.values.jsontext import WHITE_SPACE, Decoder, unreadable
from reo_cli.values.patterns import Pattern

_NEAR_END = 10
"""A fault this close to the end of the buffer may be a literal or escape that is cut in two."""

_SPACE = Pattern(r"[ \t\r\n]*")

_BEGUN = Pattern(
    r"(?:t(?:ru?)?|f(?:a(?:ls?)?)?|n(?:ul?)?|-|\.|[eE][+-]?|\\?u[0-9A-Fa-f]{0,4}|\\)?\Z"
)
"""What may be left where an input ends in the middle of a word, a number or an escape."""

_PLANS_KEPT = 1000

_new: Any = tuple.__new__
"""Makes a named tuple in half the time of its own constructor: one is made for each line."""

_CUT_OFF = "the input ends in the middle of a value"
_CUT_OFF_HINT = "was it cut off? export it again"
_TOO_LONG = "the record is longer than 1 MiB"
_TOO_DEEP = "the value is nested too deeply"


class Values:
    """Reads one JSON input; `records` is the only thing to call, once."""

    def __init__(self, file: str, blocks: Iterator[str], rules: NameRules, line: int = 1) -> None:
        self._file = file
        self._buffer = Buffer(blocks, line)
        self._rules = rules
        self._decoder = Decoder()
        self._plans: dict[tuple[str, ...], KeyPlan] = {}
        self._unmapped = dict(rules.columns)
        self._in_array = False
        self._in_stream = False
        self._number = 0

    @property
    def line(self) -> int:
        """The line that comes behind all that has arrived, from 1."""
        return self._buffer.last_line

    def records(self) -> Iterator[Record | Issue]:
        """Yield a Record for each value, and an Issue for what is wrong between them."""
        buffer = self._buffer
        comma = _Comma()
        while buffer.skip_space():
            here = buffer.text[buffer.at]
            if here == ",":
                problem = comma.found(self._in_array)
                if problem:
                    yield self._issue(*problem)
                buffer.advance(buffer.at + 1)
            elif here == "]":
                yield from self._end_array(comma)
                comma = _Comma()
            elif here == "[" and not self._in_array:
                buffer.advance(buffer.at + 1)
                self._in_array = True
                self._in_stream = self._number > 0
                comma = _Comma()
                if buffer.skip_space():
                    buffer.note_indent()
            else:
                if self._in_array and comma.wanted:
                    yield self._issue("a comma is missing between two values of the array")
                record = self._next_value()
                comma.follows(record.fields is not None)
                yield record
        if self._in_array and not buffer.end_skipped:
            yield self._issue("the array is not closed", _CUT_OFF_HINT)
        if self._plans:
            for field, key in self._unmapped.items():
                message = f"no record has the key {shown(key)}, which --map names for {field}"
                yield Issue(self._file, 1, 0, "", "warning", message, "is it misspelt?")

    def _end_array(self, comma: "_Comma") -> Iterator[Issue]:
        """Take a closing bracket; yield what is wrong with it."""
        if not self._in_array:
            yield self._issue("a closing bracket without an opening one", "remove it")
        elif comma.trails:
            yield self._issue("a comma stands before the end of the array", "remove it")
        self._buffer.advance(self._buffer.at + 1)
        self._in_array = False

    def _issue(self, message: str, hint: str = "") -> Issue:
        return Issue(self._file, self._buffer.line, 0, "", "error", message, hint)

    def _next_value(self) -> Record:
        """Decode the value at hand, with as much more of the input as it needs."""
        buffer = self._buffer
        decoder = self._decoder
        while True:
            text, start = buffer.text, buffer.at
            decoder.faults.clear()
            try:
                value, end = decoder.scan(text, start)
            except (StopIteration, json.JSONDecodeError) as fault:
                place = fault.value if isinstance(fault, StopIteration) else fault.pos
                why = "Expecting value" if isinstance(fault, StopIteration) else fault.msg
                may_go_on = place >= len(text) - _NEAR_END or why.startswith("Unterminated")
                if may_go_on and len(text) - start > RECORD_LIMIT:
                    return self._broken((_TOO_LONG, "shorten it, or close it"))
                if may_go_on and buffer.more():
                    continue
                if why.startswith("Unterminated") or _BEGUN.match(text[place:].strip(WHITE_SPACE)):
                    return self._broken((_CUT_OFF, _CUT_OFF_HINT))
                problem = _explained(why, text, start, place, buffer.line)
                return self._broken(problem, -1 if why.startswith("Invalid") else place)
            except RecursionError:
                return self._broken((_TOO_DEEP, "an event may have 64 levels"))
            except ValueError:
                return self._broken(("an integer has over 4,300 digits", "no program keeps it"))
            if end == len(text) and text[end - 1] not in '}]"' and buffer.more():
                continue  # a number may go on in the next block
            return self._record(value, start, end)

    def _record(self, value: Any, start: int, end: int) -> Record:
        buffer = self._buffer
        text = buffer.text[start:end]
        line = buffer.line
        buffer.advance(end)
        self._number += 1
        if end - start > RECORD_LIMIT:
            return self._faulty(line, text[:EXCERPT], _TOO_LONG)
        if self._decoder.faults:
            return self._unreadable(line, text, value)
        if "-0" in text:
            value = self._decoder.exact(value, text)
        return self._object(line, text, value)

    def _object(self, line: int, text: str, value: Any) -> Record:
        """Return the record of a decoded value."""
        if not isinstance(value, dict):
            return self._faulty(line, text, f"is {kind_of(value)}, not an object with fields")
        if "payload" in value:
            envelope, value = value, value["payload"]
            if not isinstance(value, dict):
                return self._faulty(line, text, *_no_payload(envelope))
        keys = tuple(value)
        known = self._plans.get(keys) or self._plan(keys)
        meta = NO_META
        if not known.plain or value.get("count").__class__ is str:
            if known.is_strange and (inside := wrapped(value, self._rules, self._file)):
                return self._faulty(line, text, *inside)
            value, meta = known.split(value)
        place = (self._file, line, self._number)
        record: Record = _new(Record, (*place, value, meta, text, self._locate, (), True))
        return record if known.is_good else known.with_faults(record)

    def _plan(self, keys: tuple[str, ...]) -> KeyPlan:
        if len(self._plans) >= _PLANS_KEPT:
            self._plans.clear()
        for field in [each for each, key in self._unmapped.items() if key in keys]:
            del self._unmapped[field]
        self._plans[keys] = KeyPlan(keys, self._rules)
        return self._plans[keys]

    def _unreadable(self, line: int, text: str, value: Any) -> Record:
        """Return the record of a value that follows the grammar and can't be kept as a whole.

        What is wrong elsewhere in it is found as well: the fields without a fault are read.
        """
        found = [*self._decoder.faults]
        envelope = value if isinstance(value, dict) else {}
        payload = envelope.get("payload", envelope)
        inner = payload if isinstance(payload, dict) else {}
        owners = {id(place): n for n, each in inner.items() for place in unreadable(each)}
        damaged = set(owners.values())
        good = {n: each for n, each in inner.items() if n not in damaged}
        record = Record(self._file, line, self._number, None, NO_META, text)
        if inner:
            record = self._object(line, text, good)
        issues = []
        for message, token, place in found:
            name = owners.get(id(place), "")
            at = line + _lines_before(text, token_place(text, name, token))
            excerpt = record.excerpt(at)
            issues.append(Issue(self._file, at, self._number, name, "error", message, "", excerpt))
        return record._replace(faults=(*issues, *record.faults), is_whole=False)

    def _faulty(self, line: int, text: str, message: str, hint: str = "") -> Record:
        excerpt = text.partition("\n")[0][:EXCERPT]
        issue = Issue(self._file, line, self._number, "", "error", message, hint, excerpt)
        return Record(self._file, line, self._number, None, NO_META, text, None, (issue,))

    def _broken(self, problem: tuple[str, str], fault: int = -1) -> Record:
        """Report a value that is not JSON and go to where the next one starts.

        `fault` is the place of what is wrong, where that is outside texts.
        """
        self._number += 1
        buffer = self._buffer
        line = buffer.line
        text = buffer.text[buffer.at : buffer.at + EXCERPT]
        before = buffer.taken
        if self._in_array and self._in_stream:  # a line of its own among others
            self._in_array = False
            buffer.skip_line()
        else:
            buffer.skip_broken(self._in_array, fault)
        text = text[: buffer.taken - before].rstrip()
        return self._faulty(line, text, *problem)

    def _locate(self, record: Record, field: str) -> int:
        """Return the line of a field's key, or of its record."""
        if len(line_starts(record.text)) == 1:
            return record.line
        place = key_place(record.text, field, self._rules.columns.get(field, field))
        return record.line + _lines_before(record.text, place)


def _lines_before(text: str, place: int) -> int:
    """Count the lines that end before a place."""
    return bisect_right(line_starts(text), place) - 1


class _Comma:
    """What the commas around the values of an array must be like at one place.

    After a broken value it is unknown whether its comma was skipped with it.
    """

    def __init__(self) -> None:
        self.wanted = False
        self.trails = False
        self._tolerant = False

    def follows(self, is_good: bool) -> None:
        """Go on behind a value; `is_good` unless it was broken."""
        self.wanted = is_good
        self.trails = False
        self._tolerant = not is_good

    def found(self, in_array: bool) -> tuple[str, str] | None:
        """Take a comma; return what is wrong with it."""
        fine = in_array and (self.wanted or self._tolerant)
        self.trails = fine and not self._tolerant
        self.wanted = self._tolerant = False
        if fine:
            return None
        if in_array:
            return "a comma stands where a value belongs", "remove it"
        return "a comma stands between values outside an array", "remove it, or put all in [ ]"


def _no_payload(envelope: dict[str, Any]) -> tuple[str, str]:
    payload = envelope["payload"]
    if payload is None and "raw" in envelope:
        hint = "put the event in place of null, or remove the line"
        return "could not be read the first time: `payload` is null", hint
    return f"`payload` is {kind_of(payload)}, not an object", ""


def _explained(why: str, text: str, start: int, place: int, line: int) -> tuple[str, str]:
    """Say what keeps a text from being JSON, and where."""
    if "trailing comma" in why:  # from Python 3.13 on; before, the place is that of the bracket
        place = _SPACE.match(text, place + 1).end()  # type: ignore[union-attr]
    found = text[place : place + 1]
    ends = text[start:place].rstrip(WHITE_SPACE)[-1:]
    hint = ""
    if found == "'":
        what, hint = "single quotes", 'JSON has double quotes: "'
    elif text[place : place + 4] in ("None", "True", "Fals"):
        what, hint = "a word of Python", "JSON has null, true and false"
    elif "property name" in why and found not in "}":
        what, hint = "a key without double quotes", 'write "count": 1'
        if found == "{":
            what, hint = "a closing brace is missing before the next object", ""
    elif "property name" in why or (found in ("}", "]") and ends == ","):
        what, hint = "a comma before a closing bracket", "remove it"
    elif why.startswith("Expecting value") and found in "}]":
        what, hint = "no value", "write one, or remove the comma or the key before"
    else:
        what = next(
            (ours for theirs, ours in _FAULTS.items() if why.startswith(theirs)), "no value"
        )
    below = len(line_starts(text[start:place])) - 1
    where = f" in line {line + below}" if below else ""
    near = re.split("[\r\n]", text[place : place + 20], maxsplit=1)[0]
    quoted = f"`{near}`" if '"' in near else shown(near)
    at = f" at {quoted}" if near else " at the end of the line"
    return f"is not JSON: {what}{at}{where}", hint


_FAULTS = {
    "Expecting ',' delimiter": "a comma or a closing bracket is missing",
    "Expecting ':' delimiter": "a colon is missing",
    "Invalid control character": "a line break or control character inside a text",
    "Invalid \\escape": "a backslash that escapes nothing",
    "Invalid \\u": "an incomplete \\u escape",
    "Unterminated string": "a text without its closing quote",
}
"""What Python's decoder says, and what we say."""

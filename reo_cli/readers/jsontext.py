"""JSON text → values, one at a time from a bounded buffer; RFC 8259 decides.

What Python lets through or refuses is found, and told in the same words: NaN, repeated keys,
numbers out of range and 5,000-digit integers become a `Problem` instead of a value.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, NoReturn

from reo_cli.readers.columns import Problem
from reo_cli.readers.source import BLOCK
from reo_cli.readers.text import RECORD_LIMIT, Lines
from reo_cli.records import EXCERPT
from reo_cli.text import visible

TOO_LONG = Problem("too-long", "the record is longer than 1 MiB", "shorten it, or close it")
_TOO_DEEP = Problem("too-deep", "the value is nested too deeply", "an event may have 64 levels")
CUT_OFF = Problem(
    *("cut-off", "the input ends in the middle of a value"),
    "was it cut off? export it again",
)

_SPACE = re.compile("[ \t\n\ufeff\x1e]*")
"""White space, the marks of files that were joined, and what `jq --seq` writes before a value."""

_MARK = re.compile(r'\\.?|["{}\[\]]', re.DOTALL)
"""What tells where a value ends: quotes and brackets, and what escapes them."""

_TRIED_OFTEN = 4096
"""Characters of a value up to which each line that may end it is tried."""

_NEAR_END = 10
"""A fault so close to the end of a piece may be a literal, number or escape that is cut in two."""

_DIGITS_LIMIT = 4300
"""The most digits that Python turns into an integer."""


class Broken(Exception):
    """What ends an array, and all of the input behind it but further lines of NDJSON."""

    def __init__(self, problem: Problem, line: int) -> None:
        super().__init__(problem.message)
        self.problem = problem
        self.line = line


class Decoder:
    """Decodes one value at a time; `has_unkept` says that there are `Problem`s in it.

    They stand where JSON's grammar allows a value that nobody can keep.
    """

    def __init__(self) -> None:
        self.has_unkept = False
        self._decode = json.JSONDecoder(
            object_pairs_hook=self._object,
            parse_float=self._float,
            parse_int=self._integer,
            parse_constant=self._constant,
        ).raw_decode

    def decode(self, text: str, start: int) -> tuple[Any, int]:
        """Return the value at `start` and its end; JSONDecodeError and RecursionError else."""
        self.has_unkept = False
        return self._decode(text, start)

    def _unkept(self, code: str, message: str) -> Problem:
        self.has_unkept = True
        return Problem(code, message)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) != len(pairs):
            (twice, _), *_ = Counter(name for name, _ in pairs).most_common(1)
            message = f'the key "{visible(twice, 60)}" appears twice'
            value[twice] = self._unkept("key-twice", message)
        return value

    def _float(self, text: str) -> float | Problem:
        number = float(text)
        if math.isinf(number):
            message = f"the number {text[:40]} is too large for programs that read JSON"
            return self._unkept("too-large", message)
        return number

    def _integer(self, text: str) -> int | Problem:
        if len(text) > _DIGITS_LIMIT:
            return self._unkept("too-large", "an integer has over 4,300 digits")
        return int(text)

    def _constant(self, name: str) -> Problem:
        return self._unkept("not-json", f"{name} is not JSON: leave the field out or write null")


def unkept(value: Any) -> Iterator[Problem]:
    """Yield what stands in a value for what cannot be kept."""
    if isinstance(value, Problem):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from unkept(each)


class JSONText:
    """A place in a JSON text, of which what is at hand is kept; `line` is that of the place."""

    def __init__(self, lines: Lines) -> None:
        self.line = lines.line
        self.decoder = Decoder()
        self._lines = lines
        self._text = ""
        self._at = 0

    def next(self) -> str:
        """Go to the next character that counts and return it; "" at the end of the input."""
        while True:
            end = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]
            if end > self._at:
                self._advance(end)
            if end < len(self._text):
                return self._text[end]
            if not self._more():
                return ""

    def take(self, marks: str, why: str) -> str:
        """Go behind the next character, one of some, and return it; raises Broken for another."""
        here = self.next()
        if not here or here not in marks:
            self._break(why, self._at, is_cut=not here)
        self._advance(self._at + 1)
        return here

    def value(self) -> tuple[Any, str]:
        """Take the value at hand; return it and its text. Raises Broken."""
        while True:
            text, start = self._text, self._at
            try:
                value, end = self.decoder.decode(text, start)
            except json.JSONDecodeError as fault:
                rest = text[fault.pos :].strip(" \t\n")
                is_cut = not rest or fault.msg.startswith("Unterminated")
                may_go_on = is_cut or (text[-1:] != "\n" and len(text) - fault.pos <= _NEAR_END)
                if may_go_on and len(text) - start <= RECORD_LIMIT and self._more():
                    continue
                self._break(fault.msg, fault.pos, is_cut=is_cut)
            except RecursionError:
                raise Broken(TOO_LONG if self._is_long() else _TOO_DEEP, self.line) from None
            if end == len(text) and not isinstance(value, dict | list | str) and self._more():
                continue  # a number may go on in the next piece
            self._advance(end)
            return value, text[start:end]

    def excerpt(self) -> str:
        """Return the start of what is at hand."""
        return self._text[self._at : self._at + EXCERPT]

    def go_on(self, starts: str) -> None:
        """Go to the next line that begins with one of some characters; "" is any line."""
        while True:
            end = self._text.find("\n", self._at)
            self._advance(end + 1 if end >= 0 else len(self._text))
            if self._at == len(self._text) and not self._more():
                return
            if end >= 0 and (not starts or self._text[self._at] in starts):
                return

    def skip(self) -> None:
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
        finally:  # what stands before a line that cannot be read is kept
            self._text, self._at = "".join(parts), 0
        return size > tried

    def _advance(self, to: int) -> None:
        self.line += self._text.count("\n", self._at, to)
        self._at = to

    def _is_long(self) -> bool:
        return len(self._text) - self._at > RECORD_LIMIT

    def _break(self, why: str, at: int, *, is_cut: bool = False) -> NoReturn:
        """Raise what is wrong at a place of the text, which the buffer does not go beyond."""
        text = self._text
        line = self.line + text.count("\n", self._at, at)
        if self._is_long():
            raise Broken(TOO_LONG, self.line)
        if is_cut and not self._more():
            raise Broken(CUT_OFF, line)
        message, hint = _explained(why, text, at, at - text.rfind("\n", 0, at))
        raise Broken(Problem("not-json", message, hint), line)


def _explained(why: str, text: str, at: int, column: int) -> tuple[str, str]:
    """Say what keeps a text from being JSON, in Python's words, and what may have happened."""
    what, hint = why.partition(" at")[0].lower().replace("'", "`"), ""
    found = text[at : at + 5]
    if "trailing comma" in why or ("property name" in why and found[:1] == "}"):
        what = "a comma stands before a closing bracket"
    elif found[:1] == "'" or found.startswith(("None", "True", "False")):
        hint = "this is how Python writes it: use json.dumps"
    near = re.split("[\r\n]", text[at : at + 20], maxsplit=1)[0]
    return f"is not JSON: {what} in column {column}{f', at `{near}`' if near else ''}", hint

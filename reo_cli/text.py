"""Text on its way out: control characters made visible, secrets masked, words quoted for a shell.

Foreign text (a file's name, a cell, an answer of the server, an argument) goes through `visible`
before a person sees it, and everything that leaves the program through a `Mask`. Imports nothing
of reo, so that every part of it may use it.
"""

import re
from bisect import bisect_left
from functools import cached_property
from itertools import accumulate
from typing import Any

MASKED = "****"
SHORTEST_SECRET = 6
"""Masking a shorter text would tear holes into innocent words; a key has at least 8 characters."""

_LOOK_EMPTY = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    + "".join(map(chr, range(0xFE00, 0xFE10)))
    + "".join(map(chr, range(0xE0100, 0xE01F0)))
)
"""Characters that Python calls printable and that a reader cannot see: fillers and variation
selectors (Unicode's Default_Ignorable_Code_Point, without those that `isprintable` refuses)."""


def visible(text: str, limit: int = 200) -> str:
    r"""`text` on one line that shows what it holds, at most `limit` characters of it.

    Control, format, bidi and zero-width characters, separators other than the space and lone
    surrogates become escapes (`\x1b`, `\u202e`); what is cut off is marked by `…`.
    """
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    pieces = [
        each if each.isprintable() and each not in _LOOK_EMPTY else _escape(each)
        for each in text[: limit + 1]
    ]
    ends = list(accumulate(map(len, pieces)))
    if not ends or ends[-1] <= limit:
        return "".join(pieces)
    return "".join(pieces[: bisect_left(ends, limit)]) + "…"


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def inert(text: str) -> str:
    r"""`text` without a command for the machine that reads a CI log.

    GitHub's runner obeys a line that begins with `::` (after white space) and `##[` anywhere in a
    line, Azure's and TeamCity's `##vso[` and `##teamcity[`; the first of the two characters becomes
    an escape (`\x3a`, `\x23`), so that a person still sees what stood there.
    """
    if "::" not in text and "##" not in text:
        return text
    text = re.sub(r"(?m)^(\s*):(?=:)", r"\1\\x3a", text)
    return re.sub(r"#(?=#\w*\[)", r"\\x23", text)


class Mask:
    """Replaces secrets by `****`; one object a process, told the key as soon as it is known.

    A secret is found also as it is written in JSON (`\\"`, `\\/`, `\\u002f`) and in a URL (`%2F`).
    """

    def __init__(self, *secrets: str) -> None:
        self._secrets: tuple[str, ...] = ()
        for secret in secrets:
            self.hide(secret)

    def hide(self, secret: str) -> None:
        """Mask `secret` from now on."""
        if len(secret) >= SHORTEST_SECRET:
            self._secrets = tuple(sorted({*self._secrets, secret}, key=len, reverse=True))
            self.__dict__.pop("_spelled", None)

    def __call__(self, text: str) -> str:
        """`text` with every secret replaced by `****`."""
        if not self._secrets:
            return text
        if "\\" in text or "%" in text:
            return self._spelled.sub(MASKED, text)
        for secret in self._secrets:
            text = text.replace(secret, MASKED)
        return text

    def data(self, data: bytes) -> bytes:
        """Bytes that a server sent, masked alike."""
        return self(data.decode("latin-1")).encode("latin-1")

    def values(self, value: object) -> object:
        """`value` as JSON has it, with every text in it masked; keys of objects too."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, dict):
            return {self(str(key)): self.values(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.values(item) for item in value]
        return value

    @cached_property
    def _spelled(self) -> re.Pattern[str]:
        return re.compile("|".join("".join(map(_spellings, each)) for each in self._secrets))


def _spellings(character: str) -> str:
    """All ways to write one character: plain, `\\/`, `\\u002f`, `%2F`."""
    plain, code = re.escape(character), f"{ord(character):02x}"
    return rf"(?:%(?i:{code})|\\u00(?i:{code})|\\?{plain})"


def pasted(word: str) -> str:
    """Quote a word for a shell so that what is pasted from a terminal is the same word.

    Characters that a terminal doesn't show, or that are easily lost, are written as escapes.
    """
    import shlex

    if all(map(_is_plain, word)):
        return shlex.quote(word)
    return "$'" + "".join(map(_in_quotes, word)) + "'"


def _is_plain(character: str) -> bool:
    return character.isalnum() or (character.isascii() and character.isprintable())


def _in_quotes(character: str) -> str:
    if _is_plain(character):
        return f"\\{character}" if character in "\\'" else character
    if "\udc80" <= character <= "\udcff":  # a byte of a file's name that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return _escape(character).replace("\\x", "\\u00")


def shown(raw: Any, limit: int = 60) -> str:
    """Quote a value for a message: as JSON, cut at `limit` characters."""
    import json

    text = raw if isinstance(raw, str) else json.dumps(raw, default=str)
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    return f'"{text}"' if isinstance(raw, str) else text


def kind_of(raw: Any) -> str:
    """Name the JSON type of a value the way JSON's own specification does."""
    match raw:
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
        case dict():
            return "an object"
        case _:
            return "null"

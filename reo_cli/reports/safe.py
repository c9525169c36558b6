"""Text that is safe to show: control characters made visible, the key masked, commands made inert.

Foreign text (a file's name, a cell, an answer of the server, an argument) goes through `visible`
before it reaches a terminal or a pipe, and everything that leaves the program through a `Mask`.
Nothing here knows a stream or a format.
"""

import re
from collections.abc import Iterable

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

_RUNNER_COMMAND = r"(?m)^(\s*):(?=:)|#(?=#\w*\[)"


def visible(text: str, limit: int = 200) -> str:
    r"""`text` on one line that shows what it holds, at most `limit` characters of it.

    Control, format, bidi and zero-width characters, separators other than the space and lone
    surrogates become escapes (`\x1b`, `\u202e`); what is cut off is marked by `…`.
    """
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    pieces = [_shown(character) for character in text[: limit + 1]]
    if len(text) <= limit and sum(map(len, pieces)) <= limit:
        return "".join(pieces)
    return "".join(_fitting(pieces, limit - 1)) + "…"


def _shown(character: str) -> str:
    if character.isprintable() and character not in _LOOK_EMPTY:
        return character
    return character.encode("unicode_escape").decode("ascii")


def _fitting(pieces: Iterable[str], room: int) -> Iterable[str]:
    for piece in pieces:
        room -= len(piece)
        if room < 0:
            return
        yield piece


def inert(text: str) -> str:
    r"""`text` without a command for the machine that reads a CI log.

    GitHub's runner obeys a line that begins with `::` (after white space) and `##[` anywhere in a
    line, Azure's and TeamCity's `##vso[` and `##teamcity[`; the first of the two characters becomes
    an escape (`\x3a`, `\x23`), so that a person still sees what stood there.
    """
    if "::" not in text and "##" not in text:
        return text
    return re.sub(
        _RUNNER_COMMAND, lambda match: "\\x23" if match[0] == "#" else f"{match[1]}\\x3a", text
    )


class Mask:
    """Replaces secrets by `****`; one object a process, told the key as soon as it is known."""

    def __init__(self) -> None:
        self._secrets: tuple[str, ...] = ()

    def hide(self, secret: str) -> None:
        """Mask `secret` from now on, also in the escaped form it has inside quotes."""
        if len(secret) < SHORTEST_SECRET:
            return
        quoted = secret.replace("\\", "\\\\")
        forms = {*self._secrets, secret, quoted, quoted.replace('"', '\\"')}
        self._secrets = tuple(sorted(forms, key=len, reverse=True))

    def __call__(self, text: str) -> str:
        """`text` with every secret replaced by `****`."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, MASKED)
        return text

    def values(self, value: object) -> object:
        """`value` as JSON has it, with every text in it masked; keys of objects too."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, dict):
            return {self(str(key)): self.values(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.values(item) for item in value]
        return value

    def touches(self, text: str) -> bool:
        """Whether a secret stands in `text`."""
        return any(secret in text for secret in self._secrets)

"""The values of single fields: what was read → what is sent, or what is wrong with it.

Every parser takes the raw value (text from CSV and flags, any JSON value from JSON) and returns a
`Checked`. They are pure, never raise, and know nothing of files, records or other fields.
"""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, Literal, NamedTuple


class Finding(NamedTuple):
    """What is wrong (`error`) or odd (`warning`) with a value, and how to mend it."""

    severity: Literal["error", "warning"]
    message: str
    hint: str = ""


Checked = tuple[Any, tuple[Finding, ...]]
"""A value ready to be sent, or None when it is absent or has an error; and what was found.

A bare tuple, because one is made for each value of a large file: a named one takes six times as
long to make.
"""

Parser = Callable[[Any], Checked]

LONGEST_KEPT = 256
"""Characters of the longest value of which a parser remembers what it is."""


def remembered(size: int) -> Callable[[Parser], Parser]:
    """Let a parser remember what it said of the last values, but of long ones.

    It tells values of different types apart. Arrays and objects have no hash: TypeError.
    """

    def decorated(parse: Parser) -> Parser:
        known = lru_cache(maxsize=size, typed=True)(parse)

        @wraps(parse)
        def parser(raw: Any) -> Checked:
            if len(raw if raw.__class__ is str else getattr(raw, "text", "")) > LONGEST_KEPT:
                return parse(raw)
            return known(raw)

        return parser

    return decorated


ABSENT: Checked = (None, ())


class QuotedNumber(str):
    """A JSON string where a number belongs: `"12"` is as wrong there as a boolean."""


def error(message: str, hint: str = "") -> Checked:
    """Return no value and the error that explains why."""
    return None, (Finding("error", message, hint),)


def warned(value: Any, message: str, hint: str = "") -> Checked:
    """Return the value with one warning."""
    return value, (Finding("warning", message, hint),)


def shown(raw: Any, limit: int = 60) -> str:
    """Quote a value for a message: as JSON, cut at `limit` characters."""
    text = raw if isinstance(raw, str) else _as_json(raw)
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    return f'"{text}"' if isinstance(raw, str) else text


def _as_json(raw: Any) -> str:
    import json

    return json.dumps(raw, default=str)


_NOTHING = frozenset(
    [
        *("-", "--", "?", "n/a", "na", "nan", "nil", "none", "null", "undefined", "unknown"),
        *("(none)", "(null)", "(not set)", "(empty)"),
    ]
)
NOTHING_HINT = "leave it empty where it is not known"


def stands_for_nothing(text: str) -> bool:
    """Tell whether a text is how people and programs write that there is no value."""
    return text.strip().lower() in _NOTHING


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


def not_a(expected: str, raw: Any, hint: str = "") -> Checked:
    """Return the error for a value of another JSON type; null is absent."""
    if raw is None:
        return ABSENT
    return error(f"{shown(raw)} is {kind_of(raw)}, not {expected}", hint)

"""What the parsers of single fields share: a value ready to be sent, or the issues it has.

Every parser takes what was read (text from CSV and flags, any JSON value from JSON) and returns a
`Checked`. Parsers are pure and never raise; they know nothing of files, records or other fields,
so the checker adds to their issues where they stand.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from reo_cli.records import Issue, Severity
from reo_cli.text import kind_of, pasted, shown

Checked = tuple[Any, Sequence[Issue]]
"""The value as it is sent, or None when it is absent or has an error; and what was found."""

Parser = Callable[[Any], Checked]

Option = tuple[str, str]
"""A command line option and its value, such as `("--thousands", ",")`."""

ABSENT: Checked = (None, ())

EXACT_LIMIT = 2**53
"""Integers beyond it change in programs that read JSON numbers as doubles (RFC 8259, 6)."""

PLACEHOLDERS = frozenset(
    "null undefined nan none nil n/a - -- \\n (none) (null) #n/a #ref! #value! #name? #div/0!"
    " #num!".split()
) | {"(not set)", "[object object]"}
"""What programs write, in lower case, where they have nothing."""

_UNKNOWN = frozenset("unknown na ? --- (empty)".split())
"""What people write there; as a text of its own it may mean something."""

NOTHING_HINT = "leave it empty where it is not known"


def issue(severity: Severity, code: str, message: str, hint: str = "", *options: Option) -> Issue:
    """Return an issue that has no place yet; each of `options` alone would mend it.

    Where there are options the hint may begin with `if`, `for`, `to` or `which`, and so qualify
    them, or it is another way to mend it.
    """
    return Issue("", 0, 0, "", severity, message, hint, code=code, options=options)


def with_options(found: Issue, options: Sequence[Option]) -> str:
    """Return the hint of an issue with those of its options that the command line takes."""
    hint, qualifies = found.hint, found.options and re.match("(?:if|for|to) ", found.hint)
    if not options:
        return "" if qualifies else hint
    adds = "add " + " or ".join(f"{name} {pasted(value)}" for name, value in options)
    if qualifies:
        return f"{adds} {hint}"
    if not hint or hint.startswith("which "):
        return f"{adds}, {hint}".removesuffix(", ")
    return f"{hint}, or {adds}"


def error(code: str, message: str, hint: str = "", *options: Option) -> Checked:
    """Return no value and the error that explains why."""
    return None, (issue("error", code, message, hint, *options),)


def warned(value: Any, code: str, message: str, hint: str = "", *options: Option) -> Checked:
    """Return the value with one warning."""
    return value, (issue("warning", code, message, hint, *options),)


def not_a(expected: str, raw: Any, hint: str = "") -> Checked:
    """Return the error for a value of another JSON type; null is absent."""
    if raw is None:
        return ABSENT
    if isinstance(raw, list | dict):
        return error("wrong-type", f"is {kind_of(raw)}, not a single value")
    return error("wrong-type", f"{shown(raw)} is {kind_of(raw)}, not {expected}", hint)


def from_text(raw: Any, expected: str, code: str, read: Callable[[str], Checked]) -> Checked:
    """Read a value that is written as text, without the space around it.

    A blank is absent; a text that stands for nothing is the error `code`.
    """
    if not isinstance(raw, str):
        return not_a(expected, raw)
    text = raw.strip()
    if not text:
        return ABSENT
    if text.lower() in PLACEHOLDERS | _UNKNOWN:
        return error(code, f"{shown(text)} is not {expected}", NOTHING_HINT, ("--null", text))
    return read(text)

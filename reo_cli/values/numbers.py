"""Whole numbers: strict where `int()` is lenient, with a message for each way to get them wrong."""

import re
from functools import lru_cache
from typing import Any

from reo_cli.values import ABSENT, Checked, QuotedNumber, error, not_a, shown, warned
from reo_cli.values.patterns import Pattern

EXACT_LIMIT = 2**53
"""Integers beyond it change in programs that read JSON numbers as doubles (RFC 8259, 6)."""

DIGITS_LIMIT = 4300
"""The most digits Python turns into an int; more is an error, never a crash."""

_WHOLE = Pattern(r"-?(?:0|[1-9][0-9]*)(?:\.00?)?\Z")
_GROUPED = Pattern(
    r"-?[0-9]{1,3}([.,'_ \u00a0\u202f\u2019])(?:[0-9]{2,3}\1)*[0-9]{3}(?:([.,])([0-9]+))?\Z"
)
_EXPONENT = Pattern(r"[-+]?[0-9]+(?:[.,][0-9]+)?[eE][-+]?[0-9]+\Z")
_DECIMAL = Pattern(r"[-+]?([0-9]*)[.,][0-9]+\Z")

_SEPARATORS = {
    ",": "comma",
    ".": "dot",
    "'": "apostrophe",
    "\u2019": "apostrophe",
    "_": "underscore",
}


class ExactFloat(float):
    """A JSON number whose text would change on the way through a double; keeps that text.

    Two are equal when their texts are, so that what is remembered of one is never taken for another
    that has the same nearest double.
    """

    text: str

    def __new__(cls, text: str) -> "ExactFloat":
        """Read `text` as a double and remember it."""
        self = super().__new__(cls, text)
        self.text = text
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ExactFloat) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


def count(raw: Any) -> Checked:
    """Check a `count`: a whole number, zero or more; `N` or `N.0`.

    The plain case comes first and is not remembered: the counts of a large file differ.
    """
    if raw.__class__ is int and 0 < raw <= EXACT_LIMIT:
        return raw, ()
    is_short = raw.__class__ is str and len(raw) <= 15
    if is_short and raw.isdecimal() and raw.isascii() and raw[0] != "0":
        return int(raw), ()
    return _other_count(raw)


@lru_cache(maxsize=1024, typed=True)
def _other_count(raw: Any) -> Checked:
    checked = whole(raw)
    number = checked[0]
    if number is None or number > 0:
        return checked
    if number < 0:
        return error(f"{shown(raw)} is negative", "a count is zero or more")
    return warned(0, "0 says that nothing happened", "leave such rows out")


def whole(raw: Any) -> Checked:
    """Check a whole number given as text (`1250`, `1250.0`) or as a JSON number."""
    if isinstance(raw, QuotedNumber):
        return _from_quoted(raw)
    if isinstance(raw, str):
        return _from_text(raw)
    if isinstance(raw, bool):
        return not_a("a whole number", raw)
    if isinstance(raw, int):
        return _bounded(raw)
    if isinstance(raw, float):
        return _from_float(raw)
    return not_a("a whole number", raw)


def exact_integer(raw: float) -> int | None:
    """Return the integer that a JSON number like `1250.0` or `1.25e3` is, else None.

    Decided by the digits as they stand there: the nearest double may be another number.
    """
    if not raw.is_integer():
        return None
    if not isinstance(raw, ExactFloat):
        return int(raw)
    from decimal import Decimal

    number = Decimal(raw.text)
    as_integer = number.to_integral_value()
    return int(number) if number == as_integer else None


def _from_float(raw: float) -> Checked:
    number = exact_integer(raw)
    if number is not None:
        return _bounded(number)
    text = raw.text if isinstance(raw, ExactFloat) else repr(raw)
    return error(f"{text[:60]} is not a whole number", _rounded(text))


def _rounded(text: str) -> str:
    decimal = _DECIMAL.match(text)
    if decimal is None or len(decimal[1]) > 15:
        return "round it"
    return f"round it, for instance to {round(float(text.replace(',', '.')))}"


def _from_quoted(raw: str) -> Checked:
    number, findings = _from_text(raw)
    if number is None:
        return None, findings
    return error(f"{shown(raw)} is a string, not a number", f"remove the quotes: {number}")


def _from_text(raw: str) -> Checked:
    if _WHOLE.match(raw):
        if len(raw) > DIGITS_LIMIT:
            return error(f"{shown(raw)} has {len(raw):,} digits", "no count is that large")
        return _bounded(int(raw.partition(".")[0]))
    return ABSENT if not raw.strip() else _not_whole(raw)


def _bounded(number: int) -> Checked:
    if abs(number) > EXACT_LIMIT:
        return warned(
            number,
            f"{shown(number)} is beyond 2^53",
            "programs that read JSON numbers as doubles will round it",
        )
    return number, ()


def _not_whole(raw: str) -> Checked:
    what = f"{shown(raw)} is not a whole number"
    text = raw.strip()
    grouped = _GROUPED.match(text)
    if grouped and grouped[1] != grouped[2]:
        return error(what, _ungrouped(text, grouped))
    if text != raw:
        mended = f": {text}" if _WHOLE.match(text[:DIGITS_LIMIT]) and len(text) < 40 else ""
        return error(what, f"remove the spaces around it{mended}")
    if _EXPONENT.match(raw):
        return error(
            what,
            "a spreadsheet shortened it and digits may be lost: "
            "format the column as a number without decimals and export again",
        )
    if raw[0] == "+" and raw[1:].isdecimal():
        return error(what, f"remove the plus sign: {raw[1:41]}")
    if raw.isdecimal() and raw.isascii():
        return error(f"{shown(raw)} has leading zeros", f"write {raw.lstrip('0')[:40] or '0'}")
    if raw.isdecimal():
        plain = str(int(raw)) if len(raw) <= 40 else "1250"
        return error(what, f"write it with the digits 0 to 9: {plain}")
    if _DECIMAL.match(raw):
        return error(what, _rounded(raw))
    return error(what, "use digits only, such as 1250")


def _ungrouped(text: str, grouped: re.Match[str]) -> str:
    """Return the hint for a number with thousands separators, and perhaps decimals."""
    name = _SEPARATORS.get(grouped[1], "space")
    digits = text[: grouped.start(2)] if grouped[3] else text
    plain = re.sub("[^-0-9]", "", digits)
    then = ", and round it" if (grouped[3] or "").strip("0") else ", and the decimals"
    return f"remove the {name}, the thousands separator{then if grouped[3] else ''}: {plain[:40]}"

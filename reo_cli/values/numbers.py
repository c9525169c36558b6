"""Whole numbers: strict where `int()` is lenient, with a message for each way to get them wrong."""

import re
from typing import Any

from reo_cli.values import (
    ABSENT,
    Checked,
    QuotedNumber,
    error,
    not_a,
    remembered,
    shown,
    warned,
)
from reo_cli.values.patterns import Pattern

EXACT_LIMIT = 2**53
"""Integers beyond it change in programs that read JSON numbers as doubles (RFC 8259, 6)."""

DIGITS_LIMIT = 4300
"""The most digits Python turns into an int; more is an error, never a crash."""

_WHOLE = Pattern(r"-?(?:0|[1-9][0-9]*)(?:\.00?)?\Z")
_GROUPED = Pattern(
    r"([1-9][0-9]{0,2}([.,'_ \u00a0\u202f\u2019])(?:[0-9]{2,3}\2)*[0-9]{3})(?:([.,])([0-9]+))?\Z"
)
_PARTS = Pattern(r"(-?[0-9]+)(?:\.([0-9]+))?(?:[eE]([-+]?[0-9]+))?\Z")
_POWER_DIGITS = 10
_NEGATIVE = Pattern(r"\s*[-\u2212][0-9]")
_EXPONENT = Pattern(r"[-+]?[0-9]+(?:[.,][0-9]+)?[eE][-+]?[0-9]+\Z")
_DECIMAL = Pattern(r"(0|[1-9][0-9]*)?[.,]([0-9]+)\Z")

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


@remembered(1024)
def _other_count(raw: Any) -> Checked:
    checked = whole(raw)
    number = checked[0]
    if number is None or number > 0:
        return checked
    if number < 0:
        return _negative(raw)
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
    whole_part, decimals, exponent = _PARTS.match(raw.text).groups("")  # type: ignore[union-attr]
    digits = (whole_part + decimals).lstrip("-0")
    significant = digits.rstrip("0")
    if not significant:
        return 0
    power = exponent.lstrip("-+0") or "0"
    if len(power) > _POWER_DIGITS:  # it is negative: such a number would be infinite
        return None
    shift = -int(power) if exponent.startswith("-") else int(power)
    zeros = len(digits) - len(significant) - len(decimals) + shift
    number = int(significant) * 10**zeros if zeros >= 0 else None
    return -number if number is not None and raw.text.startswith("-") else number


def _from_float(raw: float) -> Checked:
    number = exact_integer(raw)
    if number is not None:
        return _bounded(number)
    text = raw.text if isinstance(raw, ExactFloat) else repr(raw)
    if raw < 0:
        return error(f"{text[:60]} is negative", "a count is zero or more")
    decimal = _DECIMAL.match(text)
    hint = _rounded(*decimal.groups()) if decimal else "round it"
    return error(f"{text[:60]} is not a whole number", hint)


def _rounded(whole_part: str | None, decimals: str) -> str:
    if whole_part and len(whole_part) > 15:
        return "round it"
    return f"round it, for instance to {int(whole_part or 0) + (decimals >= '5')}"


def _from_quoted(raw: str) -> Checked:
    number, findings = _from_text(raw)
    if number is None:
        return None, findings
    if number < 0:
        return _negative(raw)
    return error(f"{shown(raw)} is a string, not a number", f"write {number} without quotes")


def _negative(raw: Any) -> Checked:
    return error(f"{shown(raw)} is negative", "a count is zero or more")


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
    """Say what is wrong with a text, and what to write instead where that can be known."""
    if _NEGATIVE.match(raw):
        return _negative(raw)
    what = f"{shown(raw)} is not a whole number"
    text = raw.strip()
    bare = text.removeprefix("+")
    grouped = _GROUPED.match(bare)
    if grouped and grouped[2] != grouped[3]:
        return error(what, _ungrouped(grouped))
    if _EXPONENT.match(bare):
        return error(
            what,
            "a spreadsheet shortened it and digits may be lost: "
            "format the column as a number without decimals and export again",
        )
    plain = bare.lstrip("0")[:40] or "0"
    if bare.isdecimal() and bare.isascii():
        if text != raw:
            return error(what, f"remove the spaces around it: {plain}")
        if bare != text:
            return error(what, f"remove the plus sign: {plain}")
        return error(f"{shown(raw)} has leading zeros", f"write {plain}")
    if bare.isdecimal():
        return error(what, f"write it with the digits 0 to 9: {int(bare[:40])}")
    if _WHOLE.match(bare[:DIGITS_LIMIT]):  # such as " 12.0"
        return error(what, f"write {bare.partition('.')[0][:40]}")
    decimal = _DECIMAL.match(bare)
    if decimal:
        return error(what, _rounded(*decimal.groups()))
    return error(what, "use digits only, such as 1250")


def _ungrouped(grouped: re.Match[str]) -> str:
    """Return the hint for a number with thousands separators, and perhaps decimals."""
    name = _SEPARATORS.get(grouped[2], "space")
    number = int(re.sub("[^0-9]", "", grouped[1])[:40])
    then = ""
    if grouped[3]:
        exact = not grouped[4].strip("0")
        number += grouped[4] >= "5"
        then = ", and the decimals" if exact else ", and round it"
    return f"remove the {name}, the thousands separator{then}: {number}"

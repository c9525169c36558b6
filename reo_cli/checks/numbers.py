"""`count`: strict where `int()` is lenient, with a message for each way to get it wrong."""

import re
from typing import Any

from reo_cli.checks.values import EXACT_LIMIT, Checked, Parser, error, from_text, issue, warned
from reo_cli.records import Issue
from reo_cli.text import shown

DIGITS_LIMIT = 4000
"""More digits are an error, never a crash: Python turns at most 4,300 into an int."""

_PLAIN = re.compile(r"[1-9][0-9]{0,14}\Z")

THOUSANDS = {",": ",", ".": ".", "'": "'’", "space": " \u00a0\u202f"}
"""The values of `--thousands`, and the characters that each stands for."""

_NAMES = {",": "comma", ".": "dot", "'": "apostrophe", "_": "underscore"}
_SEPARATED = (
    r"\+?([1-9][0-9]{0,2}([.,'_ \u00a0\u202f’])(?:[0-9]{2,3}\2)*[0-9]{3})(?:(?!\2)[.,]([0-9]+))?"
)

_SPREADSHEET = (
    "a spreadsheet shortened it and digits may be lost: "
    "format the column as a number without decimals and export again"
)
_NOT_WHOLE = "is not a whole number"
_WRONG = (
    ("[-\u2212][0-9].*", "negative", "is negative", "a count is zero or more"),
    (r"\+?[0-9]+(?:[.,][0-9]+)?[eE][-+]?[0-9]+", "spreadsheet-number", _NOT_WHOLE, _SPREADSHEET),
    (r"\+[0-9]+", "not-a-number", "has a plus sign", "write "),
    ("[0-9]+", "not-a-number", "has leading zeros", "write "),
    (r"\+?\d+", "not-a-number", _NOT_WHOLE, "write it with the digits 0 to 9: "),
    (r"\+?[0-9]*[.,][0-9]+", "decimals", _NOT_WHOLE, "round it, for instance to "),
    ("(?s:.*)", "not-a-number", _NOT_WHOLE, "use digits only, such as 1250"),
)
"""Patterns of wrong numbers, the first that fits: code, what is wrong, and what to do.

Where that ends in a space, the number that is meant belongs there."""


def counts(thousands: str | None = None) -> Parser:
    """Return the parser of `count`: a whole number, zero or more; `N` or `N.0`.

    With `thousands`, one of `THOUSANDS`, its digits may also stand in groups of three.
    """

    def count(raw: Any) -> Checked:
        if raw.__class__ is str and _PLAIN.match(raw):
            return int(raw), ()
        if isinstance(raw, float) and not raw.is_integer():
            return _not_whole(repr(raw), repr(raw))
        if isinstance(raw, int | float) and not isinstance(raw, bool):
            return _bounded(int(raw))
        return from_text(raw, "a whole number", "not-a-number", written)

    def written(text: str) -> Checked:
        plain = text
        if thousands and _is_grouped(text, THOUSANDS[thousands]):
            plain = re.sub(r"\D00?\Z|[^-0-9]", "", text)
        if not re.fullmatch(r"-?(?:0|[1-9][0-9]*)(?:\.00?)?", plain):
            return _not_whole(text, shown(text), one_mark=bool(thousands))
        whole = plain.partition(".")[0]
        if len(whole) > DIGITS_LIMIT:
            what = f"{shown(text)} has {len(whole):,} digits"
            return error("too-large", what, "no count is so large")
        return _bounded(int(whole))

    return count


def _is_grouped(text: str, marks: str) -> bool:
    pattern = rf"-?[1-9][0-9]{{0,2}}([{marks}])[0-9]{{3}}(?:\1[0-9]{{3}})*(?:\D00?)?"
    return re.fullmatch(pattern, text) is not None


def _bounded(number: int) -> Checked:
    if 0 < number <= EXACT_LIMIT:
        return number, ()
    if number < 0:
        return error("negative", f"{shown(number)} is negative", "a count is zero or more")
    if not number:
        what = "0 says that nothing happened"
        return warned(0, "zero", what, "leave such rows out", ("--skip", "count=0"))
    hint = "programs that read JSON numbers as doubles will round it"
    return warned(number, "big-integer", f"{shown(number)} is beyond 2^53", hint)


def _not_whole(text: str, quoted: str, *, one_mark: bool = False) -> Checked:
    """Say what is wrong with a number, and what to write instead where that can be known.

    `one_mark`: what stands between thousands is said already, and there is one such option.
    """
    separated = re.fullmatch(_SEPARATED, text)
    if separated:
        found = _separated(text, f"{quoted} {_NOT_WHOLE}", *separated.groups(""))
        return None, [found._replace(options=() if one_mark else found.options)]
    code, what, hint = next(row[1:] for row in _WRONG if re.fullmatch(row[0], text))
    return error(code, f"{quoted} {what}", hint + (_near(text) if hint.endswith(" ") else ""))


def _near(text: str) -> str:
    """Return the whole number that is next to a number, cut where that is a long one."""
    whole, _, decimals = text.replace(",", ".").partition(".")
    return shown(int(whole[:DIGITS_LIMIT] or 0) + (decimals >= "5"))


def _separated(text: str, what: str, whole: str, mark: str, decimals: str) -> Issue:
    """Return the error for a number with thousands separators, and perhaps decimals."""
    number = int(re.sub("[^0-9]", "", whole)[:40]) + (decimals >= "5")
    value = next((each for each, marks in THOUSANDS.items() if mark in marks), mark)
    then = ", and round it" if decimals else ""
    hint = f"remove the {_NAMES.get(value, value)}, the thousands separator{then}: {number}"
    mends = value in THOUSANDS and _is_grouped(text, THOUSANDS[value])
    options = [("--thousands", value)] if mends else []
    return issue("error", "thousands-separator", what, hint, *options)

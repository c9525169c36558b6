"""`count`: strict where `int()` is lenient, with a message for each way to get it wrong."""

import re
from typing import Any

from reo_cli.checks.texts import EXACT_LIMIT
from reo_cli.checks.values import (
    ABSENT,
    Checked,
    Option,
    Parser,
    error,
    not_a,
    nothing,
    stands_for_nothing,
    warned,
)
from reo_cli.text import shown

DIGITS_LIMIT = 4000
"""More digits are an error, never a crash: Python turns at most 4,300 into an int."""

_PLAIN = re.compile(r"[1-9][0-9]{0,14}\Z")
_MARKS = {
    ",": ("comma", ","),
    ".": ("dot", "."),
    "'": ("apostrophe", "'’"),
    "space": ("space", " \u00a0\u202f"),
}
"""The values of `--thousands`: what each is called, and the characters it stands for."""

THOUSANDS = tuple(_MARKS)
_SPREADSHEET = (
    "a spreadsheet shortened it and digits may be lost: "
    "format the column as a number without decimals and export again"
)


def counts(thousands: str | None = None) -> Parser:
    """Return the parser of `count`: a whole number, zero or more; `N` or `N.0`.

    With `thousands`, one of `THOUSANDS`, its digits may also stand in groups of three.
    """
    grouped = _grouped(_MARKS[thousands][1]) if thousands else None

    def count(raw: Any) -> Checked:
        if raw.__class__ is str:
            if _PLAIN.match(raw):
                return int(raw), ()
            return _from_text(raw, grouped)
        if isinstance(raw, bool) or not isinstance(raw, int | float):
            return not_a("a whole number", raw)
        if isinstance(raw, float) and not raw.is_integer():
            return _not_whole(repr(raw), repr(raw))
        return _bounded(int(raw))

    return count


def _grouped(marks: str) -> "re.Pattern[str]":
    return re.compile(rf"-?[1-9][0-9]{{0,2}}([{marks}])[0-9]{{3}}(?:\1[0-9]{{3}})*(?:\D00?)?")


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


def _from_text(raw: str, grouped: "re.Pattern[str] | None") -> Checked:
    text = raw.strip()
    if not text:
        return ABSENT
    if grouped and grouped.fullmatch(text):
        text = re.sub(r"[^-0-9]", "", re.sub(r"\D0{1,2}\Z", "", text))
    if not re.fullmatch(r"-?(?:0|[1-9][0-9]*)(?:\.00?)?", text):
        return _not_whole(text, shown(raw))
    whole = text.partition(".")[0]
    if len(whole) > DIGITS_LIMIT:
        return error("too-large", f"{shown(raw)} has {len(whole):,} digits", "no count is so large")
    return _bounded(int(whole))


def _not_whole(text: str, quoted: str) -> Checked:
    """Say what is wrong with a number, and what to write instead where that can be known."""
    if re.match("[-\u2212][0-9]", text):
        return error("negative", f"{quoted} is negative", "a count is zero or more")
    what = f"{quoted} is not a whole number"
    bare = text.removeprefix("+")
    separated = re.fullmatch(
        r"([1-9][0-9]{0,2}([.,'_ \u00a0\u202f’])(?:[0-9]{2,3}\2)*[0-9]{3})(?:([.,])([0-9]+))?", bare
    )
    if separated and separated[2] != separated[3]:
        return _separated(text, what, separated)
    if re.fullmatch(r"[-+]?[0-9]+(?:[.,][0-9]+)?[eE][-+]?[0-9]+", bare):
        return error("spreadsheet-number", what, _SPREADSHEET)
    if re.fullmatch("[0-9]+", bare):
        fault, plain = "has leading zeros", bare.lstrip("0")[:40] or "0"
        if bare != text:
            fault = "has a plus sign"
        return error("not-a-number", f"{quoted} {fault}", f"write {plain}")
    if bare.isdecimal():
        return error("not-a-number", what, f"write it with the digits 0 to 9: {int(bare[:40])}")
    decimal = re.fullmatch(r"([0-9]{0,15})[.,]([0-9]+)", bare)
    if decimal:
        near = int(decimal[1] or 0) + (decimal[2] >= "5")
        return error("decimals", what, f"round it, for instance to {near}")
    if re.fullmatch(r"[0-9]+[.,][0-9]+", bare):
        return error("decimals", what, "round it")
    if stands_for_nothing(text):
        return nothing("not-a-number", what, text)
    return error("not-a-number", what, "use digits only, such as 1250")


def _separated(text: str, what: str, found: "re.Match[str]") -> Checked:
    """Return the error for a number with thousands separators, and perhaps decimals."""
    value, (name, _) = next(
        (each for each in _MARKS.items() if found[2] in each[1][1]), ("", ("underscore", "_"))
    )
    number = int(re.sub("[^0-9]", "", found[1])[:40])
    then = ""
    if found[3]:
        exact = not found[4].strip("0")
        number += found[4] >= "5"
        then = ", and the decimals" if exact else ", and round it"
    hint = f"remove the {name}, the thousands separator{then}: {number}"
    options: tuple[Option, ...] = ()
    if value and _grouped(_MARKS[value][1]).fullmatch(text):
        options = (("--thousands", value),)
    return error("thousands-separator", what, hint, *options)

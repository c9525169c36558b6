"""Moments: epoch seconds, ISO 8601, `now`, or what `--date-format` names → epoch seconds.

A fraction of a second is cut off; a time without an offset is UTC.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from reo_cli.checks.dateformats import FORMATS, UNITS, format_issue, misfit, seconds_in
from reo_cli.checks.values import Checked, Parser, error, from_text, warned
from reo_cli.text import shown

FIRST_PLAUSIBLE = 1420070400
"""2015-01-01 UTC; earlier moments are a warning."""

SMALLEST_EPOCH = 10**8
"""All digits below it are a spreadsheet's day number or a YYYYMMDD date, not seconds."""

MOST_DIGITS = 12
"""Epoch seconds have no more; 13, 16 and 19 digits are other units."""

DAY = 86_400
YEAR_10000 = 253402300800

_PLAIN = re.compile(
    r"(?:[12][0-9]{9}|[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:Z|\+00:00)?)?)\Z"
)
_DIGITS = r"(-?[0-9]+)(?:\.[0-9]+)?\Z"
_ISO = (
    r"([0-9]{4}-?(?:[0-9]{2}-?[0-9]{2}|W[0-9]{2}(?:-?[1-7])?))"
    r"(?:(?:T| +)([0-9]{2})(?::?([0-9]{2})(?::?([0-9]{2})(?:[.,][0-9]+)?)?)?"
    r" ?(Z|UTC|GMT|([+-])([01][0-9]|2[0-3])(?::?([0-5][0-9]))?(?: UTC)?)?)?\Z"
)
_DATE = r"[0-9]{4}-?(?:[0-9]{2}-?[0-9]{2}|W[0-9]{2})"
_UNITS = {13: ("ms", "milliseconds"), 16: ("us", "microseconds"), 19: ("ns", "nanoseconds")}
"""The unit of a recent moment, by its digits."""

_WRITE = (
    "write seconds since 1970, or ISO 8601 such as 2026-01-31T12:30:15Z, or name a --date-format"
)
_SPREADSHEET = (
    "a spreadsheet shortened it and digits are lost: "
    "format the column as a number without decimals and export again"
)


class Now(int):
    """The run's own moment where `now` stands, to be told from a time that happens to be equal."""


def moment(now: int, date_format: str | None = None) -> Parser:
    """Return the parser of `event_at` for one run.

    `now` is the run's one instant in epoch seconds. `date_format` is one of `FORMATS`, a strptime
    format, or None. What is a time without any format stays one, but for digits in another unit.
    """
    unit = UNITS.get(date_format or "")
    latest = now + DAY

    def parse(raw: Any) -> Checked:
        if raw.__class__ is int and FIRST_PLAUSIBLE <= raw <= latest and not unit:
            return raw, ()
        if raw.__class__ is str and not date_format and _PLAIN.match(raw):
            seconds = _seconds(raw)
            if FIRST_PLAUSIBLE <= seconds <= latest:
                return seconds, ()
        if isinstance(raw, int | float) and not isinstance(raw, bool):
            raw = str(raw) if isinstance(raw, int) else f"{raw:.6f}"
        return from_text(raw, "a time", "not-a-time", written)

    def written(text: str) -> Checked:
        if text == "now":
            return Now(now), ()
        if date_format and not unit:
            seconds = seconds_in(text, date_format)
            if seconds is not None:
                return _plausible(seconds, text, latest)
            if not re.match(f"{_DIGITS}|{_DATE}", text):
                return misfit(text, date_format)
        seconds, found = _read(text, unit, latest)
        return (None, found) if seconds is None else _plausible(seconds, text, latest)

    return parse


def check_date_format(date_format: str) -> str | None:
    """Return what is wrong with a `--date-format`, or None."""
    if date_format in FORMATS:
        return None
    if "%" not in date_format:
        return f"is not one of {', '.join(FORMATS)} or a format such as `%d.%m.%Y`"
    try:
        datetime.strptime(datetime(2024, 2, 29, tzinfo=UTC).strftime(date_format), date_format)
    except (ValueError, re.error) as fault:
        return f"is not a format that can be read back: {fault}"
    return None


def _seconds(raw: str) -> int:
    """Return epoch seconds for what `_PLAIN` matches, 0 when it is no day or hour."""
    if raw[4] != "-":
        return int(raw)
    try:
        value = datetime.fromisoformat(raw)
    except ValueError:
        return 0
    return int((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp())


def _read(text: str, unit: int | None, latest: int) -> Checked:
    if digits := re.match(_DIGITS, text):
        return _from_digits(digits[1], unit, latest)
    iso = re.match(_ISO, text.upper())
    if iso and (seconds := _from_iso(iso)) is not None:
        return seconds, ()
    what = f"{shown(text)} is not a time" + (": there is no such day or hour" if iso else "")
    if re.match(r"[0-9]+(?:[.,][0-9]+)?[eE]\+?[0-9]+\Z", text):
        return error("spreadsheet-number", what, _SPREADSHEET)
    return format_issue(text) or error("not-a-time", what, _WRITE)


def _from_iso(iso: "re.Match[str]") -> int | None:
    """Return epoch seconds for what `_ISO` matches, None when it is no day or hour."""
    hour, minute, second, ahead, ahead_minutes = (int(n or 0) for n in iso.group(2, 3, 4, 7, 8))
    is_end = (hour, minute, second) == (24, 0, 0)
    if (hour > 23 and not is_end) or minute > 59 or second > 60:
        return None
    try:
        day = datetime.fromisoformat(iso[1]).replace(tzinfo=UTC)
    except ValueError:
        return None
    sign = 1 if iso[6] == "-" else -1
    hours, minutes = hour + sign * ahead, minute + sign * ahead_minutes
    return int(day.timestamp()) + 3600 * hours + 60 * minutes + second


def _from_digits(digits: str, unit: int | None, latest: int) -> Checked:
    """Read whole digits as epoch time in `unit` parts of a second, None: seconds."""
    size = len(digits.lstrip("-"))
    if digits[0] == "0" and size > 1:
        return error("leading-zeros", f"{shown(digits)} has leading zeros", _WRITE)
    if not unit and digits[0] != "-" and size in _UNITS:
        name, words = _UNITS[size]
        hint = f"to read it as {int(digits) // UNITS[name]}"
        what = f"{digits} is in {words}, not seconds"
        return error("epoch-unit", what, hint, ("--date-format", name))
    if size - len(str(unit or 1)) >= MOST_DIGITS:
        what = f"{shown(digits)} is not a time in epoch seconds"
        return format_issue(digits) or error("not-a-time", what, _WRITE)
    seconds = int(digits) // (unit or 1)
    is_small = 0 <= seconds < SMALLEST_EPOCH
    is_hour = not unit and size == 10 and seconds > latest and digits.startswith("20")
    if (is_small or is_hour) and (known := format_issue(digits)):
        return known
    if not is_small:
        return seconds, ()
    hint, what = _WRITE, f"{digits} is too small for epoch seconds"
    if unit and SMALLEST_EPOCH <= int(digits) <= latest:
        given = next(name for name, parts in UNITS.items() if parts == unit)
        what = f"{digits} is too small for --date-format {given}"
        hint = f"as seconds it is {datetime.fromtimestamp(int(digits), UTC):%Y-%m-%d}"
    elif 20_000 <= seconds < 80_000:
        day = datetime(1899, 12, 30, tzinfo=UTC) + timedelta(days=seconds)
        hint = f"a spreadsheet's day number: {day:%Y-%m-%d}; "
        hint += "format the column as a date and export again"
    return error("epoch-too-small", what, hint)


def _plausible(seconds: int, text: str, latest: int) -> Checked:
    """Return a moment, with a warning where it is old or in the future."""
    if seconds < 0:
        return error("before-1970", f"{shown(text)} is before 1970", "check the year")
    if FIRST_PLAUSIBLE <= seconds <= latest:
        return seconds, ()
    day = "after the year 9999"
    if seconds < YEAR_10000:
        day = f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
    shows = "" if text.startswith(day) else f" ({day})"
    if seconds < FIRST_PLAUSIBLE:
        return warned(seconds, "old-date", f"{shown(text)} is before 2015{shows}", "check the year")
    what = f"{shown(text)} is over a day in the future{shows}"
    return warned(seconds, "future-date", what, "check the year and the clock")

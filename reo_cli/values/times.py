"""Moments: epoch seconds, ISO 8601, `now`, or the format the user names → epoch seconds."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from reo_cli.values import ABSENT, Checked, Parser, error, not_a, remembered, shown, warned
from reo_cli.values.numbers import ExactFloat, exact_integer
from reo_cli.values.patterns import Pattern

FIRST_PLAUSIBLE = 1420070400
"""2015-01-01 UTC; earlier moments are a warning."""

SMALLEST_EPOCH = 10**8
"""All digits below it are a spreadsheet's day number or a YYYYMMDD date, not seconds."""

MOST_DIGITS = 12
"""Epoch seconds have no more; 13, 16 and 19 digits are other units."""

DAY = 86_400

ZONE = r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)"
"""The offset from UTC at the end of an ISO 8601 time."""

_UNITS = {13: 1_000, 16: 1_000_000, 19: 1_000_000_000}
_UNIT_NAMES = {13: "milliseconds", 16: "microseconds", 19: "nanoseconds"}
_DIGITS = Pattern(r"(-?[0-9]+)(?:\.0+)?\Z")
_FRACTION = Pattern(r"([0-9]{1,19})[.,][0-9]+\Z")
_ISO = Pattern(r"[0-9]{4}-?(?:[0-9]{2}-?[0-9]{2}|W[0-9]{2}(?:-?[1-7])?)(?:[Tt ].*)?\Z")
_WITH_CLOCK = Pattern(
    r"[^Tt ]+(?:[Tt ][0-9]{2}(?::[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?"
    rf"|[0-9]{{2}}(?:[0-9]{{2}}(?:[.,][0-9]+)?)?)?(?: ?{ZONE})?)?\Z"
)
"""`fromisoformat` takes 12.30 for a fraction of a second, and +01:60 for an offset."""

_PLAIN_ENDS = ("", "Z", "+00:00")
_GROUPED = Pattern(r"[0-9]{1,3}(?:,[0-9]{3})+\Z")
_SPREADSHEET = Pattern(r"[0-9]+(?:[.,][0-9]+)?[eE]\+?[0-9]+\Z")
_EXAMPLE = "write it as 2026-01-31 or 2026-01-31T12:00:00Z"


def moment(now: int, date_format: str | None = None) -> Parser:
    """Return the parser of `event_at` for one run.

    `now` is the run's one instant in epoch seconds. `date_format` is `day-first`, `month-first`,
    a strptime format, or None. A fraction of a second in an ISO 8601 time is cut off.
    """
    by_format = None
    if date_format:
        from reo_cli.values.dates import format_parser

        by_format = format_parser(date_format)
    latest = now + DAY

    def parse(raw: Any) -> Checked:
        # The plain case, at once and not remembered: the times of a large file differ.
        if raw.__class__ is int and FIRST_PLAUSIBLE <= raw <= latest:
            return raw, ()
        if by_format is None and raw.__class__ is str:
            seconds = _seconds_at_once(raw)
            if FIRST_PLAUSIBLE <= seconds <= latest:
                return seconds, ()
        return other(raw)

    @remembered(1024)
    def other(raw: Any) -> Checked:
        if isinstance(raw, str):
            stripped = raw.strip()
            if not stripped:
                return ABSENT
            if stripped == "now":
                return now, ()
            return _plausible(_from_text(raw, by_format), raw, latest)
        if isinstance(raw, bool) or not isinstance(raw, int | float):
            return not_a("a time", raw)
        return _plausible(_from_number(raw), raw, latest)

    return parse


def _seconds_at_once(raw: str) -> int:
    """Return epoch seconds for `1790000000` and `2026-01-31T12:00:00Z`, 0 for anything else."""
    if len(raw) == 10 and raw.isdecimal() and raw.isascii():
        return int(raw)
    if raw[4:5] == "-" and raw[10:11] == "T" and raw[16:17] == ":" and raw[19:] in _PLAIN_ENDS:
        try:
            return _seconds_of_iso(raw)
        except (ValueError, OverflowError):
            return 0
    return 0


def check_date_format(date_format: str) -> str | None:
    """Return what is wrong with a `--date-format`, or None."""
    from reo_cli.values.dates import ORDERED

    if date_format in ORDERED:
        return None
    if "%" not in date_format:
        return "is neither `day-first` nor `month-first` nor a format such as `%d.%m.%Y`"
    try:
        datetime.strptime(datetime(2024, 2, 29, tzinfo=UTC).strftime(date_format), date_format)
    except (ValueError, re.error) as fault:
        return f"is not a format that can be read back: {fault}"
    return None


def _plausible(checked: Checked, raw: Any, latest: int) -> Checked:
    seconds = checked[0]
    if seconds is None:
        return checked
    if seconds < 0:
        return error(f"{shown(raw)} is before 1970", "check the year")
    if seconds < FIRST_PLAUSIBLE:
        what = f"{shown(raw)} is before 2015{_on_day(seconds, raw)}"
        return warned(seconds, what, "check the year")
    if seconds > latest:
        what = f"{shown(raw)} is over a day in the future{_on_day(seconds, raw)}"
        return warned(seconds, what, "check the year and the clock")
    return checked


def _on_day(seconds: int, raw: Any) -> str:
    """Return the day of a moment in brackets, unless it stands there already."""
    day = _day(seconds)
    return "" if str(raw).startswith(day) else f" ({day})"


def _day(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
    except (ValueError, OverflowError, OSError):
        return "after the year 9999"


def _from_number(raw: float) -> Checked:
    number = exact_integer(raw) if isinstance(raw, float) else raw
    if number is not None:
        return _from_digits(str(number))
    text = raw.text if isinstance(raw, ExactFloat) else repr(raw)
    return error(f"{text[:60]} is not a whole number of seconds", _fraction_hint(text))


def _from_text(raw: str, by_format: Callable[[str], Checked] | None) -> Checked:
    digits = _DIGITS.match(raw)
    if by_format is not None:
        checked = by_format(raw.strip())
        if checked[0] is not None or not (_ISO.match(raw) or digits):
            return checked
    if digits:
        return _from_digits(digits[1])
    if _ISO.match(raw):
        return _from_iso(raw)
    return _unknown(raw)


def _from_digits(digits: str) -> Checked:
    size = len(digits.lstrip("-"))
    if digits[0] == "0" and size > 1:
        plain = digits.lstrip("0")
        is_good = _from_digits(plain)[0] is not None if plain else False
        hint = f"write {plain}" if is_good else "write a date such as 2026-01-31"
        return error(f"{shown(digits)} has leading zeros", hint)
    if size in _UNITS and digits[0] != "-":
        seconds = int(digits) // _UNITS[size]
        return error(f"{digits} is in {_UNIT_NAMES[size]}, not seconds", f"write {seconds}")
    if size > MOST_DIGITS:
        return error(f"{shown(digits)} is not a time in epoch seconds", _compact_hint(digits))
    seconds = int(digits)
    if 0 <= seconds < SMALLEST_EPOCH:
        return error(f"{digits} is too small for epoch seconds", _small_hint(digits, seconds))
    return seconds, ()


def _fits(raw: str, date_format: str) -> bool:
    from reo_cli.values.dates import format_parser  # not needed for what is valid

    return format_parser(date_format)(raw)[0] is not None


def _format_hint(raw: str) -> str:
    from reo_cli.values.dates import format_hint

    return format_hint(raw)


def _small_hint(digits: str, number: int) -> str:
    if len(digits) == 8 and _fits(digits, "%Y%m%d"):
        date = f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"
        return f"write a date with dashes: {date}, or pass --date-format %Y%m%d"
    if 20_000 <= number < 80_000:
        return (
            f"a spreadsheet's day number: {_day_of_spreadsheet(number)}; "
            "format the column as a date and export again"
        )
    return "write seconds since 1970 or a date such as 2026-01-31"


def _day_of_spreadsheet(number: int) -> str:
    """Return the day that spreadsheets count as `number`: days since 1899-12-30."""
    return (datetime(1899, 12, 30, tzinfo=UTC) + timedelta(days=number)).strftime("%Y-%m-%d")


def _compact_hint(digits: str) -> str:
    if len(digits) == 14 and _fits(digits, "%Y%m%d%H%M%S"):
        date = f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}"
        time = f"{digits[8:10]}:{digits[10:12]}:{digits[12:]}"
        return f"write {date}T{time}, or pass --date-format %Y%m%d%H%M%S"
    return "write seconds since 1970 or a date such as 2026-01-31"


def _fraction_hint(text: str) -> str:
    fraction = _FRACTION.match(text)
    if fraction is None:
        return "write seconds since 1970 or a date such as 2026-01-31"
    seconds, findings = _from_digits(fraction[1])
    return f"write {seconds}" if seconds is not None else findings[0].hint


def _from_iso(raw: str) -> Checked:
    if not _WITH_CLOCK.match(raw):
        what = f"{shown(raw)} has a time that is not ISO 8601"
        return error(what, _format_hint(raw) or "write it as 12:30, 12:30:15 or 12:30:15+01:00")
    try:
        return _seconds_of_iso(raw.upper()), ()
    except OverflowError:
        return error(f"{shown(raw)} is out of range", _EXAMPLE)
    except ValueError as fault:
        why = str(fault).partition(":")[0].lower()
        why = f": {why}" if why.startswith(_PARTS_OF_TIME) else ""
        return error(f"{shown(raw)} is not a date{why}", _format_hint(raw) or _EXAMPLE)


def _seconds_of_iso(raw: str) -> int:
    value = datetime.fromisoformat(raw)
    if value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return int(value.timestamp() // 1)


_PARTS_OF_TIME = ("year", "month", "day", "hour", "minute", "second")


def _unknown(raw: str) -> Checked:
    what = f"{shown(raw)} is not a time"
    if raw != raw.strip():
        return error(what, f"remove the spaces around it: {raw.strip()[:40]}")
    if raw.lower() == "now":
        return error(what, "write now")
    plain = raw.removeprefix("+")
    plain = plain.replace(",", "") if _GROUPED.match(plain) else plain
    if plain != raw and _DIGITS.match(plain) and _from_digits(plain)[0] is not None:
        return error(what, f"write {plain}")
    if _SPREADSHEET.match(raw):
        return error(
            what,
            "a spreadsheet shortened it and digits are lost: "
            "format the column as a number without decimals and export again",
        )
    if _FRACTION.match(raw):
        return error(f"{shown(raw)} has a fraction", _fraction_hint(raw))
    hint = _format_hint(raw)
    return error(what, hint or "use epoch seconds, ISO 8601 such as 2026-01-31, or --date-format")

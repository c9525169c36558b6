"""Dates as people and programs write them, read by a named format: `--date-format`."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache

from reo_cli.values import Checked, error, shown
from reo_cli.values.patterns import Pattern

ORDERED = ("day-first", "month-first")

_KNOWN = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d %H:%M:%S",
    "%Y.%m.%d",
    "%Y-%m-%d %H:%M:%S UTC",
    "%Y-%m-%d %H:%M:%S GMT",
    "%Y-%m-%d %H:%M:%S.%f UTC",
    "%d %b %Y",
    "%d %B %Y",
    "%d-%b-%Y",
    "%d-%b-%y",
    "%d %b %Y %H:%M",
    "%d %b %Y %H:%M:%S",
    "%b %d, %Y",
    "%B %d, %Y",
    "%b %d %Y",
    "%b %d, %Y %I:%M:%S %p",
    "%a, %d %b %Y %H:%M:%S %z",
    "%a, %d %b %Y %H:%M:%S GMT",
    "%a %b %d %H:%M:%S %Y",
    "%a %b  %d %H:%M:%S %Y",
    "%d/%b/%Y:%H:%M:%S %z",
)
"""Formats that exports are known to have, for a hint that names the one that fits."""

_PARTS = Pattern(
    r"([0-9]{1,2})([./-])([0-9]{1,2})\2([0-9]{2}(?:[0-9]{2})?)"
    r"(?:[ T,]+([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:\.[0-9]+)?)?(?:\s*([AaPp])\.?[Mm]\.?)?)?\Z"
)
_TIME = Pattern(r"([ T,]+)[0-9:]+(\.[0-9]+)?(?:(\s*)[AaPp][Mm])?\Z")


def format_hint(raw: str) -> str:
    """Name the `--date-format` that reads a text, or return nothing."""
    parts = _PARTS.match(raw)
    if parts:
        is_short = len(parts[4]) == 2
        formats = [_two_digits(each, parts) if is_short else each for each in ORDERED]
    else:
        formats = _alike().get(_shape(raw), [])
    return _passed(formats, raw)


def _passed(formats: Sequence[str], raw: str) -> str:
    """Return the options for the formats, two at most, that read a text."""
    import shlex

    fits = [shlex.quote(each) for each in formats if format_parser(each)(raw)[0] is not None]
    if len(fits) > 1 and fits[0] in ORDERED:
        return "the day or the month may come first: pass --date-format day-first or month-first"
    return " or ".join(f"pass --date-format {each}" for each in fits[:2])


def _two_digits(order: str, parts: re.Match[str]) -> str:
    """Return the format of a date whose year has two digits, with its time if it has one."""
    mark = parts[2]
    date = f"%d{mark}%m{mark}%y" if order == "day-first" else f"%m{mark}%d{mark}%y"
    time = _TIME.search(parts.string, parts.end(4))
    if time is None:
        return date
    clock = "%I:%M" if parts[8] else "%H:%M"
    seconds = (":%S" if parts[7] else "") + (".%f" if time[2] else "")
    half = f"{time[3]}%p" if parts[8] else ""
    return f"{date}{time[1]}{clock}{seconds}{half}"


@lru_cache(maxsize=1)
def _alike() -> dict[str, list[str]]:
    """Return the known formats by what their dates look like."""
    alike: dict[str, list[str]] = {}
    for each in _KNOWN:
        alike.setdefault(_shape(datetime(2026, 1, 31, tzinfo=UTC).strftime(each)), []).append(each)
    return alike


def _shape(text: str) -> str:
    return re.sub("[A-Za-z]+", "a", re.sub("[0-9]+", "9", text[:60]))


@lru_cache(maxsize=64)
def format_parser(date_format: str) -> Callable[[str], Checked]:
    """Return the parser for `day-first`, `month-first` or a strptime format; naive is UTC."""
    if date_format in ORDERED:
        return _ordered_parser(date_format)

    def by_strptime(raw: str) -> Checked:
        try:
            value = datetime.strptime(raw, date_format)
        except ValueError:
            return error(f"{shown(raw)} does not fit --date-format {date_format}")
        value = value.replace(tzinfo=UTC) if value.tzinfo is None else value
        try:
            return int(value.timestamp() // 1), ()
        except OverflowError:
            return error(f"{shown(raw)} is out of range")

    return by_strptime


def _ordered_parser(date_format: str) -> Callable[[str], Checked]:
    is_day_first = date_format == "day-first"
    day_at, month_at = (1, 3) if is_day_first else (3, 1)
    example = "31.01.2026" if is_day_first else "01/31/2026"

    def by_order(raw: str) -> Checked:
        what = f"{shown(raw)} is not a {date_format} date"
        parts = _PARTS.match(raw)
        if parts is None:
            return error(what, f"such as {example}")
        if len(parts[4]) == 2:
            pass_it = _passed([_two_digits(date_format, parts)], raw)
            hint = f"write all four, or {pass_it}" if pass_it else "write all four"
            return error(f"{shown(raw)} has a year of two digits", hint)
        year, month, day = int(parts[4]), int(parts[month_at]), int(parts[day_at])
        try:
            value = datetime(year, month, day, *_clock(parts), tzinfo=UTC)
        except ValueError as fault:
            return error(f"{what}: {fault}", f"such as {example}")
        return int(value.timestamp()), ()

    return by_order


def _clock(parts: re.Match[str]) -> tuple[int, int, int]:
    """Return hour, minute and second; ValueError for an hour that has no AM or PM."""
    hour, minute, second = (int(each or 0) for each in parts.group(5, 6, 7))
    half = (parts[8] or "").upper()
    if half and not 1 <= hour <= 12:
        raise ValueError("hour must be in 1..12")
    if half:
        hour = hour % 12 + (12 if half == "P" else 0)
    return hour, minute, second

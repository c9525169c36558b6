"""Dates as people and programs write them: what `--date-format` reads, and which one would."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import lru_cache

from reo_cli.checks.values import Checked, Option, error
from reo_cli.text import shown

UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
"""Units of epoch time, and how many of each are a second."""

ORDERED = ("day-first", "month-first")
FORMATS = (*ORDERED, *UNITS)
"""The values of `--date-format` that are no strptime format."""

Reading = Callable[[str], Checked]

_KNOWN = (
    *("%Y%m%d", "%Y%m%d%H", "%Y%m%d%H%M%S", "%Y-%m", "%Y-%m-%d", "%Y-%m-%d %H:%M:%S"),
    *("%Y/%m/%d", "%Y/%m/%d %H:%M", "%Y/%m/%d %H:%M:%S", "%Y.%m.%d"),
    *("%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%d-%b-%y", "%d %b %Y %H:%M", "%d %b %Y %H:%M:%S"),
    *("%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%b %d, %Y %I:%M:%S %p", "%b %Y", "%B %Y"),
    *("%a, %d %b %Y %H:%M:%S %z", "%a, %d %b %Y %H:%M:%S GMT", "%d/%b/%Y:%H:%M:%S %z"),
    *("%a %b %d %H:%M:%S %Y", "%a %b  %d %H:%M:%S %Y", "%a %b %d %H:%M:%S UTC %Y"),
)
"""Formats that exports are known to have."""

_PARTS = (
    r"([0-9]{1,2})([./-])([0-9]{1,2})\2([0-9]{2}(?:[0-9]{2})?)"
    r"(?:([ T,]+)([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(\.[0-9]+)?)?(?:(\s*)([AaPp])\.?[Mm]\.?)?)?\Z"
)


def format_issue(raw: str) -> Checked | None:
    """Return the error that names the `--date-format`s which read a text; None: there is none."""
    fits = [each for each in _candidates(raw) if reader_of(each)(raw)[0] is not None][:2]
    if not fits:
        return None
    hint = ""
    if raw.isdecimal() or fits == ["%Y-%m"]:
        seconds = reader_of(fits[0])(raw)[0]
        hint = f"which is {datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
    code = "date-order" if re.match(_PARTS, raw) else "date-format"
    options: list[Option] = [("--date-format", each) for each in fits]
    return error(code, f"{shown(raw)} is not a date in ISO 8601", hint, *options)


def _candidates(raw: str) -> Iterator[str]:
    parts = re.match(_PARTS, raw)
    if parts is None:
        yield from _alike().get(_shape(raw), [])
    elif len(parts[4]) == 4:
        yield from ORDERED
    else:
        yield from (_two_digits(each, parts) for each in ORDERED)


def _two_digits(order: str, parts: "re.Match[str]") -> str:
    """Return the format of a date whose year has two digits, with its time if it has one."""
    first, second = ("%d", "%m") if order == "day-first" else ("%m", "%d")
    date = f"{first}{parts[2]}{second}{parts[2]}%y"
    if not parts[5]:
        return date
    clock = "%I:%M" if parts[11] else "%H:%M"
    seconds = (":%S" if parts[8] else "") + (".%f" if parts[9] else "")
    return f"{date}{parts[5]}{clock}{seconds}" + (f"{parts[10]}%p" if parts[11] else "")


@lru_cache(maxsize=1)
def _alike() -> dict[str, list[str]]:
    """Return the known formats by what their dates look like."""
    alike: dict[str, list[str]] = {}
    for each in _KNOWN:
        alike.setdefault(_shape(datetime(2026, 1, 31, tzinfo=UTC).strftime(each)), []).append(each)
    return alike


def _shape(text: str) -> str:
    """Return what a text looks like: a word is `a`, digits are `9`, and all digits their number."""
    if text.isdecimal():
        return str(len(text))
    return re.sub("[A-Za-z]+", "a", re.sub("[0-9]+", "9", text[:60]))


@lru_cache(maxsize=64)
def reader_of(date_format: str) -> Reading:
    """Return what reads `day-first`, `month-first` or a strptime format; naive is UTC."""
    if date_format in ORDERED:
        return _ordered(date_format)

    def by_strptime(raw: str) -> Checked:
        try:
            value = datetime.strptime(raw, date_format)
            value = value if value.tzinfo else value.replace(tzinfo=UTC)
            return int(value.timestamp() // 1), ()
        except (ValueError, OverflowError):
            what = f"{shown(raw)} does not fit --date-format {date_format}"
            return error("not-in-format", what)

    return by_strptime


def _ordered(date_format: str) -> Reading:
    day_at, month_at = (1, 3) if date_format == "day-first" else (3, 1)
    example = "31.01.2026" if date_format == "day-first" else "01/31/2026"

    def by_order(raw: str) -> Checked:
        what = f"{shown(raw)} is not a {date_format} date"
        parts = re.match(_PARTS, raw)
        if parts is None:
            return error("not-in-format", what, f"such as {example}")
        if len(parts[4]) == 2:
            own = _two_digits(date_format, parts)
            what = f"{shown(raw)} has a year of two digits"
            if reader_of(own)(raw)[0] is None:
                return error("two-digit-year", what, "write all four")
            return error("two-digit-year", what, "write all four", ("--date-format", own))
        year, month, day = int(parts[4]), int(parts[month_at]), int(parts[day_at])
        try:
            return int(datetime(year, month, day, *_clock(parts), tzinfo=UTC).timestamp()), ()
        except ValueError as fault:
            return error("not-in-format", f"{what}: {fault}", f"such as {example}")

    return by_order


def _clock(parts: "re.Match[str]") -> tuple[int, int, int]:
    """Return hour, minute and second; ValueError for an hour that has no AM or PM."""
    hour, minute, second = (int(each or 0) for each in parts.group(6, 7, 8))
    half = (parts[11] or "").upper()
    if half and not 1 <= hour <= 12:
        raise ValueError("hour must be in 1..12")
    return (hour % 12 + (12 if half == "P" else 0) if half else hour), minute, second

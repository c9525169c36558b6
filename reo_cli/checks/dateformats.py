"""Dates as people and programs write them: what `--date-format` reads, and which one would."""

import re
from datetime import UTC, datetime
from functools import cache

from reo_cli.checks.values import Checked, error
from reo_cli.text import shown

UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
"""Units of epoch time, and how many of each are a second."""

_ORDERED = {"day-first": "such as 31.01.2026", "month-first": "such as 01/31/2026"}
"""The two orders of a date with numbers only."""

FORMATS = (*_ORDERED, *UNITS)
"""The values of `--date-format` that are no strptime format."""

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


def seconds_in(text: str, date_format: str) -> int | None:
    """Return the epoch seconds of a text in `day-first`, `month-first` or a strptime format.

    None where it does not fit; what has no offset is UTC. In order, a year has four digits.
    """
    try:
        if date_format in _ORDERED:
            return _in_order(text, date_format)
        value = datetime.strptime(text, date_format)
        return int((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp() // 1)
    except (ValueError, OverflowError):
        return None


def _in_order(text: str, order: str) -> int | None:
    """Return epoch seconds; ValueError for what is no date or hour. Much faster than strptime."""
    parts = re.match(_PARTS, text)
    if parts is None or len(parts[4]) == 2:
        return None
    day, month, year = int(parts[1]), int(parts[3]), int(parts[4])
    if order == "month-first":
        day, month = month, day
    hour, minute, second = (int(each or 0) for each in parts.group(6, 7, 8))
    if half := parts[11]:
        hour = hour % 12 + 12 * (half in "Pp") if 1 <= hour <= 12 else 24
    return int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp())


def _strptime(text: str, order: str) -> str:
    """Return the strptime format of a date that is in order, however many digits its year has."""
    parts = re.match(_PARTS, text)
    if parts is None:
        return ""
    mark = parts[2]
    date = f"%d{mark}%m{mark}" if order == "day-first" else f"%m{mark}%d{mark}"
    clock = ("%I:%M" if parts[11] else "%H:%M") if parts[5] else ""
    clock += (":%S" if parts[8] else "") + (".%f" if parts[9] else "")
    half = f"{parts[10]}%p" if parts[11] else ""
    return f"{date}%{'Y' if len(parts[4]) == 4 else 'y'}{parts[5] or ''}{clock}{half}"


def format_issue(raw: str) -> Checked | None:
    """Return the error that names the `--date-format`s which read a text; None: there is none."""
    is_ordered = re.match(_PARTS, raw)
    known = _alike().get(_shape(raw), [])
    if is_ordered:  # what reads it exactly, where its year has two digits
        exact = [_strptime(raw, each) for each in _ORDERED]
        known = exact if "%y" in exact[0] else [*_ORDERED]
    fits = [each for each in known if seconds_in(raw, each) is not None][:2]
    if not fits:
        return None
    hint = ""
    if raw.isdecimal() or fits == ["%Y-%m"]:
        moment = datetime.fromtimestamp(seconds_in(raw, fits[0]) or 0, UTC)
        hint = f"which is {moment:%Y-%m-%dT%H:%M:%SZ}"
    options = [("--date-format", each) for each in fits]
    code = "date-order" if is_ordered else "date-format"
    return error(code, f"{shown(raw)} is not a date in ISO 8601", hint, *options)


@cache
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


def misfit(raw: str, date_format: str) -> Checked:
    """Return the error for a text that is not in a `--date-format`, and is no other time."""
    own = _strptime(raw, date_format) if date_format in _ORDERED else ""
    if "%y" in own:
        options = [("--date-format", own)] if seconds_in(raw, own) is not None else []
        what = f"{shown(raw)} has a year of two digits"
        return error("two-digit-year", what, "write all four", *options)
    what = f"{shown(raw)} does not fit --date-format {date_format}"
    return error("not-in-format", what, _ORDERED.get(date_format, ""))

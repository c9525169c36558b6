"""`event_at`: epoch seconds, ISO 8601, `now`, or the format the user names."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reo_cli.values.numbers import ExactFloat
from reo_cli.values.times import check_date_format, moment

NOW = 1795000000
NOON = int(datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp())
DAY = NOON - 43_200

GOOD: list[tuple[Any, int]] = [
    ("1790000000", 1790000000),
    (1790000000, 1790000000),
    (1790000000.0, 1790000000),
    (ExactFloat("1.79e9"), 1790000000),
    ("1790000000.0", 1790000000),
    ("2026-01-31", DAY),
    ("2026-01-31T12:00:00Z", NOON),
    ("2026-01-31t12:00z", NOON),
    ("2026-01-31 12:00:00", NOON),
    ("2026-01-31T14:00:00+02:00", NOON),
    ("2026-01-31T12:00:00.999", NOON),
    ("20260131T120000Z", NOON),
    ("2026-01-31 12:00:00 +0000", NOON),
    ("2026-01-31T12:00:00,5Z", NOON),
    ("now", NOW),
    (" now ", NOW),
]

BAD: list[tuple[Any, str]] = [
    ("1790000000000", "write 1790000000"),
    (1790000000000, "write 1790000000"),
    ("1790000000000000", "write 1790000000"),
    ("1790000000000000000", "write 1790000000"),
    ("1790000000.5", "write 1790000000"),
    (1790000000.5, "write 1790000000"),
    ("20260131", "2026-01-31, or pass --date-format %Y%m%d"),
    ("45992", "spreadsheet's day number: 2025-12-01"),
    ("45992.5", "spreadsheet's day number: 2025-12-01"),
    ("1.79E+09", "a spreadsheet shortened it"),
    ("13.02.2026", "pass --date-format day-first"),
    ("01/31/2026", "pass --date-format month-first"),
    ("01/02/2026", "pass --date-format day-first or month-first"),
    ("31.12.24 08:00", "pass --date-format '%d.%m.%y %H:%M'"),
    ("5/15/24 8:05 PM", "pass --date-format '%m/%d/%y %I:%M %p'"),
    ("5/15/24, 8:05:09.5", "pass --date-format '%m/%d/%y, %H:%M:%S.%f'"),
    ("20240501120000", "write 2024-05-01T12:00:00, or"),
    ("0001790000000", "write 1790000000"),
    ("0001790", "write a date"),
    ("1,790,000,000", "write 1790000000"),
    ("+1790000000", "write 1790000000"),
    ("1790000000,5", "write 1790000000"),
    ("1790000000,125", "write 1790000000"),
    ("NOW", "write now"),
    ("01-May-24", "%d-%b-%y"),
    ("Wed May  1 12:00:00 2024", "%a %b  %d %H:%M:%S %Y"),
    ("2026-05-02T12.5", "12:30"),
    ("2026-05-02T12:30.5", "12:30"),
    ("2026-05-02 12.30", "12:30"),
    ("2026-05-02T12:30+01:60", "12:30"),
    ("2026-05-02T12:30+01:00:30", "12:30"),
    ("1970-W01", "check the year"),
    ("1/2/26", "%d/%m/%y or pass --date-format %m/%d/%y"),
    ("2026/01/31", "pass --date-format %Y/%m/%d"),
    ("2026-1-5", "pass --date-format %Y-%m-%d"),
    ("31 Jan 2026", "pass --date-format '%d %b %Y'"),
    ("2026-01-31 12:00:00 UTC", "pass --date-format '%Y-%m-%d %H:%M:%S UTC'"),
    ("yesterday", "ISO 8601"),
    ("2026-02-30", "2026-01-31"),
    ("1969-12-31", "check the year"),
    ("0", "seconds since 1970"),
    (-1, "check the year"),
    ("0790000000", "write 790000000"),
    (" 2026-01-31", "remove the spaces around it: 2026-01-31"),
    ("1" * 5000, "seconds since 1970"),
]


@pytest.mark.parametrize(("raw", "seconds"), GOOD)
def test_times(raw: Any, seconds: int) -> None:
    assert moment(NOW)(raw) == (seconds, ())


@pytest.mark.parametrize(("raw", "hint"), BAD)
def test_everything_else_has_its_hint(raw: Any, hint: str) -> None:
    value, findings = moment(NOW)(raw)
    assert value is None
    assert [each.severity for each in findings] == ["error"]
    assert hint in findings[0].hint


@pytest.mark.parametrize(
    "raw", ["639303296", 1420070399, NOW + 86_401, "2999-01-01", "999999999999"]
)
def test_unlikely_times_pass_with_a_warning(raw: Any) -> None:
    value, findings = moment(NOW)(raw)
    assert value is not None
    assert [each.severity for each in findings] == ["warning"]


@pytest.mark.parametrize(
    ("date_format", "raw", "seconds"),
    [
        ("day-first", "31.01.2026", DAY),
        ("day-first", "31/1/2026 12:00", NOON),
        ("month-first", "1/31/2026 12:00 PM", NOON),
        ("month-first", "01-31-2026 12:00:00 am", DAY),
        ("%d %b %Y", "31 Jan 2026", DAY),
        ("%Y%m%d", "20260131", DAY),
        ("%Y-%m-%dT%H:%M:%S%z", "2026-01-31T14:00:00+0200", NOON),
        # What is a time without any format stays one.
        ("day-first", "2026-01-31", DAY),
        ("day-first", "1790000000", 1790000000),
        ("%Y%m%d", "1790000000", 1790000000),
    ],
)
def test_date_formats(date_format: str, raw: str, seconds: int) -> None:
    assert moment(NOW, date_format)(raw) == (seconds, ())


@pytest.mark.parametrize(
    ("date_format", "raw"),
    [
        ("day-first", "31.02.2026"),
        ("day-first", "1/31/2026"),
        ("month-first", "31/1/2026"),
        ("month-first", "1/31/2026 13:00 PM"),
        ("day-first", "31.01.26"),
        ("day-first", "31.01.26 08:00 p.m."),
        ("%d %b %Y", "32 Jan 2026"),
    ],
)
def test_dates_that_do_not_fit(date_format: str, raw: str) -> None:
    assert moment(NOW, date_format)(raw)[0] is None


@pytest.mark.parametrize("date_format", ["day-first", "month-first", "%d.%m.%Y", "%Y%m%d"])
def test_good_formats(date_format: str) -> None:
    assert check_date_format(date_format) is None


@pytest.mark.parametrize("date_format", ["dd.mm.yyyy", "%Q", "%d.%m.%", "\ud800%d"])
def test_bad_formats(date_format: str) -> None:
    assert check_date_format(date_format)


@given(
    st.text() | st.from_regex(r"[0-9TZ:+./ -]{1,30}"), st.sampled_from([None, "day-first", "%y"])
)
def test_any_text_is_a_time_or_an_error(raw: str, date_format: str | None) -> None:
    value, findings = moment(NOW, date_format)(raw)
    assert isinstance(value, int) or findings or not raw.strip()


@given(st.integers() | st.floats())
def test_any_number_is_a_time_or_an_error(raw: float) -> None:
    value, findings = moment(NOW)(raw)
    assert isinstance(value, int) or findings

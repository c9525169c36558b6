"""Single values: what is sent for them, and the code and hint of what is wrong with them."""

import itertools
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reo_cli.checks.checker import parsers
from reo_cli.checks.dateformats import FORMATS
from reo_cli.checks.numbers import THOUSANDS
from reo_cli.checks.times import check_date_format
from reo_cli.checks.values import with_options
from reo_cli.events import NAMES, Rules
from reo_cli.records import Issue

NOW = 1795000000
NOON = int(datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp())
DAY = NOON - 43_200

SAME = ...
"""Stands for a value that is sent as it was read."""

GOOD: dict[str, list[tuple[Any, ...]]] = {  # what is sent, and for what
    "count": [
        (1250, "1250", "1250.0", 1250, 1250.0, 1.25e3),
        (12, " 12 ", "\u00a012", " 12.00 "),
        (SAME, 2**53),
        (None, "", "  ", None),
        *((7, "\t7"), (10**15 - 1, "9" * 15), (10**15, "1" + "0" * 15)),
    ],
    "ip_addr": [
        (SAME, "8.8.8.8", "156.59.87.83", "172.15.0.1", "100.128.0.1"),
        (SAME, "2a00:1450::8a", "2606:4700::1111", "2A00:1450:0::8A"),
        ("8.8.8.8", " 8.8.8.8\t", "\u00a08.8.8.8"),
        (None, "", None),
    ],
    "domain": [
        (SAME, "reo.dev", "a.b.co.uk", "www.de"),
        ("acme.com", "ACME.Com", " acme.com", "acme.com\u00a0"),
        (None, "", " ", None),
    ],
    "event_at": [
        (1790000000, "1790000000", 1790000000, 1790000000.0, "1790000000.0", 1790000000.9),
        (1788256800, "1788256800.12"),
        (DAY, "2026-01-31", " 2026-01-31 ", "2026-W05-6", "2026-01-30T24:00:00Z"),
        (DAY + 86_400, "2026-01-31T23:59:60"),
        (NOON, "2026-01-31T12:00:00Z", "2026-01-31t12:00z", "2026-01-31 12:00:00"),
        (NOON, "2026-01-31T14:00:00+02:00", "2026-01-31T12:00:00.999", "20260131T120000Z"),
        (NOON, "2026-01-31 12:00:00 +0000", "2026-01-31T12:00:00,5Z", "2026-01-31 12:00:00 UTC"),
        (NOON, "2026-01-31 12:00:00.123456 UTC", "2026-01-31 12:00:00 GMT"),
        (NOON, "2026-01-31 12:00:00 Z", "2026-01-31 17:30:00 +05:30", "2026-01-31T06:30-05:30"),
        (NOON, "2026-01-31 12:00:00.5 +0000 UTC", "2026-01-31T11:59:60Z"),
        (NOW, "now", " now "),
        (None, "", None),
    ],
    "activity_type": [
        (SAME, "primary", "CALL HOME", "100% {a}", "Ä 😀", "a - b", "$5"),
        (None, "", "\t", None),
    ],
    "event_id": [(SAME, "a", 7, 2**53), (7, 7.0), (None, "", None)],
    "mode": [(SAME, "DOMAIN"), (None, "", None)],
    "meta": [(SAME, {"a": 1}), ({"a": 1.5}, '{"a": 1.5}'), ({}, "{}"), (None, "")],
}

WARNED: dict[str, list[tuple[Any, ...]]] = {  # a code, what is sent, and for what
    "count": [
        ("zero", 0, "0", 0, -0.0),
        ("big-integer", 2**53 + 1, 2**53 + 1, "9007199254740993"),
    ],
    "ip_addr": [
        ("special-ip", SAME, "172.31.255.255", "100.64.0.1", "224.0.0.1", "::ffff:10.0.0.1"),
        ("special-ip", SAME, "::", "::1", "fe80::1", "fd00::1", "ff02::1", "2001:db8::1"),
        ("special-ip", SAME, "4000::1", "2002:0a00:0001::1", "2001::1", "fec0::1"),
        ("mapped-ip", SAME, "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:0808:0808::1"),
    ],
    "domain": [
        *(("mailbox", SAME, "gmail.com"), ("mailbox", "web.de", "Web.DE")),
        *(("www", SAME, "www.acme.com"), ("changed", "acme.com", "acme.com.")),
        *(("changed", "xn--mnchen-3ya.de", "münchen.de"), ("changed", "reo.dev", "ｒｅｏ.dev")),
        ("changed", "kite.com", "\u212aite.com"),
    ],
    "event_at": [
        *(("old-date", 639303296, "639303296"), ("old-date", SAME, 1420070399)),
        *(("future-date", SAME, NOW + 86_401), ("future-date", 32472144000, "2999-01-01")),
        ("future-date", 999999999999, "999999999999"),
    ],
    "activity_type": [
        ("placeholder", SAME, "NULL", "undefined", "-", "(not set)", "#REF!", "#N/A", "\\N", "NaN"),
        ("placeholder", SAME, "[object Object]"),
        ("template", SAME, "${ENV}", "{{product}}", "x-${A}", "%ENV%"),
        ("control-character", SAME, "a\x07b", "a\u200bb", "a\u00a0b", "a\nb"),
        ("spaces", SAME, " a"),
    ],
    "event_id": [("big-integer", SAME, 2**60), ("placeholder", SAME, "null")],
    "mode": [("product-data", SAME, "USER")],
    "source": [("product-data", SAME, "PRODUCT_CLOUD")],
}

WRONG: dict[str, list[tuple[Any, ...]]] = {  # a code, a part of the hint, and for what
    "count": [
        (
            "thousands-separator",
            "remove the comma, the thousands separator: 1250, or add --thousands ,",
            "1,250",
        ),
        *(
            ("thousands-separator", "--thousands .", "1.000"),
            ("thousands-separator", "add", "1'250"),
        ),
        ("thousands-separator", "add --thousands space", "1\u202f250"),
        ("thousands-separator", "underscore", "1_000"),
        ("thousands-separator", "1250", "1,250.00", "+1,250", "1.250.000"),
        *(
            ("thousands-separator", "125000", "1,25,000"),
            ("thousands-separator", "1251", "1.250,75"),
        ),
        *(("decimals", "round it", "012,345", "1" * 400 + ".5"), ("decimals", "to 0", "0.125")),
        *(("decimals", "to 1", "0,500", "12.5"), ("decimals", "to 2", 1.5)),
        *(("not-a-number", "write 5", "+5"), ("not-a-number", "write 7", " 007 ")),
        *(("not-a-number", "0 to 9: 12", "١٢"), ("not-a-number", "digits only", "0x1f", "true")),
        ("not-a-number", "--null", "#N/A"),
        ("negative", "zero or more", "-5", " -12.5", "\u22125", -1, -1.5),
        ("spreadsheet-number", "a spreadsheet", "1.2E+05", "1,79E+09"),
        *(("too-large", "no count", "1" * 5000), ("wrong-type", "", True, [])),
    ],
    "ip_addr": [
        *(("leading-zeros", "10.2.3.4", "010.2.3.4"), ("not-an-ip", "0 to 255", "256.1.1.1")),
        *(("ip-port", "write 1.2.3.4", "1.2.3.4:80"), ("ip-port", "2a00::1", "[2a00::1]:443")),
        *(("ip-port", "public", "[10.0.0.1]:80"), ("ip-network", "write 8", "8.8.8.8/32")),
        ("ip-network", "send the public", "10.0.0.0/8", "fe80::1%eth0"),
        *(("ip-network", "such as 8.8.8.0", "8.8.8.0/24"), ("ip-network", "2a00::1", "2a00::1%e")),
        *(("several-ips", "as 8.8.8.8", "10.0.0.1, 8.8.8.8"), ("not-an-ip", "such as", "1.2.3")),
        *(("not-an-ip", "`domain`", "reo.dev"), ("not-an-ip", "--null", "N/A")),
        *(("not-an-ip", "", "8.8.8.8\0"), ("wrong-type", "", 5)),
    ],
    "domain": [
        ("url", "write reo.dev, or add --domain-of domain", "https://www.reo.dev/docs"),
        ("url", "reo.dev", "http://reo.dev:80", "reo.dev/x", "//REO.dev"),
        ("url", "write acme.com", "acme.com/login?next=https://globex.com/x"),
        ("url", "write acme.com", "acme.com/https://www.globex.com"),
        ("url", "`ip_addr`: 1.2.3.4", "http://1.2.3.4/x"),
        ("mail-address", "write acme.com, or add --domain-of domain", "ann@acme.com"),
        ("mail-address", "acme.com", "mailto:a@acme.com", "Al <a@acme.com>"),
        ("mail-address", "gmail.com is a mailbox provider: leave it out", "ann@gmail.com"),
        *(("several-domains", "a.com", "a.com, x.com"), ("ip-as-domain", "ip_addr", "::1")),
        ("ip-as-domain", "ip_addr", "5.6.7.8"),
        ("not-a-domain", "--null", "N/A", "(not set)", "#REF!"),
        ("not-a-domain", "such as acme", "Acme Inc.", "localhost", "a_b.com"),
        ("not-a-domain", "", "ä..de", "ä.123", "-ä.de", "ä-.de", "_x.acme.de", ".acme.com"),
        ("not-a-domain", "", "a" * 64 + ".de", "\ud800.c", "a." * 130 + "co", "acme.123"),
        ("not-a-domain", "write acme.com", "acme.com:443", "*.acme.com", "acme.com\u200b"),
        ("wrong-type", "", 5),
    ],
    "event_at": [
        ("epoch-unit", "add --date-format ms to read it as 1790000000", "1790000000000"),
        *(("epoch-unit", "ms", 1790000000000), ("epoch-unit", "us to", "1790000000000000")),
        ("epoch-unit", "--date-format ns to read it as 1790000000", "1790000000000000000"),
        ("date-format", "--date-format %Y%m%d%H, which is 2026-09-01T10:00:00Z", "2026090110"),
        *(("date-format", "%Y%m%d%H", 2026090110), ("date-format", "is 2026-01-31", "20260131")),
        *(("date-format", "%Y%m%d%H%M%S", "20240501120000"), ("date-format", "%Y-%m, ", "2026-08")),
        ("epoch-too-small", "day number: 2025-12-01", "45992", "45992.5"),
        *(("epoch-too-small", "1970", "0"), ("spreadsheet-number", "digits", "1.7E+09")),
        ("date-order", "day-first or --date-format month-first", "01/02/2026"),
        *(("date-order", "day-first", "13.02.2026"), ("date-order", "month-first", "01/31/2026")),
        ("date-order", "--date-format '%d.%m.%y %H:%M'", "31.12.24 08:00"),
        *(("date-order", "y %I:%M %p'", "5/15/24 8:05 PM"), ("date-order", "or --date", "1/2/26")),
        ("date-order", "'%m/%d/%y, %H:%M:%S.%f'", "5/15/24, 8:05:09.5"),
        *(("date-format", "%d-%b-%y", "01-May-24"), ("date-format", "%Y/%m/%d", "2026/01/31")),
        *(("date-format", "%Y-%m-%d", "2026-1-5"), ("date-format", "'%d %b %Y'", "31 Jan 2026")),
        ("date-format", "%a %b  %d %H:%M:%S %Y", "Wed May  1 12:00:00 2024"),
        ("date-format", "%d/%b/%Y:%H:%M:%S %z", "01/Sep/2026:10:00:00 +0000"),
        ("leading-zeros", "", "0001790000000", "0790000000", "01032024"),
        ("not-a-time", "seconds", "1,790,000,000", "+1790000000", "+1.5", "17100000000000"),
        ("not-a-time", "ISO 8601", "1790000000,5", "1.250,75", "yesterday"),
        ("not-a-time", "12:30", "2026-05-02T12.5", "2026-05-02T12:30+01:60", "2026-05-02T01+25:00"),
        ("not-a-time", "2026-01-31", "2026-02-30", "2026-01-31T25:00", "NOW"),
        ("before-1970", "check the year", "1970-W01", "1969-12-31", -1),
        *(("not-a-time", "1970", "1" * 5000), ("wrong-type", "", True, {})),
    ],
    "activity_type": [("wrong-type", '"5"', 5), ("wrong-type", "", True, [1])],
    "event_id": [("wrong-type", "integer", 7.5), ("wrong-type", "", True, {})],
    "mode": [("unknown-value", "DOMAIN", "domain"), ("wrong-type", "", 1, [])],
    "source": [
        *(("unknown-value", "TELEMETRY", "Telemetry"), ("unknown-value", "--set source=T", "cpc")),
    ],
    "meta": [
        ("not-json", "", "x", "{", "{} {}", '{"a":NaN}'),
        ("key-twice", "", '{"a":1,"a":2}'),
        ("too-large", "", '{"a":1e400}', '{"a":' + "1" * 5000 + "}"),
        *(("wrong-type", "plan", "[1]"), ("wrong-type", "", '"a"', [1])),
        ("too-deep", "64 levels", "[" * 99_999),
    ],
}


def rows(table: dict[str, list[tuple[Any, ...]]], wanted: int) -> list[tuple[Any, ...]]:
    """Give a row for each value: its field, it, and what is `wanted` of it."""
    return [
        (name, raw, *row[:wanted])
        for name, found in table.items()
        for row in found
        for raw in row[wanted:]
    ]


def short(value: object) -> str:
    return ascii(value)[:40]


def read(name: str, raw: Any, **rules: Any) -> tuple[Any, Sequence[Issue]]:
    return parsers(Rules(NOW, **rules))[name](raw)


@pytest.mark.parametrize(("name", "raw", "value"), rows(GOOD, 1), ids=short)
def test_good_values(name: str, raw: Any, value: Any) -> None:
    assert read(name, raw) == (raw if value is SAME else value, ())


@pytest.mark.parametrize(("name", "raw", "code", "value"), rows(WARNED, 2), ids=short)
def test_odd_values_are_sent_with_a_warning(name: str, raw: Any, code: str, value: Any) -> None:
    sent, issues = read(name, raw)
    assert sent == (raw if value is SAME else value)
    assert [(each.severity, each.code) for each in issues] == [("warning", code)]


@pytest.mark.parametrize(("name", "raw", "code", "hint"), rows(WRONG, 2), ids=short)
def test_wrong_values_have_a_code_and_a_hint(name: str, raw: Any, code: str, hint: str) -> None:
    value, issues = read(name, raw)
    assert value is None
    assert [(each.severity, each.code) for each in issues] == [("error", code)]
    assert hint in with_options(issues[0], issues[0].options)


@pytest.mark.parametrize(
    ("name", "raw"), [row[:2] for table in (WRONG, WARNED) for row in rows(table, 2)], ids=short
)
def test_the_options_of_an_issue_mend_it(name: str, raw: Any) -> None:
    """Whatever a hint says to add to the command line, the value is read with it."""
    for option, value in read(name, raw)[1][0].options:
        if option in ("--date-format", "--thousands", "--domain-of"):
            rule = option[2:].replace("-", "_")
            sent, issues = read(name, raw, **{rule: rule == "domain_of" or value})
            assert not issues
            assert sent is not None or "gmail" in raw
        else:
            assert option in ("--null", "--set", "--skip"), option


ERROR = "error"
COMMA, DOMAIN_OF = {"thousands": ","}, {"domain_of": True}
DAY_FIRST, MONTH_FIRST = {"date_format": "day-first"}, {"date_format": "month-first"}
SECONDS, MILLISECONDS = {"date_format": "s"}, {"date_format": "ms"}
RECENT = 1790000000
UNDER_RULES: list[tuple[str, dict[str, Any], Any, list[Any]]] = [
    # Digits stand in groups of three or not at all.
    ("count", COMMA, 1250, ["1,250", "1,250.00", "1250"]),
    ("count", COMMA, 1250000, ["1,250,000"]),
    ("count", COMMA, ERROR, ["1,25", "1,2500", "1,25,000", "0,250", "1.250", ",250"]),
    ("count", {"thousands": "."}, 1250, ["1.250", "1.250,0"]),
    ("count", {"thousands": "."}, 12, ["12.0"]),
    ("count", {"thousands": "."}, ERROR, ["1.25"]),
    ("count", {"thousands": "'"}, 1250, ["1’250"]),
    ("count", {"thousands": "space"}, 1250, ["1\u00a0250", "1 250"]),
    ("domain", DOMAIN_OF, "acme.com", ["ann@acme.com", "Ann <ann@acme.com>", "acme.com"]),
    ("domain", DOMAIN_OF, "acme.com", ["https://www.acme.com/x?y", "www.acme.com"]),
    ("domain", DOMAIN_OF, "shop.acme.com", ["//shop.acme.com:80/"]),
    ("domain", DOMAIN_OF, "www.de", ["www.de"]),
    ("domain", DOMAIN_OF, "xn--mnchen-3ya.de", ["ann@münchen.de"]),
    ("domain", DOMAIN_OF, None, ["bob@gmail.com", "gmail.com", "", None]),
    ("domain", DOMAIN_OF, ERROR, ["nobody", "http://1.2.3.4/", "a@", "N/A", 5, "a@b@c", "::1"]),
    ("event_at", DAY_FIRST, DAY, ["31.01.2026"]),
    ("event_at", DAY_FIRST, NOON, ["31/1/2026 12:00"]),
    ("event_at", DAY_FIRST, ERROR, ["31.02.2026", "1/31/2026", "31.01.26", "31.01.26 8:00 p.m."]),
    ("event_at", MONTH_FIRST, DAY, ["01-31-2026 12:00:00 am"]),
    ("event_at", MONTH_FIRST, NOON, ["1/31/2026 12:00 PM"]),
    ("event_at", MONTH_FIRST, ERROR, ["31/1/2026", "1/31/2026 13:00 PM"]),
    ("event_at", {"date_format": "%d %b %Y"}, DAY, ["31 Jan 2026"]),
    ("event_at", {"date_format": "%d %b %Y"}, ERROR, ["32 Jan 2026"]),
    ("event_at", {"date_format": "%Y-%m-%dT%H:%M:%S%z"}, NOON, ["2026-01-31T14:00:00+0200"]),
    ("event_at", {"date_format": "us"}, RECENT, ["1790000000000000"]),
    ("event_at", {"date_format": "ns"}, RECENT, [1790000000000000000]),
    ("event_at", MILLISECONDS, RECENT, ["1790000000999", 1790000000999]),
    ("event_at", MILLISECONDS, ERROR, ["1790000000", "1" * 17]),
    ("event_at", SECONDS, RECENT, ["1790000000"]),
    ("event_at", SECONDS, ERROR, ["1790000000000"]),
    # What is a time without any format stays one.
    ("event_at", DAY_FIRST, DAY, ["2026-01-31"]),
    ("event_at", DAY_FIRST, RECENT, ["1790000000"]),
    ("event_at", MILLISECONDS, DAY, ["2026-01-31"]),
    ("event_at", MILLISECONDS, NOW, ["now"]),
    ("event_at", {"date_format": "%Y%m%d"}, DAY, ["20260131"]),
    ("event_at", {"date_format": "%Y%m%d"}, RECENT, ["1790000000"]),
]


@pytest.mark.parametrize(("name", "rules", "value", "raws"), UNDER_RULES, ids=short)
def test_values_under_rules(name: str, rules: dict[str, Any], value: Any, raws: list[Any]) -> None:
    for raw in raws:
        sent, issues = read(name, raw, **rules)
        assert [each.severity for each in issues] == ["error"] * (value == ERROR), raw
        assert sent == (None if value == ERROR else value), raw


def test_seconds_that_are_asked_for_as_another_unit_are_told() -> None:
    (issue,) = parsers(Rules(NOW, date_format="ms"))["event_at"]("1790000000")[1]
    assert issue.message == "1790000000 is too small for --date-format ms"
    assert issue.hint == "as seconds it is 2026-09-21"


def test_seconds_by_name_are_never_taken_for_an_hour() -> None:
    value, issues = read("event_at", "2026090110", **SECONDS)
    assert (value, [each.code for each in issues]) == (2026090110, ["future-date"])


def test_formats_are_checked() -> None:
    assert not [each for each in (*FORMATS, "%d.%m.%Y", "%Y%m%d") if check_date_format(each)]
    bad = ["dd.mm.yyyy", "%Q", "%d.%m.%", "\ud800%d", "minutes"]
    assert [each for each in bad if check_date_format(each)] == bad


@given(
    st.sampled_from(NAMES),
    st.text()
    | st.from_regex(r"[-+ 0-9.,'_eE:/TZ]{1,30}")
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
    | st.lists(st.integers(), max_size=2),
    st.sampled_from([None, *FORMATS, "%y"]),
    st.sampled_from([None, *THOUSANDS]),
    st.booleans(),
)
def test_anything_is_a_value_absent_or_an_error(
    name: str, raw: Any, date_format: str | None, thousands: str | None, domain_of: bool
) -> None:
    rules = {"date_format": date_format, "thousands": thousands, "domain_of": domain_of}
    value, issues = read(name, raw, **rules)
    wrong = any(each.severity == "error" for each in issues)
    assert all(each.code for each in issues)
    assert wrong == (value is None and bool(issues))
    if name == "count" and isinstance(value, int) and not thousands:
        assert value == int(float(raw)) or abs(value) > 2**53
    if name == "domain" and value is not None:
        assert value.isascii()
        assert value == value.lower()


@given(st.ip_addresses().map(str) | st.text("0123456789abcdef.:%/[]", max_size=20))
def test_an_address_is_what_the_standard_library_says(raw: str) -> None:
    value, issues = read("ip_addr", raw)
    try:
        address = ip_address(raw) if "%" not in raw else None
    except ValueError:
        address = None
    assert (value is not None) is (address is not None)
    if address is not None and not issues:
        assert address.is_global


def test_the_fast_look_at_an_address_agrees_with_the_slow_one() -> None:
    parse = parsers(Rules(NOW))["ip_addr"]
    for first, second in itertools.product(range(256), range(256)):
        raw = f"{first}.{second}.2.7"
        is_public = ip_address(raw).is_global and first < 224
        assert [each.code for each in parse(raw)[1]] == ["special-ip"] * (not is_public)


def test_values_are_told_apart_by_their_types() -> None:
    """True, 1 and 1.0 are equal to Python, not here."""
    good = [read("count", raw)[0] for raw in (1, True, 1.0, "1", False, 0)]
    assert json.dumps(good) == "[1, null, 1, 1, null, 0]"

"""Single values: what is sent for them, and the code and hint of what is wrong with them."""

import itertools
import json
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

NOW = 1795000000
NOON = int(datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp())
DAY = NOON - 43_200
PARSERS = parsers(Rules(NOW))

GOOD: dict[str, list[tuple[Any, Any]]] = {
    "count": [
        *(("1250", 1250), ("1250.0", 1250), ("9" * 15, 10**15 - 1), (1250, 1250), (1250.0, 1250)),
        *((" 12 ", 12), ("\u00a012", 12), ("\t7", 7), (" 12.00 ", 12), (1.25e3, 1250)),
        *((2**53, 2**53), ("", None), ("  ", None), (None, None), ("1" + "0" * 15, 10**15)),
    ],
    "ip_addr": [
        *((each, each) for each in ("8.8.8.8", "156.59.87.83", "172.15.0.1", "100.128.0.1")),
        *((each, each) for each in ("2a00:1450::8a", "2606:4700::1111", "2A00:1450:0::8A")),
        *((" 8.8.8.8\t", "8.8.8.8"), ("\u00a08.8.8.8", "8.8.8.8"), ("", None), (None, None)),
    ],
    "domain": [
        *(("reo.dev", "reo.dev"), ("ACME.Com", "acme.com"), ("a.b.co.uk", "a.b.co.uk")),
        *((" acme.com", "acme.com"), ("acme.com\u00a0", "acme.com"), ("www.de", "www.de")),
        *(("", None), (" ", None), (None, None)),
    ],
    "event_at": [
        *(("1790000000", 1790000000), (1790000000, 1790000000), (1790000000.0, 1790000000)),
        *(("1790000000.0", 1790000000), ("1788256800.12", 1788256800), (1790000000.9, 1790000000)),
        *(("2026-01-31", DAY), ("2026-01-31T12:00:00Z", NOON), ("2026-01-31t12:00z", NOON)),
        *(("2026-01-31 12:00:00", NOON), ("2026-01-31T14:00:00+02:00", NOON)),
        *(("2026-01-31T12:00:00.999", NOON), ("20260131T120000Z", NOON), ("2026-W05-6", DAY)),
        *(("2026-01-31 12:00:00 +0000", NOON), ("2026-01-31T12:00:00,5Z", NOON)),
        *(("2026-01-31 12:00:00 UTC", NOON), ("2026-01-31 12:00:00.123456 UTC", NOON)),
        *(("2026-01-31 12:00:00 GMT", NOON), ("2026-01-31 12:00:00 Z", NOON)),
        *(("2026-01-31 17:30:00 +05:30", NOON), ("2026-01-31T06:30-05:30", NOON)),
        *(("2026-01-31 12:00:00.5 +0000 UTC", NOON), ("2026-01-30T24:00:00Z", DAY)),
        *(("2026-01-31T11:59:60Z", NOON), ("2026-01-31T23:59:60", DAY + 86_400)),
        *((" 2026-01-31 ", DAY), ("now", NOW), (" now ", NOW), ("", None), (None, None)),
    ],
    "activity_type": [
        *((each, each) for each in ("primary", "CALL HOME", "100% {a}", "Ä 😀", "a - b", "$5")),
        *(("", None), ("\t", None), (None, None)),
    ],
    "event_id": [("a", "a"), (7, 7), (7.0, 7), (2**53, 2**53), ("", None), (None, None)],
    "mode": [("DOMAIN", "DOMAIN"), ("", None), (None, None)],
    "meta": [({"a": 1}, {"a": 1}), ('{"a": 1.5}', {"a": 1.5}), ("{}", {}), ("", None)],
}

WARNED: dict[str, list[tuple[Any, Any, str]]] = {
    "count": [
        *(("0", 0, "zero"), (0, 0, "zero"), (-0.0, 0, "zero")),
        *((2**53 + 1, 2**53 + 1, "big-integer"), ("9007199254740993", 2**53 + 1, "big-integer")),
    ],
    "ip_addr": [
        *((each, each, "special-ip") for each in ("10.1.2.3", "172.31.255.255", "192.168.0.1")),
        *((each, each, "special-ip") for each in ("127.0.0.1", "169.254.1.1", "100.64.0.1")),
        *((each, each, "special-ip") for each in ("192.0.2.1", "198.18.0.1", "240.0.0.1")),
        *((each, each, "special-ip") for each in ("255.255.255.255", "224.0.0.1", "0.0.0.0")),
        *((each, each, "special-ip") for each in ("::", "::1", "fe80::1", "fd00::1", "ff02::1")),
        *((each, each, "special-ip") for each in ("2001:db8::1", "4000::1", "::ffff:10.0.0.1")),
        *((each, each, "special-ip") for each in ("2002:0a00:0001::1", "2001::1", "fec0::1")),
        *((each, each, "mapped-ip") for each in ("::ffff:8.8.8.8", "64:ff9b::8.8.8.8")),
        ("2002:0808:0808::1", "2002:0808:0808::1", "mapped-ip"),
    ],
    "domain": [
        *(("gmail.com", "gmail.com", "mailbox"), ("Web.DE", "web.de", "mailbox")),
        *(("www.acme.com", "www.acme.com", "www"), ("acme.com.", "acme.com", "changed")),
        *(("münchen.de", "xn--mnchen-3ya.de", "changed"), ("ｒｅｏ.dev", "reo.dev", "changed")),
        ("\u212aite.com", "kite.com", "changed"),
    ],
    "event_at": [
        *(("639303296", 639303296, "old-date"), (1420070399, 1420070399, "old-date")),
        *((NOW + 86_401, NOW + 86_401, "future-date"), ("2999-01-01", 32472144000, "future-date")),
        ("999999999999", 999999999999, "future-date"),
    ],
    "activity_type": [
        *((each, each, "placeholder") for each in ("NULL", "undefined", "-", "(not set)", "#REF!")),
        *((each, each, "placeholder") for each in ("[object Object]", "#N/A", "\\N", "NaN")),
        *((each, each, "template") for each in ("${ENV}", "{{product}}", "x-${A}", "%ENV%")),
        *((each, each, "control-character") for each in ("a\x07b", "a\u200bb", "a\u00a0b", "a\nb")),
        (" a", " a", "spaces"),
    ],
    "event_id": [(2**60, 2**60, "big-integer"), ("null", "null", "placeholder")],
    "mode": [("USER", "USER", "product-data")],
    "source": [("PRODUCT_CLOUD", "PRODUCT_CLOUD", "product-data")],
}


def coded(code: str, *rows: tuple[Any, str]) -> list[tuple[Any, str, str]]:
    return [(raw, code, hint) for raw, hint in rows]


WRONG: dict[str, list[tuple[Any, str, str]]] = {
    "count": [
        *coded(
            "thousands-separator",
            ("1,250", "remove the comma, the thousands separator: 1250, or add --thousands ,"),
            *(("1.000", "add --thousands ."), ("1.250.000", "1250000"), ("1,25,000", "125000")),
            *(("1\u202f250", "add --thousands space"), ("1'250", "add"), ("1_000", "underscore")),
            *(("1,250.00", "round it: 1250"), ("1.250,75", "1251"), ("+1,250", "1250")),
        ),
        *coded("decimals", ("012,345", "round it"), ("0.125", "to 0"), ("0,500", "to 1")),
        *coded("decimals", ("12.5", "to 13"), (1.5, "to 2"), ("1" * 400 + ".5", "round it")),
        *coded("not-a-number", ("+5", "write 5"), (" 007 ", "write 7"), ("١٢", "0 to 9: 12")),
        *coded("not-a-number", ("0x1f", "only"), ("true", "digits only"), ("#N/A", "--null")),
        *((each, "negative", "zero or more") for each in ("-5", " -12.5", "\u22125", -1, -1.5)),
        *((each, "spreadsheet-number", "a spreadsheet") for each in ("1.2E+05", "1,79E+09")),
        *(("1" * 5000, "too-large", "no count"), (True, "wrong-type", ""), ([], "wrong-type", "")),
    ],
    "ip_addr": [
        *(("010.2.3.4", "leading-zeros", "10.2.3.4"), ("256.1.1.1", "not-an-ip", "0 to 255")),
        *(("1.2.3.4:80", "ip-port", "write 1.2.3.4"), ("[2a00::1]:443", "ip-port", "2a00::1")),
        *(("[10.0.0.1]:80", "ip-port", "public"), ("8.8.8.8/32", "ip-network", "write 8")),
        *((each, "ip-network", "send the public") for each in ("10.0.0.0/8", "fe80::1%eth0")),
        *(("8.8.8.0/24", "ip-network", "such as 8.8.8.0"), ("2a00::1%e", "ip-network", "2a00::1")),
        *(("10.0.0.1, 8.8.8.8", "several-ips", "as 8.8.8.8"), ("1.2.3", "not-an-ip", "such as")),
        *(("reo.dev", "not-an-ip", "`domain`"), ("N/A", "not-an-ip", "--null")),
        *(("8.8.8.8\0", "not-an-ip", ""), (5, "wrong-type", "")),
    ],
    "domain": [
        ("https://www.reo.dev/docs", "url", "write reo.dev, or add --domain-of domain"),
        *((each, "url", "reo.dev") for each in ("http://reo.dev:80", "reo.dev/x", "//REO.dev")),
        ("acme.com/login?next=https://globex.com/x", "url", "write acme.com"),
        ("acme.com/https://www.globex.com", "url", "write acme.com"),
        ("ann@acme.com", "mail-address", "write acme.com, or add --domain-of domain"),
        *((each, "mail-address", "acme.com") for each in ("mailto:a@acme.com", "Al <a@acme.com>")),
        ("ann@gmail.com", "mail-address", "gmail.com is a mailbox provider: leave it out"),
        *(("a.com, x.com", "several-domains", "a.com"), ("5.6.7.8", "ip-as-domain", "ip_addr")),
        *(("http://1.2.3.4/x", "url", "`ip_addr`: 1.2.3.4"), ("::1", "ip-as-domain", "ip_addr")),
        *((each, "not-a-domain", "--null") for each in ("N/A", "(not set)", "#REF!")),
        *((each, "not-a-domain", "such as acme") for each in ("Acme Inc.", "localhost", "a_b.com")),
        *(
            (each, "not-a-domain", "")
            for each in ("ä..de", "ä.123", "-ä.de", "ä-.de", "_x.acme.de")
        ),
        *((each, "not-a-domain", "") for each in ("a" * 64 + ".de", "\ud800.c", "a." * 130 + "co")),
        *((each, "not-a-domain", "write acme.com") for each in ("acme.com:443", "*.acme.com")),
        *(("acme.com\u200b", "not-a-domain", "write acme.com"), ("acme.123", "not-a-domain", "")),
        (5, "wrong-type", ""),
    ],
    "event_at": [
        ("1790000000000", "epoch-unit", "add --date-format ms to read it as 1790000000"),
        *((1790000000000, "epoch-unit", "ms"), ("1790000000000000", "epoch-unit", "us to")),
        ("1790000000000000000", "epoch-unit", "--date-format ns to read it as 1790000000"),
        ("2026090110", "date-format", "--date-format %Y%m%d%H, which is 2026-09-01T10:00:00Z"),
        *((2026090110, "date-format", "%Y%m%d%H"), ("20260131", "date-format", "is 2026-01-31")),
        *(("20240501120000", "date-format", "%Y%m%d%H%M%S"), ("2026-08", "date-format", "%Y-%m, ")),
        *(("45992", "epoch-too-small", "day number: 2025-12-01"), ("0", "epoch-too-small", "1970")),
        *(("45992.5", "epoch-too-small", "number"), ("1.7E+09", "spreadsheet-number", "digits")),
        ("01/02/2026", "date-order", "day-first or --date-format month-first"),
        *(("13.02.2026", "date-order", "day-first"), ("01/31/2026", "date-order", "month-first")),
        ("31.12.24 08:00", "date-order", "--date-format '%d.%m.%y %H:%M'"),
        *(("5/15/24 8:05 PM", "date-order", "y %I:%M %p'"), ("1/2/26", "date-order", "or --date")),
        ("5/15/24, 8:05:09.5", "date-order", "'%m/%d/%y, %H:%M:%S.%f'"),
        *(("01-May-24", "date-format", "%d-%b-%y"), ("2026/01/31", "date-format", "%Y/%m/%d")),
        *(("2026-1-5", "date-format", "%Y-%m-%d"), ("31 Jan 2026", "date-format", "'%d %b %Y'")),
        ("Wed May  1 12:00:00 2024", "date-format", "%a %b  %d %H:%M:%S %Y"),
        ("01/Sep/2026:10:00:00 +0000", "date-format", "%d/%b/%Y:%H:%M:%S %z"),
        *((each, "leading-zeros", "") for each in ("0001790000000", "0790000000")),
        *((each, "not-a-time", "seconds") for each in ("1,790,000,000", "+1790000000", "+1.5")),
        *((each, "not-a-time", "ISO 8601") for each in ("1790000000,5", "1.250,75", "yesterday")),
        *((each, "not-a-time", "12:30") for each in ("2026-05-02T12.5", "2026-05-02T12:30+01:60")),
        *((each, "not-a-time", "2026-01-31") for each in ("2026-02-30", "2026-01-31T25:00", "NOW")),
        *((each, "before-1970", "check the year") for each in ("1970-W01", "1969-12-31", -1)),
        *(("1" * 5000, "not-a-time", "1970"), (True, "wrong-type", ""), ({}, "wrong-type", "")),
    ],
    "activity_type": [(5, "wrong-type", '"5"'), (True, "wrong-type", ""), ([1], "wrong-type", "")],
    "event_id": [(7.5, "wrong-type", "integer"), (True, "wrong-type", ""), ({}, "wrong-type", "")],
    "mode": [("domain", "unknown-value", "DOMAIN"), (1, "wrong-type", ""), ([], "wrong-type", "")],
    "source": coded("unknown-value", ("Telemetry", "TELEMETRY"), ("cpc", "--set source=TELEMETRY")),
    "meta": [
        *((each, "not-json", "") for each in ("x", "{", "{} {}", '{"a":NaN}')),
        *(('{"a":1,"a":2}', "key-twice", ""), ('{"a":1e400}', "too-large", "")),
        *(("[1]", "wrong-type", "plan"), ('"a"', "wrong-type", ""), ([1], "wrong-type", "")),
        *(('{"a":' + "1" * 5000 + "}", "too-large", ""), ("[" * 99_999, "too-deep", "64 levels")),
    ],
}


def rows(table: dict[str, list[Any]]) -> list[Any]:
    return [(name, *row) for name, found in table.items() for row in found]


def short(value: object) -> str:
    return ascii(value)[:40]


@pytest.mark.parametrize(("name", "raw", "value"), rows(GOOD), ids=short)
def test_good_values(name: str, raw: Any, value: Any) -> None:
    assert PARSERS[name](raw) == (value, ())


@pytest.mark.parametrize(("name", "raw", "value", "code"), rows(WARNED), ids=short)
def test_odd_values_are_sent_with_a_warning(name: str, raw: Any, value: Any, code: str) -> None:
    sent, issues = PARSERS[name](raw)
    assert sent == value
    assert [(each.severity, each.code) for each in issues] == [("warning", code)]


@pytest.mark.parametrize(("name", "raw", "code", "hint"), rows(WRONG), ids=short)
def test_wrong_values_have_a_code_and_a_hint(name: str, raw: Any, code: str, hint: str) -> None:
    value, issues = PARSERS[name](raw)
    assert value is None
    assert [(each.severity, each.code) for each in issues] == [("error", code)]
    assert hint in with_options(issues[0].hint, issues[0].options)


@pytest.mark.parametrize(
    ("name", "raw"),
    [(name, row[0]) for table in (WRONG, WARNED) for name, found in table.items() for row in found],
    ids=short,
)
def test_the_options_of_an_issue_mend_it(name: str, raw: Any) -> None:
    """Whatever a hint says to add to the command line, the value is read with it."""
    for option, value in PARSERS[name](raw)[1][0].options:
        rules = {
            "--date-format": Rules(NOW, date_format=value),
            "--thousands": Rules(NOW, thousands=value),
            "--domain-of": Rules(NOW, domain_of=True),
        }.get(option)
        if rules:
            sent, issues = parsers(rules)[name](raw)
            assert not issues
            assert sent is not None or "gmail" in raw
        else:
            assert option in ("--null", "--set", "--skip"), option


@pytest.mark.parametrize(
    ("mark", "raw", "value"),
    [
        *((",", "1,250", 1250), (",", "1,250,000", 1250000), (",", "1,250.00", 1250)),
        *((".", "1.250", 1250), (".", "1.250,0", 1250), ("'", "1’250", 1250)),
        *(("space", "1\u00a0250", 1250), ("space", "1 250", 1250), (",", "1250", 1250)),
        *((",", "999", 999), (",", "1,25", None), (",", "1,2500", None), (",", "1,25,000", None)),
        (",", "0,250", None),
        *((".", "1.25", None), (",", "1.250", None), (",", ",250", None), (".", "12.0", 12)),
    ],
)
def test_thousands_stand_in_groups_of_three_or_not_at_all(
    mark: str, raw: str, value: int | None
) -> None:
    sent, issues = parsers(Rules(NOW, thousands=mark))["count"](raw)
    assert (sent, bool(issues)) == (value, value is None)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        *((each, "acme.com") for each in ("ann@acme.com", "Ann <ann@acme.com>", "acme.com")),
        *((each, "acme.com") for each in ("https://www.acme.com/x?y", "www.acme.com")),
        *(("//shop.acme.com:80/", "shop.acme.com"), ("www.de", "www.de")),
        *(("ann@münchen.de", "xn--mnchen-3ya.de"), ("bob@gmail.com", None), ("gmail.com", None)),
        *(("", None), (None, None)),
    ],
)
def test_the_domain_of_a_mail_address_or_url(raw: str | None, value: str | None) -> None:
    assert parsers(Rules(NOW, domain_of=True))["domain"](raw) == (value, ())


@pytest.mark.parametrize("raw", ["nobody", "http://1.2.3.4/", "a@", "N/A", 5, "a@b@c", "::1"])
def test_what_holds_no_domain_is_an_error(raw: Any) -> None:
    value, issues = parsers(Rules(NOW, domain_of=True))["domain"](raw)
    assert value is None
    assert [each.severity for each in issues] == ["error"]


@pytest.mark.parametrize(
    ("date_format", "raw", "seconds"),
    [
        *(("day-first", "31.01.2026", DAY), ("day-first", "31/1/2026 12:00", NOON)),
        *(("month-first", "1/31/2026 12:00 PM", NOON), ("%d %b %Y", "31 Jan 2026", DAY)),
        *(("month-first", "01-31-2026 12:00:00 am", DAY), ("%Y%m%d", "20260131", DAY)),
        ("%Y-%m-%dT%H:%M:%S%z", "2026-01-31T14:00:00+0200", NOON),
        *(("ms", "1790000000999", 1790000000), ("ms", 1790000000999, 1790000000)),
        *(("us", "1790000000000000", 1790000000), ("ns", 1790000000000000000, 1790000000)),
        *(("s", "1790000000", 1790000000), ("ms", "2026-01-31", DAY), ("ms", "now", NOW)),
        # What is a time without any format stays one.
        *(("day-first", "2026-01-31", DAY), ("day-first", "1790000000", 1790000000)),
        ("%Y%m%d", "1790000000", 1790000000),
    ],
)
def test_date_formats(date_format: str, raw: Any, seconds: int) -> None:
    assert parsers(Rules(NOW, date_format=date_format))["event_at"](raw) == (seconds, ())


@pytest.mark.parametrize(
    ("date_format", "raw"),
    [
        *(("day-first", "31.02.2026"), ("day-first", "1/31/2026"), ("month-first", "31/1/2026")),
        *(("month-first", "1/31/2026 13:00 PM"), ("day-first", "31.01.26")),
        *(("day-first", "31.01.26 08:00 p.m."), ("%d %b %Y", "32 Jan 2026")),
        *(("ms", "1790000000"), ("s", "1790000000000"), ("ms", "1" * 17)),
    ],
)
def test_dates_that_do_not_fit(date_format: str, raw: str) -> None:
    assert parsers(Rules(NOW, date_format=date_format))["event_at"](raw)[0] is None


def test_seconds_by_name_are_never_taken_for_an_hour() -> None:
    value, issues = parsers(Rules(NOW, date_format="s"))["event_at"]("2026090110")
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
    rules = Rules(NOW, date_format=date_format, thousands=thousands, domain_of=domain_of)
    value, issues = parsers(rules)[name](raw)
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
    value, issues = PARSERS["ip_addr"](raw)
    try:
        address = ip_address(raw) if "%" not in raw else None
    except ValueError:
        address = None
    assert (value is not None) is (address is not None)
    if address is not None and not issues:
        assert address.is_global


def test_the_fast_look_at_an_address_agrees_with_the_slow_one() -> None:
    for first, second in itertools.product(range(224), range(256)):
        raw = f"{first}.{second}.2.7"
        assert bool(PARSERS["ip_addr"](raw)[1]) is not ip_address(raw).is_global


def test_values_are_told_apart_by_their_types() -> None:
    """True, 1 and 1.0 are equal to Python, not here."""
    good = [PARSERS["count"](raw)[0] for raw in (1, True, 1.0, "1", False, 0)]
    assert json.dumps(good) == "[1, null, 1, 1, null, 0]"

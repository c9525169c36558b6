"""IP addresses and domains: what is one, what holds one, and which stand for no company."""

from contextlib import suppress
from ipaddress import ip_address as parsed
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reo_cli.values.addresses import ip_address
from reo_cli.values.domains import domain

PUBLIC = [
    "8.8.8.8",
    "156.59.87.83",
    "172.15.0.1",
    "100.128.0.1",
    "2a00:1450::8a",
    "2606:4700::1111",
]

SPECIAL = {
    "10.1.2.3": "private",
    "172.31.255.255": "private",
    "192.168.0.1": "private",
    "127.0.0.1": "loopback",
    "169.254.1.1": "link-local",
    "100.64.0.1": "CGNAT",
    "192.0.2.1": "documentation",
    "198.18.0.1": "benchmarks",
    "240.0.0.1": "reserved",
    "255.255.255.255": "broadcast",
    "224.0.0.1": "multicast",
    "0.0.0.0": "unspecified",
    "::": "unspecified",
    "::1": "loopback",
    "fe80::1": "link-local",
    "fd00::1": "private",
    "2001:db8::1": "documentation",
    "3fff::1": "documentation",
    "ff02::1": "multicast",
    "4000::1": "reserved",
    "::ffff:10.0.0.1": "private",
    "::ffff:8.8.8.8": "IPv4",
    "64:ff9b::8.8.8.8": "IPv4",
    "2002:0808:0808::1": "IPv4",
    "2002:0a00:0001::1": "private",
    "2001::1": "Teredo",
    "2001:10::1": "ORCHID",
    "2001:2f::1": "ORCHID",
}

NO_IP: list[tuple[Any, str]] = [
    ("010.2.3.4", "10.2.3.4"),
    ("1.2.3.4:80", "write 1.2.3.4"),
    ("[2a00::1]:443", "write 2a00::1"),
    ("8.8.8.0/24", "one address of it, such as 8.8.8.0"),
    ("10.0.0.0/8", "used inside many networks: send the public"),
    ("8.8.8.8/32", "write 8.8.8.8"),
    ("fe80::1%eth0", "link-local address, which a machine gives itself: send the public"),
    ("2a00::1%eth0", "write 2a00::1"),
    ("[10.0.0.1]:80", "a private address, used inside many networks: send the public"),
    ("0177.0.0.1", "write 177.0.0.1"),
    ("10.0.0.1, 8.8.8.8", "such as 8.8.8.8"),
    ("1.2.3.x", "such as 156"),
    ("N/A", "leave it empty"),
    ("256.1.1.1", "0 to 255"),
    ("1.2.3", "such as"),
    ("reo.dev", "`domain`"),
    ("1.2.3.4, 5.6.7.8", "such as 1.2.3.4"),
    (" 8.8.8.8", "remove the spaces around it: 8.8.8.8"),
    ("8.8.8.8\0", "such as"),
    (5, ""),
]

DOMAINS = {"reo.dev": "reo.dev", "ACME.Com": "acme.com", "a.b.co.uk": "a.b.co.uk"}

CHANGED = {
    "acme.com.": "acme.com",
    "münchen.de": "xn--mnchen-3ya.de",
    "ｒｅｏ.dev": "reo.dev",
    "\u212aite.com": "kite.com",
}

NO_DOMAIN: list[tuple[Any, str]] = [
    ("https://www.reo.dev/docs", "write reo.dev"),
    ("http://reo.dev:8080", "write reo.dev"),
    ("reo.dev/docs", "write reo.dev"),
    ("//reo.dev", "write reo.dev"),
    ("ann@acme.com", "write acme.com"),
    ("ann@gmail.com", "gmail.com is a mailbox provider: leave it out"),
    ("acme.com/login?next=https://globex.com/x", "write acme.com"),
    ("acme.com/https://www.globex.com", "write acme.com"),
    ("HTTPS://acme.com", "write acme.com"),
    ("ann@acme.com, bob@globex.com", "such as acme.com"),
    ("http://1.2.3.4/x", "belongs in `ip_addr`: 1.2.3.4"),
    ("1.2.3.4:80", "belongs in `ip_addr`: 1.2.3.4"),
    ("N/A", "leave it empty"),
    ("(not set)", "leave it empty"),
    ("Acme Inc.", "a name is not enough"),
    ("ä..de", "such as"),
    ("ä.123", "such as"),
    ("ä_b.de", "no underscore"),
    ("-ä.de", "such as"),
    ("ä-.de", "such as"),
    ("münchen", "has a dot"),
    ("xn--ac99999999999999999999ⓖⓞⓞ.comom", "such as"),
    ("acme.com\u200b", "write acme.com"),
    ("Ann <ann@acme.com>", "write acme.com"),
    ("mailto:ann@acme.com", "write acme.com"),
    ("acme.com:443", "write acme.com"),
    ("*.acme.com", "write acme.com"),
    (" acme.com", "write acme.com"),
    ("acme.com, x.com", "such as acme.com"),
    ("localhost", "has a dot"),
    ("a_b.com", "no underscore"),
    ("8.8.8.8", "`ip_addr`"),
    ("::1", "`ip_addr`"),
    ("acme.123", "such as"),
    ("-a.com", "such as"),
    ("a" * 64 + ".com", "such as"),
    ("\ud800.com", "such as"),
    ("a." * 130 + "com", "such as"),
    (5, ""),
]


@pytest.mark.parametrize("raw", PUBLIC)
def test_public_addresses(raw: str) -> None:
    assert ip_address(raw) == (raw, ())


@pytest.mark.parametrize(("raw", "why"), SPECIAL.items())
def test_addresses_of_no_company_are_warned_of(raw: str, why: str) -> None:
    value, findings = ip_address(raw)
    assert value == raw
    assert [each.severity for each in findings] == ["warning"]
    assert why in findings[0].message


@pytest.mark.parametrize(("raw", "hint"), NO_IP)
def test_no_addresses(raw: Any, hint: str) -> None:
    value, findings = ip_address(raw)
    assert value is None
    assert [each.severity for each in findings] == ["error"]
    assert hint in findings[0].hint


@given(st.ip_addresses().map(str) | st.text("0123456789abcdef.:%/[]", max_size=20))
def test_an_address_is_what_the_standard_library_says(raw: str) -> None:
    known = False
    with suppress(ValueError):
        parsed(raw)
        known = "%" not in raw
    assert (ip_address(raw)[0] is not None) is known


@given(st.ip_addresses())
def test_the_ranges_agree_with_the_registry(address: Any) -> None:
    if not ip_address(str(address))[1]:
        assert address.is_global or str(address).startswith(("2001:", "2002:", "5f", "192."))


@pytest.mark.parametrize(("raw", "value"), DOMAINS.items())
def test_domains(raw: str, value: str) -> None:
    assert domain(raw) == (value, ())


@pytest.mark.parametrize(("raw", "value"), CHANGED.items())
def test_what_is_sent_otherwise_is_said(raw: str, value: str) -> None:
    sent, findings = domain(raw)
    assert sent == value
    assert [each.severity for each in findings] == ["warning"]
    assert value in findings[0].hint


@pytest.mark.parametrize("raw", ["gmail.com", "GMail.com", "web.de", "gmail.com."])
def test_mailbox_providers_are_no_company(raw: str) -> None:
    value, findings = domain(raw)
    assert value == raw.lower().rstrip(".")
    assert "mailbox" in findings[-1].message
    assert {each.severity for each in findings} == {"warning"}


@pytest.mark.parametrize(("raw", "hint"), NO_DOMAIN)
def test_no_domains(raw: Any, hint: str) -> None:
    value, findings = domain(raw)
    assert value is None
    assert [each.severity for each in findings] == ["error"]
    assert hint in findings[0].hint


@given(st.text())
def test_any_text_is_a_domain_or_an_error(raw: str) -> None:
    value, findings = domain(raw)
    assert value is None or (value.isascii() and value == value.lower() and "." in value)
    assert value is not None or findings or not raw.strip()

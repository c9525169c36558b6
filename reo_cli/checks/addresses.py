"""IP addresses: is it one, and can Reo.Dev map it to a company?"""

import re
from functools import cache, lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from reo_cli.checks.values import Checked, error, from_text, warned
from reo_cli.text import shown

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_PLAIN = (
    r"(?!(?:0|10|100|127|169|172|192|198|203|22[4-9]|2[345][0-9])\.)"
    rf"{_OCTET}(?:\.{_OCTET}){{3}}\Z"
)
"""Addresses of networks in none of which a special range lies (RFC 6890)."""

_is_plain = cache(lambda: re.compile(_PLAIN).match)
"""Compiled for a run that has addresses only."""

_KINDS = {
    "is_unspecified": "an unspecified address",
    "is_loopback": "a loopback address, by which every machine means itself",
    "is_link_local": "a link-local address, which a machine gives itself",
    "is_multicast": "a multicast address, which stands for a group of machines",
    "is_reserved": "a reserved address, assigned to nobody",
    "is_site_local": "an address of private networks",
    "is_private": "an address of private networks, or for documentation",
}
"""What the standard library knows of an address, and what that means; the first one counts."""

_CARRIER = "a carrier's shared address (CGNAT), used by many customers"
_PUBLIC = "send the public address"


def ip_addr(raw: Any) -> Checked:
    """Check an IP address, v4 or v6; special-purpose ranges are warnings."""
    if raw.__class__ is str and _is_plain()(raw):
        return raw, ()
    return from_text(raw, "an IP address", "not-an-ip", _written)


@lru_cache(maxsize=1024)
def _written(text: str) -> Checked:
    address = parsed(text)
    if address is None:
        return _not_an_ip(text)
    inner = address if isinstance(address, IPv4Address) else _inside(address)
    if inner is not address and inner.is_global:
        return warned(text, "mapped-ip", f"{text} is an IPv4 address as IPv6", f"write {inner}")
    why = _special(inner)
    if why is None:
        return text, ()
    hint = f"it cannot be mapped to a company: {_PUBLIC}"
    return warned(text, "special-ip", f"{text} is {why}", hint)


def _inside(address: IPv6Address) -> IPv4Address | IPv6Address:
    """Return the v4 address that a v6 one stands for (RFC 4291, 3056, 6052), or the address."""
    if address.packed.startswith(b"\x00\x64\xff\x9b\0\0\0\0\0\0\0\0"):
        return IPv4Address(address.packed[12:])
    return address.ipv4_mapped or address.sixtofour or address


def _special(address: IPv4Address | IPv6Address) -> str | None:
    """Say why an address stands for no company's machine, or None."""
    why = next((words for name, words in _KINDS.items() if getattr(address, name, False)), None)
    return why or (None if address.is_global else _CARRIER)


def parsed(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address that a text is; one with a zone id is none."""
    try:
        return None if "%" in text else ip_address(text)
    except ValueError:
        return None


_PORT = r"\[([0-9A-Fa-f:.]+)\](?::[0-9]+)?|([0-9.]+):[0-9]+"
_NETWORK = "is a network, not an address"
_AROUND = (
    (_PORT, "ip-port", "has a port or brackets", "write"),
    ("(.+)/(?:32|128)", "ip-network", _NETWORK, "write"),
    ("(.+)/.*", "ip-network", _NETWORK, "write one address of it, such as"),
    ("(.+)%.*", "ip-network", "is an address with a zone id", "write"),
)
"""What may stand around an address: a pattern that holds it, code, what that is, what to do."""


def _not_an_ip(text: str) -> Checked:
    for pattern, code, what, advice in _AROUND:
        around = re.fullmatch(pattern, text)
        if around and (address := parsed(inner := around[around.lastindex or 1])):
            why = _special(address)
            hint = f"{inner} is {why}: {_PUBLIC}" if why else f"{advice} {inner}"
            return error(code, f"{shown(text)} {what}", hint)
    found = [address for each in re.split("[,; ]+", text[:1000]) if (address := parsed(each))]
    if len(found) > 1:
        hint = f"keep one, such as {min(found, key=lambda each: _special(each) is not None)}"
        return error("several-ips", f"{shown(text)} holds several addresses", hint)
    hint = "such as 156.59.87.83 or 2a00:1450::8a"
    if re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]{1,9}){3}", text):
        plain = ".".join(str(int(part)) for part in text.split("."))
        if parsed(plain):
            hint = f"some programs read them as octal; write {plain} if that is meant"
            return error("leading-zeros", f"{shown(text)} has leading zeros", hint)
        hint = "each of its four numbers is 0 to 255"
    elif re.fullmatch(r"(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}", text):
        hint = "a name belongs in `domain`"
    return error("not-an-ip", f"{shown(text)} is not an IP address", hint)

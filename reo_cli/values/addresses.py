"""IP addresses: is it one, and can Reo.Dev map it to a company?

Ranges follow the IANA special-purpose address registries (RFC 6890 and its updates).
"""

import re
from _socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from bisect import bisect_right
from functools import lru_cache
from typing import Any

from reo_cli.values import (
    ABSENT,
    NOTHING_HINT,
    Checked,
    error,
    not_a,
    remembered,
    shown,
    stands_for_nothing,
    warned,
)
from reo_cli.values.patterns import Pattern

_PRIVATE = "a private address, used inside many networks"
_LOOPBACK = "a loopback address, by which every machine means itself"
_LINK_LOCAL = "a link-local address, which a machine gives itself"
_UNSPECIFIED = "an unspecified address"
_DOCUMENTATION = "an address for documentation"
_BENCHMARK = "an address for benchmarks"
_MULTICAST = "a multicast address, which stands for a group of machines"
_RESERVED = "a reserved address, assigned to nobody"
_NO_PLACE = "an identifier for cryptography (ORCHID), which leads nowhere"
_MAPPED = "an IPv4 address written as IPv6"

_SPECIAL = {
    "0.0.0.0/8": _UNSPECIFIED,
    "10.0.0.0/8": _PRIVATE,
    "100.64.0.0/10": "a carrier's shared address (CGNAT), used by many customers",
    "127.0.0.0/8": _LOOPBACK,
    "169.254.0.0/16": _LINK_LOCAL,
    "172.16.0.0/12": _PRIVATE,
    "192.0.0.0/24": _RESERVED,
    "192.0.2.0/24": _DOCUMENTATION,
    "192.88.99.0/24": _RESERVED,
    "192.168.0.0/16": _PRIVATE,
    "198.18.0.0/15": _BENCHMARK,
    "198.51.100.0/24": _DOCUMENTATION,
    "203.0.113.0/24": _DOCUMENTATION,
    "224.0.0.0/4": _MULTICAST,
    "240.0.0.0/4": _RESERVED,
    # Of IPv6 only 2000::/3 is in use for single machines anywhere in the Internet.
    "::/3": _RESERVED,
    "2001::/32": "a Teredo address, which a tunnel makes up",
    "2001:2::/48": _BENCHMARK,
    "2001:10::/28": _NO_PLACE,
    "2001:20::/28": _NO_PLACE,
    "2001:db8::/32": _DOCUMENTATION,
    "3fff::/20": _DOCUMENTATION,
    "4000::/2": _RESERVED,
    "8000::/2": _RESERVED,
    "c000::/3": _RESERVED,
    "e000::/4": _RESERVED,
    "f000::/5": _RESERVED,
    "f800::/6": _RESERVED,
    "fc00::/7": _PRIVATE,
    "fe00::/9": _RESERVED,
    "fe80::/10": _LINK_LOCAL,
    "fec0::/10": _PRIVATE,
    "ff00::/8": _MULTICAST,
}

_SPECIAL_OCTETS = frozenset({0, 10, 100, 127, 169, 172, 192, 198, 203, *range(224, 256)})
"""First octets with a special range in them: all other v4 addresses are decided by a look here."""

_TRANSLATED = (bytes(10) + b"\xff\xff", b"\x00\x64\xff\x9b" + bytes(8))
"""How a v6 address begins that holds a v4 address: mapped (RFC 4291) or by NAT64 (RFC 6052)."""

_6TO4 = b"\x20\x02"
"""How a v6 address begins in which a v4 address comes next (RFC 3056)."""

_SINGLE = {
    b"\xff\xff\xff\xff": "the broadcast address",
    bytes(16): _UNSPECIFIED,
    bytes(15) + b"\x01": _LOOPBACK,
}


@lru_cache(maxsize=2)
def _ranges(size: int) -> tuple[list[int], list[int], list[str]]:
    """Return first and last addresses, as integers of `size` bytes, and what they are."""
    starts, ends, whys = [], [], []
    for network, why in _SPECIAL.items():
        head, _, length = network.partition("/")
        packed = parsed(head)
        if len(packed) == size:
            starts.append(int.from_bytes(packed, "big"))
            ends.append(starts[-1] + (1 << (8 * size - int(length))) - 1)
            whys.append(why)
    return starts, ends, whys


def _special(packed: bytes) -> str | None:
    """Say why an address stands for no company's machine, or None."""
    if packed in _SINGLE:
        return _SINGLE[packed]
    starts, ends, whys = _ranges(len(packed))
    number = int.from_bytes(packed, "big")
    at = bisect_right(starts, number) - 1
    return whys[at] if at >= 0 and number <= ends[at] else None


def ip_address(raw: Any) -> Checked:
    """Check an IP address, v4 or v6; special-purpose ranges are warnings.

    The plain case comes first and is not remembered: the addresses of a large file differ.
    """
    if raw.__class__ is str:
        try:
            if inet_pton(AF_INET, raw)[0] not in _SPECIAL_OCTETS:
                return raw, ()
        except (OSError, ValueError):
            return _other_address(raw)
    return _other_address(raw)


@remembered(1024)
def _other_address(raw: Any) -> Checked:
    if not isinstance(raw, str):
        return not_a("a string", raw)
    try:
        packed = parsed(raw)
    except ValueError:
        return _not_an_ip(raw) if raw.strip() else ABSENT
    if packed[:12] in _TRANSLATED or (len(packed) == 16 and packed[:2] == _6TO4):
        packed = packed[12:] if packed[:2] != _6TO4 else packed[2:6]
        if _special(packed) is None:
            return warned(raw, f"{raw} is {_MAPPED}", f"write {inet_ntop(AF_INET, packed)}")
    why = _special(packed)
    if why is None:
        return raw, ()
    hint = "it cannot be mapped to a company: send the public address"
    return warned(raw, f"{raw} is {why}", hint)


def parsed(raw: str) -> bytes:
    """Return the 4 or 16 bytes of an address; ValueError when it is none, or has a zone id."""
    if "%" in raw:
        raise ValueError(raw)
    try:
        return inet_pton(AF_INET6 if ":" in raw else AF_INET, raw)
    except OSError as fault:
        raise ValueError(raw) from fault


_V4_PORT = Pattern(r"([0-9]{1,3}(?:\.[0-9]{1,3}){3}):[0-9]+\Z")
_V6_PORT = Pattern(r"\[([0-9A-Fa-f:.]+)\](?::[0-9]+)?\Z")
_DOTTED = Pattern(r"[0-9]{1,9}(?:\.[0-9]{1,9}){3}\Z")
_NAME = Pattern(r"(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}\Z")


def _not_an_ip(raw: str) -> Checked:
    what = f"{shown(raw)} is not an IP address"
    stripped = raw.strip()
    if stripped != raw:
        mended = f": {stripped}" if _is_address(stripped) else ""
        return error(what, f"remove the spaces around it{mended}")
    port = _V4_PORT.match(raw) or _V6_PORT.match(raw)
    if port and _is_address(port[1]):
        return error(f"{shown(raw)} has a port or brackets", _written(port[1]))
    for mark, name in (("/", "a network, not an address"), ("%", "an address with a zone id")):
        head, found, tail = raw.partition(mark)
        if found and _is_address(head):
            single = mark == "%" or tail in ("32", "128")
            hint = f"write one address of it, such as {head}"
            if single or _special(parsed(head)):
                hint = _written(head)
            return error(f"{shown(raw)} is {name}", hint)
    several = [each.strip() for each in re.split("[,; ]", raw[:1000]) if _is_address(each.strip())]
    if len(several) > 1:
        best = next((each for each in several if _special(parsed(each)) is None), several[0])
        return error(f"{shown(raw)} holds several addresses", f"keep one, such as {best}")
    return _not_four_numbers(raw, what) if _DOTTED.match(raw) else error(what, _advice(raw))


def _written(address: str) -> str:
    """Return the hint to write an address, or why that would not help."""
    why = _special(parsed(address))
    return f"write {address}" if why is None else f"{address} is {why}: send the public address"


def _not_four_numbers(raw: str, what: str) -> Checked:
    plain = ".".join(str(int(part)) for part in raw.split("."))
    if plain != raw and _is_address(plain):
        hint = f"some programs read them as octal; write {plain} if that is meant"
        return error(f"{shown(raw)} has leading zeros", hint)
    return error(what, "each of its four numbers is 0 to 255")


def _advice(raw: str) -> str:
    if stands_for_nothing(raw):
        return NOTHING_HINT
    if _NAME.match(raw):
        return "a name belongs in `domain`"
    return "such as 156.59.87.83 or 2a00:1450::8a"


def _is_address(text: str) -> bool:
    try:
        parsed(text)
    except ValueError:
        return False
    return True

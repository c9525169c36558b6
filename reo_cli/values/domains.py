"""Company domains: what is one, what holds one, and which are nobody's."""

import re
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
from reo_cli.values.addresses import parsed

MAILBOXES = frozenset(
    "126.com 163.com aim.com aol.com att.net comcast.net duck.com fastmail.com free.fr gmail.com"
    " gmx.at gmx.ch gmx.com gmx.de gmx.net googlemail.com hey.com hotmail.co.uk hotmail.com"
    " hotmail.de hotmail.es hotmail.fr hotmail.it icloud.com inbox.com laposte.net libero.it"
    " live.co.uk live.com live.de live.fr mac.com mail.com mail.ru mailinator.com me.com msn.com"
    " naver.com orange.fr outlook.com outlook.de outlook.fr pm.me proton.me protonmail.ch"
    " protonmail.com qq.com rediffmail.com rocketmail.com sina.com t-online.de tuta.com"
    " tutanota.com wanadoo.fr web.de yahoo.ca yahoo.co.in yahoo.co.jp yahoo.co.uk yahoo.com"
    " yahoo.com.br yahoo.de yahoo.es yahoo.fr yahoo.in yahoo.it yandex.com yandex.ru yeah.net"
    " ymail.com zoho.com".split()
)
"""Domains under which anyone can have a mailbox: no company owns the events."""

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+(?!\d+\Z){_LABEL}\Z", re.ASCII)
LENGTH_LIMIT = 253
"""Characters of the longest name that DNS can carry (RFC 1035, 2.3.4)."""


@remembered(4096)
def domain(raw: Any) -> Checked:
    """Check a company domain; it is sent in lower case and ASCII, without a trailing dot."""
    if not isinstance(raw, str):
        return not_a("a string", raw)
    name = raw.lower()
    if len(name) <= LENGTH_LIMIT and _DOMAIN.match(name) and raw.isascii():
        return _judged(name)
    return _not_plain(raw, name) if raw.strip() else ABSENT


def _judged(name: str) -> Checked:
    if name in MAILBOXES:
        return warned(name, f"{name} is a mailbox provider", "no company can be told from it")
    return name, ()


def _not_plain(raw: str, name: str) -> Checked:
    bare = _bare(name)
    if bare is not None and name == f"{bare}.":
        return _changed(bare, f"{shown(raw)} ends with a dot")
    is_name = not name.startswith(".") and not re.search(r"[\s/@:?#\\<>\"'*]", name)
    if bare is not None and is_name and not raw.isascii() and name.isprintable():
        return _changed(bare, f"{shown(raw)} is not ASCII")
    if stands_for_nothing(raw):
        return error(f"{shown(raw)} is not a domain", NOTHING_HINT)
    several = [each for each in re.split(r"[,;\s]+", name[:1000]) if each]
    if len(several) > 1 and (first := _bare(several[0])):
        return error(f"{shown(raw)} is not a domain", f"one event has one domain, such as {first}")
    kind = _kind(name)
    return error(f"{shown(raw)} is {kind}", _mend(name, bare))


def _changed(bare: str, message: str) -> Checked:
    value, more = _judged(bare)
    _, found = warned(value, message, f"it is sent as {bare}")
    return value, (*found, *more)


def _kind(name: str) -> str:
    if _address(name):
        return "an IP address, not a domain"
    if "@" in name and "/" not in name:
        return "a mail address, not a domain"
    if "/" in name or name.startswith("mailto:"):
        return "a URL, not a domain"
    return "not a domain"


def _mend(name: str, bare: str | None) -> str:
    address = _address(name) or _address(_host(name))
    if address:
        return f"an address belongs in `ip_addr`: {address}"
    if bare in MAILBOXES:
        return f"{bare} is a mailbox provider: leave it out, and send `ip_addr`"
    if bare is not None:
        return f"write {bare}"
    if re.search(r"\S\s+\S", name):
        return "a name is not enough; write its domain, such as acme.com"
    if "." not in name.strip("."):
        return "a domain has a dot, such as acme.com"
    if "_" in name:
        return "a domain has no underscore"
    return "such as acme.com"


def _address(text: str) -> str | None:
    """Return the IP address that a text is, if it is one."""
    plain = text.strip(" \t").rstrip(".")
    plain = plain[1:-1] if plain[:1] == "[" and plain[-1:] == "]" else plain
    try:
        parsed(plain)
    except ValueError:
        return None
    return plain


def _host(name: str) -> str:
    """Return the part of a URL or a mail address that may be a domain."""
    text = name[: 4 * LENGTH_LIMIT].strip().strip("<>\"'")
    text = re.sub(r"\A(?:[a-z][a-z0-9+.-]*:)?//", "", text).removeprefix("mailto:")
    text = re.split(r"[/?#\\]", text, maxsplit=1)[0].rpartition("@")[2]
    return re.sub(r":[0-9]*\Z", "", text)


def _bare(name: str) -> str | None:
    """Return the domain inside a URL, a mail address or an international name, if there is one."""
    text = _host(name).strip(". \t").removeprefix("*.")
    if "/" in name:
        text = text.removeprefix("www.")
    text = _to_ascii(text)
    return text if len(text) <= LENGTH_LIMIT and _DOMAIN.match(text) else None


def _to_ascii(name: str) -> str:
    if name.isascii():
        return name
    import idna

    try:
        return idna.encode(name, uts46=True).decode()
    except (idna.IDNAError, UnicodeError, OverflowError):
        return ""

"""Company domains: what is one, what holds one (`--domain-of`), and which are nobody's."""

import re
from typing import Any

from reo_cli.checks.addresses import parsed
from reo_cli.checks.values import ABSENT, Checked, Option, Parser, error, from_text, issue, warned
from reo_cli.text import shown

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
_DOMAIN = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)+(?![0-9]+\Z){_LABEL}\Z", re.ASCII)
"""A name that DNS can carry (RFC 1035, 2.3.4), in lower case."""

_LONGEST = 1000
"""Characters of a text in which a domain is looked for."""

_KINDS = (
    ("[^/]*@[^/]*", "mail-address", "a mail address, not a domain"),
    ("(?s:.*/.*|mailto:.*)", "url", "a URL, not a domain"),
    ("(?s:.*)", "not-a-domain", "not a domain"),
)
"""What a text may be that is no domain: a pattern, code, and what it is."""


def domains(column: str = "domain") -> Parser:
    """Return the parser of a company domain, in the hint named as `column`.

    It is sent in lower case and ASCII, without a trailing dot.
    """
    option = ("--domain-of", column)

    def domain(raw: Any) -> Checked:
        if raw.__class__ is str and raw.isascii() and _DOMAIN.match(name := raw.lower()):
            return _judged(name, option)
        return from_text(raw, "a domain", "not-a-domain", written)

    def written(text: str) -> Checked:
        name = text.lower()
        bare = _bare(name)
        if bare and name == f"{bare}.":
            return _changed(bare, f"{shown(text)} ends with a dot", option)
        if bare and name == bare and text.isascii():  # there were spaces around it
            return _judged(bare, option)
        is_name = not re.search(r"\A\.|[\s/@:?#\\<>\"'*]", name) and name.isprintable()
        if bare and is_name and not text.isascii():
            return _changed(bare, f"{shown(text)} is not ASCII", option)
        return _no_domain(text, bare, option)

    return domain


def domain_of(raw: Any) -> Checked:
    """Return the company's domain in a mail address, a URL or a domain (`--domain-of`).

    `www.` is dropped; a free mailbox is no company, so it is absent.
    """

    def written(text: str) -> Checked:
        bare = _bare(text.lower())
        if bare is None:
            return _no_domain(text, None)
        bare = bare.removeprefix("www.") if bare.count(".") > 1 else bare
        return ABSENT if bare in MAILBOXES else (bare, ())

    return from_text(raw, "a domain", "not-a-domain", written)


def company_in(text: str) -> str | None:
    """Return the domain that `--domain-of` finds in a text, None in a free mailbox, or the text."""
    domain, wrong = domain_of(text)
    return text if wrong else domain


def _judged(name: str, option: Option) -> Checked:
    if name in MAILBOXES:
        hint = "no company can be told from it"
        return warned(name, "mailbox", f"{name} is a mailbox provider", hint)
    if name.startswith("www.") and name.count(".") > 1:
        return warned(name, "www", f"{name} is a web server", f"write {name[4:]}", option)
    return name, ()


def _changed(bare: str, message: str, option: Option) -> Checked:
    value, more = _judged(bare, option)
    return value, (issue("warning", "changed", message, f"it is sent as {bare}"), *more)


def _no_domain(text: str, bare: str | None, *options: Option) -> Checked:
    """Return the error for a text that is no domain; `bare` is the one that it holds."""
    name = text.lower()
    first, *others = [each for each in re.split(r"[,;\s]+", name[:_LONGEST]) if each] or [""]
    if others and (one := _bare(first)):
        hint = f"one event has one domain, such as {one}"
        return error("several-domains", f"{shown(text)} is not a domain", hint)
    if _address(name):
        code, kind = "ip-as-domain", "an IP address, not a domain"
    else:
        code, kind = next(row[1:] for row in _KINDS if re.fullmatch(row[0], name))
    mends = bare and code in ("mail-address", "url")
    return error(code, f"{shown(text)} is {kind}", _hint(name, bare), *(options if mends else ()))


def _hint(name: str, bare: str | None) -> str:
    address = _address(name) or _address(_host(name))
    if address:
        return f"an address belongs in `ip_addr`: {address}"
    if bare in MAILBOXES:
        return f"{bare} is a mailbox provider: leave it out, and send `ip_addr`"
    if bare:
        return f"write {bare}"
    return "write a domain such as acme.com: letters, digits and hyphens, and a dot"


def _address(text: str) -> str | None:
    """Return the IP address that a text is, if it is one."""
    plain = text.rstrip(".")
    plain = plain[1:-1] if plain[:1] == "[" and plain[-1:] == "]" else plain
    return plain if parsed(plain) else None


def _host(name: str) -> str:
    """Return the part of a URL or a mail address that may be a domain."""
    text = name[:_LONGEST].strip().strip("<>\"'")
    text = re.sub(r"\A(?:[a-z][a-z0-9+.-]*:)?//", "", text).removeprefix("mailto:")
    text = re.split(r"[/?#\\]", text, maxsplit=1)[0].rpartition("@")[2]
    return re.sub(r":[0-9]*\Z", "", text)


def _bare(name: str) -> str | None:
    """Return the domain inside a URL, a mail address or an international name, if there is one."""
    text = _host(name).strip(". \t>").removeprefix("*.")
    if "/" in name:
        text = text.removeprefix("www.")
    if not text.isascii():
        import idna

        try:
            text = idna.encode(text, uts46=True).decode()
        except (idna.IDNAError, UnicodeError, OverflowError):
            return None
    return text if _DOMAIN.match(text) else None

"""Which proxy stands between, by the environment variables that everyone knows.

Whether NO_PROXY spares a host is decided by `requests`, so that its rules are the usual ones; it is
only imported when a proxy is set. A proxy only ever learns the host and port it connects to.
"""

from binascii import b2a_base64
from collections.abc import Mapping
from dataclasses import dataclass, field

from reo_cli.errors import ExitCode, ReoError
from reo_cli.settings import guard

_DEFAULT_PORTS = {"http": 80, "https": 443}


def authority(host: str, port: int) -> str:
    """Write host and port as HTTP does: an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy to `CONNECT` through; `authorization` is its header's value or empty."""

    scheme: str
    host: str
    port: int
    authorization: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """For messages: never with its password."""
        return f"proxy {authority(self.host, self.port)}"


def find_proxy(url: str, host: str, environ: Mapping[str, str]) -> Proxy | None:
    """Give the proxy for an https URL, or None: loopback needs none, and NO_PROXY is obeyed.

    Raises `ReoError` (78) for a proxy that cannot be used; its message does not show the value.
    """
    if guard.is_loopback(host):
        return None
    name, value = next(
        ((name, found) for name in ("https_proxy", "all_proxy") if (found := _get(environ, name))),
        ("", ""),
    )
    if not value:
        return None
    from requests.utils import should_bypass_proxies

    if should_bypass_proxies(url, no_proxy=_get(environ, "no_proxy")):
        return None
    return _parse(value.strip(), name.upper())


def _get(environ: Mapping[str, str], name: str) -> str:
    """A proxy variable; its lower-case name wins, also when empty (as for curl and requests)."""
    return environ.get(name, environ.get(name.upper(), ""))


def _parse(value: str, name: str) -> Proxy:
    from urllib.parse import unquote, urlsplit

    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _bad_proxy(f"the proxy in {name} is not a URL") from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise _bad_proxy(f"the proxy in {name} is not an http or https one")
    if not guard.is_host(f"[{host}]" if ":" in host else host) or port == 0:
        raise _bad_proxy(f"the proxy in {name} has no usable host and port")
    authorization = ""
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode(
            errors="surrogateescape"
        )
        authorization = "Basic " + b2a_base64(pair, newline=False).decode()
    return Proxy(parts.scheme, host, port or _DEFAULT_PORTS[parts.scheme], authorization)


def _bad_proxy(message: str) -> ReoError:
    hint = "write `http://HOST:PORT`, or list the endpoint's host in NO_PROXY"
    return ReoError(ExitCode.CONFIG, "proxy_invalid", message, hint)

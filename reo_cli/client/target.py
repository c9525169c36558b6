"""Where events go, worked out once: address, trust, proxy, and the head of every request.

Nothing here opens a socket. What the environment says about proxies and CA certificates is read as
requests reads it. The key is in the request and nowhere else; no `repr` shows it.
"""

import os
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reo_cli import __version__
from reo_cli.errors import ExitCode, ReoError
from reo_cli.settings.prompt import check_key
from reo_cli.settings.table import check_endpoint, is_host, is_loopback

if TYPE_CHECKING:
    from ssl import SSLContext

    from requests import PreparedRequest

USER_AGENT = f"reo-cli/{__version__}"

CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""Where other tools look for CA certificates, in this order, when no setting names any."""

_USUAL_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy to `CONNECT` through; the user's name and password are in `headers` only.

    `name` is for messages: `proxy HOST:PORT`.
    """

    scheme: str
    host: str
    port: int
    name: str
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Target:
    """An endpoint, ready to be asked.

    `name` is `HOST:PORT`, for messages. `timeout` is the seconds one attempt may take. `tls` is
    None for plain http, which `prepare` allows to loopback only. `request` is complete but for its
    body. `good` holds the socket address that worked last, for all connections.
    """

    url: str
    host: str
    port: int
    name: str
    timeout: float
    tls: "SSLContext | None"
    proxy: Proxy | None
    key: str = field(repr=False)
    request: "PreparedRequest" = field(repr=False)
    good: list[Any] = field(default_factory=list, repr=False)

    @property
    def peer(self) -> "Target | Proxy":
        """Whom a connection is opened to."""
        return self.proxy or self


def prepare(endpoint: str, key: str, *, timeout: float, ca_bundle: Path | None) -> Target:
    """Work out all that attempts have in common; opens no socket.

    Raises `ReoError` (78) for a key or endpoint that is refused, CA certificates that cannot
    be read, or a proxy that cannot be used. `timeout` is in seconds.
    """
    url, key = check_endpoint(endpoint), check_key(key)
    from urllib.parse import urlsplit

    from requests import Request

    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _USUAL_PORTS[parts.scheme]
    headers = {
        "X-API-KEY": key,
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": USER_AGENT,
    }
    request = Request("POST", url, headers=headers).prepare()
    proxy, tls = None, None
    if parts.scheme == "https":
        proxy = None if is_loopback(host) else _proxy_for(url)
        tls = _tls_context(*_ca_path(ca_bundle))
    return Target(url, host, port, _authority(host, port), timeout, tls, proxy, key, request)


def _authority(host: str, port: int) -> str:
    """Write host and port as HTTP does: an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _proxy_for(url: str) -> Proxy | None:
    """Give the proxy that the environment names; NO_PROXY is obeyed. Raises `ReoError` (78)."""
    from urllib.parse import unquote, urlsplit

    from requests.utils import get_environ_proxies, select_proxy

    value = (select_proxy(url, get_environ_proxies(url)) or "").strip()
    if not value:
        return None
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        host, usual_port = parts.hostname or "", _USUAL_PORTS[parts.scheme]
        port = usual_port if parts.port is None else parts.port
    except (ValueError, KeyError):
        host, port = "", 0
    if not port or not is_host(f"[{host}]" if ":" in host else host):
        message = "the proxy in HTTPS_PROXY or ALL_PROXY has not the form `http://HOST:PORT`"
        hint = "write it so, or list the endpoint's host in NO_PROXY"
        raise ReoError(ExitCode.CONFIG, "proxy_invalid", message, hint)
    headers = {}
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        token = b64encode(pair.encode(errors="surrogateescape")).decode()
        headers["Proxy-Authorization"] = f"Basic {token}"
    return Proxy(parts.scheme, host, port, f"proxy {_authority(host, port)}", headers)


def _ca_path(ca_bundle: Path | None) -> tuple[Path, str]:
    """The file or folder of CA certificates, and who named it."""
    if ca_bundle is not None:
        return ca_bundle, "`ca_bundle`"
    for name in CA_VARIABLES:
        if os.environ.get(name):
            return Path(os.environ[name]), name
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    return Path(DEFAULT_CA_BUNDLE_PATH), "requests"


def _tls_context(path: Path, origin: str) -> "SSLContext":
    """Make a context for TLS 1.2 or later that checks certificate and host name.

    There is no switch to turn the check off (reliability.md section 5.3). Raises `ReoError` (78).
    """
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A company often hands out an intermediate CA alone; trusting it is enough.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    why = "it holds no PEM certificate"
    try:
        if path.is_dir():
            context.load_verify_locations(capath=path)
            found = any(path.glob("????????.[0-9]*"))  # the names that OpenSSL looks for
        else:
            context.load_verify_locations(cafile=path)
            found = context.cert_store_stats()["x509"] > 0
    except ssl.SSLError:
        found = False
    except OSError as error:
        found, why = False, (error.strerror or str(error)).lower()
    if not found:
        message = f"the CA certificates `{path}` named by {origin} cannot be used: {why}"
        hint = (
            "name a PEM file of CA certificates, or a folder of them prepared by `openssl rehash`"
        )
        raise ReoError(ExitCode.CONFIG, "ca_bundle_unusable", message, hint)
    return context

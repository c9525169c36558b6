"""Where events go, worked out once: address, trust, proxy, and the head of every request.

Nothing here opens a socket. The key is in the head and nowhere else; no `repr` shows it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from reo_cli import __version__
from reo_cli.client.proxy import Proxy, authority, find_proxy
from reo_cli.settings.guard import check_endpoint, check_key, split_endpoint

if TYPE_CHECKING:
    from ssl import SSLContext

USER_AGENT = f"reo-cli/{__version__}"


@dataclass(frozen=True, slots=True)
class Target:
    """An endpoint, ready to be asked.

    `timeout` is the seconds one attempt may take. `tls` is None for plain http, which `prepare`
    allows to loopback only. `head` is a whole request but for its length and its body.
    """

    url: str
    host: str
    port: int
    timeout: float
    tls: "SSLContext | None"
    proxy: Proxy | None
    key: str = field(repr=False)
    head: bytes = field(repr=False)

    @property
    def name(self) -> str:
        """Host and port, as messages and `CONNECT` show them."""
        return authority(self.host, self.port)

    def request(self, body: bytes) -> bytes:
        """All bytes of one request."""
        return b"%b%d\r\n\r\n%b" % (self.head, len(body), body)


def prepare(
    endpoint: str,
    key: str,
    *,
    timeout: float,
    ca_bundle: Path | None,
    environ: Mapping[str, str],
) -> Target:
    """Work out all that attempts have in common; opens no socket.

    Raises `ReoError` (78) for a key or endpoint that `guard` refuses, CA certificates that cannot
    be read, or a proxy that cannot be used. `timeout` is in seconds.
    """
    url, key = check_endpoint(endpoint), check_key(key)
    scheme, host, port, path = split_endpoint(url)
    tls, proxy = None, None
    if scheme == "https":
        from reo_cli.client.trust import tls_context

        proxy = find_proxy(url, host, environ)
        tls = tls_context(ca_bundle, environ)
    head = _head(path, url.split("/")[2], key)
    return Target(url, host, port, timeout, tls, proxy, key, head)


def _head(path: str, host: str, key: str) -> bytes:
    lines = (
        f"POST {path} HTTP/1.1",
        f"Host: {host}",
        f"X-API-KEY: {key}",
        "Content-Type: application/json",
        "Accept: application/json",
        "Accept-Encoding: identity",
        f"User-Agent: {USER_AGENT}",
        "Content-Length: ",
    )
    return "\r\n".join(lines).encode("ascii")

"""Certificates, and a forward proxy on loopback, for tests."""

import ssl
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import trustme

from tests.faults import Action, FaultServer, Request, answer, head_of


def written(authority: trustme.CA, path: Path) -> Path:
    """Write the certificate of an authority to a file; gives its path."""
    authority.cert_pem.write_to_path(str(path))
    return path


FOLDER = TemporaryDirectory()
AUTHORITY = trustme.CA(organization_name="Test Authority")
BUNDLE = written(AUTHORITY, Path(FOLDER.name, "private ca.pem"))
STRANGER = written(trustme.CA(), Path(FOLDER.name, "stranger.pem"))
"""A CA that has signed nothing here."""


def server_context(
    *names: str, since: float = -40, until: float = 90, authority: trustme.CA = AUTHORITY
) -> ssl.SSLContext:
    """TLS for a server of these names, with a certificate that is valid between these days."""
    now = datetime.now(UTC)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(
        *(names or ("localhost", "127.0.0.1", "ingest.example")),
        not_before=now + timedelta(days=since),
        not_after=now + timedelta(days=until),
    ).configure_cert(context)
    return context


CONTEXT = server_context()


def proxy_to(port: int, password: str = "", tls: ssl.SSLContext | None = None) -> FaultServer:
    """A proxy whose tunnels all end at `port` here; of `password` (`user:secret`) if it has one."""
    token = f"Basic {b64encode(password.encode()).decode()}"

    def script(_: int, request: Request) -> Action:
        if password and request.headers.get("proxy-authorization") != token:
            return answer(407)
        return Action("tunnel", (head_of(200, {"Via": "1.1 test"}),), then=port)

    return FaultServer(script, tls=tls)

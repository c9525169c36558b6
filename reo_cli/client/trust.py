"""Which certificates are trusted: a TLS context that always checks, made once a run.

There is no switch to turn the check off (reliability.md section 5.3); a private CA is added by
naming its file.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from reo_cli.errors import ExitCode, ReoError

if TYPE_CHECKING:
    from ssl import SSLContext

CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
"""Where other tools look for a CA file, in this order, when no setting names one."""


def tls_context(ca_bundle: Path | None, environ: Mapping[str, str]) -> "SSLContext":
    """Make a context for TLS 1.2 or later that checks certificate and host name.

    The CA certificates come from `ca_bundle` (a PEM file, or a folder of hashed ones), else from
    the first of `CA_VARIABLES` that is set, else from certifi. Raises `ReoError` (78).
    """
    import ssl

    path, origin = _ca_path(ca_bundle, environ)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        if path.is_dir():
            context.load_verify_locations(capath=path)
        else:
            context.load_verify_locations(cafile=path)
    except ssl.SSLError:
        raise _unusable(path, origin, "it holds no PEM certificate") from None
    except OSError as error:
        raise _unusable(path, origin, (error.strerror or str(error)).lower()) from None
    return context


def _ca_path(ca_bundle: Path | None, environ: Mapping[str, str]) -> tuple[Path, str]:
    """The file or folder of CA certificates, and who named it."""
    if ca_bundle is not None:
        return ca_bundle, "`ca_bundle`"
    for name in CA_VARIABLES:
        if environ.get(name):
            return Path(environ[name]), name
    import certifi

    return Path(certifi.where()), "certifi"


def _unusable(path: Path, origin: str, why: str) -> ReoError:
    return ReoError(
        ExitCode.CONFIG,
        "ca_bundle_unusable",
        f"the CA certificates `{path}` named by {origin} cannot be used: {why}",
        "name a PEM file of CA certificates",
    )

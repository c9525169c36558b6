"""What the system says when a connection fails → a `Fault` in words for people.

Pure: exceptions in, values out. Which of them cannot be helped by another attempt is decided here,
by the rows of reliability.md section 1 on TLS and proxies.
"""

import errno
import os

from reo_cli.answers import Fault, FaultKind, one_line

PLAIN_TEXT_REASONS = frozenset(
    {
        "WRONG_VERSION_NUMBER",
        "HTTP_REQUEST",
        "RECORD_LAYER_FAILURE",
        "PACKET_LENGTH_TOO_LONG",
    }
)
"""What OpenSSL says, by version, when the other end does not speak TLS at all."""

OLD_TLS_REASONS = frozenset(
    {"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "NO_PROTOCOLS_AVAILABLE"}
)

CLOCK_HINT = "check the date and time of this machine, or the server's certificate"
CA_HINT = (
    "behind a proxy that opens TLS, or with a private CA, name its certificate with `--ca-bundle` "
    "or REQUESTS_CA_BUNDLE"
)

_NOT_YET_VALID, _EXPIRED = 9, 10
_UNKNOWN_CA = (2, 18, 19, 20, 21)
_WRONG_NAME = (62, 64)
"""X509_V_ERR numbers of OpenSSL's x509_vfy.h."""


class Failed(Exception):
    """No connection came about, for the reason in `fault`."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.reason)
        self.fault = fault


def lookup_fault(error: OSError | UnicodeError | None, host: str, timeout: float) -> Fault:
    """Say that a name was not found; no error means that the answer did not come in time."""
    if error is None:
        why = f"no address for `{host}` within {timeout:g} s"
    else:
        why = f"cannot find the host `{host}` ({_said(error)})"
    return Fault(FaultKind.UNREACHABLE, why, "check the network, the DNS and the endpoint")


def connect_fault(error: OSError, where: str, timeout: float) -> Fault:
    """Say why there is no TCP connection."""
    if isinstance(error, ConnectionRefusedError):
        return Fault(FaultKind.UNREACHABLE, f"connection refused by {where}")
    if isinstance(error, TimeoutError):
        return Fault(FaultKind.UNREACHABLE, f"no connection to {where} within {timeout:g} s")
    return Fault(FaultKind.UNREACHABLE, f"cannot connect to {where} ({_said(error)})")


def tls_fault(error: OSError, where: str, timeout: float) -> Fault:
    """Say why the TLS handshake failed; certificates and protocols are configuration."""
    if hasattr(error, "verify_code"):
        return _certificate_fault(error.verify_code, getattr(error, "verify_message", ""), where)
    reason = getattr(error, "reason", None) or ""
    if reason in PLAIN_TEXT_REASONS:
        return Fault(
            FaultKind.CONFIG,
            f"{where} does not speak TLS",
            "check the port, and whether it should be http instead of https",
        )
    if reason in OLD_TLS_REASONS:
        return Fault(FaultKind.CONFIG, f"{where} speaks no TLS of version 1.2 or later")
    if isinstance(error, TimeoutError):
        return Fault(FaultKind.UNREACHABLE, f"no TLS handshake with {where} within {timeout:g} s")
    end = "was cut off" if _is_cut(error) else f"failed ({_said(error)})"
    return Fault(FaultKind.UNREACHABLE, f"the TLS handshake with {where} {end}")


def exchange_fault(error: OSError, where: str, timeout: float) -> Fault:
    """Say why a request that went out got no answer."""
    if isinstance(error, TimeoutError):
        return Fault(FaultKind.BROKEN, f"no answer within {timeout:g} s")
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return Fault(FaultKind.BROKEN, f"connection reset by {where}")
    if _is_cut(error):
        return Fault(FaultKind.BROKEN, f"{where} closed the connection without an answer")
    return Fault(FaultKind.BROKEN, f"connection to {where} lost ({_said(error)})")


def _certificate_fault(code: int, message: str, where: str) -> Fault:
    """Name what is wrong with a certificate, and the usual way out."""
    said, hint = one_line(message), ""
    if code == _NOT_YET_VALID:
        said, hint = "it is not yet valid: the clock of this machine may be wrong", CLOCK_HINT
    elif code == _EXPIRED:
        said, hint = "it has expired", CLOCK_HINT
    elif code in _UNKNOWN_CA:
        said, hint = f"unknown CA: {said}", CA_HINT
    elif code in _WRONG_NAME:
        hint = "check the host in the endpoint; somebody else may be answering for it"
    reason = f"the certificate of {where} is not valid ({said})"
    return Fault(FaultKind.CONFIG, reason, hint)


def _is_cut(error: OSError) -> bool:
    """Whether the other end just went away; by name, as `ssl` may not have been loaded."""
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return True
    return type(error).__name__ in ("Closed", "SSLEOFError", "SSLZeroReturnError")


def _said(error: OSError | UnicodeError) -> str:
    """The system's own words, without numbers and paths."""
    reason = getattr(error, "reason", None)
    if isinstance(reason, str) and reason:
        return one_line(reason.replace("_", " ").lower())
    number = error.errno if isinstance(error, OSError) else None
    if number is not None and number in errno.errorcode:
        return os.strerror(number).lower()
    return one_line(str(error.args[-1] if error.args else error)).lower()

"""What the system says when an attempt fails → a `Fault` in words for people.

Pure: exceptions in, values out. Which of them cannot be helped by another attempt is decided here,
by the rows of reliability.md section 1 on TLS and proxies.
"""

import errno
import os
import re

from reo_cli.client.answers import Fault, FaultKind, one_line
from reo_cli.client.outcome import CUT_OFF, NOT_THE_API_HINT, PROXY_HINT
from reo_cli.errors import system_limit

PLAIN_TEXT_REASONS = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}
)
"""What OpenSSL says, by version, when the other end does not speak TLS at all."""

OLD_TLS_REASONS = frozenset(
    {"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "NO_PROTOCOLS_AVAILABLE"}
)

_ALERT = re.compile(r"(?:SSLV3|TLSV1|TLSV13)_(?!ALERT_(?:INTERNAL_ERROR|USER_CANCELLED)$)")
"""OpenSSL's names of the alerts that the other end can send, but for those that may pass."""

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
    """An attempt has no answer, for the reason in `fault`; urllib3 and requests let it through."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.reason)
        self.fault = fault


class TooLarge(Exception):
    """An answer has more bytes than anybody needs."""


def lookup_fault(error: OSError | UnicodeError | None, host: str, seconds: float) -> Fault:
    """Say that a name was not found; no error means that the answer did not come in time."""
    if error is None:
        why = f"no address for `{host}` within {seconds:g} s"
    else:
        why = f"cannot find the host `{host}` ({_said(error)})"
    hint = "check the network, the DNS and the endpoint"
    return Fault(FaultKind.UNREACHABLE, why, hint, step="dns")


def connect_fault(error: OSError, where: str, seconds: float) -> Fault:
    """Say why there is no TCP connection."""
    if isinstance(error, ConnectionRefusedError):
        why = f"connection refused by {where}"
    elif isinstance(error, TimeoutError):
        why = f"no connection to {where} within {seconds:g} s"
    elif system_limit(error):
        return limit_fault(error, "tcp")
    else:
        why = f"cannot connect to {where} ({_said(error)})"
    return Fault(FaultKind.UNREACHABLE, why, step="tcp")


def limit_fault(error: Exception, step: str = "") -> Fault:
    """Name the limit of this machine that `error` tells of; raises it when there is none."""
    limit = system_limit(error)
    if limit is None:
        raise error
    return Fault(FaultKind.LIMIT, limit.message, limit.hint, step=step)


def tls_fault(error: OSError, where: str, seconds: float) -> Fault:
    """Say why the TLS handshake failed; certificates and protocols are configuration."""
    if hasattr(error, "verify_code"):
        return _certificate_fault(error.verify_code, getattr(error, "verify_message", ""), where)
    reason = getattr(error, "reason", None) or ""
    kind, hint = FaultKind.CONFIG, ""
    if reason in PLAIN_TEXT_REASONS:
        why = f"{where} does not speak TLS"
        hint = "check the port, and whether it should be http instead of https"
    elif reason in OLD_TLS_REASONS:
        why = f"{where} speaks no TLS of version 1.2 or later"
    elif _ALERT.match(reason):
        why = f"{where} refuses TLS with us ({_said(error)})"
        hint = "it may want a client certificate, another host name or other ciphers"
    else:
        kind = FaultKind.UNREACHABLE
        end = "was cut off" if _is_cut(error) else f"failed ({_said(error)})"
        why = f"the TLS handshake with {where} {end}"
        if isinstance(error, TimeoutError):
            why = f"no TLS handshake with {where} within {seconds:g} s"
    return Fault(kind, why, hint, step="tls")


def tunnel_fault(
    error: Exception, proxy: str, where: str, seconds: float, status: int | None
) -> Fault:
    """Say why a proxy did not connect us; `status` is what it answered, if it did."""
    kind, hint = FaultKind.UNREACHABLE, "check HTTPS_PROXY and NO_PROXY"
    if status is None or status <= 200:
        why = f"{proxy}: {exchange_fault(error, proxy, seconds, status).reason}"
    elif status == 407:
        kind, hint = FaultKind.CONFIG, PROXY_HINT
        why = f"{proxy} wants another user and password (HTTP 407)"
    elif 300 <= status < 500 and status not in (408, 429):
        kind, hint = FaultKind.REFUSED, NOT_THE_API_HINT
        why = f"{proxy} refuses {where} (HTTP {status})"
    else:
        why = f"{proxy} did not connect to {where} (HTTP {status})"
    return Fault(kind, why, hint, status, step="proxy")


def exchange_fault(
    error: Exception, where: str, seconds: float, status: int | None = None
) -> Fault:
    """Say why a request that went out got no answer; `status` is what was read of one."""
    from http.client import BadStatusLine, HTTPException, UnknownProtocol

    if _ALERT.match(getattr(error, "reason", None) or "") and isinstance(error, OSError):
        return tls_fault(error, where, seconds)  # in TLS 1.3 it comes after the handshake
    if isinstance(error, TimeoutError):
        why = f"no answer within {seconds:g} s"
    elif isinstance(error, OSError) and _is_cut(error):
        lost = type(error) in (ConnectionResetError, BrokenPipeError)
        why = f"connection reset by {where}"
        if not lost:
            why = f"{where} closed the connection without an answer"
    elif isinstance(error, OSError):
        why = f"connection to {where} lost ({_said(error)})"
    elif isinstance(error, BadStatusLine | UnknownProtocol):
        why = "the answer is not HTTP/1.1"
    elif isinstance(error, HTTPException | TooLarge):
        why = "the answer's headers are larger than 64 KiB"
    else:
        why = "the answer has contradictory lengths"
    return Fault(FaultKind.BROKEN, why, status=status, step="answer")


def cut_fault(status: int | None) -> Fault:
    """Say that an answer ended in its head; `status` is what was read of it."""
    why = CUT_OFF if status is None else f"{CUT_OFF} (HTTP {status})"
    return Fault(FaultKind.BROKEN, why, status=status, step="answer")


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
    return Fault(FaultKind.CONFIG, reason, hint, step="tls")


def _is_cut(error: OSError) -> bool:
    """Whether the other end just went away; by name, as `ssl` may not have been loaded."""
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return True
    return type(error).__name__ in ("SSLEOFError", "SSLZeroReturnError")


def _said(error: OSError | UnicodeError) -> str:
    """The system's own words, without numbers and paths."""
    reason = getattr(error, "reason", None)
    if isinstance(reason, str) and reason:
        return one_line(reason.replace("_", " ").lower())
    number = error.errno if isinstance(error, OSError) else None
    if number is not None and number in errno.errorcode:
        return os.strerror(number).lower()
    return one_line(str(error.args[-1] if error.args else error)).lower()

"""What the system says when an attempt fails → how the attempt ends, in words for people.

Pure: exceptions in, values out. Which of them cannot be helped by another attempt is decided here,
by the rows of reliability.md section 1 on TLS and proxies.
"""

import errno
import os
import re
from typing import TYPE_CHECKING

from reo_cli.client.answers import one_line
from reo_cli.client.outcome import CUT_OFF, NOT_THE_API_HINT, PROXY_HINT, Outcome, Verdict
from reo_cli.errors import system_limit

if TYPE_CHECKING:
    from reo_cli.client.timed import Attempt

_ALERT = r"(?:SSLV3|TLSV1|TLSV13)_(?!ALERT_(?:INTERNAL_ERROR|USER_CANCELLED)$).*"
"""OpenSSL's names of the alerts that the other end can send, but for those that may pass."""

_HANDSHAKES = {
    r"WRONG_VERSION_NUMBER|HTTP_REQUEST|RECORD_LAYER_FAILURE|PACKET_LENGTH_TOO_LONG": (
        "{where} does not speak TLS",
        "check the port, and whether it should be http instead of https",
    ),
    r"UNSUPPORTED_PROTOCOL|TLSV1_ALERT_PROTOCOL_VERSION|NO_PROTOCOLS_AVAILABLE": (
        "{where} speaks no TLS of version 1.2 or later",
        "",
    ),
    _ALERT: (
        "{where} refuses TLS with us ({said})",
        "it may want a client certificate, another host name or other ciphers",
    ),
}
"""What OpenSSL says, by version of it → words and hint; another attempt cannot help."""

_CLOCK_HINT = "check the date and time of this machine, or the server's certificate"
_CA_HINT = (
    "behind a proxy that opens TLS, or with a private CA, name its certificate with `--ca-bundle` "
    "or REQUESTS_CA_BUNDLE"
)
_NAME_HINT = "check the host in the endpoint; somebody else may be answering for it"

_CERTIFICATES = {
    9: ("it is not yet valid: the clock of this machine may be wrong", _CLOCK_HINT),
    10: ("it has expired", _CLOCK_HINT),
    **dict.fromkeys((2, 18, 19, 20, 21), ("unknown CA: {said}", _CA_HINT)),
    **dict.fromkeys((62, 64), ("{said}", _NAME_HINT)),
}
"""X509_V_ERR numbers of OpenSSL's x509_vfy.h → words and hint."""


class Failed(Exception):
    """An attempt has no answer; urllib3 and requests let it through.

    `step` is how far it came: `dns`, `tcp`, `proxy`, `tls` or `answer`.
    """

    def __init__(self, outcome: Outcome, step: str = "") -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome
        self.step = step


def failed(step: str, error: Exception, where: str, attempt: "Attempt") -> Failed:
    """Say why a step of an attempt failed, on the way to `where`; raises what is only a bug."""
    if system_limit(error) or isinstance(error, RuntimeError):
        return Failed(limited(error), step)
    return Failed(_STEPS[step](error, where, attempt), step)


def limited(error: Exception) -> Outcome:
    """Name the limit of this machine that `error` tells of; raises it when there is none."""
    limit = system_limit(error)
    if limit is None:
        raise error
    return Outcome(Verdict.LIMIT, limit.message, limit.hint)


def _unreachable(reason: str, hint: str = "", status: int | None = None) -> Outcome:
    return Outcome(Verdict.TRANSIENT, reason, hint, status, unreachable=True)


def _no_address(error: Exception, host: str, attempt: "Attempt") -> Outcome:
    why = f"cannot find the host `{host}` ({_said(error)})"
    if isinstance(error, TimeoutError):
        why = f"no address for `{host}` within {attempt.seconds:g} s"
    return _unreachable(why, "check the network, the DNS and the endpoint")


def _no_connection(error: Exception, where: str, attempt: "Attempt") -> Outcome:
    if isinstance(error, ConnectionRefusedError):
        return _unreachable(f"connection refused by {where}")
    if isinstance(error, TimeoutError):
        return _unreachable(f"no connection to {where} within {attempt.seconds:g} s")
    return _unreachable(f"cannot connect to {where} ({_said(error)})")


def _no_tunnel(error: Exception, proxy: str, attempt: "Attempt") -> Outcome:
    """Say why a proxy did not connect us."""
    status, where = attempt.status, attempt.target.name
    if status is None or status <= 200:
        why = f"{proxy}: {_no_answer(error, proxy, attempt).reason}"
    elif status == 407:
        why = f"{proxy} wants another user and password (HTTP 407)"
        return Outcome(Verdict.CONFIG, why, PROXY_HINT, status)
    elif 300 <= status < 500 and status not in (408, 429):
        why = f"{proxy} refuses {where} (HTTP {status})"
        return Outcome(Verdict.NOT_THE_API, why, NOT_THE_API_HINT, status)
    else:
        why = f"{proxy} did not connect to {where} (HTTP {status})"
    return _unreachable(why, "check HTTPS_PROXY and NO_PROXY", status)


def _no_handshake(error: Exception, where: str, attempt: "Attempt") -> Outcome:
    """Say why there is no TLS; certificates and protocols are configuration."""
    if hasattr(error, "verify_code"):
        words, hint = _CERTIFICATES.get(error.verify_code, ("{said}", ""))
        said = words.format(said=one_line(getattr(error, "verify_message", "")))
        why = f"the certificate of {where} is not valid ({said})"
        return Outcome(Verdict.CONFIG, why, hint)
    for pattern, (words, hint) in _HANDSHAKES.items():
        if re.fullmatch(pattern, getattr(error, "reason", None) or ""):
            return Outcome(Verdict.CONFIG, words.format(where=where, said=_said(error)), hint)
    if isinstance(error, TimeoutError):
        return _unreachable(f"no TLS handshake with {where} within {attempt.seconds:g} s")
    end = "was cut off" if _is_reset(error) or _is_end(error) else f"failed ({_said(error)})"
    return _unreachable(f"the TLS handshake with {where} {end}")


def _no_answer(error: Exception, where: str, attempt: "Attempt") -> Outcome:
    """Say why a request that went out, at least in part, has no answer."""
    from http.client import BadStatusLine, HTTPException, UnknownProtocol

    status = attempt.status
    if re.match(_ALERT, getattr(error, "reason", None) or ""):
        return _no_handshake(error, where, attempt)  # in TLS 1.3 it comes after the handshake
    if attempt.received and attempt.eof:
        why = CUT_OFF if status is None else f"{CUT_OFF} (HTTP {status})"
    elif isinstance(error, TimeoutError):
        why = f"no answer within {attempt.seconds:g} s"
    elif _is_end(error):
        why = f"{where} closed the connection without an answer"
    elif _is_reset(error):
        why = f"connection reset by {where}"
    elif isinstance(error, OSError):
        why = f"connection to {where} lost ({_said(error)})"
    elif isinstance(error, BadStatusLine | UnknownProtocol):
        why = "the answer is not HTTP/1.1"
    elif isinstance(error, HTTPException):
        why = "the answer's headers are larger than 64 KiB"
    else:
        why = "the answer has contradictory lengths"
    return Outcome(Verdict.TRANSIENT, why, http_status=status)


_STEPS = {
    "dns": _no_address,
    "tcp": _no_connection,
    "proxy": _no_tunnel,
    "tls": _no_handshake,
    "answer": _no_answer,
}


def _is_end(error: Exception) -> bool:
    """Whether the other end has closed the connection; by name, as there may be no `ssl`."""
    return type(error).__name__ in ("RemoteDisconnected", "SSLEOFError", "SSLZeroReturnError")


def _is_reset(error: Exception) -> bool:
    return isinstance(error, ConnectionResetError | BrokenPipeError)


def _said(error: Exception) -> str:
    """The system's own words, without numbers and paths."""
    reason = getattr(error, "reason", None)
    if isinstance(reason, str) and reason:
        return one_line(reason.replace("_", " ").lower())
    number = error.errno if isinstance(error, OSError) else None
    if number is not None and number in errno.errorcode:
        return os.strerror(number).lower()
    return one_line(str(error.args[-1] if error.args else error)).lower()

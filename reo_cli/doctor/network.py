"""The way of a real attempt, one step a finding: endpoint, proxy, DNS, TCP, TLS, answer, clock.

It is taken with the client's own parts, so that what works here works there. All that is sent is a
`HEAD /` without a key.
"""

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from reo_cli.doctor import Check, failed, ok, warning
from reo_cli.errors import ExitCode, ReoError
from reo_cli.settings import Settings

if TYPE_CHECKING:
    from reo_cli.answers import Fault
    from reo_cli.client.target import Target
    from reo_cli.client.wire import Wire

NO_KEY = "no-key-is-sent"
"""Stands in for the key where the client wants one; the request that holds it is never sent."""

CLOCK_TOLERANCE = 60
"""Seconds that clocks may differ before it is worth a warning."""
EXPIRY_NOTICE = 14
"""Days before the end of a certificate that are worth a warning."""


def checks(settings: Settings, environ: Mapping[str, str], now: float) -> Iterator[Check]:
    """Give the findings up to the first step that fails; each may take `settings.timeout`."""
    from reo_cli.client.target import prepare

    try:
        endpoint = settings.require_endpoint()
    except ReoError as error:
        yield failed("endpoint", error)
        return
    yield ok("endpoint", f"{endpoint} from {settings.values['endpoint'].source}")
    try:
        target = prepare(
            endpoint,
            NO_KEY,
            timeout=settings.timeout,
            ca_bundle=settings.ca_bundle,
            environ=environ,
        )
    except ReoError as error:
        yield failed("proxy" if "proxy" in error.reason else "tls", error)
        return
    yield ok("proxy", f"{target.proxy.name}" if target.proxy else "none in use")
    yield from _way(target, now)


def _way(target: "Target", now: float) -> Iterator[Check]:
    peer = target.proxy or target
    found = _lookup(peer.host, peer.port, target.timeout)
    yield found
    if found.status == "failed":
        return
    reached = _reach(peer.host, peer.port, peer.name, target.timeout)
    yield reached
    if reached.status == "ok":
        yield from _exchange(target, now)


def _lookup(host: str, port: int, timeout: float) -> Check:
    from reo_cli.client.faults import Failed
    from reo_cli.client.tcp import look_up
    from reo_cli.client.wire import Deadline

    try:
        found = look_up(host, port, Deadline.after(timeout, time.monotonic))
    except Failed as failure:
        return _fault("dns", failure.fault)
    listed = ", ".join(dict.fromkeys(str(address[0]) for _, address in found))
    return ok("dns", f"{host} is {listed}" if listed != host else f"{host} needs no lookup")


def _reach(host: str, port: int, name: str, timeout: float) -> Check:
    from reo_cli.client.faults import Failed
    from reo_cli.client.tcp import dial
    from reo_cli.client.wire import Deadline

    try:
        dial(host, port, name, Deadline.after(timeout, time.monotonic)).close()
    except Failed as failure:
        return _fault("tcp", failure.fault)
    return ok("tcp", f"{name} accepts connections")


def _exchange(target: "Target", now: float) -> Iterator[Check]:
    """Open a connection as an attempt does, and ask for nothing."""
    from reo_cli.client.dial import open_wire
    from reo_cli.client.faults import Failed
    from reo_cli.client.wire import Deadline

    try:
        wire = open_wire(target, Deadline.after(target.timeout, time.monotonic))
    except Failed as failure:
        yield _fault("tls", failure.fault)
        return
    try:
        yield _tls(target, wire, now)
        yield from _answer(target, wire, now)
    finally:
        wire.close()


def _tls(target: "Target", wire: "Wire", now: float) -> Check:
    if target.tls is None:
        return ok("tls", "not used: the endpoint is on this machine")
    import ssl

    stream = wire.stream
    if not isinstance(stream, ssl.SSLSocket):
        return ok("tls", "certificate in order, through the proxy's own TLS")
    certificate: Any = stream.getpeercert()
    names = {name: value for part in certificate["issuer"] for name, value in part}
    issuer = names.get("organizationName") or names.get("commonName") or "an unnamed CA"
    days = int((ssl.cert_time_to_seconds(certificate["notAfter"]) - now) // 86_400)
    message = f"{stream.version()}, certificate by {issuer}, valid for {days} more days"
    if days < EXPIRY_NOTICE:
        return warning("tls", message, "whoever runs the server has to renew it")
    return ok("tls", message)


def _answer(target: "Target", wire: "Wire", now: float) -> Iterator[Check]:
    from reo_cli.client.faults import exchange_fault
    from reo_cli.client.reading import Garbled, drive, final_head
    from reo_cli.client.target import USER_AGENT

    authority = target.url.split("/")[2]
    lines = ("HEAD / HTTP/1.1", f"Host: {authority}", f"User-Agent: {USER_AGENT}")
    try:
        wire.send("\r\n".join((*lines, "Connection: close", "", "")).encode("ascii"))
        head, _ = drive(final_head(), wire.receive)
    except Garbled as error:
        yield Check("answer", "failed", error.reason, "check the endpoint", ExitCode.UNAVAILABLE)
    except OSError as error:
        yield _fault("answer", exchange_fault(error, target.name, target.timeout))
    else:
        yield ok("answer", f"HTTP {head.status} to `HEAD /`, without key and event")
        yield _clock(head.headers.get("date", ""), now)


def _clock(date: str, now: float) -> Check:
    """Compare this machine's clock with the `Date` of the answer (whole seconds)."""
    from email.utils import parsedate_to_datetime

    try:
        difference = round(now - parsedate_to_datetime(date).timestamp())
    except (ValueError, OverflowError):
        return warning("clock", "the server did not tell its time")
    if abs(difference) <= CLOCK_TOLERANCE:
        return ok("clock", "agrees with the server's")
    side = "ahead of" if difference > 0 else "behind"
    message = f"this machine is {abs(difference):,} s {side} the server"
    return warning("clock", message, "set the clock; `now` is taken from it")


def _fault(name: str, fault: "Fault") -> Check:
    from reo_cli.answers import FaultKind

    code = ExitCode.CONFIG if fault.kind is FaultKind.CONFIG else ExitCode.UNAVAILABLE
    return Check(name, "failed", fault.reason, fault.hint, code)

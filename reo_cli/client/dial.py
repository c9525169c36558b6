"""Opening a connection as the target asks: TCP, a proxy's tunnel, TLS, all before one deadline.

Every way this can fail is a `Failed` with its `Fault`. The key is not used here: nothing is sent
but a proxy's `CONNECT`, and a request only goes where a certificate was checked, or to loopback.
"""

import socket
from typing import TYPE_CHECKING, cast

from reo_cli.answers import Fault, FaultKind
from reo_cli.client.faults import Failed, exchange_fault, tls_fault
from reo_cli.client.nested import NestedTls, NestedWire
from reo_cli.client.proxy import Proxy
from reo_cli.client.reading import Garbled, Head, drive, final_head
from reo_cli.client.target import USER_AGENT, Target
from reo_cli.client.tcp import dial
from reo_cli.client.wire import Deadline, Wire
from reo_cli.outcome import PROXY_HINT

if TYPE_CHECKING:
    from ssl import SSLContext


def open_wire(target: Target, deadline: Deadline) -> Wire:
    """Connect to the target; the wire that is given back keeps the same deadline.

    Raises `Failed`.
    """
    proxy, tls = target.proxy, target.tls
    if proxy is None:
        wire = dial(target.host, target.port, target.name, deadline)
    else:
        wire = dial(proxy.host, proxy.port, proxy.name, deadline)
    try:
        if proxy is not None and proxy.scheme == "https" and tls is not None:
            wire = _secure(wire, tls, proxy.host, proxy.name)
        if proxy is not None:
            _tunnel(wire, proxy, target)
        return wire if tls is None else _secure(wire, tls, target.host, target.name)
    except BaseException:
        wire.close()
        raise


def _tunnel(wire: Wire, proxy: Proxy, target: Target) -> None:
    """Have the proxy connect us to the target; it learns host and port and nothing else."""
    lines = [f"CONNECT {target.name} HTTP/1.1", f"Host: {target.name}"]
    if proxy.authorization:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    lines += [f"User-Agent: {USER_AGENT}", "\r\n"]
    try:
        wire.send("\r\n".join(lines).encode("ascii"))
        head, rest = drive(final_head(), wire.receive)
    except Garbled as error:
        raise Failed(_no_tunnel(f"{proxy.name}: {error.reason}")) from None
    except OSError as error:
        reason = exchange_fault(error, proxy.name, wire.deadline.seconds).reason
        raise Failed(_no_tunnel(f"{proxy.name}: {reason}")) from None
    if not 200 <= head.status < 300 or rest:
        raise Failed(_refusal(head, proxy, target))


def _refusal(head: Head, proxy: Proxy, target: Target) -> Fault:
    if head.status == 407:
        verb = "refused the password" if proxy.authorization else "wants a password"
        reason = f"{proxy.name} {verb} (HTTP 407)"
        return Fault(FaultKind.CONFIG, reason, PROXY_HINT, head.status)
    return _no_tunnel(f"{proxy.name} did not connect to {target.name} (HTTP {head.status})")


def _no_tunnel(reason: str) -> Fault:
    return Fault(FaultKind.UNREACHABLE, reason, "check HTTPS_PROXY and NO_PROXY")


def _secure(wire: Wire, context: "SSLContext", host: str, where: str) -> Wire:
    """Put TLS on top, with the certificate of the other end checked for `host`."""
    try:
        return _handshake(wire, context, host)
    except OSError as error:
        raise Failed(tls_fault(error, where, wire.deadline.seconds)) from None


def _handshake(wire: Wire, context: "SSLContext", host: str) -> Wire:
    from ssl import SSLSocket, SSLWantReadError, SSLWantWriteError

    lower, not_now = wire.stream, (SSLWantReadError, SSLWantWriteError)
    if isinstance(lower, SSLSocket):
        nested = NestedTls(wire, context, host)
        nested.do_handshake()
        return NestedWire(nested, wire.deadline, not_now)
    wire.stream = upper = context.wrap_socket(
        cast(socket.socket, lower), server_hostname=host, do_handshake_on_connect=False
    )
    upper.settimeout(wire.deadline.left())
    upper.do_handshake()
    return Wire(upper, wire.deadline, not_now)

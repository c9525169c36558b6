"""A host and a port → a TCP connection: the name lookup and the connect, before one deadline."""

import socket
from threading import Thread
from typing import Any

from reo_cli.client.faults import Failed, connect_fault, lookup_fault
from reo_cli.client.wire import Deadline, Wire

PATIENCE = 2.0
"""Seconds for an address while others are left: a dead IPv6 route must not use up the deadline."""

_Address = tuple[int, Any]
"""Address family and socket address."""


def dial(host: str, port: int, where: str, deadline: Deadline) -> Wire:
    """Connect to the first address of `host` that answers; `where` is its name in messages.

    Raises `Failed`.
    """
    refusal: OSError = TimeoutError()
    addresses = look_up(host, port, deadline)
    for number, address in enumerate(addresses, start=1):
        try:
            left = deadline.left()
            patience = min(PATIENCE, left / 2) if number < len(addresses) else left
            return Wire(_connect(address, patience), deadline)
        except OSError as error:
            refusal = error
    raise Failed(connect_fault(refusal, where, deadline.seconds))


def look_up(host: str, port: int, deadline: Deadline) -> list[tuple[int, Any]]:
    """Return the socket addresses of a host, each with its family; raises `Failed`.

    It resolves in a thread of its own, because the system's lookup knows no deadline.
    """
    found: list[list[_Address] | OSError | UnicodeError] = []

    def look() -> None:
        try:
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            found.append(error)
        else:
            found.append([(row[0], row[4]) for row in rows])

    if _is_address(host):
        look()
    else:
        thread = Thread(target=look, daemon=True)
        try:
            thread.start()
            thread.join(deadline.left())
        except RuntimeError as error:
            found.append(OSError(str(error)))
        except TimeoutError:
            pass
    result = found[0] if found else None
    if isinstance(result, list):
        return result
    raise Failed(lookup_fault(result, host, deadline.seconds))


def _is_address(host: str) -> bool:
    return ":" in host or host.rpartition(".")[2].isdecimal()


def _connect(address: _Address, timeout: float) -> socket.socket:
    family, sockaddr = address
    stream = socket.socket(family, socket.SOCK_STREAM)
    try:
        stream.settimeout(timeout)
        stream.connect(sockaddr)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        stream.close()
        raise
    return stream

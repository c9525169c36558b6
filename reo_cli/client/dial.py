"""A host and a port → a connected socket: the name lookup and the connect, before one deadline.

Of several addresses the next is tried after 250 ms, and the one that worked is tried first from
then on.
"""

import math
import socket
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from reo_cli.errors import start

PATIENCE = 0.25
"""Seconds for an address while others are left (RFC 8305): one that swallows packets costs no
more than this."""

Address = tuple[int, Any]
"""Address family and socket address."""

Left = Callable[[], float]
"""Gives the seconds that are left; raises TimeoutError when there are none."""


def look_up(host: str, port: int, left: Left) -> list[Address]:
    """Return the socket addresses of a host; raises OSError or UnicodeError.

    It resolves in a thread of its own, because the system's lookup knows no deadline.
    """
    found: SimpleQueue[list[Address] | OSError | UnicodeError] = SimpleQueue()

    def look() -> None:
        try:
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.put([(row[0], row[4]) for row in rows])
        except (OSError, UnicodeError) as error:
            found.put(error)

    start(Thread(target=look, daemon=True))
    try:
        result = found.get(timeout=left())
    except Empty:
        raise TimeoutError from None
    if isinstance(result, Exception):
        raise result
    return result


def dial(addresses: list[Address], good: list[Address], left: Left) -> socket.socket:
    """Connect to the first address that answers; it becomes the one in `good`. Raises OSError.

    All have the same short time, then all have twice as much, until one answers or all refuse.
    """
    patience = PATIENCE if len(addresses) > 1 else math.inf
    refusals: list[OSError] = [TimeoutError()]
    while any(isinstance(each, TimeoutError) for each in refusals):
        refusals = []
        for address in sorted(addresses, key=lambda each: each not in good):
            seconds = min(left(), patience)
            try:
                stream = _connected(address, seconds)
            except OSError as error:
                refusals.append(error)
            else:
                good[:] = [address]
                return stream
        patience *= 2
    raise refusals[-1]


def _connected(address: Address, seconds: float) -> socket.socket:
    family, place = address
    stream = socket.socket(family, socket.SOCK_STREAM)
    try:
        stream.settimeout(seconds)
        stream.connect(place)
    except OSError:
        stream.close()
        raise
    return stream

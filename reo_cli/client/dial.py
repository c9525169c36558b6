"""A host and a port → a connected socket: the name lookup and the connect, before one deadline.

Every way this can fail is a `Failed` with its `Fault`. Of several addresses the next is tried after
250 ms, and the one that worked is tried first from then on.
"""

import errno
import os
import socket
from collections.abc import Callable
from selectors import EVENT_WRITE, PollSelector
from threading import Thread
from typing import Any

from reo_cli.client.faults import Failed, connect_fault, limit_fault, lookup_fault

PATIENCE = 0.25
"""Seconds for an address while others are left (RFC 8305): one that swallows packets costs no
more than this."""

_Address = tuple[int, Any]
"""Address family and socket address."""

Left = Callable[[], float]
"""Gives the seconds that are left; raises TimeoutError when there are none."""


def look_up(host: str, port: int, left: Left, seconds: float) -> list[_Address]:
    """Return the socket addresses of a host; raises `Failed`, whose words name `seconds`.

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

    if ":" in host or host.rpartition(".")[2].isdecimal():
        look()
    else:
        thread = Thread(target=look, daemon=True)
        try:
            thread.start()
            thread.join(left())
        except RuntimeError as error:
            raise Failed(limit_fault(error, "dns")) from None
        except TimeoutError:
            pass
    result = found[0] if found else None
    if isinstance(result, list):
        return result
    raise Failed(lookup_fault(result, host, seconds))


def dial(
    addresses: list[_Address], good: list[_Address], where: str, left: Left, seconds: float
) -> socket.socket:
    """Connect to the address that answers first; it becomes the one in `good`.

    `where` is the name of the other end in messages. Raises `Failed`.
    """
    waiting = sorted(addresses, key=lambda each: each not in good)
    refusal: OSError = TimeoutError()
    with PollSelector() as selector:  # needs no descriptor of its own
        try:
            while waiting or selector.get_map():
                if waiting:
                    refusal = _begin(selector, waiting.pop(0)) or refusal
                patience = min(left(), PATIENCE) if waiting else left()
                for key, _ in selector.select(patience) if selector.get_map() else ():
                    selector.unregister(key.fileobj)
                    stream, address = key.data
                    code = stream.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    if not code:
                        good[:] = [address]
                        return _ready(stream, left())
                    stream.close()
                    refusal = OSError(code, os.strerror(code))
        except OSError as error:
            refusal = error
        finally:
            for key in selector.get_map().values():
                key.data[0].close()
    raise Failed(connect_fault(refusal, where, seconds))


def _begin(selector: PollSelector, address: _Address) -> OSError | None:
    """Start connecting; gives what is against it at once."""
    try:
        stream = socket.socket(address[0], socket.SOCK_STREAM)
    except OSError as error:
        return error
    stream.setblocking(False)
    code = stream.connect_ex(address[1])
    if code not in (0, errno.EINPROGRESS):
        stream.close()
        return OSError(code, os.strerror(code))
    selector.register(stream, EVENT_WRITE, (stream, address))
    return None


def _ready(stream: socket.socket, left: float) -> socket.socket:
    stream.settimeout(left)
    # Head and body go out in two pieces; neither may wait for the other's acknowledgement.
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return stream

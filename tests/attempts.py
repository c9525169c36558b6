"""What the tests of the client share: a target, an attempt, an attempt against the clock."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from reo_cli.client import Target, prepare
from reo_cli.client.connection import Connection
from reo_cli.client.outcome import Outcome
from tests.faults import FaultServer

KEY = "CANARY+key/with=odd~chars"

TIMEOUT, GRACE = 0.3, 0.5
"""Seconds an attempt may take in the tests of deadlines, and by how much it may be late (N6)."""


def body_of(event_id: object = "e1", **fields: Any) -> bytes:
    """The body of a request."""
    return json.dumps({"payload": {"event_id": event_id, **fields}}).encode()


def target_for(url: str, timeout: float = 5) -> Target:
    """A target on loopback, asked with `KEY`."""
    return prepare(url, KEY, timeout=timeout, ca_bundle=None)


@contextmanager
def connected(server: FaultServer, timeout: float = 5) -> Iterator[Connection]:
    """A connection to the server, closed in the end."""
    connection = Connection(target_for(server.url, timeout))
    try:
        yield connection
    finally:
        connection.close()


def ask(server: FaultServer, body: bytes = b"", timeout: float = 5) -> Outcome:
    """One attempt on a connection of its own."""
    with connected(server, timeout) as connection:
        return connection.attempt(body or body_of())


def timed(connection: Connection, body: bytes) -> Outcome:
    """One attempt that must end at its deadline, which is `TIMEOUT`, and not before."""
    start = time.monotonic()
    outcome = connection.attempt(body)
    assert TIMEOUT * 0.9 <= time.monotonic() - start <= TIMEOUT + GRACE
    return outcome

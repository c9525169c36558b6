"""What the tests of the client share: a target, an attempt, an attempt against the clock."""

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from reo_cli.client import Target, prepare
from reo_cli.client.connection import Connection
from reo_cli.client.outcome import Outcome
from tests.faults import PATH, FaultServer
from tests.proxies import BUNDLE

KEY = "CANARY+key/with=odd~chars"
HOST = "ingest.example"

TIMEOUT, GRACE = 0.3, 1.5
"""Seconds an attempt may take in the tests of deadlines, and how late a busy machine may be."""


def body_of(event_id: object = "e1", **fields: Any) -> bytes:
    """The body of a request."""
    return json.dumps({"payload": {"event_id": event_id, **fields}}).encode()


def target_for(
    url: str, bundle: Path | None = None, env: Mapping[str, str] | None = None, timeout: float = 5
) -> Target:
    """A target that is asked with `KEY`, in an environment of just these variables."""
    with patch.dict(os.environ, env or {}, clear=True):
        return prepare(url, KEY, timeout=timeout, ca_bundle=bundle)


def proxied(proxy: str, host: str = HOST) -> Target:
    """A target that is reached through this proxy."""
    return target_for(f"https://{host}{PATH}", BUNDLE, {"HTTPS_PROXY": proxy})


@contextmanager
def connected(to: FaultServer | Target, timeout: float = 5) -> Iterator[Connection]:
    """A connection, closed in the end; the authority of the tests is trusted."""
    if isinstance(to, FaultServer):
        to = target_for(to.url, BUNDLE, timeout=timeout)
    connection = Connection(to)
    try:
        yield connection
    finally:
        connection.close()


def ask(to: FaultServer | Target, body: bytes = b"", timeout: float = 5) -> Outcome:
    """One attempt on a connection of its own."""
    with connected(to) as connection:
        return connection.attempt(body or body_of(), timeout)


def timed(to: FaultServer | Target, body: bytes = b"") -> Outcome:
    """One attempt that must end at its deadline, which is `TIMEOUT`, and not before."""
    start = time.monotonic()
    outcome = ask(to, body, TIMEOUT)
    assert TIMEOUT * 0.9 <= time.monotonic() - start <= TIMEOUT + GRACE
    return outcome

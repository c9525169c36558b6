"""A private SQLite database on disk for what must be counted exactly and may be larger than memory.

It has no name, goes when it is closed or the process dies, and keeps a few MiB in memory.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reo_cli.errors import ExitCode, ReoError

if TYPE_CHECKING:
    from sqlite3 import Connection

_SETTINGS = "PRAGMA cache_size=-1536; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
"""Of what is read again, 1.5 MiB are kept in memory; nothing has to outlive a crash."""


class ScratchFailed(ReoError):
    """The temporary folder takes no more: that ends the run (74)."""

    def __init__(self, why: object) -> None:
        message = f"the temporary folder cannot hold what this run must remember: {why}"
        hint = "free some space there, or set SQLITE_TMPDIR to another folder"
        super().__init__(ExitCode.IO, "scratch_failed", message, hint)


def scratch(schema: str) -> "Connection":
    """Return a new scratch database with `schema`; it is in one transaction that never ends."""
    import sqlite3

    database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    database.executescript(f"{_SETTINGS} {schema}; BEGIN")
    return database


@contextmanager
def on_disk() -> Iterator[None]:
    """Turn what SQLite raises for a scratch database into ScratchFailed."""
    import sqlite3

    try:
        yield
    except sqlite3.Error as fault:
        raise ScratchFailed(fault) from fault

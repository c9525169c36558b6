"""A private SQLite database on disk for what must be counted exactly and may be larger than memory.

It has no name, goes when it is closed or the process dies, and keeps a few MiB in memory.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite3 import Connection

CACHE_KIB = 1536


def scratch(schema: str) -> "Connection":
    """Return a new scratch database with `schema`; it is in one transaction that never ends."""
    import sqlite3

    database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    database.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
    database.execute("PRAGMA journal_mode=OFF")
    database.execute("PRAGMA synchronous=OFF")
    database.execute(schema)
    database.execute("BEGIN")
    return database

"""The ledger as a file: made, migrated, opened, and what goes wrong with it in words.

A SQLite database in WAL mode with reo's application id and a schema version. What was recorded
survives `kill -9` at any moment; a power cut can undo the last commits, whose events are then sent
again with the same ids. Nothing here deletes or replaces a file.
"""

import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Self

from reo_cli.delivery.folders import open_private, shared_file_system
from reo_cli.errors import ExitCode, ReoError
from reo_cli.settings.files import make_folder

APPLICATION_ID = 0x52654C31
SCHEMA_VERSION = 2

BUSY_SECONDS = 30.0
"""How long a process waits for others that write to the same ledger (reliability.md section 3)."""

ROOM = 1024 * 1024
"""Bytes that must be free on the disk of a ledger: some 5,000 acknowledgements."""

DAY = 86_400

FIRST_TIME = 1_767_225_600
"""2026-01-01: no entry is older, so an earlier time comes from a wrong clock (design.md)."""

_SCHEMA = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
    "CREATE TABLE event (scope INTEGER NOT NULL, id BLOB NOT NULL, content BLOB NOT NULL,"
    " at INTEGER NOT NULL, PRIMARY KEY (scope, id)) WITHOUT ROWID",
    "INSERT INTO meta VALUES ('salt', :salt), ('created', :now)",
)
_SINCE_2 = (
    "CREATE TABLE account (id INTEGER PRIMARY KEY, endpoint TEXT NOT NULL, name TEXT NOT NULL,"
    " salt BLOB NOT NULL, fingerprint BLOB NOT NULL, UNIQUE (endpoint, name, salt, fingerprint))",
    "CREATE TABLE subject (scope INTEGER NOT NULL, subject INTEGER NOT NULL, event BLOB NOT NULL,"
    " count INTEGER NOT NULL, day INTEGER NOT NULL,"
    " PRIMARY KEY (scope, subject, event)) WITHOUT ROWID",
)
"""`account`: a name on an endpoint, or (`name` empty) the HMAC of a key under `salt`.

`event`: the digests of an id and of its content, and when it was delivered; `scope` is the account.
`subject`: what an event counts (a digest), the first 4 bytes of its id's digest, its count, and the
day (since 1970). Small, because a ledger holds a million of them."""

_FROM_1 = (
    "INSERT INTO account SELECT id, endpoint, account, salt, fingerprint FROM scope",
    "UPDATE event SET at = max(:now, :first) WHERE at < :first",
    # Keys of one family were one account: its entries go to its name, else to the newest key.
    "CREATE TEMP TABLE moved AS SELECT id, (SELECT other.id FROM scope AS other"
    " WHERE other.family = scope.family ORDER BY other.account = '', other.id DESC LIMIT 1) AS own"
    " FROM scope",
    "INSERT INTO event SELECT own, event.id, content, at FROM event JOIN moved ON scope = moved.id"
    " WHERE own <> moved.id ON CONFLICT (scope, id) DO UPDATE"
    " SET content = excluded.content, at = excluded.at WHERE excluded.at > at",
    "DELETE FROM event WHERE scope IN (SELECT id FROM moved WHERE own <> id)",
    "DROP TABLE moved",
    "DROP TABLE scope",
    "DELETE FROM meta WHERE name NOT IN ('salt', 'created')",
    "INSERT INTO meta SELECT 'newest', max(at) FROM event HAVING count(*)",
)

_SETTINGS = (
    "PRAGMA synchronous = NORMAL",
    "PRAGMA cache_size = -4096",
    "PRAGMA wal_autocheckpoint = 4000",
    "PRAGMA trusted_schema = OFF",
)
"""4 MiB of cache whatever the size of the ledger; a WAL of 16 MB means fewer waits for the disk."""

_ANOTHER = "name another place with `--ledger PATH`"
WAY_OUT = (
    "move it away with its `-wal` and `-shm` files, or put back a copy; without it, reo does not "
    "know what was delivered before"
)
_FAULTS = {
    8: ("ledger_read_only", "cannot be written: it or its folder is read-only", _ANOTHER),
    10: (
        "ledger_io",
        "cannot be read or written: I/O error, no space left, or a limit on the size of files",
        "check the disk and the room on it",
    ),
    11: ("ledger_damaged", "is damaged", WAY_OUT),
    13: ("ledger_full", "cannot be written: no space left on the disk", "make room on the disk"),
    14: (
        "ledger_not_opened",
        "cannot be opened: its folder cannot be written, or too many files are open",
        f"{_ANOTHER}; `ulimit -n` shows how many files may be open",
    ),
    26: ("not_a_ledger", "is not a ledger, or is damaged", WAY_OUT),
}
"""By SQLite's result codes READONLY, IOERR, CORRUPT, FULL, CANTOPEN and NOTADB."""


def files_of(path: Path | None) -> list[Path]:
    """Return the files of a ledger: its own, and those that SQLite keeps beside it."""
    ends = ("", "-wal", "-shm", "-journal")
    return [path.with_name(path.name + end) for end in ends] if path is not None else []


class Ledger(AbstractContextManager["Ledger"]):
    """An open ledger file, for one thread.

    A process opens a ledger once: POSIX drops all its locks on a file when it closes any of them.
    """

    def __init__(self, path: Path, now: int, *, make: bool) -> None:
        _require_file(path, make=make)
        self.path = path
        with _explained(path, opening=True):
            self._connection, self.created = _connect(path, now, make)
        self.newest_before = self._newest = int(self.fact("newest") or 0)
        """The time of the newest entry (epoch seconds) when it was opened; 0 for none."""

    @classmethod
    def open(cls, path: Path, clock: Callable[[], float] = time.time) -> Self:
        """Open the ledger to record in it, and make it when there is none: `created` tells.

        `clock` gives epoch seconds. That it can be written is proved by writing to it. Raises
        ReoError: 73 when the file cannot be made or written, is no ledger, is damaged, comes from
        a newer reo or would be on a file system shared between kernels; 75 when others keep it
        busy.
        """
        return cls(path, int(clock()), make=True)

    @classmethod
    def existing(cls, path: Path, clock: Callable[[], float] = time.time) -> Self:
        """Open a ledger to look things up; one of an older reo is brought to today's form.

        Raises ReoError: 66 when there is none, 73 when it cannot be used.
        """
        return cls(path, int(clock()), make=False)

    def fact(self, name: str) -> Any:
        """Return a fact about the ledger as a whole, such as when it was made; None if unknown."""
        with self.reading() as connection:
            row = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def stamp(self, connection: "sqlite3.Connection", now: float) -> int:
        """Return the time for a new entry, in the caller's transaction.

        No earlier than the newest and never before 2026, whatever the clock says (design.md).
        """
        at = max(int(now), self._newest, FIRST_TIME)
        if at > self._newest:
            connection.execute("REPLACE INTO meta VALUES ('newest', ?)", (at,))
            self._newest = at
        return at

    def events(self) -> int:
        """Return the number of events it holds; takes about 10 ms a million."""
        with self.reading() as connection:
            return int(connection.execute("SELECT count(*) FROM event").fetchone()[0])

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; what was recorded is in it already."""
        self._connection.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection for queries; faults of SQLite come out as ReoError."""
        with _explained(self.path):
            yield self._connection

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Look things up as of one moment: a third of the time that each look takes by itself."""
        with self.reading() as connection:
            connection.execute("BEGIN")
            with connection:
                yield

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection for one transaction: committed at the end, or nothing of it stays."""
        with self.reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                yield connection


def _refused(reason: str, message: str, hint: str = _ANOTHER) -> ReoError:
    return ReoError(ExitCode.CANT_CREATE, reason, message, hint)


def _require_file(path: Path, *, make: bool) -> None:
    """See to it that `path` is a regular file on a local disk with room; raises ReoError (66, 73).

    A run on a full disk would deliver its first events and forget them, every time.
    """
    kind = shared_file_system(path)
    if kind is not None:
        message = f"the ledger `{path}` would be on a file system that machines share ({kind})"
        hint = "name a place on a local disk with `--ledger PATH`"
        raise _refused("ledger_on_network", f"{message}, where SQLite can lose entries", hint)
    try:
        if make:
            make_folder(path.parent)
        fd = open_private(path, os.O_RDWR) if make else os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        os.close(fd)
        status, disk = path.stat(), os.statvfs(path)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("not a regular file")
        if not (make or status.st_size):
            raise FileNotFoundError
    except (OSError, ValueError) as error:
        if isinstance(error, FileNotFoundError) and not make:
            message = f"there is no ledger at `{path}`"
            hint = "the first `send-file` creates it; `--ledger PATH` names another"
            raise ReoError(ExitCode.NO_INPUT, "no_ledger", message, hint) from None
        why = getattr(error, "strerror", None) or error
        raise _refused("ledger_not_opened", f"cannot open the ledger `{path}`: {why}") from None
    if make and disk.f_bavail * disk.f_frsize < ROOM:
        message, hint = f"the disk of the ledger `{path}` is full", f"make room, or {_ANOTHER}"
        raise _refused("ledger_full", message, hint)


def _connect(path: Path, now: int, make: bool) -> tuple[sqlite3.Connection, bool]:
    """Connect to a file and make it a ledger of today's schema; returns whether it was empty."""
    uri = f"{path.absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(uri, BUSY_SECONDS, isolation_level=None, uri=True)
    try:
        found = _version(connection, path)
        for setting in _SETTINGS:
            connection.execute(setting)
        if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
            raise _refused("ledger_no_wal", f"the file system of `{path}` has no WAL mode")
        created = found < SCHEMA_VERSION and _bring_up(connection, path, now) == 0
        if make:
            connection.execute("REPLACE INTO meta VALUES ('opened', ?)", (now,))
    except BaseException:
        connection.close()
        raise
    return connection, created


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """Return the schema version of a ledger, 0 for an empty file; raises ReoError 73 for others."""
    application, version, tables = connection.execute(
        "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_master)"
        " FROM pragma_application_id, pragma_user_version"
    ).fetchone()
    if application != APPLICATION_ID and (application or version or tables):
        message = f"`{path}` is a database of another program, not a ledger"
        raise _refused("not_a_ledger", message)
    if version > SCHEMA_VERSION:
        message = f"the ledger `{path}` was created by a newer reo (schema {version}, this one"
        hint = f"upgrade reo, or {_ANOTHER}"
        raise _refused("ledger_newer", f"{message} knows {SCHEMA_VERSION})", hint)
    return int(version)


def _bring_up(connection: sqlite3.Connection, path: Path, now: int) -> int:
    """Write today's schema in one transaction, unless another process does; returns what it was."""
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        found = _version(connection, path)  # as of now: another process may have been here
        steps = {0: (*_SCHEMA, *_SINCE_2), 1: (*_SINCE_2, *_FROM_1)}
        values = {"now": now, "first": FIRST_TIME, "salt": os.urandom(32)}
        for statement in steps.get(found, ()):
            connection.execute(statement, values)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    return found


@contextmanager
def _explained(path: Path, *, opening: bool = False) -> Iterator[None]:
    """Turn what SQLite raises into what users should know of it.

    73 while `opening`, when nothing was sent yet, and for a damaged file; 75 when others kept the
    ledger busy, else 74.
    """
    try:
        yield
    except sqlite3.Error as error:
        code = int(getattr(error, "sqlite_errorcode", 1)) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            message = f"other processes kept the ledger `{path}` busy for {BUSY_SECONDS:.0f} s"
            hint = "run it again when they are done"
            raise ReoError(ExitCode.TRY_LATER, "ledger_busy", message, hint) from None
        reason, what, hint = _FAULTS.get(code, ("ledger_failed", f"failed: {error}", _ANOTHER))
        message = f"`{path}` {what}" if reason == "not_a_ledger" else f"the ledger `{path}` {what}"
        if opening or hint is WAY_OUT:
            raise _refused(reason, message, hint) from None
        hint += "; then run it again: what it holds is not sent twice"
        raise ReoError(ExitCode.IO, reason, message, hint) from None

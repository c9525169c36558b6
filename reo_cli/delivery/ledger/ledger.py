"""The ledger as a file: made, migrated, opened, and what goes wrong with it in words.

A SQLite database in WAL mode with reo's application id and a schema version. What was recorded
survives `kill -9` at any moment; a power cut can undo the last commits, whose events are then sent
again with the same ids. Nothing here deletes or replaces a file.
"""

import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reo_cli.delivery.folders import make_folder, open_private, shared_file_system
from reo_cli.errors import ExitCode, ReoError

if TYPE_CHECKING:
    import sqlite3

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
    "UPDATE event SET at = max(?, ?) WHERE at < ?",
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
_WAY_OUT = (
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
    13: ("ledger_full", "cannot be written: no space left on the disk", "make room on the disk"),
    14: (
        "ledger_not_opened",
        "cannot be opened: its folder cannot be written, or too many files are open",
        f"{_ANOTHER}; `ulimit -n` shows how many files may be open",
    ),
}
"""By SQLite's result codes READONLY, IOERR, FULL and CANTOPEN."""


def files_of(path: Path | None) -> list[Path]:
    """Return the files of a ledger: its own, and those that SQLite keeps beside it."""
    ends = ("", "-wal", "-shm", "-journal") if path is not None else ()
    return [path.with_name(path.name + end) for end in ends if path is not None]


class Ledger:
    """An open ledger file. Threads may share it: each call waits for its turn.

    A process opens a ledger once: POSIX drops all its locks on a file when it closes any of them.
    """

    def __init__(self, path: Path, connection: "sqlite3.Connection", created: bool = False) -> None:
        self.path = path
        self.created = created
        """Whether opening made the file."""
        self._connection = connection
        self._turn = threading.RLock()
        self._newest = int(self.fact("newest") or 0)
        self.newest_before = self._newest
        """The time of the newest entry (epoch seconds) when it was opened; 0 for none."""

    @classmethod
    def open(cls, path: Path, *, clock: Callable[[], float]) -> "Ledger":
        """Open the ledger to record in it, and make it when there is none.

        `clock` gives epoch seconds. That it can be written is proved by writing to it. Raises
        ReoError: 73 when the file cannot be made or written, is no ledger, is damaged, comes from
        a newer reo or would be on a file system shared between kernels; 75 when others keep it
        busy.
        """
        now = int(clock())
        with _told(path):
            _refuse_shared(path)
            make_folder(path.parent)
            os.close(_regular(open_private(path, os.O_RDWR)))
            _require_room(path)
            ledger = cls(path, *_connect(path, now))
        try:
            with ledger.writing(opening=True) as connection:
                connection.execute("REPLACE INTO meta VALUES ('opened', ?)", (now,))
        except BaseException:
            ledger.close()
            raise
        return ledger

    @classmethod
    def existing(cls, path: Path, *, clock: Callable[[], float]) -> "Ledger":
        """Open a ledger to look things up; one of an older reo is brought to today's form.

        Raises ReoError: 66 when there is none, 73 when it cannot be used.
        """
        with _told(path):
            _refuse_shared(path)
            if (path.is_file() and not path.stat().st_size) or not os.path.lexists(path):
                raise ReoError(
                    ExitCode.NO_INPUT,
                    "no_ledger",
                    f"there is no ledger at `{path}`",
                    "the first `send-file` creates it; `--ledger PATH` names another",
                )
            os.close(_regular(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)))
            return cls(path, *_connect(path, int(clock())))

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

    def require_sound(self) -> None:
        """Read it as a whole; raises ReoError 73 when it is damaged."""
        with self.reading() as connection:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()
        if found[0] != "ok":
            raise refused("ledger_damaged", f"the ledger `{self.path}` is damaged", _WAY_OUT)

    def close(self) -> None:
        """Close the file; what was recorded is in it already."""
        with self._turn:
            self._connection.close()

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @contextmanager
    def reading(self) -> Iterator["sqlite3.Connection"]:
        """Lend the connection for queries; faults of SQLite come out as ReoError."""
        import sqlite3

        with self._turn:
            try:
                yield self._connection
            except sqlite3.Error as error:
                raise _explained(error, self.path, opening=False) from None

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Look things up as of one moment: a third of the time that each look takes by itself."""
        with self.reading() as connection:
            connection.execute("BEGIN")
            try:
                yield
            finally:
                connection.execute("COMMIT")

    @contextmanager
    def writing(self, *, opening: bool = False) -> Iterator["sqlite3.Connection"]:
        """Lend the connection for one transaction: committed at the end, or nothing of it stays.

        `opening` tells ReoError 73 (nothing was sent yet) from 74.
        """
        import sqlite3

        with self._turn:
            try:
                with _transaction(self._connection):
                    yield self._connection
            except sqlite3.Error as error:
                raise _explained(error, self.path, opening=opening) from None


def refused(reason: str, message: str, hint: str) -> ReoError:
    """Return the error for a ledger that cannot be used (73)."""
    return ReoError(ExitCode.CANT_CREATE, reason, message, hint)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn what keeps a ledger from being opened into ReoError (73, 75)."""
    try:
        import sqlite3
    except ImportError as error:
        message = f"this Python has no SQLite, which the ledger needs: {error}"
        raise refused("no_sqlite", message, "use a Python that was built with it") from None
    try:
        yield
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise refused(
            "ledger_not_opened", f"cannot open the ledger `{path}`: {why}", _ANOTHER
        ) from None
    except sqlite3.Error as error:
        raise _explained(error, path, opening=True) from None


def _connect(path: Path, now: int) -> "tuple[sqlite3.Connection, bool]":
    """Connect to a file and make it a ledger of today's schema; returns whether it was empty."""
    import sqlite3

    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        found = _version(connection, path)
        for setting in _SETTINGS:
            connection.execute(setting)
        if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
            message = f"the file system of `{path}` has no WAL mode"
            raise refused("ledger_no_wal", message, _ANOTHER)
        created = found < SCHEMA_VERSION and _bring_up(connection, path, now) == 0
    except BaseException:
        connection.close()
        raise
    return connection, created


def _version(connection: "sqlite3.Connection", path: Path) -> int:
    """Return the schema version of a ledger, 0 for an empty file; raises ReoError 73 for others."""
    application, version, tables = connection.execute(
        "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_master)"
        " FROM pragma_application_id, pragma_user_version"
    ).fetchone()
    if application != APPLICATION_ID and (application or version or tables):
        message = f"`{path}` is a database of another program, not a ledger"
        raise refused("not_a_ledger", message, _ANOTHER)
    if version > SCHEMA_VERSION:
        message = (
            f"the ledger `{path}` was created by a newer reo (schema {version}, this one knows "
        )
        hint = f"upgrade reo, or {_ANOTHER}"
        raise refused("ledger_newer", f"{message}{SCHEMA_VERSION})", hint)
    return int(version)


def _bring_up(connection: "sqlite3.Connection", path: Path, now: int) -> int:
    """Write today's schema in one transaction, unless another process does; returns what it was."""
    with _transaction(connection):
        found = _version(connection, path)  # as of now: another process may have been here
        if found == 0:
            facts = {"salt": os.urandom(32), "created": now}
            for statement in (*_SCHEMA, *_SINCE_2):
                connection.execute(statement)
            connection.executemany("INSERT INTO meta VALUES (?, ?)", facts.items())
        elif found == 1:
            for statement in (*_SINCE_2, *_FROM_1):
                connection.execute(statement, (now, FIRST_TIME, FIRST_TIME)[: statement.count("?")])
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    return found


@contextmanager
def _transaction(connection: "sqlite3.Connection") -> Iterator[None]:
    import sqlite3
    from contextlib import suppress

    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # What cannot be rolled back is gone all the same when the file is closed.
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _regular(fd: int) -> int:
    """Return a descriptor of a regular file; else close it and raise OSError."""
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise ValueError("not a regular file")
    return fd


def _require_room(path: Path) -> None:
    """Raise ReoError 73 unless the disk has room for more than a few acknowledgements.

    A run on a full disk would deliver its first events and forget them, every time.
    """
    try:
        disk = os.statvfs(path)
    except OSError:  # a file system that does not tell
        return
    if disk.f_bavail * disk.f_frsize < ROOM:
        message = f"the disk of the ledger `{path}` is full"
        raise refused("ledger_full", message, f"make room, or {_ANOTHER}")


def _refuse_shared(path: Path) -> None:
    kind = shared_file_system(path)
    if kind is not None:
        raise refused(
            "ledger_on_network",
            f"the ledger `{path}` would be on a file system that machines share ({kind}), where "
            "SQLite can lose entries",
            "name a place on a local disk with `--ledger PATH`",
        )


def _explained(error: "sqlite3.Error", path: Path, *, opening: bool) -> ReoError:
    """Return what users should know of a fault of SQLite.

    73 while `opening` and for a damaged file, 75 when others kept the ledger busy, else 74.
    """
    import sqlite3

    code = int(getattr(error, "sqlite_errorcode", 1)) & 0xFF
    if code == sqlite3.SQLITE_NOTADB:
        return refused("not_a_ledger", f"`{path}` is not a ledger, or is damaged", _WAY_OUT)
    if code == sqlite3.SQLITE_CORRUPT:
        return refused("ledger_damaged", f"the ledger `{path}` is damaged", _WAY_OUT)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return ReoError(
            ExitCode.TRY_LATER,
            "ledger_busy",
            f"other processes kept the ledger `{path}` busy for {BUSY_SECONDS:.0f} s",
            "run it again when they are done",
        )
    reason, what, hint = _FAULTS.get(code, ("ledger_failed", f"failed: {error}", _ANOTHER))
    return ReoError(
        ExitCode.CANT_CREATE if opening else ExitCode.IO,
        reason,
        f"the ledger `{path}` {what}",
        hint if opening else f"{hint}; then run it again: what it holds is not sent twice",
    )

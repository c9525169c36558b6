"""The ledger as a file: making it, opening it, and saying clearly why that cannot be done.

A ledger is a SQLite database in WAL mode with reo's application id and a schema version. Nothing
here deletes or replaces a file; whatever is not a ledger of ours is refused with exit code 73.
"""

import errno
import fcntl
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from reo_cli.delivery.folders import make_folder, network_file_system, open_private
from reo_cli.delivery.ledger.faults import (
    ANOTHER,
    BUSY_SECONDS,
    WAY_OUT,
    cannot_open,
    code_of,
    explain,
    refused,
)
from reo_cli.errors import ExitCode, ReoError

if TYPE_CHECKING:
    import sqlite3

APPLICATION_ID = 0x52654C31
SCHEMA_VERSION = 1

ROOM = 1024 * 1024
"""Bytes that must be free on the disk of a ledger: some 5,000 acknowledgements."""

NOT_REGULAR = "not a regular file"

_MAGIC = b"SQLite format 3\x00"

_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE scope (
    id INTEGER PRIMARY KEY,
    endpoint TEXT NOT NULL,
    account TEXT NOT NULL,
    salt BLOB NOT NULL,
    fingerprint BLOB NOT NULL,
    family INTEGER NOT NULL,
    UNIQUE (endpoint, account, salt, fingerprint)
);
CREATE TABLE event (
    scope INTEGER NOT NULL,
    id BLOB NOT NULL,
    content BLOB NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (scope, id)
) WITHOUT ROWID;
"""
"""`scope`: one account on one endpoint, by name, or (`account` empty) by the HMAC of its key under
`salt`. Scopes of one `family` are the same account. `event`: `id` is a digest of the event's id."""

_SETTINGS = f"""
PRAGMA busy_timeout = {BUSY_SECONDS * 1000:.0f};
PRAGMA synchronous = NORMAL;
PRAGMA cache_size = -4096;
PRAGMA wal_autocheckpoint = 4000;
PRAGMA trusted_schema = OFF;
"""
"""4 MiB of cache whatever the size of the ledger; a WAL of 16 MB means fewer waits for the disk."""


def make(path: Path, now: int) -> bool:
    """Make sure that a ledger of ours stands at `path`; returns whether this call made it.

    `now` is epoch seconds. Raises ReoError (73). Safe for many processes at once: while one fills
    a new file the others wait, and a file left half made by a kill is completed.
    """
    try:
        _refuse_network(path)
        fd = _open_or_create(path)
        try:
            return not _ready(path, os.pread(fd, 100, 0)) and _fill_once(path, fd, now)
        finally:
            os.close(fd)
    except (OSError, ValueError) as error:
        raise cannot_open(path, error) from None


def require_room(path: Path) -> None:
    """Raise ReoError 73 unless the disk has room for more than a few acknowledgements.

    A run on a full disk would deliver its first events and forget them, every time.
    """
    try:
        disk = os.statvfs(path)
    except OSError:  # a file system that does not tell
        return
    if disk.f_bavail * disk.f_frsize < ROOM:
        raise refused(
            "ledger_full", f"the disk of the ledger `{path}` is full", f"make room, or {ANOTHER}"
        )


def connect_to_write(path: Path) -> "sqlite3.Connection":
    """Open a ledger that `make` has seen to; raises ReoError (73, 75).

    The connection may be used by several threads that take turns.
    """
    import sqlite3

    try:
        return _connect(path, "rw")
    except sqlite3.Error as error:
        raise explain(error, path, opening=True) from None


def connect_to_read(path: Path) -> "sqlite3.Connection":
    """Open a ledger and leave it and its folder as they are; raises ReoError (66, 73).

    Where even WAL's side files cannot be made, it is read as an immutable file. SQLite's
    `mode=ro` is of no use: it leaves side files behind.
    """
    import sqlite3

    try:
        _check_existing(path)
        if network_file_system(path) is None:
            return _connect_to_query(path)
    except FileNotFoundError:
        raise ReoError(
            ExitCode.NO_INPUT,
            "no_ledger",
            f"there is no ledger at `{path}`",
            "the first `send-file` makes one; `--ledger PATH` names another",
        ) from None
    except (OSError, ValueError) as error:
        raise cannot_open(path, error) from None
    except sqlite3.Error as error:
        if code_of(error) not in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
            raise explain(error, path, opening=True) from None
    return _connect_immutable(path)


def _open_or_create(path: Path) -> int:
    make_folder(path.parent)
    fd = open_private(path, os.O_RDWR)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, NOT_REGULAR)
    return fd


def _ready(path: Path, header: bytes) -> bool:
    """Whether a file with this header is a finished ledger; False for one still to be filled."""
    if not header:
        return False
    if not header.startswith(_MAGIC):
        raise refused("not_a_ledger", f"`{path}` is not a ledger", ANOTHER)
    if len(header) < 100:
        raise refused("ledger_damaged", f"the ledger `{path}` is damaged", WAY_OUT)
    version = int.from_bytes(header[60:64])
    if int.from_bytes(header[68:72]) != APPLICATION_ID:
        raise refused(
            "not_a_ledger", f"`{path}` is a database of another program, not a ledger", ANOTHER
        )
    if version > SCHEMA_VERSION:
        raise refused(
            "ledger_newer",
            f"the ledger `{path}` was made by a newer reo (schema {version}, this one knows "
            f"{SCHEMA_VERSION})",
            f"upgrade reo, or {ANOTHER}",
        )
    return header[18:20] == b"\x02\x02"  # WAL: the last step of filling


def _check_existing(path: Path) -> None:
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, NOT_REGULAR)
    with path.open("rb") as file:
        header = file.read(100)
    if not header:
        raise FileNotFoundError
    _ready(path, header)


def _fill_once(path: Path, fd: int, now: int) -> bool:
    """Fill the file unless another process does it first; returns whether this call did."""
    fcntl.flock(fd, fcntl.LOCK_EX)
    if _ready(path, os.pread(fd, 100, 0)):
        return False
    import sqlite3

    try:
        connection = _connect(path, "rw")
        try:
            mode = _fill(connection, now)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise explain(error, path, opening=True) from None
    if mode != "wal":
        raise refused("ledger_no_wal", f"the file system of `{path}` has no WAL mode", ANOTHER)
    return True


def _fill(connection: "sqlite3.Connection", now: int) -> str:
    """Write the schema, then switch to WAL mode; returns the mode that came of it."""
    if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
        _write_schema(connection, now)
    return str(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])


def _write_schema(connection: "sqlite3.Connection", now: int) -> None:
    connection.executescript(
        f"BEGIN EXCLUSIVE; PRAGMA application_id = {APPLICATION_ID};"
        f"PRAGMA user_version = {SCHEMA_VERSION}; {_SCHEMA}"
    )
    facts = {"salt": os.urandom(32), "created": now, "since": now, "pruned": now}
    connection.executemany("INSERT INTO meta VALUES (?, ?)", facts.items())
    connection.execute("COMMIT")


def _connect(path: Path, mode: str) -> "sqlite3.Connection":
    import sqlite3

    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        connection.executescript(_SETTINGS)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _connect_to_query(path: Path) -> "sqlite3.Connection":
    import sqlite3

    connection = _connect(path, "rw")
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("SELECT 1 FROM meta").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _connect_immutable(path: Path) -> "sqlite3.Connection":
    import sqlite3

    side = path.with_name(path.name + "-wal")
    if side.exists() and side.stat().st_size:
        raise refused(
            "ledger_not_opened",
            f"cannot read the ledger `{path}`: its last entries are still in `{side.name}`",
            "copy both files to a local folder that you can write to, and name the copy",
        )
    try:
        return _connect(path, "ro&immutable=1")
    except sqlite3.Error as error:
        raise explain(error, path, opening=True) from None


def _refuse_network(path: Path) -> None:
    kind = network_file_system(path)
    if kind is not None:
        raise refused(
            "ledger_on_network",
            f"the ledger `{path}` would be on a network file system ({kind}), where SQLite can "
            "lose entries",
            "name a place on a local disk with `--ledger PATH`",
        )

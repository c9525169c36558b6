"""Faults of the ledger → what users are told: which file, what is wrong, and the way out.

73 before the first request and for whatever is no usable ledger, 74 on the way, 75 when others
kept it busy.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from reo_cli.errors import ExitCode, ReoError

if TYPE_CHECKING:
    import sqlite3

BUSY_SECONDS = 30.0
"""How long a process waits for others that write to the same ledger (reliability.md section 3)."""

ANOTHER = "name another place with `--ledger PATH`"
WAY_OUT = (
    "move it away with its `-wal` and `-shm` files, or put back a copy; without it, reo does not "
    "know what was delivered before"
)
_FAULTS = {
    8: ("ledger_read_only", "cannot be written: it or its folder is read-only", ANOTHER),
    10: (
        "ledger_io",
        "cannot be read or written: I/O error, no space left, or a limit on the size of files",
        "check the disk and the room on it",
    ),
    13: ("ledger_full", "cannot be written: no space left on the disk", "make room on the disk"),
    14: ("ledger_not_opened", "cannot be opened, or its folder cannot be written", ANOTHER),
}
"""By SQLite's result codes READONLY, IOERR, FULL and CANTOPEN."""


def explain(error: "sqlite3.Error", path: Path, *, opening: bool) -> ReoError:
    """Return what users should know of a fault of SQLite.

    73 while `opening` and for a damaged file, 75 when others kept the ledger busy, else 74.
    """
    import sqlite3

    code = code_of(error)
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return refused("ledger_damaged", f"the ledger `{path}` is damaged", WAY_OUT)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return ReoError(
            ExitCode.TRY_LATER,
            "ledger_busy",
            f"other processes kept the ledger `{path}` busy for {BUSY_SECONDS:.0f} s",
            "run it again when they are done",
        )
    reason, what, hint = _FAULTS.get(code, ("ledger_failed", f"failed: {error}", ANOTHER))
    return ReoError(
        ExitCode.CANT_CREATE if opening else ExitCode.IO,
        reason,
        f"the ledger `{path}` {what}",
        hint if opening else f"{hint}; then run it again: what it holds is not sent twice",
    )


def code_of(error: "sqlite3.Error") -> int:
    """Return SQLite's primary result code; 1 for a fault of the module itself."""
    return int(getattr(error, "sqlite_errorcode", 1)) & 0xFF


def refused(reason: str, message: str, hint: str) -> ReoError:
    """Return the error for a ledger that cannot be used (73)."""
    return ReoError(ExitCode.CANT_CREATE, reason, message, hint)


def cannot_open(path: Path, error: OSError | ValueError) -> ReoError:
    """Return the error for a ledger that the system does not open (73)."""
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return refused("ledger_not_opened", f"cannot open the ledger `{path}`: {why}", ANOTHER)

"""What a ledger holds, and the three commands of `reo ledger` as plain functions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reo_cli.delivery.ledger.admin import Merged, count_older, merge, meta, prune, require_sound
from reo_cli.delivery.ledger.store import Ledger
from reo_cli.errors import ExitCode, ReoError


@dataclass(frozen=True, slots=True)
class ScopeInfo:
    """What is held for one account on one endpoint; times are epoch seconds.

    `account` is None for a key without an account name; `key` then tells such keys apart (the
    start of the HMAC, nothing of the key itself). Scopes of one `family` are the same account.
    """

    endpoint: str
    account: str | None
    key: str | None
    family: int
    events: int
    oldest: int | None
    newest: int | None


@dataclass(frozen=True, slots=True)
class LedgerInfo:
    """What a ledger holds; `size` is in bytes with what is still in its WAL."""

    path: Path
    size: int
    schema_version: int
    created: int
    scopes: Sequence[ScopeInfo]

    @property
    def events(self) -> int:
        """All events held."""
        return sum(each.events for each in self.scopes)

    @property
    def oldest(self) -> int | None:
        """When the oldest event was delivered (epoch seconds)."""
        return min((each.oldest for each in self.scopes if each.oldest is not None), default=None)

    @property
    def newest(self) -> int | None:
        """When the newest event was delivered (epoch seconds)."""
        return max((each.newest for each in self.scopes if each.newest is not None), default=None)


@dataclass(frozen=True, slots=True)
class LedgerResult:
    """The end of a `reo ledger` command: what the ledger holds now, and what was done to it.

    `removed` is set by `prune` (with `dry_run`: what it would remove), `merged` by `merge`.
    """

    action: Literal["info", "prune", "merge"]
    path: Path | None = None
    info: LedgerInfo | None = None
    removed: int | None = None
    dry_run: bool = False
    merged: Merged | None = None
    error: ReoError | None = None

    @property
    def exit_code(self) -> ExitCode:
        """0, or that of the error."""
        return self.error.exit_code if self.error else ExitCode.OK


_INFO = """
SELECT endpoint, account, fingerprint, family, count(event.id), min(at), max(at)
FROM scope LEFT JOIN event ON event.scope = scope.id GROUP BY scope.id ORDER BY endpoint, scope.id
"""


def describe(path: Path) -> LedgerInfo:
    """Return what the ledger at `path` holds, and change nothing; reads all entries.

    Raises ReoError: 66 when there is none, 73 or 74 when it cannot be read.
    """
    with Ledger.view(path) as ledger, ledger.reading() as connection:
        rows = connection.execute(_INFO).fetchall()
        return LedgerInfo(
            path,
            _size(path),
            connection.execute("PRAGMA user_version").fetchone()[0],
            meta(connection, "created"),
            [
                ScopeInfo(
                    row[0], row[1] or None, None if row[1] else row[2].hex()[:8], row[3], *row[4:]
                )
                for row in rows
            ],
        )


def pruned(
    path: Path, keep_days: int, clock: Callable[[], float], *, dry_run: bool = False
) -> LedgerResult:
    """`reo ledger prune`: prune the ledger at `path`, or count what that would remove.

    Raises ReoError: 66 when there is none, 73 to 75 when it cannot be used.
    """
    now = clock()
    removed = count_older(path, keep_days, now)
    if removed and not dry_run:
        with Ledger.open(path, clock=clock) as ledger:
            removed = prune(ledger, keep_days, now)
    return LedgerResult("prune", path, describe(path), removed, dry_run)


def merged(path: Path, other: Path, clock: Callable[[], float]) -> LedgerResult:
    """`reo ledger merge`: take `other` into the ledger at `path`, made if need be.

    Raises ReoError: 2 when both are the same file, 66 when `other` is missing, 65 when it is no
    usable ledger, 73 to 75 for a fault of the ledger at `path`.
    """
    if other.exists() and path.exists() and other.samefile(path):
        raise ReoError(ExitCode.USAGE, "same_ledger", f"`{other}` is the ledger itself")
    with _source(other) as source, Ledger.open(path, clock=clock) as ledger:
        taken = merge(ledger, source)
    return LedgerResult("merge", path, describe(path), merged=taken)


def _source(other: Path) -> Ledger:
    try:
        source = Ledger.view(other)
        require_sound(source)
        return source
    except ReoError as error:
        if error.exit_code is ExitCode.NO_INPUT:
            raise error.changed(hint="check the path; FILE is the other ledger") from None
        if error.exit_code is ExitCode.CANT_CREATE:
            raise error.changed(exit_code=ExitCode.INVALID) from None
        raise


def _size(path: Path) -> int:
    files = (path, path.with_name(path.name + "-wal"))
    return sum(file.stat().st_size for file in files if file.exists())

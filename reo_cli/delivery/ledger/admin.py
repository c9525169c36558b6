"""Looking after a ledger: what it holds, forgetting what is old, taking in another ledger.

The three commands of `reo ledger` as plain functions, and the forgetting that a run does itself.
"""

import shutil
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reo_cli.delivery.folders import temporary_folder
from reo_cli.delivery.ledger.accounts import Account, fingerprint
from reo_cli.delivery.ledger.ledger import DAY, FIRST_TIME, WAY_OUT, Ledger, files_of
from reo_cli.errors import ExitCode, ReoError

JUMP = 31 * DAY
"""Seconds that a clock may be ahead of the newest entry and still decide what is old."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What is held for one account on one endpoint; times are epoch seconds.

    `account` is None for a key without an account name; `key` then tells such keys apart (the
    start of the HMAC, nothing of the key itself).
    """

    id: int
    endpoint: str
    account: str | None
    key: str | None
    events: int
    oldest: int
    newest: int


@dataclass(frozen=True, slots=True)
class LedgerInfo:
    """What a ledger holds; `size` is in bytes with what is still in its WAL, times are epoch."""

    path: Path
    size: int
    schema_version: int
    created: int
    holdings: Sequence[Holding]

    @property
    def events(self) -> int:
        """All events held."""
        return sum(each.events for each in self.holdings)

    @property
    def oldest(self) -> int | None:
        """When the oldest event was delivered."""
        return min((each.oldest for each in self.holdings), default=None)

    @property
    def newest(self) -> int | None:
        """When the newest event was delivered."""
        return max((each.newest for each in self.holdings), default=None)


@dataclass(frozen=True, slots=True)
class LedgerResult:
    """The end of a `reo ledger` command: what the ledger holds now, and what was done to it.

    `removed` is set by `prune` (with `dry_run`: what it would remove); `read` and `taken` by
    `merge`: entries in the other ledger, and how many of them were new or newer.
    """

    action: Literal["info", "prune", "merge"]
    info: LedgerInfo | None = None
    removed: int | None = None
    dry_run: bool = False
    read: int | None = None
    taken: int | None = None
    error: ReoError | None = None

    @property
    def exit_code(self) -> ExitCode:
        """0, or that of the error."""
        return self.error.exit_code if self.error else ExitCode.OK


_INFO = """
SELECT account.id, endpoint, name, fingerprint, count(*), min(at), max(at)
FROM account JOIN event ON scope = account.id GROUP BY account.id ORDER BY endpoint, account.id
"""


def describe(path: Path) -> LedgerInfo:
    """Return what the ledger at `path` holds; reads all entries.

    Raises ReoError: 66 when there is none, 73 or 74 when it cannot be read.
    """
    with Ledger.existing(path) as ledger, ledger.reading() as connection:
        holdings = [
            Holding(scope, endpoint, name or None, None if name else mark.hex()[:8], *numbers)
            for scope, endpoint, name, mark, *numbers in connection.execute(_INFO)
        ]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        size = sum(file.stat().st_size for file in files_of(path)[:2] if file.exists())
        return LedgerInfo(path, size, version, ledger.fact("created"), holdings)


def tidy(ledger: Ledger, keep_days: int, now: float) -> str:
    """Forget what is old, once a day, after a run has delivered; returns a warning or nothing.

    `now` is epoch seconds. When the clock is far ahead of the entries there were before the run,
    nothing is forgotten by it for a month: it may be wrong. Raises ReoError (74, 75).
    """
    today, ahead = int(now) // DAY, _days_ahead(ledger, now)
    doubtful = 0 <= now - int(ledger.fact("jumped") or 0) < JUMP
    if ahead:
        with ledger.writing() as connection:
            connection.execute("REPLACE INTO meta VALUES ('jumped', ?)", (int(now),))
        return (
            f"the clock is {ahead} days ahead of the last delivery that the ledger knows: if it is "
            "right, nothing else is to be done; nothing is forgotten for a month"
        )
    if not doubtful and ledger.fact("pruned") != today:
        with ledger.writing() as connection:
            connection.execute("REPLACE INTO meta VALUES ('pruned', ?)", (today,))
            _forget(connection, _cutoff(keep_days, now))
    return ""


def pruned(
    path: Path, keep_days: int, clock: Callable[[], float], *, dry_run: bool = False
) -> LedgerResult:
    """`reo ledger prune`: remove what was delivered over `keep_days` ago, or count it.

    The file keeps its size, and new entries use the room. Raises ReoError: 66 when there is none,
    73 to 75 when it cannot be used, 78 when the clock is far ahead of all its entries.
    """
    now = clock()
    with Ledger.existing(path, clock) as ledger:
        if ahead := _days_ahead(ledger, now):
            message = f"the clock is {ahead} days ahead of the newest entry of the ledger"
            hint = "nothing was removed; see whether the clock is right, then deliver something"
            raise ReoError(ExitCode.CONFIG, "clock_jumped", message, hint)
        cutoff = _cutoff(keep_days, now)
        with ledger.reading() as connection:
            counted = "SELECT count(*) FROM event WHERE at < ?"
            removed = int(connection.execute(counted, (cutoff,)).fetchone()[0])
        if removed and not dry_run:
            with ledger.writing() as connection:
                removed = _forget(connection, cutoff)
    return LedgerResult("prune", describe(path), removed, dry_run)


def merged(
    path: Path,
    other: Path,
    clock: Callable[[], float],
    key: str | None = None,
    account: str | None = None,
) -> LedgerResult:
    """`reo ledger merge`: take `other` into the ledger at `path`, made if need be; all or nothing.

    What was delivered under a name goes to that name; what was delivered under a key goes to the
    same `key`, or to `account`. Of two entries for one event the later one stays. Raises ReoError:
    2 when both are the same file or it is not known whose the entries are, 66 when `other` is
    missing, 65 when it is no usable ledger, 73 to 75 for a fault of the ledger at `path`.
    """
    if other.exists() and path.exists() and other.samefile(path):
        raise ReoError(ExitCode.USAGE, "same_ledger", f"`{other}` is the ledger itself")
    with temporary_folder() as folder:
        copy = Path(folder, "ledger.db")
        _copy(other, copy)
        holdings = describe(copy).holdings
        with Ledger.open(path, clock) as ledger, ledger.reading() as connection:
            connection.execute("ATTACH ? AS other", (str(copy),))
            with ledger.writing():
                before = ledger.events()
                for each in holdings:
                    if not (each.account or account or _is_of(connection, each, key)):
                        raise _whose(other)
                    own = Account(ledger, each.endpoint, key, each.account or account)
                    own.take(connection, "other", each.id)
                if holdings:
                    ledger.stamp(connection, max(each.newest for each in holdings))
                taken = ledger.events() - before
    read = sum(each.events for each in holdings)
    return LedgerResult("merge", describe(path), read=read, taken=taken)


def _forget(connection: sqlite3.Connection, cutoff: int) -> int:
    connection.execute("DELETE FROM subject WHERE day < ?", (cutoff // DAY,))
    return connection.execute("DELETE FROM event WHERE at < ?", (cutoff,)).rowcount


def _cutoff(keep_days: int, now: float) -> int:
    return max(0, int(now) - keep_days * DAY)


def _days_ahead(ledger: Ledger, now: float) -> int:
    """Return how many days the clock has jumped ahead of what the ledger held; 0 for no jump."""
    newest = ledger.newest_before
    return int(now - newest) // DAY if newest and now > max(newest, FIRST_TIME) + JUMP else 0


def _copy(other: Path, copy: Path) -> None:
    """Copy another ledger, which is only read, and bring the copy to today's form."""
    try:
        for source, target in zip(files_of(other)[:2], files_of(copy), strict=False):
            if source == other or source.exists():
                shutil.copyfile(source, target)
        with Ledger.existing(copy) as ledger, ledger.reading() as connection:
            if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                message = f"the ledger `{other}` is damaged"
                raise ReoError(ExitCode.INVALID, "ledger_damaged", message, WAY_OUT)
    except FileNotFoundError:
        message = f"there is no ledger at `{other}`"
        hint = "check the path; FILE is the other ledger"
        raise ReoError(ExitCode.NO_INPUT, "no_ledger", message, hint) from None
    except OSError as error:
        message = f"cannot read `{other}`: {error.strerror or error}"
        raise ReoError(ExitCode.INVALID, "ledger_not_opened", message) from None
    except ReoError as error:
        message = error.message.replace(str(copy), str(other))
        raise error.changed(exit_code=ExitCode.INVALID, message=message) from None


def _is_of(connection: sqlite3.Connection, each: Holding, key: str | None) -> bool:
    """Tell whether this key has had delivered what the attached ledger holds for one."""
    row = "SELECT salt, fingerprint FROM other.account WHERE id = ?"
    salt, mark = connection.execute(row, (each.id,)).fetchone()
    return key is not None and fingerprint(salt, key) == mark


def _whose(other: Path) -> ReoError:
    message = f"`{other}` holds events that were delivered with another key than yours"
    hint = "say whose they are with `--account NAME`, or merge with that key set"
    return ReoError(ExitCode.USAGE, "whose_entries", message, hint)

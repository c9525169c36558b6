"""Looking after a ledger: what it holds, forgetting what is old, taking in another ledger.

The three commands of `reo ledger` as plain functions, and the forgetting that a run does itself.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from reo_cli.delivery.folders import temporary_folder
from reo_cli.delivery.ledger.accounts import Account, fingerprint
from reo_cli.delivery.ledger.ledger import DAY, FIRST_TIME, Ledger, files_of
from reo_cli.errors import ExitCode, ReoError

if TYPE_CHECKING:
    import sqlite3

JUMP = 31 * DAY
"""Seconds that a clock may be ahead of the newest entry and still decide what is old."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge did: entries in the other ledger, and how many of them were new or newer."""

    read: int
    taken: int


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
SELECT account.id, endpoint, name, fingerprint, count(*), min(at), max(at)
FROM account JOIN event ON scope = account.id GROUP BY account.id ORDER BY endpoint, account.id
"""


def describe(path: Path) -> LedgerInfo:
    """Return what the ledger at `path` holds; reads all entries.

    Raises ReoError: 66 when there is none, 73 or 74 when it cannot be read.
    """
    with Ledger.existing(path, clock=time.time) as ledger, ledger.reading() as connection:
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
    if _has_jumped(ledger.newest_before, now):
        with ledger.writing() as connection:
            connection.execute("REPLACE INTO meta VALUES ('jumped', ?)", (int(now),))
        return (
            f"the clock is {_days_ahead(ledger.newest_before, now)} days ahead of the last delivery"
            " that the ledger knows: if it is right, nothing else is to be done; nothing is "
            "forgotten for a month"
        )
    today = int(now) // DAY
    doubtful = 0 <= now - int(ledger.fact("jumped") or 0) < JUMP
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
    with Ledger.existing(path, clock=clock) as ledger:
        if _has_jumped(ledger.newest_before, now):
            days = _days_ahead(ledger.newest_before, now)
            message = f"the clock is {days} days ahead of the newest entry of the ledger"
            hint = "nothing was removed; see whether the clock is right, then deliver something"
            raise ReoError(ExitCode.CONFIG, "clock_jumped", message, hint)
        cutoff = _cutoff(keep_days, now)
        with ledger.reading() as connection:
            counted = "SELECT count(*) FROM event WHERE at < ?"
            removed = int(connection.execute(counted, (cutoff,)).fetchone()[0])
        if removed and not dry_run:
            with ledger.writing() as connection:
                removed = _forget(connection, cutoff)
    return LedgerResult("prune", path, describe(path), removed, dry_run)


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
    with _copy_of(other) as copy:
        holdings = describe(copy).holdings
        with Ledger.open(path, clock=clock) as ledger, ledger.reading() as connection:
            connection.execute("ATTACH ? AS other", (str(copy),))
            with ledger.writing():
                taken = 0
                for each in holdings:
                    name = each.account or _name(connection, each, other, key, account)
                    own = Account(ledger, each.endpoint, key, name)
                    taken += own.take(connection, "other", each.id)
                newest = max((each.newest for each in holdings), default=0)
                if newest:
                    ledger.stamp(connection, newest)
    result = Merged(sum(each.events for each in holdings), taken)
    return LedgerResult("merge", path, describe(path), merged=result)


def is_known_under_another_key(
    path: Path, endpoint: str, key: str | None, account: str | None
) -> bool:
    """Tell whether the ledger knows an endpoint under other keys only: a run would stop with 78.

    Raises ReoError: 66 when there is no ledger, 73 when it cannot be used.
    """
    with Ledger.existing(path, clock=time.time) as ledger:
        return Account(ledger, endpoint, key, account).is_only_elsewhere()


def _forget(connection: "sqlite3.Connection", cutoff: int) -> int:
    connection.execute("DELETE FROM subject WHERE day < ?", (cutoff // DAY,))
    return connection.execute("DELETE FROM event WHERE at < ?", (cutoff,)).rowcount


def _cutoff(keep_days: int, now: float) -> int:
    return max(0, int(now) - keep_days * DAY)


def _has_jumped(newest: int, now: float) -> bool:
    return bool(newest) and now > max(newest, FIRST_TIME) + JUMP


def _days_ahead(newest: int, now: float) -> int:
    return int(now - newest) // DAY


@contextmanager
def _copy_of(other: Path) -> Iterator[Path]:
    """Give a copy of another ledger in today's form: the ledger itself is only read."""
    import shutil

    with temporary_folder() as folder:
        copy = Path(folder, "ledger.db")
        try:
            for source, target in zip(files_of(other)[:2], files_of(copy), strict=False):
                if source == other or source.exists():
                    shutil.copyfile(source, target)
            with Ledger.existing(copy, clock=time.time) as ledger:
                ledger.require_sound()
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
        yield copy


def _name(
    connection: "sqlite3.Connection",
    each: Holding,
    other: Path,
    key: str | None,
    account: str | None,
) -> str | None:
    """Return the name under which a key's holding of the attached ledger is known here."""
    row = "SELECT salt, fingerprint FROM other.account WHERE id = ?"
    salt, mark = connection.execute(row, (each.id,)).fetchone()
    if not account and not (key and fingerprint(salt, key) == mark):
        raise ReoError(
            ExitCode.USAGE,
            "whose_entries",
            f"`{other}` holds events that were delivered with another key than yours",
            "say whose they are with `--account NAME`, or merge with that key set",
        )
    return account

"""Looking after a ledger: forgetting what is old, taking in what another ledger holds.

All work on many entries goes through them in slices, a transaction each, so that runs which
record at the same time wait for milliseconds and memory does not grow.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reo_cli.delivery.ledger import scopes as scopes
from reo_cli.delivery.ledger.faults import WAY_OUT, refused
from reo_cli.delivery.ledger.store import Ledger

if TYPE_CHECKING:
    import sqlite3

DAY = 86_400

SLICE = 10_000
"""Entries looked at in one transaction."""

TIDY_SLICES = 200
"""What tidying does a day at most: 2 million entries, about a second."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge did: entries in the other ledger, and how many of them were new or newer."""

    read: int
    taken: int


def count_older(path: Path, keep_days: int, now: float) -> int:
    """Return how many entries `prune` would remove, and change nothing.

    Raises ReoError: 66 when there is no ledger, 73 or 74 when it cannot be read.
    """
    with Ledger.view(path) as ledger, ledger.reading() as connection:
        cutoff = (_cutoff(keep_days, now),)
        row = connection.execute("SELECT count(*) FROM event WHERE at < ?", cutoff).fetchone()
        return int(row[0])


def prune(ledger: Ledger, keep_days: int, now: float) -> int:
    """Remove what was delivered more than `keep_days` ago; returns how many entries.

    The file keeps its size, and new entries use the room. Raises ReoError (73 to 75).
    """
    cursor: _Cursor | None = _Cursor(_cutoff(keep_days, now))
    removed = 0
    while cursor is not None:
        gone, cursor = _prune_slice(ledger, cursor)
        removed += gone
    return removed


def tidy(ledger: Ledger, keep_days: int, now: float) -> int:
    """Do a day's share of `prune`, unless it was done today; returns how many entries went.

    Once a day a small part of the work (`TIDY_SLICES`) goes on from where it stopped the day
    before, and nothing at all while no entry can be old enough. Raises ReoError (73 to 75).
    """
    cutoff = _cutoff(keep_days, now)
    with ledger.reading() as connection:
        if int(meta(connection, "pruned") or 0) // DAY == now // DAY:
            return 0
        cursor = _Cursor.stored(connection, cutoff)
        idle = cursor is None and meta(connection, "since") >= cutoff
    with ledger.writing() as connection:
        _set_meta(connection, "pruned", int(now))
    removed, slices = 0, 0 if idle else TIDY_SLICES
    cursor = cursor or _Cursor(cutoff)
    while cursor is not None and slices:
        gone, cursor = _prune_slice(ledger, cursor)
        removed, slices = removed + gone, slices - 1
    return removed


def merge(ledger: Ledger, source: Ledger) -> Merged:
    """Take in the entries of another ledger; of two for one event the later one stays.

    `source` is only read. Doing it twice, or again after a kill, does no harm. Raises ReoError
    (73 to 75).
    """
    with source.reading() as entries:
        since, names = meta(entries, "since"), entries.execute(_NAMES).fetchall()
        with ledger.writing() as connection:
            _set_meta(connection, "since", min(since, meta(connection, "since")))
            mapped = _merge_scopes(connection, names)
        read = taken = 0
        for rows in _slices(entries):
            with ledger.writing() as connection:
                before = connection.total_changes
                connection.executemany(_TAKE, ((mapped[row[0]], *row[1:]) for row in rows))
                taken += connection.total_changes - before
            read += len(rows)
    return Merged(read, taken)


def require_sound(ledger: Ledger) -> None:
    """Read a ledger as a whole; raises ReoError 73 when it is damaged."""
    with ledger.reading() as connection:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found[0] != "ok":
        raise refused("ledger_damaged", f"the ledger `{ledger.path}` is damaged", WAY_OUT)


@dataclass(frozen=True, slots=True)
class _Cursor:
    """How far a pruning has come: all up to this entry is done, for this cutoff (epoch seconds)."""

    cutoff: int
    scope: int = 0
    event: bytes = b""

    @classmethod
    def stored(cls, connection: "sqlite3.Connection", cutoff: int) -> "_Cursor | None":
        """Return where the last pruning stopped; never with a later cutoff than is wanted now."""
        text = meta(connection, "cursor")
        if not text:
            return None
        at, scope, event = text.split(" ")
        return cls(min(int(at), cutoff), int(scope), bytes.fromhex(event))


_NEXT = """
SELECT scope, id FROM event WHERE (scope, id) > (?, ?)
ORDER BY scope, id LIMIT 1 OFFSET ?
"""
_DELETE = "DELETE FROM event WHERE (scope, id) > (?, ?) AND (scope, id) <= (?, ?) AND at < ?"
_LAST = (2**62, b"")

_NAMES = "SELECT id, family, endpoint, account, salt, fingerprint FROM scope"
_SLICE = "SELECT * FROM event WHERE (scope, id) > (?, ?) ORDER BY scope, id LIMIT ?"
_TAKE = (
    "INSERT INTO event VALUES (?, ?, ?, ?) ON CONFLICT (scope, id) DO UPDATE"
    " SET content = excluded.content, at = excluded.at WHERE excluded.at > at"
)


def _prune_slice(ledger: Ledger, cursor: _Cursor) -> tuple[int, _Cursor | None]:
    """Go on for one slice; returns what was removed and where to go on, None at the end."""
    start = (cursor.scope, cursor.event)
    with ledger.writing() as connection:
        end = connection.execute(_NEXT, (*start, SLICE - 1)).fetchone()
        gone = connection.execute(_DELETE, (*start, *(end or _LAST), cursor.cutoff)).rowcount
        if end is None:
            _set_meta(connection, "since", cursor.cutoff)
            _set_meta(connection, "cursor", "")
            return gone, None
        _set_meta(connection, "cursor", f"{cursor.cutoff} {end[0]} {end[1].hex()}")
    return gone, _Cursor(cursor.cutoff, *end)


def _merge_scopes(
    connection: "sqlite3.Connection", names: Sequence[tuple[Any, ...]]
) -> dict[int, int]:
    """Make the other ledger's scopes and families here; returns other ids → ids here."""
    mapped: dict[int, int] = {}
    families: dict[int, list[int]] = {}
    for scope, family, *name in names:
        mapped[scope] = scopes.insert(connection, scopes.Name(*name))
        families.setdefault(family, []).append(mapped[scope])
    for members in families.values():
        scopes.unite(connection, members)
    return mapped


def _slices(entries: "sqlite3.Connection") -> Iterator[list[tuple[int, bytes, bytes, int]]]:
    start: tuple[int, bytes] = (0, b"")
    while rows := entries.execute(_SLICE, (*start, SLICE)).fetchall():
        yield rows
        start = rows[-1][:2]


def _cutoff(keep_days: int, now: float) -> int:
    return max(0, int(now) - keep_days * DAY)


def meta(connection: "sqlite3.Connection", name: str) -> Any:
    """Return a fact about the ledger as a whole, such as when it was made; None if not known."""
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return row[0] if row else None


def _set_meta(connection: "sqlite3.Connection", name: str, value: int | str) -> None:
    connection.execute("REPLACE INTO meta VALUES (?, ?)", (name, value))

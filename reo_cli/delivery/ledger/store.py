"""The ledger: which events the API has acknowledged, so that none of them is sent again.

A `Ledger` is the file, a `Scope` what one account on one endpoint has had delivered. `record`
returns when SQLite has committed (WAL, synchronous=NORMAL): that survives `kill -9` at any
moment; a power cut can undo the last commits, whose events are then sent again with the same ids.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from reo_cli.delivery.ledger import scopes as scopes
from reo_cli.delivery.ledger.faults import explain
from reo_cli.delivery.ledger.file import connect_to_read, connect_to_write, make, require_room
from reo_cli.identity import id_key

if TYPE_CHECKING:
    import sqlite3


class Known(NamedTuple):
    """What the ledger holds of an event: its content digest, and when it was delivered (epoch)."""

    content: bytes
    delivered_at: int


class Acknowledged(NamedTuple):
    """An event that the API has acknowledged: its id, its content digest, and when (epoch)."""

    event_id: str | int
    content: bytes
    at: float


def files_of(path: Path | None) -> list[Path]:
    """Return the files of a ledger: its own, and those that SQLite keeps beside it."""
    ends = ("", "-wal", "-shm", "-journal") if path is not None else ()
    return [path.with_name(path.name + end) for end in ends if path is not None]


_FIND = "SELECT content, at FROM event WHERE scope = ? AND id = ?"

_RECORD = (
    "INSERT INTO event VALUES (?, ?, ?, ?) ON CONFLICT (scope, id) DO UPDATE"
    " SET content = excluded.content, at = excluded.at"
)


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

    @classmethod
    def open(cls, path: Path, *, clock: Callable[[], float]) -> "Ledger":
        """Open the ledger to record in it, and make it when there is none.

        `clock` gives epoch seconds. That it can be written is proved by writing to it. Raises
        ReoError: 73 when the file cannot be made or written, is no ledger, is damaged, comes from
        a newer reo or would be on a network file system; 75 when others keep it busy.
        """
        now = int(clock())
        created = make(path, now)
        require_room(path)
        ledger = cls(path, connect_to_write(path), created)
        try:
            with ledger.writing(opening=True) as connection:
                connection.execute("REPLACE INTO meta VALUES ('opened', ?)", (now,))
        except BaseException:
            ledger.close()
            raise
        return ledger

    @classmethod
    def view(cls, path: Path) -> "Ledger":
        """Open an existing ledger to look things up; neither it nor its folder is changed.

        Raises ReoError: 66 when there is none, 73 when it cannot be used.
        """
        return cls(path, connect_to_read(path))

    def scope(self, endpoint: str, key: str | None, account: str | None) -> "Scope":
        """Return what was delivered to `endpoint` for `account`, or for `key` when it has no name.

        `endpoint` is in the normal form of `guard.check_endpoint`. The key is compared by its HMAC
        and never stored. With neither key nor name (a dry run without a key) the scope is all that
        was delivered there without a name. Raises ReoError (73 to 75).
        """
        with self.reading() as connection:
            members = scopes.resolve(connection, endpoint, key, account)
        return Scope(self, endpoint, key, account, members)

    def events(self) -> int:
        """Return the number of events it holds; takes about 10 ms a million."""
        with self.reading() as connection:
            return int(connection.execute("SELECT count(*) FROM event").fetchone()[0])

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
                raise explain(error, self.path, opening=False) from None

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
            connection = self._connection
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                self._roll_back()
                raise explain(error, self.path, opening=opening) from None
            except BaseException:
                self._roll_back()
                raise

    def _roll_back(self) -> None:
        import sqlite3

        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error:
                return  # what was not committed is gone all the same when the file is closed


class Scope:
    """What one account on one endpoint has had delivered: the place to look up and to record."""

    def __init__(
        self,
        ledger: Ledger,
        endpoint: str,
        key: str | None,
        account: str | None,
        members: scopes.Members,
    ) -> None:
        self._ledger = ledger
        self._who = (endpoint, key, account)
        self._members = members

    def snapshot(self) -> AbstractContextManager[None]:
        """Make the looks within the `with` block one look; raises ReoError (73 to 75)."""
        return self._ledger.snapshot()

    def find(self, event_id: str | int) -> Known | None:
        """Return what is known of an event of this account; raises ReoError (73 to 75)."""
        return self._newest(self._members.own, event_id)

    def find_elsewhere(self, event_id: str | int) -> Known | None:
        """Return what another key without an account name has delivered under this id, or None.

        Free where no such key was ever used with this ledger, and for a named account.
        """
        others = self._members.others
        return self._newest(others, event_id) if others else None

    def adopt(self) -> int:
        """Take what other keys without a name have delivered for this account's (--key-rotated).

        From now on these keys count as the same account, whichever of them is used. Returns
        how many keys were taken over; raises ReoError (73 to 75).
        """
        with self._ledger.writing(opening=True) as connection:
            own = self._own(connection)
            foreign = self._foreign(connection, own)
            own = scopes.unite(connection, [*own, *foreign])
        self._members = scopes.Members(own, ())
        return len(foreign)

    def as_if_adopted(self) -> "Scope":
        """Return what `adopt` would make of this scope, and change nothing: for a dry run."""
        with self._ledger.reading() as connection:
            own = self._members.own
            own = (*own, *self._foreign(connection, own))
        return Scope(self._ledger, *self._who, scopes.Members(own, ()))

    def _foreign(self, connection: "sqlite3.Connection", own: Sequence[int]) -> Sequence[int]:
        """Return the scopes of other keys without a name."""
        endpoint, _, account = self._who
        others = scopes.resolve(connection, *self._who).others
        if account:
            others = scopes.resolve(connection, endpoint, None, None).own
        return [scope for scope in others if scope not in own]

    def record(self, acknowledged: Iterable[Acknowledged]) -> None:
        """Record acknowledged events in one transaction, which is committed on return.

        The entry takes the place of an earlier one of the same id. Raises ReoError: 74 when the
        disk is full or failing, 75 when others keep the ledger busy for 30 s.
        """
        with self._ledger.writing() as connection:
            own = self._own(connection)
            connection.executemany(
                _RECORD,
                (
                    (own[0], id_key(event_id), content, int(at))
                    for event_id, content, at in acknowledged
                ),
            )
        self._members = self._members._replace(own=own)

    def _own(self, connection: "sqlite3.Connection") -> Sequence[int]:
        """Return this account's scopes, made if there are none yet: new entries go to the first."""
        return self._members.own or scopes.add(connection, *self._who).own

    def _newest(self, members: Sequence[int], event_id: str | int) -> Known | None:
        digest = id_key(event_id)
        newest: Known | None = None
        with self._ledger.reading() as connection:
            for scope in members:
                row = connection.execute(_FIND, (scope, digest)).fetchone()
                if row is not None and (newest is None or row[1] > newest.delivered_at):
                    newest = Known(*row)
        return newest

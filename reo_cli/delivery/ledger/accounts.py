"""Who had what delivered: accounts on endpoints, known by name or by the HMAC of their key.

A key's fingerprint is an HMAC under the salt that stands beside it, so the key is in no file. An
`Account` is the place to look up an event and to record one.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from reo_cli.delivery.identity import id_key
from reo_cli.delivery.ledger.ledger import DAY, Ledger

CONTENT_SIZE = 8
"""Bytes kept of a content digest: it only tells whether one event has changed."""


class Known(NamedTuple):
    """What the ledger holds of an event: how its content digest begins, and when (epoch)."""

    content: bytes
    delivered_at: int

    def is_same(self, content: bytes) -> bool:
        """Tell whether an event with this content digest is what was delivered."""
        return content.startswith(self.content)


class Acknowledged(NamedTuple):
    """An event that the API has acknowledged: its id, its content digest, and when (epoch).

    `subject` is the digest of what it counts (`identity.subject_of`), None where that is unknown,
    `amount` its count.
    """

    event_id: str | int
    content: bytes
    at: float
    subject: int | None = None
    amount: int = 0


_FIND = "SELECT content, at FROM event WHERE scope = ? AND id = ?"
_RECORD = (
    "INSERT INTO event VALUES (?, ?, ?, ?) ON CONFLICT (scope, id) DO UPDATE"
    " SET content = excluded.content, at = excluded.at"
)
_RECORD_SUBJECT = "REPLACE INTO subject VALUES (?, ?, ?, ?, ?)"

_TAKE = (
    "INSERT INTO main.event SELECT :own, id, content, at FROM {0}.event"
    " WHERE scope = :other ON CONFLICT (scope, id) DO UPDATE"
    " SET content = excluded.content, at = excluded.at WHERE excluded.at > at",
    "INSERT OR REPLACE INTO main.subject"
    " SELECT :own, subject, event, count, day FROM {0}.subject WHERE scope = :other",
)
"""Takes one account's entries into another's; of two for one event the later one stays."""


class Account:
    """What one account on one endpoint has had delivered.

    `endpoint` is in the normal form of the settings. The account is known by `name`, else by its
    key; with neither (a dry run without a key) it is all that was delivered without a name. Raises
    ReoError (73 to 75).
    """

    def __init__(self, ledger: Ledger, endpoint: str, key: str | None, name: str | None) -> None:
        self._ledger = ledger
        # SQLite holds no half of a surrogate pair; a name from the environment may be any bytes.
        name = (name or "").encode("utf-8", "backslashreplace").decode()
        self._endpoint, self._key, self._name = endpoint, key, name
        self.snapshot, self.reading, self.writing = ledger.snapshot, ledger.reading, ledger.writing
        self._resolve()

    def _resolve(self) -> None:
        """Look up its scopes in the ledger, none if it is new, and those of other unnamed keys."""
        with self.reading() as connection:
            asked = "SELECT id, name, salt, fingerprint FROM account WHERE endpoint = ?"
            rows = connection.execute(asked, (self._endpoint,)).fetchall()
        name, key = self._name, self._key
        self.scopes: Sequence[int] = [
            scope
            for scope, other, salt, mark in rows
            if other == name and (name or not key or fingerprint(salt, key) == mark)
        ]
        self._others = [
            scope for scope, *other in rows if not other[0] and scope not in self.scopes
        ]

    def find(self, event_id: str | int) -> Known | None:
        """Return what is known of an event of this account; raises ReoError (73 to 75)."""
        return self._newest(self.scopes, event_id)

    def find_elsewhere(self, event_id: str | int) -> Known | None:
        """Return what another key without an account name has delivered under this id, or None.

        Free where no such key was ever used with this ledger, and for a named account.
        """
        return None if self._name or not self._others else self._newest(self._others, event_id)

    def is_only_elsewhere(self) -> bool:
        """Tell whether other keys without a name have had events delivered, and this one none."""
        return not self._name and self._holds(self._others) and not self._holds(self.scopes)

    def record(self, acknowledged: Iterable[Acknowledged]) -> None:
        """Record acknowledged events in one transaction, which is committed on return.

        The entry takes the place of an earlier one of the same id. Raises ReoError: 74 when the
        disk is full or failing, 75 when others keep the ledger busy for 30 s.
        """
        with self.writing() as connection:
            own = self._scope(connection)
            for each in acknowledged:
                at = self._ledger.stamp(connection, each.at)
                key = id_key(each.event_id)
                connection.execute(_RECORD, (own, key, each.content[:CONTENT_SIZE], at))
                if each.subject is not None:
                    row = (own, each.subject, key[:4], min(each.amount, 2**62), at // DAY)
                    connection.execute(_RECORD_SUBJECT, row)
        self.scopes = self.scopes or [own]

    def adopt(self) -> None:
        """Take over what other keys without a name have delivered (--key-rotated).

        Their entries move to this account, once; whoever goes on with an old key is told so.
        Raises ReoError (73 to 75).
        """
        with self.writing() as connection:
            self._resolve()  # as of now: another process may have recorded something
            for other in self._others:
                self.take(connection, "main", other)
                for table in ("event", "subject"):
                    connection.execute(f"DELETE FROM {table} WHERE scope = ?", (other,))  # noqa: S608
            self._resolve()

    def take(self, connection: sqlite3.Connection, database: str, other: int) -> None:
        """Take the entries of a scope of `database` too, in the caller's transaction."""
        values = {"own": self._scope(connection), "other": other}
        for sql in _TAKE:
            connection.execute(sql.format(database), values)

    def with_others(self) -> "Account":
        """Return what `adopt` would make of this account, and change nothing: for a dry run."""
        seen = Account(self._ledger, self._endpoint, self._key, self._name)
        seen.scopes, seen._others = [*self.scopes, *self._others], []
        return seen

    def _scope(self, connection: sqlite3.Connection) -> int:
        """Return the scope that new entries go to, made if there is none yet."""
        if not self.scopes:
            self._resolve()  # another process may just have made it
        if self.scopes:
            return self.scopes[0]
        salt = mark = b""
        if self._key and not self._name:
            salt = self._ledger.fact("salt")
            mark = fingerprint(salt, self._key)
        row = (self._endpoint, self._name, salt, mark)
        made = connection.execute("INSERT INTO account VALUES (NULL, ?, ?, ?, ?) RETURNING id", row)
        return int(made.fetchone()[0])

    def _holds(self, scopes: Sequence[int]) -> bool:
        asked = "SELECT 1 FROM event WHERE scope = ? LIMIT 1"
        with self.reading() as connection:
            return any(connection.execute(asked, (scope,)).fetchone() for scope in scopes)

    def _newest(self, scopes: Sequence[int], event_id: str | int) -> Known | None:
        digest = id_key(event_id)
        with self.reading() as connection:
            rows = [connection.execute(_FIND, (scope, digest)).fetchone() for scope in scopes]
        found = [Known(*row) for row in rows if row]
        return max(found, key=lambda known: known.delivered_at, default=None)


def fingerprint(salt: bytes, key: str) -> bytes:
    """Return 16 bytes that tell keys apart and do not give them away."""
    import hmac

    return hmac.digest(salt, key.encode("utf-8", "surrogatepass"), "sha256")[:16]

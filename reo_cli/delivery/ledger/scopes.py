"""Whose events a ledger holds: endpoints, named accounts, and keys known by their HMAC only.

A key's fingerprint is an HMAC under the salt that stands beside it. So entries merged from
another ledger, with its own salt, are found again as soon as their key is used. Scopes of one
`family` are one account: `--key-rotated` unites families and moves no entry. Every function runs
in its caller's transaction.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import sqlite3


class Members(NamedTuple):
    """The scopes of one account, its own first, and those of other keys without a name."""

    own: Sequence[int]
    others: Sequence[int]


class Name(NamedTuple):
    """What tells scopes apart; `account` is empty for a key, the last two for an account."""

    endpoint: str
    account: str
    salt: bytes
    fingerprint: bytes


def resolve(
    connection: "sqlite3.Connection", endpoint: str, key: str | None, account: str | None
) -> Members:
    """Find an account's scopes: by name, else by key; with neither all that have no name.

    `own` is empty for an account that the ledger has not met. A named account has no `others`.
    """
    if account:
        found = connection.execute(
            "SELECT id FROM scope WHERE endpoint = ? AND account = ?", (endpoint, _text(account))
        )
        return Members(_with_families(connection, [row[0] for row in found]), ())
    unnamed = connection.execute(
        "SELECT id, salt, fingerprint FROM scope WHERE endpoint = ? AND account = ''", (endpoint,)
    ).fetchall()
    match = [row[0] for row in unnamed if key is None or fingerprint(row[1], key) == row[2]]
    own = _with_families(connection, match)
    return Members(own, tuple(row[0] for row in unnamed if row[0] not in own))


def add(
    connection: "sqlite3.Connection", endpoint: str, key: str | None, account: str | None
) -> Members:
    """Make an account's scope, unless another process just did; returns what `resolve` does."""
    name = Name(endpoint, _text(account or ""), b"", b"")
    if key and not account:
        salt = connection.execute("SELECT value FROM meta WHERE name = 'salt'").fetchone()[0]
        name = Name(endpoint, "", salt, fingerprint(salt, key))
    insert(connection, name)
    return resolve(connection, endpoint, key, account)


def insert(connection: "sqlite3.Connection", name: Name) -> int:
    """Return the id of the scope with this name, made if need be as a family of its own."""
    connection.execute(
        "INSERT INTO scope (endpoint, account, salt, fingerprint, family)"
        " VALUES (?, ?, ?, ?, (SELECT ifnull(max(id), 0) + 1 FROM scope))"
        " ON CONFLICT DO NOTHING",
        name,
    )
    row = connection.execute(
        "SELECT id FROM scope WHERE endpoint = ? AND account = ? AND salt = ? AND fingerprint = ?",
        name,
    ).fetchone()
    return int(row[0])


def unite(connection: "sqlite3.Connection", members: Sequence[int]) -> Sequence[int]:
    """Make one family of the families of some scopes; returns all of it, the first one first."""
    for scope in members[1:]:
        connection.execute(
            "UPDATE scope SET family = (SELECT family FROM scope WHERE id = ?)"
            " WHERE family = (SELECT family FROM scope WHERE id = ?)",
            (members[0], scope),
        )
    return _with_families(connection, members[:1])


def fingerprint(salt: bytes, key: str) -> bytes:
    """Return 16 bytes that tell keys apart and do not give them away."""
    import hmac

    return hmac.digest(salt, key.encode("utf-8", "surrogatepass"), "sha256")[:16]


def _with_families(connection: "sqlite3.Connection", scopes: Sequence[int]) -> Sequence[int]:
    members = dict.fromkeys(scopes)
    for scope in scopes:
        found = connection.execute(
            "SELECT id FROM scope"
            " WHERE family = (SELECT family FROM scope WHERE id = ?) ORDER BY id",
            (scope,),
        )
        members.update((row[0], None) for row in found)
    return tuple(members)


def _text(account: str) -> str:
    """Return the name as SQLite can hold it; from the environment it may be any bytes."""
    return account.encode("utf-8", "backslashreplace").decode()

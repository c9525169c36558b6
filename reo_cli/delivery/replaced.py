"""Replaced, not repeated: events that are new by their ids and were delivered all the same.

An option that changes what is sent gives every event a new id, and so does a count that went on.
What the events of an input count (their subjects) is noted while it is checked, in a temporary
table beside the ledger; at the end one question finds those whose subject was delivered by an
earlier run, under an id that the inputs no longer hold (design.md, "Replaced, not repeated").
"""

from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

from reo_cli.delivery.identity import subject_of
from reo_cli.delivery.ledger import Account
from reo_cli.events import Event

if TYPE_CHECKING:
    import sqlite3

AT_ONCE = 1000
"""Events that are written to the temporary table together."""

MOST = (9, 10)
"""The part of an input from which it is the same events under other ids (design.md)."""


class Replaced(NamedTuple):
    """What the events of an input do to those delivered before.

    `number` of its `events` replace some; `same` says that their counts did not change. `line` and
    `record` are of the first, whose count was `before` and is `now`.
    """

    input: int
    number: int
    events: int
    same: bool
    line: int
    record: int
    now: int
    before: int


_NOTED = """
CREATE TEMP TABLE noted (
    id INTEGER PRIMARY KEY, input INTEGER, line INTEGER, record INTEGER,
    key BLOB, subject INTEGER, count INTEGER, fresh INTEGER)
"""
_ANY = """
SELECT 1 FROM temp.noted AS new CROSS JOIN subject AS old
WHERE new.fresh AND old.scope IN ({scopes}) AND old.subject = new.subject LIMIT 1
"""
_GONE = """
CREATE TEMP TABLE gone AS SELECT old.scope, old.subject, old.event, old.count
FROM (SELECT DISTINCT subject FROM temp.noted WHERE fresh) AS new CROSS JOIN subject AS old
WHERE old.scope IN ({scopes}) AND old.subject = new.subject AND NOT EXISTS (
    SELECT 1 FROM temp.noted AS held
    WHERE held.subject = old.subject AND substr(held.key, 1, 4) = old.event)
"""
# Each delivered event is replaced once, by one with the same count if there is one.
_REPLACED = """
CREATE TEMP TABLE replaced AS
WITH subjects AS (SELECT subject, count(*) AS number, min(count) AS least FROM gone GROUP BY 1),
equals AS (SELECT subject, count, count(*) AS number FROM gone GROUP BY 1, 2),
paired AS (
    SELECT noted.*, subjects.number, least, ifnull(equals.number, 0) >= row_number()
        OVER (PARTITION BY noted.subject, noted.count ORDER BY id) AS same
    FROM temp.noted JOIN subjects USING (subject) LEFT JOIN equals USING (subject, count)
    WHERE fresh)
SELECT * FROM (
    SELECT *, row_number() OVER (PARTITION BY subject ORDER BY same DESC, id) AS place FROM paired)
WHERE place <= number
"""
_BY_INPUT = """
SELECT input, count(*), sum(same), sum(NOT same AND count < least),
    ifnull(min(CASE WHEN NOT same THEN id END), min(id))
FROM temp.replaced GROUP BY input
"""
_FIRST = """
SELECT line, record, count, CASE WHEN same THEN count ELSE least END FROM temp.replaced WHERE id = ?
"""
_FORGET = """
DELETE FROM subject WHERE (scope, subject, event) IN (
    SELECT scope, subject, event FROM temp.gone
    WHERE subject IN (SELECT subject FROM temp.replaced WHERE input IN ({inputs})))
"""


class Watch:
    """Notes the events of a run, and tells which of them replace others."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._events: dict[int, int] = {}
        self._known: dict[int, int] = {}
        self._rows: list[tuple[object, ...]] = []
        self.is_needed = account.has_subjects()
        """False while the account has had nothing delivered that could be replaced."""
        if self.is_needed:
            with account.reading() as connection:
                for table in ("noted", "gone", "replaced"):
                    connection.execute(f"DROP TABLE IF EXISTS temp.{table}")
                connection.execute("PRAGMA temp.cache_size = -1536")
                connection.execute(_NOTED)

    def note(self, input_index: int, event: Event, key: bytes, *, known: bool, ours: bool) -> None:
        """Take an event of an input; one of another share (not `ours`) is only held by it.

        `key` is the digest of its id. An event with an `event_id` of its own replaces nothing.
        """
        if not self.is_needed:
            return
        if ours:
            self._events[input_index] = self._events.get(input_index, 0) + 1
            self._known[input_index] = self._known.get(input_index, 0) + known
        record, count = event.record, min(event.payload["count"], 2**62)
        fresh = ours and not known and event.event_id is None
        row = (
            input_index,
            record.line,
            record.number,
            key,
            subject_of(event.payload),
            count,
            fresh,
        )
        self._rows.append(row)
        if len(self._rows) >= AT_ONCE:
            with self._account.reading() as connection:
                self._write(connection)

    def judge(self, inputs: Collection[int]) -> list[Replaced]:
        """Return which of these inputs replace events, once all inputs have been noted."""
        if not self.is_needed:
            return []
        with self._account.snapshot(), self._account.reading() as connection:
            self._write(connection)
            scopes = ", ".join(map(str, self._account.scopes))
            if connection.execute(_ANY.format(scopes=scopes)).fetchone() is None:
                return []
            connection.execute("CREATE INDEX temp.held ON noted (subject)")
            connection.execute(_GONE.format(scopes=scopes))
            connection.execute(_REPLACED)
            connection.execute("CREATE INDEX temp.by_key ON replaced (key)")
            found = connection.execute(_BY_INPUT).fetchall()
            judged = [self._judged(connection, *row) for row in found if row[0] in inputs]
            replaced = [each for each in judged if each is not None]
            others = {row[0] for row in found} - {each.input for each in replaced}
            connection.executemany(
                "DELETE FROM temp.replaced WHERE input = ?", [(each,) for each in others]
            )
        return replaced

    def is_replaced(self, key: bytes) -> bool:
        """Tell whether an event replaces another, after `judge` has found some."""
        with self._account.reading() as connection:
            asked = "SELECT 1 FROM temp.replaced WHERE key = ?"
            return connection.execute(asked, (key,)).fetchone() is not None

    def forget(self, inputs: Collection[int]) -> None:
        """Let what these inputs replace be replaced by nothing else, as they are sent all the same.

        Raises ReoError 74 or 75.
        """
        with self._account.writing() as connection:
            connection.execute(_FORGET.format(inputs=", ".join(map(str, inputs))))

    def _judged(
        self,
        connection: "sqlite3.Connection",
        input_index: int,
        number: int,
        same: int,
        fallen: int,
        first: int,
    ) -> Replaced | None:
        """Say whether an input holds the same events under other ids, or a newer version.

        Counts go on: in a newer version few have fallen. Of a file for the same companies and days
        that counts something else half have, and no more are known than are equal by chance.
        """
        events, known = self._events[input_index], self._known[input_index]
        is_same = _is_most(same, events)
        is_newer = known > 0 and (fallen <= known or _is_most(number - fallen, number))
        if not (is_same or is_newer):
            return None
        where = connection.execute(_FIRST, (first,)).fetchone()
        return Replaced(input_index, number, events, same == number or is_same, *where)

    def _write(self, connection: "sqlite3.Connection") -> None:
        rows, self._rows = self._rows, []
        connection.executemany("INSERT INTO temp.noted VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)", rows)


def _is_most(part: int, whole: int) -> bool:
    return part * MOST[1] >= whole * MOST[0]

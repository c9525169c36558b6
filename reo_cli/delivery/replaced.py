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

if TYPE_CHECKING:
    from reo_cli.delivery.decide import Job

AT_ONCE = 1000
"""Events that are written to the temporary table together."""


class Replaced(NamedTuple):
    """What the events of an input do to those delivered before.

    `number` of its `events` replace some, `equal` of them with the same count; `same` says that it
    holds the same events under other ids. `line` and `record` are of the first, whose count was
    `before` and is `now`.
    """

    input: int
    number: int
    events: int
    equal: int
    same: bool
    line: int
    record: int
    now: int
    before: int


# `known` is NULL for an event of another share, which is only held by the input.
_NOTED = """
CREATE TEMP TABLE noted (
    id INTEGER PRIMARY KEY, input INTEGER, line INTEGER, record INTEGER,
    key BLOB, subject INTEGER, count INTEGER, known INTEGER, fresh INTEGER)
"""
_NOTE = "INSERT INTO temp.noted VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)"
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
WITH whole AS (
    SELECT input, count(known) AS events, sum(known) AS known FROM temp.noted GROUP BY input),
part AS (
    SELECT input, count(*) AS number, sum(same) AS same, sum(NOT same AND count < least) AS fallen,
        ifnull(min(CASE WHEN NOT same THEN id END), min(id)) AS id
    FROM temp.replaced GROUP BY input)
SELECT part.input, part.number, events, part.same, whole.known, fallen,
    line, record, count, CASE WHEN first.same THEN count ELSE least END
FROM part JOIN whole USING (input) JOIN temp.replaced AS first USING (id) ORDER BY part.input
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
        self._rows: list[tuple[object, ...]] = []
        self._judged: set[int] = set()
        self._left: set[int] = set()
        with account.reading() as connection:
            connection.execute("PRAGMA temp.cache_size = -1536")
            connection.execute(_NOTED)

    def note(self, job: "Job", known: bool | None) -> None:
        """Take an event of an input that was not judged; one of another share is no `known`.

        An event with an `event_id` of its own replaces nothing.
        """
        if job.input in self._judged:
            return
        record, payload = job.event.record, job.event.payload
        fresh = known is False and job.event.event_id is None
        subject, count = subject_of(payload), min(payload["count"], 2**62)
        where = job.input, record.line, record.number
        self._rows.append((*where, job.key, subject, count, known, fresh))
        if len(self._rows) >= AT_ONCE:
            self._write()

    def _write(self) -> None:
        rows, self._rows = self._rows, []
        with self._account.reading() as connection:
            connection.executemany(_NOTE, rows)

    def judge(self, inputs: Collection[int]) -> list[Replaced]:
        """Return which of these inputs replace events, once all inputs have been noted."""
        self._judged |= set(inputs)
        scopes = ", ".join(map(str, self._account.scopes))
        with self._account.snapshot(), self._account.reading() as connection:
            self._write()
            connection.execute("CREATE INDEX IF NOT EXISTS temp.held ON noted (subject)")
            for table, query in (("gone", _GONE.format(scopes=scopes)), ("replaced", _REPLACED)):
                connection.execute(f"DROP TABLE IF EXISTS temp.{table}")
                connection.execute(query)
            connection.execute("CREATE INDEX temp.by_key ON replaced (key)")
            judged = [_judged(*row) for row in connection.execute(_BY_INPUT)]
        return [each for each in judged if each is not None and each.input in inputs]

    def leave(self, inputs: Collection[int]) -> None:
        """Send nothing of these inputs that replaces other events."""
        self._left |= set(inputs)

    def is_left(self, job: "Job") -> bool:
        """Tell whether an event is not to be sent, as it replaces another."""
        if job.input not in self._left:
            return False
        with self._account.reading() as connection:
            asked = "SELECT 1 FROM temp.replaced WHERE key = ?"
            return connection.execute(asked, (job.key,)).fetchone() is not None

    def forget(self, inputs: Collection[int]) -> None:
        """Let what these inputs replace be replaced by nothing else, as they are sent all the same.

        Raises ReoError 74 or 75.
        """
        with self._account.writing() as connection:
            connection.execute(_FORGET.format(inputs=", ".join(map(str, inputs))))


def _judged(
    at: int, number: int, events: int, same: int, known: int, fallen: int, *first: int
) -> Replaced | None:
    """Say whether an input holds the same events under other ids, or a newer version.

    Nine in ten tell the first (design.md). Counts go on: in a newer version few have fallen. Of a
    file for the same companies and days that counts something else half have, and no more are known
    than are equal by chance.
    """
    is_same = _is_most(same, events)
    is_newer = known > 0 and (fallen <= known or _is_most(number - fallen, number))
    if not (is_same or is_newer):
        return None
    return Replaced(at, number, events, same, same == number or is_same, *first)


def _is_most(part: int, whole: int) -> bool:
    return part * 10 >= whole * 9

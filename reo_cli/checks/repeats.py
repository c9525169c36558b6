"""Which events of a run are exact repeats, and which share an `event_id` but not their content.

`validate` asks once, after everything was read: digests lie in a scratch database meanwhile, so
memory does not grow and the answer is exact.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from reo_cli.checks.content import blake2b
from reo_cli.checks.scratch import on_disk, scratch
from reo_cli.checks.values import issue
from reo_cli.events import Event
from reo_cli.records import Issue

if TYPE_CHECKING:
    from sqlite3 import Connection

BATCH = 4096
"""Events kept in memory before they are written."""

_SCHEMA = """
    CREATE TABLE seen (key BLOB, content BLOB, text INTEGER, file INTEGER, line INTEGER,
                       record INTEGER)
"""
_ADD = "INSERT INTO seen VALUES (?, ?, ?, ?, ?, ?)"
_REPEATED = """
    SELECT later.*, first.*
    FROM seen AS later
    JOIN (SELECT key, min(rowid) AS place FROM seen GROUP BY key HAVING count(*) > 1) AS repeated
    ON repeated.key = later.key
    JOIN seen AS first ON first.rowid = repeated.place
    WHERE later.rowid > repeated.place ORDER BY later.rowid
"""


class Seen(NamedTuple):
    """One event: `content` is None when it has no id of its own, `text` a hash of its record."""

    key: bytes
    content: bytes | None
    text: int
    file: int
    line: int
    record: int


class Repeats:
    """Takes events one by one; `find` then tells which came before."""

    def __init__(self) -> None:
        self._rows: list[Seen] = []
        self._database: Connection | None = None
        self._files: list[str] = []

    def begin_file(self, name: str) -> None:
        """Start the next input: equal events of two files are one event, not a repeat."""
        self._files.append(name)

    def add(self, event: Event) -> None:
        """Remember an event by its digests; ReoError 74 when the disk is full."""
        record, file = event.record, len(self._files) - 1
        content = blake2b(event.content, digest_size=16).digest()
        if event.event_id is None:
            key, other = b"%d %b" % (file, content), None
        else:
            text = str(event.event_id).encode()
            key, other = blake2b(text, digest_size=16, person=b"id").digest(), content
        digest = hash(record.text.rstrip("\r\n"))
        self._rows.append(Seen(key, other, digest, file, record.line, record.number))
        if len(self._rows) >= BATCH:
            self._write()

    def _write(self) -> None:
        with on_disk():
            if self._database is None:
                self._database = scratch(_SCHEMA)
            self._database.executemany(_ADD, self._rows)
            self._rows.clear()

    def find(self) -> Iterator[tuple[int, Issue]]:
        """Yield the index of a file and an issue for each event that came before; ReoError 74."""
        if self._database is None and len({row.key for row in self._rows}) == len(self._rows):
            return  # most files: nothing has to be written
        self._write()
        with on_disk():
            for row in self._database.execute(_REPEATED) if self._database else ():
                later, first = Seen(*row[: len(row) // 2]), Seen(*row[len(row) // 2 :])
                yield later.file, self._issue(later, first)

    def _issue(self, later: Seen, first: Seen) -> Issue:
        where = f"line {first.line}"
        if first.file != later.file:
            where = f"{self._files[first.file]}:{first.line}"
        elif first.line == later.line:
            where = f"record {first.record}"
        found = repeat_issue(
            where, later.content, first.content, same_text=later.text == first.text
        )
        return found._replace(file=self._files[later.file], line=later.line, record=later.record)


def repeat_issue(
    where: str, content: bytes | None, first: bytes | None, *, same_text: bool = True
) -> Issue:
    """Return the issue, without its place, for an event that came before at `where`.

    Without an `event_id` the contents are None: it is an exact repeat, and two events. With one,
    equal contents are one event, and other content is an error. `same_text` says that the records
    are equal in what is not sent, too.
    """
    if content is None and same_text:
        hint = "they count as two events; remove one if it is a mistake"
        return issue("warning", "repeat", f"the same as {where}", hint)
    if content is None:
        what = f"the same as {where} in all that is sent"
        hint = "they count as two events; ignored columns and parts of a second are not sent"
        return issue("warning", "repeat-as-sent", what, hint)
    if content == first:
        hint = "they are one event and are sent once"
        found = issue("warning", "repeated-id", f"the same event as {where}", hint)
    else:
        what = f"{where} has the same event_id and other content"
        hint = "give each event an id of its own, or --ignore event_id where it is none"
        found = issue("error", "id-taken", what, hint)
    return found._replace(field="event_id")

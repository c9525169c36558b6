"""Which events of a run are exact repeats, and which share an `event_id` but not their content.

`validate` asks once, after everything was read: digests lie in a scratch database meanwhile, so
memory does not grow and the answer is exact.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

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
    SELECT later.content, first.content, later.text = first.text,
           later.file, later.line, later.record, first.file, first.line, first.record
    FROM seen AS later
    JOIN (SELECT key, min(rowid) AS place FROM seen GROUP BY key HAVING count(*) > 1) AS repeated
    ON repeated.key = later.key
    JOIN seen AS first ON first.rowid = repeated.place
    WHERE later.rowid > repeated.place ORDER BY later.rowid
"""


class Repeats:
    """Takes events one by one; `find` then tells which came before."""

    def __init__(self) -> None:
        self._rows: list[tuple[bytes, bytes | None, int, int, int, int]] = []
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
        as_read = hash(record.text.rstrip("\r\n"))
        self._rows.append((key, other, as_read, file, record.line, record.number))
        if len(self._rows) >= BATCH:
            self._write()

    def _write(self) -> "Connection":
        with on_disk():
            self._database = self._database or scratch(_SCHEMA)
            self._database.executemany(_ADD, self._rows)
        self._rows.clear()
        return self._database

    def find(self) -> Iterator[tuple[int, Issue]]:
        """Yield the index of a file and an issue for each event that came before; ReoError 74."""
        if self._database is None and len({row[0] for row in self._rows}) == len(self._rows):
            return  # most files: nothing has to be written
        with on_disk():
            for row in self._write().execute(_REPEATED):
                content, first_content, is_same_text, *places = row
                file, line, number, first_file, first_line, first_number = places
                where = f"line {first_line}"
                if first_file != file:
                    where = f"{self._files[first_file]}:{first_line}"
                elif first_line == line:
                    where = f"record {first_number}"
                found = repeat_issue(where, content, first_content, same_text=is_same_text)
                yield file, found._replace(file=self._files[file], line=line, record=number)


def repeat_issue(
    where: str, content: bytes | None, first: bytes | None, *, same_text: bool = True
) -> Issue:
    """Return the issue, without its place, for an event that came before at `where`.

    Without an `event_id` the contents are None: it is an exact repeat, and two events. With one,
    equal contents are one event, and other content is an error. `same_text` says that the records
    are equal in what is not sent, too.
    """
    if content is None:
        twice = "they count as two events; "
        if same_text:
            hint = twice + "remove one if it is a mistake"
            return issue("warning", "repeat", f"the same as {where}", hint)
        hint = twice + "ignored columns and parts of a second are not sent"
        return issue("warning", "repeat-as-sent", f"the same as {where} in all that is sent", hint)
    if content == first:
        hint = "they are one event and are sent once"
        found = issue("warning", "repeated-id", f"the same event as {where}", hint)
    else:
        what = f"{where} has the same event_id and other content"
        hint = "give each event an id of its own, or --ignore event_id where it is none"
        found = issue("error", "id-taken", what, hint)
    return found._replace(field="event_id")

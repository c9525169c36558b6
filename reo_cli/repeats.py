"""Which events of a run are exact repeats, and which share an `event_id` but not their content.

`validate` asks once, after everything was read: the digests lie in a scratch database meanwhile
and are sorted there, so memory does not grow and the answer is exact.
"""

from collections.abc import Iterator

from reo_cli.events import Event
from reo_cli.identity import content_digest, id_key
from reo_cli.records import Issue
from reo_cli.scratch import scratch

BATCH = 2000

_SCHEMA = "CREATE TABLE row (key BLOB, content BLOB, file INTEGER, line INTEGER, record INTEGER)"

_FIND = """
    SELECT key, content, file, line, record FROM row
    WHERE key IN (SELECT key FROM row GROUP BY key HAVING count(*) > 1)
    ORDER BY key, rowid
"""


class Repeats:
    """Takes events one by one; `issues` then tells which came before."""

    def __init__(self) -> None:
        self._rows: list[tuple[bytes, bytes | None, int, int, int]] = []
        self._files: list[str] = []
        self._database = scratch(_SCHEMA)

    def begin_file(self, name: str) -> None:
        """Start the next input: equal events of two files are one event, not a repeat."""
        self._files.append(name)

    def add(self, event: Event) -> None:
        """Remember an event by its digests."""
        record = event.record
        file = len(self._files) - 1
        content = content_digest(event, b"")
        if event.event_id is None:
            row = (content if not file else content + file.to_bytes(4, "big"), None)
        else:
            row = (b"id" + id_key(event.event_id), content)
        self._rows.append((*row, file, record.line, record.number))
        if len(self._rows) >= BATCH:
            self._flush()

    def _flush(self) -> None:
        self._database.executemany("INSERT INTO row VALUES (?, ?, ?, ?, ?)", self._rows)
        self._rows.clear()

    def issues(self) -> Iterator[Issue]:
        """Yield an issue for each event that repeats an earlier one."""
        self._flush()
        first: tuple[bytes, bytes | None, int, int, int] | None = None
        for row in self._database.execute(_FIND):
            if first is None or first[0] != row[0]:
                first = row
            else:
                yield self._issue(row, first)

    def _issue(
        self,
        row: tuple[bytes, bytes | None, int, int, int],
        first: tuple[bytes, bytes | None, int, int, int],
    ) -> Issue:
        _, content, file, line, record = row
        where = f"line {first[3]}" if first[2] == file else f"{self._files[first[2]]}:{first[3]}"
        return repeat_issue(self._files[file], line, record, where, content, first[1])


def repeat_issue(
    file: str, line: int, record: int, where: str, content: bytes | None, first: bytes | None
) -> Issue:
    """Return the issue for an event that came before at `where`.

    Without an `event_id` the contents are None: it is an exact repeat, and two events. With one,
    equal contents are one event, and other content is an error.
    """
    if content is None:
        hint = "they count as two events; remove one if it is a mistake"
        return Issue(file, line, record, "", "warning", f"the same as {where}", hint)
    if content == first:
        hint = "they are one event and are sent once"
        message = f"the same event as {where}"
        return Issue(file, line, record, "event_id", "warning", message, hint)
    message = f"{where} has the same event_id and other content"
    hint = "give each event an id of its own"
    return Issue(file, line, record, "event_id", "error", message, hint)

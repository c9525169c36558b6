"""What stands in a rejects file already, so that no line is written twice.

An event is known by its `event_id` and content: one line. A record without an id is known by its
content, and stands there as often as it occurs in the input: the n-th of equal ones is new when
the file held fewer than n. All is counted in a scratch database, so memory does not grow.
"""

import json
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any, BinaryIO

from reo_cli.scratch import scratch

LONGEST_LINE = 16 * 1024 * 1024
"""Bytes of the longest line that can be ours: a record of 1 MiB, every character escaped."""

_SCHEMA = """
CREATE TABLE reject (key BLOB PRIMARY KEY, found INTEGER, met INTEGER) WITHOUT ROWID
"""
_FOUND = "INSERT INTO reject VALUES (?, 1, 0) ON CONFLICT (key) DO UPDATE SET found = found + 1"
_MET = "INSERT INTO reject VALUES (?, 0, 1) ON CONFLICT (key) DO UPDATE SET met = met + 1"


class Seen:
    """The rejects of a file. `by_file` keeps equal records of different inputs apart."""

    def __init__(self, *, by_file: bool) -> None:
        self._by_file = by_file
        self._database = scratch(_SCHEMA)

    def load(self, file: BinaryIO) -> None:
        """Take in the lines that stand in `file`; what is no line of ours counts for nothing."""
        self._database.executemany(_FOUND, ((key,) for key in self._keys(file)))

    def is_new(self, payload_json: str | None, raw: str, file: str) -> bool:
        """Whether this reject still has to be written; each call counts as an occurrence."""
        payload = None if payload_json is None else _decoded(payload_json)
        key, is_event = self._key(payload, raw, file)
        row = self._database.execute("SELECT found, met FROM reject WHERE key = ?", (key,))
        found, met = row.fetchone() or (0, 0)
        self._database.execute(_MET, (key,))
        return not (found or met) if is_event else met >= found

    def close(self) -> None:
        """Drop all that is known."""
        self._database.close()

    def _keys(self, file: BinaryIO) -> Iterator[bytes]:
        while line := file.readline(LONGEST_LINE):
            entry = _decoded(line.decode("utf-8", "surrogateescape"))
            if isinstance(entry, dict) and "payload" in entry:
                error = entry.get("error")
                name = error.get("file") if isinstance(error, dict) else ""
                yield self._key(entry["payload"], str(entry.get("raw", "")), str(name))[0]

    def _key(self, payload: Any, raw: str, file: str) -> tuple[bytes, bool]:
        """Return what the reject is known by, and whether that is an `event_id`.

        The time counts for nothing beside an id: `now` differs from run to run.
        """
        event_id = payload.get("event_id") if isinstance(payload, dict) else None
        if isinstance(event_id, str) and event_id.strip(f"{_NUMBER} "):
            said = {k: v for k, v in payload.items() if k not in ("event_id", "event_at")}
            return _digest([event_id.lstrip(_NUMBER), said]), True
        where = file if self._by_file else None
        return _digest([where, payload, raw if payload is None else None]), False


_NUMBER = "\0"
"""Stands before the text of a JSON number, which so differs from the same text in quotes."""


def _number(text: str) -> str:
    return _NUMBER + text


def _decoded(text: str) -> Any:
    """Return the JSON value, numbers as text whatever their size; other text as it is."""
    try:
        return json.loads(
            text, parse_int=_number, parse_float=_number, parse_constant=_number, strict=False
        )
    except (ValueError, RecursionError):
        return text


def _digest(value: Any) -> bytes:
    text = json.dumps(value, sort_keys=True)
    return blake2b(text.encode(), digest_size=16).digest()

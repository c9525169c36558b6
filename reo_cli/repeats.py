"""Which events of a run are exact repeats, and which share an `event_id` but not their content.

`validate` asks once, after everything was read: the digests lie in a nameless file meanwhile, in
runs that are sorted, so memory does not grow and the answer is exact.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from struct import Struct
from typing import IO, NamedTuple

from reo_cli.digests import blake2b
from reo_cli.errors import ExitCode, ReoError
from reo_cli.events import Event
from reo_cli.identity import content_digest, id_key
from reo_cli.records import Issue

RUN = 4096
"""Entries kept in memory before they are sorted and written."""

BUCKETS = 1024
"""Parts, by the first bits of the key, in which the entries are looked through."""

_ROW = Struct(">16s16sIQQ")
"""Key, content, file, line and record of an event."""

_KEY, _SIZE = 16, _ROW.size
_NO_CONTENT = bytes(16)
_BOUNDS = [(at << 6).to_bytes(2, "big") for at in range(BUCKETS)]


class ScratchFailed(ReoError):
    """The temporary folder takes no more: that ends the run (74)."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(ExitCode.IO, "scratch_failed", message, hint)


class _Entry(NamedTuple):
    """One event: `content` is None when it has no id of its own. Entries sort by place in a key."""

    key: bytes
    file: int
    line: int
    record: int
    content: bytes | None


class Repeated(NamedTuple):
    """What was found: for each file the number of errors and warnings, and some of the issues.

    The issues are the first ones, in the order of files and lines.
    """

    errors: dict[int, int]
    warnings: dict[int, int]
    issues: list[Issue]


class Repeats:
    """Takes events one by one; `find` then tells which came before."""

    def __init__(self) -> None:
        self._rows: list[bytes] = []
        self._runs: list[tuple[int, array[int]]] = []
        self._spool: IO[bytes] | None = None
        self._files: list[str] = []
        self._salt = b""

    def begin_file(self, name: str) -> None:
        """Start the next input: equal events of two files are one event, not a repeat."""
        self._files.append(name)
        self._salt = len(self._files).to_bytes(8, "big")

    def add(self, event: Event) -> None:
        """Remember an event by its digests; ReoError 74 when the disk is full."""
        record = event.record
        if event.event_id is None:
            key = blake2b(event.content, digest_size=16, salt=self._salt).digest()
            content = _NO_CONTENT
        else:
            key, content = id_key(event.event_id), content_digest(event, b"")
        rows = self._rows
        rows.append(_ROW.pack(key, content, len(self._files) - 1, record.line, record.number))
        if len(rows) >= RUN:
            self._write()

    def _write(self) -> None:
        """Write what is in memory, sorted, and note where each bucket begins."""
        rows = sorted(self._rows)
        self._rows.clear()
        starts = array("H", (bisect_left(rows, bound) for bound in _BOUNDS))
        starts.append(len(rows))
        with _on_disk():
            if self._spool is None:
                import tempfile

                self._spool = tempfile.TemporaryFile(prefix="reo-")  # noqa: SIM115 - kept open
            self._spool.seek(0, 2)
            self._runs.append((self._spool.tell(), starts))
            self._spool.write(b"".join(rows))

    def find(self, limit: int) -> Repeated:
        """Return what repeats, with at most `limit` issues of each severity; ReoError 74."""
        counts: dict[str, dict[int, int]] = {"error": {}, "warning": {}}
        kept: dict[str, list[tuple[_Entry, _Entry]]] = {"error": [], "warning": []}
        for later, first in self._pairs():
            severity = "warning" if later.content == first.content else "error"
            counts[severity][later.file] = counts[severity].get(later.file, 0) + 1
            pairs = kept[severity]
            pairs.append((later, first))
            if len(pairs) > 2 * limit + RUN:
                kept[severity] = sorted(pairs, key=_place)[:limit]
        chosen = [pair for pairs in kept.values() for pair in sorted(pairs, key=_place)[:limit]]
        issues = [self._issue(*pair) for pair in sorted(chosen, key=_place)]
        return Repeated(counts["error"], counts["warning"], issues)

    def _pairs(self) -> Iterator[tuple[_Entry, _Entry]]:
        """Yield each entry whose key came before, with the first one that had it."""
        for data in self._buckets():
            keys = [data[at : at + _KEY] for at in range(0, len(data), _SIZE)]
            if len(set(keys)) == len(keys):
                continue
            entries = sorted(_entry(*row) for row in _ROW.iter_unpack(data))
            first = entries[0]
            for entry in entries[1:]:
                if entry.key == first.key:
                    yield entry, first
                else:
                    first = entry

    def _buckets(self) -> Iterator[bytes]:
        if self._spool is None:
            yield b"".join(self._rows)
            return
        self._write()
        with _on_disk():
            for at in range(BUCKETS):
                parts = []
                for offset, starts in self._runs:
                    self._spool.seek(offset + starts[at] * _SIZE)
                    parts.append(self._spool.read((starts[at + 1] - starts[at]) * _SIZE))
                yield b"".join(parts)

    def _issue(self, later: _Entry, first: _Entry) -> Issue:
        where = f"line {first.line}"
        if first.file != later.file:
            where = f"{self._files[first.file]}:{first.line}"
        elif first.line == later.line:
            where = f"record {first.record}"
        file = self._files[later.file]
        return repeat_issue(file, later.line, later.record, where, later.content, first.content)


def _entry(key: bytes, content: bytes, file: int, line: int, record: int) -> _Entry:
    return _Entry(key, file, line, record, None if content == _NO_CONTENT else content)


def _place(pair: tuple[_Entry, _Entry]) -> tuple[int, int, int]:
    later = pair[0]
    return later.file, later.line, later.record


@contextmanager
def _on_disk() -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        message = f"the temporary folder cannot hold what this run must remember: {fault.strerror}"
        hint = "free some space there, or set TMPDIR to another folder"
        raise ScratchFailed(message, hint) from fault


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

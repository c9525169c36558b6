"""The rejects file: what was not delivered and why, a JSON line each, to be mended and sent again.

It is only ever appended to, and it is its own memory: what stands in it already is not written a
second time, whichever run wrote it and however that run ended.
"""

import codecs
import errno
import json
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from reo_cli.checks.scratch import on_disk
from reo_cli.delivery.folders import open_private
from reo_cli.delivery.identity import is_place_id
from reo_cli.errors import ExitCode, ReoError
from reo_cli.records import STDIN, Record
from reo_cli.settings.files import make_folder

SUFFIX = ".reo-rejects"

RAW_LIMIT = 4096
"""Bytes kept of what could not be parsed (design.md, Rejects)."""

LONGEST_LINE = 16 * 1024 * 1024
"""Bytes of the longest line that can be ours: a record of 1 MiB, every character escaped."""

_BEGINS = b'{"payload": '
_ERROR = b', "error": {"file": '


@dataclass(frozen=True, slots=True)
class Reject:
    """One record that was not delivered.

    `payload_json` is the payload as JSON text, with the `event_id` it has to have; None when the
    record could not be parsed: `raw` then is the text it was read from. `status` is the
    HTTP status or None; `line` and `record` count from 1. `derived` says what its id was
    made of (`decide.Job`): so a mended line is known again where it came from.
    """

    file: str
    line: int
    record: int
    status: int | None
    reason: str
    payload_json: str | None = None
    raw: str = ""
    derived: str = ""

    @property
    def json_line(self) -> bytes:
        """The line that stands for it; half a surrogate pair, which UTF-8 has not, is escaped."""
        names = ("file", "line", "record", "status", "reason")
        error = json.dumps({name: getattr(self, name) for name in names})
        kept = self.payload_json or f'null, "raw": {json.dumps(_cut(self.raw))}'
        derived = f', "derived": "{self.derived}"' if self.derived else ""
        line = f'{{"payload": {kept}, "error": {error}{derived}}}\n'
        return line.encode("utf-8", "backslashreplace")


def derived_of(record: Record) -> str:
    """Return what a line of a rejects file says of `Reject.derived`."""
    line = _decoded(record.text) if '"derived"' in record.text else None
    found = line.get("derived") if isinstance(line, dict) else None
    return found if isinstance(found, str) else ""


def default_path(input_name: str, state_folder: Path) -> Path:
    """Return where the rejects of an input go: beside it, or in the user's state folder.

    The latter for stdin and whatever is no regular file, and where a file beside the input could
    not be written without following a link.
    """
    source = Path(input_name)
    if input_name == STDIN or not source.is_file():
        return state_folder / "rejects" / f"stdin{SUFFIX}"
    beside = source.with_name(source.name + SUFFIX)
    if len(os.fsencode(beside.name)) <= 255 and _can_append(beside):  # bytes of a file's name
        return beside
    mark = blake2b(os.fsencode(source.absolute()), digest_size=4).hexdigest()
    return state_folder / "rejects" / f"{source.name[:60]}-{mark}{SUFFIX}"


def is_rejects_file(path: Path) -> bool:
    """Whether an input is a rejects file, by its name or by its first line."""
    if path.name.endswith(SUFFIX):
        return True
    try:
        with path.open("rb") as file:
            first = file.readline(LONGEST_LINE) if file.read(len(_BEGINS)) == _BEGINS else b""
    except OSError:
        return False  # the reader says what is wrong with it
    return _ERROR in first


def _can_append(path: Path) -> bool:
    if path.is_symlink():
        return False
    if path.exists():
        return path.is_file() and os.access(path, os.R_OK | os.W_OK)
    return os.access(path.parent, os.W_OK | os.X_OK)


SEEN = "CREATE TABLE reject (key BLOB PRIMARY KEY, found INTEGER, met INTEGER) WITHOUT ROWID"
"""The scratch table that the rejects files of a run share: lines found in them, and met again."""

_FOUND = "INSERT INTO reject VALUES (?, 1, 0) ON CONFLICT (key) DO UPDATE SET found = found + 1"
_MET = (
    "INSERT INTO reject VALUES (?, 0, 1) ON CONFLICT (key) DO UPDATE SET met = met + 1"
    " RETURNING found, met"
)


class Rejects:
    """One rejects file, for one input or (`explicit`: named by the user) for all of a run.

    One that is an input itself takes nothing: what fails again stands in it already. Nothing is
    created before the first reject, and it is open only while lines are written: a run may have as
    many as it has inputs.
    """

    def __init__(
        self, path: Path, seen: Connection, *, explicit: bool = False, is_input: bool = False
    ) -> None:
        self.path, self._seen = path, seen
        self._explicit, self._is_input = explicit, is_input
        self._is_loaded = self._has_written = False

    def check(self, others: Sequence[Path] = ()) -> None:
        """Make sure, before the first request, that a file named by the user can be written.

        Leaves nothing behind. Raises ReoError: 73 when it cannot be, or holds something else, 2
        when it is one of `others`.
        """
        if not self._explicit:
            return
        is_new = not os.path.lexists(self.path)
        hint = "name another one with `--rejects FILE`"
        try:
            if any(_is_same(self.path, each) for each in others):
                message = f"`{self.path}` is an input or the ledger: it cannot take the rejects"
                raise ReoError(ExitCode.USAGE, "rejects_is_input", message)
            fd = _opened(self.path)
            try:
                if is_new:  # also a full disk is found so
                    os.write(fd, b"\n")
                elif self.path.is_file() and os.pread(fd, 80, 0).strip()[:1] not in (b"", b"{"):
                    message = f"`{self.path}` is no rejects file, and nothing is added to it"
                    raise ReoError(ExitCode.CANT_CREATE, "rejects_file", message, hint)
            finally:
                os.close(fd)
                if is_new:
                    self.path.unlink()
        except OSError as error:
            raise self._fault(error, ExitCode.CANT_CREATE, hint) from None

    def add(self, rejects: Sequence[Reject]) -> int:
        """Append those that are not in the file yet; returns how many lines were written.

        On return the lines are in the file, and a kill cannot undo that. Raises ReoError 74 when
        the file cannot be written; no cut line of ours is left in it then.
        """
        if not rejects or self._is_input:
            return 0
        with self._open() as fd, on_disk():
            if not self._is_loaded and stat.S_ISREG(os.fstat(fd).st_mode):
                self._load(fd)
            self._is_loaded = True
            fresh = [each.json_line for each in rejects if self._is_new(each)]
            _append(fd, b"".join(fresh))
        self._has_written |= bool(fresh)
        return len(fresh)

    def close(self) -> None:
        """See that what was written is on the disk. Raises ReoError 74."""
        if self._has_written and self.path.is_file():
            with self._open() as fd:
                os.fsync(fd)

    def _load(self, fd: int) -> None:
        """Take in the lines that stand in the file; those of others count for nothing."""
        with open(fd, "rb", closefd=False) as file:
            while line := file.readline(LONGEST_LINE):
                entry = _decoded(line.decode("utf-8", "surrogateescape"))
                if isinstance(entry, dict) and "payload" in entry:
                    error = entry.get("error")
                    source = error.get("file") if isinstance(error, dict) else None
                    key, _ = self._key(source, entry["payload"], entry.get("raw"))
                    self._seen.execute(_FOUND, (key,))

    def _is_new(self, reject: Reject) -> bool:
        """Tell whether a reject still has to be written; each call counts as an occurrence.

        An event is one line. What could not be parsed stands there as often as it occurs in the
        input: the n-th of equal ones is new when the file held fewer than n.
        """
        if reject.payload_json is None:
            key, is_event = self._key(reject.file, None, _cut(reject.raw))
        else:
            key, is_event = self._key(reject.file, _decoded(reject.payload_json), None)
        found, met = self._seen.execute(_MET, (key,)).fetchone()
        return bool(found + met == 1 if is_event else met > found)

    def _key(self, source: Any, payload: Any, raw: Any) -> tuple[bytes, bool]:
        """Return what a line is known by, and whether that is an event's id and content.

        The time counts for nothing beside an id: `now` differs from run to run. An id that stands
        for a record's place says all. Of what has no id, equal records of different inputs are kept
        apart in a file that these share.
        """
        event_id = str(payload.get("event_id") or "") if isinstance(payload, dict) else ""
        is_event = bool(event_id.strip(f"{_NUMBER} "))
        if is_place_id(event_id):
            payload = {}
        elif is_event:
            payload = {k: v for k, v in payload.items() if k not in ("event_id", "event_at")}
        of = event_id.lstrip(_NUMBER) if is_event else [source if self._explicit else None, raw]
        text = json.dumps([str(self.path), of, payload], sort_keys=True)
        return blake2b(text.encode(), digest_size=16).digest(), is_event

    @contextmanager
    def _open(self) -> Iterator[int]:
        """Lend the open file, made if need be."""
        try:
            if not self._explicit:
                make_folder(self.path.parent)
            fd = _opened(self.path)
            try:
                yield fd
            finally:
                os.close(fd)
        except OSError as error:
            hint = "make room or name another one with `--rejects FILE`, then run it again"
            raise self._fault(error, ExitCode.IO, hint) from None

    def _fault(self, error: OSError, code: ExitCode, hint: str) -> ReoError:
        why = "it is a symbolic link" if error.errno == errno.ELOOP else error.strerror
        message = f"cannot write the rejects file `{self.path}`: {why}"
        return ReoError(code, "rejects_not_written", message, hint)


def _is_same(path: Path, other: Path) -> bool:
    """Tell whether two names are of one file, or will be."""
    is_there = path.exists() and other.exists()
    return path.samefile(other) if is_there else path.resolve() == other.resolve()


def _opened(path: Path) -> int:
    """Open a file, or a device such as /dev/null, to append to it; no link is followed."""
    fd = open_private(path, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW)
    mode = os.fstat(fd).st_mode
    if stat.S_ISREG(mode) or stat.S_ISCHR(mode):
        return fd
    os.close(fd)
    raise OSError(errno.EINVAL, "it is not a regular file")


def _append(fd: int, data: bytes) -> None:
    """Append whole lines with one write; when the disk takes only a part, leave no cut line."""
    size = os.fstat(fd).st_size
    if data and size and os.pread(fd, 1, size - 1) != b"\n":
        data = b"\n" + data  # a kill cut the last line of an earlier run
    done = 0
    try:
        while done < len(data):
            done += os.write(fd, data[done:])
    except OSError:
        if done and os.fstat(fd).st_size == size + done:  # nobody else has appended since
            os.ftruncate(fd, size + data.rfind(b"\n", 0, done) + 1)
        raise


def _cut(raw: str) -> str:
    """Return the first `RAW_LIMIT` bytes of a text, less the part of a character at the end."""
    data = raw[:RAW_LIMIT].encode("utf-8", "surrogatepass")[:RAW_LIMIT]
    return codecs.getincrementaldecoder("utf-8")("surrogatepass").decode(data)


_NUMBER = "\0"
"""Stands before the text of a JSON number, which so differs from the same text in quotes."""


def _decoded(text: str) -> Any:
    """Return the JSON value, numbers as text whatever their size; other text as it is."""
    number = _NUMBER.__add__
    try:
        return json.loads(text, parse_int=number, parse_float=number, parse_constant=number)
    except (ValueError, RecursionError):
        return text

"""The rejects file: what was not delivered and why, a JSON line each, to be mended and sent again.

It is only ever appended to, and it is its own memory: what stands in it already is not written a
second time, whichever run wrote it and however that run ended.
"""

import errno
import json
import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from reo_cli.checks.scratch import scratch
from reo_cli.delivery.folders import make_folder, open_private
from reo_cli.delivery.identity import is_place_id
from reo_cli.errors import ExitCode, ReoError
from reo_cli.records import STDIN, Record

if TYPE_CHECKING:
    import sqlite3

SUFFIX = ".reo-rejects"

RAW_LIMIT = 4096
"""Bytes kept of what could not be parsed (design.md, Rejects)."""

NAME_LIMIT = 255
"""Bytes a file's name may have."""

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW

_NAMELESS: int = getattr(os, "O_TMPFILE", 0)  # Linux only


LONGEST_LINE = 16 * 1024 * 1024
"""Bytes of the longest line that can be ours: a record of 1 MiB, every character escaped."""

_SCHEMA = """
CREATE TABLE reject (key BLOB PRIMARY KEY, found INTEGER, met INTEGER) WITHOUT ROWID
"""
_FOUND = "INSERT INTO reject VALUES (?, 1, 0) ON CONFLICT (key) DO UPDATE SET found = found + 1"
_MET = "INSERT INTO reject VALUES (?, 0, 1) ON CONFLICT (key) DO UPDATE SET met = met + 1"


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
    if len(os.fsencode(beside.name)) <= NAME_LIMIT and _can_append(beside):
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
    return _ERROR.encode() in first


_BEGINS = b'{"payload": '
_ERROR = ', "error": {"file": '


def _can_append(path: Path) -> bool:
    if path.is_symlink():
        return False
    if path.exists():
        return path.is_file() and os.access(path, os.R_OK | os.W_OK)
    return os.access(path.parent, os.W_OK | os.X_OK)


class Seen:
    """What stands in the rejects files of a run, so that no line is written twice.

    An event is known by its `event_id` and content: one line. What could not be parsed is known by
    its text, and stands there as often as it occurs in the input: the n-th of equal ones is new
    when the file held fewer than n. All is counted in a scratch database, so memory does not grow.
    """

    def __init__(self) -> None:
        self._database: sqlite3.Connection | None = None

    def load(self, file: BinaryIO, path: Path, by_file: bool) -> None:
        """Take in the lines that stand in the file at `path`; lines of others count for nothing.

        `by_file` keeps equal records of different inputs apart.
        """
        self._opened().executemany(_FOUND, ((key,) for key in _keys(file, path, by_file)))

    def is_new(self, reject: Reject, path: Path, by_file: bool) -> bool:
        """Whether this reject still has to be written; each call counts as an occurrence."""
        payload = None if reject.payload_json is None else _decoded(reject.payload_json)
        place = [str(path), reject.file if by_file else None]
        key, is_event = _key(place, payload, _cut(reject.raw))
        database = self._opened()
        row = database.execute("SELECT found, met FROM reject WHERE key = ?", (key,)).fetchone()
        found, met = row or (0, 0)
        database.execute(_MET, (key,))
        return not (found or met) if is_event else met >= found

    def _opened(self) -> "sqlite3.Connection":
        if self._database is None:
            self._database = scratch(_SCHEMA)
        return self._database

    def close(self) -> None:
        """Drop all that is known."""
        if self._database is not None:
            self._database.close()


class Rejects:
    """One rejects file, for one input or (`explicit`: named by the user) for all of a run.

    One that is an input itself takes nothing: what fails again stands in it already.

    Nothing is created before the first reject, and it is open only while lines are written: a run
    may have as many as it has inputs.
    """

    def __init__(
        self,
        path: Path,
        seen: Seen | None = None,
        *,
        explicit: bool = False,
        is_input: bool = False,
    ) -> None:
        self.path = path
        self._is_input = is_input
        self._explicit = explicit
        self._seen = seen or Seen()
        self._written: bool | None = None
        """Whether this run has written to it; None while what stands in it is not known."""

    def check(self, others: Sequence[Path] = ()) -> None:
        """Make sure, before the first request, that a file named by the user can be written.

        Leaves nothing behind. Raises ReoError: 73 when it cannot be, 2 when it is one of `others`.
        """
        if not self._explicit:
            return
        if any(self.path.resolve() == each.resolve() for each in others):
            raise self._taken()
        try:
            if self.path.is_symlink() or self.path.exists():
                os.close(_checked(os.open(self.path, _FLAGS | os.O_NONBLOCK | os.O_CLOEXEC)))
                if any(self.path.samefile(each) for each in others if each.exists()):
                    raise self._taken()
            else:
                _probe(self.path)
        except OSError as error:
            raise self._fault(error, ExitCode.CANT_CREATE) from None

    def add(self, rejects: Sequence[Reject]) -> int:
        """Append those that are not in the file yet; returns how many lines were written.

        On return the lines are in the file, and a kill cannot undo that. Raises ReoError 74 when
        the file cannot be written; no cut line of ours is left in it then.
        """
        import sqlite3

        if not rejects or self._is_input:
            return 0
        try:
            with self._open() as fd:
                is_new, where = self._seen.is_new, (self.path, self._explicit)
                fresh = [_line(each) for each in rejects if is_new(each, *where)]
                _append(fd, b"".join(fresh))
        except OSError as error:
            raise self._fault(error, ExitCode.IO) from None
        except sqlite3.Error as error:
            raise ReoError(
                ExitCode.IO,
                "scratch_failed",
                f"counting what stands in `{self.path}` failed: {error}",
                "make room in the folder for temporary files (TMPDIR), then run it again",
            ) from None
        self._written = self._written or bool(fresh)
        return len(fresh)

    def close(self) -> None:
        """See that what was written is on the disk. Raises ReoError 74."""
        try:
            if self._written and self.path.is_file():
                with self._open() as fd:
                    os.fsync(fd)
        except OSError as error:
            raise self._fault(error, ExitCode.IO) from None

    @contextmanager
    def _open(self) -> Iterator[int]:
        """Lend the open file, made if need be, once what stands in it is known."""
        if not self._explicit:
            make_folder(self.path.parent)
        fd = _checked(open_private(self.path, _FLAGS))
        try:
            if self._written is None:
                if stat.S_ISREG(os.fstat(fd).st_mode):
                    with open(fd, "rb", closefd=False) as file:
                        self._seen.load(file, self.path, self._explicit)
                self._written = False
            yield fd
        finally:
            os.close(fd)

    def _taken(self) -> ReoError:
        message = f"`{self.path}` is an input or the ledger: it cannot take the rejects"
        return ReoError(ExitCode.USAGE, "rejects_is_input", message)

    def _fault(self, error: OSError, code: ExitCode) -> ReoError:
        why = "it is a symbolic link" if error.errno == errno.ELOOP else error.strerror
        return ReoError(
            code,
            "rejects_not_written",
            f"cannot write the rejects file `{self.path}`: {why}",
            "name another one with `--rejects FILE`"
            if code is ExitCode.CANT_CREATE
            else "make room or name another one with `--rejects FILE`, then run it again",
        )


def _checked(fd: int) -> int:
    """Return `fd` if it is a file, or a device such as /dev/null; else close it, raise OSError."""
    mode = os.fstat(fd).st_mode
    if stat.S_ISREG(mode) or stat.S_ISCHR(mode):
        return fd
    os.close(fd)
    raise OSError(errno.EINVAL, "it is not a regular file")


def _probe(path: Path) -> None:
    """Raise OSError unless a file can be made and written at `path`; leaves nothing there."""
    flags = os.O_WRONLY | os.O_CLOEXEC
    try:
        fd = os.open(path.parent, flags | _NAMELESS, 0o600)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
            raise
        fd = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)  # no nameless files there
        path.unlink()
    try:
        os.write(fd, b"\n")
    finally:
        os.close(fd)


def _append(fd: int, data: bytes) -> None:
    """Append whole lines with one write; when the disk takes only a part, leave no cut line."""
    if not data:
        return
    size = os.fstat(fd).st_size
    if size and os.pread(fd, 1, size - 1) != b"\n":
        data = b"\n" + data  # a kill cut the last line of an earlier run
    done = 0
    try:
        while done < len(data):
            done += os.write(fd, data[done:])
    except OSError:
        if done and os.fstat(fd).st_size == size + done:  # nobody else has appended since
            os.ftruncate(fd, size + data.rfind(b"\n", 0, done) + 1)
        raise


def _line(reject: Reject) -> bytes:
    error = json.dumps(
        {
            "file": reject.file,
            "line": reject.line,
            "record": reject.record,
            "status": reject.status,
            "reason": reject.reason,
        }
    )
    if reject.payload_json is None:
        raw = json.dumps(_cut(reject.raw))
        return f'{{"payload": null, "raw": {raw}, "error": {error}}}\n'.encode()
    payload = _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", reject.payload_json)
    payload = payload.replace("\r", " ").replace("\n", " ")
    derived = f', "derived": "{reject.derived}"' if reject.derived else ""
    return f'{{"payload": {payload}, "error": {error}{derived}}}\n'.encode()


_SURROGATE = re.compile("[\ud800-\udfff]")
"""Characters that UTF-8 cannot hold: they become escapes."""


def _cut(raw: str) -> str:
    """Return the first `RAW_LIMIT` bytes of a text, less the part of a character at the end."""
    if len(raw) * 4 <= RAW_LIMIT:
        return raw
    data = raw[:RAW_LIMIT].encode("utf-8", "surrogatepass")
    end = min(RAW_LIMIT, len(data))
    while end < len(data) and data[end] & 0xC0 == 0x80:
        end -= 1
    return data[:end].decode("utf-8", "surrogatepass")


def _keys(file: BinaryIO, path: Path, by_file: bool) -> Iterator[bytes]:
    while line := file.readline(LONGEST_LINE):
        entry = _decoded(line.decode("utf-8", "surrogateescape"))
        if isinstance(entry, dict) and "payload" in entry:
            error = entry.get("error")
            name = str(error.get("file")) if by_file and isinstance(error, dict) else None
            yield _key([str(path), name], entry["payload"], str(entry.get("raw", "")))[0]


def _key(place: Sequence[str | None], payload: Any, raw: str) -> tuple[bytes, bool]:
    """Return what a reject is known by, and whether that is an `event_id`.

    `place` is the rejects file, and the input where that counts. The time counts for nothing beside
    an id: `now` differs from run to run. An id that stands for a record's place says all.
    """
    event_id = payload.get("event_id") if isinstance(payload, dict) else None
    if isinstance(event_id, str) and event_id.strip(f"{_NUMBER} "):
        said = {k: v for k, v in payload.items() if k not in ("event_id", "event_at")}
        said = {} if is_place_id(event_id) else said
        return _digest([place[0], event_id.lstrip(_NUMBER), said]), True
    return _digest([*place, payload, raw if payload is None else None]), False


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

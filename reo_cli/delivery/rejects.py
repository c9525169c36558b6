"""The rejects file: what was not delivered and why, a JSON line each, to be mended and sent again.

It is only ever appended to, and it is its own memory: what stands in it already is not written a
second time, whichever run wrote it and however that run ended.
"""

import errno
import json
import os
import re
import stat
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from reo_cli.delivery.folders import make_folder, open_private
from reo_cli.errors import ExitCode, ReoError
from reo_cli.records import STDIN

if TYPE_CHECKING:
    from reo_cli.delivery.rejects_seen import Seen

SUFFIX = ".reo-rejects"

RAW_LIMIT = 4096
"""Bytes kept of what could not be parsed (design.md, Rejects)."""

NAME_LIMIT = 255
"""Bytes a file's name may have."""

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW

_NAMELESS: int = getattr(os, "O_TMPFILE", 0)  # Linux only


@dataclass(frozen=True, slots=True)
class Reject:
    """One record that was not delivered.

    `payload_json` is the payload as JSON text, with the `event_id` it has or was sent under; None
    when the record could not be parsed: `raw` then is the text it was read from. `status` is the
    HTTP status or None; `line` and `record` count from 1.
    """

    file: str
    line: int
    record: int
    status: int | None
    reason: str
    payload_json: str | None = None
    raw: str = ""


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


def _can_append(path: Path) -> bool:
    if path.is_symlink():
        return False
    if path.exists():
        return path.is_file() and os.access(path, os.R_OK | os.W_OK)
    return os.access(path.parent, os.W_OK | os.X_OK)


class Rejects:
    """One rejects file, for one input or (`explicit`: named by the user) for all of a run.

    Nothing is created before the first reject. Threads may share it: each call waits its turn.
    """

    def __init__(self, path: Path, *, explicit: bool = False) -> None:
        self.path = path
        self.used = False
        """Whether this run had anything for it, written now or there already."""
        self._explicit = explicit
        self._turn = threading.Lock()
        self._fd = -1
        self._seen: Seen | None = None

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

        if not rejects:
            return 0
        with self._turn:
            self.used = True
            try:
                seen = self._seen or self._open()
                fresh = [
                    _line(each)
                    for each in rejects
                    if seen.is_new(each.payload_json, _cut(each.raw), each.file)
                ]
                _append(self._fd, b"".join(fresh))
            except OSError as error:
                raise self._fault(error, ExitCode.IO) from None
            except sqlite3.Error as error:
                raise ReoError(
                    ExitCode.IO,
                    "scratch_failed",
                    f"counting what stands in `{self.path}` failed: {error}",
                    "make room in the folder for temporary files (TMPDIR), then run it again",
                ) from None
        return len(fresh)

    def close(self) -> None:
        """Close the file once its lines are on the disk. Raises ReoError 74."""
        with self._turn:
            fd, self._fd = self._fd, -1
            if self._seen is not None:
                self._seen.close()
                self._seen = None
            if fd < 0:
                return
            try:
                if stat.S_ISREG(os.fstat(fd).st_mode):
                    os.fsync(fd)
            except OSError as error:
                raise self._fault(error, ExitCode.IO) from None
            finally:
                os.close(fd)

    def _open(self) -> "Seen":
        """Open or create the file, and read what stands in it."""
        from reo_cli.delivery.rejects_seen import Seen

        if not self._explicit:
            make_folder(self.path.parent)
        if self._fd < 0:
            self._fd = _checked(open_private(self.path, _FLAGS))
        seen = Seen(by_file=self._explicit)
        if stat.S_ISREG(os.fstat(self._fd).st_mode):
            with open(self._fd, "rb", closefd=False) as file:
                seen.load(file)
        self._seen = seen
        return seen

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
    return f'{{"payload": {payload}, "error": {error}}}\n'.encode()


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

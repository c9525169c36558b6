"""Inputs as bytes: opened once and read as they come, never twice and never kept.

A regular file must stay as it was when it was opened; a pipe can be read only once.
"""

import contextlib
import errno
import itertools
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from reo_cli.errors import ExitCode, ReoError
from reo_cli.readers.options import ReadOptions
from reo_cli.records import STDIN, Issue, Record

BLOCK = 64 * 1024
"""Bytes asked for at a time."""

_STDIN_PATHS = ("/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")
"""Names of standard input: opened anew, a redirected file would be read from its start again."""


class Stopped(Exception):
    """Reading was stopped by another thread: the run ends before the input does."""


class Source:
    """An input. `streamed` means that it can be read only once (stdin, a FIFO).

    A regular file that was closed is opened again to be read: a run may have more of them than
    descriptors.

    `guarded` makes every read look whether the file has changed since it was opened, `stop` makes
    it raise `Stopped`; another thread may call it.
    """

    def __init__(
        self,
        name: str,
        path: str,
        file: BinaryIO,
        streamed: bool,
        snapshot: tuple[int, ...] = (),
    ) -> None:
        self.name = name
        self.path = path
        self.file = file
        self.streamed = streamed
        self.snapshot = snapshot
        self.ended = False
        """Whether it was read to its end."""
        self.taken = 0
        """Bytes read since its start."""
        self.guarded = False
        self._stopped = False

    def records(self, options: ReadOptions) -> Iterator[Record | Issue] | None:  # noqa: ARG002
        """Return its records where they are none of bytes; None: they are to be read."""
        return None

    def rewind(self) -> None:
        """Go back to the start of a regular file, opened again if need be; ReoError 74."""
        try:
            if self.file.closed:
                self.file = cast(BinaryIO, open(self.path, "rb"))  # noqa: PTH123, SIM115
            self.file.seek(0)
            self.taken = 0
        except OSError as fault:
            raise _read_error(self.name, fault) from fault

    def verify_unchanged(self) -> None:
        """Raise ReoError 74 when a regular file is not as it was when it was opened."""
        if not self.streamed and snapshot(os.fstat(self.file.fileno())) != self.snapshot:
            raise ReoError(
                ExitCode.IO,
                "input_changed",
                f"`{self.name}` changed while it was being read",
                "wait until whatever writes it is done, then run the same command again",
            )

    def read(self, size: int = BLOCK) -> bytes:
        """Return at most `size` bytes as soon as there are some, `b""` at the end.

        Raises ReoError 74 for a read that fails, and `Stopped`.
        """
        if self._stopped:
            raise Stopped
        if self.streamed and self.ended:  # a terminal would wait for a second Ctrl-D
            return b""
        try:
            data: bytes = self.file.read1(size)  # type: ignore[attr-defined]
        except OSError as fault:
            raise _read_error(self.name, fault) from fault
        if self.guarded:
            self.verify_unchanged()
        self.ended = not data
        self.taken += len(data)
        return data

    def stop(self) -> None:
        """Read no more; what waits in the pipe stays there."""
        self._stopped = True

    def close(self) -> None:
        """Close a regular file; a pipe stays open, as its reader may be waiting in it for data."""
        if not self.streamed:
            self.file.close()


def share_read(sources: Iterable[Source]) -> float | None:
    """Return how much of the bytes of inputs was read, from 0 to 1; None for streams."""
    known = [(each.taken, each.snapshot[2]) for each in sources if not each.streamed]
    taken, sizes = (sum(column) for column in zip(*known, strict=True)) if known else (0, 0)
    return min(1.0, taken / sizes) if sizes else None


def open_source(name: str) -> Source:
    """Open an input by the name the user gave; ReoError 66 when that fails."""
    if name == STDIN or name in _STDIN_PATHS:
        return _open_stdin(name)
    try:
        file = cast(BinaryIO, open(name, "rb"))  # noqa: PTH123, SIM115 - closed by the caller
        status = os.fstat(file.fileno())
    except (OSError, ValueError) as fault:
        why = getattr(fault, "strerror", "") or str(fault)
        message = f"cannot read `{name}`: {why.lower()}"
        raise ReoError(ExitCode.NO_INPUT, "no_input", message, _way_out(name, fault)) from fault
    streamed = not stat.S_ISREG(status.st_mode)
    return Source(name, name, file, streamed, () if streamed else snapshot(status))


def _open_stdin(name: str) -> Source:
    try:
        if sys.__stdin__ is None:  # the first file that was opened has its number by now
            raise OSError(errno.EBADF, "")
        file = cast(BinaryIO, os.fdopen(os.dup(0), "rb"))
    except OSError as fault:
        message, hint = (
            "standard input is closed",
            "`-` reads from a pipe: COMMAND | reo send-file -",
        )
        if isinstance(fault, IsADirectoryError):
            message, hint = "standard input is a directory", "name the files in it"
        raise ReoError(ExitCode.NO_INPUT, "no_stdin", message, hint) from fault
    return Source(name, STDIN, file, streamed=True)


def snapshot(status: os.stat_result) -> tuple[int, ...]:
    """Return what changes when a file does."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _way_out(name: str, fault: Exception) -> str:
    """Return what to do about an input that cannot be opened."""
    if isinstance(fault, IsADirectoryError):
        return f"name the files in it, such as {name.rstrip('/')}/*.csv"
    if isinstance(fault, PermissionError):
        return "make it readable for the user that runs reo"
    if not name.strip():
        return "a variable in the command is empty"
    import difflib

    path = Path(name)
    with contextlib.suppress(OSError, ValueError):
        others = [each.name for each in itertools.islice(path.parent.iterdir(), 1000)]
        for near in difflib.get_close_matches(path.name, others, 1, 0.8):
            return f"did you mean `{path.with_name(near)}`?"
    with contextlib.suppress(OSError):  # the folder may have been removed
        return f"check the path; the working folder is `{Path.cwd()}`"
    return "check the path"


def _read_error(name: str, fault: OSError) -> ReoError:
    """Return the error for a read that failed on the way."""
    why = (fault.strerror or str(fault)).lower()
    hint = "run the same command again to resume"
    return ReoError(ExitCode.IO, "read_failed", f"reading `{name}` failed: {why}", hint)

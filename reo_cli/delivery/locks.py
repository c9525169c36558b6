"""Locks: one run at a time for an input, and none left behind however a run ends.

Each input is locked by a `flock` on itself, and by a byte of one lock file of the user's, which
costs a run one descriptor however many inputs it has. The kernel frees both with the process. A run
holds all its locks or none.
"""

import fcntl
import os
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from stat import S_ISREG
from typing import NamedTuple

from reo_cli.delivery.folders import make_folder, open_private
from reo_cli.errors import ExitCode, ReoError

PAUSE = 0.05
"""Seconds between two looks at a lock that another run holds."""

TRIES = 5
"""Times to start over when an input was replaced meanwhile; some file systems keep no inode."""

FILE = "locks"
"""The name of the lock file: a byte of it, by a digest, stands for an input, a share or a name."""

_FLOCK = "qqihh" if sys.platform == "darwin" else "hhqqi"
"""The system's `struct flock`, to ask who holds a lock."""


class _Target(NamedTuple):
    """What is to be locked: the file itself, if `inode` names one, and the byte `offset`.

    A `shared` lock keeps out runs over the whole input, but not those over another share of it.
    """

    shown: str
    offset: int
    path: Path | None = None
    inode: tuple[int, int] | None = None
    shared: bool = False


class _Held(Exception):
    """Another process, called `holder`, holds a lock."""

    def __init__(self, target: _Target, holder: str = "another process") -> None:
        super().__init__()
        self.shown = target.shown
        self.holder = holder


class _Moved(Exception):
    """Another file has taken the place of the one that was to be locked."""


@contextmanager
def lock(
    inputs: Sequence[Path],
    *,
    folder: Path,
    clock: Callable[[], float],
    sleep: Callable[[float], object],
    name: str | None = None,
    share: str | None = None,
    wait: float = 0.0,
) -> Iterator[None]:
    """Hold the locks of `inputs`, and the one called `name`, for the time of the `with` block.

    With a `share` such as `1/4`, runs over other shares may go on at the same time. `folder` takes
    the lock file. `wait` is how many seconds (on `clock`) to wait for another run; `sleep` may
    raise to give up earlier. An input that is missing or no regular file has no lock. Raises
    ReoError: 75 when another run holds one of them, 73 when an input can be locked in neither way.
    """
    deadline = clock() + wait
    while True:
        try:
            held = _take_all(inputs, folder, name, share)
            break
        except _Held as other:
            left = deadline - clock()
            if left <= 0:
                raise _busy(other, wait) from None
        sleep(min(PAUSE, left))
    try:
        yield
    finally:
        _release(held)


def _take_all(
    inputs: Sequence[Path], folder: Path, name: str | None, share: str | None
) -> list[int]:
    """Take all locks at once, or none, and return their descriptors.

    Raises _Held and ReoError 73.
    """
    held: list[int] = []
    for attempt in range(TRIES):
        try:
            targets = _targets(inputs, name, share)
            if targets:
                _take(targets, folder, held, settled=attempt == TRIES - 1)
            break
        except _Moved:
            _release(held)
        except BaseException:
            _release(held)
            raise
    return held


def _release(held: list[int]) -> None:
    while held:
        os.close(held.pop())


def _targets(inputs: Sequence[Path], name: str | None, share: str | None) -> list[_Target]:
    """Return what is to be locked, each file once, however often and by whatever name it is given.

    Inputs come in the order of their inodes, so that two runs cannot wait for each other.
    """
    files: dict[tuple[int, int], Path] = {}
    for path in inputs:
        try:
            status = path.stat()
        except OSError:
            continue  # the reader says what is wrong with it
        if S_ISREG(status.st_mode):
            files.setdefault((status.st_dev, status.st_ino), path)
    targets = []
    for inode, path in sorted(files.items()):
        shown = f"`{path}`"
        targets.append(_Target(shown, _offset(*inode), path, inode, share is not None))
        if share is not None:
            targets.append(_Target(f"share {share} of {shown}", _offset(*inode, share)))
    if name is not None:
        targets.append(_Target(f"the lock `{name}`", _offset(name)))
    return targets


def _offset(*words: object) -> int:
    text = "\0".join(map(str, words)).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest()) >> 2  # an offset has 63 bits


def _take(targets: Sequence[_Target], folder: Path, held: list[int], *, settled: bool) -> None:
    """Lock all targets; what is opened for it is appended to `held` at once.

    Raises _Held, ReoError 73, and _Moved unless `settled`.
    """
    fault = _take_bytes(targets, folder, held)
    spare = _spare_descriptors()
    for target in targets:
        locked = target.path is not None and len(held) < spare and _take_itself(target, held)
        if fault is not None and not locked:
            raise ReoError(
                ExitCode.CANT_CREATE,
                "no_lock",
                f"cannot lock {target.shown}: the lock file `{folder / FILE}` {fault}",
                "make the folder of reo's state writable, or allow more open files (ulimit -n)",
            )
        if target.inode and not settled and _inode_at(target.path) != target.inode:
            raise _Moved


def _take_bytes(targets: Sequence[_Target], folder: Path, held: list[int]) -> str | None:
    """Lock each target's byte of the lock file; returns why that cannot be. Raises _Held."""
    try:
        make_folder(folder)
        held.append(open_private(folder / FILE, os.O_RDWR | os.O_NOFOLLOW))
        for target in targets:
            how = fcntl.LOCK_SH if target.shared else fcntl.LOCK_EX
            try:
                fcntl.lockf(held[-1], how | fcntl.LOCK_NB, 1, target.offset)
            except (BlockingIOError, PermissionError):
                raise _Held(target, _holder(held[-1], target.offset)) from None
    except OSError as error:
        return f"cannot be used: {error.strerror or error}"
    return None


def _take_itself(target: _Target, held: list[int]) -> bool:
    """Lock an input itself; False where it cannot be opened or has no such locks. Raises _Held."""
    try:
        fd = os.open(str(target.path), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return False
    held.append(fd)
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if target.shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _Held(target) from None
    except OSError:
        return False
    return True


def _spare_descriptors() -> int:
    """Return how many descriptors locks may take: a quarter of what the process may have."""
    import resource

    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return limit // 4 if limit != resource.RLIM_INFINITY else 2**31


def _inode_at(path: Path | None) -> tuple[int, int] | None:
    try:
        status = path.stat() if path else None
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if status else None


def _holder(fd: int, offset: int) -> str:
    """Return the process that holds a byte of the lock file, as the kernel tells it."""
    at = (offset, 1, 0, fcntl.F_WRLCK, os.SEEK_SET)
    if sys.platform != "darwin":
        at = (fcntl.F_WRLCK, os.SEEK_SET, offset, 1, 0)
    try:
        found = struct.unpack(_FLOCK, fcntl.fcntl(fd, fcntl.F_GETLK, struct.pack(_FLOCK, *at)))
    except OSError:
        return "another process"
    process = found[2] if sys.platform == "darwin" else found[4]
    return f"process {process}" if process > 0 else "another process"


def _busy(held: _Held, wait: float) -> ReoError:
    waited = f", after {wait:g} s still" if wait else ""
    return ReoError(
        ExitCode.TRY_LATER,
        "locked",
        f"{held.shown} is locked by another run{waited}: {held.holder}",
        "try again when it is done" + ("" if wait else ", or wait for it with `--wait SECONDS`"),
    )

"""Locks: one run at a time for an input, and none left behind however a run ends.

Each lock is a `flock`, which the kernel frees with the process: on the input itself, or where that
cannot be, on a lock file in a folder of reo's. A run holds all its locks or none.
"""

import fcntl
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from reo_cli.delivery.folders import make_folder, open_private
from reo_cli.errors import ExitCode, ReoError

PAUSE = 0.05
"""Seconds between two looks at a lock that another run holds."""

TRIES = 5
"""Times to start over when an input was replaced meanwhile; some file systems keep no inode."""

PROCESSES = Path("/proc")
"""Where the kernel tells who holds a lock; elsewhere the holder stays unnamed."""


@dataclass(frozen=True, slots=True)
class _Target:
    """What is to be locked; `inode` (with its device) is None for a lock that has only a name.

    A `shared` lock keeps out runs over the whole input, but not those over another share of it.
    """

    path: Path
    shown: str
    inode: tuple[int, int] | None = None
    shared: bool = False


class _Held(Exception):
    """Another process holds the lock on the file with this inode."""

    def __init__(self, target: _Target, device: int, inode: int) -> None:
        super().__init__()
        self.target = target
        self.device = device
        self.inode = inode


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
    lock files where they are needed. `wait` is how many seconds (on `clock`) to wait for another
    run; `sleep` may raise to give up earlier. An input that is missing or no regular file has no
    lock. Raises ReoError: 75 when another run holds one of them, 73 when a lock file cannot be
    made.
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
    """Take all locks at once, or none, in an order that is the same in every run.

    Raises _Held and ReoError 73.
    """
    held: list[int] = []
    for attempt in range(TRIES):
        try:
            for target in _targets(inputs, folder, name, share):
                fd = _take(target, folder, settled=attempt == TRIES - 1)
                held += [] if fd is None else [fd]
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


def _targets(
    inputs: Sequence[Path], folder: Path, name: str | None, share: str | None
) -> list[_Target]:
    """Return what is to be locked, each file once, however often and by whatever name it is given.

    Named locks come last, inputs in the order of their inodes.
    """
    found: dict[tuple[int, int], _Target] = {}
    for path in inputs:
        try:
            status = path.stat()
        except OSError:
            continue  # the reader says what is wrong with it
        if stat.S_ISREG(status.st_mode):
            inode = (status.st_dev, status.st_ino)
            found.setdefault(inode, _Target(path, f"`{path}`", inode, share is not None))
    targets = [found[inode] for inode in sorted(found)]
    if share is not None:
        part = share.replace("/", "-of-")
        targets += [
            _Target(
                folder / f"input-{device:x}-{inode:x}-{part}.lock", f"share {share} of `{path}`"
            )
            for (device, inode), path in sorted((key, found[key].path) for key in found)
        ]
    if name is not None:
        mark = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
        file = f"{re.sub('[^A-Za-z0-9._-]+', '_', name)[:60]}-{mark}.lock"
        targets.append(_Target(folder / file, f"the lock `{name}`"))
    return targets


def _take(target: _Target, folder: Path, *, settled: bool) -> int | None:
    """Lock one target and return its descriptor; None for an input that cannot be opened.

    Raises _Held, ReoError 73, and _Moved unless `settled`.
    """
    if target.inode is None:
        return _take_file(target, target.path)
    try:
        fd = os.open(target.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return None  # as above
    if not _flock(fd, target):
        os.close(fd)
        device, inode = target.inode
        return _take_file(target, folder / f"input-{device:x}-{inode:x}.lock")
    if not settled and not (_inode(os.fstat(fd)) == _inode_at(target.path) == target.inode):
        os.close(fd)
        raise _Moved
    return fd


def _take_file(target: _Target, path: Path) -> int:
    try:
        make_folder(path.parent)
        fd = open_private(path, os.O_RDWR | os.O_NOFOLLOW)
        if _flock(fd, target):
            return fd
        os.close(fd)
        why = "the file system has no locks"
    except OSError as error:
        why = error.strerror or str(error)
    raise ReoError(
        ExitCode.CANT_CREATE,
        "no_lock",
        f"cannot lock {target.shown} with `{path}`: {why}",
        "name a ledger in a local folder that you can write to with `--ledger PATH`",
    )


def _flock(fd: int, target: _Target) -> bool:
    """Lock an open file; False where its file system has no such locks. Raises _Held."""
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if target.shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        status = os.fstat(fd)
        os.close(fd)
        raise _Held(target, *_inode(status)) from None
    except OSError:
        return False
    return True


def _inode(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _inode_at(path: Path) -> tuple[int, int] | None:
    try:
        return _inode(path.stat())
    except OSError:
        return None


def _busy(held: _Held, wait: float) -> ReoError:
    holder = _holder(held.device, held.inode) or "another process"
    waited = f", after {wait:g} s still" if wait else ""
    return ReoError(
        ExitCode.TRY_LATER,
        "locked",
        f"{held.target.shown} is locked by another run{waited}: {holder}",
        "try again when it is done" + ("" if wait else ", or wait for it with `--wait SECONDS`"),
    )


def _holder(device: int, inode: int) -> str:
    """Return the process that holds a flock on a file, as far as the system tells, or empty."""
    try:
        table = (PROCESSES / "locks").read_text()
    except OSError:
        return ""
    number = f"{os.major(device):02x}:{os.minor(device):02x}:{inode}"
    for line in table.splitlines():
        words = line.split()
        # 1: FLOCK  ADVISORY  WRITE 1234 fe:00:12345 0 EOF    ("->" before FLOCK: it only waits)
        if len(words) < 6 or words[1] != "FLOCK" or not words[5].endswith(f":{inode}"):
            continue
        # btrfs and some others show another device number there than `stat` does
        if words[5] == number or _has_open(words[4], (device, inode)):
            return _described(words[4]) if words[4].isdecimal() else ""
    return ""


def _has_open(process: str, inode: tuple[int, int]) -> bool:
    try:
        return any(_inode_at(fd) == inode for fd in (PROCESSES / process / "fd").iterdir())
    except OSError:
        return False


def _described(process: str) -> str:
    """Return "process 1234 (`reo send-file usage.csv`)".

    The arguments are shown for reo only: those of other programs may hold a key.
    """
    from reo_cli.text import visible

    try:
        line = (PROCESSES / process / "cmdline").read_bytes().split(b"\0")[:-1]
    except OSError:
        line = []
    if not line:
        return f"process {process}"
    words = [os.fsdecode(each) for each in line]
    program, rest = Path(words[0]).name, words[1:]
    if program.startswith("python"):
        rest = ["reo", *rest[2:]] if rest[:2] == ["-m", "reo_cli"] else rest
        script = Path(rest[0]).name if rest else "-"
        program, rest = (program, []) if script.startswith("-") else (script, rest[1:])
    shown = " ".join([program, *rest]) if program in ("reo", "reo-cli") else program
    return f"process {process} (`{visible(shown, 120)}`)"

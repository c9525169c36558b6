"""Locks: one run at a time for an input, and none left behind however a run ends.

Each input is locked by a `flock` on itself, and by a byte of one lock file of the user's, which
costs a run one descriptor however many inputs it has. The kernel frees both with the process. A run
holds all its locks or none.
"""

import fcntl
import os
import struct
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from hashlib import blake2b
from pathlib import Path
from stat import S_ISREG
from typing import NamedTuple

from reo_cli.delivery.folders import open_private
from reo_cli.errors import ExitCode, ReoError
from reo_cli.settings.files import make_folder

PAUSE = 0.05
"""Seconds between two looks at a lock that another run holds."""

FILE = "locks"
"""The name of the lock file: a byte of it, by a digest, stands for an input, a share or a name."""


class _Target(NamedTuple):
    """What is to be locked: the byte `offset`, and the input at `path` itself, if it is one.

    A `shared` lock keeps out runs over the whole input, but not those over another share of it.
    """

    shown: str
    offset: int
    path: Path | None = None
    shared: bool = False

    @property
    def how(self) -> int:
        """The operation that locks it, or fails at once."""
        return fcntl.LOCK_NB | (fcntl.LOCK_SH if self.shared else fcntl.LOCK_EX)


class _Held(Exception):
    """Another process holds a lock."""

    def __init__(self, target: _Target, holder: str = "another process") -> None:
        super().__init__(target, holder)
        self.shown, self.holder = target.shown, holder


@contextmanager
def lock(
    inputs: Sequence[Path],
    *,
    folder: Path,
    name: str | None = None,
    share: object = None,
    wait: float = 0.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
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
            with ExitStack() as held:
                _take(_targets(inputs, name, share), folder, held)
                all_held = held.pop_all()
            break
        except _Held as other:
            left = deadline - clock()
            if left <= 0:
                waited = f", after {wait:g} s still" if wait else ""
                message = f"{other.shown} is locked by another run{waited}: {other.holder}"
                way_out = "" if wait else ", or wait for it with `--wait SECONDS`"
                hint = f"try again when it is done{way_out}"
                raise ReoError(ExitCode.TRY_LATER, "locked", message, hint) from None
        sleep(min(PAUSE, left))
    with all_held:
        yield


def _targets(inputs: Sequence[Path], name: str | None, share: object) -> list[_Target]:
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
        targets.append(_Target(f"`{path}`", _offset(*inode), path, share is not None))
        if share is not None:
            targets.append(_Target(f"share {share} of `{path}`", _offset(*inode, share)))
    if name is not None:
        targets.append(_Target(f"the lock `{name}`", _offset(name)))
    return targets


def _offset(*words: object) -> int:
    text = "\0".join(map(str, words)).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest()) >> 2  # an offset has 63 bits


def _take(targets: Sequence[_Target], folder: Path, held: ExitStack) -> None:
    """Lock all targets until `held` is closed; raises _Held and ReoError 73."""
    import resource

    if not targets:
        return
    fault = _lock_bytes(targets, folder, held)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    spare = limit // 4 if limit != resource.RLIM_INFINITY else len(targets)
    for number, target in enumerate(targets):
        locked = number < spare and _lock_itself(target, held)
        if fault is not None and not locked:
            raise ReoError(
                ExitCode.CANT_CREATE,
                "no_lock",
                f"cannot lock {target.shown}: the lock file `{folder / FILE}` {fault}",
                "make the folder of reo's state writable, or allow more open files (ulimit -n)",
            )


def _lock_bytes(targets: Sequence[_Target], folder: Path, held: ExitStack) -> str | None:
    """Lock each target's byte of the lock file; returns why that cannot be. Raises _Held."""
    try:
        make_folder(folder)
        fd = open_private(folder / FILE, os.O_RDWR | os.O_NOFOLLOW)
        held.callback(os.close, fd)
        for target in targets:
            try:
                fcntl.lockf(fd, target.how, 1, target.offset)
            except (BlockingIOError, PermissionError):
                raise _Held(target, _holder(fd, target.offset)) from None
    except OSError as error:
        return f"cannot be used: {error.strerror or error}"
    return None


def _lock_itself(target: _Target, held: ExitStack) -> bool:
    """Lock an input itself; False where it cannot be opened or has no such locks. Raises _Held."""
    if target.path is None:
        return False
    try:
        fd = os.open(target.path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        held.callback(os.close, fd)
        fcntl.flock(fd, target.how)
    except BlockingIOError:
        raise _Held(target) from None
    except OSError:
        return False
    return True


def _holder(fd: int, offset: int) -> str:
    """Return the process that holds a byte of the lock file, as the kernel tells it."""
    on_mac = sys.platform == "darwin"
    layout = "qqihh" if on_mac else "hhqqi"  # of the system's `struct flock`
    values = (offset, 1, 0, fcntl.F_WRLCK, 0) if on_mac else (fcntl.F_WRLCK, 0, offset, 1, 0)
    try:
        found = fcntl.fcntl(fd, fcntl.F_GETLK, struct.pack(layout, *values))
    except OSError:
        return "another process"
    process = struct.unpack(layout, found)[2 if on_mac else 4]
    return f"process {process}" if process > 0 else "another process"

"""Folders and files of reo's own: made private, and a local disk told from a shared one.

Shared by everything here that keeps files: the ledger, the rejects files and the locks.
"""

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from reo_cli.errors import ExitCode, ReoError

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory

OPEN_FILES = 4096
"""Descriptors that a run may want: for its connections, and to lock each of its inputs itself."""

MOUNTS = Path("/proc/self/mountinfo")

_SHARED = re.compile(
    r"nfs\d*|cifs|smb\w*|9p|afs|coda|ncp\w*|ceph|lustre|gfs2?|ocfs2|beegfs\w*|glusterfs|orangefs"
    r"|pvfs2|gpfs|davfs\d*|virtiofs|vboxsf|vmhgfs|prl_fs|drvfs|fakeowner|fuse|fuse\..*"
)
_LOCAL_FUSE = frozenset(
    "fuse.fuse-overlayfs fuse.ntfs-3g fuse.ntfs fuse.exfat fuse.mergerfs fuse.gocryptfs "
    "fuse.encfs fuse.cryfs fuse.bindfs fuse.lxcfs fuse.unionfs".split()
)


def temporary_folder() -> "TemporaryDirectory[str]":
    """Return a new folder that goes when its context ends; raises ReoError 73."""
    import tempfile

    try:
        return tempfile.TemporaryDirectory(prefix="reo-")
    except OSError as fault:
        message = f"cannot make a temporary folder: {fault.strerror}"
        hint = "name another place for it with TMPDIR"
        raise ReoError(ExitCode.CANT_CREATE, "no_temporary_folder", message, hint) from None


def open_private(path: Path, flags: int) -> int:
    """Open a file with `flags`, made with mode 0600 under any umask when there is none.

    Returns a descriptor that no child process inherits. Raises OSError.
    """
    flags |= os.O_NONBLOCK | os.O_NOCTTY
    try:
        fd = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return os.open(path, flags)
    os.fchmod(fd, 0o600)
    return fd


def shared_file_system(path: Path) -> str | None:
    """Return the kind of file system that `path` is on if several kernels share it (`nfs4`).

    None for a local one. Judged by the kernel's table of mounts; without one all counts as local.
    """
    try:
        table = MOUNTS.read_bytes().decode("utf-8", "surrogateescape")
        target = str(path.resolve())
    except (OSError, RuntimeError, ValueError):  # no such table, or no path: opening will tell
        return None
    best, kind = -1, ""
    for line in table.splitlines():
        before, _, after = line.partition(" - ")
        point = re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), before.split(" ")[4])
        inside = point == "/" or target == point or target.startswith(f"{point}/")
        if inside and len(point) >= best:
            best, kind = len(point), after.split(" ")[0]
    return kind if _SHARED.fullmatch(kind) and kind not in _LOCAL_FUSE else None


def allow_open_files() -> None:
    """Raise the limit on open files to `OPEN_FILES`, or as far as the system lets a user."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # a sandbox that forbids it: the old limit stays
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

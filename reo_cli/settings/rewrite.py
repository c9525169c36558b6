"""The config file as a whole: a new one takes the place of the old one, or nothing happens.

A new file is written beside the old one and renamed over it, under a lock, so that a reader sees
the one or the other, and two writers lose nothing (reliability.md 5.7).
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISLNK, S_ISREG

from reo_cli.errors import ExitCode, ReoError
from reo_cli.settings.configfile import decoded, unreadable
from reo_cli.settings.table import FILE_LIMIT


def rewrite(path: Path, change: Callable[[str], str], *, create: bool) -> None:
    """Put what `change` makes of the text in its place, mode 0600; without a file, of "".

    Without `create` nothing is made where there is no folder. Raises ReoError: 78 for a symbolic
    link or another odd thing at the file's place, 74 when it cannot be written.
    """
    if not path.is_absolute():
        message = "there is no home folder to keep the config file in"
        raise ReoError(ExitCode.CONFIG, "no_home", message, "set HOME or REO_CONFIG")
    try:
        if create:
            _make_folder(path.parent)
        elif not path.parent.is_dir():
            return
        with _locked(path.parent):
            old = _current(path)
            new = change(old)
            if new != old:
                _replace(path, new.encode())
    except OSError as error:
        message = f"cannot write the config file `{path}`: {error.strerror}"
        raise ReoError(ExitCode.IO, "config_file", message) from None


def _current(path: Path) -> str:
    """Return the text of the file, empty when there is none; never follows a link."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return ""
    if S_ISLNK(mode) or not S_ISREG(mode):
        kind = "a symbolic link" if S_ISLNK(mode) else "not a regular file"
        hint = "edit the file itself, or set REO_CONFIG to its own path"
        raise ReoError(ExitCode.CONFIG, "config_file", f"`{path}` is {kind}: nothing written", hint)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise unreadable(path, error) from None
    with os.fdopen(descriptor, "rb") as file:
        return decoded(path, file.read(FILE_LIMIT + 1))


def _make_folder(folder: Path) -> None:
    """Make the folder and what is missing above it, for the owner only under any umask."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        with suppress(FileExistsError):
            each.mkdir(mode=0o700)
            each.chmod(0o700)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of the folder; where locks do not exist, go on without."""
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, content: bytes) -> None:
    """Put a new file in the place of `path`, mode 0600 under any umask, in one step."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

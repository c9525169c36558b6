"""What can be seen without the network: config file, settings, key, ledger, versions."""

import os
from collections.abc import Iterator
from pathlib import Path

from reo_cli.doctor import Check, failed, ok, warning
from reo_cli.errors import ExitCode, ReoError
from reo_cli.settings import Settings
from reo_cli.settings.table import masked

SQLITE_MAGIC = b"SQLite format 3\0"
PACKAGES = ("typer", "requests", "urllib3", "rich", "certifi")


def config_checks(settings: Settings) -> Iterator[Check]:
    """Say which config file is read and its mode, and repeat every warning about settings."""
    path = settings.config_path
    try:
        mode = path.stat().st_mode & 0o777
    except OSError:
        yield ok("config", f"no config file at `{path}`: not needed")
    else:
        yield ok("config", f"`{path}` is in order (mode {mode:04o})")
    yield from (warning("settings", text) for text in settings.warnings)


def key_check(settings: Settings) -> Check:
    """Say whether there is a key of the right shape, and where it comes from."""
    try:
        key = settings.require_key()
    except ReoError as error:
        return failed("key", error)
    source = settings.values["api_key_file" if settings.api_key is None else "api_key"].source
    where = "" if settings.api_key_file is None else f", read from `{settings.api_key_file}`"
    return ok("key", f"{masked(key)} from {source}{where}")


def ledger_check(settings: Settings) -> Check:
    """Say whether the ledger can be written, without writing it."""
    try:
        path = settings.ledger
        size = _size_of_ledger(path)
    except ReoError as error:
        return failed("ledger", error)
    except OSError as error:
        return _ledger_fault(f"cannot write the ledger: {error.strerror}: `{error.filename}`")
    if size is None:
        return ok("ledger", f"`{path}` will be made by the first send-file")
    return ok("ledger", f"`{path}` can be written ({size:,} bytes)")


def _size_of_ledger(path: Path) -> int | None:
    """Return its size in bytes, None when it can be made. Raises OSError or ReoError."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        folder = next(each for each in path.absolute().parents if each.exists())
        if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
            return None
        raise PermissionError(13, "Permission denied", str(folder)) from None
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        start = file.read(len(SQLITE_MAGIC))
        if start and start != SQLITE_MAGIC:
            message = f"`{path}` is not a ledger"
            raise ReoError(ExitCode.CONFIG, "ledger", message, "move it away or name another")
        return os.fstat(file.fileno()).st_size


def _ledger_fault(message: str) -> Check:
    hint = "give --ledger PATH or --no-ledger"
    return failed("ledger", ReoError(ExitCode.CONFIG, "ledger", message, hint))


def versions() -> Check:
    """Name what is installed, for a report of a fault."""
    import platform
    import ssl
    from importlib.metadata import PackageNotFoundError, version

    from reo_cli import __version__

    parts = [f"reo {__version__}", f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            parts.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            parts.append(f"{package} not installed")
    parts += [ssl.OPENSSL_VERSION, f"{platform.system()} {platform.release()}"]
    return ok("versions", ", ".join(parts))

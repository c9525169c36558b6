"""Where settings are kept: the user's own folders, and the `.env` file as read.

The `.env` of the working folder is found without being asked for and may belong to a stranger, so
it gets less trust than one named with `--env-file` (reliability.md 5.8). No variable of the process
is ever changed, and `${…}` is never expanded.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Literal, NamedTuple

from reo_cli.errors import ExitCode, ReoError

FILE_LIMIT = 1024 * 1024
"""The largest settings file in bytes."""

NOT_FROM_A_FOUND_FILE = frozenset(
    {"REO_API_KEY_FILE", "REO_LEDGER", "REO_CA_BUNDLE", "REO_PROFILE", "REO_CONFIG"}
)
"""What a `.env` that nobody named cannot choose: files, and settings for a key from elsewhere."""

NEVER_FROM_A_FILE = frozenset(
    {
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
        *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    }
)
"""Proxies and certificates come from the real environment only."""

_XDG = {
    "config": ("XDG_CONFIG_HOME", "~/.config"),
    "state": ("XDG_STATE_HOME", "~/.local/state"),
}
"""The folders of the XDG Base Directory Specification, which asks to ignore relative ones."""


def user_folder(kind: Literal["config", "state"]) -> Path | None:
    """Return the user config or state folder of reo, None when the system knows no home."""
    if sys.platform == "linux":  # platformdirs is 4 % of the start of every command
        variable, usual = _XDG[kind]
        given = Path(os.environ.get(variable, "").strip())
        folder = (given if given.is_absolute() else Path(os.path.expanduser(usual))) / "reo"  # noqa: PTH111 - never raises
    else:
        import platformdirs

        find = platformdirs.user_config_dir if kind == "config" else platformdirs.user_state_dir
        folder = Path(find("reo", appauthor=False))
    return folder if folder.is_absolute() else None


def expanded(base: Path, text: str) -> Path:
    """Return a path as it was meant: `~` opened, and relative to `base`."""
    try:
        return base / Path(text).expanduser()
    except RuntimeError:  # no home: it stays a name
        return base / text


class EnvFile(NamedTuple):
    """What a `.env` file says; `found` tells that nobody named it."""

    path: Path
    name: str
    found: bool
    values: Mapping[str, str]
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"EnvFile({self.name})"  # never the key


def load_env(cwd: Path, named: Path | None) -> EnvFile | None:
    """Read the file given with `--env-file`, else `./.env` unless it is a folder.

    Raises ReoError 78 when it cannot be read.
    """
    path, name = cwd / (named or ".env"), str(named or ".env")
    try:
        if named is None and not _is_worth_reading(path):
            return None
        with path.open("rb") as file:
            raw = file.read(FILE_LIMIT + 1)
    except OSError as error:
        if named is None and not os.access(path, os.F_OK):
            return None  # nobody can tell what a closed folder holds, and nobody asked for it
        hint = "--no-env-file runs without it" if named is None else "check --env-file"
        raise _fault(name, f"cannot be read: {error.strerror}", hint) from None
    if len(raw) > FILE_LIMIT:
        raise _fault(name, "is larger than 1 MiB", "--no-env-file runs without it")
    is_utf16 = raw.startswith((b"\xff\xfe", b"\xfe\xff"))
    if is_utf16 and (named or "REO_" in raw.decode("utf-16", "replace")):
        raise _fault(name, "is UTF-16", "save it as UTF-8, or give --no-env-file")
    return _parsed(path, name, named is None, raw)


def _is_worth_reading(path: Path) -> bool:
    """Tell a file from a folder, as some projects have; a pipe would be waited for."""
    mode = path.stat().st_mode
    if not S_ISREG(mode) and not S_ISDIR(mode):
        raise _fault(".env", "is not a regular file", "name it with --env-file if you trust it")
    return S_ISREG(mode)


def _parsed(path: Path, name: str, found: bool, raw: bytes) -> EnvFile:
    import io

    from dotenv.parser import parse_stream

    # A stranger's file may hold any bytes; they matter only inside a variable of reo.
    text = raw.decode("utf-8", "surrogateescape")
    values: dict[str, str] = {}
    warnings = []
    for binding in parse_stream(io.StringIO(text)):
        line = binding.original.line + _lines_before(binding.original.string)
        key, value = binding.key or "", binding.value or ""
        if binding.error and "REO_" in binding.original.string:
            warnings.append(f"`{name}`, line {line} is not understood and has no effect")
        if value and key.upper() in NEVER_FROM_A_FILE:
            why = "reo takes proxies and certificates from the environment only"
            warnings.append(f"`{key}` in `{name}` has no effect: {why}")
        elif value and found and key in NOT_FROM_A_FOUND_FILE:
            why = "set it in the environment, or name the file with --env-file"
            warnings.append(f"`{key}` in `{name}` has no effect: {why}")
        elif key.startswith("REO_"):
            if any("\ud800" <= char <= "\udfff" for char in value):
                problem = f"line {line}: `{key}` is not UTF-8"
                raise _fault(name, problem, "save the file as UTF-8")
            values[key] = value
    return EnvFile(path, name, found, values, tuple(warnings))


def _lines_before(original: str) -> int:
    """Count the blank lines that the parser adds in front of a binding."""
    lead = original[: len(original) - len(original.lstrip())]
    return lead.count("\n") + lead.replace("\r\n", "").count("\r")


def _fault(name: str, problem: str, hint: str) -> ReoError:
    return ReoError(ExitCode.CONFIG, "env_file", f"`{name}` {problem}", hint)

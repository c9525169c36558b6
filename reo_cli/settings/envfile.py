"""The `.env` file: which one is read, what it may say, and where it said it.

The `.env` of the working folder is found without being asked for and may belong to a stranger, so
it gets less trust than a file named with `--env-file` (reliability.md 5.8). No variable of the
process is ever changed, and `${…}` is never expanded.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from reo_cli.errors import ExitCode, ReoError
from reo_cli.settings.table import FILE_LIMIT

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


@dataclass(frozen=True, slots=True)
class EnvFile:
    """What a `.env` file says; `found` tells that nobody named it."""

    path: Path
    name: str
    found: bool
    values: Mapping[str, str] = field(repr=False)
    lines: Mapping[str, int]
    warnings: tuple[str, ...] = ()


def load(cwd: Path, named: Path | None) -> EnvFile | None:
    """Read the file given with `--env-file`, else `./.env` unless it is a folder.

    Raises ReoError 78 when it cannot be read.
    """
    path = cwd / (named or ".env")
    name = str(named or ".env")
    try:
        if named is None and not _is_worth_reading(path):
            return None
        with path.open("rb") as file:
            raw = file.read(FILE_LIMIT + 1)
    except OSError as error:
        hint = "--no-env-file runs without it" if named is None else "check --env-file"
        raise _fault(name, f"cannot be read: {error.strerror}", hint) from None
    if len(raw) > FILE_LIMIT:
        raise _fault(name, "is larger than 1 MiB", "--no-env-file runs without it")
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
    lines: dict[str, int] = {}
    warnings = []
    for binding in parse_stream(io.StringIO(text)):
        line = binding.original.line + _lines_before(binding.original.string)
        if binding.error and "REO_" in binding.original.string:
            warnings.append(f"`{name}`, line {line} is not understood and has no effect")
        if binding.key is not None:
            values[binding.key], lines[binding.key] = binding.value or "", line
    ignored = [key for key, value in values.items() if value and _is_barred(key, found)]
    for key in ignored:
        warnings.append(f"`{key}` in `{name}` has no effect: {_reason(key)}")
        del values[key]
    own = {key: text for key, text in values.items() if key.startswith("REO_")}
    for key, text in own.items():
        if not _is_utf8(text):
            raise _fault(name, f"line {lines[key]}: `{key}` is not UTF-8", "save the file as UTF-8")
    return EnvFile(path, name, found, own, lines, tuple(warnings))


def _is_barred(key: str, found: bool) -> bool:
    return key.upper() in NEVER_FROM_A_FILE or (found and key in NOT_FROM_A_FOUND_FILE)


def _reason(key: str) -> str:
    if key in NOT_FROM_A_FOUND_FILE:
        return "set it in the environment, or name the file with --env-file"
    return "reo takes proxies and certificates from the environment only"


def _lines_before(original: str) -> int:
    """Count the blank lines that the parser adds in front of a binding."""
    lead = original[: len(original) - len(original.lstrip())]
    return lead.count("\n") + lead.replace("\r\n", "").count("\r")


def _is_utf8(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _fault(name: str, problem: str, hint: str) -> ReoError:
    return ReoError(ExitCode.CONFIG, "env_file", f"`{name}` {problem}", hint)

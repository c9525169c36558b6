"""The files that settings come from, as read: the user's folders, `.env` and the config file.

A `.env` that is found in the working folder may belong to a stranger, and gets less trust than one
named with `--env-file` (reliability.md 5.8). In the config file nothing is passed over: an unknown
key and a bad value are errors with file, line and key, also in profiles that are not in use.
"""

import os
import re
import sys
from bisect import bisect_left
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from reo_cli.errors import ExitCode, ReoError
from reo_cli.settings.table import BY_KEY, CHOICES, READING, nearest, parse

FILE_LIMIT = 1024 * 1024
"""The largest settings file in bytes."""

NOT_FROM_A_FOUND_FILE = frozenset(
    {"REO_API_KEY_FILE", "REO_LEDGER", "REO_CA_BUNDLE", "REO_PROFILE", "REO_CONFIG"}
)
"""What a `.env` that nobody named cannot choose: files, and settings for a key from elsewhere."""

NEVER_FROM_A_FILE = r"(?i)(https?|all|no)_proxy|(requests|curl)_ca_bundle|ssl_cert_(file|dir)"
"""Proxies and certificates come from the real environment only."""

_USUAL = {"config": "~/.config", "state": "~/.local/state"}
"""The folders of the XDG Base Directory Specification, which asks to ignore relative ones."""


def user_folder(kind: Literal["config", "state"]) -> Path | None:
    """Return the user config or state folder of reo, None when the system knows no home."""
    if sys.platform == "linux":  # platformdirs is 4 % of the start of every command
        given = Path(os.environ.get(f"XDG_{kind.upper()}_HOME", "").strip())
        folder = (given if given.is_absolute() else expanded(Path(), _USUAL[kind])) / "reo"
    else:
        import platformdirs

        find = platformdirs.user_config_dir if kind == "config" else platformdirs.user_state_dir
        folder = Path(find("reo", appauthor=False))
    return folder if folder.is_absolute() else None


def expanded(base: Path, text: str) -> Path:
    """Return a path as it was meant: relative to `base`, `~` opened where there is a home."""
    return base / os.path.expanduser(text)  # noqa: PTH111 - it never raises


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, each one made here with mode 0700 under any umask."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with suppress(FileExistsError):
        folder.mkdir(0o700)
        folder.chmod(0o700)


def load_env(path: Path, name: str, *, found: bool, warnings: list[str]) -> dict[str, str]:
    """Return the variables of a `.env` file, which nobody named if it was `found`.

    A folder, as some projects have, counts as no file. Raises ReoError 78 when the file cannot be
    read.
    """
    without = "--no-env-file runs without it"
    try:
        if found and path.is_dir():
            return {}
        if found and path.exists() and not path.is_file():  # a pipe would be waited for
            raise _env_fault(name, "is not a regular file", "name it with --env-file to trust it")
        with path.open("rb") as file:
            raw = file.read(FILE_LIMIT + 1)
    except OSError as error:
        if found and not os.access(path, os.F_OK):
            return {}  # nobody can tell what a closed folder holds, and nobody asked for it
        hint = without if found else "check --env-file"
        raise _env_fault(name, f"cannot be read: {error.strerror}", hint) from None
    if len(raw) > FILE_LIMIT:
        raise _env_fault(name, "is larger than 1 MiB", without)
    is_utf16 = raw.startswith((b"\xff\xfe", b"\xfe\xff"))
    if is_utf16 and (not found or "REO_" in raw.decode("utf-16", "replace")):
        raise _env_fault(name, "is UTF-16", "save it as UTF-8, or give --no-env-file")
    return _variables(name, raw.decode("utf-8-sig", "surrogateescape"), found, warnings)


def _env_fault(name: str, problem: str, hint: str) -> ReoError:
    return ReoError(ExitCode.CONFIG, "env_file", f"`{name}` {problem}", hint)


def _variables(name: str, text: str, found: bool, warnings: list[str]) -> dict[str, str]:
    """Return the variables in the text, `${…}` as it stands; what has no effect is a warning."""
    import io

    from dotenv.parser import parse_stream

    values: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(text)):
        key, value, original = binding.key or "", binding.value or "", binding.original
        if binding.error and "REO_" in original.string:
            lead = original.string[: -len(original.string.lstrip())]  # the blank lines above
            line = original.line + lead.count("\n")
            warnings.append(f"`{name}`, line {line} is not understood and has no effect")
        if re.fullmatch(NEVER_FROM_A_FILE, key):
            why = "reo takes proxies and certificates from the environment only"
        elif found and key in NOT_FROM_A_FOUND_FILE:
            why = "set it in the environment, or name the file with --env-file"
        else:
            values[key] = value
            continue
        if value:
            warnings.append(f"`{key}` in `{name}` has no effect: {why}")
    return values


Tables = Mapping[str | None, dict[str, Any]]
"""The config file: what its profiles hold by name, and under None the top level. A setting is its
text, an option that says how files are read a text, a tuple of texts or texts by field."""


class Fault(Exception):
    """What is wrong with an entry of a config file: its dotted name, the problem, and a hint."""


def config_path(given: str | None, cwd: Path) -> Path:
    """Return the path that `REO_CONFIG` gives, else `config.toml` in the user config folder.

    It is not absolute when the system knows no home for this user: there is no config file then.
    """
    if given:
        return expanded(cwd, given).absolute()
    return (user_folder("config") or Path("~/.config/reo")) / "config.toml"


def load(path: Path) -> Tables:
    """Read and check the config file; empty when there is none.

    Raises ReoError 78 with file and line of what is no TOML, and the key of what is not as it must.
    """
    text = read(path)
    if text is None:
        return {}
    try:
        return tables_of(parsed(path, text))
    except Fault as fault:
        name, problem, hint = fault.args
        message = f"{path}:{_line_of(text, fault)}: `{name}`: {problem}"
        raise ReoError(ExitCode.CONFIG, "config_value", message, hint) from None


def read(path: Path) -> str | None:
    """Return the text of the config file, None when there is none.

    Raises ReoError 78, `config_closed` where it or its folder is closed to this user.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_LIMIT + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        message = f"`{path}`: cannot read the config file: {error.strerror}"
        reason = "config_closed" if isinstance(error, PermissionError) else "config_file"
        raise ReoError(ExitCode.CONFIG, reason, message) from None
    if len(raw) > FILE_LIMIT:
        raise _broken(str(path), "is larger than 1 MiB")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _broken(f"{path}:{line}", "is not UTF-8") from None


def parsed(path: Path, text: str) -> dict[str, Any]:
    """Return the TOML document, floats as text; ReoError 78 names the place of a syntax error."""
    import tomllib

    try:
        return tomllib.loads(text, parse_float=str)  # `nan` meets the same parser as in a flag
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        found = re.search(r"(?<=line )[0-9]+", str(error))  # none at the end of the document
        line = found[0] if found else len(text.splitlines())
        raise _broken(f"{path}:{line}", f"is not valid TOML: {error}") from None


def _broken(place: str, problem: str) -> ReoError:
    message = f"{place}: the config file {problem}"
    return ReoError(ExitCode.CONFIG, "config_file", message, "mend it by hand; reo changes nothing")


def tables_of(document: Mapping[str, Any]) -> Tables:
    """Return the top level and the profiles of a document. Raises Fault."""
    profiles = _mapping("profiles", document.get("profiles", {}))
    top = {key: value for key, value in document.items() if key != "profiles"}
    tables: dict[str | None, dict[str, Any]] = {None: _table("", top)}
    for name, value in profiles.items():
        place = f"profiles.{name}"
        tables[name] = _table(f"{place}.", _mapping(place, value))
    return tables


def _mapping(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Fault(name, "is not a table", f"write `[{name}]`, and what is in it below that")
    return value


def _table(prefix: str, table: Mapping[str, Any]) -> dict[str, Any]:
    """Check one table, whose names begin with `prefix`; what is blank is left out."""
    checked: dict[str, Any] = {}
    for key, value in table.items():
        name = prefix + key
        if key in READING and not prefix:
            hint = f"write it below `[profiles.NAME]`, not as `{key}`"
            raise Fault(name, "belongs in a profile", hint)
        if key not in BY_KEY and key not in READING:
            near = nearest(key, [*BY_KEY, *(READING if prefix else ["profiles"])])
            hint = f"did you mean `{near}`?" if near else f"the settings are {', '.join(BY_KEY)}"
            raise Fault(name, "is not a setting", hint)
        checked[key] = _entry(name, key, value)
    return {key: value for key, value in checked.items() if value}


def _entry(name: str, key: str, value: Any) -> Any:
    """Return what is said of a setting or an option, which looks closer when it is used."""
    if READING.get(key) == "table":
        return _fields(name, _mapping(name, value))
    if READING.get(key) == "list":
        texts = [value] if type(value) is str else value
        if type(texts) is not list or any(type(text) is not str for text in texts):
            raise Fault(name, "is not a list of texts", 'write ["one", "other"]')
        if key == "id_from":
            for field in ",".join(texts).split(","):
                _require_field(name, field.strip())
        return tuple(texts)
    text = _text(name, value)
    if text and text not in CHOICES.get(key, [text]):
        raise Fault(name, "cannot be this", f"it is one of {', '.join(CHOICES[key])}")
    if key in BY_KEY and text.strip():
        try:
            parse(BY_KEY[key], text)
        except ValueError as error:
            raise Fault(name, str(error), "") from None
    return text if key in READING else text.strip() and text


def _text(name: str, value: Any) -> str:
    if type(value) not in (str, int, float):
        raise Fault(name, "is neither text nor a number", "put it in quotes")
    return str(value)


def _fields(name: str, table: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return a table by field; `meta.NAME` may stand in a table of its own."""
    found: dict[str, str] = {}
    for key, value in table.items():
        field, where = prefix + key, f"{name}.{key}"
        if isinstance(value, dict):
            found |= _fields(where, value, f"{field}.")
            continue
        _require_field(where, field)
        found[field] = _text(where, value)
    return found


def _require_field(name: str, field: str) -> None:
    from reo_cli.events import NAMES, is_field

    if not is_field(field):
        near = nearest(field, NAMES)
        hint = f"did you mean `{near}`?" if near else f"the fields are {', '.join(NAMES)}"
        raise Fault(name, f"names the unknown field `{field}`", hint)


def _line_of(text: str, fault: Fault) -> int:
    """Return the line (from 1) where the entry with the fault begins.

    It is the last that looks like the start of one and has only lines without the fault before it.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    starts = [n for n, line in enumerate(lines) if re.match(r"\s*(\[|[^\s#].*=)", line)]

    def is_behind(at: int) -> bool:
        try:
            tables_of(parsed(Path(), "\n".join([*lines[: starts[at]], ""])))
        except Fault as found:
            return found.args == fault.args
        except ReoError:  # it only looks so, in a text or a list of several lines
            return is_behind(at - 1)
        return False

    return starts[bisect_left(range(len(starts)), True, key=is_behind) - 1] + 1

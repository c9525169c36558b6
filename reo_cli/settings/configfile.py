"""The config file as read: text → checked settings of the top level and of every profile.

Nothing in it is passed over: what cannot be read, an unknown key and a bad value are errors with
file, line and key, also in profiles that are not in use. Writing it is the part of `edit`.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG
from typing import Any

from reo_cli.errors import ExitCode, ReoError
from reo_cli.settings.model import Reading
from reo_cli.settings.table import (
    BY_KEY,
    EXTRA,
    FILE_LIMIT,
    READING,
    TABLES,
    Setting,
    nearest,
    parse,
)

Keys = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Profile:
    """What `[profiles.NAME]` holds: settings as text, and how files are read."""

    texts: Mapping[str, str] = field(repr=False)
    reading: Reading


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A config file without a fault; `mode` is its permission bits, 0 for a pipe or a device."""

    path: Path
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    mode: int = 0

    @property
    def holds_key(self) -> bool:
        """Whether a key stands in it, in whatever profile."""
        tables = (self.texts, *(each.texts for each in self.profiles.values()))
        return any("api_key" in texts for texts in tables)

    @property
    def is_exposed(self) -> bool:
        """Whether it holds a key and others than its owner can read or write it."""
        return self.holds_key and bool(self.mode & 0o077)


def load(path: Path) -> ConfigFile | None:
    """Read and check the config file; None when there is none. Raises ReoError 78."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            raw = file.read(FILE_LIMIT + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise unreadable(path, error) from None
    return check(path, decoded(path, raw), mode & 0o777 if S_ISREG(mode) else 0)


def unreadable(path: Path, error: OSError) -> ReoError:
    """Return the error of a config file that the system does not let us read."""
    message = f"`{path}`: cannot read the config file: {error.strerror}"
    return ReoError(ExitCode.CONFIG, "config_file", message)


def decoded(path: Path, raw: bytes) -> str:
    """Return the text of a config file; ReoError 78 when it is too large or no UTF-8."""
    if len(raw) > FILE_LIMIT:
        raise _syntax_fault(path, 0, "is larger than 1 MiB")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _syntax_fault(path, line, "is not UTF-8") from None


def parsed(path: Path, text: str) -> dict[str, Any]:
    """Return the TOML document; ReoError 78 names the line of a syntax error."""
    import tomllib

    try:
        return tomllib.loads(text, parse_float=_Decimal)
    except tomllib.TOMLDecodeError as error:
        problem, line = _located(str(error), text)
        raise _syntax_fault(path, line, f"is not valid TOML: {problem}") from None
    except RecursionError:
        raise _syntax_fault(path, 0, "is not valid TOML: nested too deeply") from None


class _Decimal(str):
    """A TOML float as it was written, so that `nan` and `1e3` meet the same parser as flags."""

    __slots__ = ()


def _located(message: str, text: str) -> tuple[str, int]:
    """Split tomllib's message into the problem and the line, 0 when it names none."""
    found = re.fullmatch(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", message)
    if not found:
        return message, 0
    problem, line = found.groups()
    return problem[:1].lower() + problem[1:], int(line or text.rstrip("\n").count("\n") + 1)


def _syntax_fault(path: Path, line: int, problem: str) -> ReoError:
    place = f"{path}:{line}" if line else f"{path}"
    message = f"{place}: the config file {problem}"
    return ReoError(ExitCode.CONFIG, "config_file", message, "mend it by hand; reo changes nothing")


def check(path: Path, text: str, mode: int = 0) -> ConfigFile:
    """Check every key and value of the file. Raises ReoError 78 with file, line and key."""
    document = parsed(path, text)
    checker = _Checker(path, text)
    profiles = document.pop("profiles", {})
    texts = checker.settings(document, ())
    if not isinstance(profiles, dict):
        raise checker.fault(("profiles",), "is not a table", "write `[profiles.NAME]`")
    found = {name: checker.profile(name, table) for name, table in profiles.items()}
    return ConfigFile(path, texts, found, mode)


class _Checker:
    """The check of one file; it knows the text so that a fault can name its line."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._text = text

    def profile(self, name: str, table: Any) -> Profile:
        where = ("profiles", name)
        if not isinstance(table, dict):
            raise self.fault(where, "is not a table", f"write `[profiles.{name}]`")
        own = {key: value for key, value in table.items() if key not in (*TABLES, *READING)}
        by_field: dict[str, Any] = {
            key: self._fields((*where, key), table.get(key, {})) for key in TABLES
        }
        reading = {key: self._reading((*where, key), table.get(key)) for key in READING}
        return Profile(self.settings(own, where), Reading(**by_field, **reading))

    def settings(self, table: Mapping[str, Any], where: Keys) -> dict[str, str]:
        """Return the texts of the settings in a table, blank ones left out."""
        texts = {}
        for key, value in table.items():
            setting = BY_KEY.get(key)
            if setting is None:
                raise self._unknown((*where, key))
            text = self._text_of(setting, value, (*where, key))
            if text.strip():
                try:
                    parse(setting, text)
                except ValueError as error:
                    raise self.fault((*where, key), str(error)) from None
                texts[key] = text
        return texts

    def _text_of(self, setting: Setting, value: Any, keys: Keys) -> str:
        is_number = setting.kind in ("whole", "decimal")
        if type(value) is str or (is_number and type(value) in (int, _Decimal)):
            return str(value)
        kind = "a number" if is_number else "text in quotes"
        raise self.fault(keys, f"is not {kind}")

    def _fields(self, keys: Keys, table: Any) -> dict[str, str]:
        """Return a `map`, `set` or `default` table; `meta.NAME` may be a table of its own."""
        from reo_cli.events import NAMES, is_field

        if not isinstance(table, dict):
            raise self.fault(keys, "is not a table", "write FIELD = VALUE lines below its header")
        texts = {}
        for name, where, value in _flat(table, keys):
            if not is_field(name):
                near = nearest(name, NAMES)
                hint = f"did you mean `{near}`?" if near else f"the fields are {', '.join(NAMES)}"
                raise self.fault(where, "is not a field of an event", hint)
            if type(value) not in (str, int, _Decimal):
                raise self.fault(where, "is neither text nor a number", "put it in quotes")
            texts[name] = str(value)
        return texts

    def _reading(self, keys: Keys, value: Any) -> Any:
        """Return `extra`, `id_from` or `date_format`, checked."""
        key = keys[-1]
        if key == "id_from":
            return self._id_from(keys, value)
        if value is not None and not isinstance(value, str):
            raise self.fault(keys, "is not text in quotes")
        if key == "extra" and value and value not in EXTRA:
            raise self.fault(keys, "is unknown", f"it is one of {', '.join(EXTRA)}")
        return value or None

    def _id_from(self, keys: Keys, value: Any) -> Keys:
        from reo_cli.events import is_field

        names = value.split(",") if isinstance(value, str) else value or []
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise self.fault(keys, "is not a list of fields", 'write ["domain", "event_at"]')
        stripped = tuple(name.strip() for name in names if name.strip())
        if not all(is_field(name) for name in stripped):
            raise self.fault(keys, "names what is not a field of an event")
        return stripped

    def _unknown(self, keys: Keys) -> ReoError:
        key = keys[-1]
        if key in (*TABLES, *READING):
            return self.fault(
                keys, "belongs in a profile", f"write it below `[profiles.NAME]`, not as `{key}`"
            )
        known = (*BY_KEY, *TABLES, *READING) if len(keys) > 1 else (*BY_KEY, "profiles")
        near = nearest(key, known)
        hint = f"did you mean `{near}`?" if near else f"the settings are {', '.join(BY_KEY)}"
        return self.fault(keys, "is not a setting", hint)

    def fault(self, keys: Keys, problem: str, hint: str = "") -> ReoError:
        """Return the error about one key, with its line where that can be known."""
        line = line_of(self._text, keys)
        place = f"{self._path}:{line}" if line else f"{self._path}"
        message = f"{place}: `{'.'.join(keys)}`: {problem}"
        return ReoError(ExitCode.CONFIG, "config_value", message, hint)


def _flat(table: Mapping[str, Any], where: Keys, prefix: str = "") -> list[tuple[str, Keys, Any]]:
    """Return the name, the place and the value of each entry, tables below `meta` opened."""
    found: list[tuple[str, Keys, Any]] = []
    for key, value in table.items():
        name = prefix + key
        if isinstance(value, dict) and (prefix or key == "meta"):
            found += _flat(value, (*where, key), f"{name}.")
        else:
            found.append((name, (*where, key), value))
    return found


def line_of(text: str, keys: Keys) -> int:
    """Return the line (from 1) on which `keys` is written, 0 when it cannot be told.

    It is the first line with the name in it that, with all before it, makes a document which has
    the entry; the lines of a longer value are added until it parses.
    """
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if keys[-1] in line and _has(lines, number, keys):
            return number
    return 0


def _has(lines: list[str], number: int, keys: Keys) -> bool:
    import tomllib

    for end in range(number, min(number + 50, len(lines)) + 1):
        try:
            node: Any = tomllib.loads("\n".join(lines[:end]))
        except tomllib.TOMLDecodeError:
            continue
        for key in keys:
            node = node.get(key) if isinstance(node, dict) else None
        return node is not None
    return False

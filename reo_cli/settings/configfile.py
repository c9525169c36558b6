"""The config file as read: text → checked settings of the top level and of every profile.

Nothing in it is passed over: what cannot be read, an unknown key and a bad value are errors with
file, line and key, also in profiles that are not in use. Writing it is the part of `edit`.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from stat import S_ISREG
from typing import Any, NamedTuple

from reo_cli.errors import ExitCode, ReoError
from reo_cli.settings.files import FILE_LIMIT, expanded, user_folder
from reo_cli.settings.table import BY_KEY, CHOICES, READING, Setting, nearest, parse

Keys = tuple[str, ...]
Reading = Mapping[str, Any]
"""How files are read, as a profile says it: texts, lists of texts and tables of texts."""


class Profile(NamedTuple):
    """What `[profiles.NAME]` holds: settings as text, and how files are read."""

    texts: Mapping[str, str]
    reading: Reading

    def __repr__(self) -> str:
        return "Profile(…)"  # never the key


class ConfigFile(NamedTuple):
    """A config file without a fault; `mode` is its permission bits, 0 for a pipe or a device."""

    path: Path
    texts: Mapping[str, str]
    profiles: Mapping[str, Profile]
    mode: int

    def __repr__(self) -> str:
        return f"ConfigFile({self.path})"  # never the key

    @property
    def is_exposed(self) -> bool:
        """Whether it holds a key, and others than its owner can read or write it."""
        tables = (self.texts, *(each.texts for each in self.profiles.values()))
        return any("api_key" in texts for texts in tables) and bool(self.mode & 0o077)


def config_path(environ: Mapping[str, str], cwd: Path) -> Path:
    """Return `$REO_CONFIG`, else `config.toml` in the user config folder.

    It is not absolute when the system knows no home for this user: there is no config file then.
    """
    given = environ.get("REO_CONFIG", "").strip()
    if given:
        return expanded(cwd, given).absolute()
    folder = user_folder("config")
    return Path("~/.config/reo/config.toml") if folder is None else folder / "config.toml"


def load(path: Path) -> ConfigFile | None:
    """Read and check the config file; None when there is none.

    Raises ReoError 78, `config_closed` where it or its folder is closed to this user.
    """
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
    reason = "config_closed" if isinstance(error, PermissionError) else "config_file"
    return ReoError(ExitCode.CONFIG, reason, message)


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
        place = re.compile(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)")
        found = place.fullmatch(str(error))
        problem, line = found.groups() if found else (str(error), None)
        number = int(line or text.rstrip("\n").count("\n") + 1) if found else 0
        what = f"is not valid TOML: {problem[:1].lower()}{problem[1:]}"
        raise _syntax_fault(path, number, what) from None
    except RecursionError:
        raise _syntax_fault(path, 0, "is not valid TOML: nested too deeply") from None


class _Decimal(str):
    """A TOML float as it was written, so that `nan` and `1e3` meet the same parser as flags."""

    __slots__ = ()


def _syntax_fault(path: Path, line: int, problem: str) -> ReoError:
    place = f"{path}:{line}" if line else f"{path}"
    message = f"{place}: the config file {problem}"
    return ReoError(ExitCode.CONFIG, "config_file", message, "mend it by hand; reo changes nothing")


def check(path: Path, text: str, mode: int = 0) -> ConfigFile:
    """Check every key and value of the file. Raises ReoError 78 with file, line and key."""
    document = parsed(path, text)
    checker = _Checker(path, text)
    profiles = checker.table(("profiles",), document.pop("profiles", {}), "`[profiles.NAME]`")
    texts = checker.settings(document, ())
    found = {name: checker.profile(name, table) for name, table in profiles.items()}
    return ConfigFile(path, texts, found, mode)


class _Checker:
    """The check of one file; it knows the text so that a fault can name its line."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._text = text

    def table(self, keys: Keys, value: Any, form: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.fault(keys, "is not a table", f"write {form}")
        return value

    def profile(self, name: str, value: Any) -> Profile:
        where = ("profiles", name)
        table = self.table(where, value, f"`[profiles.{name}]`")
        own = {key: each for key, each in table.items() if key not in READING}
        reading = {
            key: self._reading((*where, key), each) for key, each in table.items() if key in READING
        }
        return Profile(
            self.settings(own, where), {key: each for key, each in reading.items() if each}
        )

    def settings(self, table: Mapping[str, Any], where: Keys) -> dict[str, str]:
        """Return the texts of the settings in a table, blank ones left out."""
        texts = {}
        for key, value in table.items():
            keys = (*where, key)
            setting = BY_KEY.get(key)
            if setting is None:
                raise self._unknown(keys)
            text = self._text_of(setting, value, keys)
            if text.strip():
                try:
                    parse(setting, text)
                except ValueError as error:
                    raise self.fault(keys, str(error)) from None
                texts[key] = text
        return texts

    def _text_of(self, setting: Setting, value: Any, keys: Keys) -> str:
        is_number = setting.kind in ("whole", "decimal")
        if type(value) is str or (is_number and type(value) in (int, _Decimal)):
            return str(value)
        raise self.fault(keys, f"is not {'a number' if is_number else 'text in quotes'}")

    def _reading(self, keys: Keys, value: Any) -> Any:
        """Return what a profile says of reading files; the options check it when it is used."""
        match READING[keys[-1]]:
            case "table":
                form = "FIELD = VALUE lines below its header"
                return self._fields(keys, self.table(keys, value, form))
            case "text":
                return self._reading_text(keys, value)
        texts = [value] if type(value) is str else value
        if type(texts) is not list or any(type(text) is not str for text in texts):
            raise self.fault(keys, "is not a list of texts", 'write ["one", "other"]')
        if READING[keys[-1]] == "list":
            return tuple(texts)
        names = tuple(name.strip() for text in texts for name in text.split(","))
        for name in names:
            self._require_field(keys, name)
        return names

    def _reading_text(self, keys: Keys, value: Any) -> str:
        if type(value) is not str and (keys[-1] != "skip_lines" or type(value) is not int):
            raise self.fault(keys, "is not text in quotes")
        choices = CHOICES.get(keys[-1])
        if choices and value and value not in choices:
            raise self.fault(keys, "is unknown", f"it is one of {', '.join(choices)}")
        return str(value)

    def _fields(self, keys: Keys, table: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
        """Return a table by field; `meta.NAME` may be a table of its own."""
        texts: dict[str, str] = {}
        for key, value in table.items():
            name, where = prefix + key, (*keys, key)
            if isinstance(value, dict) and (prefix or key == "meta"):
                texts |= self._fields(where, value, f"{name}.")
                continue
            self._require_field(where, name)
            if type(value) not in (str, int, _Decimal):
                raise self.fault(where, "is neither text nor a number", "put it in quotes")
            texts[name] = str(value)
        return texts

    def _require_field(self, keys: Keys, name: str) -> None:
        from reo_cli.events import NAMES, is_field

        if not is_field(name):
            near = nearest(name, NAMES)
            hint = f"did you mean `{near}`?" if near else f"the fields are {', '.join(NAMES)}"
            raise self.fault(keys, f"names the unknown field `{name}`", hint)

    def _unknown(self, keys: Keys) -> ReoError:
        key = keys[-1]
        if key in READING:
            hint = f"write it below `[profiles.NAME]`, not as `{key}`"
            return self.fault(keys, "belongs in a profile", hint)
        near = nearest(key, (*BY_KEY, *READING) if len(keys) > 1 else (*BY_KEY, "profiles"))
        hint = f"did you mean `{near}`?" if near else f"the settings are {', '.join(BY_KEY)}"
        return self.fault(keys, "is not a setting", hint)

    def fault(self, keys: Keys, problem: str, hint: str = "") -> ReoError:
        """Return the error about one key, with its line where that can be known."""
        line = line_of(self._text, keys)
        place = f"{self._path}:{line}" if line else f"{self._path}"
        message = f"{place}: `{'.'.join(keys)}`: {problem}"
        return ReoError(ExitCode.CONFIG, "config_value", message, hint)


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

"""Changing the config file: values set and removed by name, checked before, comments kept.

A new file is written beside the old one and renamed over it, under a lock, so that a reader sees
the one or the other, and two writers lose nothing (reliability.md 5.7). What the old file says is
never guessed at: one that does not parse is left as it is.
"""

import os
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from reo_cli.errors import ExitCode, ReoError
from reo_cli.settings.files import Fault, expanded, parsed, read, tables_of
from reo_cli.settings.guard import check_endpoint, check_key
from reo_cli.settings.table import BY_KEY, READING, nearest, parse

Table = MutableMapping[str, Any]
TABLES = [key for key, kind in READING.items() if kind == "table"]


def require_known(name: str, profile: str | None = "any") -> None:
    """Require that `timeout`, `map.domain` or `extra` can stand in the profile, or at the top.

    Raises ReoError 2; an unknown name, which may be a key, is shown only when it is like a known.
    """
    head, dot, _ = name.partition(".")
    if name in BY_KEY:
        return
    if head not in READING or (head in TABLES) != bool(dot):
        known = [*BY_KEY, *(f"{each}.FIELD" if each in TABLES else each for each in READING)]
        if near := nearest(name, known):
            raise _usage(f"`{name}` is not a setting", f"did you mean `{near}`?")
        raise _usage("there is no setting of that name", f"the settings are {', '.join(known)}")
    if profile is None:
        hint = f"add `--profile NAME`: `{head}` describes one kind of input"
        raise _usage(f"`{head}` belongs in a profile", hint)


def _usage(message: str, hint: str = "") -> ReoError:
    return ReoError(ExitCode.USAGE, "setting", message, hint)


def set_values(path: Path, profile: str | None, texts: Mapping[str, str], cwd: Path) -> None:
    """Write values, checked, all of them or none. A relative path is taken from `cwd`.

    Raises ReoError 2 for a bad value, 78 for a bad key or endpoint, a broken config file or a
    symbolic link in its place, and 74 when the file cannot be written.
    """
    write(path, profile, {name: _toml_value(name, text, cwd) for name, text in texts.items()})


def write(path: Path, profile: str | None, values: Mapping[str, Any]) -> None:
    """Write values as TOML has them, as `set_values` does."""
    new: dict[str, Any] = {}
    table = new if profile is None else new.setdefault("profiles", {}).setdefault(profile, {})
    for name, value in values.items():
        head, dot, rest = name.partition(".")
        node = table.setdefault(head, {}) if dot else table
        node[rest or name] = value
    try:
        tables_of(new)
    except Fault as fault:
        name, problem, hint = fault.args
        raise _usage(f"`{name.removeprefix(f'profiles.{profile}.')}` {problem}", hint) from None
    _rewrite(path, lambda document: _merge(document, new))


def _toml_value(name: str, text: str, cwd: Path) -> str | int | float | list[str]:
    """Return what is written for `text`, in TOML's own types."""
    setting = BY_KEY.get(name)
    if setting is None:
        return [each.strip() for each in text.split(",")] if READING.get(name) == "list" else text
    try:
        value = parse(setting, text)
    except ValueError as error:
        raise _usage(f"`{name}`: {error}") from None
    match setting.kind:
        case "secret":
            return check_key(text)
        case "url":
            return check_endpoint(text)
        case "path" if not text.startswith("~"):
            return str(expanded(cwd.absolute(), text))
        case "decimal" if text.isdecimal():
            return int(text)
    return value


def unset(path: Path, profile: str | None, name: str) -> bool:
    """Remove one value; tell whether it was there. Raises ReoError as `set_values` does.

    What stands there under a name that reo does not know can be removed too.
    """
    where = () if profile is None else ("profiles", profile)

    def change(document: Table) -> None:
        for key in where:
            below = document.get(key)
            document = below if isinstance(below, MutableMapping) else {}
        _remove(document, name)

    removed = path.parent.is_dir() and _rewrite(path, change)
    if not removed:
        require_known(name, profile)
    return removed


def _merge(table: Table, new: Mapping[str, Any]) -> None:
    """Put values into a table and those in it; `meta.plan` may stand in a table `meta` there."""
    for key, value in new.items():
        head, _, rest = key.partition(".")
        is_table = isinstance(value, dict)
        if is_table and key in table:
            if not isinstance(table[key], MutableMapping):
                message = f"`{key}` in the config file is not a table"
                raise ReoError(ExitCode.CONFIG, "config_file", message, "mend it by hand")
            _merge(table[key], value)
        elif not (is_table or key in table) and isinstance(table.get(head), MutableMapping):
            _merge(table[head], {rest: value})
        else:
            table[key] = value


def _remove(table: Table, name: str) -> None:
    table.pop(name, None)
    head, dot, rest = name.partition(".")
    if dot and isinstance(below := table.get(head), MutableMapping):
        _remove(below, rest)


def _rewrite(path: Path, change: Callable[[Table], None]) -> bool:
    """Put a changed file in the place of the old one, in one step; tell whether it differs.

    Raises ReoError: 78 for a symbolic link or another odd thing at the file's place, 74 when it
    cannot be written.
    """
    import fcntl

    if not path.is_absolute():
        message = "there is no home folder to keep the config file in"
        raise ReoError(ExitCode.CONFIG, "no_home", message, "set HOME or REO_CONFIG")
    try:
        _make_folder(path.parent)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with suppress(OSError):  # where there are no locks, it goes without
                fcntl.flock(folder, fcntl.LOCK_EX)
            old = _current(path)
            new = _changed(path, old, change)
            if new != old:
                _replace(path, new.encode())
                os.fsync(folder)
            return new != old
        finally:
            os.close(folder)
    except OSError as error:
        message = f"cannot write the config file `{path}`: {error.strerror}"
        raise ReoError(ExitCode.IO, "config_file", message) from None


def _current(path: Path) -> str:
    """Return the text of the file, empty when there is none; never follows a link."""
    if path.is_symlink() or (path.exists() and not path.is_file()):
        kind = "a symbolic link" if path.is_symlink() else "not a regular file"
        hint = "edit the file itself, or set REO_CONFIG to its own path"
        raise ReoError(ExitCode.CONFIG, "config_file", f"`{path}` is {kind}: nothing written", hint)
    return read(path) or ""


def _changed(path: Path, old: str, change: Callable[[Table], None]) -> str:
    """Return the changed text, comments kept; nothing but the change may differ."""
    import json
    import tomllib

    import tomlkit

    parsed(path, old)  # for our words and line when the file is broken
    expected, document = tomllib.loads(old), tomlkit.parse(old)
    change(expected)
    change(document)
    new = tomlkit.dumps(document)
    wanted, got = (
        json.dumps(each, sort_keys=True, default=str) for each in (expected, tomllib.loads(new))
    )
    if got != wanted:
        raise RuntimeError(f"the change of `{path}` would have changed more than was asked")
    return new


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, for the owner only under any umask."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        with suppress(FileExistsError):
            folder.mkdir(0o700)
            folder.chmod(0o700)


def _replace(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 under any umask beside the old one, and rename it over that."""
    from tempfile import NamedTemporaryFile

    # It opens with O_EXCL and O_NOFOLLOW a name that nobody can foresee.
    with NamedTemporaryFile(prefix=f".{path.name}.", dir=path.parent, delete=False) as file:
        try:
            os.fchmod(file.fileno(), 0o600)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).rename(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise

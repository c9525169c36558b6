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
from reo_cli.settings.files import Fault, expanded, make_folder, parsed, read, tables_of
from reo_cli.settings.prompt import check_key
from reo_cli.settings.table import BY_KEY, READING, check_endpoint, nearest, parse

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


def write(
    path: Path, profile: str | None, values: Mapping[str, Any], *, anew: bool = False
) -> None:
    """Write values as TOML has them, as `set_values` does; `anew`: instead of all of `READING`."""

    def change(document: Table) -> None:
        table = document if profile is None else _below(_below(document, "profiles"), profile)
        for name in READING if anew else ():
            table.pop(name, None)
        for name, value in values.items():
            head, dot, _ = name.partition(".")
            if dot:
                _below(table, head)
            where, key = _place(table, name)
            where[key] = value

    alone: Table = {}
    change(alone)
    try:
        tables_of(alone)
    except Fault as fault:
        name, problem, hint = fault.args
        raise _usage(f"`{name.removeprefix(f'profiles.{profile}.')}` {problem}", hint) from None
    _rewrite(path, change)


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

    def change(document: Table) -> None:
        for key in () if profile is None else ("profiles", profile):
            below = document.get(key)
            document = below if isinstance(below, MutableMapping) else {}
        where, key = _place(document, name)
        where.pop(key, None)

    removed = path.parent.is_dir() and _rewrite(path, change)
    if not removed:
        require_known(name, profile)
    return removed


def _below(table: Table, key: str) -> Table:
    """Return the table in a table, made when it is not there. Raises ReoError 78."""
    if key not in table:
        table[key] = {}
    below = table[key]
    if isinstance(below, MutableMapping):
        return below
    message = f"`{key}` in the config file is not a table"
    raise ReoError(ExitCode.CONFIG, "config_file", message, "mend it by hand")


def _place(table: Table, name: str) -> tuple[Table, str]:
    """Return where `map.meta.plan` stands or would: the table and the key in it, maybe dotted."""
    head, dot, rest = name.partition(".")
    below = table.get(head)
    if dot and name not in table and isinstance(below, MutableMapping):
        return _place(below, rest)
    return table, name


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
        make_folder(path.parent)
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

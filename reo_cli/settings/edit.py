"""Changing the config file: values set and removed by name, checked before, comments kept.

A new file is written beside the old one and renamed over it, under a lock, so that a reader sees
the one or the other, and two writers lose nothing (reliability.md 5.7). What the old file says is
never guessed at: one that does not parse is left as it is.
"""

import os
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISLNK, S_ISREG
from typing import Any

from reo_cli.errors import ExitCode, ReoError
from reo_cli.settings.configfile import Keys, check, decoded, parsed, unreadable
from reo_cli.settings.files import FILE_LIMIT, expanded
from reo_cli.settings.guard import check_endpoint, check_key
from reo_cli.settings.table import BY_KEY, READING, nearest, parse

Table = MutableMapping[str, Any]
TABLES = [key for key, kind in READING.items() if kind == "table"]


def place(key: str, profile: str | None) -> Keys:
    """Return where in the file `timeout`, `map.domain` or `extra` stands.

    Raises ReoError 2 for a name that is no setting, and for what only a profile can hold.
    """
    head, _, rest = key.partition(".")
    where = ("profiles", profile) if profile is not None else ()
    if profile is not None and not profile.strip():
        raise _usage("`--profile` is empty")
    if key in BY_KEY:
        return (*where, key)
    if (head in TABLES) != bool(rest) or head not in READING:
        raise _unknown(key)
    if not where:
        hint = f"add `--profile NAME`: `{head}` describes one kind of input"
        raise _usage(f"`{head}` belongs in a profile", hint)
    return (*where, head, rest) if rest else (*where, key)


def _unknown(key: str) -> ReoError:
    """Return the error for an unknown name, which is shown only when it is like a known one."""
    known = [*BY_KEY, *(f"{each}.FIELD" if each in TABLES else each for each in READING)]
    near = nearest(key, known)
    if near:
        return _usage(f"`{key}` is not a setting", f"did you mean `{near}`?")
    return _usage("there is no setting of that name", f"the settings are {', '.join(known)}")


def _usage(message: str, hint: str = "") -> ReoError:
    return ReoError(ExitCode.USAGE, "setting", message, hint)


def require_known(key: str) -> None:
    """Raise ReoError 2 unless `key` names a setting or what a profile can hold."""
    place(key, "any")


def pair(key: str, value: str | None) -> tuple[str, str | None]:
    """Return key and value of `KEY VALUE` or `KEY=VALUE`."""
    if value is None and "=" in key:
        key, _, value = key.partition("=")
    return key, value


def given(key: str, value: str | None) -> str:
    """Return the value; ReoError 2 when there is none."""
    if value is None:
        raise _usage(f"`{key}` needs a value", f"reo config set {key} VALUE")
    return value


def set_values(path: Path, texts: Mapping[Keys, str], cwd: Path) -> None:
    """Write values, checked, all of them or none. A relative path is taken from `cwd`.

    Raises ReoError 2 for a bad value, 78 for a bad key or endpoint, a broken config file or a
    symbolic link in its place, and 74 when the file cannot be written.
    """
    write(path, {keys: _toml_value(keys, text, cwd) for keys, text in texts.items()})


def write(path: Path, values: Mapping[Keys, Any]) -> None:
    """Write values as TOML has them, as `set_values` does."""
    for keys, value in values.items():
        _check_new(path, keys, value)

    def change(document: Table) -> None:
        for keys, value in values.items():
            node, key = _entry(_descend(document, keys[:-1], create=True), keys[-1])
            node[key] = value

    _rewrite(path, change, create=True)


def unset(path: Path, key: str, profile: str | None) -> bool:
    """Remove one value; tell whether it was there. Raises ReoError as `set_values` does.

    What stands there under a name that reo does not know can be removed too.
    """
    try:
        keys, unknown = place(key, profile), None
    except ReoError as error:
        keys = (*(("profiles", profile) if profile is not None else ()), key)
        unknown = error
    removed = False

    def change(document: Table) -> None:
        nonlocal removed
        node, name = _entry(_descend(document, keys[:-1], create=False), keys[-1])
        removed = node.pop(name, None) is not None

    _rewrite(path, change, create=False)
    if unknown and not removed:
        raise unknown
    return removed


def _descend(document: Table, keys: Keys, *, create: bool) -> Table:
    """Return the table at `keys`; what is missing is made, or is empty and belongs nowhere."""
    import tomlkit

    node = document
    for depth, key in enumerate(keys):
        if not isinstance(node.get(key), MutableMapping):
            if not create:
                return {}
            if key in node:
                message = f"`{'.'.join(keys[: depth + 1])}` in the config file is not a table"
                raise ReoError(ExitCode.CONFIG, "config_file", message, "mend it by hand")
            is_inline = isinstance(node, tomlkit.items.InlineTable)
            table = tomlkit.table(is_super_table=depth < len(keys) - 1)
            node[key] = tomlkit.inline_table() if is_inline else table
        node = node[key]
    return node


def _entry(table: Table, name: str) -> tuple[Table, str]:
    """Find `meta.plan` also where it stands in a table `meta` of its own."""
    head, dot, rest = name.partition(".")
    below = table.get(head)
    if dot and name not in table and isinstance(below, MutableMapping):
        return _entry(below, rest)
    return table, name


def _toml_value(keys: Keys, text: str, cwd: Path) -> str | int | float | list[str]:
    """Return what is written for `text`, in TOML's own types."""
    setting = BY_KEY.get(keys[-1]) if len(keys) in (1, 3) else None
    if setting is None:
        is_list = len(keys) == 3 and READING[keys[-1]] in ("list", "fields")
        return [name.strip() for name in text.split(",")] if is_list else text
    try:
        value = parse(setting, text)
    except ValueError as error:
        raise _usage(f"`{setting.key}`: {error}") from None
    match setting.kind:
        case "secret":
            return check_key(text)
        case "url":
            return check_endpoint(text)
        case "path":
            return text if text.startswith("~") else str(expanded(cwd.absolute(), text))
        case "decimal" if text.isdecimal():
            return int(text)
        case _:
            return value


def _check_new(path: Path, keys: Keys, value: object) -> None:
    """Check the new value with the rules of the file; what is wrong is the command line's fault."""
    import tomlkit

    document: dict[str, Any] = {}
    _descend(document, keys[:-1], create=True)[keys[-1]] = value
    try:
        check(path, tomlkit.dumps(document))
    except ReoError as error:
        name = ".".join(keys[2:])
        problem = error.message.rpartition(f"{name}`: ")[2]
        raise _usage(f"`{name}` {problem}", error.hint) from None


def _rewrite(path: Path, change: Callable[[Table], None], *, create: bool) -> None:
    """Put a changed file in the place of the old one, mode 0600 under any umask, in one step.

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
        with _locked(path.parent) as folder:
            old = _current(path)
            new = _changed(path, old, change)
            if new != old:
                _replace(path, new.encode())
                os.fsync(folder)
    except OSError as error:
        message = f"cannot write the config file `{path}`: {error.strerror}"
        raise ReoError(ExitCode.IO, "config_file", message) from None


def _changed(path: Path, old: str, change: Callable[[Table], None]) -> str:
    """Return the changed text, comments kept; nothing but the change may differ."""
    import tomlkit

    expected = parsed(path, old)  # also for our words and line when the file is broken
    change(expected)
    document = tomlkit.parse(old)
    change(document)
    new = tomlkit.dumps(document)
    if _comparable(parsed(path, new)) != _comparable(expected):
        raise RuntimeError(f"the change of `{path}` would have changed more than was asked")
    return new


def _comparable(value: Any) -> Any:
    if isinstance(value, MutableMapping):
        return {str(key): _comparable(below) for key, below in value.items()}
    return [_comparable(each) for each in value] if isinstance(value, list) else str(value)


def _current(path: Path) -> str:
    """Return the text of the file, empty when there is none; never follows a link."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return ""
    if not S_ISREG(mode):
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
    for each in reversed([folder, *folder.parents]):
        if not each.is_dir():
            with suppress(FileExistsError):
                each.mkdir(mode=0o700)
                each.chmod(0o700)


@contextmanager
def _locked(folder: Path) -> Iterator[int]:
    """Hold the lock of the folder and give its descriptor; without, where there are no locks."""
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _replace(path: Path, content: bytes) -> None:
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

"""Changing the config file: values set and removed by name, checked before, comments kept.

What the old file says is never guessed at: a file that does not parse is left as it is. How the new
one gets into its place is the part of `rewrite`.
"""

from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from reo_cli.errors import ExitCode, ReoError
from reo_cli.settings.configfile import Keys, check, parsed
from reo_cli.settings.folders import expanded
from reo_cli.settings.rewrite import rewrite
from reo_cli.settings.table import BY_KEY, READING, TABLES, nearest, parse

Table = MutableMapping[str, Any]


def place(key: str, profile: str | None) -> Keys:
    """Return where in the file `timeout`, `map.domain` or `extra` stands.

    Raises ReoError 2 for a name that is no setting, and for what only a profile can hold.
    """
    head, dot, rest = key.partition(".")
    where = ("profiles", profile) if profile is not None else ()
    if profile is not None and not profile.strip():
        raise _usage("`--profile` is empty")
    if key in BY_KEY:
        return (*where, key)
    if key not in READING and not (head in TABLES and dot and rest):
        raise _unknown(key)
    if not where:
        hint = f"add `--profile NAME`: `{head}` describes one kind of input"
        raise _usage(f"`{head}` belongs in a profile", hint)
    return (*where, head, rest) if rest else (*where, key)


def _unknown(key: str) -> ReoError:
    """Return the error for an unknown name, which is shown only when it is like a known one."""
    known = (*BY_KEY, *READING, *(f"{table}.FIELD" for table in TABLES))
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
    values = {keys: _toml_value(keys, text, cwd) for keys, text in texts.items()}
    for keys, value in values.items():
        _check_new(path, keys, value)

    def change(document: Table) -> None:
        for keys, value in values.items():
            node = _descend(document, keys[:-1], create=True)
            node, key = _entry(node, keys[-1])
            node[key] = value

    rewrite(path, lambda old: _changed(path, old, change), create=True)


def unset(path: Path, key: str, profile: str | None) -> bool:
    """Remove one value; tell whether it was there. Raises ReoError as `set_values` does.

    What stands there under a name that reo does not know can be removed too.
    """
    try:
        keys, unknown = place(key, profile), None
    except ReoError as error:
        keys = (*(("profiles", profile) if profile is not None else ()), key)
        unknown = error
    removed = _remove(path, keys)
    if unknown and not removed:
        raise unknown
    return removed


def _remove(path: Path, keys: Keys) -> bool:
    removed = False

    def change(document: Table) -> None:
        nonlocal removed
        node, key = _entry(_descend(document, keys[:-1], create=False), keys[-1])
        removed = node.pop(key, None) is not None

    rewrite(path, lambda old: _changed(path, old, change), create=False)
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
    from reo_cli.guard import check_endpoint, check_key

    setting = BY_KEY.get(keys[-1]) if len(keys) in (1, 3) else None
    if setting is None:
        names = [name.strip() for name in text.split(",")]
        return names if keys[-1] == "id_from" and len(keys) == 3 else text
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

"""Flags > environment > `.env` > profile > config file > default: the value of every setting.

Each level that names a setting is a candidate for it; `resolve` is the only place where one is
chosen. A key file is not read here but when the key is asked for (`Settings.require_key`).
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from reo_cli.errors import ExitCode, ReoError
from reo_cli.settings import files
from reo_cli.settings.guard import QUOTED
from reo_cli.settings.table import (
    BY_KEY,
    EMPTY_KEY,
    NO_KEY,
    READING,
    SETTINGS,
    VARIABLES,
    Scalar,
    Setting,
    Settings,
    Value,
    masked,
    nearest,
    parse,
)

KEYS = ("api_key", "api_key_file")
"""The two ways to give a key; of one level the first comes first."""
ENV_FILE, PROFILE = 2, 3
"""Their places among the levels."""


class Sources(NamedTuple):
    """Where values may come from.

    `flags` maps setting keys to the text as typed, None where a flag was not given. `env_file` is
    the one named with `--env-file`; without it `cwd/.env` is read unless `use_env_file` is off.
    `offline` says that nothing will be sent: an endpoint in `.env` that a send would refuse is
    then left out with a warning.
    """

    flags: Mapping[str, str | None]
    environ: Mapping[str, str]
    cwd: Path
    env_file: Path | None = None
    use_env_file: bool = True
    profile: str | None = None
    offline: bool = False

    def __repr__(self) -> str:
        return "Sources(…)"  # never the key


class Level(NamedTuple):
    """What one source says, as text by key, and the folder where its relative paths start."""

    name: str
    texts: dict[str, Any]
    base: Path
    file: Path | None = None

    def source(self, key: str) -> str:
        """Say where a setting comes from: `flag --timeout`, `environment REO_TIMEOUT`, a file."""
        setting = BY_KEY[key]
        if self.file is not None:
            return self.name
        return f"{self.name} {setting.flag if self.name == 'flag' else setting.variable}"

    def value(self, key: str) -> Scalar | Path:
        """Parse the text. Raises ReoError naming the source (2 for flags, else 78)."""
        text = self.texts[key]
        try:
            value = parse(BY_KEY[key], text)
            if BY_KEY[key].kind != "path":
                return value
            path = files.expanded(self.base, text)
            is_like_a_key = len(text) >= 20 and "/" not in text and "." not in text
            if key == "api_key_file" and is_like_a_key and not path.exists():
                raise ValueError("names no file, and looks like a key, so it is not shown")
            return path
        except ValueError as error:
            is_flag = self.file is None and self.name == "flag"
            code = ExitCode.USAGE if is_flag else ExitCode.CONFIG
            message = f"`{key}` from {self.source(key)}: {error}"
            raise ReoError(code, "setting_value", message) from None


def resolve(sources: Sources) -> Settings:
    """Choose the value of every setting.

    Raises ReoError: 2 for a flag's bad value, 78 for any other, for a broken file, an unknown
    profile, and an endpoint from `.env` without its key (design.md, Settings).
    """
    warnings: list[str] = []
    own = cleaned(sources.environ, "the environment", warnings)
    env_file = _env_file(sources, warnings)
    variables = own if sources.env_file is None else {**env_file.texts, **own}
    path = files.config_path(variables.get("config"), sources.cwd)
    tables = _tables(path, "config" in variables, warnings)
    profile = _profile(sources.profile, variables, path, tables)
    table = {} if profile is None else tables[profile]
    levels = (
        Level("flag", {k: v for k, v in sources.flags.items() if v is not None}, sources.cwd),
        Level("environment", own, sources.cwd),
        env_file,
        Level(f"profile {profile} in {path}", table, path.parent, path),
        Level(str(path), tables.get(None, {}), path.parent, path),
    )
    is_empty = not sources.environ.get("REO_API_KEY", "x").strip()
    if sources.env_file is None:
        _hold_back_endpoint(levels, is_empty, sources.offline, warnings)
    typed: dict[str, Any] = {}
    values = {}
    for setting in SETTINGS:
        typed[setting.key], values[setting.key] = _chosen(setting, levels)
    typed["ledger_path"] = typed.pop("ledger")
    notes = _about_the_key(levels, warnings)
    return Settings(
        **typed,
        reading={key: value for key, value in table.items() if key in READING},
        values=values,
        warnings=tuple(warnings),
        notes=tuple(notes),
        profile=profile,
        config_path=path,
        no_key=EMPTY_KEY if is_empty else NO_KEY,
    )


def cleaned(variables: Mapping[str, str], where: str, warnings: list[str]) -> dict[str, str]:
    """Return the variables of reo by setting, as they are meant; likely mistakes are warnings.

    Blanks around a value are dropped, since `docker --env-file`, `$(cat …)` and Windows leave line
    ends there, and a blank variable is absent. A key is cleaned and checked as one. Raises
    ReoError 78 for a control character that is left, and for what is not UTF-8.
    """
    found = {}
    for name, text in variables.items():
        bare = text.strip()
        if not name.startswith("REO_") or not bare:
            continue
        if name in VARIABLES:
            found[name.removeprefix("REO_").lower()] = text if name == "REO_API_KEY" else bare
        elif near := nearest(name, VARIABLES):
            warnings.append(f"`{name}` in {where} is not a setting: did you mean `{near}`?")
        if name == "REO_API_KEY":
            continue
        if re.search(r"[\0-\x1f\x7f-\x9f\ud800-\udfff]", bare):
            message = f"`{name}` in {where} holds a control character or is not UTF-8"
            raise ReoError(ExitCode.CONFIG, "control_character", message, "write it anew")
        if name in VARIABLES and re.fullmatch(QUOTED, bare):
            warnings.append(f"`{name}` in {where} stands in quotes, which are taken as part of it")
    return found


def _env_file(sources: Sources, warnings: list[str]) -> Level:
    name, is_found = str(sources.env_file or ".env"), sources.env_file is None
    path = sources.cwd / name
    texts: dict[str, str] = {}
    if sources.use_env_file:
        variables = files.load_env(path, name, found=is_found, warnings=warnings)
        texts = cleaned(variables, f"`{name}`", warnings)
    elif not is_found:
        message = "`--env-file` and `--no-env-file` exclude each other"
        raise ReoError(ExitCode.USAGE, "env_file", message)
    return Level(name, texts, path.parent, path)


def _tables(path: Path, is_named: bool, warnings: list[str]) -> files.Tables:
    """Read the config file; one by default that is closed to this user counts as absent."""
    try:
        tables = files.load(path) if path.is_absolute() else {}
    except ReoError as error:
        if is_named or error.reason != "config_closed":
            raise
        warnings.append(f"{error.message}: it counts as absent (is HOME another user's?)")
        return {}
    if is_named and not tables:
        warnings.append(f"`REO_CONFIG` names `{path}`, which does not exist")
    if any("api_key" in table for table in tables.values()) and path.stat().st_mode & 0o077:
        warnings.append(
            f"`{path}` holds a key, and others can read it: `chmod 600 {path}` ends that"
        )
    return tables


def _profile(
    given: str | None, variables: Mapping[str, str], path: Path, tables: files.Tables
) -> str | None:
    name = given or variables.get("profile")
    if name is None or name in tables:
        return name
    hint = "it has no profiles" if tables else "the file does not exist; see `reo config init`"
    if known := ", ".join(f"`{each}`" for each in sorted(filter(None, tables))):
        hint = f"the profiles there are {known}"
    message = f"there is no profile `{name}` in `{path}`"
    raise ReoError(ExitCode.CONFIG, "profile", message, hint)


def _first(levels: Sequence[Level], *keys: str) -> tuple[Level, str] | None:
    """Return the highest level that says something of one of `keys`, and of which."""
    found = ((level, key) for level in levels for key in keys if key in level.texts)
    return next(found, None)


def _hold_back_endpoint(
    levels: Sequence[Level], is_empty: bool, offline: bool, warnings: list[str]
) -> None:
    """Let the endpoint of a `.env` that nobody named count only with the key beside it.

    Raises ReoError 78 when the key comes from elsewhere, or was meant to: a stranger's folder must
    not choose where the user's key is sent (reliability.md 5.8), nor take the place of a secret
    that a job may not see.
    """
    endpoint, key = _first(levels, "endpoint"), _first(levels, *KEYS)
    if endpoint is None or endpoint[0] is not levels[ENV_FILE]:
        return
    env_file, _ = endpoint
    message = f"the endpoint comes from `{env_file.file}`"
    if key is None:
        message += ", which holds no key: it has no effect"
    elif key[0] is not env_file:
        message += f", but the key from {key[0].source(key[1])}"
    elif is_empty:
        message = f"endpoint and key come from `{env_file.file}`: `REO_API_KEY` is set, but empty"
    else:
        return
    if key is not None and not offline:
        hint = "name the file with --env-file if you trust it, or give --no-env-file"
        raise ReoError(ExitCode.CONFIG, "foreign_endpoint", message, hint)
    warnings.append(message if key is None else f"{message}: nothing would be sent")
    del env_file.texts["endpoint"]


def _chosen(setting: Setting, levels: Sequence[Level]) -> tuple[Scalar | Path | None, Value]:
    """Return the value of a setting, None for a key that is not used, and what is shown of it."""
    key = setting.key
    best = _first(levels, key)
    if best is None:
        state = files.user_folder("state") if key == "ledger" else None
        default = state / "ledger.db" if state else setting.default
        return default, Value(key, default)
    level, value = best[0], best[0].value(key)
    is_used = key not in KEYS or best == _first(levels, *KEYS)
    shown = masked(str(value)) if key == "api_key" else value
    return value if is_used else None, Value(key, shown, level.source(key), level.file, is_used)


def _about_the_key(levels: Sequence[Level], warnings: list[str]) -> list[str]:
    """Warn of what may be a mistake, and return notes on which key is used and which are not."""
    found = [(level, key) for level in levels for key in KEYS if key in level.texts]
    if not found:
        return []
    (best, name), *others = found
    used = f"`{name}` from {best.source(name)} is used"
    for level, key in others:
        if level is best:
            warnings.append(f"{used}, not `{key}` from {level.source(key)}")
    if name == "api_key" and best.texts[name] != best.value(name):
        warnings.append(f"blanks around the key from {best.source(name)} were removed")
    if any(level is levels[PROFILE] is not best for level, _ in others):
        name_of = levels[PROFILE].name
        warnings.append(f"the key comes from {best.source(name)}, not from {name_of}")
    return [used, *(f"`{key}` from {level.source(key)} is not used" for level, key in others)]

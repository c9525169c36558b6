"""Flags > environment > `.env` > profile > config file > default: the value of every setting.

What a level says of a setting is a candidate for it; `resolve` is the only place where one is
chosen. A key file is not read here but when the key is asked for (`Settings.require_key`).
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from reo_cli.errors import ExitCode, ReoError
from reo_cli.settings import files
from reo_cli.settings.prompt import KEY_PLACE, QUOTED
from reo_cli.settings.table import (
    BY_KEY,
    READING,
    VARIABLES,
    Scalar,
    Settings,
    Value,
    nearest,
    parse,
)

NO_KEY = (
    "there is no API key: set `REO_API_KEY`, or give `--api-key-file FILE`, or put it in `.env`, "
    f"or run `reo config set api_key`; Reo.Dev shows it under {KEY_PLACE}"
)
EMPTY_KEY = (
    "there is no API key: `REO_API_KEY` is set but empty: a secret that this job may not see, or a "
    "misspelt name?"
)

KEYS = ("api_key", "api_key_file")
"""The two ways to give a key; of one level the first comes first."""

Level = tuple[str, Mapping[str, Any], Path, Path | None]
"""What one source says: its name, texts by key, the folder where relative paths start, its file."""


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


class Candidate(NamedTuple):
    """What one level says of one setting, as text."""

    key: str
    text: str
    level: str
    base: Path
    file: Path | None

    @property
    def source(self) -> str:
        """Where it comes from: `flag --timeout`, `environment REO_TIMEOUT`, a file."""
        if self.file is not None:
            return self.level
        setting = BY_KEY[self.key]
        return f"{self.level} {setting.flag if self.level == 'flag' else setting.variable}"

    def value(self) -> Scalar | Path:
        """Parse the text. Raises ReoError naming the source (2 for flags, else 78)."""
        try:
            value = parse(BY_KEY[self.key], self.text)
            if BY_KEY[self.key].kind != "path":
                return value
            path = files.expanded(self.base, self.text)
            is_like_a_key = not re.search("[/.]", self.text) and len(self.text) >= 20
            if self.key == "api_key_file" and is_like_a_key and not path.exists():
                raise ValueError("names no file, and looks like a key, so it is not shown")
            return path
        except ValueError as error:
            code = ExitCode.USAGE if self.level == "flag" else ExitCode.CONFIG
            message = f"`{self.key}` from {self.source}: {error}"
            raise ReoError(code, "setting_value", message) from None


def resolve(sources: Sources) -> Settings:
    """Choose the value of every setting.

    Raises ReoError: 2 for a flag's bad value, 78 for any other, for a broken file, an unknown
    profile, and an endpoint from `.env` without its key (design.md, Settings).
    """
    warnings: list[str] = []
    own = cleaned(sources.environ, "the environment", warnings)
    env_file = _env_file(sources, warnings)
    variables = own if sources.env_file is None else {**env_file[1], **own}
    path = files.config_path(variables.get("config"), sources.cwd)
    tables = _tables(path, "config" in variables, warnings)
    profile = _profile(sources.profile, variables, path, tables)
    table = {} if profile is None else tables[profile]
    profile_level = f"profile {profile} in {path}"
    levels: list[Level] = [
        ("flag", sources.flags, sources.cwd, None),
        ("environment", own, sources.cwd, None),
        env_file,
        (profile_level, table, path.parent, path),
        (str(path), tables.get(None, {}), path.parent, path),
    ]
    found = [
        Candidate(key, texts[key], level, base, file)
        for level, texts, base, file in levels
        for key in BY_KEY
        if texts.get(key) is not None
    ]
    is_empty = not sources.environ.get("REO_API_KEY", "x").strip()
    if sources.env_file is None:
        _hold_back_endpoint(found, env_file[3], is_empty, sources.offline, warnings)
    return Settings(
        {key: _chosen(key, found) for key in BY_KEY},
        reading={key: value for key, value in table.items() if key in READING},
        notes=tuple(_about_the_key(found, profile_level, warnings)),
        warnings=tuple(warnings),
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
    return name, texts, path.parent, path


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


def _first(found: Sequence[Candidate], *keys: str) -> Candidate | None:
    """Return what the highest level says that says something of one of `keys`."""
    return next((each for each in found if each.key in keys), None)


def _hold_back_endpoint(
    found: list[Candidate], file: Path | None, is_empty: bool, offline: bool, warnings: list[str]
) -> None:
    """Let the endpoint of a `.env` that nobody named count only with the key beside it.

    Raises ReoError 78 when the key comes from elsewhere, or was meant to: a stranger's folder must
    not choose where the user's key is sent (reliability.md 5.8), nor take the place of a secret
    that a job may not see.
    """
    endpoint, key = _first(found, "endpoint"), _first(found, *KEYS)
    if endpoint is None or endpoint.file != file:
        return
    message = f"the endpoint comes from `{file}`"
    if key is None:
        message += ", which holds no key: it has no effect"
    elif key.file != file:
        message += f", but the key from {key.source}"
    elif is_empty:
        message = f"endpoint and key come from `{file}`: `REO_API_KEY` is set, but empty"
    else:
        return
    if key is not None and not offline:
        hint = "name the file with --env-file if you trust it, or give --no-env-file"
        raise ReoError(ExitCode.CONFIG, "foreign_endpoint", message, hint)
    warnings.append(message if key is None else f"{message}: nothing would be sent")
    found.remove(endpoint)


def _chosen(key: str, found: Sequence[Candidate]) -> Value:
    """Return the value of a setting; a key that another one comes before is not used."""
    best = _first(found, key)
    if best is None:
        state = files.user_folder("state") if key == "ledger" else None
        return Value(key, state / "ledger.db" if state else BY_KEY[key].default)
    is_used = key not in KEYS or best is _first(found, *KEYS)
    return Value(key, best.value(), best.source, best.file, is_used)


def _about_the_key(
    found: Sequence[Candidate], profile_level: str, warnings: list[str]
) -> list[str]:
    """Warn of what may be a mistake, and return notes on which key is used and which are not."""
    keys = [each for each in found if each.key in KEYS]
    if not keys:
        return []
    best, *others = keys
    used = f"`{best.key}` from {best.source} is used"
    for each in others:
        if each.level == best.level:
            warnings.append(f"{used}, not `{each.key}` from {each.source}")
    if best.key == "api_key" and best.text != best.value():
        warnings.append(f"blanks around the key from {best.source} were removed")
    if best.level != profile_level and any(each.level == profile_level for each in others):
        warnings.append(f"the key comes from {best.source}, not from {profile_level}")
    return [used, *(f"`{each.key}` from {each.source} is not used" for each in others)]

"""Flags > environment > `.env` > profile > config file > default: the value of every setting.

What a level says of a setting is a candidate for it; `resolve` is the only place where one is
chosen. A key file is not read here but when the key is asked for (`Settings.require_key`).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from reo_cli.errors import ExitCode, ReoError
from reo_cli.settings import files
from reo_cli.settings.prompt import KEY_PLACE, QUOTED, masked
from reo_cli.settings.table import (
    BY_KEY,
    READING,
    VARIABLES,
    Scalar,
    Settings,
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


class Value(NamedTuple):
    """What one level says of one setting, as text; None for what is not set.

    `base` is where a relative path starts, `file` the file it stands in. `used` is false for a way
    to give the key that another one comes before.
    """

    level: str = "default"
    base: Path = Path()
    file: Path | None = None
    key: str = ""
    text: str | None = None
    used: bool = True

    @property
    def source(self) -> str:
        """Where it comes from: `flag --timeout`, `environment REO_TIMEOUT`, a file, `default`."""
        match self.level:
            case "flag":
                return f"flag {BY_KEY[self.key].flag}"
            case "environment":
                return f"environment {BY_KEY[self.key].variable}"
        return self.level

    @property
    def value(self) -> Scalar | Path | None:
        """What the text means. Raises ReoError naming the source (2 for flags, else 78)."""
        setting, text = BY_KEY.get(self.key), self.text
        if setting is None or text is None:
            return text
        try:
            value = parse(setting, text)
            if setting.kind != "path":
                return value
            path = files.expanded(self.base, text)
            is_like_a_key = not re.search("[/.]", text) and len(text) >= 20
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
    in_profile = Value(f"profile {profile} in {path}", path.parent, path)
    levels: list[tuple[Value, Mapping[str, Any]]] = [
        (Value("flag", sources.cwd), sources.flags),
        (Value("environment", sources.cwd), own),
        env_file,
        (in_profile, table),
        (Value(str(path), path.parent, path), tables.get(None, {})),
        (Value(), _defaults()),
    ]
    found = [
        level._replace(key=key, text=texts[key])
        for level, texts in levels
        for key in BY_KEY
        if texts.get(key) is not None
    ]
    is_empty = not sources.environ.get("REO_API_KEY", "x").strip()
    if sources.env_file is None:
        _hold_back_endpoint(found, env_file[0].file, is_empty, sources.offline, warnings)
    keys = [each for each in found if each.key in KEYS]
    best = {each.key: each._replace(used=each not in keys[1:]) for each in reversed(found)}
    values = {key: best.get(key, Value(key=key)) for key in BY_KEY}
    known = {key: each.value if each.used else None for key, each in values.items()}
    if text := values["api_key"].text:
        values["api_key"] = values["api_key"]._replace(text=masked(text.strip()))
    reading = {key: value for key, value in table.items() if key in READING}
    return Settings(
        **known,
        reading=reading,
        values=values | _rows(reading, in_profile),
        notes=tuple(_about_the_keys(keys, in_profile.level, warnings)),
        warnings=tuple(warnings),
        profile=profile,
        config_path=path,
        no_key=EMPTY_KEY if is_empty else NO_KEY,
    )


def _defaults() -> dict[str, str]:
    texts = {key: str(each.default) for key, each in BY_KEY.items() if each.default is not None}
    state = files.user_folder("state")
    return {**texts, "ledger": str(state / "ledger.db")} if state else texts


def _rows(reading: Mapping[str, Any], in_profile: Value) -> dict[str, Value]:
    """Return what a profile says about files as it is shown, a row for each field of a table."""
    texts: dict[str, str] = {}
    for key, own in reading.items():
        if isinstance(own, Mapping):
            texts |= {f"{key}.{field}": text for field, text in own.items()}
        else:
            texts[key] = ",".join(own) if isinstance(own, tuple) else own
    return {key: in_profile._replace(key=key, text=text) for key, text in texts.items()}


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


def _env_file(sources: Sources, warnings: list[str]) -> tuple[Value, dict[str, str]]:
    name, is_found = str(sources.env_file or ".env"), sources.env_file is None
    path = sources.cwd / name
    texts: dict[str, str] = {}
    if sources.use_env_file:
        variables = files.load_env(path, name, found=is_found, warnings=warnings)
        texts = cleaned(variables, f"`{name}`", warnings)
    elif not is_found:
        message = "`--env-file` and `--no-env-file` exclude each other"
        raise ReoError(ExitCode.USAGE, "env_file", message)
    return Value(name, path.parent, path), texts


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


def _first(found: Sequence[Value], *keys: str) -> Value | None:
    """Return what the highest level says that says something of one of `keys`."""
    return next((each for each in found if each.key in keys), None)


def _hold_back_endpoint(
    found: list[Value], file: Path | None, is_empty: bool, offline: bool, warnings: list[str]
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
    warnings.append(message if key is None else f"{message}: sending would stop (78)")
    found.remove(endpoint)


def _about_the_keys(
    keys: Sequence[Value], profile_level: str, warnings: list[str]
) -> Iterator[str]:
    """Warn of what may be a mistake, and give notes on which key is used and which are not."""
    if not keys:
        return
    best, *others = keys
    used = f"`{best.key}` from {best.source} is used"
    for each in others:
        if each.level == best.level:
            warnings.append(f"{used}, not `{each.key}` from {each.source}")
    if best.key == "api_key" and best.text != best.value:
        warnings.append(f"blanks around the key from {best.source} were removed")
    if best.level != profile_level and any(each.level == profile_level for each in others):
        warnings.append(f"the key comes from {best.source}, not from {profile_level}")
    yield used
    yield from (f"`{each.key}` from {each.source} is not used" for each in others)

"""Flags > environment > `.env` > profile > config file > default: the value of every setting.

Each source that names a setting is a candidate for it; `resolve` is the only place where one is
chosen. The key file is not read here but when the key is asked for (`Settings.require_key`).
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from reo_cli.errors import ExitCode, ReoError
from reo_cli.settings import configfile, guard
from reo_cli.settings.configfile import ConfigFile, config_path
from reo_cli.settings.files import EnvFile, expanded, load_env
from reo_cli.settings.model import Settings, Value
from reo_cli.settings.table import (
    BY_KEY,
    SETTINGS,
    VARIABLES,
    Scalar,
    Setting,
    masked,
    nearest,
    parse,
)

KEYS = ("api_key", "api_key_file")
"""The two ways to give a key; of one source the first comes first."""
FLAG, ENVIRONMENT, ENV_FILE, PROFILE, TOP = range(5)
"""The ranks of the sources."""


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
    """What one source says of a setting: its text, and the folder where a relative path starts."""

    key: str
    text: str
    rank: int
    source: str
    base: Path
    file: Path | None = None

    def __repr__(self) -> str:
        return f"Candidate({self.key} from {self.source})"  # never the key

    def value(self) -> Scalar | Path:
        """Parse the text. Raises ReoError naming the source (2 for flags, else 78)."""
        setting = BY_KEY[self.key]
        try:
            value = parse(setting, self.text)
        except ValueError as error:
            raise self._fault(str(error)) from None
        if setting.kind != "path":
            return value
        path = expanded(self.base, self.text)
        if self.key == "api_key_file" and _looks_like_a_key(self.text) and not path.exists():
            raise self._fault("names no file, and looks like a key, so it is not shown")
        return path

    def _fault(self, problem: str) -> ReoError:
        code = ExitCode.USAGE if self.rank == FLAG else ExitCode.CONFIG
        message = f"`{self.key}` from {self.source}: {problem}"
        return ReoError(code, "setting_value", message)


def _looks_like_a_key(text: str) -> bool:
    return len(text) >= 20 and "/" not in text and "." not in text


def resolve(sources: Sources) -> Settings:
    """Choose the value of every setting.

    Raises ReoError: 2 for a flag's bad value, 78 for any other, for a broken file, an unknown
    profile, and an endpoint from `.env` without its key (design.md, Settings).
    """
    if sources.env_file is not None and not sources.use_env_file:
        message = "`--env-file` and `--no-env-file` exclude each other"
        raise ReoError(ExitCode.USAGE, "env_file", message)
    env_file = load_env(sources.cwd, sources.env_file) if sources.use_env_file else None
    own = cleaned(sources.environ, "the environment")
    environ = own
    if env_file:
        env_file = env_file._replace(values=cleaned(env_file.values, f"`{env_file.name}`"))
        environ = own if env_file.found else {**env_file.values, **own}
    path = config_path(environ, sources.cwd)
    warnings = _variable_warnings(own, env_file)
    config = _config(path, named="REO_CONFIG" in environ, warnings=warnings)
    profile = _profile_name(sources, environ)
    candidates = list(_candidates(sources, own, env_file, config, path, profile))
    empty_key = not sources.environ.get("REO_API_KEY", "x").strip()
    candidates = _without_foreign_endpoint(candidates, env_file, sources, warnings, empty_key)
    key = _first(candidates, KEYS)
    typed: dict[str, Any] = {}
    values = {}
    for setting in SETTINGS:
        typed[setting.key], values[setting.key] = _chosen(setting, candidates, key)
    typed["given_ledger"] = typed.pop("ledger")
    return Settings(
        **typed,
        reading=config.profiles[profile].reading if config and profile else MappingProxyType({}),
        values=values,
        warnings=(*warnings, *_key_warnings(candidates, key)),
        notes=tuple(_key_notes(candidates, key)),
        profile=profile,
        config_path=path,
        empty_key=empty_key,
    )


def cleaned(variables: Mapping[str, str], where: str) -> dict[str, str]:
    """Return the variables of reo as they are meant: without blanks around them, blank ones absent.

    `docker --env-file`, `$(cat …)` and Windows leave line ends there. Raises ReoError 78 for a
    control character in a value; a key is cleaned and checked as one.
    """
    found = {}
    for name, text in variables.items():
        if not name.startswith("REO_"):
            continue
        bare = text.strip()
        if bare and name == "REO_API_KEY":
            found[name] = text
        elif bare:
            if any(ord(char) < 32 or 127 <= ord(char) < 160 for char in bare):
                message = f"`{name}` in {where} holds a control character"
                raise ReoError(ExitCode.CONFIG, "control_character", message, "write it anew")
            found[name] = bare
    return found


def _config(path: Path, *, named: bool, warnings: list[str]) -> ConfigFile | None:
    """Read the config file; one by default that is closed to this user counts as absent."""
    try:
        config = configfile.load(path) if path.is_absolute() else None
    except ReoError as error:
        if named or error.reason != "config_closed":
            raise
        warnings.append(f"{error.message}: it counts as absent (is HOME another user's?)")
        return None
    if config is None and named:
        warnings.append(f"`REO_CONFIG` names `{path}`, which does not exist")
    if config is not None and config.is_exposed:
        warnings.append(
            f"`{path}` holds a key, and others can read it: `chmod 600 {path}` ends that"
        )
    return config


def _profile_name(sources: Sources, environ: Mapping[str, str]) -> str | None:
    if sources.profile == "":
        raise ReoError(ExitCode.USAGE, "profile", "`--profile` is empty")
    return sources.profile or environ.get("REO_PROFILE")


def _candidates(
    sources: Sources,
    environ: Mapping[str, str],
    env_file: EnvFile | None,
    config: ConfigFile | None,
    path: Path,
    profile: str | None,
) -> Iterator[Candidate]:
    """Give what each source says, the highest first. Raises ReoError 78 for an unknown profile."""
    cwd = sources.cwd
    for key, typed in sources.flags.items():
        if typed is not None:
            yield Candidate(key, typed, FLAG, f"flag {BY_KEY[key].flag}", cwd)
    for key, text in _by_setting(environ):
        yield Candidate(key, text, ENVIRONMENT, f"environment {BY_KEY[key].variable}", cwd)
    if env_file:
        for key, text in _by_setting(env_file.values):
            path_of = env_file.path
            yield Candidate(key, text, ENV_FILE, env_file.name, path_of.parent, path_of)
    if profile is not None:
        if config is None or profile not in config.profiles:
            raise _unknown_profile(config, path, profile)
        source = f"profile {profile} in {path}"
        for key, text in config.profiles[profile].texts.items():
            yield Candidate(key, text, PROFILE, source, path.parent, path)
    if config:
        for key, text in config.texts.items():
            yield Candidate(key, text, TOP, str(path), path.parent, path)


def _by_setting(variables: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for each in SETTINGS:
        if each.variable in variables:
            yield each.key, variables[each.variable]


def _unknown_profile(config: ConfigFile | None, path: Path, name: str) -> ReoError:
    known = ", ".join(f"`{each}`" for each in sorted(config.profiles)) if config else ""
    if known:
        hint = f"the profiles there are {known}"
    else:
        hint = "it has no profiles" if config else "the file does not exist; see `reo config init`"
    message = f"there is no profile `{name}` in `{path}`"
    return ReoError(ExitCode.CONFIG, "profile", message, hint)


def _first(candidates: Iterable[Candidate], keys: tuple[str, ...]) -> Candidate | None:
    """Return the highest candidate for any of `keys`; of one source the earlier key."""
    of_keys = [each for each in candidates if each.key in keys]
    return min(of_keys, key=lambda each: (each.rank, keys.index(each.key)), default=None)


def _without_foreign_endpoint(
    candidates: list[Candidate],
    env_file: EnvFile | None,
    sources: Sources,
    warnings: list[str],
    empty_key: bool,
) -> list[Candidate]:
    """Let the endpoint of a `.env` that nobody named count only with the key beside it.

    Raises ReoError 78 when the key comes from elsewhere, or was meant to: a stranger's folder must
    not choose where the user's key is sent (reliability.md 5.8), nor take the place of a secret
    that a job may not see.
    """
    endpoint, key = _first(candidates, ("endpoint",)), _first(candidates, KEYS)
    if env_file is None or not env_file.found or endpoint is None or endpoint.rank != ENV_FILE:
        return candidates
    is_own = key is not None and key.rank == ENV_FILE and key.key == "api_key"
    if is_own and not empty_key:
        return candidates
    message = f"the endpoint comes from `{env_file.path}`"
    if key is None:
        message += ", which holds no key: it has no effect"
    else:
        message += f", but the key from {key.source}"
        if is_own:
            message = (
                f"endpoint and key come from `{env_file.path}`: `REO_API_KEY` is set, but empty"
            )
        if not sources.offline:
            hint = "name the file with --env-file if you trust it, or give --no-env-file"
            raise ReoError(ExitCode.CONFIG, "foreign_endpoint", message, hint)
        message += ": nothing would be sent"
    warnings.append(message)
    return [each for each in candidates if each != endpoint]


def _chosen(
    setting: Setting, candidates: list[Candidate], key: Candidate | None
) -> tuple[Scalar | Path | None, Value]:
    """Return the value of a setting, and what is shown of it."""
    best = _first(candidates, (setting.key,))
    if best is None:
        return setting.default, Value(setting.key, setting.default, "default")
    value = best.value()
    shown = masked(str(value)) if setting.is_secret else value
    used = setting.key not in KEYS or best is key
    return (value if used else None), Value(setting.key, shown, best.source, best.file, used)


def _variable_warnings(environ: Mapping[str, str], env_file: EnvFile | None) -> list[str]:
    """Say what looks like a mistake in the environment and in a `.env`."""
    warnings = _odd(environ, "the environment")
    if env_file:
        warnings += [*env_file.warnings, *_odd(env_file.values, f"`{env_file.name}`")]
    return warnings


def _odd(variables: Mapping[str, str], where: str) -> list[str]:
    """Name variables that look like a mistyped setting, and quotes that became part of a value."""
    warnings = []
    for name, text in variables.items():
        if name not in VARIABLES and (near := nearest(name, VARIABLES)):
            warnings.append(f"`{name}` in {where} is not a setting: did you mean `{near}`?")
        elif name in VARIABLES and name != "REO_API_KEY" and guard.is_quoted(text):
            warnings.append(f"`{name}` in {where} stands in quotes, which are taken as part of it")
    return warnings


def _key_warnings(candidates: list[Candidate], key: Candidate | None) -> Iterator[str]:
    if key is None:
        return
    for each in candidates:
        if each.key in KEYS and each.rank == key.rank and each is not key:
            yield f"`{key.key}` from {key.source} is used, not `{each.key}` from {each.source}"
    if key.key == "api_key" and key.text != key.value():
        yield f"blanks around the key from {key.source} were removed"
    own = _first([each for each in candidates if each.rank == PROFILE], KEYS)
    if own is not None and own.rank != key.rank:
        yield f"the key comes from {key.source}, not from {own.source}"


def _key_notes(candidates: list[Candidate], key: Candidate | None) -> Iterator[str]:
    """Say where the key comes from, and which others it hides."""
    for each in candidates:
        if each.key in KEYS:
            state = "is used" if each is key else "is not used"
            yield f"`{each.key}` from {each.source} {state}"

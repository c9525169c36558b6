"""The steps of the precedence, laid out highest first: what each source says, and its name.

Here the files are found and read; which value wins is the part of `resolve`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from reo_cli.errors import ExitCode, ReoError
from reo_cli.settings.folders import expanded, user_folder
from reo_cli.settings.model import Reading
from reo_cli.settings.table import (
    BY_KEY,
    SETTINGS,
    VARIABLES,
    Scalar,
    Setting,
    nearest,
    parse,
)

if TYPE_CHECKING:
    from reo_cli.settings.configfile import ConfigFile
    from reo_cli.settings.envfile import EnvFile

KEYS = ("api_key", "api_key_file")
"""The two ways to give a key; within one level the first comes first."""


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
    """One step of the precedence: texts by setting key, and how to speak of them.

    `label` is the source in words; where it holds `{}`, the name of the flag or variable goes in.
    Relative paths start at `base`. `is_found` marks a `.env` that nobody named.
    """

    texts: Mapping[str, str]
    label: str
    base: Path
    code: ExitCode = ExitCode.CONFIG
    file: Path | None = None
    is_profile: bool = False
    is_found: bool = False

    def __repr__(self) -> str:
        return f"Level({self.label})"  # never the key

    def source(self, key: str) -> str:
        """Say where this level has a setting from: `environment REO_TIMEOUT`."""
        setting = BY_KEY[key]
        if self.file is not None:
            return self.label
        name = setting.flag if self.code is ExitCode.USAGE else setting.variable
        return self.label.format(name)

    def value(self, setting: Setting) -> Scalar | Path:
        """Parse the text of a setting. Raises ReoError naming the source (2 for flags)."""
        text = self.texts[setting.key]
        try:
            value = parse(setting, text)
        except ValueError as error:
            raise self._fault(setting, str(error)) from None
        if setting.kind != "path":
            return value
        path = expanded(self.base, text)
        if setting.key == "api_key_file" and _looks_like_a_key(text) and not path.exists():
            raise self._fault(setting, "names no file, and looks like a key, so it is not shown")
        return path

    def key_setting(self) -> str | None:
        """Return which of `KEYS` this level gives the key with, None if with neither."""
        return next((key for key in KEYS if key in self.texts), None)

    def _fault(self, setting: Setting, problem: str) -> ReoError:
        message = f"`{setting.key}` from {self.source(setting.key)}: {problem}"
        return ReoError(self.code, "setting_value", message)


class Levels(NamedTuple):
    """All levels in their order, and what was noticed on the way."""

    levels: tuple[Level, ...]
    profile: str | None
    reading: Reading
    config_path: Path
    warnings: tuple[str, ...]

    def holder(self, key: str) -> Level | None:
        """Return the highest level that has a setting."""
        return next((level for level in self.levels if key in level.texts), None)

    def key_level(self) -> Level | None:
        """Return the highest level that gives the key, in whatever way."""
        return next((level for level in self.levels if level.key_setting()), None)


def gather(sources: Sources) -> Levels:
    """Read the files and lay out the levels. Raises ReoError 78, or 2 for an empty `--profile`."""
    if sources.env_file is not None and not sources.use_env_file:
        message = "`--env-file` and `--no-env-file` exclude each other"
        raise ReoError(ExitCode.USAGE, "env_file", message)
    env_file = _env_file(sources)
    environ = {key: text for key, text in sources.environ.items() if text.strip()}
    if env_file and not env_file.found:
        environ = {**env_file.values, **environ}
    path = config_path(environ, sources.cwd)
    config = _config_file(path)
    name = _profile_name(sources, environ)
    levels = [
        Level({key: text for key, text in sources.flags.items() if text is not None},
              "flag {}", sources.cwd, ExitCode.USAGE),
        Level(_by_setting(sources.environ), "environment {}", sources.cwd),
    ]  # fmt: skip
    if env_file:
        levels.append(_env_file_level(env_file))
    if name is not None:
        levels.append(_profile_level(config, path, name))
    if config:
        levels.append(Level(config.texts, str(path), path.parent, file=path))
    return Levels(
        tuple(levels),
        name,
        config.profiles[name].reading if config and name is not None else Reading(),
        path,
        (*_env_warnings(sources.environ, env_file), *_config_warnings(environ, path, config)),
    )


def _env_file(sources: Sources) -> "EnvFile | None":
    """Read the `.env` in use, if any; the reader is loaded for a file only."""
    if not sources.use_env_file:
        return None
    if sources.env_file is None:
        try:
            (sources.cwd / ".env").lstat()
        except (FileNotFoundError, PermissionError):
            return None  # nobody can tell what a closed folder holds, and nobody asked for it
    from reo_cli.settings import envfile

    return envfile.load(sources.cwd, sources.env_file)


def _config_file(path: Path) -> "ConfigFile | None":
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        pass  # whatever it is, it is there, and `load` says what is wrong with it
    from reo_cli.settings import configfile

    return configfile.load(path) if path.is_absolute() else None


def config_path(environ: Mapping[str, str], cwd: Path) -> Path:
    """Return `$REO_CONFIG`, else `config.toml` in the user config folder.

    It is not absolute when the system knows no home for this user: there is no config file then.
    """
    given = environ.get("REO_CONFIG", "")
    if given.strip():
        return expanded(cwd, given).absolute()
    folder = user_folder("config")
    return Path("~/.config/reo/config.toml") if folder is None else folder / "config.toml"


def _looks_like_a_key(text: str) -> bool:
    return len(text) >= 20 and "/" not in text and "." not in text


def _env_file_level(env_file: "EnvFile") -> Level:
    texts, path = _by_setting(env_file.values), env_file.path
    return Level(texts, env_file.name, path.parent, file=path, is_found=env_file.found)


def _by_setting(variables: Mapping[str, str]) -> dict[str, str]:
    """Return texts by setting key; a blank variable is absent."""
    texts = {each.key: variables.get(each.variable, "") for each in SETTINGS}
    return {key: text for key, text in texts.items() if text.strip()}


def _profile_name(sources: Sources, environ: Mapping[str, str]) -> str | None:
    if sources.profile == "":
        raise ReoError(ExitCode.USAGE, "profile", "`--profile` is empty")
    return sources.profile or environ.get("REO_PROFILE")


def _profile_level(config: "ConfigFile | None", path: Path, name: str) -> Level:
    if config is not None and name in config.profiles:
        label = f"profile {name} in {path}"
        return Level(config.profiles[name].texts, label, path.parent, file=path, is_profile=True)
    known = ", ".join(f"`{each}`" for each in sorted(config.profiles)) if config else ""
    if known:
        hint = f"the profiles there are {known}"
    else:
        hint = "it has no profiles" if config else "the file does not exist; see `reo config init`"
    message = f"there is no profile `{name}` in `{path}`"
    raise ReoError(ExitCode.CONFIG, "profile", message, hint)


def _env_warnings(environ: Mapping[str, str], env_file: "EnvFile | None") -> list[str]:
    warnings = _near_misses(environ, "the environment")
    if env_file:
        warnings += [*env_file.warnings, *_near_misses(env_file.values, f"`{env_file.name}`")]
    return warnings


def _near_misses(variables: Mapping[str, str], where: str) -> list[str]:
    """Warn about variables that look like a mistyped setting."""
    warnings = []
    for name in variables:
        if name.startswith("REO_") and name not in VARIABLES and (near := nearest(name, VARIABLES)):
            warnings.append(f"`{name}` in {where} is no setting: did you mean `{near}`?")
    return warnings


def _config_warnings(
    environ: Mapping[str, str], path: Path, config: "ConfigFile | None"
) -> list[str]:
    if config is None:
        named = "REO_CONFIG" in environ
        return [f"`REO_CONFIG` names `{path}`, which does not exist"] if named else []
    if not config.is_exposed:
        return []
    return [f"`{path}` holds a key, and others can read it: `chmod 600 {path}` ends that"]

"""Flags > environment > `.env` > profile > config file > default: the value of every setting.

`resolve` is the only place where a value is chosen. The key file is not read here but when the key
is asked for (`Settings.require_key`).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reo_cli.errors import ExitCode, ReoError
from reo_cli.settings.levels import KEYS, Level, Levels, Sources, gather
from reo_cli.settings.model import Settings, Value
from reo_cli.settings.table import BY_KEY, SETTINGS, Scalar, Setting, masked, parse


def resolve(sources: Sources) -> Settings:
    """Choose the value of every setting.

    Raises ReoError: 2 for a flag's bad value, 78 for any other, for a broken file, an unknown
    profile, and an endpoint from `.env` without its key (design.md, Settings).
    """
    found = gather(sources)
    key_level = found.key_level()
    found = _without_foreign_endpoint(found, key_level, sources.offline)
    values = {each.key: _chosen(each, found, key_level) for each in SETTINGS}
    typed: dict[str, Any] = {
        key: value if shown.used else None for key, (value, shown) in values.items()
    }
    typed["given_ledger"] = typed.pop("ledger")
    return Settings(
        **typed,
        **found.reading._asdict(),
        values={key: shown for key, (_, shown) in values.items()},
        warnings=(*found.warnings, *_key_warnings(found, key_level)),
        notes=tuple(_key_notes(found, key_level)),
        profile=found.profile,
        config_path=found.config_path,
    )


def _without_foreign_endpoint(found: Levels, key_level: Level | None, offline: bool) -> Levels:
    """Let the endpoint of a `.env` that nobody named count only with the key beside it.

    Raises ReoError 78 when the key comes from elsewhere: a stranger's folder must not choose where
    the user's key is sent (reliability.md 5.8).
    """
    level = found.holder("endpoint")
    if level is None or not level.is_found or (level is key_level and "api_key" in level.texts):
        return found
    message = f"the endpoint comes from `{level.file}`"
    key = key_level.key_setting() if key_level else None
    if key_level is None or key is None:
        message += ", which holds no key: it has no effect"
    else:
        message += f", but the key from {key_level.source(key)}"
        if not offline:
            hint = "name the file with --env-file if you trust it, or give --no-env-file"
            raise ReoError(ExitCode.CONFIG, "foreign_endpoint", message, hint)
        message += ": nothing would be sent"
    texts = {key: text for key, text in level.texts.items() if key != "endpoint"}
    levels = [each._replace(texts=texts) if each is level else each for each in found.levels]
    warnings = (*found.warnings, message)
    return found._replace(levels=tuple(levels), warnings=warnings)


def _chosen(
    setting: Setting, found: Levels, key_level: Level | None
) -> tuple[Scalar | Path | None, Value]:
    """Return the value of a setting, and what is shown of it."""
    level = found.holder(setting.key)
    if level is None:
        return setting.default, Value(setting.key, setting.default, "default")
    value = level.value(setting)
    shown = masked(str(value)) if setting.is_secret else value
    used = setting.key not in KEYS or _is_used(level, setting.key, key_level)
    return value, Value(setting.key, shown, level.source(setting.key), level.file, used)


def _is_used(level: Level, key: str, key_level: Level | None) -> bool:
    return level is key_level and level.key_setting() == key


def _key_warnings(found: Levels, key_level: Level | None) -> Iterator[str]:
    key = key_level.key_setting() if key_level else None
    if key_level is None or key is None:
        return
    source = key_level.source(key)
    if all(each in key_level.texts for each in KEYS):
        other = key_level.source("api_key_file")
        yield f"`api_key` from {source} is used, not `api_key_file` from {other}"
    text = key_level.texts.get("api_key", "")
    if text != parse(BY_KEY["api_key"], text):
        yield f"blanks around the key from {source} were removed"
    for level in found.levels:
        own = level.key_setting()
        if level.is_profile and level is not key_level and own:
            yield f"the key comes from {source}, not from {level.source(own)}"


def _key_notes(found: Levels, key_level: Level | None) -> Iterator[str]:
    """Say where the key comes from, and which others it hides."""
    for level in found.levels:
        for key in KEYS:
            if key in level.texts:
                state = "is used" if _is_used(level, key, key_level) else "is not used"
                yield f"`{key}` from {level.source(key)} {state}"

"""The settings of the library: a plain value that is checked when it is made and can be pickled."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reo_cli.errors import ExitCode, ReoError
from reo_cli.library.failures import Misconfigured, typed
from reo_cli.library.logs import log
from reo_cli.settings.table import BY_KEY, SETTINGS, Setting


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Who sends, where to and how: the settings of the command, with the same defaults.

    Give `api_key` or `api_key_file`. `timeout` is in seconds an attempt, `rate` in events a second.
    Without `ledger`, a path, nothing is remembered after a call. A settings object can be pickled,
    with its key; `repr` never shows it. Raises `Misconfigured` for a value out of its limits.
    """

    api_key: str | None = field(default=None, repr=False)
    api_key_file: str | Path | None = None
    account: str | None = None
    endpoint: str = str(BY_KEY["endpoint"].default)
    product_id: str | None = None
    activity_type: str | None = None
    environment: str | None = None
    timeout: float = 10.0
    retries: int = 5
    concurrency: int = 8
    rate: float | None = None
    ledger: str | Path | None = None
    ledger_keep_days: int = 400
    ca_bundle: str | Path | None = None

    def __post_init__(self) -> None:
        from reo_cli.settings.prompt import check_key
        from reo_cli.settings.table import check_endpoint

        for each in SETTINGS:
            value = getattr(self, each.key)
            if value is not None or each.default is not None:
                _require_in_limits(each, value)
        with typed():
            object.__setattr__(self, "endpoint", check_endpoint(self.endpoint))
            if self.api_key is not None:
                object.__setattr__(self, "api_key", check_key(self.api_key))

    @classmethod
    def load(cls, profile: str | None = None, *, env_file: str | Path | None = None) -> "Settings":
        """Return what the command would use: environment, `env_file` if named, and config file.

        The ledger is the one that is named there, if any. Raises `Misconfigured`.
        """
        from reo_cli.settings import Sources, resolve

        named = None if env_file is None else Path(env_file)
        with typed():
            found = resolve(Sources({}, os.environ, Path.cwd(), named, named is not None, profile))
        for warning in found.warnings:
            log().warning(warning)
        given = [key for key in BY_KEY if found.values[key].source != "default"]
        return cls(**{key: getattr(found, key) for key in given})

    @typed()
    def key(self) -> str:
        """Return the key, read from its file if that is how it is given; raises `Misconfigured`."""
        from reo_cli.settings.prompt import key_in

        if self.api_key is not None:
            return self.api_key
        if self.api_key_file is not None:
            return key_in(Path(self.api_key_file))
        hint = "give Settings an `api_key` or an `api_key_file`"
        raise ReoError(ExitCode.CONFIG, "no_key", "there is no API key", hint)


def _require_in_limits(setting: Setting, value: Any) -> None:
    """Raise Misconfigured for a value that the command would refuse too."""
    kinds = {"whole": int, "decimal": int | float, "path": str | Path}
    name = f"`{setting.key}`"
    if not isinstance(value, kinds.get(setting.kind, str)) or isinstance(value, bool):
        message = f"{name} cannot be a {type(value).__name__}"
    elif setting.high and not setting.low <= value <= setting.high:  # type: ignore[operator]
        message = f"{name} is outside {setting.low:g} to {setting.high:.0f}"
    else:
        return
    raise Misconfigured(ExitCode.USAGE, "bad_setting", message, setting.help)

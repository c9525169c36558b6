"""The settings, in one table (key, kind, limits, default, help), and as resolved values.

Resolution, `config list`, `.env.example` and the help all come from `SETTINGS`. The parser takes
text, whatever the source, so that a number means the same in a flag, a variable and a file.
Values are named tuples: they are made at every start and cost a tenth of the time of a class.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from reo_cli.errors import ExitCode, ReoError
from reo_cli.settings.guard import BLANKS, ENDPOINT, KEY_PLACE, check_endpoint, check_key, key_in

Kind = Literal["secret", "text", "url", "path", "whole", "decimal"]
Scalar = str | int | float

NO_KEY = (
    "there is no API key: set `REO_API_KEY`, or give `--api-key-file FILE`, or put it in `.env`, "
    f"or run `reo config set api_key`; Reo.Dev shows it under {KEY_PLACE}"
)
EMPTY_KEY = (
    "there is no API key: `REO_API_KEY` is set but empty: a secret that this job may not see, or a "
    "misspelt name?"
)


class Setting(NamedTuple):
    """One setting; `low` and `high` are the inclusive limits of a number."""

    key: str
    kind: Kind
    help: str
    default: Scalar | None = None
    low: float = 0
    high: float = 0

    @property
    def variable(self) -> str:
        """The environment variable, `REO_TIMEOUT`."""
        return f"REO_{self.key.upper()}"

    @property
    def flag(self) -> str:
        """The flag, `--ca-bundle`; empty for a secret, which no flag takes."""
        return "" if self.kind == "secret" else "--" + self.key.replace("_", "-")

    @property
    def default_text(self) -> str:
        """The default as it would be written in a file, or empty."""
        if self.key == "ledger":
            return "ledger.db in the user state folder"
        return f"{self.default:g}" if isinstance(self.default, float) else str(self.default or "")


SETTINGS: tuple[Setting, ...] = (
    Setting("api_key", "secret", f"The API key; in Reo.Dev under {KEY_PLACE}."),
    Setting("api_key_file", "path", "A file that holds the API key, such as a mounted secret."),
    Setting("account", "text", "Your name for the account, so that the ledger outlives its keys."),
    Setting(
        "endpoint", "url", "Where events are sent; https unless the host is loopback.", ENDPOINT
    ),
    Setting("product_id", "text", "Product of events that name none, such as reoWebApp."),
    Setting("activity_type", "text", "Activity type of events that name none, such as primary."),
    Setting("environment", "text", "Environment of events that name none, such as PRODUCTION."),
    Setting("timeout", "decimal", "Seconds that one attempt may take.", 10.0, 0.001, 86_400),
    Setting("retries", "whole", "Further attempts after the first; 0 tries once.", 5, 0, 1000),
    Setting("concurrency", "whole", "Requests under way at once, at most.", 8, 1, 256),
    Setting("rate", "decimal", "Events a second, at most; unlimited unless set.", None, 0.001, 1e6),
    Setting("ledger", "path", "The file that remembers what has been delivered."),
    Setting("ledger_keep_days", "whole", "Days the ledger keeps an event.", 400, 1, 36_500),
    Setting("ca_bundle", "path", "PEM file of the certificate authorities to trust."),
)

BY_KEY = {each.key: each for each in SETTINGS}
VARIABLES = frozenset(each.variable for each in SETTINGS) | {
    *("REO_PROFILE", "REO_CONFIG", "REO_SQL_MEMORY")
}
"""Every variable that reo reads from the environment."""

READING: dict[str, Literal["table", "list", "text"]] = {
    **dict.fromkeys(("map", "set", "default"), "table"),
    **dict.fromkeys(("id_from", "ignore", "columns", "null", "only", "skip"), "list"),
    **dict.fromkeys(("format", "encoding", "delimiter", "extra", "date_format"), "text"),
    **dict.fromkeys(("thousands", "domain_of", "records", "sheet", "skip_lines"), "text"),
    **dict.fromkeys(("roll_up", "timezone", "until", "sql", "on_change"), "text"),
}
"""What a profile may hold besides settings: the options that say how one kind of export is read,
and in which form (a table is by field)."""
CHOICES = {
    "format": ("auto", "json", "ndjson", "csv", "tsv", "xlsx", "parquet", "accesslog"),
    "roll_up": ("hour", "day", "week", "month"),
    "until": ("now",),
    "thousands": (",", ".", "'", "space"),
    "extra": ("error", "meta", "ignore"),
    "on_change": ("error", "skip", "send"),
}
"""What some of them may be."""


def parse(setting: Setting, text: str) -> Scalar:
    """Return the value of `text`; ValueError says what is wrong with it, never with a secret."""
    if setting.kind == "secret":
        return text.strip(BLANKS)
    if setting.kind in ("whole", "decimal"):
        return _number(setting, text)
    if not text.strip():
        raise ValueError("is empty")
    if "\0" in text:
        raise ValueError("holds a NUL byte")
    return text


def _number(setting: Setting, text: str) -> int | float:
    from reo_cli.text import shown

    is_whole = setting.kind == "whole"
    if not re.fullmatch(r"-?[0-9]+" if is_whole else r"-?[0-9]+(\.[0-9]+)?", text):
        kind = "a whole number" if is_whole else "a plain number, as 10 or 2.5"
        raise ValueError(f"{shown(text)} is not {kind}")
    number = float(text)
    if not setting.low <= number <= setting.high:
        limits = f"{setting.low:g} to {setting.high:.0f}"
        raise ValueError(f"{shown(text)} is outside {limits}")
    return int(number) if is_whole else number


def masked(key: str) -> str:
    """Return what may be shown of a key: its last 4 characters if it has 20 or more."""
    tail = key[-4:] if len(key) >= 20 else ""
    return "********" + (tail if tail.isascii() and tail.isprintable() else "")


def nearest(name: str, known: Collection[str]) -> str:
    """Return the known name most like `name`, or empty."""
    import difflib

    folded = {each.lower(): each for each in sorted(known)}
    near = difflib.get_close_matches(name.lower().replace("-", "_"), folded, n=1, cutoff=0.75)
    return folded[near[0]] if near else ""


class Value(NamedTuple):
    """What is shown of one setting.

    `value` is masked for a secret and None for what is not set. `source` is words such as
    `flag --timeout` or `default`, `file` the file it stands in. `used` is false for a way to give
    the key that another one comes before.
    """

    key: str
    value: Scalar | Path | None
    source: str = "default"
    file: Path | None = None
    used: bool = True


class Settings(NamedTuple):
    """Every setting, resolved; see `table.SETTINGS` for what they mean.

    `timeout` is in seconds, `rate` in events a second. At most one of `api_key` and `api_key_file`
    is set: the one in use; `no_key` says what is wrong when there is none. `reading` is what the
    profile says about files. `warnings` are for everyone, `notes` for `-v`.
    """

    api_key: str | None
    api_key_file: Path | None
    account: str | None
    endpoint: str
    product_id: str | None
    activity_type: str | None
    environment: str | None
    timeout: float
    retries: int
    concurrency: int
    rate: float | None
    ledger_path: Path | None
    ledger_keep_days: int
    ca_bundle: Path | None
    reading: Mapping[str, Any]
    values: Mapping[str, Value]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    profile: str | None
    config_path: Path
    no_key: str

    def __repr__(self) -> str:
        return "Settings(…)"  # never the key

    @property
    def ledger(self) -> Path:
        """The ledger's path, by default in the user state folder.

        Raises ReoError 78 when the system knows no home for this user.
        """
        if self.ledger_path is None:
            message = "there is no home folder to keep the ledger in"
            hint = "set HOME, or give --ledger PATH or --no-ledger"
            raise ReoError(ExitCode.CONFIG, "no_home", message, hint)
        return self.ledger_path

    @property
    def has_key(self) -> bool:
        """Whether a key is given, in whatever way."""
        return self.api_key is not None or self.api_key_file is not None

    @property
    def foreign_endpoint(self) -> str:
        """Where an endpoint that is not the API's comes from; empty for the API's own."""
        is_own = self.endpoint == BY_KEY["endpoint"].default
        return "" if is_own else self.values["endpoint"].source

    def require_key(self) -> str:
        """Return the checked key, read from its file if that is how it is given.

        Raises ReoError 78: `no_key`, `key_file`, or what `check_key` finds wrong with it.
        """
        if not self.has_key:
            raise ReoError(ExitCode.CONFIG, "no_key", self.no_key)
        try:
            return key_in(self.api_key_file) if self.api_key_file else check_key(self.api_key or "")
        except ReoError as error:
            raise self._located(error, "api_key_file" if self.api_key_file else "api_key") from None

    def require_endpoint(self) -> str:
        """Return the endpoint in its normal form. Raises ReoError 78 naming its source."""
        try:
            return check_endpoint(self.endpoint)
        except ReoError as error:
            raise self._located(error, "endpoint") from None

    def _located(self, error: ReoError, key: str) -> ReoError:
        """Return the error with the source of the value it is about."""
        message = f"{error.message} (`{key}` from {self.values[key].source})"
        return error.changed(message=message)

    def shown(self) -> Iterator[Value]:
        """Give what is shown of every setting, in the order of the table, then of the profile."""
        yield from self.values.values()
        source = f"profile {self.profile} in {self.config_path}"
        for key, own in self.reading.items():
            texts = own if isinstance(own, Mapping) else {"": own}
            for field, text in texts.items():
                name = f"{key}.{field}" if field else key
                joined = ",".join(text) if isinstance(text, tuple) else text
                yield Value(name, joined, source, self.config_path)

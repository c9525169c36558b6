"""The settings, in one table: key, kind, limits, default, help.

Resolution, `config list`, `.env.example` and the README all come from `SETTINGS`. The parsers take
text, whatever the source, so that a number means the same in a flag, a variable and a file.
"""

import re
from collections.abc import Collection
from typing import Literal, NamedTuple

Kind = Literal["secret", "text", "url", "path", "whole", "decimal"]
Scalar = str | int | float

ENDPOINT = "https://ingest.reo.dev/api/product/aggregateusage"
KEY_PLACE = "Settings → Integrations → API Keys → Product Usage API"
"""Where the Reo.Dev UI shows the key (api.md)."""


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
        return "" if self.is_secret else "--" + self.key.replace("_", "-")

    @property
    def is_secret(self) -> bool:
        """Whether the value is shown masked only."""
        return self.kind == "secret"

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

READING: dict[str, Literal["table", "fields", "list", "text"]] = {
    **dict.fromkeys(("map", "set", "default"), "table"),
    "id_from": "fields",
    **dict.fromkeys(("ignore", "columns", "null", "only", "skip"), "list"),
    **dict.fromkeys(("format", "encoding", "delimiter", "extra", "date_format"), "text"),
    **dict.fromkeys(("thousands", "domain_of", "records", "sheet", "skip_lines"), "text"),
    **dict.fromkeys(("roll_up", "timezone", "until", "sql", "on_change"), "text"),
}
"""What a profile may hold besides settings: the options that say how one kind of export is read,
and in which form (`fields` is a list of fields)."""
CHOICES = {
    "format": ("auto", "json", "ndjson", "csv", "tsv", "xlsx", "parquet", "accesslog"),
    "roll_up": ("hour", "day", "week", "month"),
    "until": ("now",),
    "extra": ("error", "meta", "ignore"),
    "on_change": ("error", "skip", "send"),
}
"""What some of them may be."""


def parse(setting: Setting, text: str) -> Scalar:
    """Return the value of `text`; ValueError says what is wrong with it, never with a secret."""
    match setting.kind:
        case "whole":
            return int(_in_limits(setting, text, r"-?[0-9]+", "a whole number"))
        case "decimal":
            return _in_limits(setting, text, r"-?[0-9]+(\.[0-9]+)?", "a plain number, as 10 or 2.5")
        case "secret":
            from reo_cli.settings.guard import BLANKS

            return text.strip(BLANKS)
        case _:
            if not text.strip():
                raise ValueError("is empty")
            if "\0" in text:
                raise ValueError("holds a NUL byte")
            return text


def _in_limits(setting: Setting, text: str, pattern: str, kind: str) -> float:
    from reo_cli.text import shown

    if not re.fullmatch(pattern, text):
        raise ValueError(f"{shown(text)} is not {kind}")
    number = float(text) if len(text) <= 30 else float("inf")
    if not setting.low <= number <= setting.high:
        limits = f"{setting.low:g} to {setting.high:.0f}"
        raise ValueError(f"{shown(text)} is outside {limits}")
    return number


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


def env_example() -> str:
    """Return the content of `.env.example`."""
    lines = [
        "# Copy this file to .env and give what you need; flags and real variables come first.",
        "# reo reads the .env of the working folder only. There, REO_API_KEY_FILE, REO_LEDGER and",
        "# REO_CA_BUNDLE have no effect, and REO_ENDPOINT needs REO_API_KEY beside it: give such",
        "# values in the environment or name the file with --env-file.",
    ]
    for each in SETTINGS:
        default = each.default_text or "none"
        value = "" if each.key == "ledger" else each.default_text
        lines += ["", f"# {each.help} Default: {default}", f"# {each.variable}={value}"]
    return "\n".join(lines) + "\n"

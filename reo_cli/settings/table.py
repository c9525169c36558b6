"""The settings, in one table: each an attribute of `Settings`, with its kind, limits and help.

Resolution, `config list`, `.env.example` and the help all come from it. The parser takes text,
whatever the source, so that a number means the same in a flag, a variable and a file. An endpoint
is checked more strictly than HTTP asks for, so that no trick in a URL can matter.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from reo_cli.errors import ExitCode, ReoError
from reo_cli.settings.prompt import BLANKS, KEY_PLACE, check_key, key_in

if TYPE_CHECKING:
    from reo_cli.settings.resolve import Value

Kind = Literal["secret", "text", "url", "path", "whole", "decimal"]
Scalar = str | int | float

ENDPOINT = "https://ingest.reo.dev/api/product/aggregateusage"


class Setting(NamedTuple):
    """One setting; `low` and `high` are the inclusive limits of a number."""

    kind: Kind
    help: str
    default: Scalar | None = None
    low: float = 0
    high: float = 0
    key: str = ""

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


setting: Any = Setting
secret, text, url, path, whole, decimal = (partial(setting, kind) for kind in get_args(Kind))
"""Declare an attribute, whatever the type of its value."""


class Settings:
    """Every setting, resolved; the class has a `Setting` in place of each value.

    At most one of `api_key` and `api_key_file` is set; `no_key` says what is wrong when none is.
    `values` are what is shown, the key masked: the settings, then what the profile says about
    files, which is `reading` as it is used. `warnings` are for everyone, `notes` for `-v`.
    """

    api_key: str | None = secret(f"The API key; in Reo.Dev under {KEY_PLACE}.")
    api_key_file: Path | None = path("A file that holds the API key, such as a mounted secret.")
    account: str | None = text("Your name for the account, so that the ledger outlives its keys.")
    endpoint: str = url("Where events are sent; https unless the host is loopback.", ENDPOINT)
    product_id: str | None = text("Product of events that name none, such as reoWebApp.")
    activity_type: str | None = text("Activity type of events that name none, such as primary.")
    environment: str | None = text("Environment of events that name none, such as PRODUCTION.")
    timeout: float = decimal("Seconds that one attempt may take.", 10.0, 0.001, 86_400)
    retries: int = whole("Further attempts after the first; 0 tries once.", 5, 0, 1000)
    concurrency: int = whole("Requests under way at once, at most.", 8, 1, 256)
    rate: float | None = decimal(
        "Events a second, at most; unlimited unless set.", None, 0.001, 1e6
    )
    ledger: Path | None = path("The file that remembers what has been delivered.")
    ledger_keep_days: int = whole("Days the ledger keeps an event.", 400, 1, 36_500)
    ca_bundle: Path | None = path("PEM file of the certificate authorities to trust.")

    reading: Mapping[str, Any]
    values: "Mapping[str, Value]"
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    profile: str | None
    config_path: Path
    no_key: str

    def __init__(self, **known: Any) -> None:
        vars(self).update(known)

    @property
    def has_key(self) -> bool:
        """Whether a key is given, in whatever way."""
        return self.api_key is not None or self.api_key_file is not None

    @property
    def foreign_endpoint(self) -> str:
        """Where an endpoint that is not the API's comes from; empty for the API's own."""
        return "" if self.endpoint == ENDPOINT else self.values["endpoint"].source

    def require_key(self) -> str:
        """Return the checked key, read from its file if that is how it is given.

        Raises ReoError 78: `no_key`, `key_file`, or what `check_key` finds wrong with it.
        """
        if not self.has_key:
            raise ReoError(ExitCode.CONFIG, "no_key", self.no_key)
        with self._located("api_key_file" if self.api_key_file else "api_key"):
            return key_in(self.api_key_file) if self.api_key_file else check_key(self.api_key or "")

    def require_endpoint(self) -> str:
        """Return the endpoint in its normal form. Raises ReoError 78 naming its source."""
        with self._located("endpoint"):
            return check_endpoint(self.endpoint)

    @contextmanager
    def _located(self, key: str) -> Iterator[None]:
        """Add the source of a value to the error about it."""
        try:
            yield
        except ReoError as error:
            message = f"{error.message} (`{key}` from {self.values[key].source})"
            raise error.changed(message=message) from None

    def require_ledger(self) -> Path:
        """Return the ledger's path, by default in the user state folder.

        Raises ReoError 78 when the system knows no home for this user.
        """
        if self.ledger is None:
            message = "there is no home folder to keep the ledger in"
            hint = "set HOME, or give --ledger PATH or --no-ledger"
            raise ReoError(ExitCode.CONFIG, "no_home", message, hint)
        return self.ledger


BY_KEY = {
    key: each._replace(key=key) for key, each in vars(Settings).items() if isinstance(each, Setting)
}
SETTINGS = tuple(BY_KEY.values())
VARIABLES = {*(each.variable for each in SETTINGS), "REO_PROFILE", "REO_CONFIG", "REO_SQL_MEMORY"}
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


_NUMBERS: dict[str, tuple[str, str, type[float]]] = {
    "whole": (r"-?[0-9]+", "a whole number", int),
    "decimal": (r"-?[0-9]+(\.[0-9]+)?", "a plain number, as 10 or 2.5", float),
}


def parse(setting: Setting, text: str) -> Scalar:
    """Return the value of `text`; ValueError says what is wrong with it, never with a secret."""
    from reo_cli.text import shown

    if setting.kind == "secret":
        return text.strip(BLANKS)
    if setting.kind not in _NUMBERS:
        if "\0" in text or not text.strip():
            raise ValueError("holds a NUL byte" if text.strip() else "is empty")
        return text
    form, kind, number = _NUMBERS[setting.kind]
    if not re.fullmatch(form, text):
        raise ValueError(f"{shown(text)} is not {kind}")
    if not setting.low <= float(text) <= setting.high:
        raise ValueError(f"{shown(text)} is outside {setting.low:g} to {setting.high:.0f}")
    return number(text)


def nearest(name: str, known: Collection[str]) -> str:
    """Return the known name most like `name`, or empty."""
    import difflib

    folded = {each.lower(): each for each in sorted(known)}
    near = difflib.get_close_matches(name.lower().replace("-", "_"), folded, n=1, cutoff=0.75)
    return folded[near[0]] if near else ""


PLAIN_HTTP_HINT = (
    "use https; plain http is only for a server on this machine (localhost, 127.0.0.1, [::1])"
)
_URL = (
    r"(?ai)(?P<scheme>https?)://"
    r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)"
    r"(?::(?P<port>[0-9]{0,5}))?"
    r"(?P<path>/[a-z0-9/._~!$&'()*+,;=:%-]*)?"
    r"(?P<query>\?[a-z0-9/?._~!$&'()*+,;=:%-]*)?"
)
_WRONG_URLS = {
    r"": "is empty",
    r"(?s).*[^\0-\x7f].*": "has characters outside ASCII (write the host as `xn--…`)",
    r"(?s).*[\0- \x7f].*": "has blanks or control characters in it",
    r".*@.*": "must not hold a user name, a password or any other `@`",
    r"(?i)(?!https?://).*": "does not begin with `https://`",
    r".*#.*": "must not hold a `#`",
    r".*": "is not a URL of the form `https://host/path`",
}
"""What is wrong, by the first pattern that fits; the words never show what may be a secret."""


def check_endpoint(url: str) -> str:
    """Return the URL in its normal form: lower-case scheme and host, no default port, a path.

    Raises ReoError 78, `endpoint_invalid`, for anything but `https://HOST[:PORT][/PATH][?QUERY]`,
    or `http://` to a host that is literally loopback (reliability.md section 5.2).
    """
    url, hint = url.strip(BLANKS), f"the API is at `{ENDPOINT}`"
    match = re.fullmatch(_URL, url)
    if match is None:
        wrong = next(words for form, words in _WRONG_URLS.items() if re.fullmatch(form, url))
        raise ReoError(ExitCode.CONFIG, "endpoint_invalid", f"the endpoint {wrong}", hint)
    scheme, host = match["scheme"].lower(), match["host"].lower()
    default = 443 if scheme == "https" else 80
    port = int(match["port"] or default)
    if not is_host(host):
        message = f"`{host}` in the endpoint is not a host name or an IP address"
    elif scheme == "http" and not is_loopback(host):
        message, hint = f"the endpoint `http://{host}` is not https", PLAIN_HTTP_HINT
    elif not 0 < port < 65536:
        message = f"the endpoint has no usable port ({port})"
    else:
        shown_port = "" if port == default else f":{port}"
        return f"{scheme}://{host}{shown_port}{match['path'] or '/'}{match['query'] or ''}"
    raise ReoError(ExitCode.CONFIG, "endpoint_invalid", message, hint)


def is_loopback(host: str) -> bool:
    """Tell whether the host is literally this machine: `localhost`, 127.0.0.0/8 or `::1`."""
    is_name = host.lower() in ("localhost", "::1", "[::1]")
    return is_name or (host.startswith("127.") and _is_address("AF_INET", host))


def is_host(host: str) -> bool:
    """Tell whether this is an ASCII host name, an IPv4 address, or an IPv6 address in brackets.

    Names that some resolvers take for a number (`127.1`, `0x7f000001`) are none of these.
    """
    if host.startswith("["):
        return _is_address("AF_INET6", host[1:-1])
    labels = host.lower().split(".")
    if re.fullmatch("[0-9]+|0x[0-9a-f]*", labels[-1]):
        return _is_address("AF_INET", host)
    form = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
    return len(host) < 254 and all(re.fullmatch(form, label) for label in labels)


def _is_address(family: str, text: str) -> bool:
    """Tell whether a text is an address as the standards write it: no short, octal or hex parts."""
    import socket

    with suppress(OSError, ValueError):
        return bool(socket.inet_pton(getattr(socket, family), text))
    return False

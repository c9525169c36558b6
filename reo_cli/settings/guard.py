"""The two checks that stand before every request: is this a key, and may it go to this URL.

`settings` asks here before a value is used; the client then builds its request from what passed.
Both are stricter than HTTP asks for, so that no trick in a URL or a pasted key can matter.
"""

import re
from pathlib import Path

from reo_cli.errors import ExitCode, ReoError

ENDPOINT = "https://ingest.reo.dev/api/product/aggregateusage"
KEY_PLACE = "Settings → Integrations → API Keys → Product Usage API"
"""Where the Reo.Dev UI shows the key (api.md)."""

BLANKS = " \t\r\n\v\f"
"""What is stripped from a key and an endpoint."""
KEY_LENGTH = range(8, 513)
"""Characters a key may have after stripping (reliability.md section 5.6)."""
KEY_LIMIT = 4096
"""Bytes that are read where a key is expected."""
KEY_HINT = f"copy it again from {KEY_PLACE} in Reo.Dev; an admin generates it"
"""Where a key comes from (api.md)."""
PLAIN_HTTP_HINT = (
    "use https; plain http is only for a server on this machine (localhost, 127.0.0.1, [::1])"
)

# Patterns are compiled where they are first used, if at all: most runs need none.
QUOTED = r"([\"'`]).*\1"
"""A text with quotes around it, as `docker --env-file` leaves them."""
_URL = (
    r"(?ai)(?P<scheme>https?)://"
    r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)"
    r"(?::(?P<port>[0-9]{0,5}))?"
    r"(?P<path>/[a-z0-9/._~!$&'()*+,;=:%-]*)?"
    r"(?P<query>\?[a-z0-9/?._~!$&'()*+,;=:%-]*)?"
)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_CHARACTERS = {
    **dict.fromkeys("\r\n", "a line break"),
    "\t": "a tab",
    "\0": "a NUL byte",
    "\ufeff": "a byte order mark",
}
_ODD_KEYS = {
    QUOTED: "it stands in quotes, which are sent with it",
    r"(?i)(bearer |basic |x-api-key).*": "it begins with the name of a header or scheme; "
    "give the key alone",
    r".*(\$\{|\{\{).*|\$.*": "it is the name of a variable that nothing has put a value into",
    r"[{\[].*": "it is JSON; give the key alone",
    r"(\.\.?|~)?/.*": "it is a path; `--api-key-file` reads a key from a file",
}
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


def check_key(key: str) -> str:
    """Give the key without the blanks around it.

    Raises `ReoError` (78, `key_malformed`) unless it is 8 to 512 printable ASCII characters. The
    message tells what is wrong and where, never the value (reliability.md section 5.6).
    """
    key = key.strip(BLANKS)
    if wrong := re.search(r"[^ -~]", key):
        is_control = wrong[0] < " " or wrong[0] == "\x7f"
        what = _CHARACTERS.get(wrong[0], "a control character" if is_control else "outside ASCII")
        problem = f"a key is printable ASCII, and character {wrong.end()} is {what}"
    elif not key:
        problem = "the key is empty"
    elif len(key) not in KEY_LENGTH:
        length = f"{len(key)} character{'s' if len(key) > 1 else ''}"
        problem = f"the key has {length}; a key has {KEY_LENGTH.start} to {KEY_LENGTH.stop - 1}"
    else:
        return key
    raise ReoError(ExitCode.CONFIG, "key_malformed", problem, KEY_HINT)


def key_in(path: Path) -> str:
    """Give the key that a file holds. Raises `ReoError` (78, `key_file`, `key_malformed`)."""
    try:
        with path.open("rb") as file:
            text = file.read(KEY_LIMIT).decode("utf-8", "replace")
    except OSError as error:
        message = f"cannot read the key file `{path}`: {error.strerror}"
        hint = "it holds the key and nothing else"
        raise ReoError(ExitCode.CONFIG, "key_file", message, hint) from None
    return check_key(text)


def odd_key(key: str) -> str:
    """Say what a key looks like that is probably none, empty for any other; never with its text.

    Such a key is still sent: only the API knows its keys.
    """
    return _first_fit(_ODD_KEYS, key.strip(BLANKS))


def _first_fit(patterns: dict[str, str], text: str) -> str:
    return next((words for each, words in patterns.items() if re.fullmatch(each, text)), "")


def check_endpoint(url: str) -> str:
    """Give the URL in its normal form: lower-case scheme and host, no default port, a path.

    Raises `ReoError` (78, `endpoint_invalid`) for anything but `https://HOST[:PORT][/PATH][?QUERY]`,
    or `http://` to a host that is literally loopback (reliability.md section 5.2).
    """
    url, hint = url.strip(BLANKS), f"the API is at `{ENDPOINT}`"
    match = re.fullmatch(_URL, url)
    if match is None:
        message = f"the endpoint {_first_fit(_WRONG_URLS, url)}"
        raise ReoError(ExitCode.CONFIG, "endpoint_invalid", message, hint)
    scheme, host = match["scheme"].lower(), match["host"].lower()
    default = _DEFAULT_PORTS[scheme]
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
    """Whether the host is literally this machine: `localhost`, 127.0.0.0/8 or `::1`."""
    is_v4 = host.startswith("127.") and _is_address("AF_INET", host)
    return is_v4 or host.lower() in ("localhost", "::1", "[::1]")


def is_host(host: str) -> bool:
    """Whether this is an ASCII host name, a dotted IPv4 address, or an IPv6 address in brackets.

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
    """Whether a text is an address as the standards write it: no short, octal or hex parts."""
    import socket

    try:
        socket.inet_pton(getattr(socket, family), text)
    except (OSError, ValueError):
        return False
    return True

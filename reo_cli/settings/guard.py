"""The two checks that stand before every request: is this a key, and may it go to this URL.

`settings` asks here before a value is used; the client then builds its request from what passed.
Both are stricter than HTTP asks for, so that no trick in a URL or a pasted key can matter.
"""

import re

from reo_cli.errors import ExitCode, ReoError

KEY_LENGTH = range(8, 513)
"""Characters a key may have after stripping (reliability.md section 5.6)."""

BLANKS = " \t\r\n\v\f"

KEY_HINT = (
    "copy it again from Settings → Integrations → API Keys → Product Usage API in Reo.Dev; "
    "an admin generates it"
)
"""Where a key comes from (api.md)."""

PLAIN_HTTP_HINT = (
    "use https; plain http is only for a server on this machine (localhost, 127.0.0.1, [::1])"
)

# Patterns are compiled where they are first used, if at all: most runs need none.
_URL = (
    r"(?ai)(?P<scheme>https?)://"
    r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)"
    r"(?::(?P<port>[0-9]{0,5}))?"
    r"(?P<path>/[a-z0-9/._~!$&'()*+,;=:%-]*)?"
    r"(?P<query>\?[a-z0-9/?._~!$&'()*+,;=:%-]*)?"
)
_BYTE = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"{_BYTE}(?:\.{_BYTE}){{3}}"
_DEFAULT_PORTS = {"http": 80, "https": 443}


def check_key(key: str) -> str:
    """Give the key without the blanks around it.

    Raises `ReoError` (78, `key_malformed`) unless it is 8 to 512 printable ASCII characters. The
    message tells what is wrong and where, never the value (reliability.md section 5.6).
    """
    stripped = key.strip(BLANKS)
    for position, char in enumerate(stripped, start=1):
        if not " " <= char <= "~":
            what = f"a key is printable ASCII, and character {position} is {_describe(char)}"
            raise _bad_key(what)
    if not stripped:
        raise _bad_key("the key is empty")
    if len(stripped) not in KEY_LENGTH:
        length = f"{len(stripped)} character{'s' if len(stripped) > 1 else ''}"
        raise _bad_key(
            f"the key has {length}; a key has {KEY_LENGTH.start} to {KEY_LENGTH.stop - 1}"
        )
    return stripped


def is_quoted(text: str) -> bool:
    """Whether quotes stand around a text, as `docker --env-file` leaves them."""
    return len(text) > 1 and text[0] == text[-1] and text[0] in "\"'`"


def odd_key(key: str) -> str:
    """Say what a key looks like that is probably none, empty for any other; never with its text.

    Such a key is still sent: only the API knows its keys.
    """
    bare = key.strip(BLANKS)
    if is_quoted(bare):
        return "it stands in quotes, which are sent with it"
    if bare.lower().startswith(("bearer ", "basic ", "x-api-key")):
        return "it begins with the name of a header or scheme; give the key alone"
    if "${" in bare or "{{" in bare or bare.startswith("$"):
        return "it is the name of a variable that nothing has put a value into"
    if bare.startswith(("{", "[")):
        return "it is JSON; give the key alone"
    if "/" in bare and bare.startswith(("/", "./", "../", "~/")):
        return "it is a path; `--api-key-file` reads a key from a file"
    return ""


def check_endpoint(url: str) -> str:
    """Give the URL in its normal form: lower-case scheme and host, no default port, a path.

    Raises `ReoError` (78, `endpoint_invalid`) for anything but `https://HOST[:PORT][/PATH][?QUERY]`,
    or `http://` to a host that is literally loopback (reliability.md section 5.2).
    """
    url = url.strip(BLANKS)
    match = re.fullmatch(_URL, url)
    if match is None:
        raise _bad_endpoint(_what_is_wrong(url))
    scheme, host = match["scheme"].lower(), match["host"].lower()
    if not is_host(host):
        raise _bad_endpoint(f"`{host}` in the endpoint is not a host name or an IP address")
    if scheme == "http" and not is_loopback(host):
        raise _bad_endpoint(f"the endpoint `http://{host}` is not https", PLAIN_HTTP_HINT)
    port = int(match["port"] or _DEFAULT_PORTS[scheme])
    if not 0 < port < 65536:
        raise _bad_endpoint(f"the endpoint has no usable port ({port})")
    shown_port = "" if port == _DEFAULT_PORTS[scheme] else f":{port}"
    return f"{scheme}://{host}{shown_port}{match['path'] or '/'}{match['query'] or ''}"


def split_endpoint(url: str) -> tuple[str, str, int, str]:
    """Scheme, host (no brackets), port and path with query of a URL that `check_endpoint` gave."""
    match = re.fullmatch(_URL, url)
    if match is None:
        raise ValueError("not an endpoint that check_endpoint has passed")
    scheme, host = match["scheme"], match["host"].strip("[]")
    port = int(match["port"] or _DEFAULT_PORTS[scheme])
    return scheme, host, port, f"{match['path']}{match['query'] or ''}"


def is_loopback(host: str) -> bool:
    """Whether the host is literally this machine: `localhost`, 127.0.0.0/8 or `::1`."""
    if host.lower() in ("localhost", "::1", "[::1]"):
        return True
    return host.startswith("127.") and re.fullmatch(_IPV4, host) is not None


def is_host(host: str) -> bool:
    """Whether this is an ASCII host name, a dotted IPv4 address, or an IPv6 address in brackets.

    Names that some resolvers take for a number (`127.1`, `0x7f000001`) are none of these.
    """
    if host.startswith("["):
        return _is_ipv6(host[1:-1])
    labels = host.lower().split(".")
    if re.fullmatch("[0-9]+|0x[0-9a-f]*", labels[-1]):
        return re.fullmatch(_IPV4, host) is not None
    form = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
    return len(host) < 254 and all(re.fullmatch(form, label) for label in labels)


def _is_ipv6(text: str) -> bool:
    from socket import AF_INET6, inet_pton

    try:
        inet_pton(AF_INET6, text)
    except OSError:
        return False
    return True


def _describe(char: str) -> str:
    known = {"\r": "a line break", "\n": "a line break", "\t": "a tab", "\0": "a NUL byte"}
    if char in known:
        return known[char]
    if char == "\ufeff":
        return "a byte order mark"
    return "a control character" if char < " " or char == "\x7f" else "outside ASCII"


def _what_is_wrong(url: str) -> str:
    """Say why a URL does not match, without showing what may hold a password."""
    if not url:
        return "the endpoint is empty"
    if not url.isascii():
        return "the endpoint has characters outside ASCII (write the host as `xn--…`)"
    if any(char <= " " or char == "\x7f" for char in url):
        return "the endpoint has blanks or control characters in it"
    if "@" in url:
        return "the endpoint must not hold a user name, a password or any other `@`"
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.lower() not in _DEFAULT_PORTS:
        return "the endpoint does not begin with `https://`"
    if "#" in rest:
        return "the endpoint must not hold a `#`"
    return "the endpoint is not a URL of the form `https://host/path`"


def _bad_key(message: str) -> ReoError:
    return ReoError(ExitCode.CONFIG, "key_malformed", message, KEY_HINT)


def _bad_endpoint(message: str, hint: str = "") -> ReoError:
    return ReoError(
        ExitCode.CONFIG,
        "endpoint_invalid",
        message,
        hint or "the API is at `https://ingest.reo.dev/api/product/aggregateusage`",
    )

"""Payload → canonical content: the JSON that an event is known by and sent as.

Keys stand in the order of the field table and those of `meta` sorted, so that equal events are
equal bytes in whatever form they were written.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from reo_cli.checks.values import issue
from reo_cli.records import Issue

try:  # as `hashlib` has it, without the rest of that: it loads OpenSSL, in 2 to 3 ms
    from _blake2 import blake2b as blake2b
except ImportError:  # another Python than CPython
    from hashlib import blake2b as blake2b

BODY_LIMIT = 256 * 1024
"""The largest request body in bytes (reliability.md section 5)."""

_AROUND = len('{"payload":{"event_id":,}') - 1
"""Bytes of a body beside its content and its id."""

_DERIVED_ID = 34
"""Bytes of an id that reo derives, in quotes."""

encode: Callable[[Any], str] = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, separators=(",", ":")
).encode
"""Compact JSON of a value, in the order of its keys."""

_HALF = "holds half of a surrogate pair, which is not a character"


def content_of(payload: Mapping[str, Any], event_id: str | int | None) -> tuple[bytes, list[Issue]]:
    """Return the canonical JSON of a payload without its `event_id`, in UTF-8.

    And what keeps the event from being sent, each issue with its field.
    """
    try:
        content = encode(payload).encode()
    except UnicodeEncodeError:
        return b"", [_surrogate(name, each) for name, each in payload.items() if _is_half(each)]
    if event_id.__class__ is str and not event_id.isascii() and _is_half(event_id):
        return content, [_surrogate("event_id", event_id)]
    if len(content) > BODY_LIMIT // 2 or len(str(event_id)) > BODY_LIMIT // 8:
        id_size = _DERIVED_ID if event_id is None else len(encode(event_id).encode())
        size = len(content) + id_size + _AROUND
        if size > BODY_LIMIT:
            values = {**payload, "event_id": event_id}
            longest = max(values, key=lambda name: len(encode(values[name])))
            what = f"the event has {size:,} bytes as JSON, more than the {BODY_LIMIT:,} allowed"
            found = issue("error", "too-large", what, f"shorten `{longest}`")
            return content, [found._replace(field=longest)]
    return content, []


def _is_half(value: Any) -> bool:
    """Tell whether a value holds half a surrogate pair."""
    try:
        encode(value).encode()
    except UnicodeEncodeError:
        return True
    return False


def _surrogate(name: str, value: Any) -> Issue:
    half = next(each for each in encode(value) if "\ud800" <= each <= "\udfff")
    found = issue("error", "half-character", f"{_HALF}: \\u{ord(half):04x}", "write the character")
    return found._replace(field=name)

"""Payload → canonical content: the JSON that an event is known by and sent as.

Keys stand in the order of the field table and those of `meta` sorted, so that equal events are
equal bytes in whatever form they were written.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from reo_cli.checks.values import EXACT_LIMIT, issue
from reo_cli.records import Issue
from reo_cli.text import shown

try:  # as `hashlib` has it, without the rest of that: it loads OpenSSL, in 2 to 3 ms
    from _blake2 import blake2b as blake2b
except ImportError:  # another Python than CPython
    from hashlib import blake2b as blake2b

DEPTH_LIMIT = 64
"""The deepest nesting of an event (reliability.md section 5)."""

BODY_LIMIT = 256 * 1024
"""The largest request body in bytes (reliability.md section 5)."""

encode: Callable[[Any], str] = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, separators=(",", ":")
).encode
"""Compact JSON of a value, in the order of its keys."""


def normal(meta: Mapping[str, Any]) -> tuple[dict[str, Any], list[Issue]]:
    """Sort the keys at every depth; also return what cannot be sent or will be changed."""
    found: dict[Issue, None] = {}
    # `payload` and `meta` are the first two levels
    return {name: _sorted(meta[name], 3, found) for name in sorted(meta)}, list(found)


def _sorted(value: Any, depth: int, found: dict[Issue, None]) -> Any:
    if value.__class__ is str:
        return value
    if isinstance(value, dict | list) and depth > DEPTH_LIMIT:
        found[issue("error", "too-deep", f"is nested deeper than {DEPTH_LIMIT} levels")] = None
        return None
    if isinstance(value, dict):
        return {name: _sorted(value[name], depth + 1, found) for name in sorted(value)}
    if isinstance(value, list):
        return [_sorted(each, depth + 1, found) for each in value]
    if isinstance(value, int) and abs(value) > EXACT_LIMIT:
        hint = "put it in quotes to keep its digits"
        found[issue("warning", "big-integer", f"holds {shown(value)}, beyond 2^53", hint)] = None
    return value


def content_of(
    payload: Mapping[str, Any], event_id: str | int | None
) -> tuple[bytes, Sequence[Issue]]:
    """Return the canonical JSON of a payload without its `event_id`, in UTF-8.

    And what keeps the event from being sent, each issue with its field.
    """
    try:
        content = encode(payload).encode()
        if event_id.__class__ is str and not event_id.isascii():
            event_id.encode()
    except UnicodeEncodeError:
        return b"", [*_halves({**payload, "event_id": event_id})]
    if len(content) > BODY_LIMIT // 2 or len(str(event_id)) > BODY_LIMIT // 8:
        values = {**payload, "event_id": "0" * 32 if event_id is None else event_id}
        size = len(encode({"payload": values}).encode())
        if size > BODY_LIMIT:
            longest = max(values, key=lambda name: len(encode(values[name])))
            what = f"the event has {size:,} bytes as JSON, more than the {BODY_LIMIT:,} allowed"
            found = issue("error", "too-large", what, f"shorten `{longest}`")
            return content, [found._replace(field=longest)]
    return content, ()


def _halves(values: Mapping[str, Any]) -> Iterator[Issue]:
    """Yield an issue for each value that holds half a surrogate pair."""
    for name, value in values.items():
        if half := re.search("[\ud800-\udfff]", encode(value)):
            what = (
                f"holds half of a surrogate pair, which is not a character: \\u{ord(half[0]):04x}"
            )
            yield issue("error", "half-character", what, "write the character")._replace(field=name)

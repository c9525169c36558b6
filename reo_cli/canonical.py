"""Payload → canonical content: the JSON that an event is known by and sent as.

Keys stand in the order of the field table and those of `meta` sorted, so that equal events are
equal bytes in whatever form they were written.
"""

from collections.abc import Mapping
from typing import Any

from reo_cli.values import Finding
from reo_cli.values.jsontext import encode, encode_plain

BODY_LIMIT = 256 * 1024
"""The largest request body in bytes (reliability.md section 5)."""

_AROUND = len('{"payload":{"event_id":,}') - 1
"""Bytes of a body beside its content and its id."""

_DERIVED_ID = 34
"""Bytes of an id that reo derives, in quotes."""

_SURROGATE = "holds half of a surrogate pair, which is no character"

Found = list[tuple[str, Finding]]


def content_of(
    payload: Mapping[str, Any], event_id: str | int | None, exact: bool, found: Found
) -> bytes:
    """Return the canonical JSON of a payload without its `event_id`, in UTF-8.

    `exact` says that it holds numbers to be written as they were read. What keeps the event from
    being sent is added to `found`.
    """
    try:
        content = (encode if exact else encode_plain)(payload).encode()
    except UnicodeEncodeError:
        content = b""
        found += [(name, _surrogate(encode(value))) for name, value in _unencodable(payload)]
    if event_id.__class__ is str and not is_encodable(event_id):
        found.append(("event_id", Finding("error", _SURROGATE, "write the character itself")))
    elif len(content) > BODY_LIMIT // 2:
        _check_size(payload, content, event_id, found)
    return content


def _check_size(
    payload: Mapping[str, Any], content: bytes, event_id: str | int | None, found: Found
) -> None:
    id_size = _DERIVED_ID if event_id is None else len(encode_plain(event_id).encode())
    size = len(content) + id_size + _AROUND
    if size > BODY_LIMIT:
        longest = max(payload, key=lambda name: len(encode(payload[name])))
        message = f"the event has {size:,} bytes as JSON, more than the {BODY_LIMIT:,} allowed"
        found.append((longest, Finding("error", message, f"shorten `{longest}`")))


def _unencodable(payload: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in payload.items() if not is_encodable(encode(value))]


def _surrogate(text: str) -> Finding:
    half = next(each for each in text if "\ud800" <= each <= "\udfff")
    message = f"{_SURROGATE}: \\u{ord(half):04x}"
    return Finding("error", message, "write the character itself")


def is_encodable(text: Any) -> bool:
    """Tell whether a text is made of characters only, without half a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

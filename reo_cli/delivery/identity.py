"""Event → identity: the id it is sent under, the same for ever, on every machine and every run.

The canonical form is versioned: a change of it makes all events look new, so tests pin golden ids.
An id depends on neither endpoint nor key. Pure: digests and the body they are sent in.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from reo_cli.checks.content import blake2b, encode
from reo_cli.events import Event

# blake2b's `person` keeps digests of different meaning apart; the number in it is the version of
# the canonical form.
_CONTENT = b"reo/1 content"
_NOW = b"reo/1 now"
_ID = b"reo/1 id"
_ID_FROM = b"reo/1 id-from"
_ID_SUM = b"reo/1 id-sum"
_KEY = b"reo/1 key"
_PLACE = b"reo/1 place"
_SUBJECT = b"reo/1 subject"

PLACE = "reject-"
"""Begins the id of a record that has none, because it is invalid: that of its place."""

SUBJECT = ("activity_type", "product_id", "domain", "ip_addr", "event_at")
"""The fields that an event's subject is made of (design.md, Replaced)."""


def _digest(meaning: bytes, body: bytes, size: int = 16) -> bytes:
    """Return a digest of 128 bits, where 32 would collide at 77,000 rows."""
    return blake2b(body, digest_size=size, person=meaning).digest()


def request_body(event_id: str | int, content: bytes) -> bytes:
    """Return the body for an event: its `event_id` and its canonical content in the envelope."""
    return b'{"payload":{"event_id":%b,%b}' % (encode(event_id).encode(), content[1:])


def content_digest(event: Event, origin: bytes) -> bytes:
    """Return the digest of what an event says, without its `event_id`.

    An event whose time is the run's `now` counts by its `origin` instead (the input's path, size
    and mtime), so that an untouched file gives the same events tomorrow (design.md, Identity).
    """
    if not event.timeless:
        return _digest(_CONTENT, event.content)
    timed = {k: v for k, v in event.payload.items() if k not in ("event_id", "event_at")}
    return _digest(_NOW, len(origin).to_bytes(8, "big") + origin + encode(timed).encode())


def derived_id(content: bytes, occurrence: int) -> str:
    """Return the id of the `occurrence`-th (from 1) of equal events in a file: 32 hex digits."""
    return _digest(_ID, content + b"%d" % occurrence).hex()


def id_from_fields(payload: Mapping[str, Any], fields: Sequence[str]) -> str:
    """Return the id that `--id-from` makes of some fields: 32 hex digits."""
    body = encode([[name, _value(payload, name)] for name in fields])
    return _digest(_ID_FROM, body.encode()).hex()


def _value(payload: Mapping[str, Any], name: str) -> Any:
    head, _, key = name.partition(".")
    return payload.get("meta", {}).get(key) if key else payload.get(head)


def id_but_for_count(event: Event) -> str:
    """Return the id of a sum, which stays the same while its count goes on: 32 hex digits.

    The first `count` in the content is the field: before it stand texts only, whose quotes are
    escaped.
    """
    before, _, rest = event.content.partition(b',"count":')
    return _digest(_ID_SUM, before + b"," + rest.partition(b",")[2]).hex()


def place_id(path: bytes, text: str, occurrence: int) -> str:
    """Return the id of an invalid record: of its file and of what stood there.

    So it stays the same while the file grows, and no mended line is taken for another event. `path`
    is the input's, `occurrence` the record's number (from 1) among equal ones.
    """
    body = b"%d:%b%b" % (len(path), path, text.encode("utf-8", "surrogatepass"))
    return PLACE + _digest(_PLACE, body + b"%d" % occurrence).hex()


def is_place_id(event_id: object) -> bool:
    """Tell whether an id is one of `place_id`."""
    return isinstance(event_id, str) and _PLACE_ID.fullmatch(event_id) is not None


_PLACE_ID = re.compile(f"{PLACE}[0-9a-f]{{32}}")


def subject_of(payload: Mapping[str, Any]) -> int:
    """Return what an event counts as 64 bits, signed: activity, product, company and time."""
    said = "\0".join([str(payload.get(name, "")) for name in SUBJECT])
    return int.from_bytes(_digest(_SUBJECT, said.encode(), 8), signed=True)


def id_key(event_id: str | int) -> bytes:
    """Return the 16 bytes under which an id is looked up; ids are compared as text."""
    return _digest(_KEY, str(event_id).encode("utf-8", "surrogatepass"))

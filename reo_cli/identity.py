"""Event → identity: the id it is sent under, the same for ever, on every machine and every run.

The canonical form is versioned: a change of it makes all events look new, so tests pin golden ids.
An id depends on neither endpoint nor key. Pure, but for the clock-free digests of the standard
library.
"""

from collections.abc import Sequence
from typing import Any

from reo_cli.digests import blake2b
from reo_cli.events import Event
from reo_cli.values.jsontext import encode

DIGEST_SIZE = 16
"""Bytes of every digest: 128 bits, where 32 would collide at 77,000 rows."""

# The first argument of blake2b's `person` keeps digests of different meaning apart; the number in
# it is the version of the canonical form.
_CONTENT = b"reo/1 content"
_NOW = b"reo/1 now"
_ID = b"reo/1 id"
_ID_FROM = b"reo/1 id-from"
_ID_SUM = b"reo/1 id-sum"
_KEY = b"reo/1 key"


def digest(*parts: bytes) -> bytes:
    """Return 16 bytes that stand for the parts, each kept apart from the next by its length."""
    body = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    return blake2b(body, digest_size=DIGEST_SIZE).digest()


def content_digest(event: Event, origin: bytes) -> bytes:
    """Return the digest of what an event says, without its `event_id`.

    An event whose time is the run's `now` counts by its `origin` instead (the input's path, size
    and mtime), so that an untouched file gives the same events tomorrow (design.md, Identity).
    """
    if not event.timeless:
        return blake2b(event.content, digest_size=DIGEST_SIZE, person=_CONTENT).digest()
    timed = {k: v for k, v in event.payload.items() if k not in ("event_id", "event_at")}
    body = len(origin).to_bytes(8, "big") + origin + encode(timed).encode()
    return blake2b(body, digest_size=DIGEST_SIZE, person=_NOW).digest()


def derived_id(content: bytes, occurrence: int) -> str:
    """Return the id of the `occurrence`-th (from 1) of equal events in a file: 32 hex digits."""
    body = content + str(occurrence).encode()
    return blake2b(body, digest_size=DIGEST_SIZE, person=_ID).hexdigest()


def id_from_fields(payload: dict[str, Any], fields: Sequence[str]) -> str:
    """Return the id that `--id-from` makes of some fields: 32 hex digits."""
    body = encode([[name, _value(payload, name)] for name in fields]).encode()
    return blake2b(body, digest_size=DIGEST_SIZE, person=_ID_FROM).hexdigest()


def id_but_for_count(event: Event) -> str:
    """Return the id of a sum, which stays the same while its count goes on: 32 hex digits.

    The first `count` in the content is the field: before it stand texts only, whose quotes are
    escaped.
    """
    before, _, rest = event.content.partition(b',"count":')
    body = b",".join((before, rest.partition(b",")[2]))
    return blake2b(body, digest_size=DIGEST_SIZE, person=_ID_SUM).hexdigest()


def _value(payload: dict[str, Any], name: str) -> Any:
    head, _, key = name.partition(".")
    return payload.get("meta", {}).get(key) if key else payload.get(head)


def id_key(event_id: str | int) -> bytes:
    """Return the 16 bytes under which an id is looked up; ids are compared as text."""
    text = str(event_id).encode("utf-8", "surrogatepass")
    return blake2b(text, digest_size=DIGEST_SIZE, person=_KEY).digest()

"""What many events of a file share, checked and written once: only a few values differ.

A `Form` is learned from an event that passed the whole check without a finding. The next record
with the same keys and the same texts needs a look at its varying values only, and its JSON is that
of the form with those put in: in all half of the time.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from reo_cli.canonical import is_encodable
from reo_cli.records import Record
from reo_cli.values import Parser
from reo_cli.values.jsontext import encode, encode_plain
from reo_cli.values.metadata import normal

_PLACES = {"count": "%d", "ip_addr": '"%s"', "domain": '"%s"', "event_at": "%d"}
"""The fields that vary, in the order of the table, and how they stand in JSON.

What their parsers return without a finding never needs an escape.
"""

Filled = tuple[dict[str, Any], bytes, str | int | None]
"""Payload, canonical content and id of an event."""

_APART = {*_PLACES, "event_id", "meta"}
"""Fields that are no part of what events of a form have in common."""

FORMS_KEPT = 4096
"""Forms of a run; what has none of them is checked in full."""

_LONGEST = 2_000
"""Characters of a form's JSON: all forms take a few MiB, and no event comes near its limit."""


class Room:
    """How many more forms there may be in a run."""

    def __init__(self, left: int = FORMS_KEPT) -> None:
        self.left = left


class Form(NamedTuple):
    """A payload without `meta`, and its JSON up to there, with places for the values that vary."""

    payload: dict[str, Any]
    text: str


class Forms:
    """The forms of the records that have certain keys."""

    def __init__(self, keys: Sequence[str], parsers: Mapping[str, Parser], room: Room) -> None:
        self._room = room
        self._varying = [(name, parsers[name]) for name in _PLACES if name in keys]
        self._same = [name for name in keys if name not in _APART]
        self._identifier = parsers["event_id"] if "event_id" in keys else None
        self._has_meta = "meta" in keys
        self._known: dict[tuple[Any, ...], dict[tuple[str, ...], Form]] = {}
        """By the texts that are the same, then by the names of the values there are."""

    def filled(self, record: Record, fields: Mapping[str, Any]) -> Filled | None:
        """Return the event that a record with these fields is; None when it needs a whole check."""
        event_id = None
        try:
            known = self._known.get(tuple([fields[name] for name in self._same]))
            values = self._values(fields) if known else None
            if known is None or values is None:
                return None
            form = known.get(tuple(values))
            if form is None:
                return None
            if self._identifier is not None:
                event_id, findings = self._identifier(fields["event_id"])
                if findings or not _is_plain(event_id):
                    return None
        except TypeError:  # an array or object has no hash
            return None
        payload = form.payload.copy()
        payload.update(values)
        text = form.text % (*values.values(),)
        if self._has_meta or record.meta:
            literal = self._add_meta(record.meta, fields.get("meta"), payload)
            if literal is None:
                return None
            text = f'{text},"meta":{literal}'
        if event_id is not None:
            payload["event_id"] = event_id
        return payload, f"{text}}}".encode(), event_id

    def _values(self, fields: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the checked values of the fields that vary; None when something is to be said."""
        values = {}
        for name, parse in self._varying:
            value, findings = parse(fields[name])
            if findings:
                return None
            if value is not None:
                values[name] = value
        return values

    def _add_meta(
        self, single: Mapping[str, Any], whole: Any, payload: dict[str, Any]
    ) -> str | None:
        """Add `meta` to the payload and return its JSON; None when something is to be said."""
        if self._has_meta and (single or whole.__class__ is not dict):
            return None
        meta, exact, findings = normal(whole if self._has_meta else single)
        literal = (encode if exact else encode_plain)(meta)
        if findings or len(literal) > _LONGEST or not is_encodable(literal):
            return None
        payload["meta"] = meta
        return literal

    def learn(self, fields: Mapping[str, Any], payload: Mapping[str, Any]) -> None:
        """Remember the form of an event that passed the check of these fields without a finding."""
        if not self._room.left:
            return
        values = self._values(fields) or {}
        kept = {name: value for name, value in payload.items() if name not in ("event_id", "meta")}
        text = ",".join(
            f'"{name}":{_PLACES[name] if name in values else _literal(value)}'
            for name, value in kept.items()
        )
        if len(text) > _LONGEST:
            return
        forms = self._known.setdefault(tuple(fields[name] for name in self._same), {})
        if tuple(values) not in forms:  # it is there where only the id or `meta` is special
            self._room.left -= 1
            forms[tuple(values)] = Form(kept, f"{{{text}")


def _literal(value: Any) -> str:
    return encode_plain(value).replace("%", "%%")


def _is_plain(event_id: str | int | None) -> bool:
    """Tell whether an id needs no look at its characters and its length."""
    return event_id.__class__ is not str or (len(event_id) < _LONGEST and event_id.isascii())

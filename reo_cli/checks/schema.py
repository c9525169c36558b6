"""The field table → JSON Schema 2020-12 of one event as reo reads it: `validate --print-schema`.

It says of a payload what a schema can; that a text is a time, that a name is a company's, or that
two events differ, is left to `validate` itself.
"""

from typing import Any

from reo_cli.checks.times import MOST_DIGITS, SMALLEST_EPOCH
from reo_cli.events import FIELDS, Field

Schema = dict[str, Any]

_EITHER = ("ip_addr", "domain")
_FILLED: Schema = {"type": "string", "pattern": r"\S"}
_BLANK: Schema = {"type": "string", "pattern": r"^\s*$"}

_KINDS: dict[str, Schema] = {
    "text": _FILLED,
    "count": {
        "type": ["integer", "string"],
        "minimum": 0,
        "pattern": r"^\s*(?:0|[1-9][0-9]{0,4000})(?:\.00?)?\s*$",
    },
    "ip": {"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]},
    "domain": {"type": "string", "format": "idn-hostname", "pattern": r"[^.]\.[^.]"},
    "id": {"type": ["string", "integer"]},
    "time": {
        "type": ["number", "string"],
        "minimum": SMALLEST_EPOCH,
        "exclusiveMaximum": 10**MOST_DIGITS,
        "pattern": r"\S",
        "examples": [1790000000, "2026-09-21", "2026-09-21T14:13:20Z", "now"],
    },
    "meta": {"type": ["object", "string"]},
}


def event_schema() -> Schema:
    """Return the JSON Schema of one payload."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Reo.Dev product usage event",
        "description": "One payload. A null or blank value counts as absent.",
        "type": "object",
        "properties": {each.name: _property(each) for each in FIELDS},
        "patternProperties": {r"^meta\.[\s\S]": True},
        "additionalProperties": False,
        "required": [each.name for each in FIELDS if each.required],
        "anyOf": [{"required": [name], "properties": {name: _FILLED}} for name in _EITHER],
    }


def _property(field: Field) -> Schema:
    kind = _KINDS.get(field.kind) or {"enum": [*field.values]}
    told = {"description": field.help} | ({"default": field.default} if field.default else {})
    if field.required:
        return {**told, **kind}
    return {**told, "anyOf": [kind, {"type": "null"}, _BLANK]}

"""The field table → JSON Schema 2020-12 of one event as reo reads it: `validate --print-schema`.

It says of a payload what the check of its record says, as far as a schema can: that a day exists,
that a name in another script is a domain, or that two events differ, is beyond it.
"""

from collections.abc import Callable
from typing import Any

from reo_cli.events import FIELDS, Field
from reo_cli.values.times import MOST_DIGITS, SMALLEST_EPOCH, ZONE

Schema = dict[str, Any]

_BLANK = r"^\s*$"
_END = r"$(?!\n)"
"""The end, for programs in whose patterns `$` also stands before a last line feed."""

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_V4 = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_HEX = "[0-9A-Fa-f]{1,4}"
_GROUPS = f"(?:{_HEX}(?::{_HEX})*)?"
_V6 = "|".join(
    [
        f"(?:{_HEX}:){{7}}{_HEX}",
        f"(?:{_HEX}:){{6}}{_V4}",
        # With `::` at most seven groups are left, five before a v4 address.
        f"(?!:*(?:{_HEX}:+){{7}}{_HEX}){_GROUPS}::{_GROUPS}",
        rf"(?!:*(?:{_HEX}:+){{6,}}[0-9]+\.){_GROUPS}::(?:{_HEX}:)*{_V4}",
    ]
)
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = rf"^(?=.{{1,253}}\.?$)(?:{_LABEL}\.)+(?![0-9]+\.?$){_LABEL}\.?{_END}"
_DOT = r"[.\u3002\uff0e\uff61]"
_IN_LABEL = (
    r"""[^\s/@:?#\\<>"'*._\u3002\uff0e\uff61\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"""
)
_OTHER_LABEL = rf"(?!-){_IN_LABEL}+(?<!-)"
_OTHER_SCRIPT = (
    rf"^(?=[\s\S]*[^\x00-\x7f])(?:{_OTHER_LABEL}{_DOT})+(?![0-9]+{_DOT}?$)"
    rf"{_OTHER_LABEL}{_DOT}?{_END}"
)

_OBJECT = rf"^[ \t\r\n]*\{{[\s\S]*\}}[ \t\r\n]*{_END}"
"""Text of a JSON object, from its first brace to its last."""

_YEAR = "(?:19[7-9][0-9]|[2-9][0-9]{3})"
_MONTH, _DAY = "(?:0[1-9]|1[0-2])", "(?:0[1-9]|[12][0-9]|3[01])"
_WEEK = "W(?:0[1-9]|[1-4][0-9]|5[0-3])"
_DATES = (
    f"{_YEAR}-{_MONTH}-{_DAY}",
    f"{_YEAR}{_MONTH}{_DAY}",
    f"{_YEAR}-{_WEEK}(?:-[1-7])?",
    f"{_YEAR}{_WEEK}[1-7]?",
)
_BEFORE_1970 = "1970-?W01(?:-?[123])?(?:[Tt ]|$)"
_SIXTIETH = "[0-5][0-9]"
_CLOCK = (
    rf"(?:[01][0-9]|2[0-3])(?::{_SIXTIETH}(?::{_SIXTIETH}(?:[.,][0-9]+)?)?"
    rf"|{_SIXTIETH}(?:{_SIXTIETH}(?:[.,][0-9]+)?)?)?"
)
_TIMES = [
    r"^\s*now\s*$",
    rf"^[1-9][0-9]{{{len(str(SMALLEST_EPOCH)) - 1},{MOST_DIGITS - 1}}}(?:\.0+)?{_END}",
    rf"^(?![0-9]{{8}}$)(?!{_BEFORE_1970})(?:{'|'.join(_DATES)})"
    rf"(?:[Tt ]{_CLOCK}(?: ?{ZONE})?)?{_END}",
]


def event_schema() -> Schema:
    """Return the JSON Schema of one payload."""
    properties = {each.name: _property(each) for each in FIELDS}
    required = [each.name for each in FIELDS if each.required and each.default is None]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Reo.Dev product usage event",
        "description": "One payload. A null or blank value counts as absent.",
        "type": "object",
        "properties": properties,
        "patternProperties": {r"^meta\.[\s\S]": True},
        "additionalProperties": False,
        "required": required,
        "anyOf": [{"required": [name], "properties": {name: _FILLED}} for name in _EITHER],
    }


_EITHER = ("ip_addr", "domain")
_FILLED: Schema = {"type": "string", "pattern": r"\S"}


def _property(field: Field) -> Schema:
    schema: Schema = {"description": field.help, **_KINDS[field.kind](field)}
    if field.default is not None:
        schema["default"] = field.default
    if not field.required or field.default is not None:
        return _or_absent(schema)
    return schema


def _or_absent(schema: Schema) -> Schema:
    """Allow null, and a blank string, where a field may be absent."""
    kept: Schema = {name: schema.pop(name) for name in ("description", "default") if name in schema}
    return {**kept, "anyOf": [schema, {"type": "null"}, {"type": "string", "pattern": _BLANK}]}


def _enum(field: Field) -> Schema:
    return {"enum": [*field.documented, *field.tolerated]}


def _time(_: Field) -> Schema:
    seconds = {"type": "integer", "minimum": SMALLEST_EPOCH, "exclusiveMaximum": 10**MOST_DIGITS}
    return {"anyOf": [seconds, *({"type": "string", "pattern": each} for each in _TIMES)]}


def _domain(_: Field) -> Schema:
    return {"type": "string", "anyOf": [{"pattern": _DOMAIN}, {"pattern": _OTHER_SCRIPT}]}


_KINDS: dict[str, Callable[[Field], Schema]] = {
    "text": lambda _: dict(_FILLED),
    "count": lambda _: {"type": "integer", "minimum": 0},
    "ip": lambda _: {"type": "string", "pattern": f"^(?:{_V4}|{_V6}){_END}"},
    "domain": _domain,
    "id": lambda _: {"type": ["string", "integer"]},
    "time": _time,
    "enum": _enum,
    "meta": lambda _: {"anyOf": [{"type": "object"}, {"type": "string", "pattern": _OBJECT}]},
}

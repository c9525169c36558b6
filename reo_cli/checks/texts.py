"""Texts, identifiers, the two enumerations, and `meta` where it is a whole object."""

import difflib
import json
import re
from collections.abc import Sequence
from typing import Any

from reo_cli.checks.content import DEPTH_LIMIT
from reo_cli.checks.values import (
    ABSENT,
    EXACT_LIMIT,
    NOTHING_HINT,
    PLACEHOLDERS,
    Checked,
    Parser,
    error,
    issue,
    not_a,
    warned,
)
from reo_cli.events import Field
from reo_cli.readers.jsontext import Decoder, unkept
from reo_cli.records import Issue
from reo_cli.text import kind_of, shown

_META_HINT = 'such as {"plan": "pro"}, or use one column a key: meta.plan'

_UNSEEN = "[\x00-\x1f\x7f-\xa0\xad\u034f\u061c\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\ufeff]"
"""Characters that take no room or look like a space."""

_TEMPLATE = r"\$\{.*\}|\$\(.*\)|\{\{.*\}\}|<%.*%>|%[A-Z_]+%"


def text(raw: Any) -> Checked:
    """Check a text: case and inner spaces count, blank is absent."""
    if raw.__class__ is not str:
        plain = json.dumps(raw) if isinstance(raw, int | float) else ""
        return not_a("a string", raw, plain and f'put it in quotes: "{plain[:40]}"')
    stripped = raw.strip()
    if not stripped:
        return ABSENT
    found = _no_text(raw)
    if stripped != raw:
        hint = f'to Reo.Dev that is not "{stripped[:60]}": remove them'
        found = [*found, issue("warning", "spaces", f"{shown(raw)} has spaces around it", hint)]
    return raw, found


def _no_text(raw: str) -> Sequence[Issue]:
    """Warn of a text that most likely stands there because something went wrong."""
    if raw.lower() in PLACEHOLDERS:
        what = f"{shown(raw)} is sent as a text"
        return [issue("warning", "placeholder", what, NOTHING_HINT, ("--null", raw))]
    if ("{" in raw or "<%" in raw or raw[0] in "%$") and re.search(_TEMPLATE, raw):
        what = f"{shown(raw)} holds a template that nothing filled in"
        return [issue("warning", "template", what, "fill it in where the file is created")]
    if not raw.isprintable() and (strange := re.search(_UNSEEN, raw)):
        what = f"{shown(raw)} holds the character U+{ord(strange[0]):04X}, which nobody sees"
        hint = "to Reo.Dev it is another text: remove it"
        return [issue("warning", "control-character", what, hint)]
    return ()


def identifier(raw: Any) -> Checked:
    """Check an `event_id`: a string or an integer, kept as given (api.md)."""
    if raw.__class__ is str:
        return (raw, _no_text(raw)) if raw.strip() else ABSENT
    if isinstance(raw, float):
        if not raw.is_integer():
            hint = "an id is a string or an integer"
            return error("wrong-type", f"{shown(raw)} is not a whole number", hint)
        raw = int(raw)
    if isinstance(raw, bool) or not isinstance(raw, int):
        return not_a("a string or an integer", raw)
    if abs(raw) > EXACT_LIMIT:
        quoted = f'put it in quotes: "{raw}"' if abs(raw) < 10**40 else "put it in quotes"
        return warned(raw, "big-integer", f"{shown(raw)} is beyond 2^53", quoted)
    return raw, ()


def given_identifier(raw: Any) -> Checked:
    """Check the id of a single event: one that is given but blank is most likely a mistake."""
    if isinstance(raw, str) and not raw.strip():
        hint = "it is sent under a random id, and a second time under another: is a variable empty?"
        return warned(None, "blank", "is given but blank", hint)
    return identifier(raw)


def one_of(field: Field) -> Parser:
    """Return the parser of an enumeration; all but its first value pass with a warning."""
    first, *others = field.values

    def parse(raw: Any) -> Checked:
        if raw == first:
            return raw, ()
        if not isinstance(raw, str):
            return not_a("a string", raw)
        if not raw.strip():
            return ABSENT
        if raw in others:
            what = f"{raw} is documented for product data, not telemetry"
            return warned(raw, "product-data", what, f"telemetry has {first}")
        folded = raw.strip().upper().replace(" ", "_").replace("-", "_")
        near = difflib.get_close_matches(folded[:40], field.values, 1, 0.5)
        hint = f"write {near[0]}" if near else "if it says something else"
        what = f"{shown(raw)} is not one of {', '.join(field.values)}"
        return error("unknown-value", what, hint, ("--set", f"{field.name}={first}"))

    return parse


def meta_object(raw: Any) -> Checked:
    """Check that `meta` is an object; text (a CSV cell, a flag) is decoded as JSON."""
    if isinstance(raw, dict):
        return raw, ()
    if isinstance(raw, list):
        return error("wrong-type", f"{shown(raw)} is an array, not an object")
    if not isinstance(raw, str):
        return not_a("an object", raw)
    text = raw.strip(" \t\r\n")
    if not text.strip():
        return ABSENT
    decoder = Decoder()
    try:
        value, end = decoder.decode(text, 0)
    except RecursionError:
        return error("too-deep", "is nested too deeply", f"an event may have {DEPTH_LIMIT} levels")
    except json.JSONDecodeError:
        value, end = None, 0
    if end != len(text):
        return error("not-json", f"{shown(raw)} is not a JSON object", _META_HINT)
    for each in unkept(value) if decoder.has_unkept else ():
        return error(each.code, each.message)
    if not isinstance(value, dict):
        return error("wrong-type", f"{shown(raw)} is {kind_of(value)}, not an object", _META_HINT)
    return value, ()

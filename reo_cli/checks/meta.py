"""`meta`: an object of anything else, with its keys in order so that equal objects are equal."""

import json
from collections.abc import Mapping
from typing import Any

from reo_cli.checks.values import ABSENT, EXACT_LIMIT, Checked, error, issue, not_a
from reo_cli.readers.jsontext import Decoder, unkept
from reo_cli.records import Issue
from reo_cli.text import kind_of, shown

DEPTH_LIMIT = 64
"""The deepest nesting of an event (reliability.md section 5)."""

_HINT = 'such as {"plan": "pro"}, or use one column a key: meta.plan'


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
        return error("not-json", f"{shown(raw)} is not a JSON object", _HINT)
    for each in unkept(value) if decoder.has_unkept else ():
        return error(each.code, each.message)
    if not isinstance(value, dict):
        return error("wrong-type", f"{shown(raw)} is {kind_of(value)}, not an object", _HINT)
    return value, ()


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

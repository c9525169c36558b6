"""`meta`: an object of anything else, with its keys in order so that equal objects are equal."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from reo_cli.values import ABSENT, Checked, Finding, error, kind_of, not_a, shown
from reo_cli.values.jsontext import Decoder
from reo_cli.values.numbers import EXACT_LIMIT, ExactFloat

DEPTH_LIMIT = 64
"""The deepest nesting of an event (reliability.md section 5)."""


class Normal(NamedTuple):
    """`meta` with sorted keys; `exact` says that it holds numbers to be written as read."""

    value: dict[str, Any]
    exact: bool
    findings: tuple[Finding, ...]


def meta_object(raw: Any) -> Checked:
    """Check that `meta` is an object; text (a CSV cell, a flag) is decoded as JSON."""
    if isinstance(raw, dict):
        return raw, ()
    if not isinstance(raw, str):
        return not_a("an object", raw)
    if not raw.strip():
        return ABSENT
    import json

    decoder = Decoder()
    hint = 'such as {"plan": "pro"}, or use one column a key: meta.plan'
    try:
        value = decoder.decode(raw)
    except RecursionError:
        return error("is nested too deeply", f"an event may have {DEPTH_LIMIT} levels")
    except json.JSONDecodeError:
        return error(f"{shown(raw)} is not a JSON object", hint)
    except ValueError:
        return error("holds an integer of over 4,300 digits", "no program keeps it")
    if decoder.faults:
        return error(decoder.faults[0].message)
    if not isinstance(value, dict):
        return error(f"{shown(raw)} is {kind_of(value)}, not an object", hint)
    return value, ()


def normal(meta: Mapping[str, Any]) -> Normal:
    """Sort the keys at every depth and look for what cannot be sent or will be changed."""
    for value in meta.values():
        if value.__class__ is not str:
            break
    else:
        return Normal({name: meta[name] for name in sorted(meta)}, exact=False, findings=())
    walk = _Walk()
    value = walk.sorted(meta, 2)  # `payload` and `meta` are the first two levels
    return Normal(value, walk.exact, tuple(walk.findings))


class _Walk:
    def __init__(self) -> None:
        self.exact = False
        self.findings: dict[Finding, None] = {}

    def sorted(self, value: Any, depth: int) -> Any:
        if isinstance(value, dict | list) and depth > DEPTH_LIMIT:
            self._note(Finding("error", f"is nested deeper than {DEPTH_LIMIT} levels"))
            return None
        if isinstance(value, Mapping):
            return {name: self.sorted(value[name], depth + 1) for name in sorted(value)}
        if isinstance(value, list):
            return [self.sorted(each, depth + 1) for each in value]
        if isinstance(value, ExactFloat):
            self.exact = True
        elif isinstance(value, int) and abs(value) > EXACT_LIMIT:
            message = f"holds {shown(value)}, beyond 2^53"
            self._note(Finding("warning", message, "put it in quotes to keep its digits"))
        return value

    def _note(self, finding: Finding) -> None:
        self.findings[finding] = None

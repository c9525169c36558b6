"""Texts, identifiers and the two enumerations."""

from collections.abc import Sequence
from typing import Any

from reo_cli.values import ABSENT, Checked, Parser, error, not_a, remembered, shown, warned
from reo_cli.values.numbers import EXACT_LIMIT, exact_integer


@remembered(4096)
def text(raw: Any) -> Checked:
    """Check a text: case and inner spaces count, blank is absent."""
    if not isinstance(raw, str):
        import json

        plain = json.dumps(raw) if isinstance(raw, int | float) else ""
        return not_a("a string", raw, plain and f'put it in quotes: "{plain[:40]}"')
    stripped = raw.strip()
    if not stripped:
        return ABSENT
    if stripped != raw:
        hint = f'to Reo.Dev that is not "{stripped[:60]}": remove them'
        return warned(raw, f"{shown(raw)} has spaces around it", hint)
    return raw, ()


def identifier(raw: Any) -> Checked:
    """Check an `event_id`: a string or an integer, kept as given (api.md)."""
    if raw.__class__ is str:
        return (raw, ()) if raw.strip() else ABSENT
    return _other_id(raw)


@remembered(1024)
def _other_id(raw: Any) -> Checked:
    if isinstance(raw, float):
        number = exact_integer(raw)
        if number is None:
            return error(f"{shown(raw)} is not a whole number", "an id is a string or an integer")
        raw = number
    if isinstance(raw, bool) or not isinstance(raw, int):
        return not_a("a string or an integer", raw)
    if abs(raw) > EXACT_LIMIT:
        quoted = f'put it in quotes: "{raw}"' if abs(raw) < 10**40 else "put it in quotes"
        return warned(raw, f"{shown(raw)} is beyond 2^53", quoted)
    return raw, ()


def one_of(documented: Sequence[str], tolerated: Sequence[str]) -> Parser:
    """Return a parser for an enumeration; `tolerated` values pass with a warning."""

    @remembered(64)
    def parse(raw: Any) -> Checked:
        if not isinstance(raw, str):
            return not_a("a string", raw)
        if not raw.strip():
            return ABSENT
        if raw in documented:
            return raw, ()
        known = " or ".join(documented)
        if raw in tolerated:
            what = f"{raw} is documented for product data, not telemetry"
            return warned(raw, what, f"telemetry has {known}")
        all_known = ", ".join((*documented, *tolerated))
        return error(f"{shown(raw)} is none of {all_known}", f"write {_nearest(raw) or known}")

    def _nearest(raw: str) -> str:
        import difflib

        folded = raw.strip().upper().replace(" ", "_").replace("-", "_")
        near = difflib.get_close_matches(folded[:40], [*documented, *tolerated], 1, 0.5)
        return near[0] if near else ""

    return parse

"""What the sandbox asks of a body: the documented payload (api.md), and no more. Pure.

It is written apart from `events` on purpose: it is the second opinion on what reo sends.
"""

import json
import math
from collections.abc import Callable
from typing import Any, NamedTuple


class Reading(NamedTuple):
    """A body as read: its payload, if there is one, and what is wrong with it, or empty."""

    payload: dict[str, Any]
    problem: str = ""


class _Rule(NamedTuple):
    field: str
    required: bool
    holds: Callable[[Any], bool]
    demand: str


def read(body: bytes) -> Reading:
    """Decode and check the body of a request; never raises."""
    try:
        value = _decode(body.decode())
    except (ValueError, RecursionError) as error:
        return Reading(
            {}, f"the body is not JSON: {_reason(error)}" if body else "there is no body"
        )
    payload = value.get("payload") if isinstance(value, dict) else None
    if not isinstance(payload, dict):
        return Reading({}, 'the body must be {"payload": {...}}')
    return Reading(payload, "; ".join(_problems(payload)))


def encode(payload: dict[str, Any]) -> bytes:
    """Return the payload as one line of UTF-8 JSON, ended by LF; raises RecursionError."""
    try:
        return _encode(payload).encode() + b"\n"
    except UnicodeEncodeError:  # half of a surrogate pair: only an escape can express it
        return json.dumps(payload).encode() + b"\n"


def _problems(payload: dict[str, Any]) -> list[str]:
    found: list[str] = []
    for field, required, holds, demand in _RULES:
        value = payload.get(field)
        if value is None:
            if required:
                found.append(f"{field} is missing")
        elif not holds(value):
            found.append(f"{field} must be {demand}")
    if not (_is_filled(payload.get("ip_addr")) or _is_filled(payload.get("domain"))):
        found.append("ip_addr or domain is missing")
    return found


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_filled(value: Any) -> bool:
    return isinstance(value, str) and bool(value) and not value.isspace()


def _is_integer(value: Any) -> bool:
    return type(value) is int  # a boolean is an int to isinstance


_RULES = (
    _Rule("mode", True, ("DOMAIN", "USER").__contains__, "DOMAIN"),
    _Rule("source", True, ("TELEMETRY", "PRODUCT_CLOUD").__contains__, "TELEMETRY"),
    _Rule("activity_type", True, _is_filled, "a non-empty string"),
    _Rule("environment", False, _is_text, "a string"),
    _Rule("count", True, lambda value: _is_integer(value) and value >= 0, "an integer from 0"),
    _Rule("ip_addr", False, _is_text, "a string"),
    _Rule("domain", False, _is_text, "a string"),
    _Rule("event_id", False, lambda v: _is_text(v) or _is_integer(v), "a string or an integer"),
    _Rule("event_at", True, _is_integer, "an integer: epoch seconds"),
    _Rule("product_id", True, _is_filled, "a non-empty string"),
    _Rule("user_agent", False, _is_text, "a string"),
    _Rule("meta", False, lambda value: isinstance(value, dict), "an object"),
)


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(text)
    return number


def _refuse(name: str) -> float:
    raise ValueError(name)


def _reason(error: Exception) -> str:
    match error:
        case json.JSONDecodeError():
            return f"{error.msg} at character {error.pos}"
        case UnicodeDecodeError():
            return f"byte {error.start} is not UTF-8"
        case RecursionError():
            return "it is nested too deeply"
        case _:
            return "it holds NaN, Infinity or a number out of range"


_decode = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse).decode
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

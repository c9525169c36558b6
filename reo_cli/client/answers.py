"""What came back from an attempt: an `Answer` that was read, or a `Fault` on the way to one.

The client makes these values, `outcome.classify` judges them. Here is also what can be read out of
an answer without judging it: its JSON, its words for people, the wait it asks for.
"""

import json
import math
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from reo_cli.text import visible

NESTING_LIMIT = 64
"""Levels of arrays and objects in an answer (reliability.md section 5.10)."""

LONGEST_WAIT = 1e9
"""Seconds (31 years); a longer `Retry-After` is cut to it, so that arithmetic with it is safe."""

WORDS_LIMIT = 200
TEXT_LIMIT = 500


class FaultKind(StrEnum):
    """What a fault means for the next attempt."""

    UNREACHABLE = "unreachable"
    """No connection came about: nothing of the event was sent."""
    BROKEN = "broken"
    """The request was, at least in part, sent; there is no answer."""
    CONFIG = "config"
    """A certificate, the protocol or the proxy's password: trying again cannot help."""
    LIMIT = "limit"
    """This machine gives no thread or descriptor."""
    REFUSED = "refused"
    """A proxy has decided that it does not connect us."""


class Fault(NamedTuple):
    """An attempt without an answer of the server.

    `status` is what was read of one, if anything; `step` how far it came: `dns`, `tcp`, `proxy`,
    `tls` or `answer`.
    """

    kind: FaultKind
    reason: str
    hint: str = ""
    status: int | None = None
    step: str = ""


class Answer(NamedTuple):
    """An HTTP answer whose headers were read to their end.

    `headers` has lower-case names; the values of a repeated header are joined by line feeds. `body`
    is at most 64 KiB, free of any framing. `framed` says that it is complete by the rules of HTTP,
    `problem` else why not. `url` is what was asked, `read_at` when (epoch seconds).
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    framed: bool
    problem: str = ""
    url: str = ""
    read_at: float | None = None


def one_line(text: str, limit: int = WORDS_LIMIT) -> str:
    """Make foreign text safe for a message: one line, nothing invisible, at most `limit` long."""
    return visible(" ".join(text[: 4 * limit].split()), limit)


def decode(body: bytes) -> Any:
    """Decode a JSON body; raises ValueError for whatever RFC 8259 does not allow.

    Repeated keys and nesting beyond `NESTING_LIMIT` are refused too. Numbers that Python cannot
    hold stay text, and lone surrogates become U+FFFD, so that the value can be printed anywhere.
    """
    try:
        value = _DECODER.decode(body.decode().removeprefix("\ufeff"))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if b"\\u" in body or body.count(b"[") + body.count(b"{") > NESTING_LIMIT:
        return _cleaned(value, NESTING_LIMIT)
    return value


def text_of(body: bytes) -> str:
    """Give the start of a body that is no JSON, as text."""
    return body[: 4 * TEXT_LIMIT].decode(errors="replace")[:TEXT_LIMIT]


def is_html(answer: Answer) -> bool:
    """Whether a body that is no JSON is a page for people; plain text sent as HTML is none."""
    start = answer.body[:200].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<script")):
        return True
    kind = answer.headers.get("content-type", "").strip().lower()
    return b"<" in answer.body and kind.startswith(("text/html", "application/xhtml"))


def words_of(value: Any) -> str:
    """Give what an answer says to people: the `response` of a JSON object, or plain text."""
    if isinstance(value, Mapping):
        texts = (value.get(name) for name in ("response", "message", "error", "detail"))
        value = next((each for each in texts if isinstance(each, str) and each.strip()), "")
    return one_line(value) if isinstance(value, str) else ""


def retry_after(answer: Answer) -> float | None:
    """Give the wait that `Retry-After` asks for, in seconds from when the answer was read.

    Seconds, or an HTTP date measured against the answer's own `Date` (without one, against
    `read_at`); of several the longest. None when there is none or it makes no sense.
    """
    asked = answer.headers.get("retry-after")
    if asked is None:
        return None
    waits = (_wait(each.strip(), answer) for each in asked.split("\n"))
    return max((wait for wait in waits if wait is not None), default=None)


def _wait(asked: str, answer: Answer) -> float | None:
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", asked):
        return min(float(asked), LONGEST_WAIT)
    until = _epoch(asked)
    now = _epoch(answer.headers.get("date", "")) or answer.read_at
    if until is None or now is None:
        return None
    return min(max(until - now, 0.0), LONGEST_WAIT)


def _epoch(date: str) -> float | None:
    """Epoch seconds of an HTTP date in any of its three forms, or None."""
    from datetime import UTC, datetime
    from email.utils import parsedate_tz

    if not 16 < len(date) < 64:
        return None
    try:
        fields = parsedate_tz(date)
        if fields is None:
            return None
        return datetime(*fields[:6], tzinfo=UTC).timestamp() - (fields[9] or 0)
    except (ValueError, OverflowError, IndexError, TypeError):
        return None


def _cleaned(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return (
            value
            if value.isascii()
            else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        )
    if isinstance(value, dict | list) and not depth:
        raise ValueError("nested too deeply")
    if isinstance(value, dict):
        return {_cleaned(k, depth): _cleaned(v, depth - 1) for k, v in value.items()}
    return [_cleaned(v, depth - 1) for v in value] if isinstance(value, list) else value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key appears twice")
    return value


def _integer(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:
        return text


def _decimal(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def _constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_integer,
    parse_float=_decimal,
    parse_constant=_constant,
)

"""What came back from an attempt: an `Answer`, and what can be read out of it without judging it.

That is its JSON, its words for people, the wait it asks for; `outcome.classify` is the judge.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from reo_cli.text import visible

NESTING_LIMIT = 64
"""Levels of arrays and objects in an answer (reliability.md section 5.10)."""

LONGEST_WAIT = 1e9
"""Seconds (31 years); a longer `Retry-After` is cut to it, so that arithmetic with it is safe."""

WORDS_LIMIT = 200
TEXT_LIMIT = 500


class Answer(NamedTuple):
    """An HTTP answer whose headers were read to their end.

    `headers` has lower-case names; the values of a repeated header are joined by line feeds. `body`
    is at most 64 KiB, free of any framing; `problem` says why it is not complete by the rules of
    HTTP, if it is not. `url` is what was asked, `read_at` when (epoch seconds).
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    problem: str = ""
    url: str = ""
    read_at: float = 0.0


def one_line(text: str, limit: int = WORDS_LIMIT) -> str:
    """Make foreign text safe for a message: one line, nothing invisible, at most `limit` long."""
    return visible(" ".join(text[: 4 * limit].split()), limit)


def content(body: bytes) -> Any:
    """Give what a body holds: its JSON decoded, or the start of its text if RFC 8259 forbids it.

    Repeated keys and nesting beyond `NESTING_LIMIT` are no JSON either. Numbers that Python cannot
    hold stay text, and lone surrogates become U+FFFD, so that the value can be printed anywhere.
    """
    try:
        return _cleaned(_DECODER.decode(body.decode().removeprefix("\ufeff")), NESTING_LIMIT)
    except (ValueError, RecursionError):
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


def epoch(date: str) -> float | None:
    """Give the epoch seconds of an HTTP date in any of its three forms, None of other text."""
    from datetime import UTC
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(date[:64])
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, IndexError, TypeError):
        return None


def _wait(asked: str, answer: Answer) -> float | None:
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", asked):
        return min(float(asked), LONGEST_WAIT)
    until = epoch(asked)
    if until is None:
        return None
    now = epoch(answer.headers.get("date", "")) or answer.read_at
    return min(max(until - now, 0.0), LONGEST_WAIT)


def _cleaned(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if not isinstance(value, dict | list):
        return value
    if not depth:
        raise ValueError("nested too deeply")
    if isinstance(value, list):
        return [_cleaned(each, depth - 1) for each in value]
    return {_cleaned(key, 0): _cleaned(each, depth - 1) for key, each in value.items()}


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key appears twice")
    return value


def _number(text: str) -> float | str:
    try:
        return int(text)
    except ValueError:  # a decimal, or more digits than Python takes
        number = float(text)
    return number if math.isfinite(number) else text


def _constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_number, parse_float=_number, parse_constant=_constant
)

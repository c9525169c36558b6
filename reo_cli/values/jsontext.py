"""JSON text ↔ values, exactly: what Python's `json` lets through or changes is found here.

RFC 8259 decides. NaN, repeated keys, numbers out of range and 5,000-digit integers become faults
instead of values, and numbers that a double would change keep their text. `json` itself, 2 ms, is
loaded when something is decoded: CSV is only encoded.
"""

import math
from _json import encode_basestring, make_encoder
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from reo_cli.values.numbers import ExactFloat
from reo_cli.values.patterns import Pattern

WHITE_SPACE = " \t\r\n"
"""What RFC 8259 allows between values."""

_MINUS_ZERO = Pattern(r"-0(?![0-9.eE])(?<![^\s:,\[]-0)")


class Unreadable:
    """Stands where a value was that JSON's grammar allows and nobody can keep."""


class Fault(NamedTuple):
    """What is wrong with a value that JSON's grammar allows.

    `token` is where that shows, `place` what stands for it in the decoded value.
    """

    message: str
    token: str
    place: Unreadable


class Decoder:
    """Decodes one value at a time and gathers in `faults` what is wrong with it.

    An integer of more than 4,300 digits raises ValueError, as Python's `int` does.
    """

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        """What is wrong with the values decoded since `faults` was last cleared."""
        self.scan = self._scanner(int)
        """`scan(text, start) -> (value, end)`.

        Raises StopIteration with the place where no value starts, ValueError (JSONDecodeError) and
        RecursionError. It takes `-0` for 0; `exact` doesn't.
        """

    def _scanner(self, parse_int: Callable[[str], Any]) -> Callable[[str, int], tuple[Any, int]]:
        import json

        decoder: Any = json.JSONDecoder(
            object_pairs_hook=self._object,
            parse_float=self._float,
            parse_int=parse_int,
            parse_constant=self._constant,
        )
        scan: Callable[[str, int], tuple[Any, int]] = decoder.scan_once
        return scan

    def raw_decode(self, text: str, start: int) -> tuple[Any, int]:
        """Like `scan`, but JSONDecodeError where no value starts."""
        import json

        try:
            return self.scan(text, start)
        except StopIteration as fault:
            raise json.JSONDecodeError("Expecting value", text, fault.value) from None

    def exact(self, value: Any, text: str) -> Any:
        """Return what `text` says, for which `scan` gave `value`: a `-0` in it is kept."""
        if "-0" not in text or not _MINUS_ZERO.search(text):
            return value
        self.faults.clear()
        return self._scanner(_integer)(text, 0)[0]

    def decode(self, text: str) -> Any:
        """Decode a whole text; raises ValueError (JSONDecodeError) and RecursionError."""
        import json

        self.faults.clear()
        text = text.strip(WHITE_SPACE)
        value, end = self.raw_decode(text, 0)
        if end != len(text):
            raise json.JSONDecodeError("two values where one belongs", text, end)
        return self.exact(value, text)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) != len(pairs):
            twice = _twice(pairs)
            quoted = encode_plain(twice)
            value[twice] = self._faulty(f"the key {quoted[:60]} stands there twice", quoted)
        return value

    def _faulty(self, message: str, token: str) -> Any:
        fault = Fault(message, token, Unreadable())
        self.faults.append(fault)
        return fault.place

    def _float(self, text: str) -> Any:
        number = float(text)
        if math.isinf(number):
            what = f"the number {text[:40]} is too large for programs that read JSON"
            return self._faulty(what, text)
        return number if repr(number) == text else ExactFloat(text)

    def _constant(self, name: str) -> Any:
        return self._faulty(f"{name} is not JSON: leave the field out or write null", name)


def _twice(pairs: list[tuple[str, Any]]) -> str:
    """Return the first key that came before."""
    seen = set()
    for name, _ in pairs:
        if name in seen:
            return name
        seen.add(name)
    raise AssertionError(pairs)


def unreadable(value: Any) -> Iterator[Unreadable]:
    """Yield the places of faults in a decoded value."""
    if isinstance(value, Unreadable):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from unreadable(each)


def _integer(text: str) -> int | ExactFloat:
    return ExactFloat(text) if text == "-0" else int(text)


_c_encode: Callable[[Any, int], tuple[str, ...]] = make_encoder(
    None,  # no look for circles
    None,  # type: ignore[arg-type]
    encode_basestring,
    None,
    ":",
    ",",
    False,
    False,
    False,
)


def encode_plain(value: Any) -> str:
    """Compact JSON of a value that holds no `ExactFloat`, in the order of its keys.

    It is `json.JSONEncoder(…).encode` without building a new C encoder at every call, which is a
    third of the time.
    """
    return "".join(_c_encode(value, 0))


def encode(value: Any) -> str:
    """Compact JSON of any value; an `ExactFloat` is written with the text it was read from."""
    if isinstance(value, ExactFloat):
        return value.text
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{encode_plain(k)}:{encode(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(encode, value)) + "]"
    return encode_plain(value)

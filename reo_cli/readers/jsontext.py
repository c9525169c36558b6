"""JSON text → values: what Python lets through or refuses is found, and told in the same words.

RFC 8259 decides. NaN, repeated keys, numbers out of range and 5,000-digit integers become `Unkept`
instead of values.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from reo_cli.text import visible

_DIGITS_LIMIT = 4300
"""The most digits that Python turns into an integer."""


class Unkept:
    """Stands where a value was that JSON's grammar allows and nobody can keep."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message


class Decoder:
    """Decodes one value at a time; `has_unkept` says that there are `Unkept`s in it."""

    def __init__(self) -> None:
        self.has_unkept = False
        self._plain = self._decoder(int)
        self._careful = self._decoder(self._integer)

    def _decoder(self, integer: Any) -> json.JSONDecoder:
        return json.JSONDecoder(
            object_pairs_hook=self._object,
            parse_float=self._float,
            parse_int=integer,
            parse_constant=self._constant,
        )

    def decode(self, text: str, start: int) -> tuple[Any, int]:
        """Return the value at `start` and its end; JSONDecodeError and RecursionError else."""
        self.has_unkept = False
        try:
            return self._plain.raw_decode(text, start)
        except json.JSONDecodeError:
            raise
        except ValueError:  # an integer that Python refuses
            return self._careful.raw_decode(text, start)

    def _unkept(self, code: str, message: str) -> Unkept:
        self.has_unkept = True
        return Unkept(code, message)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) != len(pairs):
            left = Counter(name for name, _ in pairs)
            twice = next(name for name in left if left[name] > 1)
            shown = visible(twice, 60)
            value[twice] = self._unkept("key-twice", f'the key "{shown}" appears twice')
        return value

    def _float(self, text: str) -> float | Unkept:
        number = float(text)
        if math.isinf(number):
            message = f"the number {text[:40]} is too large for programs that read JSON"
            return self._unkept("too-large", message)
        return number

    def _integer(self, text: str) -> int | Unkept:
        if len(text) > _DIGITS_LIMIT:
            return self._unkept("too-large", "an integer has over 4,300 digits")
        return int(text)

    def _constant(self, name: str) -> Unkept:
        return self._unkept("not-json", f"{name} is not JSON: leave the field out or write null")


def unkept(value: Any) -> Iterator[Unkept]:
    """Yield what stands in a value for what cannot be kept."""
    if isinstance(value, Unkept):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from unkept(each)


def explained(why: str, text: str, at: int, column: int) -> tuple[str, str]:
    """Say what keeps a text from being JSON, in Python's words, and what may have happened."""
    what, hint = why.partition(" at")[0].lower().replace("'", "`"), ""
    found = text[at : at + 5]
    if "trailing comma" in why or ("property name" in why and found[:1] == "}"):
        what = "a comma stands before a closing bracket"
    elif found[:1] == "'" or found.startswith(("None", "True", "False")):
        hint = "this is how Python writes it: use json.dumps"
    near = re.split("[\r\n]", text[at : at + 20], maxsplit=1)[0]
    return f"is not JSON: {what} in column {column}{f', at `{near}`' if near else ''}", hint

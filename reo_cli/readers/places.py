"""Where in the text of a JSON object something stands: looked up only when there is an issue."""

import json
import re
from collections.abc import Iterator
from functools import lru_cache

from reo_cli.values.patterns import Pattern

_TOKEN = Pattern(r'("(?:[^"\\]|\\.)*+")(\s*:)?|[{}\[\]]', re.DOTALL)

Path = tuple[str, ...]


def key_place(text: str, field: str, key: str) -> int:
    """Return the offset of the key that a field was read from; 0 where it isn't found.

    `text` is an object, bare or in its `payload` envelope. A key of `meta` may stand on its own
    (`meta.plan`) or inside.
    """
    places, _ = _places(text)
    base = ("payload",) if ("payload",) in places else ()
    wanted: list[Path] = [(key,), (field,)]
    if field.startswith("meta."):
        wanted += [("meta", field[5:]), ("meta",)]
    return next((places[(*base, *each)] for each in wanted if (*base, *each) in places), 0)


def token_place(text: str, field: str, token: str) -> int:
    """Return the offset of what is wrong in a field: a key that came before, or a bare word."""
    _, again = _places(text)
    if token in again:
        return again[token]
    start = key_place(text, field, field)
    found = re.compile(rf"(?<![^\s:,\[]){re.escape(token)}").search(text, start)
    return found.start() if found else max(0, text.rfind(token))


@lru_cache(maxsize=1)
def _places(text: str) -> tuple[dict[Path, int], dict[str, int]]:
    """Return where the keys of the first three levels stand, and where one stands again."""
    places: dict[Path, int] = {}
    again: dict[str, int] = {}
    for path, place, word in _keys(text):
        if path in places:
            again.setdefault(word, place)
        places.setdefault(path, place)
    return places, again


def _keys(text: str) -> Iterator[tuple[Path, int, str]]:
    """Yield the path of each key of the first three levels, where it stands, and how."""
    path: list[str] = []
    depth = 0
    for token in _TOKEN.finditer(text):
        word = token[0]
        if word in "{[":
            depth += 1
        elif word in "}]":
            depth -= 1
        elif token[2] and 1 <= depth <= 3:
            path[depth - 1 :] = [_decoded(token[1])] if len(path) >= depth - 1 else []
            if len(path) == depth:
                yield tuple(path), token.start(), token[1]


def _decoded(word: str) -> str:
    if "\\" not in word:
        return word[1:-1]
    try:
        return str(json.loads(word))
    except ValueError:
        return word

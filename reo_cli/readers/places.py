"""Where in the text of a JSON object a key stands: looked up only when there is an issue."""

import json
import re
from collections.abc import Iterator

from reo_cli.values.patterns import Pattern

_TOKEN = Pattern(r'("(?:[^"\\]|\\.)*+")(\s*:)?|[{}\[\]]', re.DOTALL)


def key_place(text: str, field: str, key: str) -> int:
    """Return the offset of the key that a field was read from; 0 where it isn't found.

    `text` is an object, bare or in its `payload` envelope. A key of `meta` may stand on its own
    (`meta.plan`) or inside.
    """
    places: dict[tuple[str, ...], int] = {}
    for path, place in _keys(text):
        places.setdefault(path, place)
    base = ("payload",) if ("payload",) in places else ()
    wanted: list[tuple[str, ...]] = [(key,), (field,)]
    if field.startswith("meta."):
        wanted += [("meta", field[5:]), ("meta",)]
    return next((places[(*base, *each)] for each in wanted if (*base, *each) in places), 0)


def _keys(text: str) -> Iterator[tuple[tuple[str, ...], int]]:
    """Yield the path of each key of the first three levels, and where it stands."""
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
                yield tuple(path), token.start()


def _decoded(word: str) -> str:
    if "\\" not in word:
        return word[1:-1]
    try:
        return str(json.loads(word))
    except ValueError:
        return word

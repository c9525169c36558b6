"""What a name that is no field most likely means: for people to decide, never acted upon."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from reo_cli.events import BY_FOLDED, FIELDS, folded
from reo_cli.values.patterns import Pattern


class Guess(NamedTuple):
    """A field, and how far from certain it is: guesses sort from the best."""

    doubt: int
    field: str


_ALSO = {folded(word): each.name for each in FIELDS for word in each.also}

_LAST_WORDS = {
    "event_at": ("at", "date", "time", "timestamp", "datetime", "ts", "day"),
    "count": ("count", "downloads", "hits", "installs", "views", "calls", "quantity"),
    "domain": ("domain", "website", "hostname"),
    "ip_addr": ("ip",),
    "environment": ("env", "environment"),
}
"""Words that say what a longer name is about, where it ends with them: `signup_date`."""

_BY_LAST = {word: field for field, words in _LAST_WORDS.items() for word in words}
_WORD = Pattern(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")

_MOST_WORDS = 4
_MARKS = frozenset(",;:|~^")
"""They stand between names, not in one."""

GUESSED = 200
"""Names of one input that are looked at: each takes a tenth of a millisecond."""

_LONGEST = 30
_OTHER_WORDS = frozenset({"county", "accounts", "counter"})
"""Words that look like a misspelt field and are something else."""


def suggestion(name: str) -> str | None:
    """Return the field that a name most likely means, or None."""
    guess = _guess(name)
    return guess and guess.field


def suggestions(names: Sequence[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """Return the fields that names most likely mean, each field once and none that is taken."""
    first = names[:GUESSED]
    guesses = [(guess, at, name) for at, name in enumerate(first) if (guess := _guess(name))]
    found: dict[str, str] = {}
    used = set(taken)
    for guess, _, name in sorted(guesses):
        if guess.field not in used:
            used.add(guess.field)
            found[name] = guess.field
    return {name: found[name] for name in names if name in found}


def _guess(name: str) -> Guess | None:
    key = folded(name)
    if field := BY_FOLDED.get(key) or _ALSO.get(key) or _ALSO.get(key.removesuffix("s")):
        return Guess(0, field)
    words = [word[0].lower() for word in _WORD.finditer(name[: 4 * _LONGEST])]
    if 1 < len(words) <= _MOST_WORDS and words[-1] in _BY_LAST and not _MARKS.intersection(name):
        return Guess(1, _BY_LAST[words[-1]])
    if len(key) > _LONGEST or key in _OTHER_WORDS:
        return None
    near = min((_distance(key, word), field) for word, field in BY_FOLDED.items() if len(word) > 4)
    if near[0] <= (2 if len(key) >= 8 else 1):
        return Guess(1 + near[0], near[1])
    near = min((_distance(key, word), field) for word, field in _ALSO.items() if len(word) > 5)
    return Guess(4, near[1]) if near[0] <= 1 else None


def _distance(one: str, other: str) -> int:
    """Count the letters to change, add, drop or swap with their neighbour."""
    if abs(len(one) - len(other)) > 2:
        return 9
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one):
        before, above, row = row, before, [i + 1]
        for j, wanted in enumerate(other):
            cost = min(before[j] + (letter != wanted), before[j + 1] + 1, row[j] + 1)
            if i and j and letter == other[j - 1] and wanted == one[i - 1]:
                cost = min(cost, above[j - 1] + 1)
            row.append(cost)
    return row[-1]

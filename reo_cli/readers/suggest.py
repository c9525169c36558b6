"""What a name that is no field most likely means: for people to decide, never acted upon."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from reo_cli.events import BY_FOLDED, FIELDS, folded
from reo_cli.readers.columns import as_text

_ALSO = {folded(word): each.name for each in FIELDS for word in each.also.split()}

_LAST_WORDS = {
    "event_at": "at date time timestamp datetime ts day",
    "count": "count downloads hits installs views calls quantity",
    "domain": "domain website",
    "ip_addr": "ip",
    "environment": "env environment",
}
"""Words that say what a longer name is about, where it ends with them: `signup_date`."""

_BY_LAST = {word: field for field, words in _LAST_WORDS.items() for word in words.split()}
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")

_MOST_WORDS = 4
_MARKS = frozenset(",;:|~^")
"""They stand between names, not in one."""

_HOLD_DOMAINS = frozenset(
    "email mail mailaddress emailaddress useremail url website homepage referrer referer".split()
)
"""Names of columns that hold a domain, in a mail address or a URL: for `--domain-of`."""

_DURATIONS = frozenset(
    "request response load elapsed processing cpu wait run session avg average up total".split()
)
"""Words before `time` that make it a duration."""

_OTHER_WORDS = frozenset("county country counties accounts counter".split())
"""Words that look like a misspelt field and are something else."""

GUESSED = 200
"""Names of one input that are looked at."""

_LONGEST = 30
_LOOKS = {
    "count": re.compile(r"[0-9][0-9.,'\u00a0\u202f ]*\Z"),
    "event_at": re.compile(r".*[0-9].*[-/.: ].*[0-9]|[0-9]{9,}|.*[A-Za-z]{3}.*[0-9]"),
    "domain": re.compile(r"\S+\.\S+\Z"),
    "ip_addr": re.compile(r"[0-9A-Fa-f]*[.:][0-9A-Fa-f.:]+\Z"),
    "product_id": re.compile(r".*[^0-9.]"),
    "activity_type": re.compile(r".*[^0-9.]"),
    "user_agent": re.compile(r".*[/(]"),
    "source": re.compile("TELEMETRY|PRODUCT.CLOUD", re.IGNORECASE),
    "mode": re.compile("DOMAIN|USER", re.IGNORECASE),
}
"""What the values of a field look like, be it roughly."""

_IS_TIME = re.compile(
    r"""["']?([0-9]{4}([-/.])[0-9]{1,2}\2[0-9]{1,2}|[0-9]{1,2}([-/.])[0-9]{1,2}\3[0-9]{4})(?![0-9])"""
).match
"""A date, and perhaps more; in quotes where it is the typed cell of a spreadsheet."""

Samples = Mapping[str, Sequence[Any]]
"""Some of what stands under names."""


_Guess = tuple[int, str]
"""How far from certain a guess is, and the field: the best sort first."""


def suggestion(name: str) -> str | None:
    """Return the field that a name most likely means, or None."""
    guess = _guess(name)
    return guess and guess[1]


@lru_cache(maxsize=1024)
def _guess(name: str) -> _Guess | None:
    import difflib

    key = folded(name)
    if field := BY_FOLDED.get(key) or _ALSO.get(key) or _ALSO.get(key.removesuffix("s")):
        return 0, field
    if key in _HOLD_DOMAINS:
        return 3, "domain"
    last = name.rpartition(".")[2]
    if last != name and (guess := _guess(last)):
        return guess[0] + 1, guess[1]
    words = [word[0].lower() for word in _WORD.finditer(name[: 4 * _LONGEST])]
    if 1 < len(words) <= _MOST_WORDS and words[-1] in _BY_LAST and not _MARKS.intersection(name):
        is_duration = words[-1] == "time" and words[-2] in _DURATIONS
        return None if is_duration else (1, _BY_LAST[words[-1]])
    if len(key) > _LONGEST or key in _OTHER_WORDS:
        return None
    for doubt, known, shortest, cutoff in ((2, BY_FOLDED, 5, 0.8), (4, _ALSO, 6, 0.9)):
        likely = [each for each in known if len(each) >= shortest and each[:1] == key[:1]]
        if near := difflib.get_close_matches(key, likely, 1, cutoff):
            return doubt, known[near[0]]
    return None


def holds_domain(name: str) -> bool:
    """Tell whether a column holds domains in mail addresses or URLs, by its name."""
    return folded(name.rpartition(".")[2]) in _HOLD_DOMAINS


def texts_in(samples: Samples, name: str) -> list[str]:
    """Return what stands under a name, without what is empty."""
    return list(filter(None, map(as_text, samples.get(name, ()))))


def candidates(
    names: Iterable[str], taken: Collection[str] = (), samples: Samples = MappingProxyType({})
) -> dict[str, list[str]]:
    """Return the names that could be a field, by field: those of least doubt, none that is taken.

    What is in a column (`samples`) may rule it out. Dates are times whatever the column's name: the
    first that is called a date need not be the one that counts.
    """
    found: dict[str, list[tuple[int, str]]] = {}
    for name in list(names)[:GUESSED]:
        texts = texts_in(samples, name)
        is_time = texts and all(map(_IS_TIME, texts))
        doubt, field = (1, "event_at") if is_time else _guess(name) or (0, "")
        if field and field not in taken and _fits(field, texts):
            found.setdefault(field, []).append((max(1, doubt), name))
    return {
        field: [name for doubt, name in several if doubt == min(several)[0]]
        for field, several in found.items()
    }


def _fits(field: str, texts: Sequence[str]) -> bool:
    """Tell whether at least half of some values look like those of a field; no id repeats."""
    if field == "event_id":
        return len({*texts}) == len(texts)
    look = _LOOKS.get(field)
    return not look or sum(1 for text in texts if look.match(text)) * 2 >= len(texts)

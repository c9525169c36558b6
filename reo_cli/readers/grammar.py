"""RFC 4180's grammar of one record, and what a line tells about the delimiter of its table."""

import re
from _csv import reader
from collections.abc import Sequence
from functools import lru_cache

from reo_cli.readers.names import NameRules, plan

DELIMITERS = (",", ";", "\t", "|")
OTHER_DELIMITERS = (":", "^", "~", " ")
"""Some that are never taken without --delimiter."""


def detect_delimiter(line: str, rules: NameRules) -> str:
    """Return the delimiter that makes most fields, then most columns, of a header line."""

    def score(delimiter: str) -> tuple[int, int]:
        names = cells_of(line, delimiter) if '"' in line else None
        names = names or line.rstrip("\r\n").split(delimiter)
        found = plan(names, rules, header=True)
        return sum(1 for target in found.targets if target), len(names)

    return max(DELIMITERS, key=score)


def is_header(line: str, rules: NameRules) -> bool:
    """Tell whether a line is a CSV file's header as it should be."""
    cells = cells_of(line, detect_delimiter(line, rules))
    return cells is not None and names_fields(cells, rules)


def names_fields(names: Sequence[str], rules: NameRules) -> bool:
    """Tell whether two of some names are fields."""
    return sum(1 for target in plan(names, rules, header=True).targets if target) >= 2


@lru_cache(maxsize=8)
def grammar(delimiter: str) -> "re.Pattern[str]":
    """Return RFC 4180's grammar of one record for a delimiter."""
    plain = rf'[^"\r\n{re.escape(delimiter)}]*+'
    cell = rf'(?:"(?:[^"]|"")*+"|{plain})'
    return re.compile(rf"{cell}(?:{re.escape(delimiter)}{cell})*+\r*\n?\Z")


def cells_of(line: str, delimiter: str) -> list[str] | None:
    """Return the cells of a line that is a record by itself, else None."""
    if not grammar(delimiter).match(line):
        return None
    return next(reader([line], delimiter=delimiter, strict=True), [])

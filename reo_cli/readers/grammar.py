"""RFC 4180's grammar of one record, and what a line tells about the delimiter of its table."""

import csv
import io
import re
from functools import lru_cache

from reo_cli.readers.columns import plan
from reo_cli.readers.options import ReadOptions

DELIMITERS = (",", ";", "\t", "|")
OTHER_DELIMITERS = (":", "^", "~", " ")
"""Some that are never taken without --delimiter."""


def detect_delimiter(line: str, options: ReadOptions) -> str:
    """Return the delimiter that makes most fields, then most columns, of a header line."""

    def score(delimiter: str) -> tuple[int, int]:
        names = cells_of(line, delimiter) or line.rstrip("\r\n").split(delimiter)
        return len(plan(names, options, header=True).fields), len(names)

    # One that does not stand in the line makes one column of it, as a comma does then.
    return max((each for each in DELIMITERS if each in line or each == ","), key=score)


def named(mark: str) -> str:
    """Call a delimiter as people do."""
    return {"\t": "a tab", " ": "a space"}.get(mark, f"`{mark}`")


def is_header(line: str, options: ReadOptions) -> bool:
    """Tell whether a line is a CSV file's header as it should be."""
    cells = cells_of(line, detect_delimiter(line, options))
    return cells is not None and names_fields(cells, options)


def names_fields(names: list[str], options: ReadOptions) -> bool:
    """Tell whether two of some names are fields, or are likely meant to be."""
    fields = set(plan(names, options, header=True).fields)
    if len(fields) < 2:
        from reo_cli.readers.suggest import candidates

        fields.update(candidates(names))
    return len(fields) >= 2


@lru_cache(maxsize=8)
def grammar(delimiter: str) -> "re.Pattern[str]":
    """Return RFC 4180's grammar of one record for a delimiter."""
    plain = rf'[^"\r\n{re.escape(delimiter)}]*+'
    cell = rf'(?:"(?:[^"]|"")*+"|{plain})'
    return re.compile(rf"{cell}(?:{re.escape(delimiter)}{cell})*+\r*\n?\Z")


def cells_of(line: str, delimiter: str) -> list[str] | None:
    """Return the cells of a text that is a record by itself, else None."""
    if not grammar(delimiter).match(line):
        return None
    lines = io.StringIO(line, newline="")
    return next(csv.reader(lines, delimiter=delimiter, strict=True), [])

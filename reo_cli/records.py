"""What a reader yields: a `Record` as it was read, or an `Issue` that says what is wrong and where.

Both are plain values that every other part of reo may read. `Record` is a named tuple and no
dataclass because a million of them are made on the way through a large file.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Literal, NamedTuple

_LINE_END = re.compile(r"\r\n?|\n")

Severity = Literal["error", "warning"]

EXCERPT = 4096
"""Characters kept of a line to show a value in its context."""

STDIN = "-"
"""The name of standard input, as on the command line so in every output."""


@lru_cache(maxsize=1)
def line_starts(text: str) -> list[int]:
    """Return the offsets at which the lines of a text begin; they end with LF, CRLF or CR."""
    return [0, *(found.end() for found in _LINE_END.finditer(text))]


class Record(NamedTuple):
    """One entry of an input.

    `fields` maps field names to what was read: text from CSV, any JSON value from JSON; None when
    the entry could not be parsed. `meta` holds the keys given one by one (`meta.NAME` columns,
    extra columns). `line` is where the record starts, `number` its place in the file, both from 1.
    `text` is what it was read from, `faults` what the reader found wrong; `is_whole` says that all
    of it is in `fields` and `meta`.
    """

    file: str
    line: int
    number: int
    fields: Mapping[str, Any] | None
    meta: Mapping[str, Any]
    text: str
    locate: "Callable[[Record, str], int] | None" = None
    faults: "tuple[Issue, ...]" = ()
    is_whole: bool = True

    def line_of(self, field: str) -> int:
        """Return the line of a field; where that is unknown, the line of the record."""
        return self.locate(self, field) if self.locate else self.line

    def excerpt(self, line: int) -> str:
        """Return the start of one of the record's lines, to show a value in its context."""
        starts = line_starts(self.text)
        at = min(max(line - self.line, 0), len(starts) - 1)
        start = self.text[starts[at] : starts[at] + EXCERPT]
        return _LINE_END.split(start, maxsplit=1)[0]


class Issue(NamedTuple):
    """A finding about the data: where, what, and how to mend it.

    `line` and `record` count from 1; `record` is 0 for a finding about the file as a whole (its
    header, its encoding). `field` is empty when no single field is to blame. `excerpt` is the text
    of the record (its start is enough), for a table that shows the value in context; it may be
    left empty and is in no other output. `code` is a stable word for the kind of finding
    (`missing`, `not-a-number`, `unknown-column`), which tests and scripts may match.
    """

    file: str
    line: int
    record: int
    field: str
    severity: Severity
    message: str
    hint: str = ""
    excerpt: str = ""
    code: str = ""

    def __str__(self) -> str:
        """`usage.csv:17: count: "1,250" is not a whole number (remove the comma)`."""
        what = f"{self.field}: {self.message}" if self.field else self.message
        where = f"{self.file}:{self.line}: " if self.file else ""
        note = "warning: " if self.severity == "warning" else ""
        return f"{where}{note}{what}" + (f" ({self.hint})" if self.hint else "")

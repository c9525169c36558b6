"""What a reader yields: a `Record` as it was read, or an `Issue` that says what is wrong and where.

Both are plain values that every other part of reo may read, as is the `Progress` of a run.
`Record` is a named tuple and no dataclass because a million of them are made on the way through a
large file.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

Severity = Literal["error", "warning"]

EXCERPT = 4096
"""Characters kept of a line to show a value in its context."""

STDIN = "-"
"""The name of standard input, as on the command line so in every output."""


class Record(NamedTuple):
    """One entry of an input.

    `fields` maps field names to what was read: text from CSV, any JSON value from JSON; None when
    the entry could not be read. `meta` holds the keys given one by one (`meta.NAME` columns, extra
    columns). `line` is where the record starts, `number` its place in the file, both from 1.
    `text` is what it was read from, `faults` what the reader found wrong. `doubt` says what it
    rather is if it turns out to be no event: a row of totals.
    """

    file: str
    line: int
    number: int
    fields: Mapping[str, Any] | None
    meta: Mapping[str, Any]
    text: str
    faults: "tuple[Issue, ...]" = ()
    doubt: "Issue | None" = None

    @property
    def left_out(self) -> bool:
        """Whether `--only` or `--skip` leaves it out: it is nobody's failure, only counted."""
        return self.fields is None and not self.faults

    @property
    def place(self) -> tuple[str, int, int]:
        """Its file, line and number, as an `Issue` begins with them."""
        return self.file, self.line, self.number

    @property
    def excerpt(self) -> str:
        """The start of the record's first line, to show a value in its context."""
        return re.split("[\r\n]", self.text[:EXCERPT], maxsplit=1)[0]


class Issue(NamedTuple):
    """A finding about the data: where, what, and how to mend it.

    `line` and `record` count from 1; `record` is 0 for a finding about the file as a whole (its
    header, its encoding). `field` is empty when no single field is to blame. `excerpt` is the text
    of the record (its start is enough), for a table that shows the value in context; it may be
    left empty and is in no other output. `code` is a stable word for the kind of finding
    (`missing`, `not-a-number`, `unknown-column`), which tests and scripts may match. `again` says
    that an earlier record shares it and had it told: this one is invalid, and nothing more is said.
    `options` are command line options with their values, each of which alone would mend it.
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
    again: bool = False
    options: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """`usage.csv:17: count: "1,250" is not a whole number (remove the comma)`."""
        what = f"{self.field}: {self.message}" if self.field else self.message
        where = f"{self.file}:{self.line}: " if self.file else ""
        note = "warning: " if self.severity == "warning" else ""
        return f"{where}{note}{what}" + (f" ({self.hint})" if self.hint else "")


class Progress(NamedTuple):
    """Where a run stands, for a progress display; times in seconds, rate in events a second.

    `total` is None while unknown (stdin), `rate` 0 while it says nothing of the time that is left.
    `waiting` is text such as `waiting 12 s (429)` or empty, `share` the part of the inputs' bytes
    that was read, from 0 to 1, where that is known.
    """

    done: int
    total: int | None
    failures: int
    rate: float
    limit: int
    elapsed: float
    waiting: str = ""
    share: float | None = None

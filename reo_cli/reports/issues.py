"""Issues as a screen shows them: those of one kind are one entry, warnings first, errors last.

An entry is the place and the text of its first record, what is wrong there, how often and in which
lines, and one hint. Only a terminal gets entries; a pipe gets every issue as a line of its own.
"""

import re
from collections.abc import Iterator, Sequence

from reo_cli.records import Issue
from reo_cli.reports.streams import Stream, Tone
from reo_cli.reports.text_output import LONGEST_NAME, IssueLines, clean

MOST_KINDS = 2_000
"""Kinds remembered at most: beyond these, issues are only counted."""
LINES_NAMED = 5
VALUES_NAMED = 3

_QUOTED = re.compile(r'"([^"]+)"|`([^`]+)`')
_VARYING = re.compile(r'"[^"]*"|\d[\d.,:]*|\S+\.\S+')
"""What differs between issues of one kind: values, numbers, domains."""


class Kind:
    """Issues that differ in their values only."""

    def __init__(self, first: Issue) -> None:
        self.first = first
        self.number = 0
        self.lines: list[int] = []
        self.last = 0
        self.values: dict[str, None] = {}
        self.hint, self._options = first.hint, set(first.options)

    def add(self, issue: Issue) -> None:
        """Count one more."""
        self.number += 1
        self.last = max(self.last, issue.line)
        self.lines = sorted({*self.lines, issue.line})[:LINES_NAMED]  # answers come in any order
        if self._options.intersection(issue.options) < self._options:  # fewer mend them all
            self.hint, self._options = issue.hint, self._options.intersection(issue.options)
        quoted = _QUOTED.search(issue.message)
        if quoted and len(self.values) < VALUES_NAMED:
            self.values[quoted[0]] = None

    def where(self) -> str:
        """`20,000 times: lines 2, 3, 4 … 20001; also "2,300"`, or nothing for a single one."""
        if self.number == 1:
            return ""
        words = f"{self.number:,} times"
        if self.last:
            rest = f" … {self.last}" if self.last > self.lines[-1] else ""
            words += f": line{'s' * (self.last != self.lines[0])} "
            words += f"{', '.join(map(str, self.lines))}{rest}"
        others = list(self.values)[1:]
        return f"{words}; also {', '.join(others)}" if others else words


def kind_of(issue: Issue) -> tuple[str, ...]:
    """What issues of one kind agree in; without a code, in the shape of their message too."""
    what = issue.code or _VARYING.sub("", issue.message)
    hint = " ".join({name for name, _ in issue.options}) or _VARYING.sub("", issue.hint)
    return (issue.file, issue.severity, issue.field, what, hint)


class IssueEntries(IssueLines):
    """Keeps issues by kind while they are found, and draws them at the end."""

    def __init__(self, stream: Stream, limit: int, *, errors_only: bool = False) -> None:
        super().__init__(stream, limit, errors_only=errors_only)
        self._kinds: dict[tuple[str, ...], Kind] = {}

    def show(self, issue: Issue) -> None:
        """Count it as one of its kind."""
        key = kind_of(issue)
        if key in self._kinds or len(self._kinds) < MOST_KINDS:
            self._kinds.setdefault(key, Kind(issue)).add(issue)

    def show_rest(self) -> int:
        """Draw the entries; errors have the room when there is not enough for all."""
        kinds = sorted(self._kinds.values(), key=lambda kind: kind.first.severity)[: self.limit]
        self.stream.lines(*entry_lines(kinds, self.stream))
        return sum(kind.number for kind in kinds)


def entry_lines(kinds: Sequence[Kind], stream: Stream) -> Iterator[str]:
    """Entries by file and line, warnings before errors; what one record has stands together."""
    order = sorted(
        kinds, key=lambda kind: (kind.first.severity == "error", kind.first.file, kind.first.line)
    )
    head: tuple[object, ...] = ()
    for kind in order:
        first = kind.first
        here = (first.severity, first.file, first.line)
        if here != head and first.line:
            if head:
                yield ""
            yield _head(first, stream)
        head = here
        yield from _finding(kind, stream)
    if order:
        yield ""


def _finding(kind: Kind, stream: Stream) -> Iterator[str]:
    from reo_cli.reports.terminal import labelled

    first = kind.first
    margin = "  " if first.line else ""
    words = f"{first.field}: {first.message}" if first.field else first.message
    tone: Tone = "warn" if first.severity == "warning" else "bad"
    yield from labelled(f"{first.severity}:", tone, words, stream, margin)
    if where := kind.where():
        yield from labelled("", "", where, stream, margin + "  ")
    if kind.hint:
        yield from labelled("hint:", "hint", kind.hint, stream, margin)


def _head(issue: Issue, stream: Stream) -> str:
    place = clean(f"{issue.file}:{issue.line}:", stream, LONGEST_NAME)
    if not issue.excerpt:
        return stream.paint(place, "strong")
    # Where `…` is three characters, both of them have to fit.
    room = stream.width - len(place) - (2 if stream.utf8 else 6)
    before, value, after = in_context(stream.mask(issue.excerpt), issue, max(room, 20))
    parts = (
        stream.paint(place, "strong"),
        f" {stream.paint(clean(before, stream), 'dim')}",
        stream.paint(clean(value, stream), "mark"),
        stream.paint(clean(after, stream), "dim"),
    )
    return "".join(parts).rstrip()


def in_context(excerpt: str, issue: Issue, room: int) -> tuple[str, str, str]:
    """What stands in `excerpt` before the offending value, the value, and what stands after it.

    At most about `room` characters of the line that holds the value; the value is empty when the
    message doesn't quote it or it can't be told which of several places is meant.
    """
    quoted = _QUOTED.search(issue.message)
    value = re.escape((quoted[1] or quoted[2]) if quoted else "")
    lines = [line.strip() for line in excerpt.splitlines()] or [""]
    field = re.escape(issue.field.rpartition(".")[2])
    for pattern in (rf'"{field}"\s*:\s*"?({value})', rf"(?<!\w)({value})(?!\w)"):
        found = [match for line in lines for match in re.finditer(pattern, line)] if value else []
        if len(found) == 1:
            return _cut(found[0].string, *found[0].span(1), room)
    line = lines[0]
    return (line, "", "") if len(line) <= room else (line[: room - 1], "", "…")


def _cut(line: str, start: int, end: int, room: int) -> tuple[str, str, str]:
    """About `room` characters of `line`, around what stands from `start` to `end`."""
    value = line[start:end][: max(room - 8, 8)]
    left = max(0, min(start - (room - len(value)) // 2, len(line) - room + 1))
    right = left + room - 1
    return (
        ("…" if left else "") + line[left:start],
        value,
        line[start + len(value) : right] + ("…" if right < len(line) else ""),
    )

"""Issues for people: in a pipe a line each, on a screen those of one kind as one entry.

At most `--max-issues` are printed, the others are counted in one last line; errors come before
warnings where there is no room for both. An entry is the place and the text of its first record,
what is wrong there, how often and in which lines, and one hint; warnings first, errors last.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from reo_cli.records import Issue
from reo_cli.reports.streams import Stream, Tone
from reo_cli.reports.view import Line
from reo_cli.reports.words import count_of

MOST_KINDS = 2_000
"""Kinds remembered at most: beyond these, issues are only counted."""
LINES_NAMED = 5
VALUES_NAMED = 3

_TONES: dict[str, Tone] = {"warning": "warn", "error": "bad"}
_QUOTED = re.compile(r'"([^"]+)"|`([^`]+)`')
_VARYING = re.compile(r'"[^"]*"|\d[\d.,:]*|\S+\.\S+')
"""What differs between the hints of one kind: values, numbers, domains."""


def more_issues(unshown: int, printed: int) -> str:
    """The line that stands for the issues beyond `--max-issues`."""
    how = f"(`--max-issues {unshown + printed}` shows all)"
    if printed:
        return f"… and {count_of(unshown, 'more issue')} {how}"
    return f"{count_of(unshown, 'issue')} not shown {how}"


class IssueLines:
    """Prints issues as they come, at most `limit` of them."""

    def __init__(self, stream: Stream, limit: int) -> None:
        self.stream = stream
        self.limit = limit
        self._printed = 0
        self._held: list[Issue] = []

    def finish(self, found: int) -> None:
        """Show what is left, and how many of those found are beyond what was shown."""
        printed = self.show_rest()
        if found > printed:
            self.stream.lines(more_issues(found - printed, printed))

    def show(self, issue: Issue) -> None:
        """Print it; warnings leave half of the room to errors that may follow."""
        is_warning = issue.severity == "warning"
        if self._printed < ((self.limit + 1) // 2 if is_warning else self.limit):
            self._printed += 1
            self.stream.lines(_line(issue, self.stream))
        elif is_warning and len(self._held) < self.limit:
            self._held.append(issue)

    def show_rest(self) -> int:
        """Print the warnings that there is room for; return how many issues were shown in all."""
        rest = self._held[: max(0, self.limit - self._printed)]
        self.stream.lines(*(_line(issue, self.stream) for issue in rest))
        return self._printed + len(rest)


def _line(issue: Issue, stream: Stream) -> str:
    """An issue of a file begins with its place, one of a command line with its severity."""
    place, rest = f"{issue.severity}:", f" {issue._replace(file='', severity='error')}"
    if issue.line:
        place = f"{issue.file}:{issue.line}:"
        rest = str(issue).removeprefix(place)
    return stream.paint(stream.clean(place), _TONES[issue.severity]) + stream.clean(rest)


class Kind:
    """Issues that differ in their values only; what stands in an entry is that of the first."""

    def __init__(self, first: Issue) -> None:
        self.first = first
        self.place = (first.severity == "error", first.file, first.line)
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
        if not self._options.issubset(issue.options):  # fewer mend them all
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
            plural = "s" * (self.last != self.lines[0])
            rest = f" … {self.last}" * (self.last > self.lines[-1])
            words += f": line{plural} {', '.join(map(str, self.lines))}{rest}"
        others = list(self.values)[1:]
        return f"{words}; also {', '.join(others)}" if others else words

    def told(self, stream: Stream) -> Iterator[str]:
        """What is wrong, where else, and one hint."""
        from reo_cli.reports.terminal import labelled

        severity, margin = self.first.severity, "  " * bool(self.first.line)
        words = str(self.first._replace(file="", severity="error", hint=""))
        yield from labelled(Line(words, f"{severity}:", _TONES[severity], margin), stream)
        if where := self.where():
            yield from labelled(Line(where, margin=f"{margin}  "), stream)
        if self.hint:
            yield from labelled(Line(self.hint, "hint:", "hint", margin), stream)


def kind_of(issue: Issue) -> tuple[str, ...]:
    """What issues of one kind agree in: the options that mend them, or the shape of their hint."""
    hint = " ".join(sorted({name for name, _ in issue.options})) or _VARYING.sub("", issue.hint)
    return (issue.file, issue.severity, issue.field, issue.code, hint)


class IssueEntries(IssueLines):
    """Keeps issues by kind while they are found, and draws them at the end."""

    def __init__(self, stream: Stream, limit: int) -> None:
        super().__init__(stream, limit)
        self._kinds: dict[tuple[str, ...], Kind] = {}

    def show(self, issue: Issue) -> None:
        """Count it as one of its kind."""
        key = kind_of(issue)
        if key in self._kinds or len(self._kinds) < MOST_KINDS:
            self._kinds.setdefault(key, Kind(issue)).add(issue)

    def show_rest(self) -> int:
        """Draw the entries; errors have the room when there is not enough for all."""
        kinds = sorted(self._kinds.values(), key=lambda kind: kind.first.severity)[: self.limit]
        self.stream.lines(*_entries(kinds, self.stream))
        return sum(kind.number for kind in kinds)


def _entries(kinds: Sequence[Kind], stream: Stream) -> Iterator[str]:
    """Entries by file and line, warnings before errors; what one record has stands together."""
    order = sorted(kinds, key=lambda kind: kind.place)
    for number, (_, group) in enumerate(groupby(order, lambda kind: kind.place)):
        for at, kind in enumerate(group):
            if kind.first.line and not at:
                yield from [""] * bool(number)
                yield _head(kind.first, stream)
            yield from kind.told(stream)
    if order:
        yield ""


def _head(issue: Issue, stream: Stream) -> str:
    """The place, and the line where the offending value stands, that value marked."""
    place, paint = stream.clean(f"{issue.file}:{issue.line}:"), stream.paint
    room = max(stream.width - len(place) - 2, 20)
    before, value, after = map(stream.clean, in_context(stream.mask(issue.excerpt), issue, room))
    context = f"{paint(before, 'dim')}{paint(value, 'mark')}{paint(after, 'dim')}"
    return f"{paint(place, 'strong')} {context}".rstrip()


def in_context(excerpt: str, issue: Issue, room: int) -> tuple[str, str, str]:
    """What stands in `excerpt` before the offending value, the value, and what stands after it.

    At most about `room` characters of the line that holds the value; the value is empty when the
    message doesn't quote it or it can't be told which of several places is meant.
    """
    lines = [line.strip() for line in excerpt.splitlines()] or [""]
    line, start, end = lines[0], 0, 0
    if quoted := _QUOTED.search(issue.message):
        value, field = re.escape(quoted[1] or quoted[2]), re.escape(issue.field.rpartition(".")[2])
        for pattern in (rf'"{field}"\s*:\s*"?({value})', rf"(?<!\w)({value})(?!\w)"):
            found = [match for each in lines for match in re.finditer(pattern, each)]
            if len(found) == 1:
                line, (start, end) = found[0].string, found[0].span(1)
                break
    if len(line) <= room:
        return line[:start], line[start:end], line[end:]
    end = min(end, start + max(room - 8, 8))
    left = max(0, min(start - (room - end + start) // 2, len(line) - room + 1))
    right = left + room - 1
    before, after = line[left:start], line[end:right]
    return "…" * (left > 0) + before, line[start:end], after + "…" * (right < len(line))

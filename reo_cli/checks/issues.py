"""Counting issues without keeping them all: what is printed is bounded, what is counted never."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import islice

from reo_cli.readers.options import ReadOptions, Words, proposed
from reo_cli.records import Issue
from reo_cli.text import pasted

_MENDING = ("--date-format", "--thousands", "--domain-of", "--null", "--skip")

_UNITED = ("--set", "--null", "--skip")
"""Options of which each value mends some records: all are proposed, others must mend all."""

_MOST = 5
"""Values proposed for each of these."""

_COMMANDS = 3
"""Files that get a command of their own."""


class Mends:
    """What would mend the values of one input, of the options `names`, in this order."""

    def __init__(self, *names: str) -> None:
        self._values: dict[str, list[str] | None] = dict.fromkeys(names)

    def note(self, issue: Issue) -> None:
        """Keep what mends an error, or what stands for nothing, together with the others."""
        if issue.severity != "error" and "--null" not in dict(issue.options):
            return
        for name in self._values.keys() & dict(issue.options):
            values = [value for option, value in issue.options if option == name]
            known = self._values[name]
            if known is None:
                self._values[name] = values
            elif name not in _UNITED:
                self._values[name] = [value for value in known if value in values]
            elif values[0] not in known and len(known) < _MOST:
                known += values

    def words(self, needed: str = "") -> Words:
        """Return the options; where two date formats fit every date, a blank for one of them.

        No option is given the value that is `needed`.
        """
        words: list[str] = []
        blanks: list[str] = []
        for name, values in self._values.items():
            if values and len(values) > 1 and name not in _UNITED:
                blank = name.removeprefix("--").replace("-", "_").upper()
                blanks.append(f"{blank} ({' or '.join(map(pasted, values))})")
                values = [blank]
            kept = [value for value in values or () if value != needed]
            words += [word for value in kept for word in (name, value)]
        return words, blanks


class IssueLog:
    """Counts all issues and keeps the first `limit`, errors before warnings.

    `strict` turns warnings into errors; `listen` is told of every issue, as it counts.
    """

    def __init__(
        self,
        limit: int,
        *,
        strict: bool = False,
        listen: Callable[[Issue], None] = lambda _: None,
    ) -> None:
        self._limit = limit
        self._strict = strict
        self._listen = listen
        self._kept: dict[str, list[tuple[int, Issue]]] = {"error": [], "warning": []}
        self._mends: dict[str, Mends] = defaultdict(lambda: Mends(*_MENDING))
        self.errors = 0
        self.warnings = 0

    def add(self, issues: Iterable[Issue]) -> int:
        """Count issues, as errors when strict; return how many of them are errors."""
        before = self.errors
        for issue in issues:
            if issue.again:
                continue
            if self._strict and issue.severity == "warning":
                issue = issue._replace(severity="error")
            if issue.severity == "error":
                self.errors += 1
            else:
                self.warnings += 1
            self._mends[issue.file].note(issue)
            self._listen(issue)
            kept = self._kept[issue.severity]
            if len(kept) < self._limit:
                kept.append((self.errors + self.warnings, issue))
        return self.errors - before

    def commands(self, read: ReadOptions, needed: str = "") -> list[str]:
        """Return the command, or those for the first files, with what the values need.

        `needed` is what `--skip` must not be given (`Checker.needed`).
        """
        found = {file: mends.words(needed) for file, mends in self._mends.items()}
        found = {file: (words, blanks) for file, (words, blanks) in found.items() if words}
        if read.command is None or not found:
            return []
        words, blanks = next(iter(found.values()))
        if len(found) == len(read.command.inputs) and all(
            each == (words, blanks) for each in found.values()
        ):
            return [proposed(read.command.plus(*words), blanks)]
        return [
            read.hint(file, *words, blanks=blanks)
            for file, (words, blanks) in islice(found.items(), _COMMANDS)
        ]

    def kept(self) -> list[Issue]:
        """Return the kept issues in the order found; errors displace warnings."""
        errors, warnings = self._kept["error"], self._kept["warning"]
        chosen = [*errors, *warnings[: self._limit - len(errors)]]
        return [issue for _, issue in sorted(chosen, key=lambda numbered: numbered[0])]

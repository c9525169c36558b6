"""Counting issues without keeping them all: what is printed is bounded, what is counted never."""

from collections.abc import Callable, Iterable, Mapping

from reo_cli.readers.options import ReadOptions
from reo_cli.records import Issue
from reo_cli.text import pasted

_ABOUT_VALUES = ("--date-format", "--thousands", "--domain-of")
"""Options that say how the values of a column are read: what mends one must mend them all."""

_BLANK = "DATE_FORMAT"

_COMMANDS = 3
"""Files that get a command of their own."""

_UNITED = ("--null", "--skip")
_MOST = 5
"""Values proposed for `--null` and for `--skip`, each of which mends some records."""


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
        self._mends: dict[str, dict[str, list[str]]] = {}
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
            if issue.severity == "error" or "--null" in dict(issue.options):
                self._note_options(issue)
            self._listen(issue)
            kept = self._kept[issue.severity]
            if len(kept) < self._limit:
                kept.append((self.errors + self.warnings, issue))
        return self.errors - before

    def _note_options(self, issue: Issue) -> None:
        """Keep the values of an option that mend every issue which it mends at all."""
        mends = self._mends.setdefault(issue.file, {})
        for name in {name for name, _ in issue.options}:
            values = [value for option, value in issue.options if option == name]
            known = mends.setdefault(name, values)
            if name in _ABOUT_VALUES:
                mends[name] = [value for value in known if value in values]
            elif name in _UNITED and values[0] not in known and len(known) < _MOST:
                known += values

    def commands(self, read: ReadOptions) -> list[str]:
        """Return the command, or those for the first files, with all that tells how to read values.

        Where two date formats fit every date, a blank is left for one of them.
        """
        found = {file: words for file, mends in self._mends.items() if (words := _words(mends))}
        command = read.command
        if command is None or not found:
            return []
        first, *others = found.values()
        if len(found) == len(command.inputs) and all(words == first for words in others):
            both = command.plus(*first)
            return [_proposed(self._mends, " ".join(map(pasted, both.words)))]
        return [
            _proposed({file: self._mends[file]}, command.extended(file, found[file]))
            for file in list(found)[:_COMMANDS]
        ]

    def kept(self) -> list[Issue]:
        """Return the kept issues in the order found; errors displace warnings."""
        errors, warnings = self._kept["error"], self._kept["warning"]
        chosen = [*errors, *warnings[: self._limit - len(errors)]]
        return [issue for _, issue in sorted(chosen, key=lambda numbered: numbered[0])]


def _words(mends: Mapping[str, list[str]]) -> list[str]:
    """Return the options to add: what mends all values, and every text that stands for nothing."""
    words = []
    for name in _ABOUT_VALUES:
        values = mends.get(name, [])
        words += [name, values[0] if len(values) == 1 else _BLANK] if values else []
    return words + [
        word for name in _UNITED for value in mends.get(name, ()) for word in (name, value)
    ]


def _proposed(mends: Mapping[str, Mapping[str, list[str]]], command: str) -> str:
    """Return a command as a hint, and what is to be put in where a blank is left."""
    formats = next(
        (list(each["--date-format"]) for each in mends.values() if "--date-format" in each), []
    )
    if len(formats) < 2:
        return f"try: {command}"
    return f"put in your {_BLANK} ({' or '.join(map(pasted, formats))}) and try: {command}"

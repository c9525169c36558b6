"""Counting issues without keeping them all: what is printed is bounded, what is counted never."""

from collections.abc import Callable, Iterable

from reo_cli.records import Issue


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
        self.limit = limit
        self.strict = strict
        self._listen = listen
        self._errors: list[tuple[int, Issue]] = []
        self._warnings: list[tuple[int, Issue]] = []
        self.errors = 0
        self.warnings = 0

    def add(self, issues: Iterable[Issue]) -> int:
        """Count issues, as errors when strict; return how many of them are errors."""
        before = self.errors
        for issue in issues:
            if issue.again:
                continue
            if self.strict and issue.severity == "warning":
                issue = issue._replace(severity="error")
            if issue.severity == "error":
                self.errors += 1
                kept = self._errors
            else:
                self.warnings += 1
                kept = self._warnings
            self._listen(issue)
            if len(kept) < self.limit:
                kept.append((self.errors + self.warnings, issue))
        return self.errors - before

    def add_some(self, issues: Iterable[Issue], errors: int, warnings: int) -> None:
        """Count `errors` and `warnings`, of which `issues` are all that need to be kept."""
        if self.strict:
            errors, warnings = errors + warnings, 0
        errors += self.errors
        warnings += self.warnings
        self.add(issues)
        self.errors, self.warnings = errors, warnings

    def kept(self) -> list[Issue]:
        """Return the kept issues in the order found; errors displace warnings."""
        room = self.limit - len(self._errors)
        return [issue for _, issue in sorted(self._errors + self._warnings[:room], key=_order)]


def _order(numbered: tuple[int, Issue]) -> int:
    return numbered[0]

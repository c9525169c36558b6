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
        self._limit = limit
        self._strict = strict
        self._listen = listen
        self._kept: dict[str, list[tuple[int, Issue]]] = {"error": [], "warning": []}
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
            self._listen(issue)
            kept = self._kept[issue.severity]
            if len(kept) < self._limit:
                kept.append((self.errors + self.warnings, issue))
        return self.errors - before

    def kept(self) -> list[Issue]:
        """Return the kept issues in the order found; errors displace warnings."""
        errors, warnings = self._kept["error"], self._kept["warning"]
        chosen = [*errors, *warnings[: self._limit - len(errors)]]
        return [issue for _, issue in sorted(chosen, key=lambda numbered: numbered[0])]

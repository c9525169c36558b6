"""`-o github`: annotations on standard output, all of it as markdown in the step summary.

The text of the result goes to standard error, where it is part of the same log.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Generic

from reo_cli.records import Issue
from reo_cli.reports.annotations import annotation, workflow_command
from reo_cli.reports.command import Command, ResultT
from reo_cli.reports.content import Closing, Content
from reo_cli.reports.lines import FAILED, as_issue, more_issues
from reo_cli.reports.markdown import Section
from reo_cli.reports.plain import plain_lines
from reo_cli.reports.streams import Streams
from reo_cli.reports.talk import Talk

if TYPE_CHECKING:
    from reo_cli.delivery.summary import Settled


class GithubForm(Generic[ResultT]):
    """The result of one command in a workflow; at most `max_issues` annotations, errors first."""

    def __init__(
        self, command: Command[ResultT], streams: Streams, talk: Talk, max_issues: int
    ) -> None:
        self._command = command
        self._streams = streams
        self._talk = talk
        self._limit = max_issues
        self._failures: list[Issue] = []
        self._failed = 0

    def settled(self, settled: "Settled") -> None:
        """Keep a record that was rejected or errored, for an annotation at the end."""
        if settled.outcome in FAILED:
            self._failed += 1
            if len(self._failures) < self._limit:
                self._failures.append(as_issue(settled))

    def finish(self, result: ResultT) -> None:
        """Write annotations, log and step summary."""
        kept, errors, warnings = self._command.issues_of(result)
        issues = sorted([*kept, *self._failures], key=lambda each: each.severity)[: self._limit]
        unshown = errors + warnings + self._failed - len(issues)
        content, closing = self._command.content(result), self._command.closing(result)
        self._annotate(issues, closing)
        if not self._talk.quiet:
            err = self._streams.err
            err.lines(*plain_lines(content, err))
            if unshown > 0:
                err.lines(more_issues(unshown, len(issues)))
        self._summarize(content, closing, issues, unshown)

    def _annotate(self, issues: list[Issue], closing: Closing) -> None:
        out = self._streams.out
        workspace = self._streams.environ.get("GITHUB_WORKSPACE", "")
        lines = [annotation(issue, out, workspace) for issue in issues]
        for error in closing.errors:
            properties = {"title": f"reo {self._command.name}"}
            message = f"{error.message} ({error.hint})" if error.hint else error.message
            lines.append(workflow_command("error", properties, message, out))
        out.write("".join(f"{line}\n" for line in lines))

    def _summarize(
        self, content: Content, closing: Closing, issues: list[Issue], unshown: int
    ) -> None:
        path = self._streams.environ.get("GITHUB_STEP_SUMMARY", "")
        if not path:
            return
        section = Section(f"reo {self._command.name}", self._streams.out)
        text = "\n".join(section.lines(content, closing, issues, unshown))
        try:
            with Path(path).open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(f"{text}\n")
        except (OSError, ValueError) as error:
            self._talk.warning(f"the step summary `{path}` cannot be written: {error}")

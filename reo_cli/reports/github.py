"""`-o github`: annotations on standard output, all of it as markdown in the step summary.

The text of the result goes to standard error, where it is part of the same log. Workflow commands
are escaped as GitHub documents; `visible` has made line ends harmless before.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Generic

from reo_cli.records import STDIN, Issue
from reo_cli.reports.streams import Stream, Streams
from reo_cli.reports.talk import Talk
from reo_cli.reports.text_output import (
    FAILED,
    as_issue,
    clean,
    content_lines,
    more_issues,
    shown,
)
from reo_cli.reports.view import Closing, Content, Grid, ResultT, View
from reo_cli.text import inert

if TYPE_CHECKING:
    from reo_cli.delivery.summary import Settled

LARGEST_SUMMARY = 1 << 20
"""Bytes that all runs of one step may write: GitHub drops a summary of more than 1 MiB whole."""
LARGEST_TABLE = 400_000
LEFT_FOR_OTHERS = 60_000
"""Bytes beside the table of issues: counts, facts, and the words of the runs that follow."""

_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")
"""Written as character references: such a mark has no meaning in markdown or HTML."""


class Github(Generic[ResultT]):
    """The result of one command in a workflow; at most `limit` annotations, errors first."""

    lists_records = False

    def __init__(self, view: View[ResultT], streams: Streams, talk: Talk, limit: int) -> None:
        self._view = view
        self._streams = streams
        self._talk = talk
        self._limit = limit
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
        kept, errors, warnings = self._view.issues_of(result)
        issues = sorted([*kept, *self._failures], key=lambda each: each.severity)[: self._limit]
        unshown = errors + warnings + self._failed - len(issues)
        content, closing = self._view.content(result, False), self._view.closing(result)
        self._annotate(issues, closing, "error" if result.exit_code else "warning")
        if not self._talk.quiet:
            err = self._streams.err
            err.lines(*content_lines(content, err))
            if unshown > 0:
                err.lines(more_issues(unshown, len(issues)))
        self._summarize(content, closing, issues, unshown)

    def _annotate(self, issues: list[Issue], closing: Closing, severity: str) -> None:
        """Write the annotations; an error that `--allow-failure` forgives is a warning."""
        out = self._streams.out
        workspace = self._streams.environ.get("GITHUB_WORKSPACE", "")
        lines = [annotation(issue, out, workspace) for issue in issues]
        for error in closing.errors:
            properties = {"title": f"reo {self._view.name}"}
            message = f"{error.message} ({error.hint})" if error.hint else error.message
            lines.append(workflow_command(severity, properties, message, out))
        out.write("".join(f"{line}\n" for line in lines))

    def _summarize(
        self, content: Content, closing: Closing, issues: list[Issue], unshown: int
    ) -> None:
        path = self._streams.environ.get("GITHUB_STEP_SUMMARY", "")
        if not path:
            return
        try:
            with Path(path).open("ab") as file:
                room = LARGEST_SUMMARY - file.tell()
                table = min(LARGEST_TABLE, room - LEFT_FOR_OTHERS)
                markdown = Markdown(self._streams.out, table)
                lines = markdown.section(
                    f"reo {self._view.name}", content, closing, issues, unshown
                )
                text = "\n".join([*lines, ""]).encode("utf-8", "backslashreplace")
                if len(text) <= room:
                    file.write(text)
                    return
            self._talk.warning(f"the step summary `{path}` has no room: GitHub allows 1 MiB")
        except (OSError, ValueError) as error:
            self._talk.warning(f"the step summary `{path}` cannot be written: {error}")


def annotation(issue: Issue, stream: Stream, workspace: str) -> str:
    """The command that shows `issue` at its line; `workspace` is `$GITHUB_WORKSPACE` or empty.

    An issue of the command line has line 0, and no file that GitHub could show.
    """
    title = issue.field or "reo"
    properties = {}
    if issue.line and issue.file == STDIN:
        title += f", line {issue.line} of standard input"
    elif issue.line:
        properties = {"file": _in_workspace(issue.file, workspace), "line": str(issue.line)}
    properties["title"] = title
    message = issue.message + (f" ({issue.hint})" if issue.hint else "")
    return workflow_command(issue.severity, properties, message, stream)


def workflow_command(name: str, properties: Mapping[str, str], message: str, stream: Stream) -> str:
    """`::name key=value,…::message` with everything in it escaped."""
    pairs = (f"{key}={_property(value, stream)}" for key, value in properties.items())
    return f"::{name} {','.join(pairs)}::{_data(message, stream)}"


def _data(text: str, stream: Stream) -> str:
    shown = inert(clean(text, stream))
    return shown.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str, stream: Stream) -> str:
    return _data(text, stream).replace(":", "%3A").replace(",", "%2C")


def _in_workspace(file: str, workspace: str) -> str:
    """`file` from the workspace on, which is what GitHub can find; outside of it as it is."""
    try:
        path, root = Path(file).resolve(), Path(workspace).resolve()
    except (OSError, ValueError):
        return file
    return str(path.relative_to(root)) if workspace and path.is_relative_to(root) else file


class Markdown:
    """Markdown with the mask of `stream`, its table of issues at most `table` characters long."""

    def __init__(self, stream: Stream, table: int = LARGEST_TABLE) -> None:
        self._stream = stream
        self._room = table

    def section(
        self,
        title: str,
        content: Content,
        closing: Closing,
        issues: Sequence[Issue],
        unshown: int,
    ) -> Iterator[str]:
        """The section of one command; `unshown` is the number of issues beside `issues`."""
        yield f"### {title}\n"
        yield from self._closing(closing)
        if content.grid is not None:
            yield from self._grid(content.grid)
        for fact in content.facts:
            yield f"- {fact.label}: {self._text(fact.text)}"
        yield ""
        yield from self._issues(issues, unshown)
        for line in (*content.lines, *content.bodies):
            yield f"- <code>{self._text(line)}</code>"
        yield ""

    def _closing(self, closing: Closing) -> Iterator[str]:
        for error in closing.errors:
            yield f"**error:** {self._text(error.message)}\n"
            if error.hint:
                yield f"**hint:** {self._text(error.hint)}\n"
        for hint in closing.hints:
            yield f"**hint:** {self._text(hint)}\n"
        if closing.warning:
            yield f"**warning:** {self._text(closing.warning)}\n"

    def _grid(self, grid: Grid) -> Iterator[str]:
        yield _row(column.name for column in grid.columns)
        yield _row(["---", *["---:"] * (len(grid.columns) - 1)])
        for row in grid.all_rows():
            yield _row(self._text(shown(cell, self._stream)) for cell in row)
        yield ""

    def _issues(self, issues: Sequence[Issue], unshown: int) -> Iterator[str]:
        if issues:
            yield _row(("where", "field", "severity", "problem"))
            yield _row(["---"] * 4)
        printed = 0
        for issue in issues:
            row = self._issue(issue)
            self._room -= len(row.encode("utf-8", "backslashreplace"))
            if self._room < 0:
                break
            printed += 1
            yield row
        unshown += len(issues) - printed
        if unshown > 0:
            yield f"\n{more_issues(unshown, printed)}"
        yield ""

    def _issue(self, issue: Issue) -> str:
        hint = f" ({issue.hint})" if issue.hint else ""
        where = f"{issue.file}:{issue.line}" if issue.line else ""
        cells = (where, issue.field, issue.severity, issue.message + hint)
        return _row(map(self._text, cells))

    def _text(self, text: str) -> str:
        return _PUNCTUATION.sub(
            lambda mark: f"&#{ord(mark[0])};", clean(text, self._stream, limit=4_000)
        )


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"

"""`-o github`: annotations on standard output, all of it as markdown in the step summary.

The text of the result goes to standard error, where it is part of the same log. Workflow commands
are escaped as GitHub documents; `visible` has made line ends harmless before.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from reo_cli.errors import ReoError
from reo_cli.records import STDIN, Issue
from reo_cli.reports.issues import more_issues
from reo_cli.reports.streams import Stream, Streams, Talk
from reo_cli.reports.view import Fact, Grid, View, shown
from reo_cli.text import inert

LARGEST_SUMMARY = 1 << 20
"""Bytes that all runs of one step may write: GitHub drops a summary of more than 1 MiB whole."""
LARGEST_TABLE = 400_000
LEFT_FOR_OTHERS = 60_000
"""Bytes beside the table of issues: counts, facts, and the words of the runs that follow."""

_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")
"""Written as character references: such a mark has no meaning in markdown or HTML."""


def publish(title: str, view: View, unshown: int, streams: Streams, talk: Talk) -> None:
    """Write annotations, log and step summary; `unshown` issues are beside those of the view."""
    workspace = streams.environ.get("GITHUB_WORKSPACE", "")
    lines = [annotation(issue, streams.out, workspace) for issue in view.issues]
    severity = "error" if view.exit_code else "warning"  # what `--allow-failure` forgives
    for error in filter(None, view.errors):
        lines.append(_command(severity, {"title": title}, _with_hint(error), streams.out))
    streams.out.write("".join(f"{line}\n" for line in lines))
    if not talk.quiet:
        streams.err.lines(*view.lines(streams.err))
        if unshown > 0:
            streams.err.lines(more_issues(unshown, len(view.issues)))
    if path := streams.environ.get("GITHUB_STEP_SUMMARY", ""):
        try:
            if not _summarize(Path(path), title, view, unshown, streams.out):
                talk.warning(f"the step summary `{path}` has no room: GitHub allows 1 MiB")
        except (OSError, ValueError) as error:
            talk.warning(f"the step summary `{path}` cannot be written: {error}")


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
    return _command(issue.severity, {**properties, "title": title}, _with_hint(issue), stream)


def _with_hint(said: Issue | ReoError) -> str:
    return f"{said.message} ({said.hint})" if said.hint else said.message


def _in_workspace(file: str, workspace: str) -> str:
    """`file` from the workspace on, which is what GitHub can find; outside of it as it is."""
    if not workspace:
        return file
    path, root = Path(file).resolve(), Path(workspace).resolve()
    return str(path.relative_to(root)) if path.is_relative_to(root) else file


def _command(name: str, properties: Mapping[str, str], message: str, stream: Stream) -> str:
    """`::name key=value,…::message` with everything in it escaped."""
    pairs = []
    for key, value in properties.items():
        text = _data(value, stream).replace(":", "%3A").replace(",", "%2C")
        pairs.append(f"{key}={text}")
    return f"::{name} {','.join(pairs)}::{_data(message, stream)}"


def _data(text: str, stream: Stream) -> str:
    return inert(stream.clean(text)).replace("%", "%25")  # line ends are visible already


def _summarize(path: Path, title: str, view: View, unshown: int, stream: Stream) -> bool:
    """Append to the step summary; return whether there was room."""
    with path.open("ab") as file:
        room = LARGEST_SUMMARY - file.tell()
        table = min(LARGEST_TABLE, room - LEFT_FOR_OTHERS)
        lines = markdown(title, view, unshown, stream, table)
        text = "\n".join([*lines, ""]).encode("utf-8", "backslashreplace")
        return len(text) <= room and bool(file.write(text))


def markdown(
    title: str, view: View, unshown: int, stream: Stream, room: int = LARGEST_TABLE
) -> Iterator[str]:
    """The section of one command, its table of issues in at most `room` bytes."""
    errors = [*filter(None, view.errors)]
    said = [each for error in errors for each in (("error", error.message), ("hint", error.hint))]
    said += [*(("hint", hint) for hint in view.hints), ("warning", view.forgiven)]
    items = [item for block in view.blocks if not isinstance(block, Grid) for item in block]
    yield f"### {title}\n"
    for label, text in said:
        if text:
            yield f"**{label}:** {_text(text, stream)}\n"
    for grid in view.blocks:
        if isinstance(grid, Grid):
            yield _row(grid.columns)
            yield _row(["---", *["---:"] * (len(grid.columns) - 1)])
            for row in grid.rows:
                yield _row(_text(shown(cell, stream), stream) for cell in row)
            yield ""
    for item in items:
        if isinstance(item, Fact):
            yield f"- {item.label}: {_text(item.text, stream)}"
    yield ""
    yield from _issues(view.issues, unshown, stream, room)
    for item in items:
        if not isinstance(item, Fact):
            yield f"- <code>{_text(str(item), stream)}</code>"
    yield ""


def _issues(issues: Sequence[Issue], unshown: int, stream: Stream, room: int) -> Iterator[str]:
    if issues:
        yield from (_row(("where", "field", "severity", "problem")), _row(["---"] * 4))
    printed = 0
    for issue in issues:
        where = f"{issue.file}:{issue.line}" if issue.line else ""
        cells = (where, issue.field, issue.severity, _with_hint(issue))
        row = _row(_text(cell, stream) for cell in cells)
        room -= len(row.encode("utf-8", "backslashreplace"))
        if room < 0:
            break
        printed += 1
        yield row
    unshown += len(issues) - printed
    if unshown > 0:
        yield f"\n{more_issues(unshown, printed)}"
    yield ""


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(text: str, stream: Stream) -> str:
    return _PUNCTUATION.sub(lambda mark: f"&#{ord(mark[0])};", stream.clean(text, 4_000))

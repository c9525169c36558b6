"""GitHub's workflow commands: an issue as `::error file=…,line=…,title=…::message`.

The escaping is that of GitHub's page "Workflow commands for GitHub Actions"; `visible` has made
line ends harmless before, and `inert` the older form of a command.
"""

from collections.abc import Mapping
from pathlib import Path

from reo_cli.records import STDIN, Issue
from reo_cli.reports.plain import clean
from reo_cli.reports.streams import Stream
from reo_cli.text import inert


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

"""Results for programs: one line of JSON, or a stream of them.

A line is ASCII and valid JSON whatever the data holds: lone surrogates are escaped, a NaN in a
server's answer is null, and no line holds a command for the machine that reads a CI log.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Generic

from reo_cli.records import Issue
from reo_cli.reports.streams import Stream
from reo_cli.reports.view import ResultT, Shape, View
from reo_cli.text import Mask

if TYPE_CHECKING:
    from reo_cli.delivery.summary import Settled
    from reo_cli.errors import ReoError


def json_line(value: object, mask: Mask) -> str:
    """`value` as one line of JSON with its line end, every secret in it masked."""
    line = _encode(value)
    if mask.touches(line):
        line = _encode(mask.values(_loose(value)))
    # GitHub's runner looks for `##[` anywhere in a line; in JSON `##` stands only inside a text.
    return line.replace("##", "#\\u0023") + "\n"


class JsonText(str):
    """JSON that stands in a line as it is: its numbers would change on the way through a float."""


def _encode(value: object) -> str:
    if isinstance(value, dict) and any(isinstance(item, JsonText) for item in value.values()):
        parts = (
            f"{json.dumps(name)}: {_ascii(item) if isinstance(item, JsonText) else _encode(item)}"
            for name, item in value.items()
        )
        return f"{{{', '.join(parts)}}}"
    try:
        return json.dumps(value, allow_nan=False, default=_plain)
    except ValueError:
        return json.dumps(_finite(value), allow_nan=False, default=_plain)


def _loose(value: object) -> object:
    """`value` with its `JsonText` as values, so that texts in it can be masked."""
    if not isinstance(value, dict):
        return value
    return {k: json.loads(v) if isinstance(v, JsonText) else v for k, v in value.items()}


def _ascii(text: str) -> str:
    """JSON text with every other character escaped; it can stand only inside its strings."""
    return "".join(each if each.isascii() else json.dumps(each)[1:-1] for each in text)


def _plain(value: object) -> str:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"no JSON for {type(value).__name__}")


def _finite(value: object) -> object:
    if isinstance(value, float) and value - value != 0:  # infinite, or not a number
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def name_of(file: str) -> str:
    """A file's name as JSON can hold it: bytes of it that are no UTF-8 as `\\xff`."""
    return file.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def issue_shape(issue: Issue) -> Shape:
    """One of `issues[]`; its excerpt and options are for screens only."""
    shape: Shape = issue._asdict()
    del shape["excerpt"], shape["again"], shape["options"]
    return {**shape, "file": name_of(issue.file)}


def error_shape(error: "ReoError | None") -> Shape | None:
    """The `error` of every result."""
    if error is None:
        return None
    return {
        "exit_code": int(error.exit_code),
        "reason": error.reason,
        "message": error.message,
        "hint": error.hint,
    }


class JsonOutput(Generic[ResultT]):
    """`-o json`: exactly one line, at the end. `-o ndjson`: a line for each settled record or else
    each issue, then `{"summary": …}` with the same object.

    `started` is when the command began, in epoch seconds.
    """

    def __init__(
        self, out: Stream, view: View[ResultT], started: float, *, streams: bool = False
    ) -> None:
        self._out = out
        self._view = view
        self._started = datetime.fromtimestamp(started, UTC)
        self.lists_records = streams

    def settled(self, settled: "Settled") -> None:
        """Write the line of a record, where there are such lines."""
        if self.lists_records and self._view.line:
            self._write(self._view.line(settled))

    def finish(self, result: ResultT) -> None:
        """Write the result, after the issues of a command that settles nothing."""
        began = self._started.isoformat(timespec="seconds").replace("+00:00", "Z")
        head: Shape = dict.fromkeys(("schema", "status", "exit_code"))
        shape = {**head, "started_at": began, **self._view.shape(result)}
        if not self.lists_records:
            self._write(shape)
            return
        if self._view.line is None:
            for issue in self._view.issues_of(result)[0]:
                self._write(issue_shape(issue))
        self._write({"summary": shape})

    def _write(self, shape: Shape) -> None:
        self._out.write(json_line(shape, self._out.mask))

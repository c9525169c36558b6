"""Results for programs: one line of JSON, or a stream of them.

A line is ASCII and valid JSON whatever the data holds: lone surrogates are escaped, a NaN in a
server's answer is null, and no line holds a command for the machine that reads a CI log.
"""

import json
import os
import re
from typing import Any

from reo_cli.errors import ReoError
from reo_cli.records import Issue
from reo_cli.reports.view import Json, Shape
from reo_cli.text import Mask


def json_line(value: object, mask: Mask) -> str:
    """`value` as one line of JSON with its line end, every secret in it masked."""
    line = _encode(value)
    if mask(line) != line:
        line = json.dumps(mask.values(json.loads(line)))
    # GitHub's runner looks for `##[` anywhere in a line; in JSON `##` stands only inside a text.
    return line.replace("##", "#\\u0023") + "\n"


def _encode(value: object) -> str:
    if isinstance(value, Json):  # a character beyond ASCII can stand only inside its strings
        return re.sub(r"[^\x00-\x7f]", lambda match: json.dumps(match[0])[1:-1], value)
    if isinstance(value, dict) and any(isinstance(item, Json) for item in value.values()):
        items = (f"{json.dumps(name)}: {_encode(item)}" for name, item in value.items())
        return f"{{{', '.join(items)}}}"
    try:
        return json.dumps(value, allow_nan=False, default=os.fspath)
    except ValueError:
        loose = json.dumps(value, default=os.fspath)
        return json.dumps(json.loads(loose, parse_constant=lambda _: None))


def picked(value: object, names: str) -> dict[str, Any]:
    """The attributes of `value` that are named, as a part of its JSON; null without a value."""
    return {name: None if value is None else getattr(value, name) for name in names.split()}


def name_of(file: str) -> str:
    """A file's name as JSON can hold it: bytes of it that are no UTF-8 as `\\xff`."""
    return file.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def issue_shape(issue: Issue) -> Shape:
    """One of `issues[]`; what else an issue has is for screens only."""
    names = "line record field severity message hint code"
    return {"file": name_of(issue.file), **picked(issue, names)}


def error_shape(error: ReoError | None) -> Shape | None:
    """The `error` of every result."""
    return picked(error, "exit_code reason message hint") if error else None

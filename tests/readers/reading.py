"""Bytes or text → what the readers make of them, without files."""

import io
import os
import subprocess
from typing import Any

from reo_cli.checks.needs import needs_under
from reo_cli.events import Rules
from reo_cli.readers import ReadOptions, read
from reo_cli.readers.source import Source
from reo_cli.records import Issue, Record

NOW = 1_795_000_000

STRICT = ReadOptions(needs=needs_under(Rules(NOW)))
"""How a command reads without any option."""

ALL = STRICT._replace(
    extra="ignore",
    given=frozenset({"activity_type", "count", "domain", "event_at", "product_id"}),
)
"""Options under which any header will do."""

WHOLE = 1 << 18


class Drip(io.BytesIO):
    """A pipe that gives a few bytes at a time."""

    def __init__(self, data: bytes, size: int) -> None:
        super().__init__(data)
        self._size = size

    def read1(self, size: int | None = -1, /) -> bytes:
        return super().read1(self._size)


def items(
    data: bytes | str, base: ReadOptions = ALL, name: str = "x", drip: int = WHOLE, **options: Any
) -> list[Record | Issue]:
    """Read bytes, as if they were a file of that name, with some options changed."""
    pipe = Drip(data.encode() if isinstance(data, str) else data, drip)
    return list(read(Source(name, name, pipe, streamed=False), base._replace(**options)))


def told(data: bytes | str, base: ReadOptions = ALL, **how: Any) -> list[Any]:
    """Give what was read: fields of records, or the line and code of what is wrong."""
    found: list[Any] = []
    for each in items(data, base, **how):
        issues = [each] if isinstance(each, Issue) else each.faults
        found += [(issue.line, issue.code) for issue in issues]
        if isinstance(each, Record) and each.fields is not None and not issues:
            found.append({**each.fields, **each.meta})
    return found


def problem(data: bytes | str, base: ReadOptions = ALL, **how: Any) -> Issue:
    """Give the one issue that is all there is to say of an input."""
    (found,) = items(data, base, **how)
    assert isinstance(found, Issue), found
    return found


def as_in_a_shell(command: str) -> list[str]:
    """Give the words that a shell makes of a command line."""
    script = f"printf '%s\\0' {command}"
    environ = {**os.environ, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(["bash", "-c", script], capture_output=True, check=True, env=environ)
    return done.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1]

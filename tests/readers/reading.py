"""Bytes or text → what the readers make of them, without files."""

import io
from typing import Any

from reo_cli.readers import ReadOptions, read
from reo_cli.readers.source import Source
from reo_cli.records import Issue, Record

ALL = ReadOptions(
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
    data: bytes | str, options: ReadOptions = ALL, *, name: str = "x", drip: int = WHOLE
) -> list[Record | Issue]:
    """Read bytes as if they were a file of that name."""
    data = data.encode() if isinstance(data, str) else data
    return list(read(Source(name, name, Drip(data, drip), streamed=False), options))


def told(
    data: bytes | str, options: ReadOptions = ALL, *, name: str = "x", drip: int = WHOLE
) -> list[Any]:
    """Give what was read: fields of records, or the line and code of what is wrong."""
    found: list[Any] = []
    for each in items(data, options, name=name, drip=drip):
        issues = [each] if isinstance(each, Issue) else each.faults
        found += [(issue.line, issue.code) for issue in issues]
        if isinstance(each, Record) and each.fields is not None and not issues:
            found.append({**each.fields, **each.meta})
    return found


def problem(
    data: bytes | str, options: ReadOptions = ALL, *, name: str = "x", drip: int = WHOLE
) -> Issue:
    """Give the one issue that is all there is to say of an input."""
    (found,) = items(data, options, name=name, drip=drip)
    assert isinstance(found, Issue), found
    return found

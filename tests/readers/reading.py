"""Bytes or text → what the readers make of them, without files."""

import io
from collections.abc import Iterable
from typing import Any

from reo_cli.readers import ReadOptions, read
from reo_cli.readers.source import Source
from reo_cli.records import Issue, Record

ALL = ReadOptions(
    extra="ignore",
    given=frozenset({"activity_type", "count", "domain", "event_at", "product_id"}),
)
"""Options under which any header will do."""


class Drip(io.BytesIO):
    """A pipe that gives a few bytes at a time."""

    def __init__(self, data: bytes, size: int) -> None:
        super().__init__(data)
        self._size = size

    def read1(self, size: int | None = -1, /) -> bytes:
        return super().read1(self._size)


def items(
    data: bytes, options: ReadOptions | None = None, *, name: str = "x", drip: int = 1 << 18
) -> list[Record | Issue]:
    """Read bytes as if they were a file of that name."""
    source = Source(name, name, Drip(data, drip), streamed=False)
    return list(read(source, options or ALL))


def fields(found: Iterable[Record | Issue]) -> list[Any]:
    """Give what was read: fields of records, or the line and message of what is wrong."""
    told: list[Any] = []
    for each in found:
        if isinstance(each, Issue):
            told.append((each.line, each.message))
        elif each.fields is None:
            told += [(issue.line, issue.message) for issue in each.faults]
        else:
            told.append({**each.fields, **each.meta})
    return told

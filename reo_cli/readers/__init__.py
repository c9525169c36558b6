"""bytes → Records: `read` opens nothing and decides nothing but the format.

Whatever the bytes are, they become records or issues: nothing is raised but a `ReoError` for a
read that fails (74) or an empty pipe (66).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from reo_cli.errors import ExitCode, ReoError
from reo_cli.readers.delimited import Table
from reo_cli.readers.jsonstream import Values
from reo_cli.readers.names import NameRules
from reo_cli.readers.source import Source
from reo_cli.readers.text import CutOff, Undecodable, decoded, unpacked
from reo_cli.records import Issue, Record

FORMATS = ("auto", "json", "ndjson", "csv", "tsv")

_SUFFIXES = {
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".csv": "csv",
    ".tsv": "tsv",
}


@dataclass(frozen=True)
class ReadOptions:
    """How inputs are to be read; None means that the input decides."""

    format: str = "auto"
    delimiter: str | None = None
    encoding: str | None = None
    names: NameRules = field(default_factory=NameRules)


def read(source: Source, options: ReadOptions) -> Iterator[Record | Issue]:
    """Yield the records of an input; an Issue says why the input, or its rest, cannot be read."""
    if not source.peek(1):
        if source.streamed:
            raise ReoError(
                ExitCode.NO_INPUT,
                "empty_pipe",
                "nothing arrived on standard input" if source.name == "-" else "nothing arrived",
                "did the command before the pipe fail?",
            )
        if by_suffix(source.path) in ("json", "ndjson"):
            yield Issue(source.name, 1, 0, "", "warning", "the file is empty", "nothing to send")
            return
    if source.peek(4) == b"PK\x03\x04":
        hint = "export it as CSV UTF-8 from the spreadsheet program"
        yield Issue(source.name, 1, 0, "", "error", "is a spreadsheet or zip file", hint)
        return
    blocks = decoded(unpacked(source), options.encoding)
    reader: Table | Values | None = None
    try:
        first = next(blocks, "")
        reader = _reader(source, _chain(first, blocks), first, options)
        yield from reader.records()
    except Undecodable as fault:
        yield _undecodable(source.name, reader.line if reader else 1, fault)
    except CutOff as fault:
        line = reader.line if reader else 1
        message = f"the compressed file is damaged: {fault}"
        yield Issue(source.name, line, 0, "", "error", message, "copy or export it again")


def _chain(first: str, rest: Iterator[str]) -> Iterator[str]:
    if first:
        yield first
    yield from rest


def by_suffix(path: str) -> str | None:
    """Return the format that a file's name tells, or None."""
    name = path.lower().removesuffix(".gz")
    return next((kind for suffix, kind in _SUFFIXES.items() if name.endswith(suffix)), None)


def _reader(
    source: Source, blocks: Iterator[str], first: str, options: ReadOptions
) -> Table | Values:
    kind = options.format
    if kind == "auto":
        kind = by_suffix(source.path) or ("json" if first.lstrip()[:1] in ("{", "[") else "csv")
    if kind in ("json", "ndjson"):
        return Values(source.name, blocks, options.names)
    delimiter = options.delimiter or ("\t" if kind == "tsv" else None)
    return Table(source.name, blocks, delimiter, options.names)


def _undecodable(file: str, line: int, fault: Undecodable) -> Issue:
    message = f"byte 0x{fault.near[fault.place]:02X} at offset {fault.offset:,} is not {fault.encoding} text"
    if fault.encoding == "utf-8":
        hint = "if the file comes from a Windows program, add --encoding cp1252"
    else:
        hint = "name the right one with --encoding"
    return Issue(file, line, 0, "", "error", message, hint)

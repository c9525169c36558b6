"""Inputs → one input: the rows of `--sql` over them. DuckDB is told to read each as reo would."""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from typing import BinaryIO, cast

from reo_cli.errors import ExitCode, ReoError
from reo_cli.readers import by_content, by_suffix, empty_pipe
from reo_cli.readers.csvfile import detect_delimiter
from reo_cli.readers.options import ReadOptions
from reo_cli.readers.source import Source, snapshot
from reo_cli.readers.sql import WHOLE, Part, path_of, rows_of, spooled
from reo_cli.readers.text import Lines, Stream, Unreadable, unpacked

NAME = "query"
"""What issues call the one input that the rows of a query are."""


class Rows(Source):
    """The rows of a query, in a file that has no name to be opened by again: `end` closes it."""

    def close(self) -> None:
        """Keep it open: it may be read once more."""

    def end(self) -> None:
        """Give it up."""
        self.file.close()


def queried(sources: Sequence[Source], options: ReadOptions) -> tuple[Rows, ReadOptions]:
    """Return the rows of `--sql` over all inputs as one input, and how that is read.

    Raises ReoError like `rows_of`, and 74 when an input changes meanwhile.
    """
    with ExitStack() as spools:
        parts = [_part(source, options, spools) for source in sources]
        rows = rows_of(options.sql or WHOLE, parts, options.sql_memory)
    for source in sources:
        if not source.streamed:
            source.rewind()
            source.verify_unchanged()
            source.close()
    file = cast(BinaryIO, rows)
    source = Rows(NAME, NAME, file, streamed=False, snapshot=snapshot(os.fstat(rows.fileno())))
    plain = options._replace(
        format="ndjson", encoding=None, skip_lines=0, header=(), records="", sheet=None
    )
    return source, plain


def _part(source: Source, options: ReadOptions, spools: ExitStack) -> Part:
    """Look at an input's start: DuckDB is told what reo would take it for."""
    stream, path = Stream(source.read), source.path
    if source.streamed:
        if not stream.peek(1):
            raise empty_pipe(source.name)
        file = spools.enter_context(spooled(stream))
        file.seek(0)
        stream, path = Stream(file.read), path_of(file)
    else:
        source.rewind()
    head = stream.peek(16)
    kind = by_suffix(source.path) if options.format == "auto" else options.format
    if kind == "parquet" or (kind is None and head.startswith(b"PAR1\x15")):
        part = Part(source.name, path, "parquet")
    else:
        part = _text_part(source.name, path, kind, stream, options)
    if not source.streamed:  # there may be more inputs than descriptors
        source.close()
    return part


def _text_part(
    name: str, path: str, kind: str | None, stream: Stream, options: ReadOptions
) -> Part:
    """Look at the first line that says something."""
    gzipped = stream.peek(2).startswith(b"\x1f\x8b")
    lines = Lines(unpacked(stream), options.encoding)
    above = 0
    try:
        while (text := lines.read()) and (
            above < options.skip_lines or not text.strip(' \t\r\n,;|"\ufeff') or text[0] == "#"
        ):
            above += 1
    except Unreadable as fault:
        message = f"`{name}`: {fault.message}"
        raise ReoError(ExitCode.INVALID, "unreadable", message, fault.hint) from fault
    kind = kind or by_content(text)
    delimiter = options.delimiter or ("\t" if kind == "tsv" else detect_delimiter(text, options))
    encoding = None if lines.encoding.startswith("utf-8") else lines.encoding
    return Part(name, path, kind, delimiter, encoding, gzipped, above, options.header)

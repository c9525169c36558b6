"""bytes → Records: `read` opens nothing and decides nothing but the format.

Whatever the bytes are, they become records or issues: nothing is raised but a `ReoError` for a
read that fails (74) or an empty pipe (66).
"""

import re
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from reo_cli.commandline import CommandLine
from reo_cli.errors import ExitCode, ReoError
from reo_cli.readers.names import NameRules
from reo_cli.readers.source import Source
from reo_cli.readers.text import RECORD_LIMIT, CutOff, Undecodable, decoded, unpacked
from reo_cli.records import STDIN, Issue, Record, line_starts
from reo_cli.values.jsontext import WHITE_SPACE
from reo_cli.values.patterns import Pattern

if TYPE_CHECKING:
    from reo_cli.readers.delimited import Table
    from reo_cli.readers.jsonstream import Values

FORMATS = ("auto", "json", "ndjson", "csv", "tsv")

_SUFFIXES = {
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".csv": "csv",
    ".tsv": "tsv",
}


class ReadOptions(NamedTuple):
    """How inputs are to be read; None means that the input decides."""

    format: str = "auto"
    delimiter: str | None = None
    encoding: str | None = None
    names: NameRules = NameRules()


def read(source: Source, options: ReadOptions) -> Iterator[Record | Issue]:
    """Yield the records of an input; an Issue says why the input, or its rest, cannot be read.

    Raises ReoError: 66 for a pipe through which nothing came, 74 for a read that fails.
    """
    kind = by_suffix(source.path) if options.format == "auto" else options.format
    if source.streamed and not source.peek(1):
        raise _empty_pipe(source.name)
    if source.path.lower().endswith(".gz") and not source.peek(1):
        yield _damaged(source.name, 1, "it is empty")
        return
    other = _other_kind(source, options)
    if other:
        yield Issue(source.name, 1, 0, "", "error", *other)
        return
    blocks = decoded(unpacked(source), options.encoding)
    reader: Table | Values | None = None
    first, line = "", 1
    try:
        for first in blocks:
            if first.strip(WHITE_SPACE):
                break
            line += len(line_starts(first)) - 1
            first = ""
        if not first and kind in ("json", "ndjson"):
            yield _nothing(source.name, kind)
            return
        wrong = _wrong_text(source.name, kind, first, options)
        if wrong:
            yield Issue(source.name, 1, 0, "", "error", *wrong)
            return
        text = chain([first] if first else [], blocks)
        reader = _reader(source.name, kind or _by_content(first), text, line, options)
        yield from reader.records()
    except Undecodable as fault:
        yield _undecodable(source.name, reader.line if reader else line, fault, options)
    except CutOff as fault:
        yield _damaged(source.name, reader.line if reader else line, str(fault))


def _damaged(file: str, line: int, why: str) -> Issue:
    message = f"the compressed file is damaged: {why}"
    return Issue(file, line, 0, "", "error", message, "copy or export it again")


def _empty_pipe(name: str) -> ReoError:
    where = "on standard input" if name == STDIN else f"in `{name}`"
    hint = "did the command before the pipe fail?"
    return ReoError(ExitCode.NO_INPUT, "empty_pipe", f"nothing arrived {where}", hint)


def _nothing(file: str, kind: str) -> Issue:
    """No value at all is fine in a stream of values, but no JSON text (RFC 8259, 2)."""
    if kind == "ndjson":
        return Issue(file, 1, 0, "", "warning", "the file is empty", "there is nothing to send")
    hint = "no events are written as []; was it cut off?"
    return Issue(file, 1, 0, "", "error", "the file is empty, which is not JSON", hint)


_OTHERS = (
    (
        b"PK\x03\x04",
        ("is a spreadsheet or zip file", "export it as CSV UTF-8 from the spreadsheet program"),
    ),
    (b"\xd0\xcf\x11\xe0", ("is an old spreadsheet", "export it as CSV UTF-8")),
    (b"PAR1\x15", ("is a Parquet file", "export it as CSV or NDJSON")),
    (b"SQLite format 3\0", ("is a SQLite database", "export it as CSV: sqlite3 -header -csv")),
    (b"%PDF-", ("is a PDF", "export it as CSV")),
)
"""How files begin that are neither CSV nor JSON, and what to do with them."""

_COMPRESSED = (
    *((b"BZh%d1AY&SY" % level, "bzip2", "bzcat") for level in range(1, 10)),
    (b"\xfd7zXZ", "xz", "xzcat"),
    (b"\x28\xb5\x2f\xfd", "zstd", "zstdcat"),
)
"""How files begin that another program unpacks."""

_MARKUP = Pattern(r"\s*<(?:!doctype|\?xml|html|head|body|!--)", re.IGNORECASE)


def _other_kind(source: Source, options: ReadOptions) -> tuple[str, str] | None:
    """Say what an input is that is neither CSV nor JSON, and what to do with it."""
    start = source.peek(16)
    for mark, name, program in _COMPRESSED:
        if start.startswith(mark):
            command = options.names.command or CommandLine()
            return f"is compressed with {name}", f"try: {command.piped(source.name, program)}"
    return next((what for mark, what in _OTHERS if start.startswith(mark)), None)


def by_suffix(path: str) -> str | None:
    """Return the format that a file's name tells, or None."""
    name = path.lower().removesuffix(".gz")
    return next((kind for suffix, kind in _SUFFIXES.items() if name.endswith(suffix)), None)


def _by_content(first: str) -> str:
    return "json" if first.lstrip(WHITE_SPACE)[:1] in ("{", "[") else "csv"


def _reader(
    name: str, kind: str, blocks: Iterator[str], line: int, options: ReadOptions
) -> "Table | Values":
    if kind in ("json", "ndjson"):
        from reo_cli.readers.jsonstream import Values

        return Values(name, blocks, options.names, line)
    from reo_cli.readers.delimited import Table

    delimiter = options.delimiter or ("\t" if kind == "tsv" else None)
    return Table(name, blocks, delimiter, options.names, line)


def _wrong_text(
    file: str, kind: str | None, first: str, options: ReadOptions
) -> tuple[str, str] | None:
    """Say what a text is by its start that is not what it should be, and what to do about it."""
    if options.encoding is None and (wide := _unmarked_utf16(first)):
        message = "every second byte is NUL: this seems to be UTF-16 without its mark"
        return message, _try(options, file, wide)
    if _MARKUP.match(first):
        return "the file holds a web page or XML, not events", "did the download fail?"
    command = options.names.command
    if command and kind in ("json", "ndjson") and _is_table(first, options):
        hint = f"try: {command.extended(file, ('--format', 'csv'))}"
        return "the file holds CSV, not JSON", hint
    return None


def _is_table(text: str, options: ReadOptions) -> bool:
    """Tell whether a text that should be JSON is CSV."""
    start = text.lstrip()
    if start[:1] in ("{", "[", '"'):
        return False
    from reo_cli.readers.grammar import is_header

    return is_header(re.split("[\r\n]", start[:RECORD_LIMIT], maxsplit=1)[0], options.names)


def _unmarked_utf16(text: str) -> str | None:
    """Return the encoding of UTF-16 without a mark, seen by the NULs in its ASCII characters."""
    even, odd = text[:200:2], text[1:200:2]
    for encoding, letters, nuls in (("utf-16-le", even, odd), ("utf-16-be", odd, even)):
        if nuls.count("\0") > len(nuls) * 0.8 and letters.count("\0") < len(letters) * 0.2:
            return encoding
    return None


def _try(options: ReadOptions, file: str, encoding: str) -> str:
    command = options.names.command
    return f"try: {command.extended(file, ('--encoding', encoding))}" if command else "save it so"


def _undecodable(file: str, line: int, fault: Undecodable, options: ReadOptions) -> Issue:
    byte = fault.near[fault.place] if fault.near else 0
    name = fault.encoding.upper()
    message = f"byte 0x{byte:02X} at offset {fault.offset:,} is not {name}"
    hint = "name the right one with --encoding, such as latin-1, cp1250 or shift_jis"
    if fault.cut:
        message = f"the file ends in the middle of a character, at offset {fault.offset:,}"
        hint = "was it cut off? export it again"
    elif fault.mixed:
        hint = f"the text before it is {name}: mend this line, or name another with --encoding"
    elif fault.encoding == "utf-8" and (word := _as_windows(fault)):
        hint = f'if it should read "{word}", {_try(options, file, "cp1252")}'
    return Issue(file, line, 0, "", "error", message, hint)


def _as_windows(fault: Undecodable) -> str:
    """Return the word with the offending byte as Windows-1252 has it, or nothing."""
    text = fault.near.decode("cp1252", "replace")
    start, end = fault.place, fault.place + 1
    while start and text[start - 1].isalnum():
        start -= 1
    while end < len(text) and text[end].isalnum():
        end += 1
    return "" if "\ufffd" in text[start:end] else text[start:end]

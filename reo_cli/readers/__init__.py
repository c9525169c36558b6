"""bytes → Records: `read` opens nothing and decides nothing but the format.

Whatever the bytes are, they become records or issues: nothing is raised but a `ReoError` for a
read that fails (74) or an empty pipe (66).
"""

import re
from collections.abc import Iterator
from itertools import islice

from reo_cli.errors import ExitCode, ReoError
from reo_cli.events import BY_NAME
from reo_cli.readers.options import CommandLine, ReadOptions
from reo_cli.readers.source import Source
from reo_cli.readers.text import Lines, Stream, Unreadable, unpacked
from reo_cli.records import STDIN, Issue, Record, Severity
from reo_cli.text import visible

__all__ = ["ReadOptions", "read"]

_SUFFIXES = {
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".csv": "csv",
    ".tsv": "tsv",
    **dict.fromkeys((".xlsx", ".xlsm", ".xls", ".ods"), "xlsx"),
    ".parquet": "parquet",
}

_ZIP = b"PK\x03\x04"
_SHEETS = (b"[Content_Types]", b"_rels/", b"docProps/", b"xl/", b"mimetype")
"""What the first file in the archive that an .xlsx or .ods file is may be called."""

_FOREIGN = (
    (rb"SQLite format 3\0", "is a SQLite database", "export it as CSV: sqlite3 -header -csv"),
    (rb"%PDF-", "is a PDF", "export it as CSV"),
    (rb"BZh[1-9]1AY&SY", "is compressed with bzip2", "bzcat"),
    (rb"\xfd7zXZ", "is compressed with xz", "xzcat"),
    (rb"\x28\xb5\x2f\xfd", "is compressed with zstd", "zstdcat"),
)
"""How files begin that are not read, what they are, and what to do or what unpacks them."""

_MARKUP = ("<!doctype", "<?xml", "<html", "<head", "<body", "<!--")

_EMPTY: dict[str | None, tuple[Severity, str, str]] = {
    "ndjson": ("warning", "the file is empty", "there is nothing to send"),
    "json": (
        *("error", "the file is empty, which is not JSON"),
        "no events are written as []; was it cut off?",
    ),
}
"""No value at all is fine in a stream of values, but no JSON text (RFC 8259, 2)."""

_LOOKED_AT = 50
"""Records that show what else an input needs whose encoding is another."""


def read(source: Source, options: ReadOptions) -> Iterator[Record | Issue]:
    """Yield the records of an input; an Issue says why the input, or its rest, cannot be read.

    Raises ReoError: 66 for a pipe through which nothing came, 74 for a read that fails.
    """
    any_read = False
    try:
        for item in source.records(options) or _of_bytes(source, options):
            any_read = True
            yield item
    except Unreadable as fault:
        hint = fault.hint
        if fault.options:
            hint += options.hint(source.name, *fault.options)
        place = (source.name, fault.line or 1, 0, "")
        issue = Issue(*place, "error", fault.message, hint, "", fault.code)
        names_encoding = options.command and fault.options[:1] == ("--encoding",)
        if names_encoding and not (any_read or options.encoding or source.streamed):
            issue = _with_what_else(source, options, fault, issue)
        yield issue


def _with_what_else(source: Source, options: ReadOptions, fault: Unreadable, issue: Issue) -> Issue:
    """Return what is wrong with the text of an input, with what else is: one command for all.

    `fault` names the encoding in which it can be read.
    """
    source.rewind()
    command = (options.command or CommandLine()).plus(*fault.options)
    mended = options._replace(encoding=fault.options[-1], command=command)
    items = list(islice(read(source, mended), _LOOKED_AT))
    first = next((each for each in items if isinstance(each, Issue)), None)
    if items and items[0] is first and first.severity == "error":
        return first._replace(message=f"{first.message}; in line {issue.line} {issue.message}")
    fields = [each.fields or {} for each in items if isinstance(each, Record)]
    samples = {name: [each.get(name) for each in fields] for name in BY_NAME}
    words, blanks = options.needs(samples, {"domain": options.mapped.get("domain", "domain")})
    return issue._replace(hint=fault.hint + mended.hint(source.name, *words, blanks=blanks))


def _of_bytes(source: Source, options: ReadOptions) -> Iterator[Record | Issue]:
    """Yield what is in an input that is read as bytes; raises Unreadable."""
    kind = by_suffix(source.path) if options.format == "auto" else options.format
    stream = Stream(source.read)
    head = stream.peek(16)
    if not head and source.streamed:
        raise empty_pipe(source.name)
    if not head and source.path.lower().endswith(".gz"):
        message = "the compressed file is damaged: it is empty"
        raise Unreadable("damaged-gzip", message, "copy or export it again")
    if kind == "parquet" or (kind is None and head.startswith(b"PAR1\x15")):
        return _of_parquet(source, stream, options)
    if head.startswith(_ZIP):
        head = stream.peek(100)
    _refuse_foreign(source.name, head, options)
    if head.startswith((_ZIP, b"\xd0\xcf\x11\xe0")):
        if options.format not in ("auto", "xlsx"):
            raise Unreadable("another-format", "is a spreadsheet", "", ("--format", "xlsx"))
        from reo_cli.readers import excel

        return excel.records(source.name, stream, options)
    kind = None if kind == "xlsx" else kind  # many a program calls its CSV so
    return _of_text(source, Lines(unpacked(stream), options.encoding), kind, options)


def _of_text(
    source: Source, lines: Lines, kind: str | None, options: ReadOptions
) -> Iterator[Record | Issue]:
    """Yield what is in a text; `kind` is the format that is known, if any."""
    try:
        for _ in range(options.skip_lines):
            lines.read()
        first = next(filter(_says_something, iter(lines.read, "")), "")
        if not first and kind in _EMPTY:
            yield Issue(source.name, 1, 0, "", *_EMPTY[kind], code="empty")
            return
        lines.give_back([first] if first else [])
        _refuse_text(first, kind, options)
        kind = kind or by_content(first)
        yield from _reader(source, lines, kind, options)
    except Unreadable as fault:
        fault.line = fault.line or lines.line
        raise


def _reader(
    source: Source, lines: Lines, kind: str, options: ReadOptions
) -> Iterator[Record | Issue]:
    if kind in ("json", "ndjson"):
        from reo_cli.readers.jsonfile import JSONFile

        by_line, looks_ahead = kind == "ndjson", not source.streamed
        return JSONFile(
            source.name, lines, options, by_line=by_line, looks_ahead=looks_ahead
        ).records()
    if kind == "accesslog":
        from reo_cli.readers import accesslog

        return accesslog.records(source.name, lines, options)
    from reo_cli.readers.csvfile import CSVFile

    delimiter = options.delimiter or ("\t" if kind == "tsv" else None)
    return CSVFile(source.name, lines, delimiter, options).records()


def _of_parquet(source: Source, stream: Stream, options: ReadOptions) -> Iterator[Record | Issue]:
    """Yield the rows of a Parquet file; line n is row n."""
    from reo_cli.readers.jsonfile import JSONFile
    from reo_cli.readers.sql import parquet_rows

    path = None if source.streamed else source.path
    try:
        file = parquet_rows(source.name, path, stream, options.sql_memory)
    except ReoError as fault:
        if fault.reason in ("needs-extra", "unreadable"):
            raise Unreadable(fault.reason, fault.message, fault.hint) from fault
        raise
    with file as rows:
        lines = Lines(Stream(rows.read))
        yield from JSONFile(source.name, lines, options, by_line=True, looks_ahead=True).records()


def _says_something(line: str) -> bool:
    return bool(line.strip(" \t\r\n\ufeff\x1e"))


def _refuse_foreign(name: str, head: bytes, options: ReadOptions) -> None:
    """Raise what an input is that is neither text nor a spreadsheet, and what to do with it."""
    command = options.command or CommandLine()
    for start, what, to_do in _FOREIGN:
        if re.match(start, head):
            hint = f"try: {command.piped(name, to_do)}" if to_do.endswith("cat") else to_do
            raise Unreadable("another-format", what, hint)
    if head.startswith(_ZIP) and not head.startswith(_SHEETS, 30):
        inner = head[30 : 30 + int.from_bytes(head[26:28], "little")].decode("utf-8", "replace")
        hint = f"try: {command.piped(name, 'unzip -p')}"
        what = f"is a zip file that holds `{visible(inner, 60)}`"
        raise Unreadable("another-format", what, hint)


def _refuse_text(first: str, kind: str | None, options: ReadOptions) -> None:
    """Raise what a text is by its start that is not what it should be, and what to do."""
    nuls = [{*first[at:40:2]} == {"\0"} for at in (0, 1)]
    if options.encoding is None and any(nuls) and not all(nuls):
        message = "every second byte is NUL: this seems to be UTF-16 without its mark"
        encoding = "utf-16-be" if nuls[0] else "utf-16-le"
        raise Unreadable("not-in-encoding", message, "", ("--encoding", encoding))
    start = first.lstrip()
    if start.lower().startswith(_MARKUP):
        message = "the file holds a web page or XML, not events"
        raise Unreadable("another-format", message, "did the download fail?")
    if kind in ("json", "ndjson") and start[:1] not in ("{", "[", '"'):
        from reo_cli.readers.csvfile import is_header

        if is_header(first, options):
            message = "the file holds CSV, not JSON"
            raise Unreadable("another-format", message, "", ("--format", "csv"))


def empty_pipe(name: str) -> ReoError:
    where = "on standard input" if name == STDIN else f"in `{name}`"
    hint = "did the command before the pipe fail?"
    return ReoError(ExitCode.NO_INPUT, "empty_pipe", f"nothing arrived {where}", hint)


def by_suffix(path: str) -> str | None:
    """Return the format that a file's name tells, or None."""
    name = path.lower().removesuffix(".gz")
    return next((kind for suffix, kind in _SUFFIXES.items() if name.endswith(suffix)), None)


def by_content(first: str) -> str:
    """Return the format that the first line of a text tells."""
    if first.lstrip()[:1] in ("{", "["):
        return "json"
    from reo_cli.readers.accesslog import cells_of

    return "accesslog" if cells_of(first) else "csv"

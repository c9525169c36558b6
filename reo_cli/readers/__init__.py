"""bytes → Records: `read` opens nothing and decides nothing but the format.

Whatever the bytes are, they become records or issues: nothing is raised but a `ReoError` for a
read that fails (74) or an empty pipe (66).
"""

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from reo_cli.errors import ExitCode, ReoError
from reo_cli.events import BY_NAME
from reo_cli.readers.options import CommandLine, ReadOptions
from reo_cli.readers.source import Source
from reo_cli.readers.text import RECORD_LIMIT, Lines, Stream, Unreadable, unpacked
from reo_cli.records import STDIN, Issue, Record
from reo_cli.text import visible

if TYPE_CHECKING:
    from reo_cli.readers.accesslog import AccessLog
    from reo_cli.readers.csvfile import CSVFile
    from reo_cli.readers.excel import Spreadsheet
    from reo_cli.readers.jsonfile import JSONFile

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

_SHEETS = (b"[Content_Types]", b"_rels/", b"docProps/", b"xl/", b"mimetype")
"""What the first file in the archive that an .xlsx or .ods file is may be called."""

_OTHERS = (
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

_LOOKED_AT = 50
"""Records that show what else an input needs whose encoding is another."""

_MARKUP = ("<!doctype", "<?xml", "<html", "<head", "<body", "<!--")


def read(source: Source, options: ReadOptions) -> Iterator[Record | Issue]:
    """Yield the records of an input; an Issue says why the input, or its rest, cannot be read.

    Raises ReoError: 66 for a pipe through which nothing came, 74 for a read that fails.
    """
    ready = source.records(options)
    if ready is not None:
        yield from ready
        return
    input_ = _Input(source, options)
    any_read = False
    try:
        for item in input_.items():
            any_read = True
            yield item
    except Unreadable as fault:
        mends = options.command and fault.options[:1] == ("--encoding",)
        if mends and not (any_read or options.encoding or source.streamed):
            yield _looked_at(source, options, fault, input_)
        else:
            yield input_.issue(fault)


def _looked_at(source: Source, options: ReadOptions, fault: Unreadable, input_: "_Input") -> Issue:
    """Return what is wrong with an input, with what else is when its text is mended: one command.

    `fault` names the encoding that mends it.
    """
    source.rewind()
    command = (options.command or CommandLine()).plus(*fault.options)
    mended = options._replace(encoding=fault.options[-1], command=command)
    items = list(islice(read(source, mended), _LOOKED_AT))
    issue = input_.issue(fault)
    first = next((each for each in items if isinstance(each, Issue)), None)
    if items and items[0] is first and first.severity == "error":
        return first._replace(message=f"{first.message}; in line {issue.line} {issue.message}")
    fields = [each.fields or {} for each in items if isinstance(each, Record)]
    columns = {"domain": options.mapped.get("domain", "domain")}
    samples = {name: [each.get(name) for each in fields] for name in BY_NAME}
    needed, blanks = options.needs(samples, columns)
    words = [*fault.options, *(word for pair in needed for word in pair)]
    fill_in = f"put in your {', '.join(blanks)} and " if blanks else ""
    return issue._replace(hint=fault.hint + options.hint(source.name, *words, before=fill_in))


class _Input:
    """One input on its way to records."""

    def __init__(self, source: Source, options: ReadOptions) -> None:
        self._source = source
        self._options = options
        self._reader: AccessLog | CSVFile | JSONFile | Spreadsheet | None = None
        self._line = 1

    def issue(self, fault: Unreadable) -> Issue:
        """Return what ends the input, at the line that was being read."""
        line = self._reader.line if self._reader else self._line
        hint = fault.hint
        if fault.options:
            hint += self._options.hint(self._source.name, *fault.options)
        return Issue(
            *(self._source.name, line, 0, "", "error", fault.message, hint, "", fault.code)
        )

    def items(self) -> Iterator[Record | Issue]:
        """Yield what is in the input; raises Unreadable."""
        source, options = self._source, self._options
        kind = by_suffix(source.path) if options.format == "auto" else options.format
        stream = Stream(source.read)
        head = stream.peek(16)
        if source.streamed and not head:
            raise empty_pipe(source.name)
        if source.path.lower().endswith(".gz") and not head:
            message = "the compressed file is damaged: it is empty"
            raise Unreadable("damaged-gzip", message, "copy or export it again")
        if kind == "parquet" or (kind is None and head.startswith(b"PAR1\x15")):
            yield from self._rows(stream)
            return
        self._refuse_others(head)
        if head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
            if options.format not in ("auto", "xlsx"):
                raise Unreadable("another-format", "is a spreadsheet", "", ("--format", "xlsx"))
            from reo_cli.readers.excel import Spreadsheet

            self._reader = Spreadsheet(source.name, stream, options)
            yield from self._reader.records()
            return
        kind = None if kind == "xlsx" else kind  # many a program calls its CSV so
        lines = Lines(unpacked(stream), options.encoding)
        for _ in range(options.skip_lines):
            lines.read(RECORD_LIMIT)
            self._line += 1
        first = self._first(lines)
        if not first and kind in ("json", "ndjson"):
            yield self._nothing(kind)
            return
        lines.give_back([first] if first else [])
        self._refuse_text(first, kind)
        kind = kind or by_content(first)
        self._reader = self._reader_of(kind, lines)
        yield from self._reader.records()

    def _first(self, lines: Lines) -> str:
        """Return the first line that is not blank, or its start."""
        while line := lines.read(RECORD_LIMIT + 1):
            if line.strip(" \t\r\n\ufeff\x1e"):
                return line
            self._line += line[-1] in "\r\n"
        return ""

    def _nothing(self, kind: str) -> Issue:
        """No value at all is fine in a stream of values, but no JSON text (RFC 8259, 2)."""
        place = (self._source.name, 1, 0, "")
        if kind == "ndjson":
            hint = "there is nothing to send"
            return Issue(*place, "warning", "the file is empty", hint, "", "empty")
        hint = "no events are written as []; was it cut off?"
        return Issue(*place, "error", "the file is empty, which is not JSON", hint, "", "empty")

    def _rows(self, stream: Stream) -> Iterator[Record | Issue]:
        """Yield the rows of a Parquet file; line n is row n."""
        from reo_cli.readers.jsonfile import JSONFile
        from reo_cli.readers.sql import parquet_rows

        source = self._source
        path = None if source.streamed else source.path
        try:
            file = parquet_rows(source.name, path, stream, self._options.sql_memory)
        except ReoError as fault:
            if fault.reason in ("needs-extra", "unreadable"):
                raise Unreadable(fault.reason, fault.message, fault.hint) from fault
            raise
        with file as rows:
            lines = Lines(Stream(rows.read))
            place = (source.name, lines, self._options, 1)
            self._reader = JSONFile(*place, by_line=True, looks_ahead=True)
            yield from self._reader.records()

    def _reader_of(self, kind: str, lines: Lines) -> "AccessLog | CSVFile | JSONFile":
        place = (self._source.name, lines)
        if kind in ("json", "ndjson"):
            from reo_cli.readers.jsonfile import JSONFile

            return JSONFile(
                *(*place, self._options, self._line),
                by_line=kind == "ndjson",
                looks_ahead=not self._source.streamed,
            )
        if kind == "accesslog":
            from reo_cli.readers.accesslog import AccessLog

            return AccessLog(*place, self._options, self._line)
        from reo_cli.readers.csvfile import CSVFile

        delimiter = self._options.delimiter or ("\t" if kind == "tsv" else None)
        return CSVFile(*place, delimiter, self._options, self._line)

    def _refuse_others(self, start: bytes) -> None:
        """Raise what an input is that is neither CSV nor JSON, and what to do with it."""
        for mark, name, program in _COMPRESSED:
            if start.startswith(mark):
                command = self._options.command or CommandLine()
                hint = f"try: {command.piped(self._source.name, program)}"
                raise Unreadable("another-format", f"is compressed with {name}", hint)
        if start.startswith(b"PK\x03\x04") and not start.startswith(_SHEETS, 30):
            inner = start[30 : 30 + int.from_bytes(start[26:28], "little")]
            command = self._options.command or CommandLine()
            hint = f"try: {command.piped(self._source.name, 'unzip -p')}"
            name = visible(inner.decode("utf-8", "replace"), 60)
            raise Unreadable("another-format", f"is a zip file that holds `{name}`", hint)
        for mark, what in _OTHERS:
            if start.startswith(mark):
                raise Unreadable("another-format", *what)

    def _refuse_text(self, first: str, kind: str | None) -> None:
        """Raise what a text is by its start that is not what it should be, and what to do."""
        options = self._options
        if options.encoding is None and (wide := _unmarked_utf16(first)):
            message = "every second byte is NUL: this seems to be UTF-16 without its mark"
            raise Unreadable("not-in-encoding", message, "", ("--encoding", wide))
        if first.lstrip().lower().startswith(_MARKUP):
            message = "the file holds a web page or XML, not events"
            raise Unreadable("another-format", message, "did the download fail?")
        if kind in ("json", "ndjson") and first.lstrip()[:1] not in ("{", "[", '"'):
            from reo_cli.readers.grammar import is_header

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


def _unmarked_utf16(text: str) -> str | None:
    """Return the encoding of UTF-16 without a mark, seen by the NULs in its ASCII characters."""
    even, odd = text[:200:2], text[1:200:2]
    for encoding, letters, nuls in (("utf-16-le", even, odd), ("utf-16-be", odd, even)):
        if nuls.count("\0") > len(nuls) * 0.8 and letters.count("\0") < len(letters) * 0.2:
            return encoding
    return None

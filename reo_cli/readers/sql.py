"""Files → rows of a query: DuckDB reads them as the view `input` and writes NDJSON for the reader.

The only place that imports duckdb, which is the extra `sql`. The query is run once; its rows lie in
a file without a name, which is gone whatever happens to the process.
"""

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, NamedTuple

from reo_cli.errors import ExitCode, ReoError, start
from reo_cli.readers.source import BLOCK
from reo_cli.readers.text import Stream

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

WHOLE = "SELECT * FROM input"
"""The query of a Parquet file without one."""

COLUMNS_TOLD = 30

_FUNCTIONS = {
    "csv": "read_csv",
    "tsv": "read_csv",
    "json": "read_json",
    "ndjson": "read_json",
    "parquet": "read_parquet",
}


class Part(NamedTuple):
    """A file that is part of `input`: its format, and how its text is to be read.

    `skip` is how many lines of a CSV file stand before its header, `names` are
    those of its columns where it has none.
    """

    name: str
    path: str
    format: str
    delimiter: str = ","
    encoding: str | None = None
    gzipped: bool = False
    skip: int = 0
    names: Sequence[str] = ()


def rows_of(query: str, parts: Sequence[Part], memory: str) -> IO[bytes]:
    """Return a nameless temporary file with the rows of a query as NDJSON, to be read from 0.

    Raises ReoError: 2 for a query that DuckDB refuses and for `memory`, 65 for a file it cannot
    read, 74 when memory or disk do not suffice, 78 without the extra.
    """
    import tempfile

    if not re.search(r"\binput\b", query, re.IGNORECASE):
        raise _usage("the query does not read `input`, the files named", "write FROM input")
    for each in parts:
        if each.format not in _FUNCTIONS:
            raise _usage(f"`{each.name}` is {each.format}, which it cannot read", "leave it out")
    with _on_disk(), tempfile.TemporaryDirectory(prefix="reo-sql-") as spill:
        rows = tempfile.TemporaryFile(prefix="reo-")  # noqa: SIM115 - the caller's

        def work() -> Iterator["DuckDBPyConnection"]:
            with _connected(memory, spill) as database:
                yield database
                _require_one(database, query)
                _define(database, parts)
                _copy(database, query, path_of(rows))

        try:
            _apart(work())
        except BaseException:
            rows.close()
            raise
    rows.seek(0)
    return rows


def _apart(work: "Iterator[DuckDBPyConnection]") -> None:
    """Do work, which yields its connection, in a thread of its own.

    DuckDB swallows what a signal's handler raises, and aborts where that comes while it loads.
    """
    connections: list[DuckDBPyConnection] = []
    faults: list[Exception] = []
    ended = threading.Event()

    def do() -> None:
        try:
            for each in work:
                connections.append(each)
        except Exception as fault:  # noqa: BLE001 - raised again by who waits
            faults.append(fault)
        ended.set()

    thread = threading.Thread(target=do, name="reo-sql", daemon=True)
    try:
        start(thread)
        ended.wait()  # not `join`: in Python 3.11 a signal makes that take the thread for ended
    except BaseException:
        while thread.ident and not ended.is_set():  # DuckDB does not stand the end of the process
            with suppress(Exception):  # another signal, or it is closed by now
                for each in connections:
                    each.interrupt()
                ended.wait(0.1)
        raise
    if faults:
        raise faults[0]


def parquet_rows(name: str, path: str | None, stream: Stream, memory: str) -> IO[bytes]:
    """Return the rows of a Parquet file as NDJSON; one from a pipe has no `path`."""
    if path is not None:
        return rows_of(WHOLE, [Part(name, path, "parquet")], memory)
    with spooled(stream) as file:
        return rows_of(WHOLE, [Part(name, path_of(file), "parquet")], memory)


def spooled(stream: Stream) -> IO[bytes]:
    """Return a nameless temporary file with what comes out of a pipe; raises ReoError 74."""
    import shutil
    import tempfile

    with _on_disk():
        file = tempfile.TemporaryFile(prefix="reo-")  # noqa: SIM115 - the caller's
        shutil.copyfileobj(stream, file, BLOCK)
        file.flush()
    return file


def path_of(file: IO[bytes]) -> str:
    """Return a path by which DuckDB opens a file that has no name."""
    return f"/dev/fd/{file.fileno()}"


@contextmanager
def _on_disk() -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        message = f"the temporary folder cannot hold what --sql needs: {fault.strerror}"
        hint = "free some space there, or set TMPDIR to another folder"
        raise ReoError(ExitCode.IO, "scratch_failed", message, hint) from fault


@contextmanager
def _connected(memory: str, spill: str) -> "Iterator[DuckDBPyConnection]":
    try:
        import duckdb
    except ImportError as fault:
        message, hint = "for SQL and Parquet an extra is needed", "pip install 'reo-cli[sql]'"
        raise ReoError(ExitCode.CONFIG, "needs-extra", message, hint) from fault
    with duckdb.connect(":memory:") as database:
        # Nothing is loaded from a network, and times are UTC whatever the machine's zone.
        database.execute("SET autoinstall_known_extensions = false")
        database.execute("SET autoload_known_extensions = false")
        database.execute("SET TimeZone = 'UTC'")
        database.execute(f"SET temp_directory = {_quoted(spill)}")
        try:
            database.execute(f"SET memory_limit = {_quoted(memory)}")
        except duckdb.Error as fault:
            message = f"REO_SQL_MEMORY: {_one_line(fault)}"
            raise ReoError(ExitCode.CONFIG, "config", message, "such as 512MB or 2GB") from fault
        yield database


def _require_one(database: "DuckDBPyConnection", query: str) -> None:
    """Raise ReoError 2 for what is not one query: nothing else is run."""
    import duckdb

    try:
        kinds = [each.type.name for each in database.extract_statements(query)]
    except duckdb.Error as fault:
        raise _usage(_one_line(fault)) from fault
    if kinds not in (["SELECT"], ["MULTI"], ["CREATE", "SELECT"]):  # the last two are PIVOT
        raise _usage("it is not one query", "such as SELECT … FROM input")


def _usage(why: str, hint: str = "") -> ReoError:
    return ReoError(ExitCode.USAGE, "usage", f"--sql: {why}", hint)


def _define(database: "DuckDBPyConnection", parts: Sequence[Part]) -> None:
    """Make the view `input` of all files: those of one kind together, columns matched by name."""
    import duckdb

    kinds: dict[tuple[str, str], list[str]] = {}
    for each in parts:
        kind = (_FUNCTIONS[each.format], _options(each))
        kinds.setdefault(kind, []).append(_quoted(_pattern(each.path)))
    tables = [
        f"FROM {function}([{', '.join(paths)}], {options})"
        for (function, options), paths in kinds.items()
    ]
    try:
        database.execute(f"CREATE VIEW input AS {' UNION ALL BY NAME '.join(tables)}")
    except duckdb.Error as fault:
        names = ", ".join(f"`{each.name}`" for each in parts)
        hint = "`reo validate` without --sql names the lines that are wrong"
        message = f"--sql cannot read {names}: {_one_line(fault)}"
        raise ReoError(ExitCode.INVALID, "unreadable", message, hint) from fault


def _options(part: Part) -> str:
    """Return how a kind of file is read.

    All of a text is looked at, or keys that come late would be lost, and a column that is of
    another type further down could not be read. For CSV DuckDB guesses types only: it takes what it
    cannot split for text, rather than say what is wrong.
    """
    options = ["union_by_name = true"]
    if part.format != "parquet":
        options.append(f"compression = '{'gzip' if part.gzipped else 'none'}', sample_size = -1")
    if part.format in ("csv", "tsv"):
        names = ", ".join(map(_quoted, part.names))
        options += [f"header = false, names = [{names}]" if part.names else "header = true"]
        options += ["strict_mode = true", f"skip = {part.skip}", "comment = ''"]
        options += [r"nullstr = ['', '\N']", "quote = '\"'", "escape = '\"'"]
        options.append(f"delim = {_quoted(part.delimiter)}")
        if part.encoding:
            options.append(f"encoding = {_quoted(part.encoding)}")
    return ", ".join(options)


def _copy(database: "DuckDBPyConnection", query: str, path: str) -> None:
    """Run the query; its rows go to a file."""
    import duckdb

    query = query.strip().rstrip(";")
    statement = f"COPY (\n{query}\n) TO {_quoted(path)} (FORMAT json, USE_TMP_FILE false)"
    try:
        database.execute(statement)
    except (duckdb.OutOfMemoryException, duckdb.IOException) as fault:
        hint = "REO_SQL_MEMORY=2GB allows more memory, TMPDIR names a folder with more room"
        raise ReoError(ExitCode.IO, "sql_failed", f"--sql: {_one_line(fault)}", hint) from fault
    except duckdb.Error as fault:
        described = database.execute("DESCRIBE input").fetchall()
        columns = ", ".join(str(row[0]) for row in described[:COLUMNS_TOLD])
        more = f" and {len(described) - COLUMNS_TOLD} more" * (len(described) > COLUMNS_TOLD)
        hint = f"input has {columns}{more}"
        if re.search("CSV Error|Malformed JSON", str(fault)):
            message = f"--sql: {_one_line(fault)}"
            raise ReoError(ExitCode.INVALID, "unreadable", message, hint) from fault
        raise _usage(_one_line(fault), hint) from fault


def _one_line(fault: Exception) -> str:
    """Return DuckDB's own words without the picture of the query and what only DuckDB takes."""
    text = re.split(r"\n\s*(?:LINE \d+:|Possible |The search space)", str(fault), maxsplit=1)[0]
    return " ".join(text.split())[:500]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _pattern(path: str) -> str:
    """Return the pattern that matches this path only: DuckDB takes every path for a pattern."""
    return re.sub(r"([*?\[])", r"[\1]", path)

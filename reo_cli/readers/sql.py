"""Files → rows of a query: DuckDB reads them as the view `input` and writes NDJSON for the reader.

The only place that imports duckdb, which is the extra `sql`. The query is run once; its rows lie in
a file without a name, which is gone whatever happens to the process.
"""

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, NamedTuple

from reo_cli.errors import ExitCode, ReoError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

WHOLE = "SELECT * FROM input"
"""The query of a Parquet file without one."""

MEMORY = "512MB"
"""Memory that DuckDB takes at most before it goes to the disk."""

COLUMNS_TOLD = 30

_FUNCTIONS = {
    "csv": "read_csv",
    "tsv": "read_csv",
    "json": "read_json",
    "ndjson": "read_json",
    "parquet": "read_parquet",
}


class Table(NamedTuple):
    """A file that is part of `input`: its format, and how its text is to be read.

    `skip` is how many lines of a CSV file stand before its header.
    """

    name: str
    path: str
    format: str
    delimiter: str = ","
    encoding: str | None = None
    gzipped: bool = False
    skip: int = 0


def rows_of(query: str, tables: Sequence[Table], memory: str = MEMORY) -> IO[bytes]:
    """Return a nameless temporary file with the rows of a query as NDJSON, to be read from 0.

    Raises ReoError: 2 for a query that DuckDB refuses and for `memory`, 65 for a file it cannot
    read, 74 when memory or disk do not suffice, 78 without the extra.
    """
    import tempfile

    if not re.search(r"\binput\b", query, re.IGNORECASE):
        raise _usage("the query does not read `input`, the files named", "write FROM input")
    for each in tables:
        if each.format not in _FUNCTIONS:
            raise _usage(f"`{each.name}` is {each.format}, which it cannot read", "leave it out")
    with _on_disk(), tempfile.TemporaryDirectory(prefix="reo-sql-") as spill:
        rows = tempfile.TemporaryFile(prefix="reo-")  # noqa: SIM115 - the caller's
        try:
            with _connected(memory, spill) as database:
                _require_one(database, query)
                _define(database, tables)
                try:
                    _copy(database, query, f"/dev/fd/{rows.fileno()}")
                except _Unreadable:  # a column that is of another type further down
                    _define(database, tables, ", sample_size = -1")
                    _copy(database, query, f"/dev/fd/{rows.fileno()}")
        except BaseException:
            rows.close()
            raise
    rows.seek(0)
    return rows


def spooled(read: Iterator[bytes]) -> IO[bytes]:
    """Return a nameless temporary file with what comes out of a pipe; raises ReoError 74."""
    import tempfile

    with _on_disk():
        file = tempfile.TemporaryFile(prefix="reo-")  # noqa: SIM115 - the caller's
        for data in read:
            file.write(data)
        file.flush()
    return file


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
        message, hint = "SQL and Parquet need DuckDB", "pip install 'reo-cli[sql]'"
        raise ReoError(ExitCode.CONFIG, "missing_extra", message, hint) from fault
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


def _define(database: "DuckDBPyConnection", tables: Sequence[Table], more: str = "") -> None:
    """Make the view `input` of all files: those of one kind together, columns matched by name."""
    import duckdb

    kinds: dict[tuple[str, str], list[str]] = {}
    for each in tables:
        function = _FUNCTIONS[each.format]
        options = _options(each) + (more if function == "read_csv" else "")
        kinds.setdefault((function, options), []).append(_quoted(_pattern(each.path)))
    parts = [
        f"FROM {function}([{', '.join(paths)}]{options})"
        for (function, options), paths in kinds.items()
    ]
    try:
        database.execute(f"CREATE OR REPLACE VIEW input AS {' UNION ALL BY NAME '.join(parts)}")
    except duckdb.Error as fault:
        names = ", ".join(f"`{each.name}`" for each in tables)
        hint = "`reo validate` without --sql names the lines that are wrong"
        raise _Unreadable(f"--sql cannot read {names}: {_one_line(fault)}", hint) from fault


def _options(table: Table) -> str:
    """Return how a kind of file is read.

    All of JSON is looked at, or keys that come late would be lost. For CSV DuckDB guesses types
    only: it takes what it cannot split for text, rather than say what is wrong.
    """
    options = ["union_by_name = true"]
    if table.format == "parquet":
        return f", {options[0]}"
    if table.gzipped:
        options.append("compression = 'gzip'")
    if table.format in ("json", "ndjson"):
        return ", " + ", ".join([*options, "sample_size = -1"])
    options += ["header = true", "strict_mode = true", f"skip = {table.skip}", "comment = ''"]
    options += [r"nullstr = ['', '\N']", "quote = '\"'", "escape = '\"'"]
    options.append(f"delim = {_quoted(table.delimiter)}")
    if table.encoding:
        options.append(f"encoding = {_quoted(table.encoding)}")
    return ", " + ", ".join(options)


def _copy(database: "DuckDBPyConnection", query: str, path: str) -> None:
    """Run the query; its rows go to a file."""
    import duckdb

    query = query.strip().rstrip(";")
    statement = f"COPY (\n{query}\n) TO {_quoted(path)} (FORMAT json, USE_TMP_FILE false)"
    try:
        _run(database, statement)
    except (duckdb.OutOfMemoryException, duckdb.IOException) as fault:
        hint = "REO_SQL_MEMORY=2GB allows more memory, TMPDIR names a folder with more room"
        raise ReoError(ExitCode.IO, "sql_failed", f"--sql: {_one_line(fault)}", hint) from fault
    except duckdb.Error as fault:
        described = database.execute("DESCRIBE input").fetchall()
        columns = ", ".join(str(row[0]) for row in described[:COLUMNS_TOLD])
        more = f" and {len(described) - COLUMNS_TOLD} more" * (len(described) > COLUMNS_TOLD)
        hint = f"input has {columns}{more}"
        if re.search("CSV Error|Malformed JSON", str(fault)):
            raise _Unreadable(f"--sql: {_one_line(fault)}", hint) from fault
        raise _usage(_one_line(fault), hint) from fault


def _run(database: "DuckDBPyConnection", statement: str) -> None:
    """Execute in a thread: DuckDB would swallow what a signal's handler raises."""
    faults: list[Exception] = []

    def execute() -> None:
        try:
            database.execute(statement)
        except Exception as fault:  # noqa: BLE001 - raised again by who waits
            faults.append(fault)

    thread = threading.Thread(target=execute, name="reo-sql", daemon=True)
    thread.start()
    try:
        thread.join()
    except BaseException:
        database.interrupt()
        thread.join()
        raise
    if faults:
        raise faults[0]


class _Unreadable(ReoError):
    """A file that DuckDB cannot read (65)."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(ExitCode.INVALID, "unreadable", message, hint)


def _one_line(fault: Exception) -> str:
    """Return DuckDB's own words without the picture of the query and what only DuckDB takes."""
    text = re.split(r"\n\s*(?:LINE \d+:|Possible |The search space)", str(fault), maxsplit=1)[0]
    return " ".join(text.split())[:500]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _pattern(path: str) -> str:
    """Return the pattern that matches this path only: DuckDB takes every path for a pattern."""
    return re.sub(r"([*?\[])", r"[\1]", path)

"""`--sql` on DuckDB: what the view `input` is made of, what comes out, and how it fails."""

import gzip
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

duckdb = pytest.importorskip("duckdb")

from reo_cli.delivery.signals import Signals  # noqa: E402
from reo_cli.errors import Interrupted, ReoError, start  # noqa: E402
from reo_cli.readers.sql import Part, rows_of, spooled  # noqa: E402
from reo_cli.readers.text import Stream  # noqa: E402
from tests.conftest import World  # noqa: E402


def table(path: Path, data: bytes, **options: Any) -> Part:
    path.write_bytes(data)
    kind = path.name.removesuffix(".gz").rpartition(".")[2]
    return Part(path.name, str(path), kind, gzipped=path.suffix == ".gz", **options)


def parquet(path: Path, query: str) -> Part:
    duckdb.connect().execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    return Part(path.name, str(path), "parquet")


def rows(query: str, *parts: Part, memory: str = "512MB") -> list[tuple[Any, ...]]:
    with rows_of(query, parts, memory) as file:
        return [tuple(json.loads(line).values()) for line in file]


def fault_of(query: str, *parts: Part, memory: str = "512MB") -> ReoError:
    with pytest.raises(ReoError) as fault:
        rows(query, *parts, memory=memory)
    assert "\n" not in str(fault.value)
    return fault.value


CSV = b"domain,n\nacme.com,1\nb.com,2\n"
NDJSON = b'{"domain": "acme.com", "n": 1}\n{"domain": "b.com", "n": 2}\n'
WHOLE = [("acme.com", 1), ("b.com", 2)]
ALL = "FROM input ORDER BY n"
GROUPED = "SELECT n, count(*) AS c FROM input GROUP BY n ORDER BY n"
LATE = b'{"n":1}\n' * 30_000 + b'{"late":2}'
BELOW_A_TITLE = {"delimiter": ";", "skip": 2, "encoding": "latin-1"}


@pytest.mark.parametrize(
    ("name", "data", "options", "query", "found"),
    [
        ("x.csv", CSV, {}, f"{ALL};", WHOLE),
        ("x.csv.gz", gzip.compress(CSV), {}, f"{ALL} -- all", WHOLE),
        ("x.tsv", CSV.replace(b",", b"\t"), {"delimiter": "\t"}, ALL, WHOLE),
        ("x.csv", b'domain,n\r\n"acme.com",1\r\nb.com,2\r\n', {}, ALL, WHOLE),
        ("x.csv", CSV[9:], {"names": ["domain", "n"]}, ALL, WHOLE),
        ("x.json", json.dumps([*map(json.loads, NDJSON.splitlines())]).encode(), {}, ALL, WHOLE),
        ("x.ndjson", NDJSON, {}, ALL, WHOLE),
        ("x.ndjson.gz", gzip.compress(NDJSON), {}, ALL, WHOLE),
        ("[odd] *?{}'name.csv", CSV, {}, ALL, WHOLE),
        ("x.csv", b"n\n1\n", {}, "PIVOT input ON n USING sum(n)", [(1,)]),
        # A column of another type further down, and keys that come late.
        ("x.csv", b"n\n" + b"1\n" * 50_000 + b"x\n", {}, GROUPED, [("1", 50_000), ("x", 1)]),
        ("x.ndjson", LATE, {}, "SELECT max(late) FROM input", [(2,)]),
        ("x.csv", b"a title; here\n\nname;n\n\xfc;1\n", BELOW_A_TITLE, ALL, [("ü", 1)]),
    ],
    ids=range(13),
)
def test_what_input_is(
    tmp_path: Path, name: str, data: bytes, options: Any, query: str, found: list[Any]
) -> None:
    (tmp_path / "o !!{}'name.csv").write_text("domain,n\nnot.named,9\n")  # what a pattern finds
    assert rows(query, table(tmp_path / name, data, **options)) == found


def test_files_of_several_kinds_are_matched_by_the_names_of_columns(tmp_path: Path) -> None:
    files = [
        parquet(tmp_path / "a.parquet", "SELECT 1 AS n, 'a.com' AS domain"),
        parquet(tmp_path / "b.parquet", "SELECT 'b.com' AS domain, 2 AS n, 'x' AS plan"),
        table(tmp_path / "c.csv", b"domain,n\nc.com,3\n"),
        table(tmp_path / "d.csv", b"n,domain\n4,d.com\n"),
        table(tmp_path / "e.ndjson", b'{"n":5}\n{"n":6,"plan":"y"}\n'),
    ]
    found = rows("SELECT n, left(domain, 1) AS d, plan FROM input ORDER BY n", *files)
    assert found == [
        *((1, "a", None), (2, "b", "x"), (3, "c", None)),
        *((4, "d", None), (5, None, None), (6, None, "y")),
    ]


def test_types_arrive_as_the_checks_expect(tmp_path: Path) -> None:
    query = r"""
        SELECT TIMESTAMP '2026-08-01 12:00:00.5' AS ts, TIMESTAMPTZ '2026-08-01 12:00:00+02' AS tz,
          DATE '2026-08-01' AS d, 1250.00::DECIMAL(18, 2) AS dec, sum(n) AS huge, 3.0::DOUBLE AS f,
          {'plan': 'free', 'tags': [1, 2]} AS meta, NULL AS nothing, 'a' || chr(10) || 'ü' AS text
        FROM input
    """
    with rows_of(query, [table(tmp_path / "x.csv", b"n\n1\n2\n")], "512MB") as file:
        line = file.read().decode()
    assert line == (
        '{"ts":"2026-08-01 12:00:00.5","tz":"2026-08-01 10:00:00+00","d":"2026-08-01",'
        '"dec":1250.00,"huge":3,"f":3.0,"meta":{"plan":"free","tags":[1,2]},"nothing":null,'
        '"text":"a\\nü"}\n'
    )


def test_a_pipe_is_spooled() -> None:
    chunks = iter([b"n\n", b"1\n", b"2\n", b""])
    with spooled(Stream(lambda _: next(chunks))) as file:
        part = Part("-", f"/dev/fd/{file.fileno()}", "csv")
        assert rows("SELECT sum(n) AS n FROM input", part) == [(3,)]


@pytest.mark.parametrize(
    ("query", "message", "hint"),
    [
        ("SELECT 1", "does not read `input`", "FROM input"),
        ("SELEC n FROM input", 'syntax error at or near "SELEC"', ""),
        ("SELECT nn FROM input", '"nn" not found', "input has n, domain"),
        ("SELECT * FROM inputs, input", "inputs does not exist", "input has n, domain"),
        ("FROM input; FROM input", "not one query", ""),
        ("CREATE TABLE x AS FROM input; FROM x", "syntax error", ""),
        ("CREATE TABLE x AS FROM input", "not one query", ""),
        ("FROM input) TO '/tmp/reo-never' (FORMAT csv); --", "syntax error", ""),
        ("INSTALL httpfs -- input", "not one query", ""),
        ("FROM input, 'https://127.0.0.1:1/x.parquet'", "httpfs", "input has n, domain"),
        ("SELECT error(domain) FROM input", "a.com", "input has n, domain"),
    ],
)
def test_a_query_that_fails(tmp_path: Path, query: str, message: str, hint: str) -> None:
    fault = fault_of(query, table(tmp_path / "x.csv", b"n,domain\n1,a.com\n"))
    assert (fault.exit_code, message in fault.message, hint in fault.hint) == (2, True, True)


@pytest.mark.parametrize(
    ("name", "data", "exit_code"),
    [
        ("x.parquet", b"PAR1 and no more", 65),
        ("x.csv", b"a,b\n1,2\n1,2,3,4\n", 65),
        ("x.csv", b'a,b\n1,"x\n1,2\n', 65),
        ("x.csv", b"a,b\n1,2\n1\n", 65),
        ("x.ndjson", b'{"a":1}\n{"a":', 65),
        ("x.xlsx", b"PK", 2),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str, data: bytes, exit_code: int) -> None:
    assert fault_of("FROM input", table(tmp_path / name, data)).exit_code == exit_code


def test_memory_is_bounded_and_more_goes_to_the_disk(tmp_path: Path) -> None:
    content = "SELECT range AS n, md5(range::TEXT) AS h FROM range(1500000)"
    file = parquet(tmp_path / "x.parquet", content)
    query = "SELECT count(*) AS n FROM (SELECT h, max(n) FROM input GROUP BY h)"
    assert rows(query, file, memory="150MB") == [(1_500_000,)]
    fault = fault_of("SELECT list(h) AS l FROM input", file, memory="30MB")
    assert (fault.exit_code, "REO_SQL_MEMORY" in fault.hint) == (74, True)
    fault = fault_of("FROM input", file, memory="much")
    assert (fault.exit_code, "REO_SQL_MEMORY" in fault.message) == (78, True)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_a_signal_ends_a_query_and_no_rows_are_left(world: World, number: int, code: int) -> None:
    (world.folder / "x.csv").write_text("n\n1\n")
    (temporary := world.home / "tmp").mkdir()
    query = "SELECT count(*) FROM input, range(100000000000) a, range(100) b"
    words = ("validate", "x.csv", "--sql", query)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with world.start(*words, env={"TMPDIR": str(temporary)}, **pipes) as process:
        while not any(temporary.iterdir()):
            time.sleep(0.05)
        time.sleep(1)
        process.send_signal(number)
        _, err = process.communicate(timeout=10)
    assert (process.returncode, b"Traceback" in err) == (code, False)
    assert [each for each in temporary.rglob("*") if each.is_file()] == []


def test_without_the_extra_one_line_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    fault = fault_of("FROM input", table(tmp_path / "x.csv", b"n\n1\n"))
    assert (fault.exit_code, fault.hint) == (78, "pip install 'reo-cli[sql]'")


def test_a_signal_is_raised_when_the_query_has_ended(tmp_path: Path) -> None:
    """DuckDB aborts a process that ends while it is at work."""
    file = table(tmp_path / "x.csv", b"n\n1\n")
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
    with Signals(), pytest.raises(Interrupted):
        rows("SELECT count(*) FROM input, range(100000000000) a, range(100) b", file)
    at_work = {Path(each.f_code.co_filename).name for each in sys._current_frames().values()}
    assert "sql.py" not in at_work


def test_a_signal_waits_until_a_thread_is_started() -> None:
    """What a handler raises inside of `Thread.start` loses the thread, or is a KeyError."""

    class Slow(threading.Thread):
        def _bootstrap_inner(self) -> None:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
            time.sleep(0.1)
            super()._bootstrap_inner()  # type: ignore[misc]

    ended = threading.Event()
    thread = Slow(target=ended.wait, daemon=True)
    with Signals(), pytest.raises(Interrupted):
        start(thread)
    assert thread.is_alive()
    ended.set()

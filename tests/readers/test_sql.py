"""`--sql` on DuckDB: what the view `input` is made of, what comes out, and how it fails."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

duckdb = pytest.importorskip("duckdb")

from reo_cli.errors import ReoError  # noqa: E402
from reo_cli.readers.sql import Part, rows_of, spooled  # noqa: E402
from reo_cli.readers.text import Stream  # noqa: E402

HERE = Path(__file__).parents[2]


def table(path: Path, text: str | bytes = "", **options: Any) -> Part:
    if text:
        path.write_bytes(text.encode() if isinstance(text, str) else text)
    kind = path.name.removesuffix(".gz").rpartition(".")[2]
    if kind == "tsv":
        options["delimiter"] = "\t"
    return Part(path.name, str(path), kind, gzipped=path.suffix == ".gz", **options)


def rows(query: str, *parts: Part, memory: str = "512MB") -> list[Any]:
    with rows_of(query, parts, memory) as file:
        return [json.loads(line) for line in file]


def parquet(path: Path, query: str) -> Part:
    duckdb.connect().execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    return table(path)


WHOLE = [{"domain": "acme.com", "n": 1}, {"domain": "b.com", "n": 2}]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.csv", "domain,n\nacme.com,1\nb.com,2\n"),
        ("x.csv.gz", gzip.compress(b"domain,n\nacme.com,1\nb.com,2\n", mtime=0)),
        ("x.tsv", "domain\tn\nacme.com\t1\nb.com\t2\n"),
        ("x.csv", 'domain,n\r\n"acme.com",1\r\nb.com,2\r\n'),
        ("x.json", json.dumps(WHOLE, indent=2)),
        ("x.ndjson", "".join(json.dumps(each) + "\n" for each in WHOLE)),
        ("x.ndjson.gz", gzip.compress("\n".join(map(json.dumps, WHOLE)).encode(), mtime=0)),
        ("[odd] *?{}'name.csv", "domain,n\nacme.com,1\nb.com,2\n"),
    ],
)  # fmt: skip
def test_what_input_is(tmp_path: Path, name: str, text: str | bytes) -> None:
    assert rows("FROM input ORDER BY n", table(tmp_path / name, text)) == WHOLE


def test_parquet_and_several_files_of_several_kinds_by_name(tmp_path: Path) -> None:
    files = [
        parquet(tmp_path / "a.parquet", "SELECT 1 AS n, 'a.com' AS domain"),
        parquet(tmp_path / "b.parquet", "SELECT 'b.com' AS domain, 2 AS n, 'x' AS plan"),
        table(tmp_path / "c.csv", "domain,n\nc.com,3\n"),
        table(tmp_path / "d.csv", "n,domain\n4,d.com\n"),
        table(tmp_path / "e.ndjson", '{"n":5}\n{"n":6,"plan":"y"}\n'),
    ]
    found = rows("SELECT n, domain, plan FROM input ORDER BY n", *files)
    assert [list(each.values()) for each in found] == [
        [1, "a.com", None],
        [2, "b.com", "x"],
        [3, "c.com", None],
        [4, "d.com", None],
        [5, None, None],
        [6, None, "y"],
    ]


def test_types_arrive_as_the_checks_expect(tmp_path: Path) -> None:
    query = r"""
        SELECT TIMESTAMP '2026-08-01 12:00:00.5' AS ts, TIMESTAMPTZ '2026-08-01 12:00:00+02' AS tz,
          DATE '2026-08-01' AS d, 1250.00::DECIMAL(18, 2) AS dec, sum(n) AS huge, 3.0::DOUBLE AS f,
          {'plan': 'free', 'tags': [1, 2]} AS meta, NULL AS nothing, 'a' || chr(10) || 'ü' AS text
        FROM input
    """
    with rows_of(query, [table(tmp_path / "x.csv", "n\n1\n2\n")], "512MB") as file:
        line = file.read().decode()
    assert line == (
        '{"ts":"2026-08-01 12:00:00.5","tz":"2026-08-01 10:00:00+00","d":"2026-08-01",'
        '"dec":1250.00,"huge":3,"f":3.0,"meta":{"plan":"free","tags":[1,2]},"nothing":null,'
        '"text":"a\\nü"}\n'
    )


def test_a_column_that_is_of_another_type_further_down_is_text(tmp_path: Path) -> None:
    text = "n\n" + "1\n" * 50_000 + "x\n"
    found = rows(
        "SELECT n, count(*) AS c FROM input GROUP BY n ORDER BY n", table(tmp_path / "x.csv", text)
    )
    assert found == [{"n": "1", "c": 50_000}, {"n": "x", "c": 1}]


def test_keys_that_come_late_are_not_lost(tmp_path: Path) -> None:
    text = '{"n":1}\n' * 30_000 + '{"n":1,"late":"x"}\n'
    assert rows("SELECT max(late) AS late FROM input", table(tmp_path / "x.ndjson", text)) == [
        {"late": "x"}
    ]


def test_a_pipe_is_spooled() -> None:
    chunks = iter([b"n\n", b"1\n", b"2\n", b""])
    with spooled(Stream(lambda _: next(chunks))) as file:
        table = Part("-", f"/dev/fd/{file.fileno()}", "csv")
        assert rows("SELECT sum(n) AS n FROM input", table) == [{"n": 3}]


@pytest.mark.parametrize(
    "query", ["FROM input;", "FROM input -- all", "PIVOT input ON n USING sum(n)"]
)
def test_queries_of_many_forms(tmp_path: Path, query: str) -> None:
    assert rows(query, table(tmp_path / "x.csv", "n\n1\n"))


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
)  # fmt: skip
def test_a_query_that_fails(tmp_path: Path, query: str, message: str, hint: str) -> None:
    file = table(tmp_path / "x.csv", "n,domain\n1,a.com\n")
    with pytest.raises(ReoError) as fault:
        rows(query, file)
    assert fault.value.exit_code == 2
    assert message in fault.value.message
    assert hint in fault.value.hint
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize(
    ("name", "text", "exit_code"),
    [
        ("x.parquet", "PAR1 and no more", 65),
        ("x.csv", "a,b\n1,2\n1,2,3,4\n", 65),
        ("x.csv", 'a,b\n1,"x\n1,2\n', 65),
        ("x.csv", "a,b\n1,2\n1\n", 65),
        ("x.ndjson", '{"a":1}\n{"a":', 65),
        ("x.xlsx", "PK", 2),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str, text: str, exit_code: int) -> None:
    with pytest.raises(ReoError) as fault:
        rows("FROM input", table(tmp_path / name, text))
    assert fault.value.exit_code == exit_code
    assert "\n" not in str(fault.value)


def test_memory_is_bounded_and_more_goes_to_the_disk(tmp_path: Path) -> None:
    file = parquet(
        tmp_path / "x.parquet", "SELECT range AS n, md5(range::TEXT) AS h FROM range(1500000)"
    )
    query = "SELECT count(*) AS n FROM (SELECT h, max(n) FROM input GROUP BY h)"
    assert rows(query, file, memory="150MB") == [{"n": 1_500_000}]
    with pytest.raises(ReoError) as fault:
        rows("SELECT list(h) AS l FROM input", file, memory="30MB")
    assert (fault.value.exit_code, fault.value.reason) == (74, "sql_failed")
    assert "REO_SQL_MEMORY" in fault.value.hint
    with pytest.raises(ReoError, match="REO_SQL_MEMORY") as fault:
        rows("FROM input", file, memory="much")
    assert fault.value.exit_code == 78


SLOW = """
import signal, sys
from reo_cli.delivery.signals import Signals
from reo_cli.readers.sql import Part, rows_of
print("ready", flush=True)
with Signals():
    query = "SELECT count(*) FROM input, range(100000000000) a, range(100) b"
    rows_of(query, [Part("x", sys.argv[1], "csv")], "512MB")
"""


def start(code: str, *args: str, **env: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-c", code, *args],
        env={**os.environ, **env},
        cwd=HERE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_a_query_and_no_rows_are_left(tmp_path: Path, number: int) -> None:
    file, folder = tmp_path / "x.csv", tmp_path / "tmp"
    file.write_text("n\n1\n")
    folder.mkdir()
    process = start(SLOW, str(file), TMPDIR=str(folder))
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(1.5)
    process.send_signal(number)
    _, err = process.communicate(timeout=10)
    assert process.returncode in (1, -signal.SIGKILL)
    assert (b"Interrupted" in err) == (number == signal.SIGTERM)
    assert [each for each in folder.rglob("*") if each.is_file()] == []


def test_without_the_extra_one_line_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(ReoError) as fault:
        rows("FROM input", table(tmp_path / "x.csv", "n\n1\n"))
    assert (fault.value.exit_code, fault.value.hint) == (78, "pip install 'reo-cli[sql]'")


def test_a_delimiter_lines_above_and_an_encoding(tmp_path: Path) -> None:
    text = "a title; here\n\nname;n\nü;1\n"
    options = {"delimiter": ";", "skip": 2, "encoding": "latin-1"}
    file = table(tmp_path / "x.csv", text.encode("latin-1"), **options)
    assert rows("FROM input", file) == [{"name": "ü", "n": 1}]

"""What summing raw rows costs, beside a plain check, DuckDB alone, and pandas with requests.

    .venv/bin/python -m tests.benchmarks.aggregate [--rows N] [--raw N]

Each line gives wall seconds, seconds of CPU and the peak of memory; ratios are of CPU seconds,
which a busy machine does not change. pandas is compared where it is installed.
"""

import argparse
import importlib.util
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

REO = str(Path(sys.executable).with_name("reo"))
DAILY = """
    SELECT 'pull' AS activity_type, domain, date_trunc('day', event_at) AS event_at,
      count(*) AS count
    FROM input GROUP BY ALL
"""
ALONE = """
import duckdb, sys
source = f"read_{sys.argv[1].rpartition('.')[2]}('{sys.argv[1]}')"
duckdb.execute("SET memory_limit = '512MB'")
duckdb.execute(f"CREATE VIEW input AS SELECT * FROM {source}")
duckdb.execute(f"COPY ({sys.argv[2]}) TO '{sys.argv[1]}.out' (FORMAT json)")
"""
PANDAS = """
import pandas, requests, sys
rows = pandas.read_csv(sys.argv[1], parse_dates=["event_at"])
sums = rows.groupby(["domain", rows.event_at.dt.floor("D")]).size()
for (domain, day), count in sums.items():
    payload = {"mode": "DOMAIN", "source": "TELEMETRY", "activity_type": "pull", "domain": domain,
               "product_id": "cli", "event_at": int(day.timestamp()), "count": int(count)}
    requests.post(sys.argv[2], json={"payload": payload}, headers={"X-API-KEY": "x" * 8})
"""


class Cost(NamedTuple):
    """What a command took: seconds by the clock and of the CPU, and MB at most."""

    wall: float
    cpu: float
    peak: float

    def __str__(self) -> str:
        return f"{self.wall:7.1f} s, CPU {self.cpu:6.1f} s, {self.peak:5.0f} MB"


def cost(command: Sequence[str], **env: str) -> Cost:
    """Run a command to its end; raises RuntimeError when it fails."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env={**os.environ, **env}
    )
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(said.decode())
    wall = time.perf_counter() - began
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def write(path: Path, rows: int, companies: int, days: int) -> str:
    """Write raw rows that are `companies` times `days` sums."""
    chance = random.Random(1)
    with path.open("w") as file:
        file.write("domain,event_at\n")
        for _ in range(rows):
            day, second = chance.randrange(days), chance.randrange(86_400)
            clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
            company = chance.randrange(companies)
            file.write(f"company{company}.com,2026-08-{day + 1:02}T{clock}Z\n")
    return str(path)


def verdict(name: str, ours: Cost, theirs: Cost, at_most: float) -> None:
    ratio = ours.cpu / theirs.cpu
    said = "ok" if ratio <= at_most else "MISSED"
    print(
        f"{name:34} {ours}\n{'':34} {theirs}   {ratio:.2f} (at most {at_most}) {said}", flush=True
    )


def main() -> None:
    """Print the costs and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows for --roll-up")
    parser.add_argument("--raw", type=int, default=5_000_000, help="rows for --sql")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        home = {"HOME": name}
        given = ("-a", "pull", "-p", "cli")
        raw = write(folder / "raw.csv", options.rows, 500, 20)
        check = cost([REO, "validate", raw, *given, "--set", "count=1", "-q"], **home)
        roll_up = cost([REO, "validate", raw, *given, "--roll-up", "day", "-q"], **home)
        verdict(f"--roll-up of {options.rows:,} rows / validate", roll_up, check, 1.3)
        many = write(folder / "many.csv", options.rows, 1_000_000, 28)
        groups = cost([REO, "validate", many, *given, "--roll-up", "day", "-q"], **home)
        print(f"{'about as many sums as rows':34} {groups}", flush=True)
        table = write(folder / "big.csv", options.raw, 500, 20)
        command = f"COPY (FROM '{table}') TO '{folder}/big.parquet' (FORMAT parquet)"
        subprocess.run(
            [sys.executable, "-c", f'import duckdb; duckdb.execute("{command}")'], check=True
        )
        for file in (table, f"{folder}/big.parquet"):
            alone = cost([sys.executable, "-c", ALONE, file, DAILY])
            result = f"{file}.ndjson"
            Path(f"{file}.out").rename(result)
            checked = cost([REO, "validate", result, "-p", "cli", "-q"], **home)
            both = Cost(alone.wall + checked.wall, alone.cpu * 1.5 + checked.cpu, 0)
            ours = cost([REO, "validate", file, "-p", "cli", "--sql", DAILY, "-q"], **home)
            name = f"--sql of {options.raw:,} {file[-7:]} / 1.5 x DuckDB + check"
            verdict(name, ours, both, 1.0)
        compare_pandas(write(folder / "some.csv", options.rows, 100, 20), home)


def compare_pandas(raw: str, home: dict[str, str]) -> None:
    """The whole job, to a sandbox that answers in 20 ms."""
    from reo_cli.sandbox import Sandbox, SandboxOptions

    if importlib.util.find_spec("pandas") is None:
        print("pandas is not installed: not compared")
        return
    with Sandbox(SandboxOptions(latency=0.02)) as server:
        print(f"{'pandas and a loop of requests':34} ", end="", flush=True)
        print(cost([sys.executable, "-c", PANDAS, raw, server.url]), flush=True)
    with Sandbox(SandboxOptions(latency=0.02)) as server:
        env = {**home, "REO_ENDPOINT": server.url, "REO_API_KEY": "benchmark-key"}
        given = ("-a", "pull", "-p", "cli", "--roll-up", "day", "-q", "--concurrency", "32")
        print(f"{'reo send-file, ledger on':34} ", end="", flush=True)
        print(cost([REO, "send-file", raw, *given], **env), flush=True)


if __name__ == "__main__":
    main()

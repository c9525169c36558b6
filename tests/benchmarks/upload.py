"""How fast files go out: against the ideal rate of a slow server, and against bulk-post.

    .venv/bin/python -m tests.benchmarks.upload [--bulk-post PATH] [--rows N]

bulk-post (on PyPI, Python 3.12) belongs in an environment of its own. The server is `reo sandbox`
in a process of its own; a ledger is kept, new for each run.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REO = str(Path(sys.executable).with_name("reo"))
HEADER = "activity_type,count,domain,event_at,product_id"
IDEAL = 64 / 0.05
"""Events a second of 64 connections to a server that answers in 50 ms."""


def write_rows(path: Path, rows: int) -> None:
    """Write a CSV file of different events."""
    lines = (f"primary,{n % 900 + 1},acme.com,{1790000000 + n},app\n" for n in range(rows))
    path.write_text(HEADER + "\n" + "".join(lines))


@contextmanager
def sandbox(*options: str) -> Iterator[str]:
    """Run `reo sandbox` as a process; give its URL."""
    command = [REO, "sandbox", "--port", "0", "-q", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def upload(url: str, table: Path, connections: int, folder: Path) -> float:
    """Send a file with reo and a new ledger; return its own `events_per_s`."""
    command = [REO, "send-file", str(table), "--endpoint", url, "-o", "json", "--concurrency"]
    command += [str(connections), "--ledger", str(folder / f"{time.monotonic_ns()}.db")]
    env = {**os.environ, "REO_API_KEY": "benchmark-key-1234"}
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    result = json.loads(done.stdout)
    assert result["status"] == "success", result
    return float(result["events_per_s"])


def bulk_post(tool: str, url: str, table: Path, rows: int) -> float:
    """Send the same file with bulk-post; return events a second of the whole process."""
    fields = '"mode":"DOMAIN","source":"TELEMETRY","activity_type":"{{activity_type}}",'
    fields += '"count":{{count}},"domain":"{{domain}}","event_at":{{event_at}},'
    body = '{"payload":{' + fields + '"product_id":"{{product_id}}"}}'
    command = [tool, "-u", url, "-c", str(table), "-b", body, "-H", "X-API-KEY: benchmark-key-1234"]
    began = time.perf_counter()
    subprocess.run([*command, "-p", "-n", "16"], check=True, capture_output=True, cwd=table.parent)
    return rows / (time.perf_counter() - began)


def main() -> None:
    """Print the two figures of design.md, Speed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bulk-post", default="bulk-post", help="its command")
    parser.add_argument("--rows", type=int, default=20_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = folder / "rows.csv"
        write_rows(table, asked.rows)
        with sandbox("--latency", "50ms") as url:
            rate = upload(url, table, 64, folder)
            print(
                f"64 connections, 50 ms: {rate:,.0f} events/s = {rate / IDEAL:.1%} of {IDEAL:,.0f}"
            )
        with sandbox() as url:
            ours = upload(url, table, 16, folder)
            theirs = bulk_post(asked.bulk_post, url, table, asked.rows)
            print(
                f"16 connections: {ours:,.0f} / {theirs:,.0f} events/s = {ours / theirs:.2f} (≥ 2)"
            )


if __name__ == "__main__":
    main()

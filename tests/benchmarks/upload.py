"""How fast files go out, beside a bare `requests` script and bulk-post on the same server.

    .venv/bin/python -m tests.benchmarks.upload [--bulk-post PATH] [--rows N] [--runs N]

The server is reo's sandbox. A ledger is kept, new for each run. bulk-post (on PyPI, Python 3.12)
belongs in an environment of its own.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from reo_cli.sandbox import Sandbox, SandboxOptions
from tests.benchmarks.pairs import KEY, REO, compare

BODY = (
    '{"payload":{"mode":"DOMAIN","source":"TELEMETRY","activity_type":"{{activity_type}}",'
    '"count":{{count}},"domain":"{{domain}}","event_at":{{event_at}},'
    '"product_id":"{{product_id}}"}}'
)
"""An event for bulk-post."""


def write_rows(path: Path, rows: int) -> None:
    """Write a CSV file of different events."""
    lines = (f"primary,{n % 900 + 1},acme.com,{1790000000 + n},app\n" for n in range(rows))
    path.write_text("activity_type,count,domain,event_at,product_id\n" + "".join(lines))


def upload(url: str, table: Path, connections: int) -> float:
    """Send a file with reo and a new ledger; return its own `events_per_s`."""
    command = [REO, "send-file", str(table), "--endpoint", url, "-o", "json", "--concurrency"]
    command += [str(connections), "--ledger", str(table.with_name(f"{time.monotonic_ns()}.db"))]
    done = subprocess.run(command, capture_output=True, env={**os.environ, "REO_API_KEY": KEY})
    result = json.loads(done.stdout)
    assert result["status"] == "success", result
    return float(result["events_per_s"])


def bare(url: str, table: Path, connections: int) -> float:
    """Send it with the bare script; return its events a second."""
    command = [sys.executable, "-m", "tests.benchmarks.bare", url, str(table), str(connections)]
    return float(subprocess.check_output(command))


def bulk_post(tool: str, url: str, table: Path, connections: int) -> float:
    """Send it with bulk-post; return events a second of the whole process."""
    command = [tool, "-u", url, "-c", str(table), "-b", BODY, "-H", f"X-API-KEY: {KEY}", "-p"]
    began = time.perf_counter()
    command += ["-n", str(connections)]
    subprocess.run(command, check=True, capture_output=True, cwd=table.parent)
    return (table.read_text().count("\n") - 1) / (time.perf_counter() - began)


def main() -> None:
    """Print the figures of design.md, Speed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bulk-post", default=shutil.which("bulk-post"), help="its command")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        table = Path(name, "rows.csv")
        write_rows(table, asked.rows)
        for connections, latency, at_least in ((64, 0.05, 0.92), (16, 0, 0.55)):
            case = f"{connections} connections, {latency * 1000:g} ms"
            with Sandbox(SandboxOptions(latency=latency)) as box:
                send = (box.url, table, connections)
                ours, how = partial(upload, *send), {"runs": asked.runs, "is_rate": True}
                compare(f"{case} / bare requests", ours, partial(bare, *send), at_least, **how)
                if asked.bulk_post and not latency:
                    peer = partial(bulk_post, asked.bulk_post, *send)
                    compare(f"{case} / bulk-post -p", ours, peer, 0.9, **how)


if __name__ == "__main__":
    main()

"""How fast files go out, beside a bare `requests` script and bulk-post on the same server.

    .venv/bin/python -m tests.benchmarks.upload [--bulk-post PATH] [--rows N] [--runs N]

The server is nginx with its Lua module (Debian: `nginx-light libnginx-mod-http-lua`) where it is
installed, else `reo sandbox`. All take turns, so that a machine that slows down slows all of them;
the ratio is the median of the turns. A ledger is kept, new for each run. bulk-post (on PyPI, Python
3.12) belongs in an environment of its own.
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

REO = str(Path(sys.executable).with_name("reo"))
HEADER = "activity_type,count,domain,event_at,product_id"

NGINX = """
load_module modules/ndk_http_module.so;
load_module modules/ngx_http_lua_module.so;
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
  access_log off; keepalive_requests 1000000; client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/a; fastcgi_temp_path {folder}/b; uwsgi_temp_path {folder}/c;
  scgi_temp_path {folder}/d; default_type application/json;
  server {{ listen 127.0.0.1:{port}; location / {{ content_by_lua_block {{
    ngx.req.read_body() ngx.sleep({latency})
    ngx.say('{{"response_code": "200", "response": "Data Uploaded", "status": "success"}}')
  }} }} }}
}}
"""


def write_rows(path: Path, rows: int) -> None:
    """Write a CSV file of different events."""
    lines = (f"primary,{n % 900 + 1},acme.com,{1790000000 + n},app\n" for n in range(rows))
    path.write_text(HEADER + "\n" + "".join(lines))


@contextmanager
def server(latency: float) -> Iterator[str]:
    """Run a server that answers after `latency` seconds, as a process; give its URL."""
    with tempfile.TemporaryDirectory() as name, socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        free.close()
        command = [REO, "sandbox", "--port", str(port), "-q", "--latency", f"{latency * 1000:g}ms"]
        if shutil.which("nginx") and Path("/usr/lib/nginx/modules/ngx_http_lua_module.so").exists():
            Path(name, "conf").write_text(NGINX.format(folder=name, port=port, latency=latency))
            command = ["nginx", "-p", "/usr/share/nginx", "-c", f"{name}/conf"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            try:
                await_port(port)
                yield f"http://127.0.0.1:{port}/api/product/aggregateusage"
            finally:
                process.terminate()


def await_port(port: int) -> None:
    """Wait until somebody listens; raises OSError when nobody does in ten seconds."""
    until = time.monotonic() + 10
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except ConnectionRefusedError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def upload(url: str, table: Path, connections: int) -> float:
    """Send a file with reo and a new ledger; return its own `events_per_s`."""
    command = [REO, "send-file", str(table), "--endpoint", url, "-o", "json", "--concurrency"]
    command += [str(connections), "--ledger", str(table.with_name(f"{time.monotonic_ns()}.db"))]
    env = {**os.environ, "REO_API_KEY": "benchmark-key-1234"}
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    result = json.loads(done.stdout)
    assert result["status"] == "success", result
    return float(result["events_per_s"])


def bare(url: str, table: Path, connections: int) -> float:
    """Send it with the bare script; return its events a second."""
    command = [sys.executable, "-m", "tests.benchmarks.bare", url, str(table), str(connections)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def bulk_post(tool: str, url: str, table: Path, connections: int) -> float:
    """Send it with bulk-post; return events a second of the whole process."""
    fields = '"mode":"DOMAIN","source":"TELEMETRY","activity_type":"{{activity_type}}",'
    fields += '"count":{{count}},"domain":"{{domain}}","event_at":{{event_at}},'
    body = '{"payload":{' + fields + '"product_id":"{{product_id}}"}}'
    command = [tool, "-u", url, "-c", str(table), "-b", body, "-H", "X-API-KEY: benchmark-key-1234"]
    rows = table.read_text().count("\n") - 1
    began = time.perf_counter()
    command += ["-p", "-n", str(connections)]
    subprocess.run(command, check=True, capture_output=True, cwd=table.parent)
    return rows / (time.perf_counter() - began)


def compare(
    name: str, ours: Callable[[], float], theirs: Callable[[], float], at_least: float, runs: int
) -> None:
    """Measure both in turns and print the median of the ratios."""
    pairs = [(ours(), theirs()) for _ in range(runs)]
    ratio = statistics.median(a / b for a, b in pairs)
    a, b = (statistics.median(rates) for rates in zip(*pairs, strict=True))
    verdict = "ok" if ratio >= at_least else "MISSED"
    print(f"{name:42} {a:6,.0f} / {b:6,.0f} a second = {ratio:.2f} (at least {at_least}) {verdict}")


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
            with server(latency) as url:
                send = (url, table, connections)
                ours, theirs = lambda: upload(*send), lambda: bare(*send)  # noqa: B023
                compare(f"{case} / bare requests", ours, theirs, at_least, asked.runs)
                if asked.bulk_post and not latency:
                    peer = lambda: bulk_post(asked.bulk_post, *send)  # noqa: B023, E731
                    compare(f"{case} / bulk-post -p", ours, peer, 0.9, asked.runs)


if __name__ == "__main__":
    main()

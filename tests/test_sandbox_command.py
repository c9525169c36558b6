"""`reo sandbox` as a process: what it prints, and how it ends."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.delivery.harness import obey_signals

COMMAND = [sys.executable, "-m", "reo_cli", "sandbox"]
PAYLOAD = {
    "mode": "DOMAIN",
    "source": "TELEMETRY",
    "activity_type": "primary",
    "count": 3,
    "domain": "reo.dev",
    "event_at": 1_763_900_000,
    "product_id": "reoWebApp",
}
TIMEOUT = 20.0


class Server:
    """A running `reo sandbox --port 0`, started by the shell command `prefix` if there is one."""

    def __init__(self, folder: Path, *options: str, prefix: str = "") -> None:
        shell = ["sh", "-c", f'{prefix}; exec "$@"', "sh"] if prefix else []
        self.process = subprocess.Popen(
            [*shell, *COMMAND, "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env={**os.environ, "HOME": str(folder), "NO_COLOR": "1"},
            preexec_fn=obey_signals,  # noqa: PLW1509 (it calls signal only)
        )
        assert self.process.stdout
        self.first = self.process.stdout.readline().decode()
        self.url = json.loads(self.first)["endpoint"] if "json" in options else self.first.strip()
        self.address = ("127.0.0.1", urlsplit(self.url).port or 0)

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(*self.address, timeout=TIMEOUT)

    def post(self, key: str = "any", **changes: Any) -> int:
        with closing(self.connection()) as connection:
            return send(connection, key, **changes)

    def end(self, number: int = signal.SIGINT) -> tuple[int, str, str]:
        """Send a signal; exit code, the rest of stdout, and stderr."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=TIMEOUT)
        return self.process.returncode, out.decode(), (err or b"").decode()


def send(connection: http.client.HTTPConnection, key: str = "any", **changes: Any) -> int:
    body = json.dumps({"payload": PAYLOAD | changes})
    connection.request("POST", "/api/product/aggregateusage", body, {"X-API-KEY": key})
    answer = connection.getresponse()
    answer.read()
    return answer.status


Start = Callable[..., Server]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as stack:

        def started(*options: str, prefix: str = "") -> Server:
            server = Server(tmp_path, *options, prefix=prefix)
            stack.enter_context(server.process)
            stack.callback(server.process.kill)
            return server

        yield started


def ids_in(record: Path) -> list[Any]:
    """The ids in the whole lines of a record."""
    *lines, _ = record.read_text().split("\n")
    return [json.loads(line)["event_id"] for line in lines]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_prints_its_url_each_request_and_the_totals(start: Start, number: int) -> None:
    server = start("--api-key", " right-key ")
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/api/product/aggregateusage\n", server.first)
    assert server.post("right-key", event_id="evt-1") == 200
    assert server.post("right-key", event_id="evt-1", count="x") == 400
    assert server.post("wrong-key", event_id="evt-2") == 400
    code, out, err = server.end(number)
    assert (code, out) == (0, "")
    lines = err.splitlines()
    assert f"REO_ENDPOINT={server.url} REO_API_KEY=KEY reo send-file FILE" in lines[0]
    assert lines[2:] == [
        "200 evt-1 primary 187 bytes",
        "400 evt-1 primary 189 bytes: count must be an integer from 0",
        "400 evt-2 primary 187 bytes: Authentication Failure",
        "requests 3",
        "accepted 1: 1 event id, 0 sent again",
        "refused 2: 1 invalid, 1 authentication",
    ]
    assert "right-key" not in err


def test_json_is_one_line_at_the_start_and_one_at_the_end(start: Start) -> None:
    server = start("-q", "-o", "json")
    assert server.url.startswith("http://127.0.0.1:")
    statuses = [server.post(event_id=1), server.post(event_id="1"), server.post(count=-1)]
    assert statuses == [200, 200, 400]
    code, out, err = server.end()
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "schema": "reo.sandbox/1",
        "requests": 3,
        "accepted": 2,
        "distinct_event_ids": 1,
        "repeated_event_ids": 1,
        "refused": {"invalid": 1},
    }


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_the_record_is_complete_however_it_ends(start: Start, tmp_path: Path, number: int) -> None:
    server = start("-q", "--record", "record.ndjson")
    for event_id in range(20):
        assert server.post(event_id=event_id) == 200
    server.end(number)
    assert ids_in(tmp_path / "record.ndjson") == list(range(20))


def test_a_record_that_fills_the_disk_ends_it_and_holds_all_that_was_answered(
    start: Start, tmp_path: Path
) -> None:
    # A block is 512 or 1024 bytes. Measuring coverage needs more, and would leave a broken file.
    limit = "unset COVERAGE_PROCESS_START COVERAGE_PROCESS_CONFIG; ulimit -f 1"
    server = start("-q", "--record", "record.ndjson", prefix=limit)
    accepted = 0
    with suppress(ConnectionError):
        while server.post(event_id=accepted) == 200:
            accepted += 1
    _, err = server.process.communicate(timeout=TIMEOUT)
    assert server.process.returncode == 74
    assert b"record.ndjson" in err
    assert ids_in(tmp_path / "record.ndjson") == list(range(accepted))


def test_answers_that_wait_are_sent_when_it_ends(start: Start) -> None:
    server = start("--latency", "60")
    statuses: list[int] = []
    client = threading.Thread(target=lambda: statuses.append(server.post()), daemon=True)
    client.start()
    assert server.process.stderr
    assert any(line.startswith(b"200 ") for line in server.process.stderr)
    assert server.end()[0] == 0
    client.join(TIMEOUT)
    assert statuses == [200]


@pytest.mark.parametrize(
    ("ignored", "first", "last"),
    [("INT", None, signal.SIGINT), ("HUP", signal.SIGHUP, signal.SIGTERM)],
    ids=["in the background of a script", "under nohup"],
)
def test_signals_that_are_ignored(start: Start, ignored: str, first: int | None, last: int) -> None:
    server = start("-q", prefix=f"trap '' {ignored}")
    if first is not None:
        server.process.send_signal(first)
    assert server.post() == 200
    assert server.end(last) == (0, "", "")


def test_foreign_text_is_made_visible(start: Start) -> None:
    server = start()
    assert server.post(event_id="\x1b[2J\u202e" + "x" * 500, activity_type="a\nb") == 200
    _, _, err = server.end()
    line = err.splitlines()[2]
    assert "\x1b" not in err
    assert line.startswith("200 \\x1b[2J\\u202exxx")
    assert "a\\nb" in line
    assert len(line) < 200


def test_a_stderr_that_nobody_reads_or_that_is_closed_does_not_hold_it_up(start: Start) -> None:
    requests = 3000
    server, closed = start(), start()
    with closing(server.connection()) as connection:
        for number in range(requests):
            assert send(connection, event_id=f"{number:060}") == 200
    _, _, err = server.end()
    assert 0 < err.count("\n200 ") < requests
    assert f"requests {requests:,}" in err
    assert closed.process.stderr
    closed.process.stderr.close()
    closed.process.stderr = None
    assert [closed.post() for _ in range(3)] == [200] * 3
    assert closed.end()[0] == 0


def test_it_survives_running_out_of_file_descriptors(start: Start) -> None:
    server = start("-q", prefix="ulimit -n 40")
    with ExitStack() as stack:
        for _ in range(60):
            stack.enter_context(socket.create_connection(server.address, TIMEOUT))
    assert server.post() == 200
    assert server.end() == (0, "", "")


@pytest.mark.parametrize("latency", ["50ms", "0.05", ".05s", "0.05 s"])
def test_ways_to_write_a_latency(start: Start, latency: str) -> None:
    server = start("-q", "--latency", latency)
    with closing(server.connection()) as connection:
        began = time.monotonic()
        assert send(connection) == 200
        assert 0.05 <= time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        *((f"--port {value}", 2, "--port") for value in ("65536", "x")),
        *((f"--latency {value}", 2, "--latency") for value in ("-1", "1m", "1e3", "601")),
        *((f"--fail-rate {value}", 2, "--fail-rate") for value in ("1.1", "nan")),
        *((f"--rate-limit {value}", 2, "--rate-limit") for value in ("0", "1.5")),
        ("--seed 1_0", 2, "--seed"),
        ("--api-key=", 2, "--api-key"),
        ("-o xml", 2, "--output"),
        ("--port TAKEN", 73, "cannot listen on port TAKEN: Address already in use"),
        ("--port TAKEN", 73, "`--port 0` takes a free one"),
        ("--port 0 --record /nowhere/at/all", 73, "cannot write the record `/nowhere/at/all`"),
    ],
)
def test_what_cannot_be_is_said_at_once(options: str, code: int, said: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        words = options.replace("TAKEN", port).split()
        done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=TIMEOUT)
    assert (done.returncode, done.stdout) == (code, "")
    assert said.replace("TAKEN", port) in done.stderr

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
    """A running `reo sandbox --port 0`."""

    def __init__(self, folder: Path, *options: str, prefix: tuple[str, ...] = ()) -> None:
        self.process = subprocess.Popen(
            [*prefix, *COMMAND, "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env={**os.environ, "HOME": str(folder), "NO_COLOR": "1"},
            preexec_fn=obey_signals,  # noqa: PLW1509 (it calls signal only)
        )
        assert self.process.stdout
        self.first = self.process.stdout.readline().decode()
        self.url = json.loads(self.first)["endpoint"] if "json" in options else self.first.strip()

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=TIMEOUT)

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

        def started(*options: str, prefix: tuple[str, ...] = ()) -> Server:
            server = Server(tmp_path, *options, prefix=prefix)
            stack.enter_context(server.process)
            stack.callback(server.process.kill)
            return server

        yield started


def run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *options], capture_output=True, text=True, timeout=TIMEOUT)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_prints_its_url_each_request_and_the_totals(start: Start, number: int) -> None:
    server = start("--api-key", "right-key")
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
    assert [server.post(event_id=1), server.post(event_id="1"), server.post(count=-1)] == [
        200,
        200,
        400,
    ]
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
    lines = (tmp_path / "record.ndjson").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [PAYLOAD | {"event_id": n} for n in range(20)]


def test_a_record_that_fills_the_disk_ends_it_and_holds_all_that_was_answered(
    start: Start, tmp_path: Path
) -> None:
    # A block is 512 or 1024 bytes. Measuring coverage needs more, and would leave a broken file.
    unmeasured = ("env", "-u", "COVERAGE_PROCESS_START", "-u", "COVERAGE_PROCESS_CONFIG")
    limited = (*unmeasured, "sh", "-c", 'ulimit -f 1; exec "$@"', "sh")
    server = start("-q", "--record", "record.ndjson", prefix=limited)
    accepted = 0
    with suppress(ConnectionError):
        while server.post(event_id=accepted) == 200:
            accepted += 1
    _, err = server.process.communicate(timeout=TIMEOUT)
    assert server.process.returncode == 74
    assert b"record.ndjson" in err
    *lines, _ = (tmp_path / "record.ndjson").read_text().split("\n")
    assert [json.loads(line)["event_id"] for line in lines] == list(range(accepted))


def test_answers_that_wait_are_sent_when_it_ends(start: Start) -> None:
    server = start("--latency", "60")
    statuses: list[int] = []
    client = threading.Thread(target=lambda: statuses.append(server.post()), daemon=True)
    client.start()
    assert server.process.stderr
    for line in server.process.stderr:
        if line.startswith(b"200 "):
            break
    assert server.end()[0] == 0
    client.join(TIMEOUT)
    assert statuses == [200]


def test_a_sandbox_in_the_background_of_a_script_ends_by_sigint(start: Start) -> None:
    server = start("-q", prefix=("sh", "-c", 'trap "" INT; exec "$@"', "sh"))
    assert server.end() == (0, "", "")


def test_under_nohup_a_hangup_does_not_end_it(start: Start) -> None:
    server = start("-q", prefix=("sh", "-c", 'trap "" HUP; exec "$@"', "sh"))
    server.process.send_signal(signal.SIGHUP)
    assert server.post() == 200
    assert server.end(signal.SIGTERM) == (0, "", "")


def test_foreign_text_is_made_visible(start: Start) -> None:
    server = start()
    assert server.post(event_id="\x1b[2J\u202e" + "x" * 500, activity_type="a\nb") == 200
    _, _, err = server.end()
    line = err.splitlines()[2]
    assert "\x1b" not in err
    assert line.startswith("200 \\x1b[2J\\u202exxx")
    assert "a\\nb" in line
    assert len(line) < 200


def test_a_stderr_that_nobody_reads_does_not_hold_it_up(start: Start) -> None:
    requests = 3000
    server = start()
    with closing(server.connection()) as connection:
        for number in range(requests):
            assert send(connection, event_id=f"{number:060}") == 200
    _, _, err = server.end()
    assert 0 < err.count("\n200 ") < requests
    assert f"requests {requests:,}" in err


def test_it_goes_on_when_stderr_is_closed(start: Start) -> None:
    server = start()
    assert server.process.stderr
    server.process.stderr.close()
    server.process.stderr = None
    assert [server.post() for _ in range(3)] == [200] * 3
    assert server.end()[0] == 0


def test_it_survives_running_out_of_file_descriptors(start: Start) -> None:
    server = start("-q", prefix=("sh", "-c", 'ulimit -n 40; exec "$@"', "sh"))
    address = ("127.0.0.1", urlsplit(server.url).port or 0)
    with ExitStack() as stack:
        for _ in range(60):
            stack.enter_context(socket.create_connection(address, TIMEOUT))
    assert server.post() == 200
    assert server.end() == (0, "", "")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--port", "65536"], "--port"),
        (["--port", "x"], "--port"),
        (["--latency", "-1"], "--latency"),
        (["--latency", "1m"], "--latency"),
        (["--latency", "1e3"], "--latency"),
        (["--fail-rate", "1.1"], "--fail-rate"),
        (["--fail-rate", "nan"], "--fail-rate"),
        (["--rate-limit", "0"], "--rate-limit"),
        (["--rate-limit", "1.5"], "--rate-limit"),
        (["--seed", "1_0"], "--seed"),
        (["--api-key", " "], "--api-key"),
        (["-o", "xml"], "--output"),
    ],
)
def test_wrong_usage(options: list[str], named: str) -> None:
    done = run(*options)
    assert done.returncode == 2
    assert named in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("latency", ["50ms", "0.05", ".05s", "0.05 s"])
def test_ways_to_write_a_latency(start: Start, latency: str) -> None:
    server = start("-q", "--latency", latency)
    with closing(server.connection()) as connection:
        began = time.monotonic()
        assert send(connection) == 200
        assert 0.05 <= time.monotonic() - began < 2
    assert server.end()[0] == 0


def test_what_cannot_be_had_ends_it_with_a_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run("--port", port)
    assert done.returncode == 73
    assert f"cannot listen on port {port}: Address already in use" in done.stderr
    assert "--port 0" in done.stderr
    done = run("--port", "0", "--record", "/nowhere/at/all")
    assert done.returncode == 73
    assert "/nowhere/at/all" in done.stderr

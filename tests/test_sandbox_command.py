"""`reo sandbox` as a process: what it prints, and how it ends."""

import json
import re
import resource
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import count, takewhile
from pathlib import Path
from subprocess import PIPE
from typing import Any, Self
from urllib.parse import urlsplit

import pytest

from tests.conftest import Env, World
from tests.delivery.harness import obey_signals
from tests.test_sandbox import ABSENT, TIMEOUT, changed, post


class Server:
    """`reo sandbox --port 0`, whose process calls `limit` first."""

    def __init__(
        self,
        world: World,
        *options: str,
        limit: Callable[[], object] = bool,
        env: Env | None = None,
    ) -> None:
        def prepare() -> None:
            obey_signals()
            limit()

        more: dict[str, Any] = {"stdout": PIPE, "stderr": PIPE, "preexec_fn": prepare}
        self.process = world.start("sandbox", "--port", "0", *options, env=env, **more)
        assert self.process.stdout
        self.first = self.process.stdout.readline().decode()
        self.url = json.loads(self.first)["endpoint"] if "json" in options else self.first.strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def post(self, key: str = "any", **changes: Any) -> int:
        return post(self.url, changed(**changes), key)[0]

    def end(self, number: int = signal.SIGINT) -> tuple[int, str, str]:
        """Send a signal; exit code, the rest of stdout, and stderr."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=TIMEOUT)
        return self.process.returncode, out.decode(), (err or b"").decode()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_prints_its_url_each_request_and_the_totals(world: World, number: int) -> None:
    sent: list[dict[str, Any]] = [
        *({"event_id": "my right-key"}, {"event_id": 1}, {"event_id": "1"}, {"event_id": ABSENT}),
        {"event_id": "\x1b[2J\u202e" + "x" * 500, "activity_type": "a\nb"},
        {"event_id": "evt-1", "count": "x"},
        {"event_id": [], "activity_type": 5},
    ]
    with Server(world, "--api-key", " right-key ") as server:
        assert [server.post("right-key", **each) for each in sent] == [*[200] * 5, 400, 400]
        assert server.post("wrong-key", event_id="evt-2") == 400
        code, out, err = server.end(number)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/api/product/aggregateusage\n", server.first)
    assert (code, out) == (0, "")
    lines = err.splitlines()
    assert f"REO_ENDPOINT={server.url} REO_API_KEY=KEY reo send-file FILE" in lines[0]
    assert lines[2:] == [
        "200 my **** secondary23 334 bytes",
        "200 1 secondary23 321 bytes",
        "200 1 secondary23 323 bytes",
        "200 - secondary23 306 bytes",
        f"200 \\x1b[2J\\u202e{'x' * 50}… a\\nb 830 bytes",
        "400 evt-1 secondary23 326 bytes: count must be an integer from 0",
        "400 - - 310 bytes: activity_type must be a non-empty string;"
        " event_id must be a string or an integer",
        "400 evt-2 secondary23 327 bytes: Authentication Failure",
        "requests 8",
        "accepted 5: 3 event ids, 1 sent again",
        "refused 3: 2 invalid, 1 authentication",
    ]
    assert "right-key" not in err


def test_json_is_one_line_at_the_start_and_one_at_the_end(world: World) -> None:
    with Server(world, "-q", "-o", "json") as server:
        assert (server.post(event_id=1), server.post(event_id="1")) == (200, 200)
        assert server.post(event_id=[]) == 400
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


def ids_in(record: Path) -> list[Any]:
    """The ids in the whole lines of a record."""
    *lines, _ = record.read_text().split("\n")
    return [json.loads(line)["event_id"] for line in lines]


def test_the_record_is_complete_when_it_is_killed(world: World) -> None:
    with Server(world, "-q", "--record", "record.ndjson") as server:
        assert {server.post(event_id=event_id) for event_id in range(20)} == {200}
        server.end(signal.SIGKILL)
    assert ids_in(world.folder / "record.ndjson") == list(range(20))


def test_a_record_that_cannot_be_written_ends_it_without_an_answer(world: World) -> None:
    with Server(world, "-q", "--record", "/dev/full") as server:
        assert server.post() == 0
        assert server.process.wait(TIMEOUT) == 74


def file_limit() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))


def test_a_record_that_fills_the_disk_ends_it_and_holds_all_that_was_answered(
    world: World,
) -> None:
    # Measuring coverage needs more, and would leave a broken file.
    unmeasured = dict.fromkeys(("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"))
    options = ("-q", "--record", "record.ndjson")
    with Server(world, *options, limit=file_limit, env=unmeasured) as server:
        statuses = (server.post(event_id=event_id) for event_id in count())
        answered = len(list(takewhile(bool, statuses)))
        _, err = server.process.communicate(timeout=TIMEOUT)
    assert server.process.returncode == 74
    assert b"record.ndjson" in err
    assert ids_in(world.folder / "record.ndjson") == list(range(answered))


def test_answers_that_wait_are_sent_when_it_ends(world: World) -> None:
    statuses: list[int] = []
    with Server(world, "--latency", "60") as server:
        client = threading.Thread(target=lambda: statuses.append(server.post()), daemon=True)
        client.start()
        assert server.process.stderr
        assert any(line.startswith(b"200 ") for line in server.process.stderr)
        assert server.end()[0] == 0
        client.join(TIMEOUT)
    assert statuses == [200]


@pytest.mark.parametrize(
    ("ignored", "last"),
    [(signal.SIGINT, signal.SIGINT), (signal.SIGHUP, signal.SIGTERM)],
    ids=["in the background of a script", "under nohup"],
)
def test_signals_that_are_ignored(world: World, ignored: int, last: int) -> None:
    with Server(world, "-q", limit=lambda: signal.signal(ignored, signal.SIG_IGN)) as server:
        if ignored != last:
            server.process.send_signal(ignored)
        assert server.post() == 200
        assert server.end(last) == (0, "", "")


def test_a_stderr_that_nobody_reads_or_that_is_closed_does_not_hold_it_up(world: World) -> None:
    with Server(world) as server:
        assert {server.post(event_id=f"{number:060}") for number in range(1200)} == {200}
        _, _, err = server.end()
    assert 0 < err.count("\n200 ") < 1200
    assert "requests 1,200" in err
    with Server(world) as server:
        assert server.process.stderr
        server.process.stderr.close()
        server.process.stderr = None
        assert [server.post() for _ in range(3)] == [200] * 3
        assert server.end()[0] == 0


def test_it_survives_running_out_of_file_descriptors(world: World) -> None:
    few = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))  # noqa: E731
    with Server(world, "-q", limit=few) as server, ExitStack() as stack:
        address = ("127.0.0.1", urlsplit(server.url).port)
        for _ in range(60):
            stack.enter_context(socket.create_connection(address, TIMEOUT))
        stack.close()
        assert server.post() == 200
        assert server.end() == (0, "", "")


@pytest.mark.parametrize("latency", ["50ms", "0.05", ".05s", "0.05 s"])
def test_ways_to_write_a_latency(world: World, latency: str) -> None:
    with Server(world, "-q", "--latency", latency) as server:
        began = time.monotonic()
        assert server.post() == 200
        assert 0.05 <= time.monotonic() - began < 2


WRONG = (
    *("--port 65536", "--port x", "--latency -1", "--latency 1m", "--latency 1e3"),
    *("--latency 601", "--fail-rate 1.1", "--fail-rate nan", "--rate-limit 0"),
    *("--rate-limit 1.5", "--seed 1_0", "--api-key=", "--output xml"),
)


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        *((each, 2, re.split("[ =]", each)[0]) for each in WRONG),
        ("--port TAKEN", 73, "cannot listen on port TAKEN: Address already in use"),
        ("--port TAKEN", 73, "`--port 0` takes a free one"),
        ("--port 0 --record /nowhere/at/all", 73, "cannot write the record `/nowhere/at/all`"),
    ],
)
def test_what_cannot_be_is_said_at_once(world: World, options: str, code: int, said: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        run = world.run("sandbox", *options.replace("TAKEN", port).split())
    assert (run.code, run.stdout) == (code, "")
    assert said.replace("TAKEN", port) in run.stderr

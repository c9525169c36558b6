"""`reo sandbox` as a process: what it prints, and how it ends."""

import json
import re
import resource
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count, takewhile
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.conftest import Env, Run, World
from tests.delivery.harness import obey_signals, stopped
from tests.test_sandbox import ABSENT, TIMEOUT, changed, post


@contextmanager
def serving(
    world: World, *options: str, limit: Callable[[], object] = bool, env: Env | None = None
) -> Iterator[tuple[Popen[bytes], str]]:
    """`reo sandbox --port 0`, whose process calls `limit` first, and the line that it prints."""

    def prepare() -> None:
        obey_signals()
        limit()

    more: dict[str, Any] = {"stdout": PIPE, "stderr": PIPE, "preexec_fn": prepare}
    with world.start("sandbox", "--port", "0", *options, env=env, **more) as process:
        try:
            assert process.stdout
            yield process, process.stdout.readline().decode().strip()
        finally:
            process.kill()


def status(url: str, key: str = "any", **changes: Any) -> int:
    return post(url, changed(**changes), key)[0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_prints_its_url_each_request_and_the_totals(world: World, number: int) -> None:
    sent: list[dict[str, Any]] = [
        *({"event_id": "my right-key"}, {"event_id": 1}, {"event_id": "1"}, {"event_id": ABSENT}),
        {"event_id": "\x1b[2J\u202e" + "x" * 500, "activity_type": "a\nb"},
        {"event_id": "evt-1", "count": "x"},
        {"event_id": [], "activity_type": 5},
    ]
    with serving(world, "--api-key", " right-key ") as (process, url):
        assert [status(url, "right-key", **each) for each in sent] == [*[200] * 5, 400, 400]
        assert status(url, "wrong-key", event_id="evt-2") == 400
        run = stopped(process, number)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/api/product/aggregateusage", url)
    assert (run.code, run.stdout) == (0, "")
    lines = run.stderr.splitlines()
    assert f"REO_ENDPOINT={url} REO_API_KEY=KEY reo send-file FILE" in lines[0]
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
    assert "right-key" not in run.stderr


def test_json_is_one_line_at_the_start_and_one_at_the_end(world: World) -> None:
    with serving(world, "-q", "-o", "json") as (process, line):
        url = json.loads(line)["endpoint"]
        assert [status(url, event_id=each) for each in [1, "1", []]] == [200, 200, 400]
        run = stopped(process, signal.SIGINT)
    assert (run.code, run.stderr) == (0, "")
    assert run.json == {
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
    with serving(world, "-q", "--record", "record.ndjson") as (process, url):
        assert {status(url, event_id=event_id) for event_id in range(20)} == {200}
        process.kill()
    assert ids_in(world.folder / "record.ndjson") == list(range(20))


def test_a_record_that_cannot_be_written_ends_it_without_an_answer(world: World) -> None:
    with serving(world, "-q", "--record", "/dev/full") as (process, url):
        assert status(url) == 0
        assert process.wait(TIMEOUT) == 74


def file_limit() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))


def test_a_record_that_fills_the_disk_ends_it_and_holds_all_that_was_answered(
    world: World,
) -> None:
    # Measuring coverage needs more, and would leave a broken file.
    unmeasured = dict.fromkeys(("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"))
    options = ("-q", "--record", "record.ndjson")
    with serving(world, *options, limit=file_limit, env=unmeasured) as (process, url):
        statuses = (status(url, event_id=event_id) for event_id in count())
        answered = len(list(takewhile(bool, statuses)))
        _, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 74
    assert b"record.ndjson" in err
    assert ids_in(world.folder / "record.ndjson") == list(range(answered))


def test_answers_that_wait_are_sent_when_it_ends(world: World) -> None:
    statuses: list[int] = []
    with serving(world, "--latency", "60") as (process, url):
        client = threading.Thread(target=lambda: statuses.append(status(url)), daemon=True)
        client.start()
        assert process.stderr
        assert any(line.startswith(b"200 ") for line in process.stderr)
        assert stopped(process, signal.SIGINT).code == 0
        client.join(TIMEOUT)
    assert statuses == [200]


@pytest.mark.parametrize(
    ("ignored", "last"),
    [(signal.SIGINT, signal.SIGINT), (signal.SIGHUP, signal.SIGTERM)],
    ids=["in the background of a script", "under nohup"],
)
def test_signals_that_are_ignored(world: World, ignored: int, last: int) -> None:
    ignore = lambda: signal.signal(ignored, signal.SIG_IGN)  # noqa: E731
    with serving(world, "-q", limit=ignore) as (process, url):
        if ignored != last:
            process.send_signal(ignored)
        assert status(url) == 200
        assert stopped(process, last) == Run(0, "", "")


def test_a_stderr_that_nobody_reads_or_that_is_closed_does_not_hold_it_up(world: World) -> None:
    with serving(world) as (process, url):
        assert {status(url, event_id=f"{number:060}") for number in range(1200)} == {200}
        err = stopped(process, signal.SIGINT).stderr
    assert 0 < err.count("\n200 ") < 1200
    assert "requests 1,200" in err
    with serving(world) as (process, url):
        assert process.stderr
        process.stderr.close()
        assert [status(url) for _ in range(3)] == [200] * 3
        process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT) == 0


def test_it_survives_running_out_of_file_descriptors(world: World) -> None:
    few = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))  # noqa: E731
    with serving(world, "-q", limit=few) as (process, url):
        with ExitStack() as stack:
            for _ in range(60):
                address = ("127.0.0.1", urlsplit(url).port)
                stack.enter_context(socket.create_connection(address, TIMEOUT))
        assert status(url) == 200
        assert stopped(process, signal.SIGINT) == Run(0, "", "")


@pytest.mark.parametrize("latency", ["50ms", "0.05", ".05s", "0.05 s"])
def test_ways_to_write_a_latency(world: World, latency: str) -> None:
    with serving(world, "-q", "--latency", latency) as (_, url):
        began = time.monotonic()
        assert status(url) == 200
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

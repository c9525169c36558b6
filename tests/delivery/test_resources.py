"""R1, R4, R7, R8, R9: memory, signals, and what is missing (reliability.md section 4)."""

import fcntl
import itertools
import os
import random
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.conftest import CANARY, Run, World, scaled
from tests.delivery.harness import (
    GRACE,
    HEADER,
    Desk,
    assert_complete,
    check_sums,
    counts,
    ndjson,
    rejects,
    row,
    rows,
    stopped,
    wait_until,
    waits_for_lock,
)
from tests.faults import FaultServer, endless, late, silence, success


def measured(
    desk: Desk, *args: str | Path, data: Iterable[bytes] | None = None
) -> tuple[Run, float]:
    """Run `reo send-file -o json`; give the run and the most memory it had, in MiB."""
    command = ("send-file", "-o", "json", *map(str, args), *desk.options)
    run, peak = desk.world.measured(*command, data=data, env=desk.environ())
    check_sums(run.json)
    return run, peak


# R1


def many(path: Path, number: int, last: str = "") -> Path:
    """A file of so many events, a third of them identical; written without keeping them."""
    with path.open("w") as file:
        file.write("activity_type,count,domain,event_at,product_id\n")
        for n in range(number):
            at = 1_790_000_000 + (n if n % 3 else 0)
            file.write(f"primary,{n % 900 + 1 if n % 3 else 1},acme.com,{at},reoWebApp\n")
        file.write(last)
    return path


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_r1_memory_does_not_grow_with_the_file(desk: Desk) -> None:
    """Through read, check, identity and ledger: an error in the last line makes it a check only."""
    desk.send(desk.csv(rows(200)))
    last = "primary,many,acme.com,1790000000,reoWebApp\n"
    peaks = []
    for number in (50_000, scaled(1_000_000, 100_000)):
        run, peak = measured(desk, many(desk.world.folder / f"{number}.csv", number, last))
        assert (run.code, run.json["read"], run.json["invalid"]) == (65, number + 1, 1)
        peaks.append(peak)
    assert peaks[1] <= 80
    assert peaks[1] - peaks[0] <= 4
    assert len(desk.server.requests) == 200


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_r1_memory_does_not_grow_while_sending(world: World) -> None:
    """But for the bounded caches of ledger and scratch database, which fill up on the way."""
    caches, peaks = 7, []
    for number in (1000, scaled(40_000, 4000)):
        with FaultServer() as server:
            desk = Desk(world, server, ["--concurrency", "32", "--ledger", f"{number}.db"])
            run, peak = measured(desk, many(world.folder / f"{number}.csv", number))
            assert (run.code, counts(run)) == (0, {"delivered": number})
            peaks.append(peak)
    assert peaks[1] <= 80
    assert peaks[1] - peaks[0] <= caches + 1


# R4


@pytest.fixture
def plain(desk: Desk) -> float:
    """The memory of a run with nothing special in it."""
    _, peak = measured(desk, "-", "--format", "ndjson", data=[ndjson(rows(20)).encode()])
    return peak


EVENT = "primary,1,acme.com,1790000000,app\n"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("kind", "before", "after", "line"),
    [
        ("csv", f"{','.join(HEADER)}\n{EVENT}primary,2,acme.com,1790000000,", f"\n{EVENT}", 3),
        ("ndjson", ndjson([row(7001)]) + '{"activity_type":"', '"}\n' + ndjson([row(7002)]), 2),
    ],
    ids=["csv", "ndjson"],
)
def test_r4_one_endless_line(
    desk: Desk, plain: float, kind: str, before: str, after: str, line: int
) -> None:
    """A line of 1 GiB is one issue with its line, and what follows it follows."""
    endless_line = itertools.repeat(b"x" * (1 << 20), scaled(1024, 50))
    data = itertools.chain([before.encode()], endless_line, [after.encode()])
    run, peak = measured(desk, "-", "--format", kind, "--skip-invalid", data=data)
    assert peak - plain <= 16
    assert (run.code, counts(run)) == (1, {"delivered": 2, "invalid": 1})
    issues = [each for each in run.json["issues"] if each["severity"] == "error"]
    assert [each["line"] for each in issues] == [line]


@pytest.mark.slow
def test_r4_an_answer_without_end(desk: Desk, plain: float) -> None:
    desk.server.script = endless()
    before = len(desk.server.requests)
    run, peak = measured(desk, desk.csv([row(7000)]), "--retries", "0")
    assert peak - plain <= 16
    assert counts(run) == {"errored": 1}
    assert len(desk.server.requests) == before + 1
    desk.server.script = success()
    assert counts(desk.send(desk.csv([row(7000)]))) == {"delivered": 1}


# R7

SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_r7_signals_at_random_moments(desk: Desk) -> None:
    """Out within 6 s with the right code, 0 lost; what was delivered is told truly."""
    events = rows(3000, identical=1 / 3)
    chance = random.Random(7)
    desk.server.script = late(0.01)
    file = desk.csv(events)
    for number in itertools.islice(itertools.cycle(SIGNALS), scaled(50, 6)):
        before = len(desk.server.requests)
        process = desk.running(file, "-o", "json", after=chance.randrange(40), quiet=False)
        time.sleep(chance.random() * 0.02)
        run = stopped(process, number, within=GRACE + 5)
        assert (run.code, run.json["status"]) == (SIGNALS[number], "interrupted"), run.stderr
        check_sums(run.json)
        assert run.json["read"] == len(events)
        assert run.json["delivered"] == len(desk.server.requests) - before
        done = run.json["delivered"] + run.json["already_delivered"]
        assert f"{done:,} of 3,000 events are delivered" in run.json["error"]["message"]
        assert "reo send-file" in run.stderr, "the command that goes on"
    assert desk.send(file).code == 0
    assert assert_complete(desk.server, events).repeats == 0


@pytest.mark.parametrize(
    ("signals", "code", "within"),
    [([signal.SIGHUP], 129, GRACE + 5), ([signal.SIGINT, signal.SIGTERM], 130, GRACE)],
)
def test_r7_what_does_not_answer_gets_five_seconds_and_none_after_a_second_signal(
    desk: Desk, signals: list[int], code: int, within: float
) -> None:
    desk.server.script = [success(), *[silence()] * 100]
    process = desk.running(desk.csv(rows(20)), "-o", "json", after=2)
    began = time.monotonic()
    run = stopped(process, *signals, within=within)
    assert run.code == code, "the first one tells why"
    assert (time.monotonic() - began > 4.5) == (len(signals) == 1)
    assert counts(run) == {"delivered": 1, "errored": 2, "unsent": 17}
    assert run.json["attempts"] == 3


def test_r7_a_signal_before_the_first_request(desk: Desk) -> None:
    """While it waits for a lock: nothing was read, and the result says so."""
    file = desk.csv(rows(200))
    first = desk.running(file, "--rate", "2")
    second = desk.start(file, "--wait", "60", "-o", "json", stdout=subprocess.PIPE)
    assert wait_until(lambda: waits_for_lock(second.pid), second)
    run = stopped(second, signal.SIGTERM)
    assert run.code == 143, run.stderr
    assert (run.json["read"], run.json["status"]) == (0, "interrupted")
    first.kill()
    first.communicate()


def test_r7_a_pipe_that_says_nothing_holds_up_no_signal(desk: Desk) -> None:
    """What was read and not sent stands in the rejects file: a pipe cannot be read again."""
    desk.server.script = late(0.05)
    read_end, write_end = os.pipe()
    os.write(write_end, ndjson(rows(100)).encode())
    process = desk.running("-", "--concurrency", "2", "-o", "json", after=9, stdin=read_end)
    os.close(read_end)
    run = stopped(process, signal.SIGINT)
    os.close(write_end)
    assert run.code == 130, run.stderr
    check_sums(run.json)
    assert run.json["read"] == 100
    assert run.json["delivered"] == len(desk.server.requests)
    kept = rejects(run)
    assert len(kept.read_text().splitlines()) == run.json["unsent"] > 0
    assert desk.send(kept).code == 0
    assert assert_complete(desk.server, rows(100)).repeats == 0


LATE_SIGNAL = """
import os, signal, reo_cli.delivery.run as run
upload = run.upload
def late(*args):
    summary = upload(*args)
    os.kill(os.getpid(), signal.SIGTERM)
    return summary
run.upload = late
"""


def test_r7_a_signal_at_the_end_of_a_run_takes_no_result_away(desk: Desk) -> None:
    """All is delivered, and what is left is to say so."""
    run = desk.send(desk.csv(rows(5)), code=LATE_SIGNAL)
    assert (run.code, run.json["status"], run.json["delivered"]) == (0, "success", 5)


@pytest.mark.parametrize("signals", [1, 2])
def test_r7_a_reader_that_has_stopped_reading_holds_up_no_signal(desk: Desk, signals: int) -> None:
    file = desk.csv(rows(3000))
    read, write = os.pipe()
    process = desk.running(file, "-o", "ndjson", after=100, stdout=write, quiet=False)
    os.close(write)
    seen = -1
    while len(desk.server.requests) != seen:  # until it stands still, the pipe being full
        seen = len(desk.server.requests)
        time.sleep(0.3)
    assert process.poll() is None
    within = GRACE + (5 if signals == 1 else 0)
    assert stopped(process, *[signal.SIGTERM] * signals, within=within).code == 143
    os.close(read)
    assert desk.send(file).code == 0
    assert assert_complete(desk.server, rows(3000)).repeats <= 8


def test_r7_a_ledger_that_another_process_keeps_holds_up_no_signal(desk: Desk) -> None:
    file = desk.csv(rows(400))
    desk.send(file, "--limit", "1")
    process = desk.running(file, after=20)
    path = desk.world.home / ".local/state/reo/ledger.db"
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        time.sleep(0.3)
        assert stopped(process, signal.SIGTERM, within=GRACE + 5).code == 143
        other.execute("ROLLBACK")
    other.close()
    assert desk.send(file).code == 0
    assert_complete(desk.server, rows(400))


# R9: what the system, or this Python, does not give. One that says so stands for it.

NO_THREAD = """
import threading
def start(thread):
    raise RuntimeError("can't start new thread")
threading.Thread.start = start
"""
FULL_DISK = """
import os
disk = os.statvfs
os.statvfs = lambda path: os.statvfs_result([*disk(path)[:4], 3, *disk(path)[5:]])
"""


@pytest.mark.parametrize(
    ("code", "named", "exit_code"),
    [
        (NO_THREAD, "no more threads", 74),
        ("import sys; sys.modules['_sqlite3'] = None", "_sqlite3", 78),
        ("import sys; sys.modules['fcntl'] = None", "fcntl", 78),
        (FULL_DISK, "the disk of the ledger", 73),
    ],
    ids=["threads", "SQLite", "fcntl", "disk"],
)
def test_r9_a_limit_of_the_system_is_one_line_that_names_it(
    desk: Desk, code: str, named: str, exit_code: int
) -> None:
    run = desk.send(desk.csv(rows(5)), code=code)
    assert run.code == exit_code
    assert run.stderr.count("error:") == 1
    assert named in run.stderr
    assert named in run.json["error"]["message"]
    assert not desk.server.requests


def descriptors(soft: int, hard: int) -> str:
    """Code after which so many files may be open."""
    return f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))"


@pytest.mark.parametrize("limit", [64, 256])
def test_r9_hundreds_of_inputs_with_few_descriptors(desk: Desk, limit: int) -> None:
    """Also with a rejects file for all but the first 20 of them."""
    names = [
        desk.csv([row(2 * n), row(2 * n + 1, **({"count": "x"} if n >= 20 else {}))], f"{n}.csv")
        for n in range(720)
    ]
    run = desk.send(*names, "--skip-invalid", code=descriptors(limit, limit), timeout=100)
    assert (run.code, counts(run)) == (1, {"delivered": 740, "invalid": 700})
    assert len(list(desk.world.folder.glob("*.reo-rejects"))) == 700


@pytest.mark.parametrize(("hard", "connections"), [(40, range(21, 40)), (4096, range(33, 65))])
def test_r9_64_connections_where_40_files_may_be_open(
    desk: Desk, hard: int, connections: range
) -> None:
    """The soft limit is raised; where it cannot be, fewer connections do."""
    desk.server.script = late(0.1)
    run = desk.send(desk.csv(rows(600)), "-q", "--concurrency", "64", code=descriptors(40, hard))
    assert (run.code, run.stderr) == (0, "")
    assert_complete(desk.server, rows(600))
    assert desk.server.connections in connections
    assert run.json["events_per_s"] > 600 / run.json["elapsed_s"], "from the first request on"


@pytest.mark.parametrize("limit", [5, 6, 7, 9, 10])
def test_r9_no_descriptor_for_what_comes_first(desk: Desk, limit: int) -> None:
    """A module, the input, the ledger, its journal, a lock, a connection: the limit is named."""
    run = desk.run("send-file", desk.csv([row(1)]), "-q", code=descriptors(limit, limit))
    assert run.code in (73, 74), run.stderr
    assert "more files" in run.stderr or "too many files" in run.stderr
    assert "ulimit -n" in run.stderr


# R8


def test_r8_a_reader_that_goes_away_does_not_stop_the_upload(desk: Desk) -> None:
    """`reo send-file … -o ndjson | head -1`."""
    process = desk.start(desk.csv(rows(400)), "-o", "ndjson", stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline().startswith(b"{")
    process.stdout.close()
    assert stopped(process, within=60).code == 0
    assert_complete(desk.server, rows(400))


@pytest.mark.parametrize("closed", [[0], [1], [2], [0, 1, 2]])
def test_r8_closed_descriptors(desk: Desk, closed: list[int]) -> None:
    """What is opened in their place must not take in what was meant for them."""
    file = desk.csv(rows(40))
    text = file.read_text()
    close = lambda: list(map(os.close, closed))  # noqa: E731
    process = desk.start(file, "--rejects", "r.ndjson", quiet=False, preexec_fn=close)
    assert stopped(process, within=60).code == 0
    assert_complete(desk.server, rows(40))
    assert file.read_text() == text
    assert desk.send(file).json["already_delivered"] == 40


def test_r8_nohup_goes_on_when_the_terminal_goes(desk: Desk) -> None:
    desk.server.script = late(0.02)
    ignoring = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)  # noqa: E731
    process = desk.running(desk.csv(rows(60)), after=5, preexec_fn=ignoring)
    assert stopped(process, signal.SIGHUP, within=30).code == 0
    assert_complete(desk.server, rows(60))


def test_r8_an_empty_environment(desk: Desk) -> None:
    """Complete, or one clear line; nothing may land in a home that was not given."""
    key = desk.world.folder / "key"
    key.write_text(CANARY)
    flags = ("--api-key-file", key, "--endpoint", desk.server.url, "--ledger", "l.db")
    run = desk.send(
        desk.csv(rows(10)), *flags, env=dict.fromkeys(desk.world.environ(desk.environ()))
    )
    assert run.code == 0, run.stderr
    assert_complete(desk.server, rows(10))


def test_r8_a_home_that_cannot_be_written(desk: Desk) -> None:
    desk.env = {"HOME": "/proc/no-such-home"}  # even root can make nothing there
    file = desk.csv(rows(10))
    run = desk.send(file)
    assert (run.code, run.stderr.count("error:")) == (73, 1)
    assert "--ledger" in run.stderr
    assert desk.server.requests == []
    for way_out in (["--no-ledger"], ["--ledger", "here.db"]):
        run = desk.send(file, *way_out)
        assert run.code == 0, run.stderr
    assert len(desk.server.requests) == 20


# What else may hold a run up, or be left of it

FIVE_RUNS = """
import os, sys, threading, time
from contextlib import suppress
from reo_cli.cli.app import app

def left():
    with suppress(SystemExit):
        app(["send-file", "events.csv", "--resend", "-q"], standalone_mode=False)
    deadline = time.monotonic() + 5
    while threading.active_count() > 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    return threading.active_count(), len(os.listdir("/proc/self/fd"))

print(sorted({left() for _ in range(5)}))
sys.exit()
"""


def test_no_thread_and_no_descriptor_is_left_behind(desk: Desk) -> None:
    """One process, many uploads: what a run opened is closed when it is over."""
    desk.csv(rows(30))
    done = desk.run(code=FIVE_RUNS)
    assert done.code == 0, done.stderr
    assert re.fullmatch(r"\[\(1, \d+\)\]\n", done.stdout), done.stdout


def test_max_time_ends_the_check_and_the_waiting_for_a_lock(desk: Desk) -> None:
    run = desk.send(desk.csv(rows(60_000)), "--max-time", "0.6")
    assert (run.code, run.json["error"]["reason"]) == (75, "max_time")
    assert "no run with this --max-time will ever send" in run.json["error"]["hint"]
    assert run.json["elapsed_s"] < GRACE
    assert not desk.server.requests
    small = desk.csv(rows(2), "small.csv")
    with small.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        run = desk.send(small, "--wait", "20", "--max-time", "2")
        assert run.code == 75
        assert "will ever send" not in run.json["error"]["hint"]
        assert run.json["elapsed_s"] < GRACE + 2

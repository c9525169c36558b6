"""R1, R4, R7, R8: memory, signals, and a world with things missing (reliability.md section 4)."""

import fcntl
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.conftest import CANARY, Run, World, scaled
from tests.delivery.harness import (
    Desk,
    assert_complete,
    check_sums,
    counts,
    ndjson,
    row,
    rows,
    wait_until,
)
from tests.faults import FaultServer, endless, late, silence, success


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(late(0.004)) as server:
        yield server


@pytest.fixture
def desk(world: World, server: FaultServer) -> Desk:
    return Desk(world, server)


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
    small, big = 50_000, scaled(1_000_000, 100_000)
    last = "primary,many,acme.com,1790000000,reoWebApp\n"
    peaks = []
    for number in (small, big):
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
        with FaultServer(success()) as server:
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


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["csv", "ndjson"])
def test_r4_one_endless_line(desk: Desk, plain: float, kind: str) -> None:
    """A line of 1 GiB is one issue with its line, and what follows it follows."""
    header = b"activity_type,count,domain,event_at,product_id\n" if kind == "csv" else b""
    good = [
        b"primary,1,acme.com,1790000000,app\n"
        if kind == "csv"
        else b'{"activity_type":"primary","count":1,"domain":"acme.com",'
        b'"event_at":1790000000,"product_id":"app"}\n'
    ]
    start = b"primary,2,acme.com,1790000000," if kind == "csv" else b'{"activity_type":"'
    end = b"\n" if kind == "csv" else b'"}\n'
    blocks = (b"x" * (1 << 20) for _ in range(scaled(1024, 50)))

    def data() -> Iterator[bytes]:
        yield header + good[0] + start
        yield from blocks
        yield end + good[0]

    run, peak = measured(desk, "-", "--format", kind, "--skip-invalid", data=data())
    assert peak - plain <= 16
    assert counts(run) == {"delivered": 2, "invalid": 1}
    assert run.code == 1
    issues = [each for each in run.json["issues"] if each["severity"] == "error"]
    assert [each["line"] for each in issues] == [3 if kind == "csv" else 2]


def test_r4_an_unclosed_quote_in_row_2(desk: Desk) -> None:
    lines = ["activity_type,count,domain,event_at,product_id"]
    lines += [f"primary,{n},acme.com,1790000000,app" for n in range(1, 40)]
    lines[2] = 'primary,2,"acme.com,1790000000,app'
    file = desk.world.folder / "quote.csv"
    file.write_text("\n".join(lines) + "\n")
    run = desk.send(file)
    assert run.code == 65
    assert [each["line"] for each in run.json["issues"]] == [3]
    assert desk.server.requests == []


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

SOON = 4.5
"""Seconds: nothing was waited for, on a machine that may be busy (what is waited for is 5 s)."""

SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_r7_signals_at_random_moments(world: World) -> None:
    """Out within 6 s with the right code, 0 lost; what was delivered is told truly."""
    events = rows(3000, identical=1 / 3)
    chance = random.Random(7)
    with FaultServer(late(0.01)) as server:
        desk = Desk(world, server, ["--concurrency", "8", "-o", "json"])
        file = desk.csv(events)
        for turn in range(scaled(50, 6)):
            number = list(SIGNALS)[turn % 3]
            before = len(server.requests)
            process = desk.start(file, quiet=False, stdout=subprocess.PIPE)
            goal = before + chance.randrange(40)
            assert wait_until(lambda goal=goal: len(server.requests) > goal, process)  # type: ignore[misc]
            time.sleep(chance.random() * 0.02)
            process.send_signal(number)
            began = time.monotonic()
            out, err = process.communicate(timeout=30)
            assert time.monotonic() - began < SOON + 5
            assert process.returncode == SIGNALS[number], err
            assert b"Traceback" not in err
            run = Run(process.returncode, out.decode(), err.decode())
            check_sums(run.json)
            assert run.json["status"] == "interrupted"
            assert run.json["read"] == len(events)
            assert run.json["delivered"] == len(server.requests) - before
            done = run.json["delivered"] + run.json["already_delivered"]
            assert f"{done:,} of 3,000 events are delivered" in run.json["error"]["message"]
            assert "reo send-file" in run.stderr, "the command that goes on"
        assert desk.send(file).code == 0
        assert assert_complete(server, events).repeats == 0


def test_r7_what_does_not_answer_gets_five_seconds(desk: Desk) -> None:
    desk.server.script = [success(), *[silence()] * 100]
    process = desk.start(desk.csv(rows(20)), "-o", "json", stdout=subprocess.PIPE)
    assert wait_until(lambda: len(desk.server.requests) >= 3, process)
    process.send_signal(signal.SIGHUP)
    began = time.monotonic()
    out, _ = process.communicate(timeout=30)
    assert 4.5 < time.monotonic() - began < SOON + 5
    run = Run(process.returncode, out.decode(), "")
    assert run.code == 129
    assert counts(run) == {"delivered": 1, "errored": 2, "unsent": 17}


def test_r7_a_second_signal_ends_it_at_once(desk: Desk) -> None:
    desk.server.script = [success(), *[silence()] * 100]
    process = desk.start(desk.csv(rows(20)), "-o", "json", stdout=subprocess.PIPE)
    assert wait_until(lambda: len(desk.server.requests) >= 3, process)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    out, err = process.communicate(timeout=30)
    assert time.monotonic() - began < SOON
    assert process.returncode == 130, "the first one tells why"
    assert b"Traceback" not in err
    check_sums(Run(0, out.decode(), "").json)


def test_r7_a_signal_before_the_first_request(desk: Desk) -> None:
    """While it waits for a lock: nothing was read, and the result says so."""
    file = desk.csv(rows(200))
    first = desk.start(file, "--rate", "2")
    assert wait_until(lambda: desk.server.requests, first)
    second = desk.start(file, "--wait", "60", "-o", "json", stdout=subprocess.PIPE)
    time.sleep(1)
    second.send_signal(signal.SIGTERM)
    out, err = second.communicate(timeout=30)
    assert second.returncode == 143, err
    result = Run(0, out.decode(), "").json
    assert (result["read"], result["status"]) == (0, "interrupted")
    first.kill()
    first.communicate()


def test_r7_a_pipe_that_says_nothing_holds_up_no_signal(desk: Desk) -> None:
    """What was read and not sent stands in the rejects file: a pipe cannot be read again."""
    desk.server.script = late(0.05)
    read_end, write_end = os.pipe()
    process = desk.start(
        *("-", "--format", "ndjson", "--concurrency", "2", "-o", "json"),
        stdin=read_end,
        stdout=subprocess.PIPE,
    )
    os.close(read_end)
    os.write(write_end, ndjson(rows(100)).encode())
    assert wait_until(lambda: len(desk.server.requests) >= 10, process)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    out, err = process.communicate(timeout=30)
    os.close(write_end)
    assert time.monotonic() - began < SOON
    assert process.returncode == 130, err
    assert b"Traceback" not in err
    run = Run(process.returncode, out.decode(), "")
    check_sums(run.json)
    assert run.json["read"] == 100
    assert run.json["delivered"] == len(desk.server.requests)
    rejects = Path(run.json["inputs"][0]["rejects_file"])
    assert len(rejects.read_text().splitlines()) == run.json["unsent"] > 0
    again = desk.send(rejects)
    assert again.code == 0
    assert assert_complete(desk.server, rows(100)).repeats == 0


def test_r7_a_fifo_too(desk: Desk) -> None:
    fifo = desk.world.folder / "events.fifo"
    os.mkfifo(fifo)
    process = desk.start(fifo, "--format", "ndjson")
    with fifo.open("wb") as file:
        file.write(ndjson(rows(5)).encode())
        file.flush()
        assert wait_until(lambda: len(desk.server.requests) == 5, process)
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        _, err = process.communicate(timeout=20)
    assert time.monotonic() - began < SOON
    assert process.returncode == 143, err


def test_r7_a_signal_at_the_end_of_a_run_takes_no_result_away(desk: Desk) -> None:
    """All is delivered, and what is left is to say so."""
    code = (
        "import os, signal, reo_cli.delivery.run as run\n"
        "upload = run.upload\n"
        "def late(*args):\n"
        "    summary = upload(*args)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    return summary\n"
        "run.upload = late"
    )
    run = desk.send(desk.csv(rows(5)), code=code)
    assert (run.code, run.json["status"], run.json["delivered"]) == (0, "success", 5)


# R9: what the system, or this Python, does not give. One that says so stands for it.

NO_THREAD = (
    "import threading\n"
    'def start(thread): raise RuntimeError("can\'t start new thread")\n'
    "threading.Thread.start = start"
)


@pytest.mark.parametrize(
    ("code", "named", "exit_code"),
    [
        (NO_THREAD, "no more threads", 74),
        ("import sys; sys.modules['_sqlite3'] = None", "_sqlite3", 78),
        ("import sys; sys.modules['fcntl'] = None", "fcntl", 78),
    ],
    ids=["threads", "SQLite", "fcntl"],
)
def test_r9_a_limit_of_the_system_is_one_line_that_names_it(
    desk: Desk, code: str, named: str, exit_code: int
) -> None:
    run = desk.send(desk.csv(rows(5)), code=code)
    assert (run.code, run.json["exit_code"]) == (exit_code, exit_code)
    assert run.stderr.count("error:") == 1
    assert named in run.stderr
    assert named in run.json["error"]["message"]


def test_r9_64_connections_where_40_files_may_be_open(desk: Desk) -> None:
    limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))  # noqa: E731
    desk.server.script = late(0.1)
    process = desk.start(desk.csv(rows(600)), "--concurrency", "64", preexec_fn=limit)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, b"")
    assert_complete(desk.server, rows(600))
    assert 20 < desk.server.connections < 40


# R8


def test_r8_a_reader_that_goes_away_does_not_stop_the_upload(desk: Desk) -> None:
    """`reo send-file … -o ndjson | head -1`."""
    events = rows(400)
    process = desk.start(desk.csv(events), "-o", "ndjson", stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline().startswith(b"{")
    process.stdout.close()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert b"Traceback" not in err
    assert_complete(desk.server, events)


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_r8_closed_descriptors(desk: Desk, closed: str) -> None:
    """What is opened in their place must not take in what was meant for them."""
    events = rows(40)
    file = desk.csv(events)
    text = file.read_text()
    command = f"{sys.executable} -m reo_cli send-file {file.name} --rejects r.ndjson {closed}"
    done = subprocess.run(
        ["sh", "-c", command],
        env=desk.world.environ(desk.environ()),
        cwd=desk.world.folder,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert_complete(desk.server, events)
    assert file.read_text() == text
    assert desk.send(file).json["already_delivered"] == 40


def test_r8_nohup_goes_on_when_the_terminal_goes(desk: Desk) -> None:
    events = rows(60)
    desk.server.script = late(0.02)
    process = desk.start(
        desk.csv(events), preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
    )
    assert wait_until(lambda: len(desk.server.requests) > 5, process)
    process.send_signal(signal.SIGHUP)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert_complete(desk.server, events)


NOTHING = dict.fromkeys(("REO_API_KEY", "REO_ENDPOINT", "HOME", "PATH", "LANG", "TMPDIR"))
"""Takes every variable away."""


def test_r8_an_empty_environment(desk: Desk) -> None:
    """Complete, or one clear line; nothing may land in a home that was not given."""
    key = desk.world.folder / "key"
    key.write_text(CANARY)
    flags = ("--api-key-file", key, "--endpoint", desk.server.url, "--ledger", "l.db")
    run = desk.send(desk.csv(rows(10)), *flags, env=NOTHING)
    assert run.code == 0, run.stderr
    assert_complete(desk.server, rows(10))


UNWRITABLE = "/proc/no-such-home"
"""A home in which even root can make nothing."""


def test_r8_a_home_that_cannot_be_written(desk: Desk) -> None:
    desk.env = {"HOME": UNWRITABLE}
    file = desk.csv(rows(10))
    run = desk.send(file)
    assert run.code == 73
    assert run.stderr.count("error:") == 1
    assert "--ledger" in run.stderr
    assert desk.server.requests == []
    for way_out in (["--no-ledger"], ["--ledger", "here.db"]):
        run = desk.send(file, *way_out)
        assert run.code == 0, run.stderr
    assert len(desk.server.requests) == 20


def test_no_thread_and_no_descriptor_is_left_behind(desk: Desk) -> None:
    """One process, many uploads: what a run opened is closed when it is over."""
    code = """
import os, sys, threading, time
sys.argv = ["reo"]
from contextlib import suppress
from reo_cli.cli.app import app

def once(name):
    with suppress(SystemExit):
        app(["send-file", name, "--resend", "-q"], standalone_mode=False)

def left():
    deadline = time.monotonic() + 5
    while threading.active_count() > 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    return threading.active_count(), len(os.listdir("/proc/self/fd"))

once("events.csv")
before = left()
for _ in range(5):
    once("events.csv")
print(before, left())
sys.exit()
"""
    desk.csv(rows(30))
    done = desk.world.run(code=code, env=desk.environ())
    before, _, after = done.stdout.strip().partition(") (")
    assert done.code == 0, done.stderr
    assert before.strip("()") == after.strip("()"), done.stdout
    assert before.startswith("(1,")


# What else may hold a run up


@pytest.mark.parametrize("signals", [1, 2])
def test_r7_a_reader_that_has_stopped_reading_holds_up_no_signal(desk: Desk, signals: int) -> None:
    file = desk.csv(rows(3000))
    read, write = os.pipe()
    process = desk.start(file, "-o", "ndjson", stdout=write, quiet=False)
    os.close(write)
    wait_until(lambda: len(desk.server.requests) > 100, process)
    seen = -1
    while len(desk.server.requests) != seen:  # until it stands still, the pipe being full
        seen = len(desk.server.requests)
        time.sleep(0.3)
    assert process.poll() is None
    began = time.monotonic()
    for _ in range(signals):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
    assert process.wait(20) == 128 + signal.SIGTERM
    assert time.monotonic() - began < SOON + (5 if signals == 1 else 0)
    os.close(read)
    assert desk.send(file).code == 0
    assert assert_complete(desk.server, rows(3000)).repeats <= 8


def test_r7_a_ledger_that_another_process_keeps_holds_up_no_signal(desk: Desk) -> None:
    file = desk.csv(rows(400))
    desk.send(file, "--limit", "1")
    process = desk.start(file)
    wait_until(lambda: len(desk.server.requests) > 20, process)
    path = desk.world.home / ".local/state/reo/ledger.db"
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        time.sleep(0.3)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 128 + signal.SIGTERM
        assert time.monotonic() - began < SOON + 5
        other.execute("ROLLBACK")
    other.close()
    assert desk.send(file).code == 0
    assert_complete(desk.server, rows(400))


def test_a_process_that_was_stopped_takes_the_answers_that_came_in_time(world: World) -> None:
    with FaultServer(late(0.3)) as server:
        desk = Desk(world, server, ["--timeout", "1", "--concurrency", "8"])
        file = desk.csv(rows(40))
        process = desk.start(file)
        wait_until(lambda: len(server.requests) > 12, process)
        time.sleep(0.1)
        process.send_signal(signal.SIGSTOP)
        time.sleep(2)
        process.send_signal(signal.SIGCONT)
        assert process.wait(30) == 0
        assert assert_complete(server, rows(40)).repeats == 0


def test_max_time_ends_the_check_and_the_waiting_for_a_lock(desk: Desk) -> None:
    file = desk.csv(rows(60_000))
    run = desk.send(file, "--max-time", "0.6")
    assert (run.code, run.json["error"]["reason"]) == (75, "max_time")
    assert "no run with this --max-time will ever send" in run.json["error"]["hint"]
    assert run.json["elapsed_s"] < SOON
    assert not desk.server.requests
    small = desk.csv(rows(2), "small.csv")
    with small.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        run = desk.send(small, "--wait", "20", "--max-time", "2")
        assert run.code == 75
        assert "will ever send" not in run.json["error"]["hint"]
        assert run.json["elapsed_s"] < SOON + 2


def test_a_full_disk_is_found_before_the_first_request(desk: Desk) -> None:
    """A system that says so stands for the disk: a real one needs rights to be mounted."""
    code = (
        "import os; disk = os.statvfs\n"
        "def full(path):\n"
        "    found = list(disk(path)); found[4] = 3\n"
        "    return os.statvfs_result(found)\n"
        "os.statvfs = full"
    )
    run = desk.send(desk.csv(rows(5)), code=code)
    assert run.code == 73
    assert "the disk of the ledger" in run.stderr
    assert not desk.server.requests

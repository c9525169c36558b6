"""K1, K2, K3, K8: what survives kills, full disks and crowds (reliability.md section 4).

The real program is killed or starved, started again, and judged by what the server had accepted.
"""

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import World, scaled
from tests.delivery.harness import (
    Desk,
    assert_complete,
    counts,
    judge,
    ndjson,
    row,
    rows,
    wait_until,
)
from tests.faults import Action, FaultServer, Request, failure, late

STRACE = shutil.which("strace")


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(late(0.004)) as server:
        yield server


@pytest.fixture
def desk(world: World, server: FaultServer) -> Desk:
    return Desk(world, server)


def accepted(server: FaultServer) -> int:
    return sum(request.accepted for request in list(server.requests))


def finish_off(process: "subprocess.Popen[bytes]") -> bool:
    """Kill -9; whether that was what ended it. No traceback up to then."""
    process.kill()
    _, err = process.communicate(timeout=30)
    assert b"Traceback" not in err, err
    return process.returncode == -signal.SIGKILL


# K1


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_k1_kill_9_at_random_moments(world: World) -> None:
    """0 lost, unique ids = rows, repeats at most what was under way at each kill."""
    kills, under_way = scaled(200, 8), 16
    events = rows(250 * kills, identical=1 / 3)  # more than the kills let through
    chance = random.Random(20_000)
    with FaultServer(late(0.004)) as server:
        desk = Desk(world, server, ["--concurrency", str(under_way)])
        file = desk.csv(events)
        seen: set[str] = set()
        killed = done = 0
        while killed < kills:
            process = desk.start(file)
            if chance.random() < 0.15:  # anywhere, also before the first request
                time.sleep(chance.random())
            else:
                goal = done + chance.randrange(150)
                wait_until(lambda goal=goal: len(server.requests) >= goal, process)  # type: ignore[misc]
                time.sleep(chance.random() * 0.005)
            killed += finish_off(process)
            assert process.returncode in (0, -signal.SIGKILL)
            fresh = [str(each.event_id) for each in server.requests[done:] if each.accepted]
            repeats = len(fresh) - len(set(fresh) - seen)
            assert repeats <= under_way, f"{repeats} repeats after kill {killed}"
            seen.update(fresh)
            done = len(server.requests)
            if process.returncode == 0:
                break
        run = desk.send(file)
        assert run.code == 0
        assert run.json["already_delivered"] + run.json["delivered"] == len(events)
        found = assert_complete(server, events)
        assert killed >= kills * 0.9
        assert found.repeats <= under_way * killed
        before = len(server.requests)
        assert counts(desk.send(file)) == {"already_delivered": len(events)}
        assert len(server.requests) == before
        assert desk.ledger_holds() == len(events)


@pytest.mark.parametrize("seed", range(2))
def test_k1_rejects_survive_kills_each_once(world: World, seed: int) -> None:
    """Rejected and invalid records stand in the rejects file once, however often it was killed."""
    chance = random.Random(seed)
    events = [row(n, count="x" if n % 10 == 0 else n) for n in range(1, 401)]

    def script(_: int, request: Request) -> Action:
        return failure(400) if request.json["payload"]["count"] % 10 == 3 else late(0.003)

    with FaultServer(script) as server:
        desk = Desk(world, server, ["--concurrency", "16", "--skip-invalid"])
        file = desk.csv(events)
        for _ in range(6):
            process = desk.start(file)
            goal = len(server.requests) + chance.randrange(80)
            wait_until(lambda goal=goal: len(server.requests) >= goal, process)  # type: ignore[misc]
            time.sleep(chance.random() * 0.01)
            finish_off(process)
        run = desk.send(file)
    assert run.code == 1
    lines = Path(run.json["inputs"][0]["rejects_file"]).read_text().splitlines()
    assert len(lines) == len(set(lines)) == 80
    assert run.json["rejected"] == run.json["invalid"] == 40


# K2


def tampering(how: str, calls: str = "pwrite64") -> list[str]:
    """The command that runs another one and tampers with its writes to the ledger."""
    assert STRACE is not None
    quiet = [STRACE, "-f", "-qq", "-e", "signal=none", "-o", os.devnull]
    return [*quiet, "-e", f"trace={calls}", "-e", f"inject={calls}:{how}"]


def start_under(desk: Desk, before: list[str], *args: str | Path) -> "subprocess.Popen[bytes]":
    command = [*before, sys.executable, "-m", "reo_cli", "send-file", *map(str, args)]
    return subprocess.Popen(
        [*command, *desk.options],
        env=desk.world.environ(desk.environ()),
        cwd=desk.world.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(STRACE is None, reason="strace is not installed")
def test_k2_kill_at_every_write_to_the_ledger(world: World) -> None:
    """The first writes make a new ledger; later ones record what was acknowledged."""
    under_way, killed = 8, 0
    for point in range(1, scaled(100, 12) + 1):
        events = rows(150, identical=1 / 3)
        with FaultServer(late(0.002)) as server:
            ledger = world.folder / f"{point}.db"
            desk = Desk(world, server, ["--concurrency", str(under_way), "--ledger", str(ledger)])
            file = desk.csv(events)
            process = start_under(desk, tampering(f"signal=KILL:when={point}"), file)
            _, err = process.communicate(timeout=60)
            assert b"Traceback" not in err, err
            killed += process.returncode == -signal.SIGKILL
            run = desk.send(file)
            assert run.code == 0, run.stderr
            assert assert_complete(server, events).repeats <= under_way
    assert killed >= scaled(100, 12) * 0.9


FAIL_POINT = """
import os, signal
from reo_cli.delivery.ledger import Account

number, when = %d, %r
record = Account.record

def tampered(self, acknowledged):
    global number
    number -= 1
    if when == "before" and not number:
        os.kill(os.getpid(), signal.SIGKILL)
    record(self, acknowledged)
    if when == "after" and not number:
        os.kill(os.getpid(), signal.SIGKILL)

Account.record = tampered
"""


@pytest.mark.parametrize("number", [1, 2, 5, 9])
@pytest.mark.parametrize("when", ["before", "after"])
def test_k2_kill_just_before_and_after_an_acknowledgement_is_recorded(
    desk: Desk, when: str, number: int
) -> None:
    events = rows(80, identical=1 / 3)
    file = desk.csv(events)
    code = FAIL_POINT % (number, when)
    args = ("send-file", str(file), "--concurrency", "4")
    assert desk.world.run(*args, env=desk.environ(), code=code).code == -signal.SIGKILL
    first = accepted(desk.server)
    held = desk.ledger_holds()
    if when == "after":
        assert held >= number
    assert held <= first <= held + 4 + (when == "before") * 4
    assert desk.send(file).code == 0
    assert assert_complete(desk.server, events).repeats <= 4


# K3


def test_k3_a_disk_that_is_full_for_the_ledger_from_the_start(desk: Desk) -> None:
    """A limit on the size of files stands for the full disk: it needs no rights and no tools."""
    file = desk.csv(rows(50))
    assert desk.send(file, code=limited(3000)).code == 73
    assert desk.server.requests == []
    assert desk.send(file).code == 0
    assert_complete(desk.server, rows(50))


def test_k3_a_disk_that_gets_full_on_the_way(desk: Desk) -> None:
    events = rows(600)
    file = desk.csv(events)
    run = desk.send(file, "--concurrency", "16", code=limited(120_000))
    assert run.code == 74
    sent = accepted(desk.server)
    assert 0 < sent < 600
    assert run.json["delivered"] == sent
    assert desk.send(file).code == 0
    assert assert_complete(desk.server, events).repeats <= 32


def limited(size: int) -> str:
    """Code after which no file may grow beyond `size` bytes."""
    return f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))"


@pytest.mark.slow
@pytest.mark.skipif(STRACE is None, reason="strace is not installed")
@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
def test_k3_a_failing_write_to_the_ledger(world: World, error: str) -> None:
    """73 while it is opened, 74 after the first request; never a traceback, and nothing lost."""
    codes = set()
    for when in (1, 4, 12, 22, 30, 45, 60)[:: 1 if scaled(10) > 2 else 3]:
        events = rows(60)
        with FaultServer(late(0.002)) as server:
            ledger = world.folder / f"{when}.db"
            desk = Desk(world, server, ["--ledger", str(ledger), "--concurrency", "4"])
            file = desk.csv(events)
            before = tampering(f"error={error}:when={when}+")
            process = start_under(desk, before, file, "-o", "json")
            out, err = process.communicate(timeout=60)
            codes.add(process.returncode)
            assert b"Traceback" not in err, err
            assert out.count(b"\n") == 1
            if process.returncode == 73:
                assert server.requests == []
            assert desk.send(file).code == 0
            assert assert_complete(server, events).repeats <= 8
    assert codes == {73, 74}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize("piped", [True, False])
def test_k3_a_rejects_file_on_a_full_disk(world: World, piped: bool) -> None:
    events = rows(60)

    def script(_: int, request: Request) -> Action:
        return failure(400) if request.json["payload"]["count"] == 31 else late(0.002)

    with FaultServer(script) as server:
        desk = Desk(world, server, ["--concurrency", "4"])
        file = desk.csv(events)
        source = ["-", "--format", "ndjson"] if piped else [str(file)]
        data = ndjson(events) if piped else None
        run = desk.send(*source, "--rejects", "/dev/full", input=data)
        assert run.code == 74
        assert run.json["error"]["reason"] == "rejects_not_written"
        assert os.strerror(errno.ENOSPC) in run.json["error"]["message"]
        again = desk.send(file)
        assert again.code == 1
        assert counts(again) == {
            "delivered": 59 - run.json["delivered"],
            "already_delivered": run.json["delivered"],
            "rejected": 1,
        }
        assert judge(server, events).lost == 1


@pytest.mark.parametrize("place", ["missing/folder/x.ndjson", "/dev/null/x.ndjson", "."])
def test_k3_an_explicit_rejects_file_that_cannot_be_made_is_found_first(
    desk: Desk, place: str
) -> None:
    run = desk.send(desk.csv(rows(5)), "--rejects", place)
    assert run.code == 73
    assert desk.server.requests == []


# K8


def test_k8_of_twenty_processes_on_one_input_exactly_one_sends(desk: Desk) -> None:
    desk.server.script = late(0.05)
    events = rows(300)
    file = desk.csv(events)
    processes = [desk.start(file, "--concurrency", "2") for _ in range(20)]
    ends = [(process.communicate(timeout=100)[1], process.returncode) for process in processes]
    assert sorted(code for _, code in ends) == [0] + [75] * 19
    for err, code in ends:
        assert (b"is locked by another run" in err) == (code == 75)
    assert assert_complete(desk.server, events).repeats == 0
    assert len(desk.server.requests) == 300


def test_k8_after_a_kill_the_next_one_starts_at_once(desk: Desk) -> None:
    """One that waits takes over in under 100 ms: the kernel frees the lock, the wait is short."""
    desk.server.script = late(0.05)
    file = desk.csv(rows(600))
    times: list[float] = []
    while len(times) < 5 and min(times, default=1) >= 0.1:
        first = desk.start(file, "--concurrency", "2", "--no-ledger")
        sent = len(desk.server.requests)
        assert wait_until(lambda: len(desk.server.requests) > sent + 3, first)  # noqa: B023
        second = desk.start(file, "--wait", "30", "--concurrency", "2", "--no-ledger")
        assert wait_until(lambda: waits_for_lock(second.pid), second)  # noqa: B023
        before, began = desk.server.connections, time.monotonic()
        assert finish_off(first)
        assert wait_until(lambda: starts_of(desk.server, before), second)  # noqa: B023
        times.append(starts_of(desk.server, before)[0] - began)
        finish_off(second)
    assert min(times) < 0.1, times


def starts_of(server: FaultServer, connection: int) -> list[float]:
    """When the requests over connections after this one came."""
    return [each.at for each in list(server.requests) if each.connection > connection]


def waits_for_lock(pid: int) -> bool:
    """Whether a process sleeps with its signal handlers set, which it does first at a lock."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    return "State:\tS" in status and bool(caught >> (signal.SIGTERM - 1) & 1)


def test_k8_waiting_for_a_run_that_ends_is_worth_it(desk: Desk) -> None:
    desk.server.script = late(0.05)
    file = desk.csv(rows(40))
    first = desk.start(file, "--concurrency", "2")
    assert wait_until(lambda: desk.server.requests, first)
    run = desk.send(file, "--wait", "30")
    assert first.wait(timeout=30) == 0
    assert run.code == 0
    assert counts(run) == {"already_delivered": 40}


def test_k8_different_inputs_run_at_the_same_time_on_one_ledger(desk: Desk) -> None:
    groups = [[row(1000 * part + n) for n in range(150)] for part in range(6)]
    files = [desk.csv(group, f"{part}.csv") for part, group in enumerate(groups)]
    processes = [desk.start(file, quiet=False) for file in files]
    said = []
    for process in processes:
        said.append(process.communicate(timeout=100)[1])
        assert process.returncode == 0, said[-1]
    assert sum(b"created ledger" in each for each in said) == 1
    assert_complete(desk.server, [event for group in groups for event in group])
    assert desk.ledger_holds() == 900

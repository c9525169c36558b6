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
    waits_for_lock,
)
from tests.faults import Action, FaultServer, Request, failure, late

STRACE = shutil.which("strace")


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(late(0.004)) as server:
        yield server


def accepted(server: FaultServer) -> int:
    return sum(request.accepted for request in list(server.requests))


def wait_for(server: FaultServer, number: int, process: "subprocess.Popen[bytes]") -> None:
    """Wait until so many requests have come, or the process has ended."""
    wait_until(lambda: len(server.requests) >= number, process)


def finish_off(process: "subprocess.Popen[bytes]") -> bool:
    """Kill -9; whether that was what ended it. No traceback up to then."""
    process.kill()
    _, err = process.communicate(timeout=30)
    assert b"Traceback" not in err, err
    return process.returncode == -signal.SIGKILL


# K1


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_k1_kill_9_at_random_moments(desk: Desk) -> None:
    """0 lost, unique ids = rows, repeats at most what was under way at each kill."""
    kills, under_way = scaled(200, 8), 16
    events = rows(250 * kills, identical=1 / 3)  # more than the kills let through
    chance = random.Random(20_000)
    desk.options = ["--concurrency", str(under_way)]
    file, server = desk.csv(events), desk.server
    seen: set[str] = set()
    killed = done = 0
    while killed < kills:
        process = desk.start(file)
        if chance.random() < 0.15:  # anywhere, also before the first request
            time.sleep(chance.random())
        else:
            wait_for(server, done + chance.randrange(150), process)
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
    assert desk.send(file).code == 0
    assert killed >= kills * 0.9
    assert assert_complete(server, events).repeats <= under_way * killed
    before = len(server.requests)
    assert counts(desk.send(file)) == {"already_delivered": len(events)}
    assert len(server.requests) == before
    assert desk.ledger_holds() == len(events)


@pytest.mark.parametrize("seed", range(2))
def test_k1_rejects_survive_kills_each_once(desk: Desk, seed: int) -> None:
    """Rejected and invalid records stand in the rejects file once, however often it was killed."""
    chance = random.Random(seed)
    events = [row(n, count="x" if n % 10 == 0 else n) for n in range(1, 401)]

    def script(_: int, request: Request) -> Action:
        return failure(400) if request.json["payload"]["count"] % 10 == 3 else late(0.003)

    desk.server.script = script
    desk.options = ["--concurrency", "16", "--skip-invalid"]
    file = desk.csv(events)
    for _ in range(6):
        process = desk.start(file)
        wait_for(desk.server, len(desk.server.requests) + chance.randrange(80), process)
        time.sleep(chance.random() * 0.01)
        finish_off(process)
    run = desk.send(file)
    assert run.code == 1
    lines = Path(run.json["inputs"][0]["rejects_file"]).read_text().splitlines()
    assert len(lines) == len(set(lines)) == 80
    assert run.json["rejected"] == run.json["invalid"] == 40


# K2


def tampered(world: World, how: str, events: list[dict[str, object]]) -> tuple[int, int, str]:
    """Run with tampered writes to a new ledger, then as usual: nothing is lost.

    Gives how the first run ended, and what it had sent and said by then.
    """
    assert STRACE is not None
    command = [STRACE, "-f", "-qq", "-e", "signal=none", "-o", os.devnull]
    command += ["-e", "trace=pwrite64", "-e", f"inject=pwrite64:{how}", sys.executable]
    with FaultServer(late(0.002)) as server:
        ledger = world.folder / f"{server.url.rpartition(':')[2].strip('/')}-{how}.db"
        desk = Desk(world, server, ["--ledger", str(ledger), "--concurrency", "4", "-o", "json"])
        file = desk.csv(events)
        done = subprocess.run(
            [*command, "-m", "reo_cli", "send-file", str(file), *desk.options],
            env=world.environ(desk.environ()),
            cwd=world.folder,
            capture_output=True,
            timeout=60,
        )
        assert b"Traceback" not in done.stderr, done.stderr
        sent = len(server.requests)
        assert desk.send(file).code == 0
        assert assert_complete(server, events).repeats <= 8
    return done.returncode, sent, done.stdout.decode()


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(STRACE is None, reason="strace is not installed")
def test_k2_kill_at_every_write_to_the_ledger(world: World) -> None:
    """The first writes make a new ledger; later ones record what was acknowledged."""
    points = scaled(100, 12)
    events = rows(150, identical=1 / 3)
    how = [f"signal=KILL:when={point}" for point in range(1, points + 1)]
    ends = [tampered(world, each, events)[0] for each in how]
    assert ends.count(-signal.SIGKILL) >= points * 0.9


@pytest.mark.slow
@pytest.mark.skipif(STRACE is None, reason="strace is not installed")
@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
def test_k3_a_failing_write_to_the_ledger(world: World, error: str) -> None:
    """73 while it is opened, 74 after the first request; never a traceback, and nothing lost."""
    codes = set()
    for when in (1, 4, 12, 22, 30, 45, 60)[:: 1 if scaled(10) > 2 else 3]:
        code, sent, said = tampered(world, f"error={error}:when={when}+", rows(60))
        codes.add(code)
        assert said.count("\n") == 1
        assert code != 73 or not sent
    assert codes == {73, 74}


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


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize("piped", [True, False])
def test_k3_a_rejects_file_on_a_full_disk(desk: Desk, piped: bool) -> None:
    events = rows(60)

    def script(_: int, request: Request) -> Action:
        return failure(400) if request.json["payload"]["count"] == 31 else late(0.002)

    desk.server.script = script
    file = desk.csv(events)
    source = ["-", "--format", "ndjson"] if piped else [str(file)]
    data = ndjson(events) if piped else None
    run = desk.send(*source, "--rejects", "/dev/full", input=data)
    assert (run.code, run.json["error"]["reason"]) == (74, "rejects_not_written")
    assert os.strerror(errno.ENOSPC) in run.json["error"]["message"]
    again = desk.send(file)
    assert again.code == 1
    assert again.json["already_delivered"] == run.json["delivered"]
    assert again.json["delivered"] + run.json["delivered"] == 59
    assert again.json["rejected"] == judge(desk.server, events).lost == 1


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

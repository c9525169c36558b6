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
from pathlib import Path

import pytest

from tests.conftest import World, scaled
from tests.delivery.harness import (
    Desk,
    assert_complete,
    counts,
    judge,
    ndjson,
    rejects,
    row,
    rows,
    wait_until,
    waits_for_lock,
)
from tests.faults import Action, FaultServer, Request, failure, late

STRACE = shutil.which("strace")
needs_strace = pytest.mark.skipif(STRACE is None, reason="strace is not installed")


def finish_off(process: "subprocess.Popen[bytes]") -> bool:
    """Kill -9; whether that was what ended it. No traceback up to then."""
    process.kill()
    _, err = process.communicate(timeout=30)
    assert b"Traceback" not in err, err
    return process.returncode == -signal.SIGKILL


def killed(desk: Desk, file: Path, after: int, chance: random.Random) -> int:
    """Start a run and kill it some time after so many requests; give how it ended."""
    goal = len(desk.server.requests) + after
    process = desk.start(file)
    wait_until(lambda: len(desk.server.requests) >= goal, process)
    time.sleep(chance.random() * 0.005)
    finish_off(process)
    return process.returncode


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
    ends: list[int] = []
    while ends.count(-signal.SIGKILL) < kills and 0 not in ends:
        done = len(server.requests)
        if chance.random() < 0.15:  # anywhere, also before the first request
            process = desk.start(file)
            time.sleep(chance.random())
            finish_off(process)
            ends.append(process.returncode)
        else:
            ends.append(killed(desk, file, chance.randrange(150), chance))
        fresh = [str(each.event_id) for each in server.requests[done:] if each.accepted]
        repeats = len(fresh) - len(set(fresh) - seen)
        assert repeats <= under_way, f"{repeats} repeats after kill {len(ends)}"
        seen.update(fresh)
    assert set(ends) <= {0, -signal.SIGKILL}
    assert desk.send(file).code == 0
    assert ends.count(-signal.SIGKILL) >= kills * 0.9
    assert assert_complete(server, events).repeats <= under_way * len(ends)
    before = len(server.requests)
    assert counts(desk.send(file)) == {"already_delivered": len(events)}
    assert len(server.requests) == before
    assert desk.ledger_holds() == len(events)


def test_k1_rejects_survive_kills_each_once(desk: Desk) -> None:
    """Rejected and invalid records stand in the rejects file once, however often it was killed."""
    chance = random.Random(1)

    def script(_: int, request: Request) -> Action:
        return failure(400) if request.json["payload"]["count"] % 10 == 3 else late(0.003)

    desk.server.script = script
    desk.options = ["--concurrency", "16", "--skip-invalid"]
    file = desk.csv([row(n, count="x" if n % 10 == 0 else n) for n in range(1, 401)])
    for _ in range(8):
        killed(desk, file, chance.randrange(80), chance)
    run = desk.send(file)
    assert run.code == 1
    lines = rejects(run).read_text().splitlines()
    assert len(lines) == len(set(lines)) == 80
    assert run.json["rejected"] == run.json["invalid"] == 40


def tampered(world: World, how: str, events: list[dict[str, object]]) -> tuple[int, int, str]:
    """Run with tampered writes to a new ledger, then as usual: nothing is lost.

    Gives how the first run ended, and what it had sent and said by then.
    """
    assert STRACE is not None
    command = [STRACE, "-f", "-qq", "-e", "signal=none", "-o", os.devnull]
    command += ["-e", "trace=pwrite64", "-e", f"inject=pwrite64:{how}", sys.executable]
    with FaultServer(late(0.002)) as server:
        desk = Desk(world, server, ["--ledger", f"{how}.db", "--concurrency", "4", "-o", "json"])
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
@needs_strace
def test_k2_kill_at_every_write_to_the_ledger(world: World) -> None:
    """The first writes make a new ledger; later ones record what was acknowledged."""
    points = scaled(100, 12)
    events = rows(150, identical=1 / 3)
    how = [f"signal=KILL:when={point}" for point in range(1, points + 1)]
    ends = [tampered(world, each, events)[0] for each in how]
    assert ends.count(-signal.SIGKILL) >= points * 0.9


@pytest.mark.slow
@needs_strace
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


RECORD = "record(self, acknowledged)"
FAIL_POINT = """
import os, signal
from reo_cli.delivery.ledger import Account
record, calls = Account.record, []
def tampered(self, acknowledged):
    calls.append(1)
    %s
    if len(calls) == %d:
        os.kill(os.getpid(), signal.SIGKILL)
    %s
Account.record = tampered
"""


@pytest.mark.parametrize("number", [1, 2, 5, 9])
@pytest.mark.parametrize("when", ["before", "after"])
def test_k2_kill_just_before_and_after_an_acknowledgement_is_recorded(
    desk: Desk, when: str, number: int
) -> None:
    events = rows(80, identical=1 / 3)
    file = desk.csv(events)
    code = FAIL_POINT % (("", number, RECORD) if when == "before" else (RECORD, number, ""))
    assert desk.run("send-file", file, "--concurrency", "4", code=code).code == -signal.SIGKILL
    first, held = len(desk.server.accepted), desk.ledger_holds()
    if when == "after":
        assert held >= number
    assert held <= first <= held + 4 + (when == "before") * 4
    assert desk.send(file).code == 0
    assert assert_complete(desk.server, events).repeats <= 4


@pytest.mark.parametrize(("size", "code"), [(3000, 73), (120_000, 74)])
def test_k3_a_disk_that_is_full_for_the_ledger_or_gets_full(
    desk: Desk, size: int, code: int
) -> None:
    """A limit on the size of files stands for the full disk: it needs no rights and no tools."""
    events = rows(600)
    file = desk.csv(events)
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))"
    run = desk.send(file, "--concurrency", "16", code=limit)
    sent = len(desk.server.accepted)
    assert (run.code, run.json["delivered"]) == (code, sent)
    assert sent == 0 if code == 73 else 0 < sent < 600
    assert desk.send(file).code == 0
    assert assert_complete(desk.server, events).repeats <= 32


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize("piped", [True, False])
def test_k3_a_rejects_file_on_a_full_disk(desk: Desk, piped: bool) -> None:
    events = rows(60)

    def script(_: int, request: Request) -> Action:
        return failure(400) if request.json["payload"]["count"] == 31 else late(0.002)

    desk.server.script = script
    file = desk.csv(events)
    source, data = (["-"], ndjson(events)) if piped else ([file], None)
    run = desk.send(*source, "--rejects", "/dev/full", input=data)
    assert (run.code, run.json["error"]["reason"]) == (74, "rejects_not_written")
    assert os.strerror(errno.ENOSPC) in run.json["error"]["message"]
    again = desk.send(file)
    assert again.code == 1
    assert again.json["already_delivered"] == run.json["delivered"]
    assert again.json["delivered"] + run.json["delivered"] == 59
    assert again.json["rejected"] == judge(desk.server, events).lost == 1


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


def starts_after(server: FaultServer, connection: int) -> list[float]:
    """When the requests over connections after this one came."""
    return [each.at for each in list(server.requests) if each.connection > connection]


def test_k8_after_a_kill_the_next_one_starts_at_once(desk: Desk) -> None:
    """One that waits takes over in under 100 ms: the kernel frees the lock, the wait is short."""
    desk.server.script = late(0.05)
    desk.options = ["--concurrency", "2", "--no-ledger"]
    file = desk.csv(rows(600))
    times: list[float] = []
    while len(times) < 5 and min(times, default=1) >= 0.1:
        first = desk.running(file, after=3)
        second = desk.start(file, "--wait", "30")
        assert wait_until(lambda: waits_for_lock(second.pid), second)  # noqa: B023
        before, began = desk.server.connections, time.monotonic()
        assert finish_off(first)
        assert wait_until(lambda: starts_after(desk.server, before), second)  # noqa: B023
        times.append(starts_after(desk.server, before)[0] - began)
        finish_off(second)
    assert min(times) < 0.1, times


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

"""Kills, full disks and crowds: what the ledger said it holds, it holds (K2, K3)."""

import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from reo_cli.delivery.ledger import Account, Ledger
from tests.conftest import scaled

API = "https://api.test/events"
STRACE = shutil.which("strace")

RECORDER = """
import sys, time
from pathlib import Path
from reo_cli.delivery.ledger import Account, Acknowledged, Ledger
from reo_cli.errors import ReoError

path, name, groups, size = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
try:
    with Ledger.open(path, clock=time.time) as ledger:
        print("created" if ledger.created else "opened", flush=True)
        account = Account(ledger, "https://api.test/events", "one-key-1", None)
        for group in range(groups):
            ids = [f"{name}-{group}-{number}" for number in range(size)]
            account.record([Acknowledged(each, b"c" * 16, 1000) for each in ids])
            print(*ids, sep="\\n", flush=True)
except ReoError as error:
    print(f"error {error.exit_code} {error.reason}", flush=True)
"""

HALF_RECORDER = """
import os, signal, sys
from pathlib import Path
from reo_cli.delivery.ledger import Account, Acknowledged, Ledger

def group():
    for number in range(20_000):  # more than the cache holds: pages are in the WAL by now
        yield Acknowledged(f"half-{number}", b"c" * 16, 1)
    os.kill(os.getpid(), signal.SIGKILL)

ledger = Ledger.open(Path(sys.argv[1]), clock=lambda: 0)
account = Account(ledger, "https://api.test/events", "one-key-1", None)
account.record([Acknowledged("before", b"c" * 16, 1)])
account.record(group())
"""

LIMITED = (
    "import resource, sys; limit = int(sys.argv.pop(1));"
    "resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit));" + RECORDER
)


def recorder(
    path: Path, *, name: str = "a", groups: int = 10, size: int = 5, before: Sequence[str] = ()
) -> subprocess.Popen[str]:
    """Start a process that records groups of events and prints the ids that are committed."""
    command = [*before, sys.executable, "-c", RECORDER, str(path), name, str(groups), str(size)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def output(process: subprocess.Popen[str]) -> tuple[str, list[str]]:
    """Return the first line of a recorder that has ended and the ids it said were committed."""
    out, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    first, *ids = out.splitlines() or [""]
    return first, ids


def missing(path: Path, ids: Sequence[str]) -> list[str]:
    with Ledger.open(path, clock=lambda: 0) as ledger:
        account = Account(ledger, API, "one-key-1", None)
        return [each for each in ids if not each.startswith("error") and not account.find(each)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.mark.parametrize("lines", [1, 2, 7, 40, 333, 1000])
def test_kill_9_loses_nothing_that_was_committed(path: Path, lines: int) -> None:
    process = recorder(path, groups=100_000)
    assert process.stdout is not None
    read = [process.stdout.readline().strip() for _ in range(lines)]
    process.kill()
    ids = [*read[1:], *process.stdout.read().splitlines()]
    process.communicate()
    assert len(ids) >= lines - 1
    assert missing(path, ids) == []


def test_kill_9_between_write_and_commit_leaves_nothing_of_the_group(path: Path) -> None:
    command = [sys.executable, "-c", HALF_RECORDER, str(path)]
    assert subprocess.run(command).returncode == -signal.SIGKILL
    with Ledger.open(path, clock=lambda: 0) as ledger:
        assert Account(ledger, API, "one-key-1", None).find("before")
        assert ledger.events() == 1


def test_eight_processes_record_in_a_new_ledger_at_once(path: Path) -> None:
    processes = [recorder(path, name=str(number), groups=60) for number in range(8)]
    outputs = [output(process) for process in processes]
    assert sorted(first for first, _ in outputs) == ["created"] + ["opened"] * 7
    ids = [each for _, some in outputs for each in some]
    assert len(ids) == 8 * 60 * 5
    assert missing(path, ids) == []


@pytest.mark.parametrize("limit", [0, 5_000, 30_000, 60_000, 200_000])
def test_a_full_disk_is_a_clear_error_and_loses_nothing(path: Path, limit: int) -> None:
    """A limit on the size of files stands for the full disk: it works without any rights."""
    command = [sys.executable, "-c", LIMITED, str(limit), str(path), "a", "500", "5"]
    first, ids = output(subprocess.Popen(command, stdout=-1, stderr=-1, text=True))
    if limit < 60_000:
        assert first.startswith("error 73 ledger_")
    else:
        assert first == "created"
        assert ids[-1].startswith("error 74 ledger_")
        assert len(ids) > 1
    assert missing(path, ids) == []
    first, more = output(recorder(path, name="again"))
    assert len(more) == 50
    assert missing(path, [*ids, *more]) == []


@pytest.mark.skipif(STRACE is None, reason="strace is not installed")
@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
@pytest.mark.parametrize("when", [1, 5, 9, 14, 20, 40])
def test_a_failing_write_is_a_clear_error_and_loses_nothing(
    path: Path, error: str, when: int
) -> None:
    first, ids = output(recorder(path, before=tampering(f"error={error}:when={when}+")))
    faults = [line for line in (first, *ids) if line.startswith("error")]
    opened = not first.startswith("error")
    assert [line.split()[1] for line in faults] == ["74" if opened else "73"]
    # SQLite calls a full disk an I/O error where it grows the WAL's index
    assert faults[0].split()[2] in ("ledger_io", "ledger_full" if error == "ENOSPC" else "")
    assert missing(path, ids if opened else []) == []
    assert len(output(recorder(path))[1]) == 50


@pytest.mark.slow
@pytest.mark.skipif(STRACE is None, reason="strace is not installed")
def test_a_kill_at_every_write_loses_nothing(path: Path) -> None:
    points = range(1, scaled(110, 24))
    said: list[str] = []
    for point in points:
        before = tampering(f"signal=KILL:when={point}")
        process = recorder(path, name=f"k{point}", groups=60, before=before)
        said += output(process)[1]
        assert process.returncode == -signal.SIGKILL
    assert len(said) > 0
    assert missing(path, said) == []


def tampering(how: str) -> list[str]:
    """Return a command that runs another one and tampers with its writes to the ledger."""
    assert STRACE is not None
    quiet = [STRACE, "-f", "-qq", "-e", "signal=none", "-o", os.devnull, "-e", "trace=pwrite64"]
    return [*quiet, "-e", f"inject=pwrite64:{how}"]


def test_the_limit_on_files_is_in_force() -> None:
    """The tests above mean nothing where such a limit has no effect."""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] != 0
    code = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (9, 9));"
    code += "import tempfile; tempfile.TemporaryFile().write(bytes(99_999))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "File too large" in run.stderr

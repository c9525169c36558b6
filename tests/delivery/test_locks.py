import fcntl
import json
import os
import resource
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from reo_cli.delivery import locks
from reo_cli.delivery.locks import lock
from reo_cli.errors import ReoError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def usage(tmp_path: Path) -> Path:
    path = tmp_path / "usage.csv"
    path.write_text("count\n1\n")
    return path


class Virtual:
    """A clock that only goes on while one sleeps; `then` is what happens at a time."""

    def __init__(self, **then: Callable[[], object]) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self.then = {float(at[1:]): do for at, do in then.items()}

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        for at in [each for each in self.then if each <= self.now]:
            self.then.pop(at)()


def locked(
    folder: Path, *inputs: Path, virtual: Virtual | None = None, **more: Any
) -> AbstractContextManager[None]:
    virtual = virtual or Virtual()
    return lock(inputs, folder=folder, clock=virtual.clock, sleep=virtual.sleep, **more)


def is_free(path: Path) -> bool:
    """Whether nobody holds a flock on `path`, judged without the code under test."""
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


@contextmanager
def held_elsewhere(path: Path) -> Iterator[Callable[[], None]]:
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield file.close


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


# In one process


def test_inputs_are_locked_in_the_block_and_free_after_it(usage: Path, folder: Path) -> None:
    with locked(folder, usage):
        assert not is_free(usage)
    assert is_free(usage)
    with pytest.raises(KeyboardInterrupt), locked(folder, usage):
        raise KeyboardInterrupt
    assert is_free(usage)
    assert [each.name for each in folder.iterdir()] == [locks.FILE], "one lock file for all"


def test_one_file_by_many_names_is_locked_once(usage: Path, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(usage)
    (tmp_path / "hard").hardlink_to(usage)
    with locked(folder, usage, usage, tmp_path / "link", tmp_path / "hard"):
        assert not is_free(usage)


def test_all_or_none(folder: Path, tmp_path: Path) -> None:
    inputs = [tmp_path / name for name in "abc"]
    for path in inputs:
        path.write_text("")
    for other in inputs:
        with held_elsewhere(other):
            with pytest.raises(ReoError) as caught, locked(folder, *inputs):
                raise AssertionError
            assert f"`{other}` is locked by another run: another" in caught.value.message
            assert [is_free(path) for path in inputs] == [path != other for path in inputs]
    with locked(folder, *inputs):
        assert not any(is_free(path) for path in inputs)


def test_a_busy_input_is_75_at_once(usage: Path, folder: Path) -> None:
    virtual = Virtual()
    busy = locked(folder, usage, virtual=virtual)
    with held_elsewhere(usage), pytest.raises(ReoError) as caught, busy:
        raise AssertionError
    assert (caught.value.exit_code, caught.value.reason) == (75, "locked")
    assert "--wait" in caught.value.hint
    assert virtual.slept == []


def test_waiting_ends_when_the_lock_is_free(usage: Path, folder: Path) -> None:
    with held_elsewhere(usage) as free:
        virtual = Virtual(_3=free)
        with locked(folder, usage, virtual=virtual, wait=60.0):
            assert not is_free(usage)
    assert 3 <= virtual.now < 3.1


def test_waiting_ends_at_its_time(usage: Path, folder: Path) -> None:
    virtual = Virtual()
    busy = locked(folder, usage, virtual=virtual, wait=60.0)
    with held_elsewhere(usage), pytest.raises(ReoError, match="60 s still") as caught, busy:
        raise AssertionError
    assert caught.value.exit_code == 75
    assert virtual.now == pytest.approx(60)
    assert max(virtual.slept) <= 0.1


def test_waiting_can_be_given_up(usage: Path, folder: Path) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    busy = locked(folder, usage, virtual=Virtual(_1=stop), wait=60.0)
    with held_elsewhere(usage), pytest.raises(KeyboardInterrupt), busy:
        raise AssertionError


def test_an_input_replaced_while_waiting_is_locked_as_it_is_now(
    usage: Path, folder: Path, tmp_path: Path
) -> None:
    with held_elsewhere(usage) as free:

        def replace() -> None:
            (tmp_path / "new").write_text("new")
            (tmp_path / "new").replace(usage)
            free()

        with locked(folder, usage, virtual=Virtual(_1=replace), wait=9.0):
            assert usage.read_text() == "new"
            assert not is_free(usage)


def test_shares_of_one_input_go_on_together(usage: Path, folder: Path) -> None:
    with locked(folder, usage, share="1/4"):
        assert elsewhere(folder, usage, share="2/4") == "another"
        assert elsewhere(folder, usage, share="1/4").startswith("75 share 1/4 of")
        assert elsewhere(folder, usage).startswith("75 ")
    with locked(folder, usage):
        assert elsewhere(folder, usage, share="1/4").startswith("75 ")


def test_what_is_no_regular_file_has_no_lock(folder: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with locked(folder, tmp_path / "pipe", tmp_path / "missing", tmp_path, Path("/dev/null")):
        assert not folder.exists()


# Names, and inputs that cannot be locked themselves


NAMES = ["nightly", "../../etc/x y", "", "x" * 300, "\udcff\x1b[0m"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_locked(folder: Path, name: str) -> None:
    with locked(folder, name=name):
        (file,) = folder.iterdir()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert "another" in elsewhere(folder, name=name + "2")
        assert elsewhere(folder, name=name).startswith("75 the lock")
        assert f"process {os.getpid()}" in elsewhere(folder, name=name)
    assert elsewhere(folder, name=name) == "another"


def elsewhere(folder: Path, *inputs: Path, **more: Any) -> str:
    """What another process says that tries to take locks: "another", if it could."""
    code = (
        "import json, sys, time; from pathlib import Path\n"
        "from reo_cli.delivery.locks import lock; from reo_cli.errors import ReoError\n"
        "folder, inputs, more = json.loads(sys.argv[1])\n"
        "try:\n"
        "    with lock([Path(each) for each in inputs], folder=Path(folder), clock=time.monotonic,"
        " sleep=time.sleep, **more): print('another')\n"
        "except ReoError as error: print(error.exit_code, ascii(error.message)[1:-1])"
    )
    what = json.dumps([str(folder), [str(each) for each in inputs], more])
    run = subprocess.run([sys.executable, "-c", code, what], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


@pytest.mark.parametrize("where", ["a link", "/proc/reo"])
def test_a_name_needs_the_lock_file(folder: Path, tmp_path: Path, where: str) -> None:
    if where == "a link":
        folder.mkdir()
        (folder / locks.FILE).symlink_to(tmp_path / "elsewhere")
    with (
        pytest.raises(ReoError) as caught,
        locked(folder if where == "a link" else Path(where), name="x"),
    ):
        raise AssertionError
    assert (caught.value.exit_code, caught.value.reason) == (73, "no_lock")
    assert not (tmp_path / "elsewhere").exists()


def test_an_input_needs_no_lock_file(usage: Path) -> None:
    """Where the user has no folder that can be written to."""
    with locked(Path("/proc/reo"), usage):
        assert not is_free(usage)


@pytest.mark.parametrize("why", ["no flock", "too many"])
def test_what_cannot_be_locked_itself_is_locked_by_the_lock_file(
    usage: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    def unsupported(_: int, operation: int) -> None:
        raise OSError(38, f"Function {operation} not implemented")

    if why == "no flock":
        monkeypatch.setattr(fcntl, "flock", unsupported)
    else:
        monkeypatch.setattr(resource, "getrlimit", lambda _: (3, 3))
    (tmp_path / "link").symlink_to(usage)
    with locked(folder, usage):
        monkeypatch.undo()
        assert is_free(usage)
        said = elsewhere(folder, tmp_path / "link")
        assert f"is locked by another run: process {os.getpid()}" in said
        assert said.startswith("75 ")
    assert elsewhere(folder, usage) == "another"


def test_many_inputs_take_one_descriptor(folder: Path, tmp_path: Path) -> None:
    inputs = [tmp_path / f"{number}.csv" for number in range(720)]
    for path in inputs:
        path.write_text("")
    code = (
        "import os, resource, sys, time; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n"
        "from pathlib import Path; from reo_cli.delivery.locks import lock\n"
        "with lock([Path(each) for each in sys.argv[2:]], folder=Path(sys.argv[1]),"
        " clock=time.monotonic, sleep=time.sleep):\n"
        "    print('held', flush=True); sys.stdin.readline()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(folder), *map(str, inputs)],
        stdin=-1,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert said(holder) == "held"
    with pytest.raises(ReoError, match=f"process {holder.pid}"), locked(folder, inputs[700]):
        raise AssertionError
    end(holder)
    with locked(folder, *inputs):
        pass


# Between processes


def test_a_child_of_the_holder_does_not_keep_the_lock(usage: Path, folder: Path) -> None:
    with locked(folder, usage):
        child = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=-1, close_fds=False, stdout=-1
        )
    try:
        deadline = time.monotonic() + 5  # the child lets go when it becomes another program
        while not is_free(usage):
            assert time.monotonic() < deadline
    finally:
        child.communicate(b"\n")

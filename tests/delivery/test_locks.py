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
    """A clock that only goes on while one sleeps; `then` happens at the time `at`."""

    def __init__(self, at: float = 1e9, then: Callable[[], object] = lambda: None) -> None:
        self.now, self.at, self.then = 0.0, at, then

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds <= 0.1
        self.now += seconds
        if self.now >= self.at:
            self.at = 1e9
            self.then()


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


ELSEWHERE = """
import json, resource, sys, time
from pathlib import Path
from reo_cli.delivery.locks import lock
from reo_cli.errors import ReoError

folder, inputs, more, files, stays = json.loads(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
inputs = [Path(each) for each in inputs]
try:
    with lock(inputs, folder=Path(folder), clock=time.monotonic, sleep=time.sleep, **more):
        print("another", flush=True)
        stays and sys.stdin.readline()
except ReoError as error:
    print(error.exit_code, ascii(error.message)[1:-1])
"""


def start(
    folder: Path, *inputs: Path, files: int = 256, stays: bool = True, **more: Any
) -> "subprocess.Popen[str]":
    """Start a process that may open so many files and tries to take locks."""
    what = json.dumps([str(folder), [str(each) for each in inputs], more, files, stays])
    command = [sys.executable, "-c", ELSEWHERE, what]
    return subprocess.Popen(command, stdin=-1, stdout=subprocess.PIPE, text=True)


def elsewhere(folder: Path, *inputs: Path, **more: Any) -> str:
    """What another process says that tries to take locks: "another", if it could."""
    process = start(folder, *inputs, stays=False, **more)
    said, _ = process.communicate()
    assert process.returncode == 0
    return str(said).strip()


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


def test_all_or_none_and_a_busy_input_is_75_at_once(folder: Path, tmp_path: Path) -> None:
    inputs = [tmp_path / name for name in "abc"]
    for path in inputs:
        path.write_text("")
    for other in inputs:
        virtual = Virtual()
        with held_elsewhere(other):
            with pytest.raises(ReoError) as caught, locked(folder, *inputs, virtual=virtual):
                raise AssertionError
            assert (caught.value.exit_code, caught.value.reason) == (75, "locked")
            assert f"`{other}` is locked by another run: another" in caught.value.message
            assert "--wait" in caught.value.hint
            assert virtual.now == 0
            assert [is_free(path) for path in inputs] == [path != other for path in inputs]
    with locked(folder, *inputs):
        assert not any(is_free(path) for path in inputs)


def test_waiting_ends_when_the_lock_is_free_for_the_file_that_is_there_then(
    usage: Path, folder: Path, tmp_path: Path
) -> None:
    with held_elsewhere(usage) as free:

        def replace() -> None:
            (tmp_path / "new").write_text("new")
            (tmp_path / "new").replace(usage)
            free()

        virtual = Virtual(3, replace)
        with locked(folder, usage, virtual=virtual, wait=60.0):
            assert usage.read_text() == "new"
            assert not is_free(usage)
    assert 3 <= virtual.now < 3.1


def test_waiting_ends_at_its_time_and_can_be_given_up(usage: Path, folder: Path) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    virtual = Virtual()
    with held_elsewhere(usage):
        with (
            pytest.raises(ReoError, match="60 s still") as caught,
            locked(folder, usage, virtual=virtual, wait=60.0),
        ):
            raise AssertionError
        assert caught.value.exit_code == 75
        assert virtual.now == pytest.approx(60)
        given_up = locked(folder, usage, virtual=Virtual(1, stop), wait=60.0)
        with pytest.raises(KeyboardInterrupt), given_up:
            raise AssertionError


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


@pytest.mark.parametrize("name", ["nightly", "../../etc/x y", "", "x" * 300, "\udcff\x1b[0m"])
def test_a_name_is_locked(folder: Path, name: str) -> None:
    with locked(folder, name=name):
        (file,) = folder.iterdir()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert elsewhere(folder, name=name + "2") == "another"
        said = elsewhere(folder, name=name)
        assert said.startswith("75 the lock")
        assert said.endswith(f"process {os.getpid()}")
    assert elsewhere(folder, name=name) == "another"


@pytest.mark.parametrize("where", ["state", "/proc/reo"])
def test_a_name_needs_the_lock_file_and_an_input_does_not(
    usage: Path, tmp_path: Path, where: str
) -> None:
    """Where the user has no folder that can be written to, or a link is in its place."""
    folder = tmp_path / where
    if where == "state":
        folder.mkdir()
        (folder / locks.FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ReoError) as caught, locked(folder, name="x"):
        raise AssertionError
    assert (caught.value.exit_code, caught.value.reason) == (73, "no_lock")
    assert not (tmp_path / "elsewhere").exists()
    with locked(folder, usage):
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
        assert said.startswith("75 ")
        assert f"is locked by another run: process {os.getpid()}" in said
    assert elsewhere(folder, usage) == "another"


def test_many_inputs_take_few_descriptors(folder: Path, tmp_path: Path) -> None:
    inputs = [tmp_path / f"{number}.csv" for number in range(720)]
    for path in inputs:
        path.write_text("")
    holder = start(folder, *inputs, files=64)
    assert holder.stdout is not None
    assert holder.stdout.readline().strip() == "another"
    with pytest.raises(ReoError, match=f"process {holder.pid}"), locked(folder, inputs[700]):
        raise AssertionError
    holder.kill()
    holder.communicate()
    with locked(folder, *inputs):
        pass


def test_a_child_of_the_holder_does_not_keep_the_lock(usage: Path, folder: Path) -> None:
    with locked(folder, usage):
        command = [sys.executable, "-c", "input()"]
        child = subprocess.Popen(command, stdin=-1, close_fds=False, stdout=-1)
    try:
        deadline = time.monotonic() + 5  # the child lets go when it becomes another program
        while not is_free(usage):
            assert time.monotonic() < deadline
    finally:
        child.communicate(b"\n")

"""One run at a time for an input: locks held here, and runs of `send-file` that want them."""

import fcntl
import itertools
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reo_cli.delivery.locks import FILE, PAUSE, lock
from reo_cli.errors import ReoError
from tests.delivery.harness import Desk, ndjson, row


@pytest.fixture
def folder(desk: Desk) -> Path:
    """The user's state folder."""
    return desk.world.home / ".local/state/reo"


@pytest.fixture
def usage(desk: Desk) -> Path:
    return desk.csv([row(1)], "usage.csv")


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


def another_run(desk: Desk, *args: str | Path) -> str:
    """What keeps another run from its locks: nothing, or what it says of one that is held here."""
    run = desk.send(*args, input=ndjson([row(1)]))
    if run.code == 0:
        return ""
    assert (run.code, run.json["error"]["reason"]) == (75, "locked")
    what, _, holder = run.json["error"]["message"].partition(" is locked by another run: ")
    assert holder == f"process {os.getpid()}"
    return str(what)


def test_inputs_are_locked_in_the_block_and_free_after_it(usage: Path, folder: Path) -> None:
    """Each file once, however often and by whatever name it is given."""
    usage.with_name("link").symlink_to(usage)
    usage.with_name("hard").hardlink_to(usage)
    with lock([usage, usage, usage.with_name("link"), usage.with_name("hard")], folder=folder):
        assert not is_free(usage)
    assert is_free(usage)
    with pytest.raises(KeyboardInterrupt), lock([usage], folder=folder):
        raise KeyboardInterrupt
    assert is_free(usage)
    assert [each.name for each in folder.iterdir()] == [FILE], "one lock file for all"


def test_all_or_none_and_a_busy_input_is_75_at_once(folder: Path, desk: Desk) -> None:
    inputs, slept = [desk.csv([], name) for name in "abc"], list[float]()
    for other in inputs:
        with held_elsewhere(other):
            busy = lock(inputs, folder=folder, sleep=slept.append)
            with pytest.raises(ReoError) as caught, busy:
                raise AssertionError
            assert slept == []
            assert (caught.value.exit_code, caught.value.reason) == (75, "locked")
            assert f"`{other}` is locked by another run: another" in caught.value.message
            assert "--wait" in caught.value.hint
            assert [is_free(path) for path in inputs] == [path != other for path in inputs]
    with lock(inputs, folder=folder):
        assert not any(is_free(path) for path in inputs)


def test_waiting_ends_when_the_lock_is_free_for_the_file_that_is_there_then(
    usage: Path, folder: Path
) -> None:
    with held_elsewhere(usage) as free:

        def replaced(_: float) -> None:
            usage.with_name("new").write_text("new")
            usage.with_name("new").replace(usage)
            free()

        with lock([usage], folder=folder, wait=60.0, sleep=replaced):
            assert usage.read_text() == "new"
            assert not is_free(usage)


def test_waiting_ends_at_its_time_and_can_be_given_up(usage: Path, folder: Path) -> None:
    def stop(_: float) -> None:
        raise KeyboardInterrupt

    slept: list[float] = []
    clock = itertools.chain([0.0, 30.0, 59.96], itertools.repeat(60.0)).__next__
    with held_elsewhere(usage):
        waiting = lock([usage], folder=folder, wait=60.0, clock=clock, sleep=slept.append)
        with pytest.raises(ReoError, match="60 s still") as caught, waiting:
            raise AssertionError
        assert caught.value.exit_code == 75
        assert slept == pytest.approx([PAUSE, 0.04])
        with pytest.raises(KeyboardInterrupt), lock([usage], folder=folder, wait=60.0, sleep=stop):
            raise AssertionError


def test_shares_of_one_input_go_on_together(desk: Desk, usage: Path, folder: Path) -> None:
    with lock([usage], folder=folder, share="1/4"):
        assert another_run(desk, usage, "--shard", "2/4") == ""
        assert another_run(desk, usage, "--shard", "1/4") == f"share 1/4 of `{usage}`"
        assert another_run(desk, usage) == f"`{usage}`"
    with lock([usage], folder=folder):
        assert another_run(desk, usage, "--shard", "1/4") == f"`{usage}`"


def test_what_is_no_regular_file_has_no_lock(folder: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    inputs = [tmp_path / "pipe", tmp_path / "missing", tmp_path, Path("/dev/null")]
    with lock(inputs, folder=folder):
        assert not folder.exists()


@pytest.mark.parametrize("name", ["../../etc/x y", "x" * 300, "\udcff\x1b[0m"])
def test_a_name_is_locked(desk: Desk, folder: Path, name: str) -> None:
    with lock([], folder=folder, name=name):
        assert [each.name for each in folder.iterdir()] == [FILE]
        assert another_run(desk, "-", "--lock", name + "2") == ""
        assert another_run(desk, "-", "--lock", name).startswith("the lock `")
    assert another_run(desk, "-", "--lock", name) == ""


@pytest.mark.parametrize("where", ["state", "/proc/reo"])
def test_a_name_needs_the_lock_file_and_an_input_does_not(
    usage: Path, tmp_path: Path, where: str
) -> None:
    """Where the user has no folder that can be written to, or a link is in its place."""
    folder = tmp_path / where
    if where == "state":
        folder.mkdir()
        (folder / FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ReoError) as caught, lock([], folder=folder, name="x"):
        raise AssertionError
    assert (caught.value.exit_code, caught.value.reason) == (73, "no_lock")
    assert not (tmp_path / "elsewhere").exists()
    with lock([usage], folder=folder):
        assert not is_free(usage)


@pytest.mark.parametrize("why", ["no flock", "too many"])
def test_what_cannot_be_locked_itself_is_locked_by_the_lock_file(
    desk: Desk, usage: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    def unsupported(_: int, operation: int) -> None:
        raise OSError(38, f"Function {operation} not implemented")

    if why == "no flock":
        monkeypatch.setattr(fcntl, "flock", unsupported)
    else:  # inputs for the descriptors that a process may have
        monkeypatch.setattr(resource, "getrlimit", lambda _: (3, 3))
    link = usage.with_name("link.csv")
    link.symlink_to(usage)
    with lock([usage], folder=folder):
        monkeypatch.undo()
        assert is_free(usage)
        assert another_run(desk, link) == f"`{link}`"
    assert another_run(desk, usage) == ""


def test_a_child_of_the_holder_does_not_keep_the_lock(usage: Path, folder: Path) -> None:
    with lock([usage], folder=folder):
        command = [sys.executable, "-c", "input()"]
        child = subprocess.Popen(command, stdin=-1, close_fds=False, stdout=-1)
    try:
        deadline = time.monotonic() + 5  # the child lets go when it becomes another program
        while not is_free(usage):
            assert time.monotonic() < deadline
    finally:
        child.communicate(b"\n")

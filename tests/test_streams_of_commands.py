"""What becomes of commands whose output is full, closed or read by nobody, and of their bugs."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import Run, World

EVENT = "activity_type,count,domain,event_at,product_id\na,1,a.com,now,p\n"
SEND = "send -a A -n 1 -d a.com -p P --sandbox -o json"
SEND_FILE = "send-file a.csv --sandbox"
COMMANDS = ["--version", "validate --print-schema", "config list", "config path"]


def run(world: World, words: str, redirection: str) -> Run:
    """Run reo in a shell with its output redirected."""
    (world.folder / "a.csv").write_text(EVENT)
    line = f'"{sys.executable}" -m reo_cli {words} {redirection}'
    return world.execute("bash", "-c", line)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize(
    ("words", "done"),
    [
        *((words, "") for words in (*COMMANDS, "validate a.csv")),
        (SEND, "; the event was delivered"),  # a full disk does not hide it
        (SEND_FILE, "; 1 event delivered"),
    ],
)
def test_a_full_output_is_an_error(world: World, words: str, done: str) -> None:
    error = f"error: standard output cannot be written: No space left on device{done}\n"
    assert run(world, words, ">/dev/full") == Run(74, "", error)
    assert run(world, words, ">/dev/full 2>/dev/full") == Run(74, "", "")


@pytest.mark.parametrize("words", [*COMMANDS, "--help", "validate a.csv"])
def test_a_closed_output_and_a_reader_that_has_gone_are_not(world: World, words: str) -> None:
    for redirection in (">&-", "| true; exit ${PIPESTATUS[0]}", ">&- 2>&- <&-", ">&- 2>/dev/full"):
        assert run(world, words, redirection) == Run(0, "", "")


def test_a_signal_has_its_code_also_where_the_output_is_full(world: World) -> None:
    with (
        Path("/dev/full").open("w") as full,
        world.start(
            "validate", "-", stdin=subprocess.PIPE, stdout=full, stderr=subprocess.PIPE
        ) as process,
    ):
        assert process.stdin is not None
        process.stdin.write(EVENT.encode() + b"\n" * 300_000)
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"error: interrupted\nerror: standard output cannot be written: No space" in said


CTRL_C = """
import builtins, signal
real = builtins.__import__
def slow(name, *rest):
    if name == "reo_cli.cli.app": signal.raise_signal(signal.SIGINT)
    return real(name, *rest)
builtins.__import__ = slow
"""


def test_ctrl_c_while_modules_are_imported(world: World) -> None:
    done = world.run("--help", code=CTRL_C)
    assert (done.code, done.stderr) == (130, "")


BROKEN = """
import reo_cli.checks.checker as c
def check(self, record): raise ZeroDivisionError("boom")
c.Checker.check = check
"""


@pytest.mark.parametrize("line", ["validate a.csv", "send-file a.csv --dry-run", SEND])
def test_a_bug_is_told_and_json_is_one_line(world: World, line: str) -> None:
    (world.folder / "a.csv").write_text(EVENT)
    done = world.run(*line.split(), "-o", "json", code=BROKEN)
    assert (done.code, done.json["exit_code"], done.json["error"]["reason"]) == (70, 70, "bug")
    assert done.json["error"]["message"] == "a bug in reo: ZeroDivisionError"
    assert "a bug in reo: ZeroDivisionError in check: boom" in done.stderr


def test_exit_0_is_not_for_a_system_exit_from_inside(world: World) -> None:
    code = "import reo_cli.settings\ndef boom(*_): raise SystemExit(0)\n"
    done = world.run("config", "list", code=f"{code}reo_cli.settings.resolve = boom")
    assert (done.code, "a bug in reo: SystemExit" in done.stderr) == (70, True)


@pytest.mark.parametrize(
    ("command", "code"), [("validate -", 65), ("send-file - --sandbox", 1), ("send --json -", 65)]
)
def test_a_person_is_told_that_input_is_awaited(world: World, command: str, code: int) -> None:
    """No bar stands where the person types."""
    ours, theirs = os.openpty()
    process = world.start(
        *command.split(),
        env={"TERM": "xterm-256color"},
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    told = b""
    while b"reading from the terminal, end with Ctrl-D\r\n" not in told:
        told += os.read(ours, 1000)
    time.sleep(0.5)
    os.write(ours, b"{}\n\x04")
    process.communicate(timeout=60)
    told += os.read(ours, 1000)
    os.close(ours)
    assert (process.returncode, b"\x1b[K" in told) == (code, False)

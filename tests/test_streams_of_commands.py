"""What becomes of commands whose output is full, closed or read by nobody, and of their bugs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import World

COMMANDS = ["--version", "validate --print-schema", "config list", "config path"]


def run(world: World, words: str, redirection: str) -> tuple[int, bytes]:
    """Run reo in a shell with its output redirected; give its code and what it says."""
    line = f'"{sys.executable}" -m reo_cli {words} {redirection}'
    command = ["bash", "-c", line]
    done = subprocess.run(command, env=world.environ(), cwd=world.folder, capture_output=True)
    return done.returncode, done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize("words", COMMANDS)
def test_a_full_output_is_an_error(world: World, words: str) -> None:
    code, said = run(world, words, ">/dev/full")
    assert code == 74
    assert b"standard output cannot be written: No space left" in said
    assert said.count(b"error:") == 1


@pytest.mark.parametrize("words", [*COMMANDS, "--help"])
def test_a_closed_output_and_a_reader_that_has_gone_are_not(world: World, words: str) -> None:
    assert run(world, words, ">&-") == (0, b"")
    assert run(world, words, "| true; exit ${PIPESTATUS[0]}") == (0, b"")


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


@pytest.mark.parametrize("line", ["validate a.csv", "send-file a.csv --dry-run", "send -d a.com"])
def test_a_bug_is_told_and_json_is_one_line(world: World, line: str) -> None:
    (world.folder / "a.csv").write_text(
        "activity_type,count,domain,event_at,product_id\na,1,a.com,now,p\n"
    )
    options = ["--sandbox"] if line.startswith("send ") else []
    done = world.run(*line.split(), *options, "-o", "json", code=BROKEN)
    assert (done.code, done.json["exit_code"], done.json["error"]["reason"]) == (70, 70, "bug")
    assert "a bug in reo: ZeroDivisionError in check: boom" in done.stderr


def test_exit_0_is_not_for_a_system_exit_from_inside(world: World) -> None:
    code = "import reo_cli.settings\ndef boom(*_): raise SystemExit(0)\n"
    done = world.run("config", "list", code=f"{code}reo_cli.settings.resolve = boom")
    assert (done.code, "a bug in reo: SystemExit" in done.stderr) == (70, True)


@pytest.mark.parametrize("command", [["validate", "-"], ["send-file", "-", "--dry-run"]])
def test_a_person_is_told_that_input_is_awaited(world: World, command: list[str]) -> None:
    ours, theirs = os.openpty()
    process = world.start(*command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    os.close(theirs)
    assert process.stderr is not None
    assert process.stderr.readline() == b"reading from the terminal, end with Ctrl-D\n"
    os.write(ours, b"{}\n\x04")
    process.communicate(timeout=60)
    os.close(ours)
    assert process.returncode == 65

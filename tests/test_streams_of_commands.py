"""What becomes of commands whose standard output is full, closed, or read by nobody."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import World

COMMANDS = [
    ["--version"],
    ["validate", "--print-schema"],
    ["config", "list"],
]


def run(world: World, words: list[str], redirection: str) -> tuple[int, bytes]:
    """Run reo in a shell with its output redirected; give its code and what it says."""
    line = f'"{sys.executable}" -m reo_cli {" ".join(words)} {redirection}'
    done = subprocess.run(
        ["bash", "-c", line], env=world.environ(), cwd=world.folder, capture_output=True
    )
    return done.returncode, done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_full_output_is_an_error(world: World, words: list[str]) -> None:
    code, said = run(world, words, ">/dev/full")
    assert code == 74
    assert b"standard output cannot be written: No space left" in said
    assert said.count(b"error:") == 1


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_closed_output_and_a_reader_that_has_gone_are_not(world: World, words: list[str]) -> None:
    assert run(world, words, ">&-") == (0, b"")
    assert run(world, words, "| true; exit ${PIPESTATUS[0]}") == (0, b"")


def test_ctrl_c_while_modules_are_imported(world: World) -> None:
    code = (
        "import signal, sys, builtins\n"
        "import reo_cli.cli\n"
        "real = builtins.__import__\n"
        "def slow(name, *rest):\n"
        "    if name == 'reo_cli.cli.app': signal.raise_signal(signal.SIGINT)\n"
        "    return real(name, *rest)\n"
        "builtins.__import__ = slow\n"
        "reo_cli.cli.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--help"], env=world.environ(), capture_output=True
    )
    assert (done.returncode, done.stderr) == (130, b"")


@pytest.mark.parametrize(
    "command",
    [["validate", "a.csv"], ["send-file", "a.csv", "--dry-run"], ["send", "-d", "a.com"]],
    ids=lambda words: words[0],
)
def test_json_is_one_line_even_after_a_bug(world: World, command: list[str]) -> None:
    broken = world.folder / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(
        "import reo_cli.checks.checker as c\n"
        "def check(self, record): raise ZeroDivisionError('boom')\n"
        "c.Checker.check = check\n"
    )
    (world.folder / "a.csv").write_text(
        "activity_type,count,domain,event_at,product_id\na,1,a.com,now,p\n"
    )
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    options = ["--sandbox"] if command[0] == "send" else []
    process = world.start(
        *command, *options, "-o", "json", env={"PYTHONPATH": str(broken)}, **pipes
    )
    out, err = process.communicate(timeout=30)
    assert process.returncode == 70
    told = json.loads(out)
    assert (told["exit_code"], told["error"]["reason"]) == (70, "bug")
    assert b"a bug in reo: ZeroDivisionError in check: boom" in err


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

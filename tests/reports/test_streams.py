import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from threading import Thread

import pytest

from reo_cli.errors import ExitCode
from reo_cli.reports.streams import Streams
from tests.reports.samples import KEY, Terminal

ROOT = Path(__file__).parents[2]


def test_a_reader_that_went_away_ends_the_display_only() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as file:
        streams = Streams(file, None, {})
        streams.out.lines("one")
        streams.out.lines("two")
    assert streams.out.fault is None
    assert streams.exit_code(ExitCode.DATA) is ExitCode.DATA


def test_a_full_disk_is_a_fault_of_the_process() -> None:
    with Path("/dev/full").open("w") as file:
        streams = Streams(file, None, {})
        streams.out.lines("result")
        streams.out.lines("more")
    assert streams.out.fault is not None
    assert streams.out.fault.errno == errno.ENOSPC
    assert streams.exit_code(ExitCode.OK) is ExitCode.IO
    assert streams.exit_code(ExitCode.INTERRUPTED) is ExitCode.INTERRUPTED


def test_a_full_disk_below_stderr_is_nobodys_fault() -> None:
    with Path("/dev/full").open("w") as file:
        streams = Streams(None, file, {})
        streams.err.lines("talk")
    assert streams.exit_code(ExitCode.OK) is ExitCode.OK


def test_closed_and_missing_streams_are_silent(tmp_path: Path) -> None:
    file = (tmp_path / "out").open("w")
    streams = Streams(file, None, {})
    file.close()
    streams.out.lines("to nobody")
    streams.err.lines("to nobody")
    assert streams.out.fault is None


def test_a_pipe_that_does_not_block_gets_all_of_it() -> None:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETFL, fcntl.fcntl(writer, fcntl.F_GETFL) | os.O_NONBLOCK)
    received: list[bytes] = []
    with os.fdopen(reader, "rb") as source, os.fdopen(writer, "w") as file:
        streams = Streams(file, None, {})
        assert os.get_blocking(writer)
        thread = Thread(target=lambda: received.append(source.read(1_000_001)))
        thread.start()
        streams.out.lines("x" * 1_000_000)
        thread.join(20)
    assert received == [b"x" * 1_000_000 + b"\n"]


def test_a_stream_that_cannot_show_our_glyphs_gets_others(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w", encoding="ascii") as file:
        Streams(file, None, {}).out.lines("≈ 3 ━… Zoë")
    assert (tmp_path / "out").read_bytes() == b"~ 3 =... Zo\\xeb\n"


def test_lines_are_masked_and_inert(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as file:
        streams = Streams(file, None, {})
        streams.mask.hide(KEY)
        streams.out.lines(f"a {KEY} b", "::error::x")
    assert (tmp_path / "out").read_text() == "a **** b\n\\x3a:error::x\n"


@pytest.mark.parametrize(
    ("environ", "colour"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "xterm", "NO_COLOR": "1", "FORCE_COLOR": "1", "GITHUB_ACTIONS": "true"}, False),
        ({"TERM": "dumb"}, False),
        ({}, False),
    ],
)
def test_colour_on_a_terminal(environ: Mapping[str, str], colour: bool) -> None:
    terminal = Terminal()
    streams = Streams(terminal.file, None, environ)
    streams.out.lines(streams.out.paint("text", "bad"))
    assert ("\x1b[" in terminal.text()) is colour


def test_nothing_forces_colour_into_a_file(tmp_path: Path) -> None:
    environ = {"TERM": "xterm-256color", "FORCE_COLOR": "1", "GITHUB_ACTIONS": "true"}
    with (tmp_path / "out").open("w") as file:
        streams = Streams(file, None, environ)
        assert not streams.out.colour
        assert not streams.out.can_overwrite


def test_the_width_is_that_of_the_terminal_unless_columns_says_otherwise() -> None:
    terminal = Terminal(columns=61)
    assert Streams(terminal.file, None, {}).out.width == 61
    assert Streams(terminal.file, None, {"COLUMNS": "33"}).out.width == 33
    assert Streams(terminal.file, None, {"COLUMNS": "wide"}).out.width == 61
    assert Streams(None, None, {}).out.width == 80
    terminal.text()


def test_the_bar_gives_way_to_what_is_written_on_the_same_screen() -> None:
    terminal = Terminal()
    streams = Streams(terminal.file, terminal.file, {"TERM": "xterm"})
    streams.err.overlay("BAR")
    streams.out.lines("result")
    streams.err.overlay("")
    streams.out.lines("end")
    erase = "\r\x1b[K"
    assert terminal.text() == f"{erase}BAR{erase}result\nBAR{erase}end\n"


def run(script: str, redirect: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a line of sh in which `$REPORT` is the driver of these tests."""
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; $REPORT {script} {redirect}"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "REPORT": f"{sys.executable} -m tests.reports.driver",
            **environ,
        },
        timeout=60,
    )


@pytest.mark.parametrize("output", ["text", "ndjson"])
def test_a_reader_of_one_line_changes_nothing(output: str) -> None:
    answer = run(f"many {output}", "| head -1")
    assert answer.returncode == 0
    assert answer.stderr.count("\n") <= 1 or output == "github"
    assert "Exception" not in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    ("redirect", "code"),
    [
        (">&-", 65),
        ("2>&-", 65),
        (">&- 2>&- <&-", 65),
        (">/dev/full", 74),
        ("2>/dev/full", 65),
        (">/dev/full 2>/dev/full", 74),
    ],
)
@pytest.mark.parametrize("output", ["text", "json"])
def test_closed_and_full_streams_end_with_the_right_code(
    redirect: str, code: int, output: str
) -> None:
    answer = run(f"validate {output}", redirect)
    assert answer.returncode == code
    assert "Exception" not in answer.stderr
    assert "Traceback" not in answer.stderr
    assert ("No space left on device" in answer.stderr) is (redirect == ">/dev/full")


@pytest.mark.parametrize("output", ["table", "json"])
@pytest.mark.parametrize("command", ["validate", "send-file"])
def test_a_locale_of_ascii_shows_everything(command: str, output: str) -> None:
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    answer = run(f"{command} {output}", **plain)
    assert answer.returncode in (1, 65)
    assert (answer.stdout + answer.stderr).isascii()
    assert "Traceback" not in answer.stderr
    if (command, output) == ("validate", "table"):
        assert "12,345+ different" in answer.stdout
    elif (command, output) == ("send-file", "table"):
        assert "-----" in answer.stdout


def test_a_file_opened_later_does_not_become_standard_output(tmp_path: Path) -> None:
    target = tmp_path / "ledger"
    script = (
        "from reo_cli.reports import Streams; import os, sys\n"
        "streams = Streams.standard()\n"
        f"file = open({str(target)!r}, 'w')\n"
        "os.write(1, b'stray'); sys.exit(file.fileno() < 3)"
    )
    answer = subprocess.run(["bash", "-c", f'{sys.executable} -c "$0" >&- 2>&-', script])
    assert answer.returncode == 0
    assert target.read_text() == ""

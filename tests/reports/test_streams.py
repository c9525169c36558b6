import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest

from reo_cli.errors import ExitCode
from reo_cli.reports.streams import Streams
from tests.reports.samples import on_screen

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


def test_a_full_disk_is_a_fault_of_standard_output_only() -> None:
    with Path("/dev/full").open("w") as file, Path("/dev/full").open("w") as other:
        streams = Streams(file, other, {})
        streams.err.lines("talk")
        assert streams.exit_code(ExitCode.OK) is ExitCode.OK
        streams.out.lines("result")
        streams.out.lines("more")
    assert streams.out.fault is not None
    assert streams.out.fault.errno == errno.ENOSPC
    assert streams.exit_code(ExitCode.OK) is ExitCode.IO
    assert streams.exit_code(ExitCode.INTERRUPTED) is ExitCode.INTERRUPTED


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
        thread = Thread(target=lambda: received.append(source.read(1_000_001)))
        thread.start()
        streams.out.lines("x" * 1_000_000)
        thread.join(20)
    assert received == [b"x" * 1_000_000 + b"\n"]


def test_a_stream_that_cannot_show_our_glyphs_gets_others(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w", encoding="ascii") as file:
        Streams(file, None, {}).out.lines("≈ 3 ━… Zoë")
    assert (tmp_path / "out").read_bytes() == b"~ 3 =... Zo\\xeb\n"


@pytest.mark.parametrize(
    ("environ", "colour"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "xterm", "NO_COLOR": "1", "FORCE_COLOR": "1", "GITHUB_ACTIONS": "true"}, False),
        ({"TERM": "dumb"}, False),
        ({"LANG": "C"}, False),
    ],
)
def test_colour_on_a_terminal(environ: dict[str, str], colour: bool) -> None:
    shown = on_screen(lambda s, _: s.out.lines(s.out.paint("text", "bad")), environ=environ)
    assert ("\x1b[" in shown) is colour


@pytest.mark.parametrize(
    ("environ", "width"), [({"A": ""}, 61), ({"COLUMNS": "33"}, 33), ({"COLUMNS": "wide"}, 61)]
)
def test_the_width_is_that_of_the_terminal_unless_columns_says_otherwise(
    environ: dict[str, str], width: int
) -> None:
    assert on_screen(lambda s, _: s.out.write(str(s.out.width)), 61, environ) == str(width)
    assert Streams(None, None, {}).out.width == 80


def test_the_bar_gives_way_to_what_is_written_on_the_same_screen() -> None:
    def act(streams: Streams, _: object) -> None:
        streams.err.overlay("BAR")
        streams.out.lines("result")
        streams.err.overlay("")
        streams.out.lines("end")

    erase = "\r\x1b[K"
    assert on_screen(act) == f"{erase}BAR{erase}result\nBAR{erase}end\n"


def run(script: str, redirect: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a line of sh that reports one of the samples."""
    report = f"{sys.executable} -m tests.reports.samples {script} {redirect}"
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {report}"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environ},
        timeout=60,
    )


@pytest.mark.parametrize("output", ["text", "ndjson"])
def test_a_reader_of_one_line_changes_nothing(output: str) -> None:
    answer = run(f"many {output}", "| head -1")
    assert (answer.returncode, answer.stderr) == (0, "")


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
def test_closed_and_full_streams_end_with_the_right_code(redirect: str, code: int) -> None:
    answer = run("validate text", redirect)
    assert answer.returncode == code
    assert "Exception" not in answer.stderr
    assert "Traceback" not in answer.stderr
    assert ("No space left on device" in answer.stderr) is (redirect == ">/dev/full")


@pytest.mark.parametrize(
    ("command", "done"),
    [("send json", "the event was delivered"), ("send-file text", "9,993 of 10,000 events")],
)
def test_a_full_disk_does_not_hide_what_was_delivered(command: str, done: str) -> None:
    answer = run(command, ">/dev/full")
    assert answer.returncode == 74
    assert f"standard output cannot be written: No space left on device; {done}" in answer.stderr


@pytest.mark.parametrize(
    ("command", "shown"), [("validate", "12,345+ different"), ("send-file", "-----")]
)
def test_a_locale_of_ascii_shows_everything(command: str, shown: str) -> None:
    answer = run(f"{command} table", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert answer.returncode in (1, 65)
    assert (answer.stdout + answer.stderr).isascii()
    assert shown in answer.stdout


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

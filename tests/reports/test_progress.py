import re
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from reo_cli.readers.source import open_source, share_read
from reo_cli.records import Progress
from reo_cli.reports import Streams, Talk
from reo_cli.reports.progress import bar_line, log_line
from reo_cli.reports.send_file import SendFileReport
from tests.reports.samples import COUNT, Act, on_screen, one_input, piped

ERASE = "\r\x1b[K"


def progress(done: int = 400, total: int | None = 1000, **changes: Any) -> Progress:
    values: dict[str, Any] = {"failures": 0, "rate": 100.0, "limit": 8, "elapsed": 4.0}
    return Progress(done, total, **(values | changes))


BUSY = progress(failures=3, waiting="waiting 12 s (429)")


def bar(given: Progress, columns: int = 80) -> str:
    err = Streams(None, None, {"COLUMNS": str(columns)}).err
    return bar_line(given, "failed", err)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (progress(), "400 of 1,000 (40 %), 100 a second, about 6.0 s left, 8 at once"),
        (progress(total=None), "400 so far, 100 a second, 8 at once"),
        (progress(total=None, share=0.505, limit=0), "400 so far (50 %), 100 a second"),
        (progress(0, 0, rate=0.0, limit=0), "0 of 0"),
        (
            BUSY,
            "400 of 1,000 (40 %), 100 a second, about 6.0 s left, 3 failed, 8 at once,"
            " waiting 12 s (429)",
        ),
    ],
)
def test_the_line_of_a_log(given: Progress, expected: str) -> None:
    assert log_line(given, "failed") == expected


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (
            100,
            "━━━━━━━━━━━                 "
            "  400/1,000  100/s  6.0 s left  3 failed  8 at once  waiting 12 s (429)",
        ),
        (74, "400/1,000  100/s  6.0 s left  3 failed  8 at once  waiting 12 s (429)"),
        (50, "━━━       400/1,000  3 failed  waiting 12 s (429)"),
        (40, "400/1,000  3 failed  waiting 12 s (429)"),
        (30, "400/1,000  waiting 12 s (429)"),
        (20, "━━━       400/1,000"),
    ],
)
def test_the_bar_fits_its_screen(columns: int, expected: str) -> None:
    assert bar(BUSY, columns) == expected


def test_a_bar_pulses_shows_the_bytes_and_is_never_longer_than_full() -> None:
    pulsing = bar(progress(total=None))
    assert "━" in pulsing
    assert "400 so far" in pulsing
    checking = bar(progress(total=None, share=0.505, limit=0))
    assert checking.startswith("━" * 15)
    assert "  50 %  400 so far  " in checking
    for given in (progress(2000), progress(0, 0), progress(1000)):
        assert bar(given).count("━") == 30


def test_the_share_is_that_of_all_files_and_unknown_for_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 300)
    (tmp_path / "b").write_bytes(b"x" * 100)
    first, second = (open_source(str(tmp_path / name)) for name in "ab")
    assert share_read([first, second]) == 0
    first.read(200)
    assert share_read([first, second]) == 0.5
    first.rewind()
    second.read()
    assert share_read([first, second]) == 0.25
    second.streamed = True
    assert share_read([second]) is None


def ticks(step: float) -> Callable[[], float]:
    """A clock that goes on by `step` seconds every time it is read."""
    return count(0.0, step).__next__


def run(step: float, calls: int) -> Act:
    """A run that tells its progress and an issue, on a clock of such steps."""

    def act(streams: Streams, talk: Talk) -> object:
        with SendFileReport(None, streams, talk, clock=ticks(step)) as report:
            for done in range(calls):
                report.progress(progress(done))
            report.issue(COUNT)
            report.progress(progress(999))
            return report.finish(one_input())

    return act


def test_a_file_gets_a_line_every_ten_seconds_whatever_wants_to_force_a_bar() -> None:
    environ = {"TERM": "xterm", "FORCE_COLOR": "1", "GITHUB_ACTIONS": "true"}
    *lines, issue = piped(run(1.0, 35), environ).err.splitlines()
    assert [line.partition(" of ")[0] for line in lines] == ["9", "19", "29"]
    assert issue.startswith("usage.csv:17:")


def test_a_short_or_quiet_run_says_nothing_of_its_progress() -> None:
    assert piped(run(0.001, 1000)).err.startswith("usage.csv:17:")
    assert piped(run(11.0, 20), quiet=True).err.startswith("usage.csv:17:")


def test_the_bar_is_drawn_now_and_then_and_gone_at_the_end() -> None:
    screen = on_screen(run(0.05, 1000), columns=100)
    assert 300 < screen.count(ERASE) <= 505
    assert re.search(rf"{re.escape(ERASE)}━+╸? +99\d/1,000", screen)
    assert screen.index("usage.csv:17: ") > screen.rindex("/1,000")
    end = screen[screen.rindex(ERASE) :]
    assert "━" not in end
    assert "result  3 events delivered" in end


@pytest.mark.parametrize("environ", [{"TERM": "dumb"}, {"LANG": "C"}])
def test_a_terminal_that_cannot_go_back_gets_lines(environ: dict[str, str]) -> None:
    screen = on_screen(run(1.0, 35), environ=environ)
    assert "\x1b" not in screen
    assert "9 of 1,000 (0 %)" in screen


def test_an_exception_leaves_no_bar_behind() -> None:
    def act(streams: Streams, talk: Talk) -> None:
        report = SendFileReport(None, streams, talk, clock=ticks(1.0))
        with suppress(ZeroDivisionError), report:
            report.progress(progress())
            raise ZeroDivisionError
        report.progress(progress())

    assert on_screen(act).endswith(ERASE)

import fcntl
import os
from pathlib import Path
from threading import Thread

import pytest

from reo_cli.reports import Streams
from tests.reports.samples import on_screen


def test_a_reader_that_went_away_is_no_fault() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as file:
        streams = Streams(file, None, {})
        streams.out.lines("one")
        streams.out.lines("two")
    assert streams.out.fault is None


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

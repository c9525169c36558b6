from pathlib import Path

from reo_cli.errors import ExitCode, ReoError
from reo_cli.reports import Streams, Talk
from tests.reports.samples import KEY, on_screen, piped


def everything(streams: Streams, talk: Talk) -> None:
    talk.error(ReoError(ExitCode.CONFIG, "no_key", f"no key [/x] \x1b {KEY}", "set\none"))
    talk.warning("careful")
    talk.warning("very careful", loud=True)
    talk.hint("try")
    talk.note("by the way")
    talk.verbose("attempt 1: HTTP 503")


def test_words_in_a_pipe(tmp_path: Path) -> None:
    assert piped(everything, tmp_path).err == (
        "error: no key [/x] \\x1b ****\nhint: set\\none\n"
        "warning: careful\nwarning: very careful\nhint: try\nby the way\n"
    )


def test_words_on_a_terminal() -> None:
    assert on_screen(everything, environ={"TERM": "xterm"}) == (
        "\x1b[1;31merror:\x1b[0m no key [/x] \\x1b ****\n\x1b[36mhint:\x1b[0m set\\none\n"
        "\x1b[33mwarning:\x1b[0m careful\n\x1b[33mwarning:\x1b[0m very careful\n"
        "\x1b[36mhint:\x1b[0m try\nby the way\n"
    )


def test_quiet_leaves_errors_and_what_is_loud(tmp_path: Path) -> None:
    assert piped(everything, tmp_path, quiet=True, verbose=True).err == (
        "error: no key [/x] \\x1b ****\nhint: set\\none\nwarning: very careful\n"
    )


def test_verbose_adds_its_lines(tmp_path: Path) -> None:
    assert piped(everything, tmp_path, verbose=True).err.endswith("attempt 1: HTTP 503\n")

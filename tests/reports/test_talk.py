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


def test_words_in_a_pipe() -> None:
    error = "error: no key [/x] \\x1b ****\nhint: set\\none\n"
    rest = "warning: careful\nwarning: very careful\nhint: try\nby the way\n"
    assert piped(everything).err == error + rest
    assert piped(everything, verbose=True).err == f"{error}{rest}attempt 1: HTTP 503\n"
    assert piped(everything, quiet=True, verbose=True).err == f"{error}warning: very careful\n"


def test_words_on_a_terminal() -> None:
    assert on_screen(everything, environ={"TERM": "xterm"}) == (
        "\x1b[1;31merror:\x1b[0m no key [/x] \\x1b ****\n\x1b[36mhint:\x1b[0m set\\none\n"
        "\x1b[33mwarning:\x1b[0m careful\n\x1b[33mwarning:\x1b[0m very careful\n"
        "\x1b[36mhint:\x1b[0m try\nby the way\n"
    )

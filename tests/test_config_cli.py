"""`reo config` at a terminal, and what it refuses; the rest is in `transcripts/config.txt`."""

import os
import pty
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.conftest import CANARY as KEY
from tests.conftest import Run, World
from tests.faults import FaultServer, answer

Reo = Callable[..., Run]
Terminal = Callable[..., tuple[int, str]]

PROMPT = "not shown as you type"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The path of a config file in a folder that does not exist."""
    return tmp_path / "settings" / "config.toml"


@pytest.fixture
def terminal(world: World, config: Path) -> Terminal:
    """Run `reo config …` at a pseudo-terminal; give the exit code and all that was shown.

    `script` says what to wait for, one after the other, and what is typed then.
    """

    def run(*args: str, script: tuple[tuple[str, str], ...] = (), **env: str) -> tuple[int, str]:
        settings = {"REO_CONFIG": str(config), "TERM": "xterm", "COLUMNS": "300", **env}
        pid, descriptor = pty.fork()
        if pid == 0:
            os.chdir(world.folder)
            command = [sys.executable, "-m", "reo_cli", "config", *args]
            os.execve(sys.executable, command, world.environ(settings))
        screen, steps = "", list(script)
        with suppress(OSError):  # EIO: the other side is closed
            while data := os.read(descriptor, 65536):
                screen += data.decode(errors="replace")
                while steps and steps[0][0] in screen:
                    os.write(descriptor, steps.pop(0)[1].encode())
        _, status = os.waitpid(pid, 0)
        os.close(descriptor)
        assert not steps, screen
        assert KEY not in screen
        assert "Traceback" not in screen
        return os.waitstatus_to_exitcode(status), screen

    return run


def written(config: Path, text: str) -> None:
    config.parent.mkdir()
    config.write_text(text)


@pytest.mark.parametrize(
    ("args", "stdin", "code", "said"),
    [
        (["set", KEY], KEY, 2, "there is no setting of that name"),
        (["set", "concurrency"], KEY, 2, "`concurrency` needs a value"),
        (["set", "retries", "1", "--profile", " "], KEY, 2, "--profile"),
        (["set", f"api_key={KEY}"], KEY, 2, "command line"),
        (["set", "api_key", KEY, "-x"], KEY, 2, ""),
        (["set", "api_key"], KEY, 2, "there is no terminal"),
        *(
            (["set", "api_key", "-"], key, 78, "key")
            for key in ("", "short\n", "k" * 5000, "two\nlines\n", b"\xff" * 20)
        ),
    ],
)
def test_what_is_refused(
    reo: Reo, config: Path, args: list[str], stdin: str | bytes, code: int, said: str
) -> None:
    result = reo("config", *args, env={"REO_CONFIG": str(config)}, input=stdin)
    assert (result.code, result.stdout) == (code, "")
    assert result.stderr.startswith("error: ")
    assert said in result.stderr
    assert not config.exists()


def test_init_asks_and_writes_and_keeps_what_is_there(terminal: Terminal, config: Path) -> None:
    script = (PROMPT, f"{KEY}\n"), ("product id", "reoWebApp\n"), ("environment", "\n")
    code, screen = terminal("init", script=script)
    assert code == 0
    assert config.read_text() == f'api_key = "{KEY}"\nproduct_id = "reoWebApp"\n'
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert "reo config doctor" in screen
    before = f'# mine\n[profiles.p]\napi_key = "{KEY}"\nproduct_id = "old"\n'
    config.write_text(before)
    script = (PROMPT, "\n"), ("product id", "\n"), ("environment", "PRODUCTION\n")
    assert terminal("init", "--profile", "p", script=script)[0] == 0
    assert config.read_text() == f'{before}environment = "PRODUCTION"\n'
    config.write_text("x = \n")
    assert terminal("init")[0] == 78  # before it asks


@pytest.mark.parametrize(
    ("typed", "code", "end"), [("\x03", 130, "\n"), ("\x04", 2, ""), ("short\n", 78, "")]
)
def test_init_can_be_left(
    terminal: Terminal, config: Path, typed: str, code: int, end: str
) -> None:
    found, screen = terminal("init", script=((PROMPT, typed),), COLUMNS="60")
    assert found == code
    assert screen.endswith(end)  # the prompt of the shell has a line of its own
    assert "these settings go to\r\n`/" in screen  # the path stays whole
    assert not config.exists()


@pytest.mark.parametrize(
    ("args", "text"),
    [(["--profile", "p"], f'[profiles.p]\napi_key = "{KEY}"\n'), (["-"], f'api_key = "{KEY}"\n')],
)
def test_a_key_at_a_terminal_is_not_echoed(
    terminal: Terminal, config: Path, args: list[str], text: str
) -> None:
    assert terminal("set", "api_key", *args, script=((PROMPT, f"{KEY}\n"),))[0] == 0
    assert config.read_text() == text


def test_a_group_alone_shows_its_page_in_colour(terminal: Terminal) -> None:
    code, screen = terminal()
    assert code == 2
    assert screen.startswith("\x1b[1mUsage:\x1b[0m reo config")
    assert "error:" not in screen


def test_list_has_a_line_for_each_setting_on_a_terminal(terminal: Terminal, config: Path) -> None:
    written(config, 'account = "a\\u001b[31mred\\u202e"\n')
    code, screen = terminal("list", REO_API_KEY=KEY, NO_COLOR="1", COLUMNS="80")
    assert code == 0
    keys = [line.split()[0] for line in screen.splitlines() if line]
    assert keys[:3] == ["api_key", "account", "endpoint"]  # what is set comes first
    assert "********abcd  (environment REO_API_KEY)" in screen
    assert str(config) in screen
    assert "a\\x1b[31mred\\u202e" in screen
    assert "\x1b[" not in screen


def test_doctor(reo: Reo, terminal: Terminal) -> None:
    with FaultServer(answer(404)) as server:
        given = {"REO_ENDPOINT": server.url, "REO_API_KEY": KEY}
        result = reo("config", "doctor", env={**given, "REO_API_KEY": None})
        code, screen = terminal("doctor", **given)
        in_json = reo("config", "doctor", "-o", "json", env=given)
    assert (result.code, result.stderr) == (78, "")
    assert "failed: key: there is no API key" in result.stdout
    assert "ok: tcp: " in result.stdout
    assert code == 0
    assert "✓ " in screen
    assert "ready to send" in screen.splitlines()[-1]
    content = in_json.json
    assert list(content) == ["schema", "status", "exit_code", "checks", "error"]
    assert content["schema"] == "reo.doctor/1"
    assert (content["status"], content["exit_code"], in_json.code) == ("warning", 0, 0)
    assert {tuple(check) for check in content["checks"]} == {("name", "status", "message", "hint")}
    gone = reo("config", "doctor", "-o", "json", env=given)
    assert (gone.code, gone.json["exit_code"]) == (69, 69)

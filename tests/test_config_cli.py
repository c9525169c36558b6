"""`reo config` as a user runs it: in a pipe, in a script, at a terminal."""

import os
import pty
import re
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from reo_cli.settings import SETTINGS
from tests.conftest import CANARY as KEY
from tests.conftest import Run, World
from tests.faults import FaultServer, answer

Reo = Callable[..., Run]
Terminal = Callable[..., tuple[int, str]]

PROMPT = "not shown as you type"
NEW = {"REO_API_KEY": KEY, "REO_RATE": "2.5", "REO_LEDGER": "/l.db", "REO_ENVIRONMENT": KEY}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The path of a config file in a folder that does not exist."""
    return tmp_path / "settings" / "config.toml"


@pytest.fixture
def run(reo: Reo, config: Path) -> Reo:
    """Run `reo config …` with that config file; capitals are variables."""

    def run(*args: str, stdin: str | bytes = "", **env: str) -> Run:
        return reo("config", *args, env={"REO_CONFIG": str(config), **env}, input=stdin)

    return run


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


def rows(text: str) -> dict[str, list[str]]:
    """Return the columns of each line of a plain table by its first one."""
    lines = [re.split(r" {2,}", line) for line in text.splitlines()]
    return {line[0]: line[1:] for line in lines}


def written(config: Path, text: str) -> None:
    config.parent.mkdir()
    config.write_text(text)


# In pipes


def test_list_and_get_show_value_and_source(run: Reo, config: Path) -> None:
    written(config, 'retries = 2\naccount = "a\\u001b[31mred\\u202e"\n[profiles.prod.map]\n')
    run("set", "map.domain", "Company Domain", "--profile", "prod")
    table = rows(run("list", "--profile", "prod", **NEW).stdout)
    assert list(table) == ["setting", *(each.key for each in SETTINGS), "map.domain"]
    assert table["timeout"] == ["10", "default"]
    assert table["environment"][0] == "****"
    assert table["endpoint"][0] == "https://ingest.reo.dev/api/product/aggregateusage"
    assert table["api_key"] == ["********abcd", "environment REO_API_KEY"]
    assert table["rate"] == ["2.5", "environment REO_RATE"]
    assert table["retries"] == ["2", str(config)]
    assert table["map.domain"] == ["Company Domain", f"profile prod in {config}"]
    assert table["account"][0] == "a\\x1b[31mred\\u202e"
    content = run("list", "-o", "json", **NEW).json
    assert (content["schema"], content["error"]) == ("reo.config/1", None)
    assert content["config_file"] == str(config)
    settings = {row["key"]: tuple(row.values()) for row in content["settings"]}
    assert list(content["settings"][0]) == ["key", "value", "source", "file", "used"]
    assert settings["retries"] == ("retries", 2, str(config), str(config), True)
    assert (settings["api_key"][1], settings["ledger"][1]) == ("********abcd", "/l.db")
    assert (settings["product_id"][1], settings["timeout"][1]) == (None, 10)
    assert run("get", "environment", **NEW).stdout == "****\n"
    assert run("get", "product_id").stdout == "\n"
    assert run("get", "api_key", REO_API_KEY=KEY).stdout == "********abcd\n"


def test_list_as_json_is_one_line_when_it_fails(run: Reo) -> None:
    result = run("list", "-o", "json", REO_TIMEOUT="soon")
    error = result.json["error"]
    assert result.code == error["exit_code"] == result.json["exit_code"] == 78
    assert "environment REO_TIMEOUT" in error["message"]
    assert result.stderr.startswith("error: ")


def test_the_env_file_can_be_named_or_left_out(run: Reo, world: World) -> None:
    (world.folder / ".env").write_text("REO_TIMEOUT=6\n")
    (world.folder / "one.env").write_text("REO_TIMEOUT=7\n")
    for args, row in (
        ([], ["6", ".env"]),
        (["--env-file", "one.env"], ["7", "one.env"]),
        (["--no-env-file"], ["10", "default"]),
    ):
        assert rows(run("list", *args).stdout)["timeout"] == row


def test_list_shows_what_a_send_would_refuse_and_which_key_is_used(
    run: Reo, world: World, config: Path
) -> None:
    written(config, 'api_key = "another-key-9876543210"\n')
    (world.folder / ".env").write_text("REO_ENDPOINT=https://evil.example\n")
    result = run("list", REO_API_KEY=KEY)
    assert result.code == 0
    assert rows(result.stdout)["endpoint"][1] == "default"
    assert "nothing would be sent" in result.stderr
    assert "`api_key` from environment REO_API_KEY is used" in result.stderr
    assert "config.toml is not used" in result.stderr


@pytest.mark.parametrize(
    ("args", "stdin", "code", "said"),
    [
        (["get", "timeot"], KEY, 2, "did you mean `timeout`?"),
        (["unset", "timeot"], KEY, 2, "did you mean `timeout`?"),
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
    run: Reo, config: Path, args: list[str], stdin: str | bytes, code: int, said: str
) -> None:
    result = run(*args, stdin=stdin)
    assert (result.code, result.stdout) == (code, "")
    assert result.stderr.startswith("error: ")
    assert said in result.stderr
    assert not config.exists()


def test_set_writes_into_the_profile_of_the_variable(run: Reo, config: Path) -> None:
    result = run("set", "retries=3", REO_PROFILE="prod", REO_RETRIES="4")
    assert config.read_text() == "[profiles.prod]\nretries = 3\n"
    assert "warning: `REO_RETRIES` in the environment comes before" in result.stderr


def test_a_key_from_stdin(run: Reo, config: Path) -> None:
    assert run("set", "api_key", "-", stdin=f"{KEY}\n").code == 0
    assert run("path").stdout == f"{config}\n"
    assert config.read_text() == f'api_key = "{KEY}"\n'
    assert stat.S_IMODE(config.stat().st_mode) == 0o600


# At a terminal


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


def test_doctor(run: Reo, terminal: Terminal) -> None:
    with FaultServer(answer(404)) as server:
        result = run("doctor", REO_ENDPOINT=server.url)
        given = {"REO_ENDPOINT": server.url, "REO_API_KEY": KEY}
        code, screen = terminal("doctor", **given)
        in_json = run("doctor", "-o", "json", **given)
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
    gone = run("doctor", "-o", "json", **given)
    assert (gone.code, gone.json["exit_code"]) == (69, 69)

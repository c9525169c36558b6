"""`reo config` as a user runs it: in a pipe, in a script, at a terminal."""

import os
import pty
import re
import select
import signal
import stat
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from reo_cli.settings import SETTINGS
from tests.conftest import CANARY as KEY
from tests.conftest import Run, World
from tests.faults import FaultServer, answer

Reo = Callable[..., Run]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The path of a config file in a folder that does not exist."""
    return tmp_path / "settings" / "config.toml"


@pytest.fixture
def run(reo: Reo, config: Path) -> Reo:
    """Run `reo config …` with that config file."""

    def run(*args: str, env: Mapping[str, str] | None = None, stdin: bytes = b"") -> Run:
        environ = {"REO_CONFIG": str(config), **(env or {})}
        return reo("config", *args, env=environ, input=stdin)

    return run


def rows(text: str) -> dict[str, list[str]]:
    """Return the columns of each line of a plain table by its first one."""
    lines = [re.split(r" {2,}", line) for line in text.splitlines()]
    return {line[0]: line[1:] for line in lines}


# list and get


def test_list_shows_every_setting(run: Reo) -> None:
    result = run("list")
    table = rows(result.stdout)
    assert result.code == 0
    assert list(table) == ["setting", *(each.key for each in SETTINGS)]
    assert table["timeout"] == ["10", "default"]
    assert table["endpoint"][0] == "https://ingest.reo.dev/api/product/aggregateusage"


def test_list_names_value_and_source(run: Reo, config: Path) -> None:
    run("set", "retries", "2")
    run("set", "map.domain", "Company Domain", "--profile", "prod")
    result = run("list", "--profile", "prod", env={"REO_API_KEY": KEY, "REO_RATE": "2.5"})
    table = rows(result.stdout)
    assert table["api_key"] == ["********abcd", "environment REO_API_KEY"]
    assert table["rate"] == ["2.5", "environment REO_RATE"]
    assert table["retries"] == ["2", str(config)]
    assert table["map.domain"] == ["Company Domain", f"profile prod in {config}"]
    assert KEY not in result.stdout + result.stderr


def test_list_as_json_is_one_line(run: Reo, config: Path, tmp_path: Path) -> None:
    run("set", "retries", "2")
    result = run("list", "-o", "json", env={"REO_API_KEY": KEY, "REO_LEDGER": "/l.db"})
    assert KEY not in result.stdout
    content = result.json
    assert content["schema"] == "reo.config/1"
    assert content["error"] is None
    assert content["config_file"] == str(config)
    settings = {row["key"]: row for row in content["settings"]}
    assert settings["retries"] == {
        "key": "retries",
        "value": 2,
        "source": str(config),
        "file": str(config),
        "used": True,
    }
    assert settings["api_key"]["value"] == "********abcd"
    assert settings["ledger"]["value"] == "/l.db"
    assert settings["rate"]["value"] is None
    assert settings["timeout"]["value"] == 10


def test_a_setting_with_the_text_of_the_key_does_not_show_it(run: Reo) -> None:
    env = {"REO_API_KEY": KEY, "REO_ACCOUNT": KEY}
    for args in (["list", "-o", "json"], ["list"], ["get", "account"]):
        shown = run(*args, env=env)
        assert (shown.code, KEY in shown.stdout + shown.stderr) == (0, False)


def test_list_as_json_is_one_line_when_it_fails(run: Reo) -> None:
    result = run("list", "-o", "json", env={"REO_TIMEOUT": "soon"})
    content = result.json
    assert result.code == 78
    assert content["error"]["exit_code"] == content["exit_code"] == 78
    assert "environment REO_TIMEOUT" in content["error"]["message"]
    assert result.stderr.startswith("error: ")


def test_the_env_file_can_be_named_or_left_out(run: Reo, world: World) -> None:
    (world.folder / ".env").write_text("REO_TIMEOUT=6\n")
    (world.folder / "one.env").write_text("REO_TIMEOUT=7\n")
    timeouts = [
        rows(run("list", *args).stdout)["timeout"]
        for args in ([], ["--env-file", "one.env"], ["--no-env-file"])
    ]
    assert timeouts == [["6", ".env"], ["7", "one.env"], ["10", "default"]]


def test_list_shows_what_a_send_would_refuse(run: Reo, world: World) -> None:
    (world.folder / ".env").write_text("REO_ENDPOINT=https://evil.example\n")
    result = run("list", env={"REO_API_KEY": KEY})
    assert result.code == 0
    assert rows(result.stdout)["endpoint"][1] == "default"
    assert "nothing would be sent" in result.stderr


def test_list_says_which_key_is_used(run: Reo) -> None:
    run("set", "api_key", "-", stdin=b"another-key-9876543210")
    result = run("list", env={"REO_API_KEY": KEY})
    assert "`api_key` from environment REO_API_KEY is used" in result.stderr
    assert "config.toml is not used" in result.stderr


def test_control_characters_in_values_are_made_visible(run: Reo) -> None:
    run("set", "account", "a\x1b[31mred\u202e")
    result = run("list")
    assert "\x1b" not in result.stdout
    assert "\u202e" not in result.stdout
    assert "\\x1b[31mred" in result.stdout


def test_get_prints_one_value(run: Reo) -> None:
    assert run("get", "timeout").stdout == "10\n"
    assert run("get", "product_id").stdout == "\n"
    assert run("get", "api_key", env={"REO_API_KEY": KEY}).stdout == "********abcd\n"


@pytest.mark.parametrize("command", ["get", "set", "unset"])
def test_an_unknown_key_is_wrong_usage(run: Reo, command: str) -> None:
    result = run(command, "timeot", *(["3"] if command == "set" else []))
    assert result.code == 2
    assert "did you mean `timeout`?" in result.stderr
    assert result.stdout == ""


# set, unset, path


def test_set_and_unset_keep_comments(run: Reo, config: Path) -> None:
    config.parent.mkdir()
    config.write_text("# ours\nretries = 1 # few\n")
    assert run("set", "timeout", "2.5").code == 0
    assert config.read_text() == "# ours\nretries = 1 # few\ntimeout = 2.5\n"
    assert run("unset", "timeout").code == 0
    assert config.read_text() == "# ours\nretries = 1 # few\n"
    again = run("unset", "timeout")
    assert (again.code, "was not set" in again.stderr) == (0, True)


def test_set_writes_into_the_profile_of_the_variable(run: Reo, config: Path) -> None:
    run("set", "retries=3", env={"REO_PROFILE": "prod"})
    assert config.read_text() == "[profiles.prod]\nretries = 3\n"


def test_set_says_what_comes_before_the_file(run: Reo) -> None:
    result = run("set", "retries", "3", env={"REO_RETRIES": "4"})
    assert result.code == 0
    assert "warning: `REO_RETRIES` in the environment comes before" in result.stderr


def test_set_checks_the_value(run: Reo, config: Path) -> None:
    result = run("set", "concurrency", "500")
    assert result.code == 2
    assert '"500" is outside 1 to 256' in result.stderr
    assert run("set", "concurrency").code == 2
    assert run("set", "endpoint", "http://evil.example").code == 78
    assert not config.exists()


@pytest.mark.parametrize("args", [("api_key", KEY), (f"api_key={KEY}",), ("api_key", KEY, "-x")])
def test_a_key_on_the_command_line_is_refused_and_not_repeated(
    run: Reo, config: Path, args: tuple[str, ...]
) -> None:
    result = run("set", *args)
    assert result.code == 2
    assert "command line" in result.stderr or "-x" in args
    assert KEY not in result.stdout + result.stderr
    assert not config.exists()


def test_a_key_from_stdin(run: Reo, config: Path) -> None:
    result = run("set", "api_key", "-", stdin=f"{KEY}\n".encode())
    assert result.code == 0
    assert config.read_text() == f'api_key = "{KEY}"\n'
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert KEY not in result.stdout + result.stderr
    assert run("get", "api_key").stdout == "********abcd\n"


@pytest.mark.parametrize(
    "key", [b"", b"short\n", b"k" * 5000, b"two\nlines-of-key\n", b"\xff" * 20]
)
def test_5_6_a_bad_key_from_stdin(run: Reo, config: Path, key: bytes) -> None:
    result = run("set", "api_key", "-", stdin=key)
    assert result.code == 78
    assert result.stderr.startswith("error: ")
    assert not config.exists()


@pytest.mark.parametrize("args", [("set", "api_key"), ("init",)])
def test_nobody_is_asked_without_a_terminal(run: Reo, config: Path, args: tuple[str, ...]) -> None:
    result = run(*args, stdin=f"{KEY}\n".encode())
    assert result.code == 2
    assert "there is no terminal" in result.stderr
    assert "hint: " in result.stderr
    assert not config.exists()


def test_an_empty_name_of_a_profile_is_wrong_usage(run: Reo, config: Path) -> None:
    assert run("list", "--profile", "").code == 2
    assert run("set", "retries", "1", "--profile", " ").code == 2
    assert not config.exists()


def test_path(run: Reo, reo: Reo, config: Path) -> None:
    assert run("path").stdout == f"{config}\n"
    default = reo("config", "path")
    assert default.stdout.endswith("/reo/config.toml\n")
    assert Path(default.stdout).is_absolute()


def test_a_broken_file_stops_everything_and_stays(run: Reo, config: Path) -> None:
    config.parent.mkdir()
    config.write_text("timeout = 3\nretries = \n")
    for args in (("list",), ("get", "timeout"), ("set", "timeout", "4"), ("unset", "timeout")):
        result = run(*args)
        assert result.code == 78
        assert re.search(f"{config}:2: |at line 2,", result.stderr)
    assert config.read_text() == "timeout = 3\nretries = \n"


# At a terminal


class Terminal:
    """`reo config …` at a pseudo-terminal; `screen` is all that was shown."""

    PROMPT = "not shown as you type"

    def __init__(self, *args: str, world: World, config: Path, **variables: str) -> None:
        self.screen = ""
        self._seen = 0
        settings = {"REO_CONFIG": str(config), "TERM": "xterm", "COLUMNS": "300", **variables}
        environ = world.environ(settings)
        self._pid, self._descriptor = pty.fork()
        if self._pid == 0:
            os.chdir(world.folder)
            os.execve(sys.executable, [sys.executable, "-m", "reo_cli", "config", *args], environ)

    def expect(self, text: str) -> None:
        """Read until `text` is on the screen, below what was expected before."""
        while (place := self.screen.find(text, self._seen)) < 0:
            assert self._read(), self.screen
        self._seen = place + len(text)

    def type(self, text: str) -> None:
        os.write(self._descriptor, text.encode())

    def finish(self) -> int:
        """Read to the end and return the exit code."""
        while self._read():
            pass
        _, status = os.waitpid(self._pid, 0)
        os.close(self._descriptor)
        return os.waitstatus_to_exitcode(status)

    def _read(self) -> bool:
        if not select.select([self._descriptor], [], [], 20)[0]:
            os.kill(self._pid, signal.SIGKILL)
        try:
            data = os.read(self._descriptor, 65536)
        except OSError:  # the other side is closed: Linux says EIO
            data = b""
        self.screen += data.decode(errors="replace")
        return bool(data)


def test_init_asks_and_writes(world: World, config: Path) -> None:
    terminal = Terminal("init", world=world, config=config)
    terminal.expect(Terminal.PROMPT)
    terminal.type(f"{KEY}\n")
    terminal.expect("product id")
    terminal.type("reoWebApp\n")
    terminal.expect("environment")
    terminal.type("\n")
    assert terminal.finish() == 0
    assert config.read_text() == f'api_key = "{KEY}"\nproduct_id = "reoWebApp"\n'
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert KEY not in terminal.screen
    assert "reo config doctor" in terminal.screen


def test_init_keeps_what_is_there(world: World, config: Path) -> None:
    config.parent.mkdir()
    config.write_text(f'# mine\n[profiles.p]\napi_key = "{KEY}"\nproduct_id = "old"\n')
    terminal = Terminal("init", "--profile", "p", world=world, config=config)
    terminal.expect("Enter")
    terminal.type("\n")
    terminal.expect("Enter")
    terminal.type("\n")
    terminal.expect("environment")
    terminal.type("PRODUCTION\n")
    assert terminal.finish() == 0
    assert config.read_text() == (
        f'# mine\n[profiles.p]\napi_key = "{KEY}"\nproduct_id = "old"\nenvironment = "PRODUCTION"\n'
    )


@pytest.mark.parametrize(("typed", "code"), [("\x03", 130), ("\x04", 2)])
def test_init_can_be_left(world: World, config: Path, typed: str, code: int) -> None:
    terminal = Terminal("init", world=world, config=config)
    terminal.expect(Terminal.PROMPT)
    terminal.type(typed)
    assert terminal.finish() == code
    assert not config.exists()
    assert "Traceback" not in terminal.screen


@pytest.mark.parametrize(
    ("args", "text"),
    [(["--profile", "p"], f'[profiles.p]\napi_key = "{KEY}"\n'), (["-"], f'api_key = "{KEY}"\n')],
)
def test_a_key_at_a_terminal_is_not_echoed(
    world: World, config: Path, args: list[str], text: str
) -> None:
    terminal = Terminal("set", "api_key", *args, world=world, config=config)
    terminal.expect(Terminal.PROMPT)
    terminal.type(f"{KEY}\n")
    assert terminal.finish() == 0
    assert config.read_text() == text
    assert KEY not in terminal.screen


def test_a_group_alone_shows_its_page_in_colour(world: World, config: Path) -> None:
    terminal = Terminal(world=world, config=config)
    assert terminal.finish() == 2
    assert terminal.screen.startswith("\x1b[1mUsage:\x1b[0m reo config")
    assert "error:" not in terminal.screen


def test_ctrl_c_leaves_a_line_of_its_own_to_the_shell(world: World, config: Path) -> None:
    terminal = Terminal("init", world=world, config=config, COLUMNS="60")
    terminal.expect(Terminal.PROMPT)
    terminal.type("\x03")
    assert terminal.finish() == 130
    assert terminal.screen.endswith("\n")
    assert "these settings go to\r\n`/" in terminal.screen  # the path stays whole
    assert not config.exists()


def test_list_has_a_line_for_each_setting_on_a_terminal(world: World, config: Path) -> None:
    config.parent.mkdir()
    config.write_text('account = "a\\u001b[31mred\\u202e"\n')
    variables = {"REO_API_KEY": KEY, "NO_COLOR": "1", "COLUMNS": "80"}
    terminal = Terminal("list", world=world, config=config, **variables)
    assert terminal.finish() == 0
    keys = [line.split()[0] for line in terminal.screen.splitlines() if line]
    assert keys[:3] == ["api_key", "account", "endpoint"]  # what is set comes first
    assert "********abcd  (environment REO_API_KEY)" in terminal.screen
    assert str(config) in terminal.screen
    assert "a\\x1b[31mred\\u202e" in terminal.screen
    assert "\x1b[" not in terminal.screen
    assert KEY not in terminal.screen


# doctor


def test_doctor_says_what_is_wrong(run: Reo) -> None:
    with FaultServer(answer(404)) as server:
        result = run("doctor", env={"REO_ENDPOINT": server.url})
    assert result.code == 78
    assert "failed: key: there is no API key" in result.stdout
    assert "ok: tcp: " in result.stdout
    assert result.stderr == ""


def test_doctor_as_json_is_one_line(run: Reo) -> None:
    with FaultServer(answer(404)) as server:
        result = run("doctor", "-o", "json", env={"REO_ENDPOINT": server.url, "REO_API_KEY": KEY})
    content = result.json
    assert list(content) == ["schema", "status", "exit_code", "checks", "error"]
    assert content["schema"] == "reo.doctor/1"
    assert (content["status"], content["exit_code"], result.code) == ("warning", 0, 0)
    assert {tuple(check) for check in content["checks"]} == {("name", "status", "message", "hint")}
    assert KEY not in result.stdout


def test_doctor_without_a_server_is_69(run: Reo) -> None:
    with FaultServer(answer(404)) as server:
        url = server.url
    result = run("doctor", "-o", "json", env={"REO_ENDPOINT": url, "REO_API_KEY": KEY})
    assert (result.code, result.json["exit_code"]) == (69, 69)


def test_doctor_ends_with_its_verdict_on_a_terminal(world: World, config: Path) -> None:
    with FaultServer(answer(404)) as server:
        terminal = Terminal(
            "doctor", world=world, config=config, REO_ENDPOINT=server.url, REO_API_KEY=KEY
        )
        assert terminal.finish() == 0
    assert "✓ " in terminal.screen
    assert "ready to send" in terminal.screen.splitlines()[-1]
    assert KEY not in terminal.screen

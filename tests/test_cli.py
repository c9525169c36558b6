"""The command line itself: help pages, what is mistyped, options of profiles, where events went."""

import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from reo_cli.cli.send_file import SendFile
from reo_cli.settings.table import READING
from tests.conftest import CANARY, Run, World
from tests.faults import FaultServer, answer

Reo = Callable[..., Run]

ROWS = "Company,Downloads,Day,Land\nacme.com,3,2026-09-01,DE\nreo.dev,5,2026-09-02,FR\n"
MAPPED = (
    "--map domain=Company --map count=Downloads --map event_at=Day --ignore Land -a pull -p cli"
).split()
EVENT = ["send", "-a", "primary", "-n", "1", "-d", "acme.com", "-p", "app"]


@pytest.fixture
def usage(world: World) -> Path:
    path = world.folder / "usage.csv"
    path.write_text(ROWS)
    return path


# Help


@pytest.mark.parametrize("command", ["send", "send-file", "validate"])
def test_the_short_page_is_short_and_says_how_to_see_the_rest(reo: Reo, command: str) -> None:
    short, whole = reo(command, "-h").stdout, reo(command, "--help").stdout
    assert len(short.splitlines()) <= 45 < len(whole.splitlines())
    pages = [set(re.findall(r"^  .*?(--[\w-]+)", page, re.M)) for page in (short, whole)]
    assert pages[0] < pages[1]
    assert f"more: `reo {command} --help`" in short


def test_the_whole_page_names_variables_and_defaults(reo: Reo) -> None:
    page = reo("send-file", "--help").stdout
    for each in ("[env: REO_TIMEOUT] [default: 10]", "[default: 120]", "[env: REO_ACCOUNT]"):
        assert each in page
    assert max(map(len, page.splitlines())) <= 80
    assert "\x1b" not in page


def test_commands_are_grouped_below_a_start(reo: Reo) -> None:
    heads = re.findall(r"^(\w[\w ]*):", reo("--help").stdout, re.M)
    assert heads == [
        *("Usage", "Start here", "Send", "Set up and look after", "Options", "Exit codes")
    ]
    assert "Exit codes:" not in reo("-h").stdout


def test_help_lists_its_topics_and_prints_one(reo: Reo) -> None:
    assert reo("help").stdout.startswith("Topics:\n")
    assert reo("help", "fields").stdout.startswith("# ")


@pytest.mark.parametrize("words", ["config set", "send-file", "ledger"])
def test_help_finds_commands(reo: Reo, words: str) -> None:
    assert reo("help", *words.split()).stdout == reo(*words.split(), "--help").stdout


def test_help_without_docstrings(world: World) -> None:
    """`python -OO` drops them."""
    command = [sys.executable, "-OO", "-m", "reo_cli", "send-file", "--help"]
    page = subprocess.run(command, env=world.environ(), capture_output=True, text=True).stdout
    assert page == world.run("send-file", "--help").stdout


# What is mistyped


EMPTY = "a variable in the command is empty"
MISTYPED = [
    ("snd", 2, "did you mean `reo send`?"),
    ("send --cuont 1", 2, "did you mean `--count`?"),
    ("validate a.csv --mpa domain=x", 2, "did you mean `--map`?"),
    ("validate a.csv --map domian=x", 2, "did you mean `domain`?"),
    ("validate a.csv --map =x", 2, "write --map FIELD=VALUE"),
    ("validate a.csv --map count=x --map count=y", 2, "gives `count` a second time"),
    ("validate a.csv --only x", 2, "write --only COLUMN=VALUE"),
    ("validate a.csv --columns ,", 2, "names no column"),
    ("validate a.csv --delimiter ab", 2, "such as ; or tab"),
    ("validate a.csv --until now", 2, "has no meaning without --roll-up"),
    ("validate a.csv --roll-up day --timezone Mars", 2, "such as Europe/Berlin"),
    ("validate - -", 2, "standard input can be read once"),
    ("send-file a.csv --max-time soon", 2, "is not a number of seconds"),
    ("send-file a.csv --limit -1", 2, "is not a whole number"),
    ("send-file a.csv --rejects -", 2, "rejects go to a file"),
    ("send-file a.csv --thousands x", 2, "'x' is not one of"),
    ("send --meta plan", 2, "write --meta KEY=VALUE"),
    ("help confg", 2, "did you mean `reo help config`?"),
    ("help exit_codes", 2, "did you mean `reo help exit-codes`?"),
    ("help config st", 2, "did you mean `reo config set`?"),
    ("send event.json", 2, "reo send --json @FILE"),
    ("send --json event.json", 65, "--json @event.json"),
    ("send --json '{} {}'", 65, "holds two values where one event belongs"),
    ("send --json '[]'", 65, "holds no event"),
    ("send-file a.csv --lock ''", 2, EMPTY),
    *((f"send-file a.csv {name} ''", 2, EMPTY) for name in ("--rejects", "--env-file")),
    *((f"send-file usage.csv --{name} ''", 2, "empty") for name in ("ledger", "ca-bundle")),
]


@pytest.mark.parametrize(("line", "code", "hint"), MISTYPED)
def test_what_is_mistyped_gets_advice(
    reo: Reo, usage: Path, line: str, code: int, hint: str
) -> None:
    run = reo(*shlex.split(line))
    assert (run.code, hint in run.stderr) == (code, True), run


def test_a_pipe_that_nobody_reads_is_told_a_dash(reo: Reo) -> None:
    run = reo("send", input=b'{"count": 1}')
    assert (run.code, "reo send --json -" in run.stderr) == (2, True)


def test_a_tilde_is_the_home_in_every_path(reo: Reo, world: World, usage: Path) -> None:
    (world.home / "my.env").write_text("REO_PRODUCT_ID=cli\nREO_ACTIVITY_TYPE=pull\n")
    columns = [word for word in MAPPED if word not in ("-a", "pull", "-p", "cli")]
    run = reo("validate", str(usage), *columns, "--env-file=~/my.env")
    assert run.code == 0, run.stderr
    (world.home / "event.json").write_text('{"activity_type": "a", "count": 1, "domain": "a.com"}')
    sent = reo("send", "--json", "@~/event.json", "-p", "x", "--sandbox", "-o", "json")
    assert sent.json["payload"]["activity_type"] == "a"


# Options of a profile


def test_every_option_of_reading_may_stand_in_a_profile() -> None:
    """One that is declared twice, as an option and as a key of a profile, has one name."""
    declared = SendFile.declared
    short = {"activity_type", "product_id", "environment", "save_profile"}
    reading = {name for name, each in declared.items() if each.section == "Reading"} - short
    assert reading <= set(READING)
    for name in reading | ({"id_from", "on_change"} & set(declared)):
        is_many = READING[name] in ("list", "table")
        assert declared[name].many == is_many or READING[name] == "list"


def test_a_profile_reads_as_the_command_line_does(reo: Reo, world: World, usage: Path) -> None:
    (world.home / "config.toml").write_text(
        """
        [profiles.pulls]
        delimiter = ","
        ignore = ["Land"]
        map = { domain = "Company", count = "Downloads", event_at = "Day" }
        set = { activity_type = "pull", product_id = "other" }
        """
    )
    env = {"REO_CONFIG": str(world.home / "config.toml"), "REO_PROFILE": "pulls"}
    command = ["send-file", str(usage), "--dry-run", "-o", "ndjson"]
    run = reo(*command, "--set", "product_id=cli", env=env)
    plain = reo(*command, *MAPPED)
    assert run.code == 0, run.stderr
    assert [each.get("payload") for each in run.lines] == [
        each.get("payload") for each in plain.lines
    ]


@pytest.mark.parametrize(("key", "value"), [("delimiter", ";;"), ("skip_lines", "x")])
def test_a_bad_value_in_a_profile_is_named(
    reo: Reo, world: World, usage: Path, key: str, value: str
) -> None:
    (world.home / "config.toml").write_text(f'[profiles.p]\n{key} = "{value}"\n')
    env = {"REO_CONFIG": str(world.home / "config.toml")}
    run = reo("validate", str(usage), "--profile", "p", env=env)
    assert run.code == 78
    assert f"`{key}` from profile p in {world.home}" in run.stderr


@pytest.mark.parametrize("command", [["validate"], ["send-file", "--sandbox"]])
def test_options_in_use_are_saved_as_a_profile(
    reo: Reo, world: World, usage: Path, command: list[str]
) -> None:
    path = world.home / "config.toml"
    env = {"REO_CONFIG": str(path)}
    name, *more = command
    bad = reo(name, str(usage), "--save-profile", "pulls", *more, env=env)
    assert (bad.code, path.exists()) == (65, False)
    saved = reo(name, str(usage), *MAPPED, "--save-profile", "pulls", *more, env=env)
    assert (saved.code, "--profile pulls" in saved.stderr) == (0, True)
    assert tomllib.loads(path.read_text()) == {
        "profiles": {
            "pulls": {
                "map": {"domain": "Company", "count": "Downloads", "event_at": "Day"},
                "ignore": ["Land"],
                "set": {"activity_type": "pull", "product_id": "cli"},
            }
        }
    }
    assert reo(name, str(usage), "--profile", "pulls", *more, env=env).code == 0


# Where it went, and what comes first


@pytest.mark.parametrize("command", [EVENT, ["send-file", "usage.csv", *MAPPED, "--no-ledger"]])
def test_an_endpoint_that_is_not_the_apis_stands_in_the_result(
    reo: Reo, usage: Path, command: list[str]
) -> None:
    with FaultServer(answer(200, b'{"status": "success"}')) as server:
        env = {"REO_ENDPOINT": server.url, "REO_API_KEY": CANARY}
        told = reo(*command, "-o", "json", env=env).json
        words = reo(*command, env=env).stdout
    assert (told["endpoint"], told["endpoint_source"]) == (server.url, "environment REO_ENDPOINT")
    assert f"{server.url} (environment REO_ENDPOINT)" in words
    dry = reo(*command, "--dry-run", "-o", "json").json
    assert (dry["endpoint"].split("/")[2], dry["endpoint_source"]) == ("ingest.reo.dev", None)


@pytest.mark.parametrize("command", [EVENT, ["send-file", "usage.csv", *MAPPED, "--no-ledger"]])
def test_a_refused_key_that_looks_like_none_is_named(
    reo: Reo, usage: Path, command: list[str]
) -> None:
    with FaultServer(answer(401)) as server:
        env = {"REO_ENDPOINT": server.url, "REO_API_KEY": f'"{CANARY}"'}
        run = reo(*command, "-o", "json", env=env)
    assert run.code == 77
    assert "it stands in quotes" in json.dumps(run.json["error"])
    assert CANARY not in run.stdout + run.stderr


def test_what_the_user_mends_first_is_said_before_a_missing_key(reo: Reo, usage: Path) -> None:
    assert reo("send-file", "missing.csv").code == 66
    assert reo("send", "-n", "x").code == 65
    assert reo("send-file", str(usage), *MAPPED).code == 78
    assert reo(*EVENT).code == 78


def test_an_invalid_event_is_in_the_result_as_it_was_given(reo: Reo) -> None:
    given = ["-n", "x", "--event-id", "7", "--meta", "a=b", "--json", '{"meta": {"c": 1}}']
    result = reo("send", *given, "-o", "json").json
    assert (result["status"], result["event_id"]) == ("invalid", "7")
    assert result["payload"] == {"count": "x", "event_id": "7", "meta": {"c": 1, "a": "b"}}


def test_a_partial_run_has_an_error(reo: Reo, world: World) -> None:
    path = world.folder / "some.csv"
    path.write_text(f"{ROWS}bad domain,1,2026-09-01,DE\n")
    result = reo("send-file", str(path), *MAPPED, "--skip-invalid", "--sandbox", "-o", "json")
    assert (result.code, result.json["error"]["exit_code"]) == (1, 1)

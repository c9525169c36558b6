"""The command line itself: help pages, what is mistyped, options of profiles, where events went.

Pages of help and errors as people see them are among the transcripts.
"""

import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest

from reo_cli.cli.send_file import SendFile
from reo_cli.settings.table import READING
from tests.conftest import CANARY, Reo, World
from tests.faults import FaultServer, answer

ROWS = "Company,Downloads,Day,Land\nacme.com,3,2026-09-01,DE\nreo.dev,5,2026-09-02,FR\n"
MAPPED = "--map domain=Company --map count=Downloads --map event_at=Day --ignore Land".split()
FILE = ["send-file", "usage.csv", *MAPPED, "-a", "pull", "-p", "cli", "--no-ledger"]
EVENT = ["send", *"-a primary -n 1 -d acme.com -p app".split()]


@pytest.fixture(autouse=True)
def usage(world: World) -> Path:
    path = world.folder / "usage.csv"
    path.write_text(ROWS)
    return path


@pytest.mark.parametrize("command", ["", "send", "send-file", "validate"])
def test_the_short_page_is_short_and_says_how_to_see_the_rest(reo: Reo, command: str) -> None:
    short, whole = (reo(*command.split(), each).stdout for each in ("-h", "--help"))
    assert len(short.splitlines()) <= 45
    assert len(short) < len(whole)
    assert not command or f"more: `reo {command} --help`" in short
    options = [set(re.findall(r"^  .*?(--[\w-]+)", page, re.M)) for page in (short, whole)]
    assert options[0] < options[1] or not command


def test_help_lists_topics_and_finds_commands(reo: Reo) -> None:
    assert reo("help").stdout.startswith("Topics:\n")
    assert reo("help", "fields").stdout.startswith("# ")
    for words in (["config", "set"], ["send-file"], ["ledger"]):
        assert reo("help", *words).stdout == reo(*words, "--help").stdout


def test_help_without_docstrings(world: World) -> None:
    """`python -OO` drops them."""
    page = world.execute(sys.executable, "-OO", "-m", "reo_cli", "send-file", "--help").stdout
    assert page == world.run("send-file", "--help").stdout


EMPTY = "a variable in the command is empty"
MISTYPED = [
    ("", 2, "Usage: reo [OPTIONS] COMMAND"),
    ("send --cuont 1", 2, "did you mean `--count`?"),
    ("send --count", 2, "all options: `reo send --help`"),
    ("validate a.csv --mpa domain=x", 2, "did you mean `--map`?"),
    ("validate a.csv --map =x", 2, "write --map FIELD=VALUE"),
    ("validate a.csv --map count=x --map count=y", 2, "gives `count` a second time"),
    ("validate a.csv --only x", 2, "write --only COLUMN=VALUE"),
    ("validate a.csv --columns ,", 2, "names no column"),
    ("validate a.csv --delimiter ab", 2, "such as ; or tab"),
    ("validate a.csv --encoding utf-9", 2, "such as utf-8, utf-16, cp1252"),
    ("validate a.csv --encoding idna", 2, "is not an encoding"),
    ("validate a.csv --date-format monthly", 2, '"monthly" is not one of day-first'),
    ("validate a.csv --until now", 2, "has no meaning without --roll-up"),
    ("validate a.csv --roll-up day --timezone Mars", 2, "such as Europe/Berlin"),
    ("validate - -", 2, "standard input can be read once"),
    ("send-file a.csv --max-time soon", 2, "is not a number of seconds"),
    ("send-file a.csv --limit -1", 2, "is not a whole number"),
    ("send-file a.csv --shard 0/4", 2, "such as 1/4, up to 4/4"),
    ("send-file a.csv --shard 5/4", 2, "is not a share"),
    ("send-file a.csv --rejects -", 2, "rejects go to a file"),
    ("send-file a.csv --thousands x", 2, "'x' is not one of"),
    ("send-file usage.csv --rate fast", 2, '"fast" is not a plain number'),
    ("send-file usage.csv --concurrency 0", 2, '"0" is outside 1 to 256'),
    ("send --meta plan", 2, "write --meta KEY=VALUE"),
    ("help confg", 2, "did you mean `reo help config`?"),
    ("help exit_codes", 2, "did you mean `reo help exit-codes`?"),
    ("help config st", 2, "did you mean `reo config set`?"),
    ("send event.json", 2, "reo send --json @FILE"),
    ("send --json event.json", 65, "--json @event.json"),
    ("send --json '{} {}'", 65, "holds two values where one event belongs"),
    ("send --json '[]'", 65, "holds no event"),
    *((f"send-file a.csv {name} ''", 2, EMPTY) for name in ("--lock", "--rejects", "--env-file")),
    *((f"send-file usage.csv --{name} ''", 2, "empty") for name in ("ledger", "ca-bundle")),
]


@pytest.mark.parametrize(("line", "code", "hint"), MISTYPED)
def test_what_is_mistyped_gets_advice(reo: Reo, line: str, code: int, hint: str) -> None:
    run = reo(*shlex.split(line))
    assert (run.code, run.stdout, hint in run.stderr) == (code, "", True), run


def test_a_pipe_that_nobody_reads_is_told_a_dash(reo: Reo) -> None:
    run = reo("send", input=b'{"count": 1}')
    assert (run.code, "reo send --json -" in run.stderr) == (2, True)


def test_a_tilde_is_the_home_in_every_path(reo: Reo, world: World) -> None:
    (world.home / "my.env").write_text("REO_PRODUCT_ID=cli\nREO_ACTIVITY_TYPE=pull\n")
    run = reo("validate", "usage.csv", *MAPPED, "--env-file=~/my.env")
    assert run.code == 0, run.stderr
    (world.home / "event.json").write_text('{"activity_type": "a", "count": 1, "domain": "a.com"}')
    sent = reo("send", "--json", "@~/event.json", "-p", "x", "--sandbox", "-o", "json")
    assert sent.json["payload"]["activity_type"] == "a"


def test_every_option_of_reading_may_stand_in_a_profile() -> None:
    """One that is declared twice, as an option and as a key of a profile, has one name."""
    declared = SendFile.declared
    short = {"activity_type", "product_id", "environment", "save_profile"}
    reading = {name for name, each in declared.items() if each.section == "Reading"} - short
    assert reading | {"id_from", "on_change"} == set(READING)
    for name, kind in READING.items():
        assert declared[name].many == (kind in ("list", "table")) or kind == "list"


PROFILE = """[profiles.pulls]
delimiter = ","
ignore = ["Land"]
map = { domain = "Company", count = "Downloads", event_at = "Day" }
set = { activity_type = "pull", product_id = "other" }
[profiles.bad-1]
delimiter = ";;"
[profiles.bad-2]
skip_lines = "x"
"""


def test_a_profile_reads_as_the_command_line_does(reo: Reo, world: World) -> None:
    (world.home / "config.toml").write_text(PROFILE)
    env = {"REO_CONFIG": str(world.home / "config.toml"), "REO_PROFILE": "pulls"}
    dry = ["--dry-run", "-o", "ndjson"]
    run = reo("send-file", "usage.csv", "--set", "product_id=cli", *dry, env=env)
    payloads = [[each.get("payload") for each in told.lines] for told in (run, reo(*FILE, *dry))]
    assert payloads[0] == payloads[1]
    for name, key in (("bad-1", "delimiter"), ("bad-2", "skip_lines")):
        bad = reo("validate", "usage.csv", "--profile", name, env=env)
        named = f"`{key}` from profile {name} in {world.home}"
        assert (bad.code, named in bad.stderr) == (78, True)


@pytest.mark.parametrize("command", [["validate"], ["send-file", "--sandbox"]])
def test_options_in_use_are_saved_as_a_profile(reo: Reo, world: World, command: list[str]) -> None:
    path = world.home / "config.toml"
    env, read = {"REO_CONFIG": str(path)}, [*command, "usage.csv"]
    bad = reo(*read, "--save-profile", "pulls", env=env)
    assert (bad.code, path.exists()) == (65, False)
    saved = reo(*read, *MAPPED, "-a", "pull", "-p", "cli", "--save-profile", "pulls", env=env)
    assert (saved.code, "--profile pulls" in saved.stderr) == (0, True)
    assert tomllib.loads(path.read_text())["profiles"]["pulls"] == {
        "map": {"domain": "Company", "count": "Downloads", "event_at": "Day"},
        "ignore": ["Land"],
        "set": {"activity_type": "pull", "product_id": "cli"},
    }
    assert reo(*read, "--profile", "pulls", env=env).code == 0
    path.write_text(path.read_text() + "[profiles.pulls.default]\ncount = '3'\n")
    path.write_text("profiles.'a b' = {extra = 'ignore', timeout = 9}\n" + path.read_text())
    saved = reo(*read, "--profile", "pulls", "--save-profile", "a b", env=env)
    assert (saved.code, "--profile 'a b'" in saved.stderr) == (0, True)
    profiles = tomllib.loads(path.read_text())["profiles"]
    assert profiles["a b"] == {"timeout": 9, **profiles["pulls"]}, "nothing is left of the old"


@pytest.mark.parametrize("command", [EVENT, FILE], ids=lambda words: words[0])
def test_where_it_went_and_a_key_that_looks_like_none_stand_in_the_result(
    reo: Reo, command: list[str]
) -> None:
    with FaultServer() as server:
        env = {"REO_ENDPOINT": server.url, "REO_API_KEY": CANARY}
        told, words = reo(*command, "-o", "json", env=env).json, reo(*command, env=env).stdout
        server.script = answer(401)
        refused = reo(*command, "-o", "json", env={**env, "REO_API_KEY": f'"{CANARY}"'})
    assert (told["endpoint"], told["endpoint_source"]) == (server.url, "environment REO_ENDPOINT")
    assert f"{server.url} (environment REO_ENDPOINT)" in words
    assert (refused.code, "it stands in quotes" in refused.json["error"]["message"]) == (77, True)
    dry = reo(*command, "--dry-run", "-o", "json").json
    assert (dry["endpoint"].split("/")[2], dry["endpoint_source"]) == ("ingest.reo.dev", None)


def test_what_the_user_mends_first_is_said_before_a_missing_key(reo: Reo) -> None:
    commands = ["send-file", "missing.csv"], ["send", "-n", "x"], FILE, EVENT
    assert [reo(*command).code for command in commands] == [66, 65, 78, 78]


def test_an_invalid_event_is_in_the_result_as_it_was_given(reo: Reo) -> None:
    given = ["-n", "x", "--event-id", "7", "--meta", "a=b", "--json", '{"meta": {"c": 1}}']
    result = reo("send", *given, "-o", "json").json
    assert (result["status"], result["event_id"]) == ("invalid", "7")
    assert result["payload"] == {"count": "x", "event_id": "7", "meta": {"c": 1, "a": "b"}}


def test_a_partial_run_has_an_error(reo: Reo, usage: Path) -> None:
    usage.write_text(f"{ROWS}bad domain,1,2026-09-01,DE\n")
    result = reo(*FILE, "--skip-invalid", "--sandbox", "-o", "json")
    assert (result.code, result.json["error"]["exit_code"]) == (1, 1)

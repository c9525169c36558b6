"""The README and the pages of `reo help` say what the program does: tables, commands, outputs.

`REO_UPDATE=1 python -m pytest tests/test_docs.py` writes tables and outputs anew.
"""

import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from reo_cli.cli.app import USAGE_ERROR, obey
from reo_cli.cli.help import FOLDER, titles
from reo_cli.cli.pages import Command
from reo_cli.errors import ExitCode, ReoError
from tests import tables
from tests.conftest import CANARY, Reo, World
from tests.screen import Player, console, picture, settled

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
FILES = {"README": README, **{topic: FOLDER / f"{topic}.md" for topic in titles()}}
TEXTS = {name: path.read_text(encoding="utf-8") for name, path in FILES.items()}
SAMPLE = "tests/cases/valid/usage.csv"
UPDATE = bool(os.environ.get("REO_UPDATE"))

BLOCKS = [
    (name, match[1], match[2])
    for name, text in TEXTS.items()
    for match in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)
]
"""The code blocks: page, language and content."""


def section(title: str, page: str = "README") -> str:
    """Return the part of a page under a heading."""
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#+ |\Z)", TEXTS[page], re.M | re.S)
    assert found, title
    return found[1]


def test_the_front_page_is_short() -> None:
    assert len(README.read_bytes()) <= 20_000


@pytest.mark.parametrize("name", FILES)
def test_lines_fit_where_they_are_read(name: str) -> None:
    """Rows of tables may be longer, and what the program prints; code in a page is drawn as is."""
    text = re.sub(r"^```(?:console|pycon)\n.*?^```$|^\|.*$", "", TEXTS[name], flags=re.M | re.S)
    assert not [line for line in text.splitlines() if len(line) > (130 if name == "README" else 90)]
    shell = [text for page, language, text in BLOCKS if (page, language) == (name, "sh")]
    assert name == "README" or not [x for x in "".join(shell).splitlines() if len(x) > 78]


@pytest.mark.parametrize("name", FILES)
def test_the_tables_are_those_of_the_program(name: str) -> None:
    now = tables.written(TEXTS[name])
    if UPDATE:
        FILES[name].write_text(now, encoding="utf-8")
    assert now == FILES[name].read_text(encoding="utf-8")


FOREIGN = {"--master", "--fail", "--retry", "--check-status", "--no-cache-dir", "--csv"}
"""Options of other programs."""


def test_every_option_that_is_named_exists() -> None:
    known = {name for path in ("reo", *tables.all_commands()) for name in tables.option_names(path)}
    named = {each for text in TEXTS.values() for each in re.findall(r"--[a-z][a-z-]+", text)}
    assert named - known - FOREIGN == {"--help"}


def test_every_exit_code_is_explained(reo: Reo) -> None:
    rare = [ExitCode.BUG, ExitCode.HANGUP, ExitCode.INTERRUPTED, ExitCode.TERMINATED]
    for text, left_out in ((TEXTS["exit-codes"], []), (section("What is promised"), rare)):
        found = ", ".join(re.findall(r"^\| ([\d, ]+) \|", text, re.M)).split(", ")
        assert sorted(map(int, found)) == sorted({*ExitCode} - {*left_out})
    words = reo("--help").stdout.split("Exit codes:")[1].split("\n\n")[0]
    assert set(map(int, re.findall(r"\b\d+\b", words))) == set(ExitCode)


def keys(name: str) -> list[str]:
    """Return the keys of a marked table."""
    body = TEXTS["output"].split(f"<!-- keys: {name} -->\n")[1].split("<!-- end -->")[0]
    cells = [line.split("|")[1] for line in body.splitlines()[2:]]
    return [key for cell in cells for key in re.findall(r"`(\w+)`", cell)]


def test_the_json_has_the_keys_that_are_explained(reo: Reo, world: World) -> None:
    event = ["send", "-a", "primary", "-n", "1", "-d", "acme.com", "-p", "app", "-o", "json"]
    assert list(reo(*event, "--sandbox").json) == keys("send")
    sample = str(ROOT / SAMPLE)
    result = reo("send-file", sample, "--sandbox", "-o", "json").json
    assert list(result) == keys("send-file")
    assert list(result["inputs"][0]) == ["file", *keys("send-file")[4:11], "rejects_file"]
    lines = reo("send-file", sample, "--sandbox", "-o", "ndjson").lines
    assert list(lines[0]) == keys("send-file line")
    assert set(lines[-1]) == {"summary"}
    result = reo("validate", sample, "-o", "json").json
    assert list(result) == keys("validate")
    assert set(result["totals"]) == set(keys("validate totals"))
    assert result["files"][0]["totals"] == result["totals"]
    (world.folder / "bad.csv").write_text("domain,count\nacme.com,x\n")
    result = reo("validate", "bad.csv", "-p", "app", "-a", "b", "-o", "json").json
    assert set(result["issues"][0]) == set(keys("issue"))
    failed = reo("send-file", "bad.csv", "-o", "json").json
    assert '`{"' + '", "'.join(failed["error"]) + '"}`' in TEXTS["output"]
    assert failed["ledger"] is None
    env = {"REO_ENDPOINT": "http://127.0.0.1:9/", "REO_API_KEY": CANARY}
    for words in ("config list", "config doctor", "ledger info"):
        schema = reo(*words.split(), "-o", "json", env=env).json["schema"]
        assert f"`{schema}`" in TEXTS["output"]


def test_the_test_command_is_that_of_ci() -> None:
    command = section("Contributing").split("```sh\n")[1].split("\n```")[0]
    assert command.endswith("-m pytest")
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert f"{command} || exit" in script, "`set -e` looks at the last command of a chain only"


def test_the_first_command_runs_the_sample_that_ships(reo: Reo) -> None:
    command = section("Try it").split("```sh\n")[1].split("\n```")[0]
    install = "python3 -m venv .venv && .venv/bin/pip install -q . && "
    assert command == f"{install}.venv/bin/reo send-file {SAMPLE} --sandbox"
    assert reo("send-file", str(ROOT / SAMPLE), "--sandbox").code == 0


def test_links_and_files_lead_somewhere() -> None:
    text = "".join(TEXTS.values())
    links = re.findall(r"\]\((?!https://)([^)]+)\)", text)
    links += re.findall(r"`((?:reo_cli|tests|completions|\.ci)/[\w./]*)`", text)
    assert not [each for each in links if not (ROOT / each).exists()]
    assert {*re.findall(r"reo\s+help\s+([a-z][a-z-]+)`", text)} <= titles().keys()


def test_messages_that_are_explained_exist() -> None:
    source = "".join(path.read_text("utf-8") for path in (ROOT / "reo_cli").rglob("*.py"))
    titles = "".join(re.findall(r"^\*\*(.*?)\*\*", TEXTS["troubleshooting"], re.M))
    quoted = re.findall(r"`([^`]+)`", titles)
    assert len(quoted) > 5
    for text in quoted:
        assert all(part.strip() in source for part in text.split("…")), text


def test_the_config_file_of_the_example_is_valid(world: World) -> None:
    example = next(text for _, language, text in BLOCKS if language == "toml")
    (world.home / "config.toml").write_text(example)
    env = {"REO_CONFIG": str(world.home / "config.toml")}
    for name in re.findall(r"^\[profiles\.(\w+)\]$", example, re.M):
        run = world.run("config", "list", "--profile", name, env=env)
        assert (run.code, run.stderr) == (0, "")


REO = re.compile(r"""(?<![\w./-])(?:\S*bin/)?reo(?=\s)((?:'[^']*'|"[^"]*"|[^'"|;&<>()\n])*)""")


def reo_commands(script: str) -> list[list[str]]:
    """Return the arguments of every `reo` in a shell script."""
    script = re.sub(r"\\\n\s*", " ", script)
    script = re.sub(r"(^|\s)#.*", "", script, flags=re.M)
    script = re.sub(r"\$\{\{[^}]*\}\}", "X", script)
    return [shlex.split(match[1]) for match in REO.finditer(script)]


Parse = Callable[[list[str]], int]


@pytest.fixture
def parse(monkeypatch: pytest.MonkeyPatch) -> Parse:
    """Parse a command line as the program does, without running it."""
    monkeypatch.setattr(Command, "invoke", lambda *_: None)
    return obey


SCRIPTS = [each for each in BLOCKS if each[1] not in ("json", "python", "pycon")]


def commands_of(language: str, text: str) -> list[list[str]]:
    """Return the arguments of every `reo` in a code block."""
    if language == "console":
        text = "".join(re.findall(r"^\$ ((?:.*\\\n)*.*\n)", text, re.M))
    if language == "yaml":
        text = "\n".join(re.findall(r"(?:run:|^\s+-) +(reo .*)$", text, re.M))
    return reo_commands(text)


def test_every_command_line_is_one(parse: Parse) -> None:
    found = [args for _, language, text in SCRIPTS for args in commands_of(language, text)]
    assert len(found) > 30
    for args in found:
        try:
            assert parse(args) == 0
        except (USAGE_ERROR, ReoError) as error:
            pytest.fail(f"reo {shlex.join(args)}: {error}")


def test_command_lines_are_found(parse: Parse) -> None:
    """The test above can fail: it sees what it should see."""
    script = "A=1 reo send -n 1 | tee x && .venv/bin/reo validate a.csv # reo nothing\nreox send"
    assert reo_commands(script) == [["send", "-n", "1"], ["validate", "a.csv"]]
    with pytest.raises(USAGE_ERROR):
        parse(["send", "--nothing"])


PIPED = """{"domain": "acme.com", "count": 7, "event_at": "2024-05-01"}\n"""
LOG = '93.184.216.34 - - [01/May/2024:10:00:00 +0000] "GET /cli HTTP/1.1" 200 512 "-" "curl/8"\n'


def test_every_command_of_the_front_page_runs(world: World) -> None:
    """Against a server that answers like the API; only the prompt for the key is left out."""
    (world.folder / "access.log").write_text(LOG)
    (world.folder / "piped").write_text(PIPED)
    duckdb = pytest.importorskip("duckdb", reason="--sql needs the extra `sql`")
    pulls = "select 'acme.com' as domain, date '2024-05-01' as day from range(9)"
    duckdb.sql(pulls).write_parquet(str(world.folder / "pulls.parquet"))
    scripts = [text for name, language, text in BLOCKS if (name, language) == ("README", "sh")]
    found = [args for text in scripts for args in commands_of("sh", text)]
    with Player(world) as player:
        player.serve()
        for args in found:
            if SAMPLE in args or args == ["config", "set", "api_key"]:
                continue
            extra = " -a a -p p < piped" if "-" in args else ""
            screen = player.run(f"reo {shlex.join(args)}{extra}")
            assert screen.code == 0, (args, screen)


CONSOLES = [(name, text) for name, language, text in BLOCKS if language == "console"]


@pytest.mark.parametrize("number", range(len(CONSOLES)))
def test_outputs_are_what_the_program_prints(world: World, number: int) -> None:
    name, text = CONSOLES[number]
    with Player(world) as player:
        now = "".join(console(player, text))
    if UPDATE and settled(now) != settled(text):
        page = FILES[name].read_text(encoding="utf-8")
        page = page.replace(f"```console\n{text}```", f"```console\n{now}```")
        FILES[name].write_text(page, encoding="utf-8")
    else:
        assert settled(now) == settled(text)


PICTURE = ROOT / ".github" / "reo.svg"


def test_the_picture_is_a_real_run(world: World) -> None:
    """Compares the texts in it: how they are drawn differs by the version of rich."""
    with Player(world) as player:
        now = picture(player, ["reo validate broken.csv", "reo send-file usage.csv --sandbox"], 90)
    if UPDATE:
        PICTURE.write_text(now, encoding="utf-8")
    texts = [re.findall(r">([^<]+)</text>", svg) for svg in (PICTURE.read_text("utf-8"), now)]
    assert texts[0] == texts[1]
    assert "font-face" not in now
    assert f"({PICTURE.relative_to(ROOT)})" in TEXTS["README"]

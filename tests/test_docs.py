"""The README says what the program does: its tables, its commands, its outputs, its links.

`REO_UPDATE=1 python -m pytest tests/test_docs.py` writes tables and outputs anew.
"""

import json
import os
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer

from reo_cli.cli.app import USAGE_ERROR
from reo_cli.errors import ExitCode, ReoError
from reo_cli.settings.table import SETTINGS, env_example
from tests import tables
from tests.conftest import CANARY, Run, World
from tests.screen import Player, console, settled

Reo = Callable[..., Run]

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
TEXT = README.read_text(encoding="utf-8")
SAMPLE = "tests/cases/valid/usage.csv"
UPDATE = bool(os.environ.get("REO_UPDATE"))

BLOCKS = [
    (match[1], match[2]) for match in re.finditer(r"^```(\w*)\n(.*?)^```$", TEXT, re.M | re.S)
]
"""The code blocks: language and content."""


def section(title: str) -> str:
    """Return the part of the README under a heading."""
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#+ |\Z)", TEXT, re.M | re.S)
    assert found, title
    return found[1]


def test_lines_are_no_longer_than_120_characters() -> None:
    prose = re.sub(r"^```console\n.*?^```$", "", TEXT, flags=re.M | re.S)
    assert not [line for line in prose.splitlines() if len(line) > 120]


def test_the_tables_are_those_of_the_program() -> None:
    now = tables.written(TEXT)
    if UPDATE:
        README.write_text(now, encoding="utf-8")
    assert now == README.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", ["reo", *tables.all_commands()])
def test_every_option_stands_in_its_table_and_no_other(path: str) -> None:
    """Looks at the text alone, in case the tables are drawn wrongly."""
    group, _, name = path.partition(" ")
    marker = f"<!-- table: options {group} -->"
    assert TEXT.count(marker) == 1
    rows = TEXT.split(marker)[1].split("<!-- end -->")[0].splitlines()[3:]
    cells = [re.split(r"(?<!\\)\|", row)[1:-1] for row in rows]
    if name:
        cells = [row for row in cells if row[1] == " all " or f"`{name}`" in row[1]]
        assert f"| `reo {path}" in TEXT
    found = {each.split()[0] for row in cells for each in re.findall(r"`(-[^`]+)`", row[0])}
    assert found == tables.option_names(path)


def test_every_setting_stands_in_its_table_with_its_default() -> None:
    rows = re.findall(r"^\| `(\w+)`, `(\w+)` \|([^|]*)\|", section("Settings"), re.M)
    assert [(key, name) for key, name, _ in rows] == [(e.key, e.variable) for e in SETTINGS]
    defaults = {key: default.strip("` ") for key, _, default in rows}
    for each in SETTINGS:
        expected = "the API" if each.key == "endpoint" else each.default_text
        assert defaults[each.key] == expected


def test_the_example_env_file_is_that_of_the_settings() -> None:
    assert (ROOT / ".env.example").read_text(encoding="utf-8") == env_example()


@pytest.mark.parametrize("place", ["README", "help"])
def test_every_exit_code_is_explained(reo: Reo, place: str) -> None:
    expected = {int(code) for code in ExitCode}
    if place == "README":
        first = re.findall(r"^\| ([\d, ]+) \|", section("Exit codes"), re.M)
        found = [int(each) for cell in first for each in cell.split(",")]
        assert len(found) == len(expected)
    else:
        words = reo("--help").stdout.split("Exit codes:")[1].split("\n\n")[0]
        found = [int(each) for each in re.findall(r"\b\d+\b", words)]
    assert set(found) == expected


def keys(name: str) -> list[str]:
    """Return the keys of a marked table of the README."""
    body = TEXT.split(f"<!-- keys: {name} -->\n")[1].split("<!-- end -->")[0]
    cells = [line.split("|")[1] for line in body.splitlines()[2:]]
    return [key for cell in cells for key in re.findall(r"`(\w+)`", cell)]


def test_the_json_has_the_keys_that_are_explained(reo: Reo) -> None:
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
    counts = {"read", "valid", "invalid", "errors", "warnings", "skipped"}
    assert set(result["files"][0]) == {"file", *counts, "totals", "error"}
    assert result["files"][0]["totals"] == result["totals"]


def test_parts_of_the_json_are_those_that_are_named(reo: Reo, world: World) -> None:
    (world.folder / "bad.csv").write_text("domain,count\nacme.com,x\n")
    result = reo("validate", "bad.csv", "-p", "app", "-a", "b", "-o", "json").json
    issue = set(result["issues"][0])
    assert issue == {"file", "line", "record", "field", "severity", "message", "hint", "code"}
    assert f"objects: {', '.join(f'`{key}`' for key in result['issues'][0])}" in TEXT
    failed = reo("send-file", "bad.csv", "-o", "json").json
    assert '`{"' + '", "'.join(failed["error"]) + '"}`' in TEXT.replace("\n", " ")
    assert failed["ledger"] is None


@pytest.mark.parametrize("command", ["config list", "config doctor", "ledger info"])
def test_other_commands_have_the_schema_that_is_named(reo: Reo, command: str) -> None:
    env = {"REO_ENDPOINT": "http://127.0.0.1:9/", "REO_API_KEY": CANARY}
    schema = json.loads(reo(*command.split(), "-o", "json", env=env).stdout)["schema"]
    assert f"`{schema}`" in section("Output")


def test_the_test_command_is_that_of_ci() -> None:
    command = section("Development").split("```sh\n")[1].split("\n```")[0]
    assert command.endswith("-m pytest")
    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_the_first_command_runs_the_sample_that_ships() -> None:
    command = section("Two minutes").split("```sh\n")[1].split("\n```")[0]
    setup, install, run = command.split(" && ")
    assert (setup, install) == ("python3 -m venv .venv", ".venv/bin/pip install -q .")
    assert run == f".venv/bin/reo send-file {SAMPLE} --sandbox"
    assert (ROOT / SAMPLE).is_file()


def test_links_lead_somewhere() -> None:
    anchors = {
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.*)$", TEXT, re.M)
    }
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        if target.startswith("#"):
            assert target[1:] in anchors, target
        elif not target.startswith("https://"):
            assert (ROOT / target).exists(), target


def test_files_and_folders_that_are_named_exist() -> None:
    for name in re.findall(r"`((?:reo_cli|tests|completions|\.ci)/[\w./]*)`", TEXT):
        assert (ROOT / name).exists(), name


def test_messages_that_are_explained_exist() -> None:
    source = "".join(
        path.read_text(encoding="utf-8") for path in sorted((ROOT / "reo_cli").rglob("*.py"))
    )
    titles = re.findall(r"^\*\*(.*?)\*\*", section("Troubleshooting"), re.M)
    quoted = [text for title in titles for text in re.findall(r"`([^`]+)`", title)]
    assert len(quoted) > 5
    for text in quoted:
        for part in text.split("…"):
            assert part.strip() in source, text


def test_the_config_file_of_the_example_is_valid(world: World) -> None:
    example = next(text for language, text in BLOCKS if language == "toml")
    (world.home / "config.toml").write_text(example)
    env = {"REO_CONFIG": str(world.home / "config.toml")}
    for name in re.findall(r"^\[profiles\.(\w+)\]$", example, re.M):
        run = world.run("config", "list", "--profile", name, env=env)
        assert (run.code, run.stderr) == (0, "")


def reo_commands(script: str) -> Iterator[list[str]]:
    """Give the arguments of every `reo` in a shell script."""
    script = re.sub(r"\\\n\s*", " ", script)
    for line in script.splitlines():
        line = re.sub(r"(^|\s)#.*", "", line)
        line = re.sub(r"\$\{\{[^}]*\}\}", "X", line)
        if "reo" not in line:
            continue
        words = shlex.shlex(line, posix=True, punctuation_chars=True)
        words.whitespace_split = True
        words.commenters = ""
        yield from _in_words(list(words))


def _in_words(words: list[str]) -> Iterator[list[str]]:
    segment: list[str] = []
    for word in [*words, ";"]:
        if word and set(word) <= set("|&;()<>"):
            if "reo" in segment:
                yield segment[segment.index("reo") + 1 :]
            segment = []
        elif not (segment and segment[-1:] == [""]):
            segment.append(word.rpartition("/")[2] if word.endswith("bin/reo") else word)


def parse(args: list[str]) -> None:
    """Parse a command line as the program does, without running it."""
    try:
        context = tables.ROOT.make_context("reo", list(args))
        words = args[:1]
        found = tables.ROOT.load(context, words[0])
        assert found is not None, f"no command {words}"
        rest = args[1:]
        if hasattr(found, "list_commands"):
            name, *rest = rest
            found = found.get_command(context, name)
            assert found is not None, f"no command {args[:2]}"
        found.make_context(found.name, list(rest), parent=context)
    except typer.Exit:
        pass


SCRIPTS = [(language, text) for language, text in BLOCKS if language != "json"]


@pytest.mark.parametrize("number", range(len(SCRIPTS)))
def test_every_command_line_is_one(number: int) -> None:
    language, text = SCRIPTS[number]
    if language == "console":
        text = "".join(re.findall(r"^\$ ((?:.*\\\n)*.*\n)", text, re.M))
    if language == "yaml":
        text = "\n".join(re.findall(r"(?:run:|^\s+-) +(reo .*)$", text, re.M))
    for args in reo_commands(text):
        if args[:1] in (["--install-completion"], ["--show-completion"]):
            continue
        try:
            parse(args)
        except (USAGE_ERROR, ReoError) as error:
            pytest.fail(f"reo {shlex.join(args)}: {error}")


def test_command_lines_are_found() -> None:
    """The test above can fail: it sees what it should see."""
    script = "A=1 reo send -n 1 | tee x && .venv/bin/reo validate a.csv # reo nothing\nreox send"
    assert list(reo_commands(script)) == [["send", "-n", "1"], ["validate", "a.csv"]]
    with pytest.raises(USAGE_ERROR):
        parse(["send", "--nothing"])
    found = [args for kind, text in SCRIPTS if kind != "console" for args in reo_commands(text)]
    assert len(found) > 40


CONSOLES = [text for language, text in BLOCKS if language == "console"]


@pytest.mark.parametrize("number", range(len(CONSOLES)))
def test_outputs_are_what_the_program_prints(world: World, number: int) -> None:
    text = CONSOLES[number]
    with Player(world) as player:
        sample = world.folder / SAMPLE
        sample.parent.mkdir(parents=True)
        sample.write_bytes((ROOT / SAMPLE).read_bytes())
        now = "".join(console(player, text))
    if UPDATE and settled(now) != settled(text):
        page = README.read_text(encoding="utf-8")
        page = page.replace(f"```console\n{text}```", f"```console\n{now}```")
        README.write_text(page, encoding="utf-8")
    else:
        assert settled(now) == settled(text)

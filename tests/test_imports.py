"""Who may import whom, and what a start of the program may load: start-up time is a promise."""

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from reo_cli.sandbox import Sandbox
from tests.conftest import CANARY, World

PACKAGE = Path(__file__).parent.parent / "reo_cli"
SAMPLE = str(Path(__file__).parent / "cases" / "valid" / "usage.csv")

HOMES = {
    "dotenv": "settings",
    "duckdb": "readers",
    "idna": "checks",
    "platformdirs": "settings",
    "python_calamine": "readers",
    "requests": "client",
    "rich": "reports",
    "tomlkit": "settings",
    "typer": "cli",
    "urllib3": "client",
}
"""The one part of the package that may import each package from outside."""

LAYERS = (
    "errors text | records version | events | settings | readers | checks | client | delivery"
    " | doctor | reports | sandbox | library | cli | __main__"
)
"""A part imports itself and the layers before its own, never those behind it or beside it."""


def imports() -> Iterator[tuple[str, str, Path]]:
    """Give what every module imports, at whatever place in it: its part, the import, the file."""
    for path in sorted(PACKAGE.rglob("*.py")):
        part = path.relative_to(PACKAGE).with_suffix("").parts[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((part, each.name, path) for each in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert not node.level, f"{path}: relative imports hide where a thing comes from"
                names = [node.module or ""]
                if node.module == "reo_cli":
                    names = [f"reo_cli.{each.name.replace('__', '')}" for each in node.names]
                yield from ((part, name, path) for name in names)


def test_each_package_from_outside_has_one_home() -> None:
    homes = {(name.partition(".")[0], part) for part, name, _ in imports()}
    ours = {"reo_cli", *sys.stdlib_module_names}
    assert {(top, home) for top, home in homes if top not in ours} == set(HOMES.items())


def test_imports_run_one_way() -> None:
    rank = {part: n for n, layer in enumerate(LAYERS.split("|")) for part in layer.split()}
    wrong = []
    for part, name, path in imports():
        top, _, below = name.partition(".")
        used = below.partition(".")[0]
        if top != "reo_cli" or used == part or part == "__init__":
            continue
        assert {used, part} <= rank.keys(), f"give {used} and {part} a place in LAYERS"
        if rank[used] >= rank[part]:
            wrong.append(f"{path.relative_to(PACKAGE.parent)} imports {name}")
    assert not wrong


HEAVY = {"requests", "urllib3", "rich", "dotenv", "tomlkit", "certifi", "idna", "sqlite3", "ssl"}
NEVER = set("http email logging asyncio concurrent pydantic click tomllib getpass".split())

DRIVER = """
import sys
from reo_cli.cli import main
path, sys.argv = sys.argv[1], ["reo", *sys.argv[2:]]
try:
    main()
finally:
    with open(path, "w") as file:
        print(*(name for name, module in sys.modules.items() if module), file=file)
"""


NAME = re.compile(r"(?<!\S)(?:reo_cli\.(\S+)|(\w+)\S*)")
"""The name of a module of reo by its place, and of another's package."""


def loaded(world: World, *args: str, env: Mapping[str, str] | None = None) -> set[str]:
    """Run reo with its output in pipes; return the modules that were loaded in the end."""
    names = world.home / "modules"
    done = world.execute(sys.executable, "-c", DRIVER, str(names), *args, env=env)
    assert done.code == 0, done.stderr
    return {own or other for own, other in NAME.findall(names.read_text())}


def tab(line: str) -> dict[str, str]:
    return {"_REO_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": line}


EVENT = "send -a primary -n 5 -d acme.com -p reoWebApp"


@pytest.mark.parametrize(
    ("words", "env", "needed"),
    [
        ("--version", {}, set()),
        ("--help", {}, set()),
        ("send-file --help", {}, set()),
        ("", tab("reo send-file --"), set()),
        ("", tab("reo "), set()),
        ("", tab("reo validate --map "), set()),
        ("config list", {}, set()),
        ("config get timeout", {}, set()),
        ("config path", {}, set()),
        (f"validate {SAMPLE}", {}, set()),
        (f"validate {SAMPLE} -o json", {}, set()),
        (f"{EVENT} --dry-run", {}, set()),
        (f"send-file {SAMPLE} --dry-run", {}, {"sqlite3"}),
    ],
    ids=lambda value: str(value)[-40:],
)
def test_what_a_command_without_a_request_loads(
    world: World, words: str, env: Mapping[str, str], needed: set[str]
) -> None:
    assert loaded(world, *words.split(), env=env) & (HEAVY | NEVER) == needed


def test_validate_loads_nothing_that_only_other_commands_or_findings_need(world: World) -> None:
    found = loaded(world, "validate", SAMPLE)
    assert not found & {"checks.rollup", "readers.advice", "readers.given", "settings.edit"}
    assert {name for name in found if name.startswith("delivery.")} == {"delivery.signals"}


@pytest.mark.parametrize("words", [EVENT, f"send-file {SAMPLE}"], ids=["send", "send-file"])
def test_a_request_loads_requests_and_nothing_for_terminals(world: World, words: str) -> None:
    with Sandbox() as server:
        env = {"REO_ENDPOINT": server.url, "REO_API_KEY": CANARY}
        found = loaded(world, *words.split(), env=env)
    assert "requests" in found
    assert not found & {"rich", "dotenv", "tomlkit", "asyncio", "pydantic", "click"}


@pytest.mark.parametrize("words", ["reo ", "reo validate --", "reo send-file --extra "])
def test_tab_loads_one_command_at_most_and_help_none(world: World, words: str) -> None:
    commands = {f"cli.{name}" for name in ("send", "send_file", "validate", "config")}
    named = {f"cli.{name}" for name in words.replace("-", "_").split()[1:2]}
    assert commands & loaded(world, env=tab(words)) == named
    assert not {*commands, "cli.options"} & loaded(world, "--help")


def test_files_that_are_there_load_their_readers(world: World) -> None:
    """The tests above can fail: what is needed is loaded, and seen to be."""
    (world.folder / ".env").write_text("REO_TIMEOUT=3\n")
    steps: list[tuple[str, set[str]]] = [
        ("config list", {"dotenv"}),
        ("config list --no-env-file", set()),
        ("config set retries 3 --profile eu", {"tomlkit"}),
        ("config list --no-env-file", set()),
    ]
    for words, needed in steps:
        assert loaded(world, *words.split()) & HEAVY == needed

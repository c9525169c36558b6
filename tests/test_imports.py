"""Who may import whom, and what a start of the program may load: start-up time is a promise."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from reo_cli.sandbox import Sandbox
from tests.conftest import CANARY, World

PACKAGE = Path(__file__).parent.parent / "reo_cli"
SAMPLE = Path(__file__).parent / "cases" / "valid" / "usage.csv"

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


def sources() -> Iterator[tuple[str, Path]]:
    """Give every module with the part of the package that it belongs to."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        yield parts[0], path


def imports(path: Path) -> Iterator[str]:
    """Give the modules that a file imports, at whatever place in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative imports hide where a thing comes from"
            if node.module == "reo_cli":
                for each in node.names:
                    name = "version" if each.name == "__version__" else each.name
                    yield f"reo_cli.{name}"
            else:
                yield str(node.module)


def test_each_package_from_outside_has_one_home() -> None:
    homes: dict[str, set[str]] = {}
    for part, path in sources():
        for name in imports(path):
            top = name.partition(".")[0]
            if top != "reo_cli" and top not in sys.stdlib_module_names:
                homes.setdefault(top, set()).add(part)
    assert homes == {name: {home} for name, home in HOMES.items()}


def test_imports_run_one_way() -> None:
    rank = {part: n for n, layer in enumerate(LAYERS.split("|")) for part in layer.split()}
    wrong = []
    for part, path in sources():
        if part == "__init__":
            continue
        for name in imports(path):
            top, _, below = name.partition(".")
            used = below.partition(".")[0]
            if top != "reo_cli" or used == part:
                continue
            assert {used, part} <= rank.keys(), f"give {used} and {part} a place in LAYERS"
            if rank[used] >= rank[part]:
                wrong.append(f"{path.relative_to(PACKAGE.parent)} imports {name}")
    assert not wrong


HEAVY = {"requests", "urllib3", "rich", "dotenv", "tomlkit", "certifi", "idna", "sqlite3", "ssl"}
NEVER = {
    *(
        "http",
        "email",
        "logging",
        "asyncio",
        "concurrent",
        "pydantic",
        "click",
        "tomllib",
        "getpass",
    )
}

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


def loaded(world: World, *args: str, env: Mapping[str, str] | None = None) -> set[str]:
    """Run reo with its output in pipes; return the modules that were loaded in the end."""
    names = world.home / "modules"
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, str(names), *args],
        env=world.environ(env),
        cwd=world.folder,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return set(names.read_text().split())


def tops(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


EVENT = ["send", "-a", "primary", "-n", "5", "-d", "acme.com", "-p", "reoWebApp"]
TAB = {"_REO_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "reo send-file --"}


@pytest.mark.parametrize(
    ("args", "env", "needed"),
    [
        (["--version"], {}, set()),
        (["--help"], {}, set()),
        (["send-file", "--help"], {}, set()),
        ([], TAB, set()),
        ([], {**TAB, "_TYPER_COMPLETE_ARGS": "reo "}, set()),
        ([], {**TAB, "_TYPER_COMPLETE_ARGS": "reo validate --map "}, set()),
        (["config", "list"], {}, set()),
        (["config", "get", "timeout"], {}, set()),
        (["config", "path"], {}, set()),
        (["validate", str(SAMPLE)], {}, set()),
        (["validate", str(SAMPLE), "-o", "json"], {}, set()),
        ([*EVENT, "--dry-run"], {}, set()),
        (["send-file", str(SAMPLE), "--dry-run"], {}, {"sqlite3"}),
    ],
    ids=lambda value: " ".join(map(str, value))[-40:],
)
def test_what_a_command_without_a_request_loads(
    world: World, args: list[str], env: Mapping[str, str], needed: set[str]
) -> None:
    assert tops(loaded(world, *args, env=env)) & (HEAVY | NEVER) == needed


def test_validate_loads_nothing_that_only_other_commands_or_findings_need(world: World) -> None:
    found = loaded(world, "validate", str(SAMPLE))
    rooms = {name.removeprefix("reo_cli.") for name in found}
    assert not rooms & {"checks.rollup", "readers.advice", "readers.given", "settings.edit"}
    assert {name for name in rooms if name.startswith("delivery.")} == {"delivery.signals"}


@pytest.mark.parametrize("args", [EVENT, ["send-file", str(SAMPLE)]], ids=["send", "send-file"])
def test_a_request_loads_requests_and_nothing_for_terminals(world: World, args: list[str]) -> None:
    with Sandbox() as server:
        env = {"REO_ENDPOINT": server.url, "REO_API_KEY": CANARY}
        found = tops(loaded(world, *args, env=env))
    assert "requests" in found
    assert not found & {"rich", "dotenv", "tomlkit", "asyncio", "pydantic", "click"}


@pytest.mark.parametrize("words", ["reo ", "reo validate --", "reo send-file --extra "])
def test_tab_loads_one_command_at_most_and_help_none(world: World, words: str) -> None:
    commands = {f"reo_cli.cli.{name}" for name in ("send", "send_file", "validate", "config")}
    modules = loaded(world, env={**TAB, "_TYPER_COMPLETE_ARGS": words})
    named = words.replace("-", "_").split()[1:2]
    assert commands & modules == {f"reo_cli.cli.{name}" for name in named}
    assert not {*commands, "reo_cli.cli.options"} & loaded(world, "--help")


def test_files_that_are_there_load_their_readers(world: World) -> None:
    """The tests above can fail: what is needed is loaded, and seen to be."""
    (world.folder / ".env").write_text("REO_TIMEOUT=3\n")
    assert tops(loaded(world, "config", "list")) & HEAVY == {"dotenv"}
    assert tops(loaded(world, "config", "list", "--no-env-file")) & HEAVY == set()
    assert tops(loaded(world, "config", "set", "retries", "3", "--profile", "eu")) & HEAVY == {
        "tomlkit"
    }
    assert tops(loaded(world, "config", "list", "--no-env-file")) & HEAVY == set()

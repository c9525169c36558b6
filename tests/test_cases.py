"""Files in, issues out: every file under `cases/` is a test, found by itself.

Beside each file stands what is expected of it: the command, the exit code and its output. After a
change that is meant, `REO_UPDATE=1 python -m pytest tests/test_cases.py` writes them anew.
"""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import World

CASES = Path(__file__).parent / "cases"
EXPECTED = ".expected"


def found() -> Iterator[Path]:
    """Give every case: a file with its expectation beside it."""
    for path in sorted(CASES.glob("*/*")):
        if path.suffix != EXPECTED and path.name != "usage.csv":
            yield path


FOUND = list(found())


def test_cases_are_found() -> None:
    assert len(FOUND) > 60


@pytest.mark.parametrize("path", FOUND, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_case(world: World, path: Path) -> None:
    expected = path.with_name(path.name + EXPECTED)
    written = expected.read_text(encoding="utf-8")
    command = written.partition("\n")[0]
    words = shlex.split(command.removeprefix("$ "))
    assert words[:3] == ["reo", "validate", path.name]
    run = world.run(*words[1:], cwd=path.parent)
    assert not run.stderr
    actual = f"{command}\n{run.stdout}exit code {run.code}\n"
    if os.environ.get("REO_UPDATE"):
        expected.write_text(actual, encoding="utf-8")
    assert actual == expected.read_text(encoding="utf-8")
    assert (run.code == 0) is (path.parent.name == "valid")

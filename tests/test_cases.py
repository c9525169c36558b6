"""Files in, issues out: every file under `cases/` is a test, found by itself.

Beside each file stands what is expected of it: the command, the issues by line, severity, code and
field, the counts and the exit code. Wording is free. After a change that is meant,
`REO_UPDATE=1 python -m pytest tests/test_cases.py` writes them anew.
"""

import os
import shlex
from pathlib import Path

import pytest

from tests.conftest import World

CASES = Path(__file__).parent / "cases"
EXPECTED = ".expected"
FOUND = [
    path
    for path in sorted(CASES.glob("*/*"))
    if path.suffix != EXPECTED and path.name != "usage.csv"
]


def test_cases_are_found() -> None:
    assert len(FOUND) > 20


@pytest.mark.parametrize("path", FOUND, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_case(world: World, path: Path) -> None:
    expected = path.with_name(path.name + EXPECTED)
    command = f"$ reo validate {path.name}\n"
    if expected.exists():
        command = expected.read_text(encoding="utf-8").partition("\n")[0] + "\n"
    words = shlex.split(command.removeprefix("$ "))
    assert words[:3] == ["reo", "validate", path.name]
    run = world.run(*words[1:], "-o", "json", cwd=path.parent)
    assert not run.stderr or run.stderr.startswith("hint: ")
    found = run.json
    issues = [
        f"{each['line']}: {each['severity']} {each['code'] or '-'} {each['field']}".rstrip() + "\n"
        for each in found["issues"]
    ]
    counts = f"{found['read']} read, {found['invalid']} invalid, count {found['totals']['count']}\n"
    actual = "".join([command, *issues, counts, f"exit code {run.code}\n"])
    if os.environ.get("REO_UPDATE"):
        expected.write_text(actual, encoding="utf-8")
    assert actual == expected.read_text(encoding="utf-8")
    assert (run.code == 0) is (path.parent.name == "valid")

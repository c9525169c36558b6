"""What people see, kept as transcripts: each command with its exit code, stdout and stderr.

The files of `transcripts/` are run from top to bottom, each in a world of its own with the files of
`transcripts/files`. `REO_UPDATE=1 python -m pytest tests/test_transcripts.py` writes them anew.

    $ reo ...   output goes to pipes            ? 65    the exit code, unless it is 0
    % reo ...   stdout is a terminal            | ...   a line of stdout
    @ server    a sandbox is running            ! ...   a line of stderr
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import World
from tests.screen import Player, settled

FOLDER = Path(__file__).parent / "transcripts"
NAMES = sorted(path.stem for path in FOLDER.glob("*.txt"))


def replay(player: Player, text: str) -> Iterator[str]:
    """Give the lines of a transcript as it runs now."""
    for line in text.splitlines():
        if line.startswith(("? ", "|", "!")):
            continue
        yield line
        if line == "@ server":
            player.serve()
        elif line.startswith(("$ ", "% ")):
            yield from outcome(player, line)


def outcome(player: Player, line: str) -> Iterator[str]:
    run = player.run(line[2:], 80 if line[0] == "%" else 0)
    if run.code:
        yield f"? {run.code}"
    for mark, text in (("|", run.stdout), ("!", run.stderr)):
        yield from (f"{mark} {settled(each)}".rstrip() for each in text.splitlines())


def test_there_are_transcripts() -> None:
    assert len(NAMES) >= 8


@pytest.mark.parametrize("name", NAMES)
def test_transcript(world: World, name: str) -> None:
    path = FOLDER / f"{name}.txt"
    text = path.read_text(encoding="utf-8")
    with Player(world) as player:
        now = "\n".join(replay(player, text)) + "\n"
    if os.environ.get("REO_UPDATE"):
        path.write_text(now, encoding="utf-8")
    assert now == path.read_text(encoding="utf-8")

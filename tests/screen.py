"""Runs of reo as a person at a screen sees them, for the transcripts and for the README."""

import fcntl
import io
import os
import re
import shutil
import struct
import subprocess
import termios
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TextIO

from reo_cli import __version__
from reo_cli.sandbox import Sandbox, SandboxOptions
from tests.conftest import CANARY, Run, World

FILES = Path(__file__).parent / "transcripts" / "files"

CHANGING = (
    (re.escape(__version__), "VERSION"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
    (r"\b\d+(\.\d+)? s\b", "TIME s"),
    (r"\b[\d,]+ ms\b", "TIME ms"),
    (r"[\d,]+(\.\d+)? events a second", "RATE events a second"),
    (r'("elapsed_s"|"elapsed_ms"|"events_per_s"): [\d.]+', r"\1: TIME"),
    (r'"started_at": "[^"]*"', '"started_at": "DATE"'),
    (r"reject-[0-9a-f]{32}", "reject-ID"),
    (r"(on|created:|last one) \d{4}-\d\d-\d\d \d\d:\d\d UTC", r"\1 DATE"),
    (r"delivered: .* UTC to .* UTC", "delivered: DATE to DATE"),
    (r'(fingerprint |key |"key": ")[0-9a-f]{8}\b', r"\1xxxxxxxx"),
    (r'"(created_at|oldest|newest)": \d+', r'"\1": TIME'),
)
"""What differs from run to run, and what stands for it."""


def settled(text: str) -> str:
    """Return a text without what differs from run to run."""
    for pattern, stand_in in CHANGING:
        text = re.sub(pattern, stand_in, text)
    return text


class Terminal:
    """A pseudo-terminal of so many columns; a thread keeps what is written to it."""

    def __init__(self, columns: int) -> None:
        self._ours, self._theirs = os.openpty()
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        self._chunks: list[bytes] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def file(self) -> TextIO:
        """The side of the program: closed by the last that has it, it ends the text."""
        return os.fdopen(self._theirs, "w", encoding="utf-8")

    def text(self) -> str:
        """All that it showed, its line ends as `\\n`, once the program has closed it."""
        self._reader.join(60)
        os.close(self._ours)
        return b"".join(self._chunks).decode().replace("\r\n", "\n")

    def _read(self) -> None:
        with suppress(OSError):  # EIO: the last writer has gone
            while chunk := os.read(self._ours, 65536):
                self._chunks.append(chunk)


class Player(ExitStack):
    """Runs shell commands in a world that has the files of `transcripts/files`."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self._env = {"NO_COLOR": "1", "TERM": "dumb", "PATH": world.path_with_reo()}
        shutil.copytree(FILES, world.folder, dirs_exist_ok=True)

    def serve(self) -> None:
        """Let a sandbox run, and the commands send to it."""
        server = self.enter_context(Sandbox(SandboxOptions(api_key=CANARY)))
        self._env |= {"REO_ENDPOINT": server.url, "REO_API_KEY": CANARY}

    def run(self, command: str, width: int = 0, *, err: int = subprocess.PIPE) -> Run:
        """Run a command with its output in pipes or, of a `width`, with stdout on a terminal.

        With `err` STDOUT, stderr is there too. The paths are those of somebody called ann.
        """
        shell = ("sh", "-c", command)
        if width:
            terminal = Terminal(width)
            with terminal.file() as file:
                process = subprocess.Popen(
                    shell,
                    env=self._world.environ(self._env),
                    cwd=self._world.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=err,
                )
            talk = process.communicate(timeout=60)[1] or b""
            run = Run(process.returncode, terminal.text(), talk.decode())
        else:
            run = self._world.execute(*shell, env=self._env)
        assert run.code != 70, f"{command}: {run.stderr}"
        assert CANARY not in run.stdout
        return Run(run.code, self._told(run.stdout), self._told(run.stderr))

    def _told(self, text: str) -> str:
        text = text.replace(str(self._world.folder), "/home/ann/work")
        return text.replace(str(self._world.home), "/home/ann")


def console(player: Player, text: str) -> Iterator[str]:
    """Give a console of the README as it is now: every command with what it prints."""
    for match in re.finditer(r"^\$ (?:.*\\\n)*.*\n", text, re.M):
        yield match[0]
        shown = player.run(match[0][2:], 100, err=subprocess.STDOUT).stdout
        yield from (f"{line.rstrip()}\n" for line in shown.splitlines())


def picture(player: Player, commands: Sequence[str], width: int) -> str:
    """Record commands and what they print, in colour, as an SVG of a terminal."""
    from rich.console import Console
    from rich.text import Text

    recorder = Console(
        record=True, width=width, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    for command in commands:
        recorder.print(Text(f"$ {command}", "bold"))
        for line in player.run(f"NO_COLOR= TERM=xterm {command}", width).stdout.splitlines():
            recorder.print(Text.from_ansi(_usual(line)))
        recorder.print()
    svg = recorder.export_svg(title="reo", unique_id="reo")
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # no font from elsewhere


def _usual(line: str) -> str:
    """A line with a port and times that do not change from run to run."""
    line = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:40000", line)
    line = re.sub(r"[\d.]+ s, ", "0.10 s, ", line)
    return re.sub(r"[\d,]+ events a second", "1,353 events a second", line)

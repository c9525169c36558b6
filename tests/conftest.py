"""What all tests share: reo as a real process in a clean world, and a look-out for leaked keys."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pytest

SCALE = float(os.environ.get("REO_TEST_SCALE") or 0.1)
"""How much of a long figure is run; the README says how long all of it takes."""

hypothesis.settings.register_profile("reo", derandomize=True, deadline=None, database=None)
hypothesis.settings.register_profile("explore", deadline=None, max_examples=2000)
hypothesis.settings.load_profile(os.environ.get("REO_HYPOTHESIS", "reo"))
"""The same examples in every run; `REO_HYPOTHESIS=explore` looks for new ones."""

CANARY = "canary-key-0123456789-abcd"
"""The key of every test. After each test it must stand nowhere but where the test put it."""

KEY_FILES = ("config.toml", ".env", "key")
"""Parts of the names of files in which tests put the key on purpose."""

Env = Mapping[str, str | None]

LAUNCHER = """
import os, sys
pid = os.fork()
if not pid:
    os.execv(sys.argv[2], sys.argv[2:])
_, status, usage = os.wait4(pid, 0)
with open(sys.argv[1], "w") as file:
    file.write(str(usage.ru_maxrss))
sys.exit(os.waitstatus_to_exitcode(status))
"""
"""Starts a program from a small process: Linux counts the memory of whoever forked as its own."""


def scaled(number: int, least: int = 1) -> int:
    """The part of a figure that is to be run."""
    return max(least, round(number * SCALE))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long tests between the short ones: dots keep coming, and no long one is the last."""
    slow = [item for item in items if item.get_closest_marker("slow")]
    quick = [item for item in items if item not in set(slow)]
    step = len(quick) * 3 // 4 // (len(slow) + 1)
    for number, item in enumerate(slow):
        quick.insert((number + 1) * step + number, item)
    items[:] = quick


@dataclass(frozen=True)
class Run:
    """A finished run of reo."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """Standard output, which must be exactly one line of JSON."""
        assert self.stdout.count("\n") == 1, self.stdout
        return json.loads(self.stdout)

    @property
    def lines(self) -> list[Any]:
        """Standard output as NDJSON."""
        return [json.loads(line) for line in self.stdout.splitlines()]


Reo = Callable[..., Run]
"""What the fixture `reo` is: `reo("send-file", "x.csv", input=…, env=…)`."""


@dataclass(frozen=True)
class World:
    """A home and a working folder for runs of reo, and an environment with nothing of ours."""

    home: Path
    folder: Path

    def environ(self, env: Env | None = None) -> dict[str, str]:
        """Return a clean environment, changed by `env` (None removes a variable)."""
        kept = {k: v for k, v in os.environ.items() if k.startswith(("COVERAGE", "COV_"))}
        clean: dict[str, str | None] = {
            **kept,
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "TMPDIR": os.environ.get("TMPDIR", "/tmp"),
            **(env or {}),
        }
        return {k: v for k, v in clean.items() if v is not None}

    def path_with_reo(self) -> str:
        """Return a PATH on which `reo` and `reo-cli` are the commands of this source tree."""
        folder = self.home / "bin"
        folder.mkdir()
        for name in ("reo", "reo-cli"):
            (folder / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" -m reo_cli "$@"\n')
            (folder / name).chmod(0o755)
        return f"{folder}:{os.environ['PATH']}"

    def start(
        self, *args: str, env: Env | None = None, **options: Any
    ) -> "subprocess.Popen[bytes]":
        """Start reo; the caller waits for it or kills it."""
        options = {"stdin": subprocess.DEVNULL, "cwd": self.folder, **options}
        command = [sys.executable, "-m", "reo_cli", *args]
        return subprocess.Popen(command, env=self.environ(env), **options)

    def run(
        self,
        *args: str,
        input: bytes | str | None = None,  # noqa: A002 - as in subprocess.run
        env: Env | None = None,
        cwd: Path | None = None,
        timeout: float = 60,
        code: str = "",
    ) -> Run:
        """Run reo to its end; its standard input is empty unless `input` is given.

        `code` is executed in its process before it starts.
        """
        data = input.encode() if isinstance(input, str) else input or b""
        program = ["-c", f"{code}\nfrom reo_cli.cli import main; main()"]
        command = [sys.executable, *(program if code else ["-m", "reo_cli"]), *args]
        return self.execute(*command, data=data, env=env, cwd=cwd, timeout=timeout)

    def execute(
        self,
        *command: str,
        data: bytes = b"",
        env: Env | None = None,
        cwd: Path | None = None,
        timeout: float = 60,
    ) -> Run:
        """Run any program to its end; the key must be in none of its words."""
        done = subprocess.run(
            command,
            input=data,
            capture_output=True,
            env=self.environ(env),
            cwd=cwd or self.folder,
            timeout=timeout,
        )
        run = Run(done.returncode, done.stdout.decode(), done.stderr.decode())
        for text in (run.stdout, run.stderr):
            assert CANARY not in text, f"the key leaked: {text}"
            assert "Traceback" not in text, text
        return run

    def measured(
        self, *args: str, data: Iterable[bytes] | None = None, env: Env | None = None
    ) -> tuple[Run, float]:
        """Run reo on a stream of bytes; give the run and the most memory it had, in MiB."""
        out, err, peak = (self.folder / name for name in ("out", "err", "peak"))
        launch = [sys.executable, "-S", "-c", LAUNCHER, str(peak), sys.executable]
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(
                [*launch, "-m", "reo_cli", *args],
                env=self.environ(env),
                cwd=self.folder,
                stdin=subprocess.DEVNULL if data is None else subprocess.PIPE,
                stdout=stdout,
                stderr=stderr,
            )
            if process.stdin is not None:
                with contextlib.suppress(BrokenPipeError):
                    for block in data or ():
                        process.stdin.write(block)
                    process.stdin.close()
            process.wait()
        run = Run(process.returncode, out.read_text(), err.read_text())
        assert "Traceback" not in run.stderr, run.stderr
        return run, int(peak.read_text()) / 1024


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A world of its own for each test; at the end the key must be in no file of it."""
    world = World(tmp_path / "home", tmp_path / "work")
    world.home.mkdir()
    world.folder.mkdir()
    yield world
    for path in tmp_path.rglob("*"):
        if path.is_file() and not any(part in path.name for part in KEY_FILES):
            assert CANARY.encode() not in path.read_bytes(), f"the key leaked into {path}"


@pytest.fixture
def reo(world: World) -> Reo:
    """Run reo in the test's world."""
    return world.run

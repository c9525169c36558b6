"""What commands cost, in turns: A B A B …, so that a machine that slows down slows both."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

REO = str(Path(sys.executable).with_name("reo"))
KEY = "benchmark-key-1234"

Command = Sequence[str]


class Cost(NamedTuple):
    """What a command took: seconds by the clock and of the CPU, and MB at most."""

    wall: float
    cpu: float
    peak: float

    def __str__(self) -> str:
        return f"{self.wall:7.1f} s, CPU {self.cpu:6.1f} s, {self.peak:5.0f} MB"


def cost(command: Command, env: Mapping[str, str] | None = None) -> Cost:
    """Run a command to its end, its output thrown away.

    Raises CalledProcessError when it fails: a failed run must not count as a fast one.
    """
    began = time.perf_counter()
    nothing = subprocess.DEVNULL
    process = subprocess.Popen(
        command, stdin=nothing, stdout=nothing, stderr=nothing, env={**os.environ, **(env or {})}
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise subprocess.CalledProcessError(status, command)
    wall = time.perf_counter() - began
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def judged(ratio: float, limit: float, *, is_rate: bool = False) -> str:
    """Say a ratio and whether it is at most `limit`, that of rates at least."""
    verdict = "ok" if (ratio >= limit if is_rate else ratio <= limit) else "MISSED"
    return f"{ratio:.2f} (at {'least' if is_rate else 'most'} {limit}) {verdict}"


def compare(
    name: str,
    ours: Callable[[], float],
    theirs: Callable[[], float],
    limit: float,
    *,
    runs: int,
    is_rate: bool = False,
) -> None:
    """Measure both in turns; print the medians, and that of the ratios."""
    pairs = [(ours(), theirs()) for _ in range(runs)]
    a, b, ratio = map(statistics.median, zip(*((a, b, a / b) for a, b in pairs), strict=True))
    print(f"{name:44} {a:9,.1f} / {b:9,.1f} = {judged(ratio, limit, is_rate=is_rate)}", flush=True)


def compare_commands(name: str, a: Command, b: Command, at_most: float, *, runs: int = 15) -> None:
    """Compare the milliseconds by the clock that two commands take, each once warmed up."""
    cost(a), cost(b)
    compare(name, lambda: cost(a).wall * 1000, lambda: cost(b).wall * 1000, at_most, runs=runs)

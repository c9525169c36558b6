"""Timing two commands side by side: A B A B …, so that a machine that slows down slows both."""

import os
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence

Command = Sequence[str]


def seconds(command: Command, env: Mapping[str, str] | None = None) -> float:
    """Run a command to its end, its output thrown away, and return wall seconds.

    Raises CalledProcessError when it fails: a failed run must not count as a fast one.
    """
    began = time.perf_counter()
    subprocess.run(
        list(command),
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **(env or {})},
    )
    return time.perf_counter() - began


def compare(
    name: str, a: Command, b: Command, at_most: float, *, runs: int = 15, warm_up: int = 2
) -> float:
    """Time two commands in turns; print and return the median of the ratios a / b."""
    for _ in range(warm_up):
        seconds(a), seconds(b)
    times = [(seconds(a), seconds(b)) for _ in range(runs)]
    ratio = statistics.median(x / y for x, y in times)
    ours = statistics.median(x for x, _ in times) * 1000
    theirs = statistics.median(y for _, y in times) * 1000
    verdict = "ok" if ratio <= at_most else "MISSED"
    print(
        f"{name:44} {ours:7.1f} ms / {theirs:7.1f} ms = {ratio:.2f} (at most {at_most}) {verdict}"
    )
    return ratio

"""Where a run stands, on standard error: a bar on a terminal, a plain line now and then elsewhere.

The bar is one line that the streams keep below everything else that is written; it needs no
thread and hides no cursor, so that nothing is left to be mended when the process is killed.
"""

from collections.abc import Callable, Sequence
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple, Protocol

from reo_cli.reports.plain import clean
from reo_cli.reports.streams import Stream, Tone
from reo_cli.reports.talk import Talk
from reo_cli.reports.words import duration, number

if TYPE_CHECKING:
    from reo_cli.progress import Progress

Clock = Callable[[], float]
"""Seconds that only ever grow (`time.monotonic`)."""

LINE_EVERY = 10.0
"""Seconds between two plain lines, and before the first."""
DRAW_EVERY = 0.1
DRAW_FROM = 0.3
"""Seconds before the bar appears: what is over sooner needs none."""
LONGEST_BAR = 30
SHORTEST_BAR = 8


class Meter(Protocol):
    """Shows progress, as often as it sees fit."""

    def show(self, progress: "Progress") -> None:
        """Take note of where the run stands."""

    def close(self) -> None:
        """Leave nothing on the screen; later calls of `show` do nothing."""


def meter(talk: Talk, clock: Clock, failures: str) -> Meter:
    """The meter for this process; `failures` is the word for them, such as `failed`."""
    if talk.quiet:
        from reo_cli.reports.quiet import NoMeter

        return NoMeter()
    if talk.err.can_overwrite:
        return BarMeter(talk.err, clock, failures)
    return LineMeter(talk, clock, failures)


class LineMeter:
    """A plain line every ten seconds, the first after ten."""

    def __init__(self, talk: Talk, clock: Clock, failures: str) -> None:
        self._talk = talk
        self._clock = clock
        self._failures = failures
        self._lock = Lock()
        self._due = clock() + LINE_EVERY

    def show(self, progress: "Progress") -> None:
        """Print a line when it is time for one."""
        with self._lock:
            now = self._clock()
            if now < self._due:
                return
            self._due = now + LINE_EVERY
        self._talk.note(log_line(progress, self._failures))

    def close(self) -> None:
        """Print no more."""
        with self._lock:
            self._due = float("inf")


class BarMeter:
    """A bar in the last line of the terminal."""

    def __init__(self, err: Stream, clock: Clock, failures: str) -> None:
        self._err = err
        self._clock = clock
        self._failures = failures
        self._lock = Lock()
        self._due = clock() + DRAW_FROM

    def show(self, progress: "Progress") -> None:
        """Draw the bar anew, some times a second at the most."""
        with self._lock:
            now = self._clock()
            if now >= self._due:
                self._due = now + DRAW_EVERY
                self._err.overlay(bar_line(progress, self._failures, self._err))

    def close(self) -> None:
        """Take the bar off the screen, for good."""
        with self._lock:
            self._due = float("inf")
            self._err.overlay("")


def log_line(progress: "Progress", failures: str) -> str:
    """`1,234 of 10,000 (12 %), 412 a second, about 21.3 s left, 3 failed, limit 8`."""
    done, total = number(progress.done), progress.total
    words = [f"{done} so far" if total is None else f"{done} of {number(total)}"]
    if total:
        words[0] += f" ({100 * progress.done // total} %)"
    words.append(f"{progress.rate:,.0f} a second")
    left = _seconds_left(progress)
    if left is not None:
        words.append(f"about {duration(left)} left")
    if progress.failures:
        words.append(f"{number(progress.failures)} {failures}")
    if progress.limit:
        words.append(f"limit {progress.limit}")
    return ", ".join(filter(None, [*words, progress.waiting]))


class _Part(NamedTuple):
    rank: int
    """Where the screen is narrow, the part with the highest rank goes first."""
    text: str
    tone: Tone = ""


def bar_line(progress: "Progress", failures: str, err: Stream) -> str:
    """The bar and as many of the figures beside it as fit into one line of `err`."""
    total, left = progress.total, _seconds_left(progress)
    done = number(progress.done) + (" so far" if total is None else f"/{number(total)}")
    parts = [
        _Part(0, done, "strong"),
        _Part(4, f"{progress.rate:,.0f}/s"),
        _Part(3, "" if left is None else f"{duration(left)} left"),
        _Part(2, f"{number(progress.failures)} {failures}" * bool(progress.failures), "bad"),
        _Part(5, f"limit {progress.limit}" * bool(progress.limit), "dim"),
        _Part(1, progress.waiting, "warn"),
    ]
    shown = [part for part in parts if part.text]
    room = err.width - 1
    while len(shown) > 1 and _length(shown) > room:
        shown.remove(max(shown))
    words = "  ".join(err.paint(clean(part.text, err, 60), part.tone) for part in shown)
    cells = min(LONGEST_BAR, room - _length(shown) - 2)
    return f"{_bar(progress, cells, err)}  {words}" if cells >= SHORTEST_BAR else words


def _length(parts: Sequence[_Part]) -> int:
    return sum(len(part.text) + 2 for part in parts) - 2


def _bar(progress: "Progress", cells: int, err: Stream) -> str:
    """A bar of `cells` columns; a block that runs along it while the total is unknown."""
    if progress.total is None:
        start = int(progress.elapsed * 10) % (cells - 2)
        before, full = start, 3
    else:
        share = progress.done / progress.total if progress.total else 1.0
        before, full = 0, round(cells * min(1.0, share))
    rest = cells - before - full
    return (
        err.paint("─" * before, "dim")
        + err.paint("━" * full, "good")
        + err.paint("─" * rest, "dim")
    )


def _seconds_left(progress: "Progress") -> float | None:
    if progress.total is None or progress.rate <= 0:
        return None
    return max(0, progress.total - progress.done) / progress.rate

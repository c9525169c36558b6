"""Where a run stands, on standard error: a bar on a terminal, a plain line now and then elsewhere.

The bar is drawn by rich as one line that the streams keep below everything else that is written;
it needs no thread and hides no cursor, so that nothing is left to be mended when the process is
killed.
"""

from collections.abc import Callable, Iterator
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from reo_cli.reports.streams import Stream, Talk, Tone
from reo_cli.reports.words import duration

if TYPE_CHECKING:
    from reo_cli.records import Progress

LINE_EVERY = 10.0
"""Seconds between two plain lines, and before the first."""
DRAW_EVERY = 0.1
DRAW_FROM = 0.3
"""Seconds before the bar appears: what is over sooner needs none."""
LONGEST_BAR = 30
SHORTEST_BAR = 8


class Meter:
    """Shows progress as often as it sees fit; `failures` is the word for them, e.g. `failed`."""

    def __init__(self, talk: Talk, clock: Callable[[], float], failures: str) -> None:
        self._talk = talk
        self._clock = clock
        self._failures = failures
        self._is_bar = talk.err.can_overwrite
        self._lock = Lock()
        self._due = clock() + (DRAW_FROM if self._is_bar else LINE_EVERY)

    def show(self, progress: "Progress") -> None:
        """Take note of where the run stands; safe to call from several threads."""
        with self._lock:
            now = self._clock()
            if now < self._due:
                return
            self._due = now + (DRAW_EVERY if self._is_bar else LINE_EVERY)
            if self._is_bar:
                self._talk.err.overlay(bar_line(progress, self._failures, self._talk.err))
            else:
                self._talk.note(log_line(progress, self._failures))

    def close(self) -> None:
        """Take the bar off the screen, for good: later calls of `show` do nothing."""
        with self._lock:
            self._due = float("inf")
        if self._is_bar:
            self._talk.err.overlay("")


class _Figure(NamedTuple):
    rank: int
    """Where the screen is narrow, the figure with the highest rank goes first."""
    bar: str
    log: str
    tone: Tone = ""


def log_line(progress: "Progress", failures: str) -> str:
    """`1,234 of 10,000 (12 %), 412 a second, about 21.3 s left, 3 failed, 8 at once`."""
    return ", ".join(figure.log for figure in _figures(progress, failures) if figure.log)


def bar_line(progress: "Progress", failures: str, err: Stream) -> str:
    """The bar and as many of the figures beside it as fit into one line of `err`."""
    figures = list(_figures(progress, failures))

    def room() -> int:
        return err.width - 1 - sum(len(each.bar) + 2 for each in figures)

    while len(figures) > 1 and room() < -2:
        figures.remove(max(figures))
    words = "  ".join(err.paint(err.clean(each.bar, 60), each.tone) for each in figures)
    cells = min(LONGEST_BAR, room())
    return f"{_bar(_share(progress), cells, err)}  {words}" if cells >= SHORTEST_BAR else words


def _figures(progress: "Progress", failures: str) -> Iterator[_Figure]:
    total, share = progress.total, _share(progress)
    short = count = f"{progress.done:,} so far"
    if total is not None:
        short, count = f"{progress.done:,}/{total:,}", f"{progress.done:,} of {total:,}"
    if share is not None:
        count += f" ({int(100 * share)} %)"
        if not total:
            yield _Figure(1, f"{int(100 * share)} %", "")
    yield _Figure(0, short, count, "strong")
    if progress.rate:
        yield _Figure(5, f"{progress.rate:,.0f}/s", f"{progress.rate:,.0f} a second")
    if total is not None and progress.rate > 0:
        left = duration(max(0, total - progress.done) / progress.rate)
        yield _Figure(4, f"{left} left", f"about {left} left")
    if progress.failures:
        failed = f"{progress.failures:,} {failures}"
        yield _Figure(3, failed, failed, "bad")
    if progress.limit:
        yield _Figure(6, f"{progress.limit} at once", f"{progress.limit} at once", "dim")
    if progress.waiting:
        yield _Figure(2, progress.waiting, progress.waiting, "warn")


def _share(progress: "Progress") -> float | None:
    """How much is done, from 0 to 1: of the records or, while these are counted, of the bytes."""
    return min(1.0, progress.done / progress.total) if progress.total else progress.share


def _bar(share: float | None, cells: int, err: Stream) -> str:
    """rich's bar of `cells` columns; one that pulses while the end is unknown."""
    from rich.progress_bar import ProgressBar

    from reo_cli.reports.terminal import draw

    bar = ProgressBar(None if share is None else 1000, int(1000 * (share or 0)), cells)
    text = "".join(draw(bar, err))
    return text if err.colour else text.ljust(cells)

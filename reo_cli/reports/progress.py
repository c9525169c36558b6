"""Where a run stands, on standard error: a bar on a terminal, a plain line now and then elsewhere.

The bar is drawn by rich as one line that the streams keep below everything else that is written;
it needs no thread and hides no cursor, so that nothing is left to be mended when the process is
killed.
"""

import io
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from reo_cli.reports.streams import Stream, Tone
from reo_cli.reports.talk import Talk
from reo_cli.reports.text_output import clean
from reo_cli.reports.words import duration, number

if TYPE_CHECKING:
    from reo_cli.records import Progress

Clock = Callable[[], float]
"""Seconds that only ever grow (`time.monotonic`)."""

LINE_EVERY = 10.0
"""Seconds between two plain lines, and before the first."""
DRAW_EVERY = 0.1
DRAW_FROM = 0.3
"""Seconds before the bar appears: what is over sooner needs none."""
LONGEST_BAR = 30
SHORTEST_BAR = 8


class Meter:
    """Shows progress as often as it sees fit: a plain line every ten seconds, the first after ten.

    `failures` is the word for them, such as `failed`.
    """

    first, every = LINE_EVERY, LINE_EVERY

    def __init__(self, talk: Talk, clock: Clock, failures: str) -> None:
        self.talk = talk
        self.failures = failures
        self._clock = clock
        self._lock = Lock()
        self._due = clock() + self.first

    def show(self, progress: "Progress") -> None:
        """Take note of where the run stands; safe to call from several threads."""
        with self._lock:
            now = self._clock()
            if now >= self._due:
                self._due = now + self.every
                self.draw(progress)

    def draw(self, progress: "Progress") -> None:
        """Print a line."""
        self.talk.note(log_line(progress, self.failures))

    def close(self) -> None:
        """Leave nothing on the screen; later calls of `show` do nothing."""
        with self._lock:
            self._due = float("inf")


class Bar(Meter):
    """A bar in the last line of the terminal, some times a second."""

    first, every = DRAW_FROM, DRAW_EVERY

    def draw(self, progress: "Progress") -> None:
        """Draw the bar anew."""
        self.talk.err.overlay(bar_line(progress, self.failures, self.talk.err))

    def close(self) -> None:
        """Take the bar off the screen, for good."""
        super().close()
        self.talk.err.overlay("")


def meter(talk: Talk, clock: Clock, failures: str) -> Meter | None:
    """The meter for this process; none under `-q`."""
    if talk.quiet:
        return None
    return (Bar if talk.err.can_overwrite else Meter)(talk, clock, failures)


def log_line(progress: "Progress", failures: str) -> str:
    """`1,234 of 10,000 (12 %), 412 a second, about 21.3 s left, 3 failed, 8 at once`."""
    done, total = number(progress.done), progress.total
    words = [f"{done} so far" if total is None else f"{done} of {number(total)}"]
    share = _share(progress)
    if share is not None:
        words[0] += f" ({int(100 * share)} %)"
    if progress.rate:
        words.append(f"{progress.rate:,.0f} a second")
    left = _seconds_left(progress)
    if left is not None:
        words.append(f"about {duration(left)} left")
    if progress.failures:
        words.append(f"{number(progress.failures)} {failures}")
    if progress.limit:
        words.append(f"{progress.limit} at once")
    return ", ".join(filter(None, [*words, progress.waiting]))


class _Part(NamedTuple):
    rank: int
    """Where the screen is narrow, the part with the highest rank goes first."""
    text: str
    tone: Tone = ""


def bar_line(progress: "Progress", failures: str, err: Stream) -> str:
    """The bar and as many of the figures beside it as fit into one line of `err`."""
    total, left, share = progress.total, _seconds_left(progress), _share(progress)
    done = number(progress.done) + (" so far" if total is None else f"/{number(total)}")
    parts = [
        _Part(1, "" if share is None or total else f"{int(100 * share)} %"),
        _Part(0, done, "strong"),
        _Part(5, f"{progress.rate:,.0f}/s" * bool(progress.rate)),
        _Part(4, "" if left is None else f"{duration(left)} left"),
        _Part(3, f"{number(progress.failures)} {failures}" * bool(progress.failures), "bad"),
        _Part(6, f"{progress.limit} at once" * bool(progress.limit), "dim"),
        _Part(2, progress.waiting, "warn"),
    ]
    texts = [part for part in parts if part.text]
    room = err.width - 1
    while len(texts) > 1 and _length(texts) > room:
        texts.remove(max(texts))
    words = "  ".join(err.paint(clean(part.text, err, 60), part.tone) for part in texts)
    cells = min(LONGEST_BAR, room - _length(texts) - 2)
    return f"{_bar(share, cells, err)}  {words}" if cells >= SHORTEST_BAR else words


def _length(parts: "list[_Part]") -> int:
    return sum(len(part.text) + 2 for part in parts) - 2


def _bar(share: float | None, cells: int, err: Stream) -> str:
    """rich's bar of `cells` columns; one that pulses while the end is unknown."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress

    drawn = io.StringIO()
    console = Console(
        file=drawn,
        width=cells,
        color_system="standard" if err.colour else None,
        force_terminal=err.colour,
        force_jupyter=False,
        legacy_windows=False,
    )
    column = BarColumn(cells)
    bar = Progress(column, console=console, auto_refresh=False)
    total, done = (None, 0) if share is None else (1000, int(1000 * share))
    bar.add_task("", total=total, completed=done)
    console.print(column.render(bar.tasks[0]), end="")
    text = drawn.getvalue().strip("\n")
    return text if err.colour else text.ljust(cells)


def _share(progress: "Progress") -> float | None:
    """How much is done, from 0 to 1: of the records or, while these are counted, of the bytes."""
    if progress.total:
        return min(1.0, progress.done / progress.total)
    return progress.share


def _seconds_left(progress: "Progress") -> float | None:
    if progress.total is None or progress.rate <= 0:
        return None
    return max(0, progress.total - progress.done) / progress.rate

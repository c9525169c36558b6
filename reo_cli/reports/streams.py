"""Standard output and standard error as reo writes to them, and what it says there beside results.

A write never raises: a reader that went away (`| head`, a closed descriptor) ends the display and
nothing else; a full disk is kept as `fault`, for the exit code. Both streams share one lock and one
line that may be overwritten, the progress bar, because on a terminal they share the screen.
"""

import codecs
import errno
import io
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from threading import RLock
from typing import Literal, TextIO

from reo_cli.errors import ReoError
from reo_cli.text import Mask, inert, visible

Tone = Literal["", "bad", "warn", "good", "hint", "dim", "strong", "mark"]

_SGR: dict[Tone, str] = {
    "bad": "1;31",
    "warn": "33",
    "good": "32",
    "hint": "36",
    "dim": "2",
    "strong": "1",
    "mark": "1;4",
}

_GONE = (errno.EPIPE, errno.EBADF, errno.ECONNRESET, errno.ENOTCONN, errno.ENXIO)
"""Nobody reads any more: no fault of the run."""

_PLAIN_GLYPHS = str.maketrans(dict(zip("…≈·─━╸╺✓✗", "... ~ - - = = = + x".split(), strict=True)))
"""Our own glyphs on a stream that cannot show them; all else becomes an escape."""

NO_WIDTH = 80
"""Columns where no terminal says how many it has."""

LONGEST_LINE = 20_000
"""A path or a command is of use only whole; so is a body of a dry run, freak cases apart."""
LONGEST_MESSAGE = 2_000
"""Room for a complete command to paste, none for a whole answer."""

_ERASE_LINE = "\r\x1b[K"


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = error.object[error.start : error.end].translate(_PLAIN_GLYPHS)
    return found.encode("ascii", "backslashreplace").decode("ascii"), error.end


codecs.register_error("reo.plain", _plain)


class Stream:
    """One output stream, from which nothing is ever raised.

    `fault` is the error of a write that was lost for another reason than a missing reader.
    """

    def __init__(self, file: TextIO | None, both: "Streams") -> None:
        self.mask = both.mask
        self.fault: OSError | None = None
        self._file = file
        self._both = both
        self._descriptor = _descriptor(file)
        self.terminal = self._descriptor is not None and os.isatty(self._descriptor)
        is_dumb = both.environ.get("TERM", "") in ("", "dumb", "unknown")
        self.can_overwrite = self.terminal and not is_dumb
        self.colour = self.can_overwrite and not both.environ.get("NO_COLOR")
        if isinstance(file, io.TextIOWrapper):
            file.reconfigure(errors="reo.plain")

    @property
    def width(self) -> int:
        """Columns of the terminal, `COLUMNS` first; 80 where there is none."""
        wanted = self._both.environ.get("COLUMNS", "")
        if wanted.isascii() and wanted.isdigit() and int(wanted) > 0:
            return int(wanted)
        try:
            size = os.get_terminal_size(-1 if self._descriptor is None else self._descriptor)
        except OSError:
            return NO_WIDTH
        return size.columns or NO_WIDTH

    def paint(self, text: str, tone: Tone) -> str:
        """`text` in the colour of `tone`, where there is colour."""
        if not (tone and text and self.colour):
            return text
        return f"\x1b[{_SGR[tone]}m{text}\x1b[0m"

    def clean(self, text: str, limit: int = LONGEST_LINE) -> str:
        """Foreign text fit to be shown; masked before it is cut, lest half a key be left."""
        return visible(self.mask(text), limit)

    def lines(self, *lines: str) -> None:
        """Write lines for people, `clean` ones: masked, and without a command for a CI runner."""
        self.write(inert(self.mask("".join(f"{line}\n" for line in lines))))

    def write(self, text: str) -> None:
        """Write `text` as it is, whole; a progress bar on the terminal gives way to it."""
        if not text:
            return
        with self._both.lock:
            overlay = self._both.overlay if self.terminal else ""
            self._put(f"{_ERASE_LINE}{text}{overlay}" if overlay else text)

    def overlay(self, line: str) -> None:
        """Show `line` below all that is written, in place of the line shown so; empty: none."""
        with self._both.lock:
            if line != self._both.overlay:
                self._both.overlay = line
                self._put(_ERASE_LINE + line)

    def _put(self, text: str) -> None:
        if self._file is None:
            return
        try:
            self._file.write(text)
            self._file.flush()
        except OSError as error:
            gone = error.errno in _GONE or (self.terminal and error.errno == errno.EIO)
            self._retire(None if gone else error)
        except ValueError:  # the file object was closed
            self._retire(None)

    def _retire(self, fault: OSError | None) -> None:
        """Stop for good; what the buffer still holds must not fail again when Python exits."""
        self.fault = fault
        self._file = None
        if self._descriptor is None:
            return
        with suppress(OSError):
            sink = os.open(os.devnull, os.O_WRONLY)
            os.dup2(sink, self._descriptor)
            os.close(sink)


def _descriptor(file: TextIO | None) -> int | None:
    """The descriptor below `file`, made blocking: a full pipe is a reason to wait."""
    if file is None:
        return None
    try:
        descriptor = file.fileno()
        os.set_blocking(descriptor, True)
    except (OSError, ValueError):
        return None
    return descriptor


class Streams:
    """Standard output (`out`, results) and standard error (`err`, talk) of this process.

    `overlay` is the line below all that is written: on a terminal the two share the screen. `done`
    is what was delivered, to be told also where no result can be printed.
    """

    def __init__(self, out: TextIO | None, err: TextIO | None, environ: Mapping[str, str]) -> None:
        self.mask = Mask()
        self.environ = environ
        self.lock = RLock()  # a signal handler that talks may interrupt a write of its own thread
        self.overlay = ""
        self.done = ""
        self.out = Stream(out, self)
        self.err = Stream(err, self)

    @classmethod
    @cache
    def standard(cls) -> "Streams":
        """The streams this process was started with; what was closed leads to `/dev/null`.

        One object a process, so that a key that is masked once is masked in its last words too.

        Without that a file opened later would get the number 1 or 2, and take in what was meant
        for nobody.
        """
        for descriptor in (0, 1, 2):
            try:
                os.fstat(descriptor)
            except OSError:
                with suppress(OSError):
                    os.open(os.devnull, os.O_RDWR)
        return cls(sys.stdout, sys.stderr, os.environ)


class Talk:
    """What reo says on standard error: errors, warnings, hints, notes.

    `-q` leaves the errors (with their hints), `-v` adds the lines of `verbose`. Foreign text may be
    in every argument: it is made visible here.
    """

    def __init__(self, err: Stream, *, quiet: bool = False, verbose: bool = False) -> None:
        self.err = err
        self.quiet = quiet
        self.is_verbose = verbose and not quiet

    def error(self, error: ReoError) -> None:
        """`error: …`, and its hint; printed under `-q` too."""
        self._say(error.message, "error:", "bad", loud=True)
        if error.hint:
            self._say(error.hint, "hint:", "hint", loud=True)

    def warning(self, text: str, *, loud: bool = False) -> None:
        """`warning: …`; a loud one is printed under `-q` too."""
        self._say(text, "warning:", "warn", loud=loud)

    def hint(self, text: str) -> None:
        """`hint: …`: what to do next."""
        self._say(text, "hint:", "hint")

    def note(self, text: str, *, loud: bool = False) -> None:
        """A line of its own, without a prefix."""
        self._say(text, loud=loud)

    def verbose(self, text: str) -> None:
        """A line that only `-v` shows."""
        if self.is_verbose:
            self.err.lines(self.err.paint(self.err.clean(text, LONGEST_MESSAGE), "dim"))

    def _say(self, text: str, label: str = "", tone: Tone = "", *, loud: bool = False) -> None:
        """One line in a pipe; on a terminal as many as it takes to break no word or command."""
        if self.quiet and not loud:
            return
        shown = self.err.clean(text, LONGEST_MESSAGE)
        if not self.err.terminal:
            self.err.lines(f"{label} {shown}" if label else shown)
            return
        from reo_cli.reports.terminal import labelled
        from reo_cli.reports.view import Line

        self.err.lines(*labelled(Line(shown, label, tone), self.err))

"""Standard output and standard error as reo writes to them: a write never raises.

A reader that went away (`| head`, a closed descriptor) ends the display and nothing else; a full
disk is kept as `fault`, for the exit code. Both streams share one lock and one line that may be
overwritten, the progress bar, because on a terminal they share the screen.
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

from reo_cli.errors import ExitCode
from reo_cli.text import Mask, inert

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

_PLAIN_GLYPHS = dict(zip("…≈·─━╸╺✓✗", ("...", "~", "-", "-", "=", "=", "=", "+", "x"), strict=True))
"""Our own glyphs on a stream that cannot show them; all else becomes an escape."""

NO_WIDTH = 80
"""Columns where no terminal says how many it has."""

_ERRORS = "reo.plain"
_ERASE_LINE = "\r\x1b[K"
_DUMB = ("", "dumb", "unknown")


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = error.object[error.start : error.end]
    shown = (
        _PLAIN_GLYPHS.get(each) or each.encode("unicode_escape").decode("ascii") for each in found
    )
    return "".join(shown), error.end


codecs.register_error(_ERRORS, _plain)


class Screen:
    """What two streams on one terminal share: the lock, and the line to be overwritten."""

    def __init__(self) -> None:
        # A signal handler that talks may interrupt a write of its own thread.
        self.lock = RLock()
        self.overlay = ""


class Stream:
    """One output stream, from which nothing is ever raised.

    `fault` is the error of a write that was lost for another reason than a missing reader.
    """

    def __init__(
        self,
        file: TextIO | None,
        *,
        mask: Mask,
        screen: Screen,
        environ: Mapping[str, str],
    ) -> None:
        self.mask = mask
        self.fault: OSError | None = None
        self._file = file
        self._screen = screen
        self._environ = environ
        self._descriptor = _descriptor(file)
        self.terminal = self._descriptor is not None and os.isatty(self._descriptor)
        dumb = environ.get("TERM", "") in _DUMB
        self.can_overwrite = self.terminal and not dumb
        self.colour = self.can_overwrite and not environ.get("NO_COLOR")
        encoding = str(getattr(file, "encoding", None) or "utf-8")
        self.utf8 = encoding.lower().startswith("utf")
        if isinstance(file, io.TextIOWrapper):
            file.reconfigure(errors=_ERRORS)

    @property
    def width(self) -> int:
        """Columns of the terminal, `COLUMNS` first; 80 where there is none."""
        wanted = self._environ.get("COLUMNS", "")
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

    def lines(self, *lines: str) -> None:
        """Write lines for people: masked, and without a command that a CI runner would obey.

        Foreign text in them must have gone through `visible` before.
        """
        text = inert(self.mask("".join(f"{line}\n" for line in lines)))
        self.write(text)

    def write(self, text: str) -> None:
        """Write `text` as it is, whole; a progress bar on the terminal gives way to it."""
        if not text:
            return
        with self._screen.lock:
            overlay = self._screen.overlay if self.terminal else ""
            self._put(f"{_ERASE_LINE}{text}{overlay}" if overlay else text)

    def overlay(self, line: str) -> None:
        """Show `line` below all that is written, in place of the line shown so; empty: none."""
        with self._screen.lock:
            if line != self._screen.overlay:
                self._screen.overlay = line
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
    """Standard output (`out`, results) and standard error (`err`, talk) of this process."""

    def __init__(self, out: TextIO | None, err: TextIO | None, environ: Mapping[str, str]) -> None:
        self.mask = Mask()
        screen = Screen()
        self.out = Stream(out, mask=self.mask, screen=screen, environ=environ)
        self.err = Stream(err, mask=self.mask, screen=screen, environ=environ)
        self.environ = environ

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

    def exit_code(self, code: ExitCode) -> ExitCode:
        """`code`, or 74 when results were lost on a full or broken standard output.

        A signal's code stays: it says why there was nothing more to write.
        """
        return code if self.out.fault is None or code >= ExitCode.HANGUP else ExitCode.IO

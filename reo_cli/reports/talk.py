"""What reo says on standard error besides results: errors, warnings, hints, notes.

`-q` leaves the errors (with their hints), `-v` adds the lines of `verbose`. Foreign text may be in
every argument: it is made visible here.
"""

from reo_cli.errors import ReoError
from reo_cli.reports.streams import Stream, Tone

LONGEST_LINE = 2_000
"""Characters of one message: room for a complete command to paste, none for a whole answer."""


class Talk:
    """The talk of one process; every line goes to `err`."""

    def __init__(self, err: Stream, *, quiet: bool = False, verbose: bool = False) -> None:
        self.err = err
        self.quiet = quiet
        self.is_verbose = verbose and not quiet

    def error(self, error: ReoError) -> None:
        """`error: …`, and its hint; printed under `-q` too."""
        self._say("error:", "bad", error.message)
        if error.hint:
            self._say("hint:", "hint", error.hint)

    def warning(self, text: str, *, loud: bool = False) -> None:
        """`warning: …`; a loud one is printed under `-q` too."""
        if loud or not self.quiet:
            self._say("warning:", "warn", text)

    def hint(self, text: str) -> None:
        """`hint: …`: what to do next."""
        if not self.quiet:
            self._say("hint:", "hint", text)

    def note(self, text: str, *, loud: bool = False) -> None:
        """A line of its own, without a prefix."""
        if loud or not self.quiet:
            self._say("", "", text)

    def verbose(self, text: str) -> None:
        """A line that only `-v` shows."""
        if self.is_verbose:
            self.err.lines(self.err.paint(self.err.clean(text, LONGEST_LINE), "dim"))

    def _say(self, prefix: str, tone: Tone, text: str) -> None:
        """One line in a pipe; on a terminal as many as it takes to break no word or command."""
        shown = self.err.clean(text, LONGEST_LINE)
        if not self.err.terminal:
            self.err.lines(" ".join(filter(None, (prefix, shown))))
            return
        from reo_cli.reports.terminal import labelled
        from reo_cli.reports.view import Line

        self.err.lines(*labelled(Line(shown, prefix, tone), self.err))

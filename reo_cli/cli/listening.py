"""What a run tells while it goes on → the report of its command."""

import sys
from typing import TYPE_CHECKING, Any

from reo_cli.delivery.progress import Progress
from reo_cli.delivery.summary import Settled
from reo_cli.records import STDIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reo_cli.client.outcome import Outcome
    from reo_cli.reports import Report, Talk


def tell_of_terminal(files: "Sequence[str]", talk: "Talk") -> None:
    """Say that input is awaited where a person might wait for output."""
    if STDIN in files and sys.stdin is not None and sys.stdin.isatty():
        talk.note("reading from the terminal, end with Ctrl-D")


class ReportListener:
    """Hands everything on to a report; the lines for attempts are shown under `-v` only."""

    def __init__(self, report: "Report[Any]", *, lists_records: bool) -> None:
        self._report = report
        self.lists_records = lists_records
        self.note = report.talk.note
        self.warning = report.talk.warning
        self.hint = report.talk.hint

    def settled(self, settled: Settled) -> None:
        """Show the end of a record, where each one is shown."""
        self._report.settled(settled)

    def progress(self, progress: Progress) -> None:
        """Show where the run stands."""
        self._report.progress(progress)

    def attempted(self, event_id: str | int, attempt: int, outcome: "Outcome") -> None:
        """Show an attempt under `-v`."""
        if self._report.talk.is_verbose:
            self._report.talk.verbose(attempt_line(event_id, attempt, outcome))


def attempt_line(event_id: str | int, attempt: int, outcome: "Outcome") -> str:
    """Return what is said of an attempt: `1f3a… attempt 2: delivered, HTTP 200`."""
    status = f"HTTP {outcome.http_status}" if outcome.http_status else ""
    parts = [str(outcome.verdict), status, outcome.reason if outcome.reason != status else ""]
    return f"{event_id} attempt {attempt}: " + ", ".join(filter(None, parts))

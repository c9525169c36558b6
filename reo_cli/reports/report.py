"""The report of one run: issues, settled records, progress and the end, each to where it belongs.

A `View` says what a result is to programs and to people, an output how that looks; the factories
below put the two together. Everything a run has to tell goes through the one `Report` they return.
All else is loaded by the factories: this module is on the path of every command.
"""

import time
from threading import RLock
from typing import TYPE_CHECKING, Generic, Literal, Protocol, TypeVar

from reo_cli.errors import ExitCode, ReoError, system_limit

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from reo_cli.checks.validation import Validation
    from reo_cli.client.outcome import Outcome
    from reo_cli.delivery.summary import SendResult, Settled, Summary
    from reo_cli.records import Issue, Progress
    from reo_cli.reports.progress import Meter
    from reo_cli.reports.streams import Stream, Streams
    from reo_cli.reports.talk import Talk
    from reo_cli.reports.text_output import IssueLines
    from reo_cli.reports.view import Closing, Result, View

Output = Literal["table", "text", "json", "ndjson", "github"]
ResultT = TypeVar("ResultT", bound="Result")
ResultT_contra = TypeVar("ResultT_contra", contravariant=True)
MAX_ISSUES = 100


class Form(Protocol[ResultT_contra]):
    """How results look; `lists_records` where the end of every record is shown."""

    lists_records: bool

    def settled(self, settled: "Settled") -> None:
        """One record has reached its end."""

    def finish(self, result: ResultT_contra) -> None:
        """Write the result."""


class People(Generic[ResultT]):
    """Results for people: tables, or plain text of the same content."""

    lists_records = False

    def __init__(self, out: "Stream", view: "View[ResultT]", *, table: bool) -> None:
        self._out = out
        self._view = view
        self._table = table

    def settled(self, settled: "Settled") -> None:
        """Nothing: the result holds the counts."""

    def finish(self, result: ResultT) -> None:
        """Draw it."""
        if self._table:
            from reo_cli.reports.terminal import content_lines
        else:
            from reo_cli.reports.text_output import content_lines
        self._out.lines(*content_lines(self._view.content(result, self._table), self._out))


class Report(Generic[ResultT]):
    """Where a run tells what happens; safe to use from several threads, raises nothing.

    As a context manager it takes the progress bar off the screen, whatever happens.
    """

    def __init__(
        self,
        view: "View[ResultT]",
        form: "Form[ResultT] | None",
        issues: "IssueLines | None",
        meter: "Meter | None",
        streams: "Streams",
        talk: "Talk",
    ) -> None:
        self._view = view
        self._form = form
        self._issues = issues
        self._meter = meter
        self._streams = streams
        self._lock = RLock()
        self._finished = False
        self.talk = talk
        self.note, self.warning, self.hint = talk.note, talk.warning, talk.hint
        self.lists_records = form is not None and form.lists_records

    def __enter__(self) -> "Report[ResultT]":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: "TracebackType | None",
    ) -> None:
        self._close_meter()
        if isinstance(error, Exception) and not isinstance(error, ReoError):
            self._say_bug(error)

    def _say_bug(self, error: Exception) -> None:
        """Give programs their line though the run ends with a bug; people are told elsewhere."""
        from reo_cli.reports.json_output import JsonOutput

        if isinstance(self._form, JsonOutput) and not self._finished:
            words = f"a bug in reo: {type(error).__name__}"
            told = system_limit(error) or ReoError(ExitCode.BUG, "bug", words)
            self._form.finish(self._view.blank(told))

    def issue(self, issue: "Issue") -> None:
        """Tell of a finding; `finish` shows those that nobody told of before."""
        if self._issues:
            with self._lock:
                self._issues.issue(issue)

    def settled(self, settled: "Settled") -> None:
        """Tell of a record that has reached its end."""
        with self._lock:
            if self._form:
                self._form.settled(settled)
            if self._issues:
                self._issues.settled(settled)

    def attempted(self, event_id: str | int, attempt: int, outcome: "Outcome") -> None:
        """Show an attempt under `-v`: `1f3a… attempt 2: delivered, HTTP 200`."""
        if self.talk.is_verbose:
            status = f"HTTP {outcome.http_status}" if outcome.http_status else ""
            reason = outcome.reason if outcome.reason != status else ""
            said = ", ".join(filter(None, (str(outcome.verdict), status, reason)))
            self.talk.verbose(f"{event_id} attempt {attempt}: {said}")

    def progress(self, progress: "Progress") -> None:
        """Tell where the run stands; call it as often as you like, and once a second at least."""
        if self._meter:
            self._meter.show(progress)

    def finish(self, result: ResultT) -> ExitCode:
        """Write the result and the last words; return the exit code of the process."""
        self._close_meter()
        self._finished = True
        closing = self._view.closing(result)
        first = closing.died and self.talk.err.terminal
        if first:
            self._close(closing)
        if self._issues:
            self._issues.finish(*self._view.issues_of(result))
        if self._form:
            self._form.finish(result)
        if not first:
            self._close(closing)
        self._own_up(closing)
        return self._streams.exit_code(result.exit_code)

    def failed(self, error: ReoError) -> ExitCode:
        """End a run that has no result: nothing was read, all counts are 0."""
        return self.finish(self._view.blank(error))

    def _close_meter(self) -> None:
        if self._meter:
            self._meter.close()

    def _close(self, closing: "Closing") -> None:
        for error in closing.errors:
            self.talk.error(error)
        for hint in closing.hints:
            self.talk.hint(hint)
        if self.talk.quiet:
            for line in closing.kept:
                self.talk.note(line, loud=True)
        if closing.warning:
            self.talk.warning(closing.warning, loud=True)

    def _own_up(self, closing: "Closing") -> None:
        """Say on standard error what a full standard output did not take."""
        fault = self._streams.out.fault
        if fault is not None:
            words = f"standard output cannot be written: {fault.strerror or fault}"
            done = f"; {closing.done}" if closing.done else ""
            self.talk.error(ReoError(ExitCode.IO, "stdout", words + done))


def send_report(output: Output | None, streams: "Streams", talk: "Talk") -> "Report[SendResult]":
    """The report of `reo send`: all issues of its one event are shown."""
    from reo_cli.reports.send import VIEW

    chosen = _chosen(output, streams)
    form = _form("json" if chosen == "ndjson" else chosen, VIEW, streams, talk, MAX_ISSUES)
    issues = None if chosen == "github" else _issues(streams.err, MAX_ISSUES, talk)
    return Report(VIEW, form, issues, None, streams, talk)


def send_file_report(
    output: Output | None,
    streams: "Streams",
    talk: "Talk",
    *,
    clock: "Callable[[], float]",
    max_issues: int = MAX_ISSUES,
) -> "Report[Summary]":
    """The report of `reo send-file`: issues are talk, unless a machine format holds them.

    `clock` is `time.monotonic` or a test's.
    """
    from reo_cli.reports.progress import meter
    from reo_cli.reports.send_file import VIEW

    chosen = _chosen(output, streams)
    issues = _issues(streams.err, max_issues, talk) if chosen in ("table", "text") else None
    form = _form(chosen, VIEW, streams, talk, max_issues)
    return Report(VIEW, form, issues, meter(talk, clock, "failed"), streams, talk)


def validate_report(
    output: Output | None,
    streams: "Streams",
    talk: "Talk",
    *,
    clock: "Callable[[], float]",
    max_issues: int = MAX_ISSUES,
) -> "Report[Validation]":
    """The report of `reo validate`: its issues are results; under `-q` only errors, as talk."""
    from reo_cli.reports.progress import meter
    from reo_cli.reports.validate import VIEW

    chosen = _chosen(output, streams)
    issues = None
    if chosen in ("table", "text"):
        stream = streams.err if talk.quiet else streams.out
        table = None if talk.quiet else chosen == "table"
        issues = _issues(stream, max_issues, talk, table=table)
    form = _form(chosen, VIEW, streams, talk, max_issues)
    return Report(VIEW, form, issues, meter(talk, clock, "invalid"), streams, talk)


def _chosen(output: Output | None, streams: "Streams") -> Output:
    return output or ("table" if streams.out.terminal else "text")


def _issues(
    stream: "Stream", limit: int, talk: "Talk", *, table: bool | None = None
) -> "IssueLines":
    """Entries for a table or, where `table` leaves it open, for a terminal; else lines."""
    if stream.terminal if table is None else table:
        from reo_cli.reports.issues import IssueEntries

        return IssueEntries(stream, limit, errors_only=talk.quiet)
    from reo_cli.reports.text_output import IssueLines

    return IssueLines(stream, limit, errors_only=talk.quiet)


def _form(
    chosen: Output, view: "View[ResultT]", streams: "Streams", talk: "Talk", limit: int
) -> "Form[ResultT] | None":
    """The form by its name; each is loaded when it is chosen. `-q` leaves the machine formats."""
    if chosen in ("table", "text"):
        return None if talk.quiet else People(streams.out, view, table=chosen == "table")
    if chosen == "github":
        from reo_cli.reports.github import Github

        return Github(view, streams, talk, limit)
    from reo_cli.reports.json_output import JsonOutput

    return JsonOutput(streams.out, view, time.time(), streams=chosen == "ndjson")

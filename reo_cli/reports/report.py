"""The report of one run: issues, settled records, progress and the end, each to where it belongs.

A `Command` says what a result is to programs and to people, a form how that looks; the factories
below put the two together. Everything a run has to tell goes through the one `Report` they return.
All else is loaded by the factories: this module is on the path of every command.
"""

from threading import RLock
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from reo_cli.errors import ExitCode, ReoError, system_limit

if TYPE_CHECKING:
    from types import TracebackType

    from reo_cli.delivery.summary import SendResult, Settled, Summary
    from reo_cli.progress import Progress
    from reo_cli.records import Issue
    from reo_cli.reports.command import Command, Form, Result
    from reo_cli.reports.content import Closing
    from reo_cli.reports.lines import IssueLines
    from reo_cli.reports.progress import Clock, Meter
    from reo_cli.reports.streams import Streams
    from reo_cli.reports.talk import Talk
    from reo_cli.validation import Validation

Output = Literal["table", "text", "json", "ndjson", "github"]
ResultT = TypeVar("ResultT", bound="Result")
PEOPLE = ("table", "text")
MAX_ISSUES = 100


class Report(Generic[ResultT]):
    """Where a run tells what happens; safe to use from several threads, raises nothing.

    As a context manager it takes the progress bar off the screen, whatever happens.
    """

    def __init__(
        self,
        command: "Command[ResultT]",
        form: "Form[ResultT]",
        lines: "IssueLines | None",
        shown: "Meter",
        streams: "Streams",
        talk: "Talk",
    ) -> None:
        self._command = command
        self._form = form
        self._lines = lines
        self._meter = shown
        self._streams = streams
        self._lock = RLock()
        self._finished = False
        self.talk = talk

    def __enter__(self) -> "Report[ResultT]":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: "TracebackType | None",
    ) -> None:
        self._meter.close()
        if isinstance(error, Exception) and not isinstance(error, ReoError):
            self._say_bug(error)

    def _say_bug(self, error: Exception) -> None:
        """Give programs their line though the run ends with a bug; people are told elsewhere."""
        from reo_cli.reports.machine import JsonForm, NdjsonForm

        if isinstance(self._form, JsonForm | NdjsonForm) and not self._finished:
            words = f"a bug in reo: {type(error).__name__}"
            told = system_limit(error) or ReoError(ExitCode.BUG, "bug", words)
            self._form.finish(self._command.blank(told))

    def issue(self, issue: "Issue") -> None:
        """Show a finding now, where findings are shown as they come; `finish` shows the others."""
        if self._lines:
            with self._lock:
                self._lines.issue(issue)

    def settled(self, settled: "Settled") -> None:
        """Tell of a record that has reached its end."""
        with self._lock:
            self._form.settled(settled)
            if self._lines:
                self._lines.settled(settled)

    def progress(self, progress: "Progress") -> None:
        """Tell where the run stands; call it as often as you like, and once a second at least."""
        self._meter.show(progress)

    def finish(self, result: ResultT) -> ExitCode:
        """Write the result and the last words; return the exit code of the process."""
        self._meter.close()
        self._finished = True
        if self._lines:
            self._lines.finish(*self._command.issues_of(result))
        self._form.finish(result)
        self._close(self._command.closing(result))
        return self._streams.exit_code(result.exit_code)

    def failed(self, error: ReoError) -> ExitCode:
        """End a run that has no result: nothing was read, all counts are 0."""
        return self.finish(self._command.blank(error))

    def _close(self, closing: "Closing") -> None:
        for error in closing.errors:
            self.talk.error(error)
        for hint in closing.hints:
            self.talk.hint(hint)
        if closing.warning:
            self.talk.warning(closing.warning, loud=True)
        fault = self._streams.out.fault
        if fault is not None:
            words = f"standard output cannot be written: {fault.strerror or fault}"
            self.talk.error(ReoError(ExitCode.IO, "stdout", words))


def send_report(output: Output | None, streams: "Streams", talk: "Talk") -> "Report[SendResult]":
    """The report of `reo send`: all issues of its one event are shown."""
    from reo_cli.reports.lines import IssueLines
    from reo_cli.reports.quiet import NoMeter
    from reo_cli.reports.send import COMMAND

    chosen = _chosen(output, streams)
    form = _form("json" if chosen == "ndjson" else chosen, COMMAND, streams, talk, MAX_ISSUES)
    lines = IssueLines(streams.err, MAX_ISSUES, errors_only=talk.quiet)
    return Report(COMMAND, form, None if chosen == "github" else lines, NoMeter(), streams, talk)


def send_file_report(
    output: Output | None,
    streams: "Streams",
    talk: "Talk",
    *,
    clock: "Clock",
    max_issues: int = MAX_ISSUES,
) -> "Report[Summary]":
    """The report of `reo send-file`: issues are talk, unless a machine format holds them.

    `clock` is `time.monotonic` or a test's.
    """
    from reo_cli.reports.lines import IssueLines
    from reo_cli.reports.progress import meter
    from reo_cli.reports.send_file import COMMAND

    chosen = _chosen(output, streams)
    lines = IssueLines(streams.err, max_issues, errors_only=talk.quiet)
    return Report(
        COMMAND,
        _form(chosen, COMMAND, streams, talk, max_issues),
        lines if chosen in PEOPLE else None,
        meter(talk, clock, "failed"),
        streams,
        talk,
    )


def validate_report(
    output: Output | None,
    streams: "Streams",
    talk: "Talk",
    *,
    clock: "Clock",
    max_issues: int = MAX_ISSUES,
) -> "Report[Validation]":
    """The report of `reo validate`: its issues are results; under `-q` only errors, as talk."""
    from reo_cli.reports.lines import IssueLines
    from reo_cli.reports.progress import meter
    from reo_cli.reports.validate import COMMAND

    chosen = _chosen(output, streams)
    lines = None
    if chosen in PEOPLE and talk.quiet:
        lines = IssueLines(streams.err, max_issues, errors_only=True)
    elif chosen == "text":
        lines = IssueLines(streams.out, max_issues)
    return Report(
        COMMAND,
        _form(chosen, COMMAND, streams, talk, max_issues),
        lines,
        meter(talk, clock, "invalid"),
        streams,
        talk,
    )


def _chosen(output: Output | None, streams: "Streams") -> Output:
    return output or ("table" if streams.out.terminal else "text")


def _form(
    chosen: Output, command: "Command[ResultT]", streams: "Streams", talk: "Talk", max_issues: int
) -> "Form[ResultT]":
    """The form by its name; each is loaded when it is chosen."""
    if chosen in PEOPLE:
        if talk.quiet:
            from reo_cli.reports.quiet import NoForm

            return NoForm()
        from reo_cli.reports.people import PeopleForm

        return PeopleForm(streams.out, command, chosen)
    if chosen == "github":
        from reo_cli.reports.github import GithubForm

        return GithubForm(command, streams, talk, max_issues)
    from reo_cli.reports.machine import JsonForm, NdjsonForm

    if chosen == "json":
        return JsonForm(streams.out, command)
    return NdjsonForm(streams.out, command)

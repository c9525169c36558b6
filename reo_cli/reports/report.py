"""The report of one run: issues, progress and the end, each to where it belongs.

`Report` knows where things go and in which form; its subclasses, one a command, say what a result
is: a `View`. Forms are loaded when they are chosen: this module is on the path of every command.
"""

import time
from threading import RLock
from typing import TYPE_CHECKING, Generic, Literal, Self, TypeVar

from reo_cli.errors import ExitCode, ReoError, system_limit

if TYPE_CHECKING:
    from collections.abc import Callable

    from reo_cli.client.outcome import Outcome
    from reo_cli.records import Issue, Progress
    from reo_cli.reports.issues import IssueLines
    from reo_cli.reports.streams import Streams, Talk
    from reo_cli.reports.view import Shape, View

Output = Literal["table", "text", "json", "ndjson", "github"]
ResultT = TypeVar("ResultT")
PEOPLE = ("table", "text")
MAX_ISSUES = 100


class Report(Generic[ResultT]):
    """Where a run tells what happens; safe to use from several threads, raises nothing.

    As a context manager it takes the progress bar off the screen, whatever happens. `failures` is
    the word for them beside the progress, empty where none is shown. Issues are talk, unless they
    are results or a form for programs holds them; those of one event are talk beside its JSON, too.
    """

    name = ""
    failures = ""
    is_one = False
    issues_are_results = False

    def __init__(
        self,
        output: Output | None,
        streams: "Streams",
        talk: "Talk",
        *,
        clock: "Callable[[], float]" = time.monotonic,
        max_issues: int = MAX_ISSUES,
    ) -> None:
        if self.is_one and output == "ndjson":
            output = "json"
        self.talk = talk
        self.note, self.warning, self.hint = talk.note, talk.warning, talk.hint
        self.lists_records = output == "ndjson"
        self._form = output or ("table" if streams.out.terminal else "text")
        self._streams = streams
        self._max_issues = max_issues
        self._issues = self._listener()
        self._found = 0
        self._not_taken: list[Issue] = []
        self._began = time.gmtime()
        self._finished = False
        self._lock = RLock()
        self._meter = None
        if self.failures and not talk.quiet:
            from reo_cli.reports.progress import Meter

            self._meter = Meter(talk, clock, self.failures)

    def blank(self, error: ReoError) -> ResultT:
        """The result of a run that failed before there was one."""
        raise NotImplementedError

    def view(self, result: ResultT, *, screen: bool) -> "View":
        """What a result says; for a `screen` in fewer words than for a pipe."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Give programs their line also where a bug ends the run; people are told elsewhere."""
        if self._meter:
            self._meter.close()
        if not isinstance(error, Exception) or isinstance(error, ReoError) or self._finished:
            return
        if self._form not in (*PEOPLE, "github"):
            words = f"a bug in reo: {type(error).__name__}"
            told = system_limit(error) or ReoError(ExitCode.BUG, "bug", words)
            self._write(self.view(self.blank(told), screen=False))

    def issue(self, issue: "Issue") -> None:
        """Tell of a finding; people are told of errors only under `-q`."""
        if self._issues and self.talk.quiet and issue.severity == "warning":
            return
        with self._lock:
            self._found += 1
            if self._issues:
                self._issues.show(issue)

    def not_taken(self, issue: "Issue") -> None:
        """Tell of a record that the API did not take: its message is the API's reason."""
        self.issue(issue)
        if len(self._not_taken) < self._max_issues:
            self._not_taken.append(issue)

    def attempted(self, event_id: str | int, attempt: int, outcome: "Outcome") -> None:
        """Show an attempt under `-v`: `1f3a… attempt 2: delivered, HTTP 200`."""
        if self.talk.is_verbose:
            status = f"HTTP {outcome.http_status}" if outcome.http_status else ""
            if outcome.reason.startswith(status):
                status = ""
            said = ", ".join(filter(None, (str(outcome.verdict), status, outcome.reason)))
            self.talk.verbose(f"{event_id} attempt {attempt}: {said}")

    def hide_progress(self) -> None:
        """Show none from now on."""
        self._meter = None

    def progress(self, progress: "Progress") -> None:
        """Tell where the run stands; call it as often as you like, and once a second at least."""
        if self._meter:
            self._meter.show(progress)

    def finish(self, result: ResultT) -> ExitCode:
        """Write the result and the last words; return the exit code of the run."""
        if self._meter:
            self._meter.close()
        self._finished = True
        view = self.view(result, screen=self._form == "table")
        self._streams.done = view.done
        error_first = view.died and self.talk.err.terminal
        if error_first:
            self._close(view)
        if self._issues:
            self._issues.finish(self._found)
        self._write(view)
        if not error_first:
            self._close(view)
        return view.exit_code

    def failed(self, error: ReoError) -> ExitCode:
        """End a run that has no result: nothing was read, all counts are 0."""
        return self.finish(self.blank(error))

    def write_json(self, shape: "Shape") -> None:
        """Write a line for programs."""
        from reo_cli.reports.json_output import json_line

        self._streams.out.write(json_line(shape, self._streams.mask))

    def _listener(self) -> "IssueLines | None":
        """What tells of issues: as entries on a screen, else as lines."""
        if self._form not in (*PEOPLE, *("json",) * self.is_one):
            return None
        from reo_cli.reports.issues import IssueEntries, IssueLines

        is_result = self.issues_are_results and not self.talk.quiet
        stream = self._streams.out if is_result else self._streams.err
        entries = self._form == "table" if is_result else stream.terminal
        return (IssueEntries if entries else IssueLines)(stream, self._max_issues)

    def _write(self, view: "View") -> None:
        """Write a result in its form; `-q` leaves those for programs."""
        if self._form == "github":
            from reo_cli.reports.github import publish

            issues = sorted([*view.issues, *self._not_taken], key=lambda each: each.severity)
            view = view._replace(issues=issues[: self._max_issues])
            unshown = self._found - len(view.issues)
            publish(f"reo {self.name}", view, unshown, self._streams, self.talk)
        elif self._form not in PEOPLE:
            began = time.strftime("%Y-%m-%dT%H:%M:%SZ", self._began)
            shape = view.shape
            if view.status:
                head = {"schema": f"reo.{self.name}/1", "status": view.status}
                shape = {**head, "exit_code": view.exit_code, "started_at": began, **shape}
            for entry in view.entries if self.lists_records else ():
                self.write_json(entry)
            self.write_json({"summary": shape} if self.lists_records else shape)
        elif not self.talk.quiet:
            from reo_cli.reports.terminal import view_lines

            out = self._streams.out
            out.lines(*(view_lines(view, out) if self._form == "table" else view.lines(out)))

    def _close(self, view: "View") -> None:
        for error in filter(None, view.errors):
            self.talk.error(error)
        for hint in view.hints:
            self.talk.hint(hint)
        for line in view.kept if self.talk.quiet else ():
            self.talk.note(line, loud=True)
        if view.forgiven:
            self.talk.warning(view.forgiven, loud=True)

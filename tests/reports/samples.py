"""Results made by hand, and what two files or a terminal hold of them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, NamedTuple

from reo_cli.checks.validation import Distinct, FileResult, Totals, Validation
from reo_cli.delivery.summary import (
    Counts,
    InputSummary,
    LedgerSummary,
    SendResult,
    Settled,
    Summary,
)
from reo_cli.errors import ExitCode, ReoError
from reo_cli.records import Issue
from reo_cli.reports import Streams, Talk
from reo_cli.reports.send import SendReport
from reo_cli.reports.send_file import SendFileReport
from reo_cli.reports.validate import ValidateReport
from tests.screen import Terminal

EVIL = "evil\x1b[31m\u202e[/x]\n::stop-commands::x.csv"
"""A file name that tries all it can."""
EVIL_SHOWN = r"evil\x1b[31m\u202e[/x]\n::stop-commands::x.csv"
KEY = "sk-canary-0123456789"

COUNT = Issue(
    *("usage.csv", 17, 16, "count", "error"),
    message='"1,250" is not a whole number',
    hint="remove the comma: 1250",
    excerpt='2026-11-01;acme.com;"1,250";US',
)
MAILBOX = Issue("usage.csv", 20, 19, "domain", "warning", '"gmail.com" is a mailbox provider')
HOSTILE = Issue(
    *(EVIL, 3, 1, "meta.a|b", "error"),
    message='"\x1b]0;t\x07[/x]\r\n::error::x ##[group]y <b>z</b> `k` | %0A" is odd',
    hint="::debug::hint, with: marks",
    excerpt='{"meta": {"a|b": "\x1b[2J"}}',
)
KEY_REFUSED = ReoError(ExitCode.KEY_REFUSED, "key_refused", "the API refused the key", "get one")

SUMMARY = Summary(
    inputs=[
        InputSummary("usage.csv", Counts(8993, 0, 7), Path("usage.csv.reo-rejects")),
        InputSummary("more.ndjson", Counts(0, 1000)),
    ],
    attempts=9011,
    elapsed_s=12.3456,
    events_per_s=812.4,
    issues=[COUNT, MAILBOX],
    errors=1,
    warnings=1,
    ledger=LedgerSummary(Path("/var/ledger.sqlite3"), created=True, events=8993),
)
"""A partial success of two inputs."""
VALIDATION = Validation(
    files=[FileResult("usage.csv", 10_000, 7, 7, 2), FileResult(EVIL, 3, 1, 1, 0)],
    totals=Totals(1_234_567, Distinct(12_345, True), Distinct(34), 1_793_491_200, 1_793_750_400),
    issues=[MAILBOX, COUNT, HOSTILE],
)
DELIVERED = SendResult(
    "delivered",
    ExitCode.OK,
    event_id="4f1c",
    payload={"count": 1},
    http_status=200,
    response={"status": "success"},
    attempts=1,
    elapsed_ms=142,
)
SETTLED = Settled("usage.csv", 2, 1, "delivered", "4f1c", 200, 1)


def one_input(counts: Counts | None = None, **changes: Any) -> Summary:
    """A run of one input without issues: all is well unless `counts` say otherwise."""
    inputs = [InputSummary("usage.csv", counts or Counts(3))]
    return replace(SUMMARY, **{"inputs": inputs, "issues": (), **changes})


Act = Callable[[Streams, Talk], object]


def report(result: Any, output: Any = None, told: Iterable[Any] = (), **options: Any) -> Act:
    """The report of a result, or an error of `send-file`, after its issues and the ends `told`."""

    def act(streams: Streams, talk: Talk) -> object:
        if isinstance(result, SendResult):
            return SendReport(output, streams, talk).finish(result)
        kind = ValidateReport if isinstance(result, Validation) else SendFileReport
        run: Any = kind(output, streams, talk, **options)
        for each in (*getattr(result, "issues", ()), *told):
            run.settled(each) if isinstance(each, Settled) else run.issue(each)
        return run.failed(result) if isinstance(result, ReoError) else run.finish(result)

    return act


class Seen(NamedTuple):
    """What came out of two streams, and the exit code."""

    out: str
    err: str
    code: object


def piped(act: Act, environ: Mapping[str, str] | None = None, **flags: bool) -> Seen:
    """What two files hold after `act`, and what it returned; `flags` are those of `Talk`."""
    with TemporaryFile("w+", encoding="utf-8") as out, TemporaryFile("w+", encoding="utf-8") as err:
        streams = Streams(out, err, environ or {})
        streams.mask.hide(KEY)
        code = act(streams, Talk(streams.err, **flags))
        out.seek(0)
        err.seek(0)
        return Seen(out.read(), err.read(), code)


def on_screen(act: Act, columns: int = 80, environ: Mapping[str, str] | None = None) -> str:
    """What a terminal shows of `act`, both streams on it; without colour unless `environ` is given.

    Line ends are those written: what the terminal itself breaks stays one line here.
    """
    terminal = Terminal(columns)
    with terminal.file() as file:
        streams = Streams(file, file, environ or {"TERM": "xterm", "NO_COLOR": "1"})
        streams.mask.hide(KEY)
        act(streams, Talk(streams.err))
    return terminal.text()

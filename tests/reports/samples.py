"""Results made by hand, and a terminal made by the kernel, for the tests of the reports."""

import fcntl
import os
import struct
import termios
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Thread
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

EVIL = "evil\x1b[31m\u202e[/x]\n::stop-commands::x.csv"
"""A file name that tries all it can."""
KEY = "sk-canary-0123456789"

COUNT = Issue(
    "usage.csv",
    17,
    16,
    "count",
    "error",
    '"1,250" is not a whole number',
    "remove the comma: 1250",
    '2026-11-01;acme.com;"1,250";US',
)
MAILBOX = Issue("usage.csv", 20, 19, "domain", "warning", '"gmail.com" is a mailbox provider')
HOSTILE = Issue(
    EVIL,
    3,
    1,
    "meta.a|b",
    "error",
    '"\x1b]0;t\x07[/x]\r\n::error::x ##[group]y <b>z</b> `k` | %0A" is odd',
    "::debug::hint, with: marks",
    '{"meta": {"a|b": "\x1b[2J"}}',
)
KEY_REFUSED = ReoError(ExitCode.KEY_REFUSED, "key_refused", "the API refused the key", "get one")


def summary(**changes: Any) -> Summary:
    """A partial success of two inputs; `changes` are fields of `Summary`."""
    values: dict[str, Any] = {
        "inputs": [
            InputSummary("usage.csv", Counts(8993, 0, 7), Path("usage.csv.reo-rejects")),
            InputSummary("more.ndjson", Counts(0, 1000)),
        ],
        "attempts": 9011,
        "elapsed_s": 12.3456,
        "events_per_s": 812.4,
        "issues": [COUNT, MAILBOX],
        "errors": 1,
        "warnings": 1,
        "ledger": LedgerSummary(Path("/var/ledger.sqlite3"), created=True, events=8993),
    }
    return Summary(**(values | changes))


def success() -> Summary:
    """A run of one input with nothing left to do."""
    inputs = [InputSummary("usage.csv", Counts(3))]
    return summary(inputs=inputs, issues=(), errors=0, warnings=0)


def validation(**changes: Any) -> Validation:
    """Two files, one of them hostile; `changes` are fields of `Validation`."""
    totals = Totals(
        sum_of_count=1_234_567,
        domains=Distinct(12_345, estimated=True),
        ips=Distinct(34),
        first_event_at=1_793_491_200,
        last_event_at=1_793_750_400,
    )
    values: dict[str, Any] = {
        "files": [FileResult("usage.csv", 10_000, 7, 7, 2), FileResult(EVIL, 3, 1, 1, 0)],
        "totals": totals,
        "issues": [MAILBOX, COUNT, HOSTILE],
    }
    return Validation(**(values | changes))


def delivered(**changes: Any) -> SendResult:
    """One event that was delivered; `changes` are fields of `SendResult`."""
    values: dict[str, Any] = {
        "status": "delivered",
        "exit_code": ExitCode.OK,
        "event_id": "4f1c",
        "payload": {"count": 1},
        "http_status": 200,
        "response": {"status": "success"},
        "attempts": 1,
        "elapsed_ms": 142,
    }
    return SendResult(**(values | changes))


def settled(outcome: str = "delivered", **changes: Any) -> Settled:
    """One settled record; `changes` are fields of `Settled`."""
    values: dict[str, Any] = {"event_id": "4f1c", "http_status": 200, "attempts": 1}
    return Settled("usage.csv", 2, 1, outcome, **(values | changes))


class Seen(NamedTuple):
    """What came out of two streams, and the exit code."""

    out: str
    err: str
    code: object


Act = Callable[[Streams, Talk], object]


def piped(
    act: Act,
    folder: Path,
    environ: Mapping[str, str] | None = None,
    *,
    quiet: bool = False,
    verbose: bool = False,
) -> Seen:
    """What two files hold after `act`, and what it returned."""
    out, err = folder / "stdout", folder / "stderr"
    with out.open("w", encoding="utf-8") as one, err.open("w", encoding="utf-8") as two:
        streams = Streams(one, two, environ or {})
        streams.mask.hide(KEY)
        code = act(streams, Talk(streams.err, quiet=quiet, verbose=verbose))
    return Seen(out.read_text("utf-8"), err.read_text("utf-8"), code)


class Terminal:
    """A pseudo-terminal of so many columns; a thread keeps what is written to it."""

    def __init__(self, columns: int = 80, encoding: str = "utf-8") -> None:
        self._master, self.slave = os.openpty()
        size = struct.pack("HHHH", 50, columns, 0, 0)
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, size)
        self.file = os.fdopen(self.slave, "w", encoding=encoding)
        self._chunks: list[bytes] = []
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                chunk = os.read(self._master, 4096)
            except OSError:  # EIO: the last writer closed it
                return
            if not chunk:
                return
            self._chunks.append(chunk)

    def text(self) -> str:
        """Close the terminal and return all that it showed, its line ends as `\\n`."""
        self.file.close()
        self._reader.join(10)
        os.close(self._master)
        return b"".join(self._chunks).decode("utf-8").replace("\r\n", "\n")


def on_screen(act: Act, columns: int = 80, environ: Mapping[str, str] | None = None) -> str:
    """What a terminal shows of `act`, both streams on it; without colour unless `environ` is given.

    Line ends are those written: what the terminal itself breaks stays one line here.
    """
    terminal = Terminal(columns)
    streams = Streams(terminal.file, terminal.file, environ or {"TERM": "xterm", "NO_COLOR": "1"})
    streams.mask.hide(KEY)
    act(streams, Talk(streams.err))
    return terminal.text()

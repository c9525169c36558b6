"""What a run of `send-file` came to: counts per input, and the reason it stopped, if it did."""

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import NamedTuple

from reo_cli.checks.rollup import RolledUp
from reo_cli.errors import ExitCode, ReoError
from reo_cli.records import Issue

OUTCOMES = ("delivered", "already_delivered", "invalid", "rejected", "errored", "unsent")
"""Every record read ends in exactly one of these."""


@dataclass(slots=True)
class Counts:
    """Records by what became of them; `read` is always their sum.

    `skipped` are those that `--only` and `--skip` left out: they are not read. `summed` are those
    that a roll-up has taken: the outcomes then count the events that it gave.
    """

    delivered: int = 0
    already_delivered: int = 0
    invalid: int = 0
    rejected: int = 0
    errored: int = 0
    unsent: int = 0
    skipped: int = 0
    summed: int = 0

    @property
    def read(self) -> int:
        """All records read, each counted once."""
        if self.summed:
            return self.invalid + self.summed
        return sum(getattr(self, name) for name in OUTCOMES)

    def add(self, outcome: str, number: int = 1) -> None:
        """Count `number` more records that ended as `outcome`, one of `OUTCOMES`."""
        setattr(self, outcome, getattr(self, outcome) + number)

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*map(sum, zip(astuple(self), astuple(other), strict=True)))


@dataclass(slots=True)
class InputSummary:
    """One input: its name as given, its counts, and the rejects file if one was written."""

    file: str
    counts: Counts = field(default_factory=Counts)
    rejects_file: Path | None = None


def sum_of(inputs: Iterable[InputSummary], others: Counts | None = None) -> Counts:
    """Return the counts of inputs together."""
    return sum((each.counts for each in inputs), others or Counts())


@dataclass(frozen=True, slots=True)
class LedgerSummary:
    """The ledger a run used: `created` by this run or not, and the events it holds at the end."""

    path: Path
    created: bool
    events: int


class Settled(NamedTuple):
    """One record that has reached its end; `outcome` is one of `OUTCOMES`.

    `body` is the request body, filled in a dry run only.
    """

    file: str
    line: int
    record: int
    outcome: str
    event_id: str | int | None = None
    http_status: int | None = None
    attempts: int = 0
    reason: str = ""
    body: str = ""


@dataclass(slots=True)
class Summary:
    """The end of a run over many events: `counts` by what became of them, `error` if it stopped.

    `status` is `success`, `partial`, `failed`, `interrupted` or `dry_run`. `issues` holds the first
    (at most `--max-issues`, in the library 100); `errors` and `warnings` count all. `bodies` is the
    first request bodies of a dry run. `elapsed_s` covers the whole process, or call.
    """

    inputs: Sequence[InputSummary]
    attempts: int = 0
    elapsed_s: float = 0.0
    events_per_s: float = 0.0
    issues: Sequence[Issue] = ()
    errors: int = 0
    warnings: int = 0
    ledger: LedgerSummary | None = None
    error: ReoError | None = None
    dry_run: bool = False
    bodies: list[str] = field(default_factory=list)
    rolled_up: RolledUp | None = None
    sums: Counts = field(default_factory=Counts)
    """The events of a roll-up by what became of them."""
    to_send: int = 0
    """Events that a dry run would have sent."""
    endpoint: str = ""
    endpoint_source: str = ""
    """Where an endpoint that is not the API's comes from; empty for the API's own."""
    resume: str = ""
    """The command that goes on from here, or empty when nothing is left to do."""
    restarts: bool = False
    """Whether that command starts from the first event again (`--resend`)."""
    where: str = ""
    """The options of the command that a run over the rejects needs too."""
    cut_pipe: bool = False
    """Whether a pipe was not read to its end."""
    allow_failure: bool = False

    @property
    def counts(self) -> Counts:
        """The counts of all inputs together, in a roll-up with those of its events."""
        return sum_of(self.inputs, self.sums)

    @property
    def events(self) -> int:
        """How many events were to be delivered."""
        return self.sums.read if self.rolled_up else self.counts.read

    @property
    def found_valid(self) -> bool:
        """Whether records were read, and nothing was wrong with any of them."""
        bad = self.counts.invalid or self.counts.rejected or self.errors or self.cut_pipe
        return bool(self.counts.read) and not bad

    @property
    def verdict(self) -> ExitCode:
        """The exit code before `--allow-failure`: what stopped the run decides (design.md)."""
        counts = self.counts
        if self.error is not None:
            return self.error.exit_code
        if counts.errored or (counts.unsent and not self.dry_run):
            return ExitCode.UNAVAILABLE
        return ExitCode.DATA if counts.rejected or counts.invalid else ExitCode.OK

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of the process; `--allow-failure` forgives 69, 75 and 76 only."""
        code = self.verdict
        return ExitCode.OK if self.allow_failure and code in FORGIVEN else code

    @property
    def status(self) -> str:
        """`success`, `partial`, `failed`, `interrupted` or `dry_run`."""
        code = self.verdict
        if code in (ExitCode.HANGUP, ExitCode.INTERRUPTED, ExitCode.TERMINATED):
            return "interrupted"
        if code is ExitCode.OK:
            return "dry_run" if self.dry_run else "success"
        counts = self.counts
        return "partial" if counts.delivered or counts.already_delivered else "failed"


FORGIVEN = frozenset({ExitCode.UNAVAILABLE, ExitCode.TRY_LATER, ExitCode.NOT_THE_API})
"""What `--allow-failure` turns into 0: the service's faults, never the data's or the user's."""


@dataclass(frozen=True, slots=True)
class SendResult:
    """The end of one event: what was sent, what came back, and `error` if something is wrong.

    `status` is `delivered`, `already_delivered`, `rejected`, `errored`, `invalid`, `dry_run` or
    `failed`, `issues` what the check found.
    """

    status: str
    exit_code: ExitCode
    event_id: str | int | None = None
    payload: dict[str, object] | None = None
    http_status: int | None = None
    response: object = None
    attempts: int = 0
    elapsed_ms: int = 0
    endpoint: str = ""
    endpoint_source: str = ""
    """As in `Summary`."""
    issues: Sequence[Issue] = ()
    error: ReoError | None = None

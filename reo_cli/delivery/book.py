"""The books of a run: what became of each record, in counts, ledger, rejects files and reports.

Every record is settled exactly once, so `read` is always the sum of the outcomes.
"""

import time
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

from reo_cli.checks.content import encode
from reo_cli.checks.issues import IssueLog
from reo_cli.checks.scratch import scratch
from reo_cli.client.outcome import Outcome
from reo_cli.delivery.decide import Job
from reo_cli.delivery.ledger import Account
from reo_cli.delivery.rejects import RAW_LIMIT, Reject, Rejects
from reo_cli.delivery.summary import Counts, InputSummary, Settled
from reo_cli.errors import ReoError
from reo_cli.records import Issue, Progress, Record

if TYPE_CHECKING:
    import sqlite3

_REFUSED = "SELECT 1 FROM refused WHERE key = ?"


class Listener(Protocol):
    """Is told what happens as it happens; displays it or does not."""

    lists_records: bool
    """Whether the end of every single record is wanted."""

    def settled(self, settled: Settled) -> None:
        """Take the end of one record."""

    def attempted(self, event_id: str | int, attempt: int, outcome: Outcome) -> None:
        """Take the outcome of one attempt."""

    def progress(self, progress: Progress) -> None:
        """Take where the run stands."""

    def note(self, text: str) -> None:
        """Take something worth knowing that is neither a result nor a warning."""

    def warning(self, text: str, *, loud: bool = False) -> None:
        """Take something that is likely a mistake; `loud` is said under `-q` too."""

    def hint(self, text: str) -> None:
        """Take advice on what to do."""


class Book:
    """The books over all inputs of a run.

    Without a `listener` nobody is told. `accounts` are where deliveries are recorded,
    `rejects` holds one file an input, or is empty where nothing is to be written (while a file is
    only checked). `streams` are the inputs that cannot be read again, `checked` the counts of those
    that were checked to their ends before, so that their issues are noted.
    """

    def __init__(
        self,
        inputs: Sequence[InputSummary],
        log: IssueLog,
        listener: Listener | None,
        accounts: Sequence[Account] = (),
        rejects: Sequence[Rejects] = (),
        streams: Collection[int] = (),
        checked: Mapping[int, Counts] | None = None,
    ) -> None:
        self.inputs = inputs
        self._log = log
        self._listener = listener
        self._accounts = accounts
        self._rejects = rejects
        self._streams = streams
        self._checked = checked or {}
        self._input = 0
        self._active: dict[bytes, Job] = {}
        self._pending: list[tuple[int, Reject]] = []
        self._refused: sqlite3.Connection | None = None
        self.any_delivered = False
        self.broken: set[int] = set()
        """The inputs that could not be read to their ends."""

    def begin_input(self, index: int) -> None:
        """Go on to another input; records without a job count for it."""
        self._input = index

    def has_deliveries(self, input_index: int) -> bool:
        """Tell whether any event of an input is known to be delivered, now or earlier."""
        counts = self.inputs[input_index].counts
        known = self._checked.get(input_index, counts)
        return bool(counts.delivered or counts.already_delivered or known.already_delivered)

    def issue(self, issue: Issue) -> None:
        """Take a finding about an input as a whole; an error means that it was not all read."""
        if issue.severity == "error":
            self.broken.add(self._input)
        self.warn([issue])

    def warn(self, issues: Sequence[Issue]) -> None:
        """Take findings about a record, unless they were taken when its input was checked."""
        if self._input not in self._checked:
            self._log.add(issues)

    def skipped(self) -> None:
        """Count a record that `--only` or `--skip` leaves out."""
        self.inputs[self._input].counts.skipped += 1

    def summed(self) -> int:
        """Count a record that a roll-up has taken; return the number of its input."""
        self.inputs[self._input].counts.summed += 1
        return self._input

    def invalid(
        self,
        record: Record,
        issues: Sequence[Issue],
        payload: Mapping[str, Any] | None,
        word: Literal["invalid", "rejected"] = "invalid",
        derived: str = "",
    ) -> None:
        """Settle a record that has errors; `payload` is what is known of its event, if anything."""
        self.warn(issues)
        reason = "; ".join(f"{each.field}: {each.message}".removeprefix(": ") for each in issues)
        text = None if payload is None else encode(payload)
        reject = _reject(record, None, reason, text, derived)
        self._end(self._input, Settled(*record.place, word, reason=reason), reject)

    def take(self, job: Job) -> bool:
        """Register an event to be sent.

        False when an equal one is on its way already, or was rejected in this run: each is tried
        once a run, in a rejects file beside its source too.
        """
        twin = self._active.get(job.key)
        if twin is not None:
            twin.twins.append(job)
            return False
        if self._refused and self._refused.execute(_REFUSED, (job.key,)).fetchone():
            self.settle(job, "rejected", "the API has rejected it in this run")
            return False
        self._active[job.key] = job
        return True

    def delivered(self, answers: Sequence[tuple[Job, Outcome]]) -> None:
        """Record acknowledged events, then settle them; raises ReoError 74 or 75.

        They are counted as delivered even when the ledger fails: that is the truth.
        """
        self.any_delivered = True
        now = time.time()
        try:
            done = [each for job, _ in answers for each in job.acknowledged(now)]
            for account in self._accounts:
                account.record(done)
        finally:
            for job, outcome in answers:
                self.settle(job, "delivered", outcome=outcome)

    def rejected(self, job: Job, outcome: Outcome) -> int:
        """Settle an event that the API refused for good; return how many its input has."""
        if self._refused is None:
            self._refused = scratch("CREATE TABLE refused (key BLOB PRIMARY KEY) WITHOUT ROWID")
        self._refused.execute("INSERT OR IGNORE INTO refused VALUES (?)", (job.key,))
        self.settle(job, "rejected", outcome=outcome)
        return self.inputs[job.input].counts.rejected

    def attempted(self, job: Job, outcome: Outcome) -> None:
        """Tell about one attempt."""
        if self._listener is not None:
            self._listener.attempted(job.event_id, job.attempts, outcome)

    def flush(self) -> None:
        """Write the rejects that have come together; raises ReoError 74 once all are tried."""
        pending, self._pending = self._pending, []
        fault: ReoError | None = None
        for at in dict.fromkeys(at for at, _ in pending):
            rejects = self._rejects[at]
            try:
                rejects.add([reject for index, reject in pending if index == at])
                self.inputs[at].rejects_file = rejects.path
            except ReoError as error:
                fault = fault or error
        if fault is not None:
            raise fault

    def close(self) -> None:
        """Forget what was rejected."""
        if self._refused is not None:
            self._refused.close()

    def settle(
        self,
        job: Job,
        word: str,
        reason: str = "",
        outcome: Outcome | None = None,
        body: str = "",
    ) -> None:
        """Settle an event, and with it the equal ones that waited for it.

        `word` is one of `summary.OUTCOMES`; the reason is the outcome's unless it is given. `body`
        is for a dry run to show.
        """
        self._active.pop(job.key, None)
        record = job.event.record
        status = outcome.http_status if outcome else None
        reason = reason or (outcome.reason if outcome and word != "delivered" else "")
        reject = None
        if word == "rejected" or (word in ("errored", "unsent") and job.input in self._streams):
            payload = job.body[len('{"payload":') : -1].decode()
            reject = _reject(record, status, reason, payload, job.derived)
        place, event_id = record.place, job.event_id
        told = Settled(*place, word, event_id, status, job.attempts, reason, body)
        self._end(job.input, told, reject)
        again = "already_delivered" if word == "delivered" else word
        for twin in job.twins:
            self.settle(twin, again, reason, outcome)

    def _end(self, input_index: int, settled: Settled, reject: Reject | None) -> None:
        self.inputs[input_index].counts.add(settled.outcome)
        if self._listener is not None:
            self._listener.settled(settled)
        if reject is not None and self._rejects:
            self._pending.append((input_index, reject))


def _reject(
    record: Record, status: int | None, reason: str, payload: str | None, derived: str
) -> Reject:
    return Reject(*record.place, status, reason, payload, record.text[:RAW_LIMIT], derived)

"""The books of a run: what became of each record, in counts, ledger, rejects files and reports.

Every record is settled exactly once, so `read` is always the sum of the outcomes.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

from reo_cli.checks.content import encode
from reo_cli.checks.issues import IssueLog
from reo_cli.checks.scratch import scratch
from reo_cli.client.outcome import Outcome
from reo_cli.delivery.decide import Job
from reo_cli.delivery.ledger import Account
from reo_cli.delivery.rejects import Reject, Rejects
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
        *,
        accounts: Sequence[Account] = (),
        rejects: Sequence[Rejects] = (),
        streams: Collection[int] = (),
        checked: Mapping[int, Counts] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.inputs = inputs
        self._log = log
        self._listener = listener
        self._accounts = accounts
        self._rejects = rejects
        self._streams = streams
        self._checked = checked or {}
        self._clock = clock
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
        self._note([issue])

    def _note(self, issues: Sequence[Issue]) -> None:
        if self._input in self._checked:
            return
        self._log.add(issues)

    def warn(self, issues: Sequence[Issue]) -> None:
        """Take warnings about a record that is sent all the same."""
        self._note(issues)

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
        self._note(issues)
        reason = "; ".join(f"{each.field}: {each.message}".removeprefix(": ") for each in issues)
        self._settle(Settled(record.file, record.line, record.number, word, reason=reason))
        if self._rejects:
            text = None if payload is None else encode(payload)
            self._pending.append((self._input, _reject(record, None, reason, text, derived)))

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
            self._finish(job, "rejected", None, "the API has rejected it in this run")
            return False
        self._active[job.key] = job
        return True

    def already(self, job: Job) -> None:
        """Settle an event that was delivered before."""
        self._finish(job, "already_delivered")

    def delivered(self, answers: Sequence[tuple[Job, Outcome]]) -> None:
        """Record acknowledged events, then settle them; raises ReoError 74 or 75.

        They are counted as delivered even when the ledger fails: that is the truth.
        """
        self.any_delivered = True
        now = self._clock()
        try:
            done = [each for job, _ in answers for each in job.acknowledged(now)]
            for account in self._accounts:
                account.record(done)
        finally:
            for job, outcome in answers:
                self._finish(job, "delivered", outcome)

    def rejected(self, job: Job, outcome: Outcome) -> int:
        """Settle an event that the API refused for good; return how many its input has."""
        if self._refused is None:
            self._refused = scratch("CREATE TABLE refused (key BLOB PRIMARY KEY) WITHOUT ROWID")
        self._refused.execute("INSERT OR IGNORE INTO refused VALUES (?)", (job.key,))
        self._finish(job, "rejected", outcome)
        return self.inputs[job.input].counts.rejected

    def errored(self, job: Job, outcome: Outcome) -> None:
        """Settle an event whose attempts are used up."""
        self._finish(job, "errored", outcome)

    def unsent(self, job: Job, reason: str, outcome: Outcome | None = None, body: str = "") -> None:
        """Settle an event that was not sent, because the run stopped or is a dry run."""
        self._finish(job, "unsent", outcome, reason, body)

    def abandoned(self, job: Job) -> None:
        """Settle an event whose request was still under way when the run ended."""
        self._finish(job, "errored", None, "no answer before the run ended")

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

    def _finish(
        self,
        job: Job,
        word: str,
        outcome: Outcome | None = None,
        reason: str = "",
        body: str = "",
    ) -> None:
        """Settle an event, and with it the equal ones that waited for it."""
        self._active.pop(job.key, None)
        record = job.event.record
        status = outcome.http_status if outcome else None
        reason = reason or (outcome.reason if outcome and word != "delivered" else "")
        settled = Settled(
            record.file,
            record.line,
            record.number,
            word,
            job.event_id,
            status,
            job.attempts,
            reason,
            body,
        )
        self._settle(settled, job.input)
        if self._rejects and (
            word == "rejected" or (word in ("errored", "unsent") and job.input in self._streams)
        ):
            payload = job.body[len('{"payload":') : -1].decode()
            self._pending.append((job.input, _reject(record, status, reason, payload, job.derived)))
        for twin in job.twins:
            self._finish(
                twin, "already_delivered" if word == "delivered" else word, outcome, reason
            )

    def _settle(self, settled: Settled, input_index: int | None = None) -> None:
        at = self._input if input_index is None else input_index
        self.inputs[at].counts.add(settled.outcome)
        if self._listener is not None:
            self._listener.settled(settled)


def _reject(
    record: Record, status: int | None, reason: str, payload: str | None, derived: str
) -> Reject:
    place = record.file, record.line, record.number
    return Reject(*place, status, reason, payload, record.text[:4096], derived)

"""Event → decision: its identity, and whether it has been delivered, changed, or belongs to us.

Occurrence numbers and ids seen in this run lie in a scratch database, so memory does not grow.
The same code decides while a file is only checked and while it is sent.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from reo_cli.checks.repeats import repeat_issue
from reo_cli.checks.scratch import scratch
from reo_cli.delivery.body import request_body
from reo_cli.delivery.identity import (
    content_digest,
    derived_id,
    id_but_for_count,
    id_from_fields,
    id_key,
    is_place_id,
    place_id,
    subject_of,
)
from reo_cli.delivery.ledger import Account, Acknowledged
from reo_cli.delivery.rejects import derived_of
from reo_cli.delivery.replaced import Watch
from reo_cli.delivery.stops import date, other_key
from reo_cli.errors import ExitCode, ReoError
from reo_cli.events import Event
from reo_cli.records import Issue, Record

OnChange = Literal["error", "skip", "send"]

FIELDS, SUM = "id-from", "sum"
"""What an id is made of that is not made of an event's whole content (`Job.derived`)."""


@dataclass(slots=True, eq=False)
class Job:
    """An event on its way: what is sent, and how it has gone so far.

    `charged` attempts count against the event, `failures` set the backoff, `due` is when it may be
    tried again, `started` when it was tried last, `failed` when it failed last. `twins` are records
    with the same identity that wait for its outcome. `derived` says what the id was made of: a
    content (hex), `FIELDS` or a `SUM`; empty for one of the record's own. `alias` is the id that a
    record mended in a rejects file has where it came from.
    """

    event: Event
    input: int
    event_id: str | int
    key: bytes
    content: bytes
    attempts: int = 0
    charged: int = 0
    failures: int = 0
    due: float = 0.0
    started: float = 0.0
    failed: float = 0.0
    twins: "list[Job]" = field(default_factory=list)
    derived: str = ""
    alias: str | None = None

    @property
    def body(self) -> bytes:
        """The bytes of the request body: the same in every attempt and every run."""
        return request_body(self.event_id, self.event.content)

    def acknowledged(self, at: float) -> list[Acknowledged]:
        """Return what the ledger is to hold once the event is delivered, `at` epoch seconds."""
        subject, count = subject_of(self.event.payload), self.event.payload["count"]
        if self.alias is None:
            return [Acknowledged(self.event_id, self.content, at, subject, count)]
        return [
            Acknowledged(self.event_id, self.content, at),
            Acknowledged(self.alias, self.content, at, subject, count),
        ]

    def __lt__(self, other: "Job") -> bool:
        return self.due < other.due


class Decision(NamedTuple):
    """What is to be done with an event.

    `job` is None when it belongs to another shard; nothing is sent when `issues` hold an error.
    `known` says that it was delivered before, so that nothing is to be sent, `stop` that the run
    must end here.
    """

    job: Job | None
    known: bool = False
    issues: Sequence[Issue] = ()
    stop: ReoError | None = None

    @property
    def goes_out(self) -> bool:
        """Tell whether the event is to be sent."""
        wrong = any(issue.severity == "error" for issue in self.issues)
        return self.job is not None and not (self.known or self.stop or wrong)


@dataclass(frozen=True)
class Shard:
    """Share `index` (from 0) of `of`: the events whose identity falls to it."""

    index: int
    of: int

    def __str__(self) -> str:
        return f"{self.index + 1}/{self.of}"


@dataclass(frozen=True)
class Identity:
    """How events are told apart: `--id-from`, `--on-change` and `--shard`."""

    id_from: tuple[str, ...] = ()
    on_change: OnChange = "error"
    shard: Shard | None = None
    rolled_up: bool = False
    """Whether events are sums of a roll-up, whose count may go on."""


class Memory:
    """Where deliveries are looked up, and where they are recorded.

    `--resend` looks only into a ledger of this run and records in both.
    """

    def __init__(self, lookup: Account, *records: Account) -> None:
        self.lookup = lookup
        self._records = (lookup, *records)

    def record(self, acknowledged: Sequence[Acknowledged]) -> None:
        """Record deliveries; committed on return. Raises ReoError 74 or 75."""
        for account in self._records:
            account.record(acknowledged)


_SENT = b"sent"
"""Begins the keys of events that go out, in a rehearsal."""

_SEEN = """
    CREATE TABLE seen
    (key BLOB PRIMARY KEY, content BLOB, times INTEGER, file INTEGER, line INTEGER) WITHOUT ROWID
"""
_NOTE = """
    INSERT INTO seen VALUES (?, ?, 1, ?, ?)
    ON CONFLICT (key) DO UPDATE SET times = times + 1 RETURNING times, content, file, line
"""


class Decider:
    """Decides over the events of a run, in the order of the inputs.

    A rehearsal (a dry run) sends nothing that a ledger could tell of: an event that came before
    counts as delivered by then. `watch` is told of each event, `skipped` knows those that replace
    others and are not to be sent.
    """

    def __init__(
        self,
        identity: Identity,
        memory: Memory | None,
        *,
        rehearses: bool = False,
        watch: Watch | None = None,
        skipped: Watch | None = None,
    ) -> None:
        self._identity = identity
        self._memory = memory
        self._watch = watch
        self._skipped = skipped
        self._rehearses = rehearses
        self._seen = scratch(_SEEN)
        self._origin = self._path = b""
        self._warns_of_now = False
        self._input = 0
        self._files: dict[int, str] = {}

    def begin_input(
        self, index: int, name: str, origin: bytes, *, streamed: bool, path: bytes = b"-"
    ) -> None:
        """Go on to another input; `origin` stands for it where an event's time is the run's.

        That of a `streamed` one is new in every run, which is worth a warning. `path` is the place
        of what has no identity, because it is invalid.
        """
        self._origin, self._path = origin, path
        self._warns_of_now = streamed
        self._input = index
        self._files[index] = name

    def close(self) -> None:
        """Forget what was seen."""
        self._seen.close()

    def together(self) -> AbstractContextManager[None]:
        """Make the decisions within the `with` block faster: one look into the ledger for all."""
        return self._memory.lookup.snapshot() if self._memory else nullcontext()

    def decide(self, event: Event) -> Decision:
        """Decide over one event; `stop` is 78 when it was delivered under another key.

        Raises ReoError 73 to 75 for the ledger, 74 when the disk is full.
        """
        decision = self._decided(event)
        job = decision.job
        if self._rehearses and job is not None and decision.goes_out:
            times, *_ = self._count(event.record.line, _SENT + job.key, None)
            return decision._replace(known=times > 1)
        return decision

    def _decided(self, event: Event) -> Decision:
        job, issues = self._identified(event)
        shard = self._identity.shard
        if shard and int.from_bytes(job.key[:8], "big") % shard.of != shard.index:
            self._note_subject(job, known=True, ours=False)
            return Decision(None)
        decision = self._looked_up(event, job, issues)
        self._note_subject(job, known=decision.known)
        if decision.goes_out and self._skipped and self._skipped.is_replaced(job.key):
            return decision._replace(known=True)
        return decision

    def _note_subject(self, job: Job, *, known: bool, ours: bool = True) -> None:
        if self._watch is not None:
            self._watch.note(self._input, job.event, job.key, known=known, ours=ours)

    def _looked_up(self, event: Event, job: Job, issues: Sequence[Issue]) -> Decision:
        """Decide by what the ledger knows of the event."""
        if any(issue.severity == "error" for issue in issues) or self._memory is None:
            return Decision(job, issues=issues)
        account = self._memory.lookup
        known = account.find(job.event_id)
        if known is None:
            other = account.find_elsewhere(job.event_id)
            if other is not None:
                where = f"{event.record.file}:{event.record.line}"
                stop = other_key(where, other.delivered_at)
                return Decision(job, issues=issues, stop=stop)
            made_of_other = job.derived not in ("", FIELDS, SUM, job.content.hex())
            if made_of_other or is_place_id(job.event_id):
                job.alias = self._alias(event, job.content, account)
            return Decision(job, issues=issues)
        # An id made of this very content stands for another only where that was mended since.
        is_settled = job.derived == job.content.hex() or self._identity.on_change == "skip"
        if not (known.is_same(job.content) or is_settled):
            if self._identity.on_change == "error":
                return Decision(job, issues=[*issues, _changed(event, known.delivered_at)])
            return Decision(job, issues=issues)
        return Decision(job, known=True, issues=issues)

    def _identified(self, event: Event) -> tuple[Job, Sequence[Issue]]:
        given: str | int | None = event.event_id
        derived = derived_of(event.record) if given is not None else ""
        fields = self._identity.id_from
        if fields and (given is None or derived or is_place_id(given)):
            given, derived = id_from_fields(event.payload, fields), FIELDS
        elif derived == SUM or (given is None and self._identity.rolled_up):
            given, derived = id_but_for_count(event), SUM
        if given is not None:
            content = content_digest(event, b"")
            key = id_key(given)
            job = Job(event, self._input, given, key, content, derived=derived)
            return job, self._note(event, key, content)
        content = content_digest(event, self._origin)
        place = content + self._input.to_bytes(4, "big")
        times, _, _, line = self._count(event.record.line, place, None)
        event_id = derived_id(content, times)
        job = Job(event, self._input, event_id, id_key(event_id), content, derived=content.hex())
        issues = [] if times == 1 else [self._repeat(event, f"line {line}", None, None)]
        if event.timeless and self._warns_of_now:
            self._warns_of_now = False
            issues.append(_new_in_every_run(event))
        return job, issues

    def id_of_invalid(
        self, record: Record, payload: Mapping[str, Any], issues: Sequence[Issue]
    ) -> str | int:
        """Return the id that an invalid record has to have: its own, or that of its place.

        With --id-from it is that of its fields, where these are good.
        """
        wrong = {issue.field for issue in issues if issue.severity == "error"}
        own, names = payload.get("event_id"), self._identity.id_from
        if isinstance(own, str | int) and "event_id" not in wrong:
            return own
        if names and not wrong & {"", "meta", *names}:
            return id_from_fields(dict(payload), names)
        text = record.text or repr(record.fields)
        key = b"place" + id_key(text) + self._input.to_bytes(4, "big")
        return place_id(self._path, text, self._count(record.line, key, None)[0])

    def _alias(self, event: Event, content: bytes, account: Account) -> str:
        """Return the id that a mended record has in its file: the first that is not taken yet."""
        number, *_ = self._count(event.record.line, b"mended" + content, None)
        while True:
            alias = derived_id(content, number)
            taken, *_ = self._count(event.record.line, b"alias" + id_key(alias), None)
            if taken == 1 and account.find(alias) is None:
                return alias
            number += 1

    def _note(self, event: Event, key: bytes, content: bytes) -> Sequence[Issue]:
        """Remember an event with an id of its own; return an issue if the id came before."""
        times, first, file, line = self._count(event.record.line, key, content)
        if times == 1:
            return ()
        where = f"line {line}" if file == self._input else f"{self._files[file]}:{line}"
        return [self._repeat(event, where, content, first)]

    def _count(
        self, line: int, key: bytes, content: bytes | None
    ) -> tuple[int, bytes | None, int, int]:
        """Count one more of `key`; return how many there are, and where the first one is."""
        row = (key, content, self._input, line)
        try:
            noted: tuple[int, bytes | None, int, int] = self._seen.execute(_NOTE, row).fetchone()
        except sqlite3.Error as fault:
            message = f"the temporary folder cannot hold what this run must remember: {fault}"
            hint = "free some space there, or set SQLITE_TMPDIR to another folder"
            raise ReoError(ExitCode.IO, "scratch_failed", message, hint) from fault
        return noted

    def _repeat(
        self, event: Event, where: str, content: bytes | None, first: bytes | None
    ) -> Issue:
        record = event.record
        issue = repeat_issue(where, content, first)._replace(
            file=record.file, line=record.line, record=record.number
        )
        if self._identity.id_from and event.event_id is None and issue.severity == "error":
            issue = issue._replace(hint="name more fields in --id-from, so that they tell it apart")
        return issue


def _new_in_every_run(event: Event) -> Issue:
    record = event.record
    message = "`now` makes events from a pipe new in every run: sent again, they count again"
    hint = "give them an event_id or their own event_at, use --id-from, or send a file"
    where = record.file, record.line, record.number
    return Issue(*where, "event_at", "warning", message, hint, code="new-in-every-run")


def _changed(event: Event, delivered_at: int) -> Issue:
    record = event.record
    message = f"changed since it was delivered on {date(delivered_at)}"
    hint = "--on-change send sends it again, --on-change skip leaves it"
    where = record.file, record.line, record.number
    return Issue(*where, "", "error", message, hint, code="changed")

"""Event → decision: its identity, and whether it was delivered, has changed, or is not ours.

Occurrence numbers and ids seen in this run lie in a scratch database, so memory does not grow.
The same code decides while a file is only checked and while it is sent.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal

from reo_cli.checks.repeats import repeat_issue
from reo_cli.checks.scratch import ScratchFailed, scratch
from reo_cli.delivery import identity
from reo_cli.delivery.ledger import Account, Acknowledged
from reo_cli.delivery.rejects import derived_of
from reo_cli.delivery.replaced import Watch
from reo_cli.delivery.stops import date, other_key
from reo_cli.errors import ReoError
from reo_cli.events import Event
from reo_cli.records import Issue, Record

OnChange = Literal["error", "skip", "send"]

FIELDS, SUM = "id-from", "sum"
"""What an id is made of that is not made of an event's whole content (`Job.derived`)."""


@dataclass(frozen=True)
class Input:
    """One input of a run: `open` starts reading it, `close` ends that and may find it changed.

    `origin` stands for it in the identity of events without a time of their own, which is new in
    every run where the input is `streamed`; `path` is the place of what has no identity. `stop`
    ends the reading of one that may keep its reader waiting: it is read in a thread of its own.
    """

    index: int
    name: str
    origin: bytes
    streamed: bool
    open: "Callable[[], Iterator[Record | Issue | Event | None]]"
    close: Callable[[], None]
    path: bytes = b"-"
    stop: Callable[[], None] | None = None


@dataclass(slots=True, eq=False)
class Job:
    """An event on its way: its identity, what is decided over it, and how it has gone so far.

    `derived` says what the id was made of: a content (hex), `FIELDS` or a `SUM`; empty for one of
    the record's own. `alias` is the id that a record mended in a rejects file has where it came
    from. An event goes out unless it was delivered before (`known`), the run must end here (`stop`)
    or `issues` hold an error.

    `charged` attempts count against the event, `failures` set the backoff, `due` is when it may be
    tried again, `started` when it was tried last, `failed` when it failed last. `twins` are records
    with the same identity that wait for its outcome.
    """

    event: Event
    input: int
    event_id: str | int
    key: bytes
    content: bytes
    derived: str = ""
    alias: str | None = None
    known: bool = False
    stop: ReoError | None = None
    issues: Sequence[Issue] = ()
    attempts: int = 0
    charged: int = 0
    failures: int = 0
    due: float = 0.0
    started: float = 0.0
    failed: float = 0.0
    twins: "list[Job]" = field(default_factory=list)

    @property
    def is_wrong(self) -> bool:
        """Tell whether an issue keeps the event from being sent."""
        return any(issue.severity == "error" for issue in self.issues)

    @property
    def body(self) -> bytes:
        """The bytes of the request body: the same in every attempt and every run."""
        return identity.request_body(self.event_id, self.event.content)

    def acknowledged(self, at: float) -> list[Acknowledged]:
        """Return what the ledger is to hold once the event is delivered, `at` epoch seconds."""
        subject, count = identity.subject_of(self.event.payload), self.event.payload["count"]
        if self.alias is None:
            return [Acknowledged(self.event_id, self.content, at, subject, count)]
        return [
            Acknowledged(self.event_id, self.content, at),
            Acknowledged(self.alias, self.content, at, subject, count),
        ]

    def __lt__(self, other: "Job") -> bool:
        return self.due < other.due


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

    `account` is where deliveries are looked up. A rehearsal (a dry run) sends nothing that a ledger
    could tell of: an event that came before counts as delivered by then. `watch` is told of each
    event, and knows those that replace others and are not to be sent.
    """

    def __init__(
        self,
        identity: Identity,
        account: Account | None = None,
        watch: Watch | None = None,
        *,
        rehearses: bool = False,
    ) -> None:
        self._identity = identity
        self._account = account
        self._watch = watch
        self._rehearses = rehearses
        self._seen = scratch(_SEEN)
        self._inputs: dict[int, Input] = {}
        self._warns_of_now = False

    def begin(self, source: Input) -> None:
        """Go on to another input."""
        self._input = self._inputs[source.index] = source
        self._warns_of_now = source.streamed

    def close(self) -> None:
        """Forget what was seen."""
        self._seen.close()

    def together(self) -> AbstractContextManager[None]:
        """Make the decisions within the `with` block faster: one look into the ledger for all."""
        return self._account.snapshot() if self._account else nullcontext()

    def is_ours(self, number: int) -> bool:
        """Tell whether what has this number is of our share."""
        shard = self._identity.shard
        return shard is None or number % shard.of == shard.index

    def decide(self, event: Event) -> Job | None:
        """Decide over one event; None for one of another share.

        It has a `stop` (78) when it was delivered under another key. Raises ReoError 73 to 75 for
        the ledger, 74 when the disk is full.
        """
        job = self._identified(event)
        is_ours = self.is_ours(int.from_bytes(job.key[:8], "big"))
        if is_ours and self._account is not None and not job.is_wrong:
            self._look_up(job, self._account)
        if self._watch is not None:
            self._watch.note(job, job.known if is_ours else None)
        if is_ours and not (job.known or job.stop or job.is_wrong):
            job.known = self._is_settled(job)
        return job if is_ours else None

    def _look_up(self, job: Job, account: Account) -> None:
        """Decide by what the ledger knows of an event."""
        record, rule = job.event.record, self._identity.on_change
        known = account.find(job.event_id)
        if known is None:
            made_of_other = job.derived not in ("", FIELDS, SUM, job.content.hex())
            if other := account.find_elsewhere(job.event_id):
                job.stop = other_key(f"{record.file}:{record.line}", other.delivered_at)
            elif made_of_other or identity.is_place_id(job.event_id):
                job.alias = self._alias(job, account)
        # An id made of this very content stands for another only where that was mended since.
        elif job.derived == job.content.hex() or known.is_same(job.content) or rule == "skip":
            job.known = True
        elif rule == "error":
            message = f"changed since it was delivered on {date(known.delivered_at)}"
            hint = "--on-change send sends it again, --on-change skip leaves it"
            issue = Issue(*record.place, "", "error", message, hint, code="changed")
            job.issues = [*job.issues, issue]

    def _alias(self, job: Job, account: Account) -> str:
        """Return the id that a mended record has in its file: the first that is not taken yet."""
        while True:
            number = self._count(0, b"alias" + job.content)[0]
            alias = identity.derived_id(job.content, number)
            if account.find(alias) is None:
                return alias

    def _is_settled(self, job: Job) -> bool:
        """Tell whether an event that is new to the ledger is not sent all the same."""
        if self._watch is not None and self._watch.is_left(job):
            return True
        return self._rehearses and self._count(0, b"sent" + job.key)[0] > 1

    def _identified(self, event: Event) -> Job:
        """Return an event with its identity, and what is odd about that."""
        given: str | int | None = event.event_id
        derived = derived_of(event.record) if given is not None else ""
        fields, at = self._identity.id_from, self._input.index
        if fields and (given is None or derived or identity.is_place_id(given)):
            given, derived = identity.id_from_fields(event.payload, fields), FIELDS
        elif derived == SUM or (given is None and self._identity.rolled_up):
            given, derived = identity.id_but_for_count(event), SUM
        if given is not None:
            key, content = identity.id_key(given), identity.content_digest(event, b"")
            issues = self._met(event, key, content)[1]
            return Job(event, at, given, key, content, derived, issues=issues)
        content = identity.content_digest(event, self._input.origin)
        times, issues = self._met(event, content + at.to_bytes(4, "big"))
        if event.timeless and self._warns_of_now:
            self._warns_of_now = False
            message = (
                "`now` makes events from a pipe new in every run: sent again, they count again"
            )
            hint = "give them an event_id or their own event_at, use --id-from, or send a file"
            place, code = (*event.record.place, "event_at"), "new-in-every-run"
            issues = [*issues, Issue(*place, "warning", message, hint, code=code)]
        given = identity.derived_id(content, times)
        return Job(event, at, given, identity.id_key(given), content, content.hex(), issues=issues)

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
            return identity.id_from_fields(payload, names)
        text = record.text or repr(record.fields)
        key = b"place" + identity.id_key(text) + self._input.index.to_bytes(4, "big")
        return identity.place_id(self._input.path, text, self._count(record.line, key)[0])

    def _met(
        self, event: Event, key: bytes, content: bytes | None = None
    ) -> tuple[int, Sequence[Issue]]:
        """Count an event; return how often it came so far, and an issue if it came before.

        `content` is that of one with an id of its own.
        """
        times, first, file, line = self._count(event.record.line, key, content)
        if times == 1:
            return times, ()
        where = f"line {line}" if file == self._input.index else f"{self._inputs[file].name}:{line}"
        issue = repeat_issue(where, content, first)
        if self._identity.id_from and event.event_id is None and issue.severity == "error":
            issue = issue._replace(hint="name more fields in --id-from, so that they tell it apart")
        record = event.record
        placed = issue._replace(file=record.file, line=record.line, record=record.number)
        return times, [placed]

    def _count(
        self, line: int, key: bytes, content: bytes | None = None
    ) -> tuple[int, bytes | None, int, int]:
        """Count one more of `key`; return how many there are, and where the first one is."""
        row = (key, content, self._input.index, line)
        try:
            noted: tuple[int, bytes | None, int, int] = self._seen.execute(_NOTE, row).fetchone()
        except sqlite3.Error as fault:
            raise ScratchFailed(fault) from fault
        return noted

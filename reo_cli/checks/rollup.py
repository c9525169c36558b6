"""Raw events → aggregated ones: those that agree in all but count and time within a bucket are one.

Stands between check and intake, for all inputs of a run together. Sums are kept in memory up to a
few MiB and then lie in the scratch database, so memory does not grow with the number of buckets.
"""

from collections.abc import Callable, Container, Iterator, Sequence, Set
from contextlib import contextmanager
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Literal, NamedTuple

from reo_cli.checks.content import encode
from reo_cli.checks.scratch import ScratchFailed, on_disk, scratch
from reo_cli.errors import ExitCode, ReoError
from reo_cli.events import Event
from reo_cli.records import Record
from reo_cli.text import pasted

Unit = Literal["hour", "day", "week", "month"]

IN_MEMORY = 6 * 1024 * 1024
"""Bytes of sums in memory, about, before they go to the scratch database."""

SUM_SIZE = 400
"""Bytes that a sum takes in memory beside its text, about."""

SORTED_AT_ONCE = 8 * 1024
"""KiB that SQLite sorts in memory before it writes."""

LOOKED_AT = 5000
"""Events that are compared to tell in what they differ."""

FEW_SUMMED = 0.9
"""Events for each record, from which on a roll-up is likely not what was wanted."""

TOLD_FROM = 10
"""Records from which on that is worth a word."""

_SCHEMA = """
    CREATE TABLE part (
        bucket INTEGER, text BLOB, count INTEGER, input INTEGER, line INTEGER, record INTEGER
    ) STRICT
"""
_MERGE = """
    CREATE TEMP TABLE whole AS
    SELECT bucket, text, sum(count) AS count, min(rowid), input, line, record
    FROM part GROUP BY bucket, text ORDER BY bucket, text
"""  # next to min(), SQLite takes the other columns from the row with the least


class Plan(NamedTuple):
    """What `--roll-up`, `--timezone` and `--until` ask for; `now` is in epoch seconds."""

    unit: Unit
    zone: tzinfo
    now: int
    until_now: bool = False

    def start_of(self, at: int) -> int:
        """Return the start of the bucket that a moment falls into, both in epoch seconds.

        Days begin when the clocks of the zone say so: they have 23 or 25 hours where those are put
        forward or back, and the hour that comes twice is two.
        """
        local = datetime.fromtimestamp(at, self.zone).replace(minute=0, second=0, microsecond=0)
        if self.unit != "hour":
            local = local.replace(hour=0, fold=0)
        if self.unit == "week":
            local -= timedelta(days=local.weekday())
        elif self.unit == "month":
            local = local.replace(day=1)
        return int(local.timestamp())

    @property
    def end(self) -> int:
        """Return the moment from which on events are left out: their bucket is not over."""
        return self.now + 1 if self.until_now else self.start_of(self.now)

    def named(self, start: int) -> str:
        """Return a bucket as people call it: `2026-08-01`, of an hour with its time."""
        form = "%Y-%m-%d %H:%M" if self.unit == "hour" else "%Y-%m-%d"
        return datetime.fromtimestamp(start, self.zone).strftime(form)


class RolledUp(NamedTuple):
    """What a roll-up made of `records`; `left_out` more are of a bucket that is not over.

    `open_bucket` is the name of that, `differing` the fields that are the reason why next to
    nothing was summed.
    """

    records: int
    events: int
    left_out: int
    open_bucket: str
    differing: Sequence[str]

    def __str__(self) -> str:
        """`1,000 records gave 998 events: they differ in meta.request_id`."""
        text = f"{self.records:,} records gave {self.events:,} events"
        return text + (f": they differ in {', '.join(self.differing)}" if self.differing else "")

    def ignoring(self, mapped: Container[str]) -> str:
        """Return the options that leave out what differs, but for what `--map` reads."""
        names = [each.removeprefix("meta.") for each in self.differing if each not in mapped]
        return " ".join(f"--ignore {pasted(each)}" for each in names)


class RollUp:
    """Takes events one by one; `events` then gives one for each bucket, the oldest first."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.records = 0
        """Events that were summed."""
        self.left_out = 0
        """Events whose bucket is not over."""
        self._end = plan.end
        self._start_of: Callable[[int], int] = lru_cache(65536)(plan.start_of)
        self._sums: dict[tuple[int, bytes], list[int]] = {}
        self._size = 0
        self._database = scratch(_SCHEMA)
        self._database.execute(f"PRAGMA cache_size=-{SORTED_AT_ONCE}")
        self._groups: int | None = None

    def add(self, event: Event, at_input: int) -> None:
        """Add an event to its bucket; ReoError 74 when the disk is full."""
        at = event.payload["event_at"]
        if at >= self._end:
            self.left_out += 1
            return
        self.records += 1
        key = self._start_of(at), _but_count_and_time(event)
        known = self._sums.get(key)
        if known is not None:
            known[0] += event.payload["count"]
            return
        record = event.record
        self._sums[key] = [event.payload["count"], at_input, record.line, record.number]
        self._size += len(key[1]) + SUM_SIZE
        if self._size >= IN_MEMORY:
            self._write()

    def _write(self) -> None:
        rows = ((*key, *found) for key, found in self._sums.items())
        with _summing():
            self._database.executemany("INSERT INTO part VALUES (?, ?, ?, ?, ?, ?)", rows)
        self._sums.clear()
        self._size = 0

    @property
    def groups(self) -> int:
        """How many events there are; none can be added after it was asked for the first time."""
        if self._groups is None:
            self._write()
            with _summing():
                self._database.execute(_MERGE)
                self._database.execute("DROP TABLE part")
                found = self._database.execute("SELECT count(*) FROM whole").fetchone()
            self._groups = int(found[0])
        return self._groups

    def events(self, names: Sequence[str]) -> Iterator[Event]:
        """Yield the events; the record of each is the first that went into it.

        `names` are those of the inputs by number. May be called again. Raises ReoError 74.
        """
        if not self.groups:
            return
        with _summing():
            query = "SELECT bucket, text, count, input, line, record FROM whole ORDER BY rowid"
            for bucket, text, count, at, line, number in self._database.execute(query):
                yield _event(bucket, text, count, Record(names[at], line, number, None, {}, ""))

    def differing(self) -> list[str]:
        """Name the fields in which events differ so much that next to nothing was summed.

        Looks at the first few thousand, which stand in order: it is those behind the fields in
        which events of one company agree that make the difference.
        """
        if self.records < TOLD_FROM or self.groups < self.records * FEW_SUMMED:
            return []
        rows = self._database.execute("SELECT bucket, text FROM whole LIMIT ?", (LOOKED_AT,))
        looked_at = [(bucket, _flat(text)) for bucket, text in rows]
        names = {name for _, fields in looked_at for name in fields} - _WHO
        values = {name: len({fields.get(name) for _, fields in looked_at}) for name in names}
        most = len(looked_at) * FEW_SUMMED
        if _distinct(looked_at, names) >= most:
            return []
        for name in sorted(names, key=lambda each: (values[each], each)):
            if _distinct(looked_at, names - {name}) < most / 2:
                names.discard(name)  # with it, events are still summed
        return sorted(names, key=lambda each: (-values[each], each))

    def result(self) -> RolledUp:
        """Return what came of it; nothing can be added any more."""
        plan = self.plan
        open_bucket = plan.named(plan.start_of(plan.now))
        return RolledUp(self.records, self.groups, self.left_out, open_bucket, self.differing())

    def close(self) -> None:
        """Give the scratch file back."""
        self._database.close()


_WHO = frozenset("mode source activity_type ip_addr domain product_id".split())
"""Fields without which an event says nothing: nobody is told to leave them out."""


def _but_count_and_time(event: Event) -> bytes:
    """Return what must agree: the content without the values of `count` and `event_at`.

    The parts before, between and behind them, and the `event_id`, with NULs between, which JSON
    never holds. Both keys stand before `meta`, where others of that name could be, and a quote
    inside a text is escaped.
    """
    before, _, rest = event.content.partition(b',"count":')
    between, _, rest = rest.partition(b",")[2].partition(b'"event_at":')
    behind = rest.partition(b",")[2]
    given = event.event_id
    end = b"" if given is None else encode(given).encode()
    return b"\0".join((before, between, behind, end))


def _event(bucket: int, text: bytes, count: int, record: Record) -> Event:
    import json

    before, between, behind, given = text.split(b"\0")
    content = b'%b,"count":%d,%b"event_at":%d,%b' % (before, count, between, bucket, behind)
    payload = json.loads(content)
    event_id = json.loads(given) if given else None
    if event_id is not None:
        payload["event_id"] = event_id
    return Event(record, payload, content, event_id, timeless=False)


def _flat(text: bytes) -> dict[str, str]:
    payload = _event(0, text, 0, Record("", 0, 0, None, {}, "")).payload
    meta = payload.pop("meta", {})
    flat = {**payload, **{f"meta.{key}": value for key, value in meta.items()}}
    return {name: repr(value) for name, value in flat.items()}


def _distinct(rows: Sequence[tuple[int, dict[str, str]]], without: Set[str]) -> int:
    """Count how many events there would be without some fields."""
    kept = [
        (bucket, *((name, value) for name, value in fields.items() if name not in without))
        for bucket, fields in rows
    ]
    return len(set(kept))


@contextmanager
def _summing() -> Iterator[None]:
    """Turn what SQLite cannot do into an error of ours: 74, or 65 for a sum that is too large."""
    try:
        with on_disk():
            yield
    except (OverflowError, ScratchFailed) as fault:
        if isinstance(fault, ScratchFailed) and "integer overflow" not in str(fault):
            raise
        message = "the counts of one bucket add up to more than 64 bits hold"
        raise ReoError(ExitCode.INVALID, "count_too_large", message, "check `count`") from fault

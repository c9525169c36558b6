"""Raw events → aggregated ones: those that agree in all but count and time within a bucket are one.

Stands between check and intake, for all inputs of a run together. Sums are kept in memory up to a
few MiB and then lie in the scratch database, so memory does not grow with the number of buckets.
"""

import json
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from reo_cli.checks.content import encode
from reo_cli.checks.scratch import ScratchFailed, on_disk, scratch
from reo_cli.errors import ExitCode, ReoError
from reo_cli.events import NAMES, Event
from reo_cli.records import Record
from reo_cli.text import pasted

Unit = Literal["hour", "day", "week", "month"]

_IN_MEMORY = 6 * 1024 * 1024
"""Bytes of sums in memory, about, before they go to the scratch database."""

_FEW_SUMMED = 0.9
"""Events for each record, from which on a roll-up is likely not what was wanted."""

_WHO = frozenset("mode source activity_type ip_addr domain product_id event_at".split())
"""Fields without which an event says nothing: nobody is told to leave them out."""

_SCHEMA = """
    PRAGMA cache_size=-8192;
    CREATE TABLE part (
        bucket INTEGER, text TEXT, count INTEGER, input INTEGER, line INTEGER, record INTEGER
    ) STRICT
"""  # 8 MiB are sorted in memory
_WHOLE = """
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
    def open_bucket(self) -> str:
        """The bucket that is not over as people call it: `2026-08-01`, of an hour with its time."""
        form = "%Y-%m-%d %H:%M" if self.unit == "hour" else "%Y-%m-%d"
        return datetime.fromtimestamp(self.start_of(self.now), self.zone).strftime(form)

    def begin(self) -> "RollUp":
        """Return an empty roll-up."""
        return RollUp(self)


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
        numbers = (("record", self.records), ("event", self.events))
        text = " gave ".join(f"{each:,} {word}{'s' * (each != 1)}" for word, each in numbers)
        return text + (f": they differ in {', '.join(self.differing)}" if self.differing else "")

    def ignoring(self, mapped: Container[str]) -> str:
        """Return the options that leave out what differs, but for what `--map` reads."""
        names = [each.removeprefix("meta.") for each in self.differing if each not in mapped]
        return " ".join(f"--ignore {pasted(each)}" for each in names)


class RollUp:
    """Takes events one by one; `events` then gives one for each bucket, the oldest first.

    `records` are the events that were summed, `left_out` those whose bucket is not over.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.records = self.left_out = 0
        self._end = plan.now + 1 if plan.until_now else plan.start_of(plan.now)
        self._start_of: Callable[[int], int] = lru_cache(65536)(plan.start_of)
        self._sums: dict[tuple[int, str], list[int]] = {}
        self._size = 0
        self._database = scratch(_SCHEMA)
        self._groups: int | None = None

    def add(self, event: Event, at_input: int) -> None:
        """Add an event to its bucket; ReoError 74 when the disk is full."""
        rest = event.payload.copy()
        count, at = rest.pop("count"), rest.pop("event_at")
        if at >= self._end:
            self.left_out += 1
            return
        self.records += 1
        key = self._start_of(at), encode(rest)
        if known := self._sums.get(key):
            known[0] += count
            return
        self._sums[key] = [count, at_input, event.record.line, event.record.number]
        self._size += len(key[1]) + 400  # what a sum takes beside its text, about
        if self._size >= _IN_MEMORY:
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
                self._database.execute(_WHOLE)
                self._database.execute("DROP TABLE part")
                (self._groups,) = self._database.execute("SELECT count(*) FROM whole").fetchone()
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
                record = Record(names[at], line, number, None, {}, "")
                yield _event(record, {**json.loads(text), "count": count, "event_at": bucket})

    def differing(self) -> list[str]:
        """Name the fields in which events differ so much that next to nothing was summed.

        They have another value in most of the first few thousand, of which fewer would be left
        without them. Of a handful nothing is said.
        """
        if self.records < 10 or self.groups < self.records * _FEW_SUMMED:
            return []
        rows = self._database.execute("SELECT bucket, text FROM whole LIMIT 5000")
        looked_at = [{"event_at": bucket, **_flat(json.loads(text))} for bucket, text in rows]
        names = {name for each in looked_at for name in each} - _WHO
        values = {name: len({each.get(name) for each in looked_at}) for name in names}
        names = {name for name in names if values[name] > len(looked_at) / 2}
        left = {tuple(it for it in each.items() if it[0] not in names) for each in looked_at}
        if len(left) >= len(looked_at) * _FEW_SUMMED:
            return []
        return sorted(names, key=lambda each: (-values[each], each))

    def result(self) -> RolledUp:
        """Return what came of it; nothing can be added any more."""
        counts = (self.records, self.groups, self.left_out)
        return RolledUp(*counts, self._plan.open_bucket, self.differing())

    def close(self) -> None:
        """Give the scratch file back."""
        self._database.close()


def _event(record: Record, whole: dict[str, Any]) -> Event:
    event_id = whole.pop("event_id", None)
    payload = {name: whole[name] for name in NAMES if name in whole}
    content = encode(payload).encode()
    if event_id is not None:
        payload["event_id"] = event_id
    return Event(record, payload, content, event_id, timeless=False)


def _flat(payload: Mapping[str, Any]) -> dict[str, str]:
    """Return the fields of a payload, each key of `meta` as one."""
    flat = {**payload, **{f"meta.{key}": each for key, each in payload.get("meta", {}).items()}}
    return {name: repr(value) for name, value in flat.items() if name != "meta"}


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

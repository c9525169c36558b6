"""JSON values → Records: what keys stand for is decided once for all objects that share them."""

from collections.abc import Iterator, Mapping
from typing import Any

from reo_cli.readers.columns import Columns, Maker, Problem, reach, with_fault
from reo_cli.readers.jsontext import unkept
from reo_cli.readers.options import ReadOptions
from reo_cli.records import Issue, Record
from reo_cli.text import kind_of, visible

_SHAPES_KEPT = 1000
_TOLD = 20
"""Issues about the keys of one input; what comes later is invalid, and no more is said."""


class Keys(Maker):
    """Makes records of the objects of one input."""

    def __init__(self, file: str, options: ReadOptions) -> None:
        super().__init__(file, options)
        self._shapes: dict[tuple[str, ...], Columns] = {}
        self._named: set[str] = set()
        self._seen: list[Mapping[str, Any]] = []
        self._told = 0
        self.has_news = False
        """Whether a record has had a key that is wrong and of which nothing was told."""
        columns = (*options.ignored, *options.only, *options.skip)
        self._unseen = {
            column: f"--map names for {field}" for field, column in options.mapped.items()
        }
        self._unseen |= dict.fromkeys(columns, "--ignore, --only or --skip names")
        self._has_outer_count = False

    def is_field(self, key: str) -> bool:
        """Tell whether a key by itself stands for a field."""
        return bool(Columns((key,), self._options, header=False).fields)

    def record_of(self, line: int, text: str, value: Any, outer: Mapping[str, Any]) -> Record:
        """Return the record of a value; `outer` are the scalars of what encloses it."""
        envelope = value if isinstance(value, dict) and "payload" in value else {}
        value = envelope.get("payload", value)
        if value is None and "raw" in envelope:
            message = "could not be read the first time: `payload` is null"
            hint = "put the event in place of null, or remove the line"
            return self.faulty(line, text, Problem("not-an-object", message, hint))
        if not isinstance(value, dict):
            what = f"is {kind_of(value)}, not an object"
            message = f"`payload` {what}" if envelope else f"{what} with fields"
            return self.faulty(line, text, Problem("not-an-object", message))
        if outer:
            taken = "count" in outer and "count" not in value
            self._has_outer_count |= taken and "count" not in self._options.mapped
            value = {**outer, **value}
        return self._record(line, text, value)

    def unkept(self, line: int, text: str, value: Any) -> Record:
        """Return the record of a value that holds something that cannot be kept."""
        payload = value.get("payload", value) if isinstance(value, dict) else None
        fields = payload if isinstance(payload, dict) else {}
        found = [(name, each) for name, inner in fields.items() for each in unkept(inner)]
        record = self.record(line, text, None)
        faults = [
            with_fault(record, problem).faults[0]._replace(field=name)
            for name, problem in found or [("", each) for each in unkept(value)]
        ]
        return record._replace(faults=tuple(faults))

    def _record(self, line: int, text: str, value: dict[str, Any]) -> Record:
        """Return the record of an object."""
        keys = tuple(value)
        columns = self._shapes.get(keys)
        if columns is None:
            if len(self._shapes) >= _SHAPES_KEPT:
                self._shapes.clear()
            columns = self._shapes[keys] = Columns(keys, self._options, header=False)
        if self._unseen:
            self._look_for_unseen(value)
        if columns.is_plain and not self._is_filtered:
            return self.record(line, text, value)
        values = list(value.values())
        if self._is_filtered and columns.leaves_out(values):
            return self.record(line, text, None)
        record = self.record(line, text, *columns.split(values))
        return record if columns.is_good else self._with_fault(record, columns, value)

    def _look_for_unseen(self, value: Mapping[str, Any]) -> None:
        """Cross off the names of options that this object has."""
        for column in list(self._unseen):
            meant = self._options.mapped.get(column, column)
            parts = [column, *meant.split("+"), meant]
            if any(part in value or reach(value, part) is not None for part in parts):
                del self._unseen[column]

    def at_end(self) -> Iterator[Issue]:
        """Yield a warning for each name in an option that no record has, and for a doubtful count.

        The count of what encloses records is more often that of the records than of their events.
        """
        if self._has_outer_count:
            message = "`count` stands outside the records and is taken for each of them"
            hint = "if it counts the records, --map count= names the key that counts events"
            yield self.issue(1, "warning", Problem("outer-count", message, hint))
        for column, what in self._unseen.items() if self._shapes else ():
            message = f"no record has the key `{visible(column, 60)}`, which {what}"
            yield self.issue(1, "warning", Problem("no-such-key", message, "is it misspelt?"))

    def _with_fault(self, record: Record, columns: Columns, value: Mapping[str, Any]) -> Record:
        """Return the record with what is wrong with its keys, which others may have had told."""
        if columns.said is None:
            from reo_cli.readers.advice import key_message

            columns.said = key_message(columns, self._options)
            odd = {*columns.unknown, *columns.left_over}
            is_news = self._told < _TOLD and not (odd and odd <= self._named)
            self.has_news = self.has_news or is_news
        if self.has_news:
            self._seen.append(value)
        return with_fault(record, columns.said, again=True)

    def told(self, record: Record) -> Record:
        """Return the first record with a new key, with what is to be told of all looked at since.

        It is one issue with one command for all of them.
        """
        from reo_cli.readers.advice import key_problem

        names = tuple(dict.fromkeys(key for value in self._seen for key in value))
        columns = Columns(names, self._options, header=False)
        self._named.update(columns.unknown, columns.left_over)
        problem = key_problem(self._seen, columns, self._options, self._file)
        self._told += 1
        self._seen, self.has_news = [], False
        return with_fault(record, problem)

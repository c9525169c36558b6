"""JSON values → Records: what keys stand for is decided once for all objects that share them."""

from collections.abc import Iterator, Mapping
from typing import Any

from reo_cli.readers.columns import as_text, filters, plan, reach
from reo_cli.readers.jsontext import unkept
from reo_cli.readers.options import ReadOptions
from reo_cli.readers.table import Problem
from reo_cli.records import EXCERPT, Issue, Record
from reo_cli.text import kind_of, visible

NO_META: dict[str, Any] = {}

_SHAPES_KEPT = 1000
_TOLD = 20
"""Issues about the keys of one input; what comes later is invalid, and no more is said."""


class Shape:
    """What the keys of an object stand for; `is_plain` when each is a field as it is."""

    def __init__(self, keys: tuple[str, ...], options: ReadOptions) -> None:
        self.plan = plan(keys, options, header=False)
        self.fields: list[tuple[str, str]] = []
        self.meta: list[tuple[str, str]] = []
        for key, target in zip(keys, self.plan.targets, strict=True):
            if target is not None:
                name, dot, inner = target.partition(".")
                (self.meta if dot else self.fields).append((inner or name, key))
        self.is_plain = self.plan.targets == keys and not self.meta and not options.null
        self.again: Issue | None = None
        """What is wrong with the keys, once it was told."""


class Keys:
    """Makes records of the objects of one input."""

    def __init__(self, file: str, options: ReadOptions) -> None:
        self._file = file
        self._options = options
        self._shapes: dict[tuple[str, ...], Shape] = {}
        self._filters = filters(options)
        self._named: set[str] = set()
        self._seen: list[Mapping[str, Any]] = []
        self._told = 0
        self.has_news = False
        """Whether a record has had a key that is wrong and of which nothing was told."""
        columns = [*options.ignored, *(each.column for each in self._filters)]
        self._unseen = {
            column: f"--map names for {field}" for field, column in options.mapped.items()
        }
        self._unseen |= dict.fromkeys(columns, "--ignore, --only or --skip names")
        self._any = False
        self._has_outer_count = False
        self._number = 0

    def is_field(self, key: str) -> bool:
        """Tell whether a key by itself stands for a field."""
        return bool(plan((key,), self._options, header=False).fields)

    def faulty(self, line: int, text: str, code: str, message: str, hint: str = "") -> Record:
        """Return the record of a value that is none."""
        self._number += 1
        place = (self._file, line, self._number)
        excerpt = text[:EXCERPT].partition("\n")[0]
        issue = Issue(*place, "", "error", message, hint, excerpt, code)
        return Record(*place, None, NO_META, text, (issue,))

    def record_of(self, line: int, text: str, value: Any, outer: Mapping[str, Any]) -> Record:
        """Return the record of a value; `outer` are the scalars of what encloses it."""
        if isinstance(value, dict) and "payload" in value:
            envelope, value = value, value["payload"]
            if value is None and "raw" in envelope:
                message = "could not be read the first time: `payload` is null"
                hint = "put the event in place of null, or remove the line"
                return self.faulty(line, text, "not-an-object", message, hint)
            if not isinstance(value, dict):
                message = f"`payload` is {kind_of(value)}, not an object"
                return self.faulty(line, text, "not-an-object", message)
        if not isinstance(value, dict):
            message = f"is {kind_of(value)}, not an object with fields"
            return self.faulty(line, text, "not-an-object", message)
        self._number += 1
        if outer:
            taken = "count" in outer and "count" not in value
            self._has_outer_count |= taken and "count" not in self._options.mapped
            value = {**outer, **value}
        return self._record(line, text, value)

    def unkept(self, line: int, text: str, value: Any) -> Record:
        """Return the record of a value that follows JSON's grammar and holds `Unkept`s."""
        self._number += 1
        payload = value.get("payload", value) if isinstance(value, dict) else None
        fields = payload if isinstance(payload, dict) else {}
        found = [(name, each) for name, inner in fields.items() for each in unkept(inner)]
        found = found or [("", each) for each in unkept(value)]
        excerpt = text[:EXCERPT].partition("\n")[0]
        place = (self._file, line, self._number)
        faults = tuple(
            Issue(*place, name, "error", each.message, "", excerpt, each.code)
            for name, each in found
        )
        return Record(*place, None, NO_META, text, faults)

    def _record(self, line: int, text: str, value: dict[str, Any]) -> Record:
        """Return the record of an object."""
        number = self._number
        keys = tuple(value)
        shape = self._shapes.get(keys) or self._shape(keys)
        self._any = True
        if self._unseen:
            self._look_for_unseen(value)
        if self._filters and self._leaves_out(shape, value):
            return Record(self._file, line, number, None, NO_META, text)
        meta = NO_META
        fields: Mapping[str, Any] = value
        if not shape.is_plain:
            fields, meta = self._split(shape, value)
        record = Record(self._file, line, number, fields, meta, text)
        return record if shape.plan.is_good else self._with_fault(record, shape, value)

    def _shape(self, keys: tuple[str, ...]) -> Shape:
        if len(self._shapes) >= _SHAPES_KEPT:
            self._shapes.clear()
        shape = self._shapes[keys] = Shape(keys, self._options)
        return shape

    def _split(
        self, shape: Shape, value: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the fields, and the single keys of `meta`, of an object."""
        fields = {name: value[key] for name, key in shape.fields}
        for field, parts in shape.plan.joined.items():
            found = [reach(value, part) for part in parts]
            texts = [as_text(each) for each in found if each is not None]
            fields[field] = found[0] if len(parts) == 1 else " ".join(filter(None, texts))
        if self._options.null:
            fields = {name: self._kept(each) for name, each in fields.items()}
        return fields, {name: value[key] for name, key in shape.meta}

    def _kept(self, value: Any) -> Any:
        return None if isinstance(value, str) and value in self._options.null else value

    def _leaves_out(self, shape: Shape, value: Mapping[str, Any]) -> bool:
        """Tell whether `--only` or `--skip` leaves an object out, by a key, path or field."""
        for each in self._filters:
            found = reach(value, each.column)
            if found is None:
                found = self._split(shape, value)[0].get(each.column)
            if each.leaves_out(as_text(self._kept(found))):
                return True
        return False

    def _look_for_unseen(self, value: Mapping[str, Any]) -> None:
        """Cross off the names of options that this object has."""
        for column in list(self._unseen):
            meant = self._options.mapped.get(column, column)
            parts = [column, *meant.split("+"), meant]
            if any(reach(value, part) is not None or part in value for part in parts):
                del self._unseen[column]

    def at_end(self) -> Iterator[Issue]:
        """Yield a warning for each name in an option that no record has, and for a doubtful count.

        The count of what encloses records is more often that of the records than of their events.
        """
        place = (self._file, 1, 0, "")
        if self._has_outer_count:
            message = "`count` stands outside the records and is taken for each of them"
            hint = "if it counts the records, --map count= names the key that counts events"
            yield Issue(*place, "warning", message, hint, "", "outer-count")
        for column, what in self._unseen.items() if self._any else ():
            message = f"no record has the key `{visible(column, 60)}`, which {what}"
            yield Issue(*place, "warning", message, "is it misspelt?", "", "no-such-key")

    def _with_fault(self, record: Record, shape: Shape, value: Mapping[str, Any]) -> Record:
        """Return the record with what is wrong with its keys, which others may have had told."""
        if shape.again is None:
            from reo_cli.readers.advice import key_message

            shape.again = self._issue(record, key_message(shape.plan, self._options), again=True)
            odd = {*shape.plan.unknown, *shape.plan.left_over}
            is_news = not odd or not odd <= self._named
            self.has_news = self.has_news or (is_news and self._told < _TOLD)
        if self.has_news:
            self._seen.append(value)
        again = shape.again._replace(line=record.line, record=record.number)
        return record._replace(faults=(again,))

    def told(self, record: Record) -> Record:
        """Return the first record with a new key, with what is to be told of all looked at since.

        It is one issue with one command for all of them.
        """
        from reo_cli.readers.advice import key_problem

        names = tuple(dict.fromkeys(key for value in self._seen for key in value))
        columns = plan(names, self._options, header=False)
        self._named.update(columns.unknown, columns.left_over)
        problem = key_problem(self._seen, names, columns, self._options, self._file)
        self._told += 1
        self._seen, self.has_news = [], False
        return record._replace(faults=(self._issue(record, problem, again=False),))

    def _issue(self, record: Record, problem: Problem, *, again: bool) -> Issue:
        place = (record.file, record.line, record.number, "")
        code, message, hint = problem
        return Issue(*place, "error", message, hint, record.excerpt, code, again)

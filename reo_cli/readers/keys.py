"""The keys of JSON objects → fields: decided once for all objects that have the same keys."""

from collections.abc import Iterator, Mapping
from typing import Any

from reo_cli.readers.columns import Plan, as_text, filters, plan, reach
from reo_cli.readers.options import ReadOptions
from reo_cli.records import EXCERPT, Issue, Record
from reo_cli.text import visible

NO_META: dict[str, Any] = {}

_SHAPES_KEPT = 1000
_NAMED_KEPT = 1000
"""Unknown keys of an input that are told; what comes later is invalid, and no more is said."""


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
        columns = [*options.ignored, *(each.column for each in self._filters)]
        self._unseen = {
            column: f"--map names for {field}" for field, column in options.mapped.items()
        }
        self._unseen |= dict.fromkeys(columns, "--ignore, --only or --skip names")
        self._any = False

    def is_field(self, key: str) -> bool:
        """Tell whether a key by itself stands for a field."""
        return bool(plan((key,), self._options, header=False).fields)

    def record(self, line: int, number: int, text: str, value: dict[str, Any]) -> Record:
        """Return the record of an object."""
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
        """Yield a warning for each name in an option that no record has."""
        for column, what in self._unseen.items() if self._any else ():
            message = f"no record has the key `{visible(column, 60)}`, which {what}"
            yield Issue(
                *(self._file, 1, 0, "", "warning", message, "is it misspelt?", "", "no-such-key")
            )

    def _with_fault(self, record: Record, shape: Shape, value: Mapping[str, Any]) -> Record:
        """Return the record with what is wrong with its keys, told once for all that share it."""
        if shape.again is None:
            issue = self._issue(record, shape.plan, value)
            shape.again = issue._replace(again=True)
            return record._replace(faults=(issue,))
        again = shape.again._replace(line=record.line, record=record.number)
        return record._replace(faults=(again,))

    def _issue(self, record: Record, columns: Plan, value: Mapping[str, Any]) -> Issue:
        """Return what is wrong with the keys of a record."""
        from reo_cli.readers.advice import key_problem

        odd = {*columns.unknown, *columns.left_over}
        again = bool(odd) and odd <= self._named and not columns.twice
        again = again or len(self._named) > _NAMED_KEPT
        self._named |= odd
        code, message, hint = key_problem(value, columns, self._options, self._file, brief=again)
        excerpt = record.text[:EXCERPT].partition("\n")[0]
        return Issue(
            *(record.file, record.line, record.number, "", "error"),
            *(message, hint, excerpt, code, again),
        )

"""Names → fields: what each column or key of an input stands for, decided once a header or key set.

Names match ignoring case, spaces, `_` and `-` in a header, exactly in JSON. Anything else is an
issue, never guessed; `advice` says how to mend it. `Maker` makes the records.
"""

import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from reo_cli.events import BY_FOLDED, FIELDS, folded, is_field
from reo_cli.readers.options import ReadOptions
from reo_cli.records import Issue, Record, Severity

Fields = Mapping[str, Any]

NO_META: Fields = {}


class Problem(NamedTuple):
    """What keeps something from being a record, or names from standing for fields."""

    code: str
    message: str
    hint: str = ""


class Maker:
    """Numbers what is in one input and makes records of it."""

    def __init__(self, file: str, options: ReadOptions) -> None:
        self._file = file
        self._options = options
        self._number = 0
        self._is_filtered = bool(options.only or options.skip)

    def record(self, line: int, text: str, fields: Fields | None, meta: Fields = NO_META) -> Record:
        """Return the next record; without `fields` it is left out, if nothing is wrong with it."""
        self._number += 1
        return Record(self._file, line, self._number, fields, meta, text)

    def faulty(self, line: int, text: str, problem: Problem) -> Record:
        """Return the next record, which cannot be read."""
        return with_fault(self.record(line, text, None), problem)

    def issue(self, line: int, severity: Severity, problem: Problem) -> Issue:
        """Return an issue that is about no single record."""
        code, message, hint = problem
        return Issue(self._file, line, 0, "", severity, message, hint, "", code)


def with_fault(record: Record, problem: Problem, *, again: bool = False) -> Record:
    """Return a record with what is wrong with it; `again` says that another had it told."""
    place = (record.file, record.line, record.number, "")
    code, message, hint = problem
    issue = Issue(*place, "error", message, hint, record.excerpt, code, again)
    return record._replace(faults=(issue,))


class Columns:
    """What the names of a table (`header`), or the keys of an object, stand for.

    `targets` has one entry a name: a field, `meta.KEY`, or None when it is left out. `joined` are
    the fields that `--map` makes of several names, or of a path into one. `unknown` are the names
    that are no field, `left_over` those of fields that `--map` reads from elsewhere, `unmapped` the
    fields whose `--map` names nothing, `twice` fields with two names of theirs.
    """

    said: Problem | None = None
    """What was said of what is wrong with them."""

    def __init__(self, names: Sequence[str], options: ReadOptions, *, header: bool) -> None:
        self.names = names
        self._header = header
        self._fold: Callable[[str], str] = folded if header else str
        self._options = options
        self._nothing: Container[Any] = tuple(options.null)
        if header:
            self._nothing = frozenset({"", "\\N", *options.null})
        self.joined: dict[str, list[str]] = {}
        direct = self._mapped()
        found = {*direct.values(), *self.joined}
        self.unmapped = [field for field in options.mapped if header and field not in found]
        # Keys vary from record to record: what `--map` names may be absent in this one.
        self._elsewhere = found if header else {*options.mapped}
        parts = [part for several in self.joined.values() for part in several]
        self._consumed = {head for part in parts for head in heads(part, names)}
        self._ignored = {*map(self._fold, options.ignored)}
        odd: dict[str, str | None] = {}
        self.targets = [direct.get(name) or self._target(name, odd) for name in names]
        self.unknown = [name for name, own in odd.items() if own is None]
        self.left_over = [name for name, own in odd.items() if own is not None]
        self.twice = self._repeated()
        keys = [(target or "").partition("meta.")[2] for target in self.targets]
        self._meta = [(at, key) for at, key in enumerate(keys) if key]
        self._fields = [
            "" if key else target or "" for key, target in zip(keys, self.targets, strict=True)
        ]
        self.is_plain = not (header or options.null or self._meta) and self._fields == list(names)

    @property
    def fields(self) -> set[str]:
        """The fields that something is read for."""
        return {*filter(None, self.targets), *self.joined}

    @property
    def is_good(self) -> bool:
        """Whether each name stands for something, and each field for one thing."""
        return not (self.unknown or self.left_over or self.unmapped or self.twice)

    def _mapped(self) -> dict[str, str]:
        """Return the field of each name that `--map` mentions; note what is joined or a path."""
        direct: dict[str, str] = {}
        for field, column in self._options.mapped.items():
            if (name := self.find(column)) is not None:
                direct[name] = field
                continue
            parts = [self.find(part) or part for part in column.split("+")]
            if self._header:
                is_there = all(part in self.names for part in parts)
            else:
                is_there = any(heads(part, self.names) for part in parts)
            if is_there:
                self.joined[field] = parts
        return direct

    def find(self, column: str) -> str | None:
        """Return the one of the names that an option means by `column`."""
        if column in self.names:
            return column
        near = [name for name in self.names if self._fold(name) == self._fold(column)]
        return near[0] if len(near) == 1 else None

    def _target(self, name: str, odd: dict[str, str | None]) -> str | None:
        """Return what a name stands for that no `--map` mentions by itself; note an odd one."""
        extra = self._options.extra
        if self._fold(name) in self._ignored or (self._header and not name.strip()):
            return None
        own = header_target(name) if self._header else name if is_field(name) else None
        if own is not None and own not in self._elsewhere:
            return own
        if extra == "meta" and not (self._header and name in self._consumed):
            return f"meta.{name.strip() if self._header else name}"
        if extra == "error" and name not in self._consumed:
            odd[name] = own
        return None

    def _repeated(self) -> list[tuple[str, str, str]]:
        """Return the fields that several names stand for, each with two of them."""
        first = {field: "+".join(parts) for field, parts in self.joined.items()}
        found = []
        for name, target in zip(self.names, self.targets, strict=True):
            if target in first:
                found.append((target, first[target], name))
            elif target is not None:
                first[target] = name
        return found

    def split(self, values: Sequence[Any]) -> tuple[dict[str, Any], Fields]:
        """Return the fields, and the single keys of `meta`, of one value a name."""
        nothing = self._nothing
        fields = {
            name: each
            for name, each in zip(self._fields, values, strict=False)
            if each not in nothing
        }
        fields.pop("", None)
        if self.joined:
            by_name = dict(zip(self.names, values, strict=False))
            for field, parts in self.joined.items():
                found = [reach(by_name, part) for part in parts]
                found = [each for each in found if each is not None and each not in nothing]
                if found:
                    fields[field] = found[0] if len(parts) == 1 else " ".join(map(as_text, found))
        if not self._meta:
            return fields, NO_META
        kept = [(key, values[at]) for at, key in self._meta if at < len(values)]
        return fields, {key: each for key, each in kept if each not in nothing}

    def leaves_out(self, values: Sequence[Any], *, whole: bool = True) -> bool:
        """Tell whether `--only` or `--skip` leaves a record out; a torn row for what it holds."""
        options = self._options
        for asked, wanted in ((options.only, True), (options.skip, False)):
            for column, allowed in asked.items():
                text = self._text(column, values)
                if not whole and (wanted or not text):
                    continue
                read: Callable[[str], str | None] = options.values.get(column, str)
                if ((read(text) or "") in allowed) is not wanted:
                    return True
        return False

    def _text(self, column: str, values: Sequence[Any]) -> str:
        """Return what a column, a path or a field holds, by one value a name."""
        found = reach(dict(zip(self.names, values, strict=False)), self.find(column) or column)
        if found is None:
            fields, meta = self.split(values)
            found = fields.get(column, meta.get(column.removeprefix("meta.")))
        return "" if found in self._nothing else as_text(found)


def header_target(name: str) -> str | None:
    """Return the field that a column's name stands for, or None."""
    known = BY_FOLDED.get(folded(name))
    if known:
        return known
    head, dot, key = name.strip().partition(".")
    return f"meta.{key.strip()}" if dot and key.strip() and folded(head) == "meta" else None


def heads(path: str, names: Container[str]) -> list[str]:
    """Return the names that a path may begin with: one of that very name wins."""
    if path in names:
        return [path]
    starts = (path[: dot.start()] for dot in re.finditer(r"\.", path))
    return [each for each in starts if each in names]


def reach(value: Any, path: str) -> Any:
    """Return what a path leads to inside objects, or None; a key of that very name wins."""
    for head in heads(path, value) if isinstance(value, dict) else ():
        found = value[head] if head == path else reach(value[head], path[len(head) + 1 :])
        if found is not None:
            return found
    return None


def missing(there: Iterable[str], given: frozenset[str]) -> list[str]:
    """Return the required fields that neither a column nor a rule gives."""
    there = {*there, *given}
    required = (each.name for each in FIELDS if each.required and not each.default)
    absent = [name for name in required if name not in there]
    return absent if there & {"ip_addr", "domain"} else [*absent, "ip_addr or domain"]


def as_text(value: Any) -> str:
    """Return a value as `--only` and `--skip` compare it: trimmed text, "" where it is absent."""
    if isinstance(value, str):
        return value.strip().removeprefix("\ufeff")  # where files were joined
    if value is None:
        return ""
    import json

    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    return json.dumps(value, default=str)

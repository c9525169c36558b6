"""Names → fields: what each column or key of an input stands for, decided once a header or key set.

Names match ignoring case, spaces, `_` and `-` in a header, exactly in JSON. Anything else is an
issue, never guessed; `advice` says how to mend it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from reo_cli.events import BY_FOLDED, BY_NAME, FIELDS, folded, is_field
from reo_cli.readers.options import ReadOptions


class Plan(NamedTuple):
    """What each column or key stands for.

    `targets` has one entry a name: a field, `meta.KEY`, or None when it is left out. `joined` are
    the fields that `--map` makes of several names, or of a path into one. `unknown` are the names
    that are no field, `left_over` those of fields that `--map` reads from elsewhere, `unmapped` the
    fields whose `--map` names nothing, `twice` fields with two names of theirs, `idle` what
    `--ignore` names in vain.
    """

    targets: tuple[str | None, ...]
    joined: Mapping[str, tuple[str, ...]]
    unknown: tuple[str, ...] = ()
    left_over: tuple[str, ...] = ()
    unmapped: tuple[str, ...] = ()
    twice: tuple[tuple[str, str, str], ...] = ()
    idle: tuple[str, ...] = ()

    @property
    def fields(self) -> set[str]:
        """The fields that something is read for."""
        return {*filter(None, self.targets), *self.joined}

    @property
    def is_good(self) -> bool:
        """Whether each name stands for something, and each field for one thing."""
        return not (self.unknown or self.left_over or self.unmapped or self.twice)


def exact_target(name: str) -> str | None:
    """Return the field that a JSON key names, or None."""
    return name if is_field(name) else None


def header_target(name: str) -> str | None:
    """Return the field that a column's name stands for, or None."""
    known = BY_FOLDED.get(folded(name))
    if known:
        return known
    head, dot, key = name.strip().partition(".")
    return f"meta.{key.strip()}" if dot and key.strip() and folded(head) == "meta" else None


def plan(names: Sequence[str], options: ReadOptions, *, header: bool) -> Plan:
    """Decide what each name stands for; `header` says that they are a table's columns."""
    target_of = header_target if header else exact_target
    fold: Callable[[str], str] = folded if header else str
    ignored = {fold(name) for name in options.ignored}
    direct, joined = _mapped(names, options.mapped, header)
    parts = (part for several in joined.values() for part in several)
    consumed = {head for part in parts for head in _heads(part, names)}
    # Keys vary from record to record: what `--map` names may be absent in this one.
    elsewhere = {*direct.values(), *joined} if header else set(options.mapped)
    targets: list[str | None] = []
    unknown: dict[str, None] = {}
    left_over: dict[str, None] = {}
    for name in names:
        target = direct.get(name)
        if target is None and fold(name) not in ignored and (name.strip() or not header):
            target = target_of(name)
            if name in consumed and (target is None or target in elsewhere):
                target = f"meta.{name}" if options.extra == "meta" and not header else None
            elif target is None or target in elsewhere:
                odd = unknown if target is None else left_over
                target = f"meta.{name.strip() if header else name}"
                if options.extra != "meta":
                    target = None
                    if options.extra == "error":
                        odd[name] = None
        targets.append(target)
    found = {*direct.values(), *joined}
    unmapped = [field for field in options.mapped if header and field not in found]
    there = {fold(name) for name in names}
    idle = [name for name in options.ignored if header and fold(name) not in there]
    twice = _repeated(names, targets, joined)
    return Plan(
        *(tuple(targets), joined, tuple(unknown), tuple(left_over), tuple(unmapped)),
        *(tuple(twice), tuple(idle)),
    )


def _mapped(
    names: Sequence[str], mapped: Mapping[str, str], header: bool
) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Return the field of each name that `--map` mentions, and the names of each joined field."""
    direct: dict[str, str] = {}
    joined: dict[str, tuple[str, ...]] = {}
    for field, column in mapped.items():
        if (name := find(column, names, header)) is not None:
            direct[name] = field
            continue
        parts = column.split("+")
        found = [find(part, names, header) or ("" if header else part) for part in parts]
        if (header and len(parts) > 1 and all(found)) or (
            not header and any(any(_heads(part, names)) for part in parts)
        ):
            joined[field] = tuple(found)
    return direct, joined


def _heads(part: str, names: Sequence[str]) -> Iterator[str]:
    """Yield the names that one part of `--map FIELD=part+part` reads from."""
    if part in names:
        yield part
    else:
        yield from path_heads(part, names)


def find(column: str, names: Sequence[str], header: bool) -> str | None:
    """Return the one of the names that an option means by `column`."""
    if column in names:
        return column
    near = [name for name in names if folded(name) == folded(column)] if header else []
    return near[0] if len(near) == 1 else None


def path_heads(path: str, names: Sequence[str]) -> Iterator[str]:
    """Yield the names that a path into an object may begin with."""
    end = path.find(".")
    while end >= 0:
        if path[:end] in names:
            yield path[:end]
        end = path.find(".", end + 1)


def reach(value: Any, path: str) -> Any:
    """Return what a path leads to inside objects, or None; a key of that very name wins."""
    if not isinstance(value, dict):
        return None
    if path in value:
        return value[path]
    for head in path_heads(path, value):  # type: ignore[arg-type]
        found = reach(value[head], path[len(head) + 1 :])
        if found is not None:
            return found
    return None


def _repeated(
    names: Sequence[str], targets: Sequence[str | None], joined: Mapping[str, tuple[str, ...]]
) -> list[tuple[str, str, str]]:
    """Return the fields that several names stand for, each with two of them."""
    first = {field: "+".join(parts) for field, parts in joined.items()}
    found = []
    for name, target in zip(names, targets, strict=True):
        if target is not None:
            if target in first:
                found.append((target, first[target], name))
            first.setdefault(target, name)
    return found


def missing(there: set[str], given: frozenset[str]) -> list[str]:
    """Return the required fields that neither a column nor a rule gives."""
    there = there | given
    absent = [each.name for each in FIELDS if each.required and each.name not in there]
    absent = [name for name in absent if not BY_NAME[name].default]
    if not there & {"ip_addr", "domain"}:
        absent.append("ip_addr or domain")
    return absent


class Filter(NamedTuple):
    """One column of `--only` (`wanted`) or `--skip`: its values, and where they are read."""

    column: str
    values: frozenset[str]
    wanted: bool
    read: Callable[[str], str | None] | None

    def leaves_out(self, text: str) -> bool:
        """Tell whether a record with this text there is left out."""
        if self.read:
            text = self.read(text) or ""
        return (text in self.values) is not self.wanted


def filters(options: ReadOptions) -> list[Filter]:
    """Return what `--only` and `--skip` ask."""
    asked = [(options.only, True), (options.skip, False)]
    return [
        Filter(column, values, wanted, options.values.get(column))
        for given, wanted in asked
        for column, values in given.items()
    ]


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

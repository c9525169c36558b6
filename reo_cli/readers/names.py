"""Columns and keys → fields: what each name of an input stands for, decided once per header.

Names match ignoring case, spaces, `_` and `-` in a CSV header, exactly in JSON. Anything else is
an issue, never guessed; `headers` says how to mend it.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple

from reo_cli.commandline import CommandLine
from reo_cli.errors import ExitCode, ReoError
from reo_cli.events import BY_FOLDED, BY_NAME, FIELDS, folded, is_field
from reo_cli.values import shown

Extra = Literal["error", "meta", "ignore"]


class NameRules(NamedTuple):
    """What the user said about names: `--map`, `--extra`, `--ignore`, and what needs no column.

    `columns` maps a field to the column or key it is read from. `given` are the fields that
    `--set`, `--default`, the short flags or the settings supply. `command` is the command line
    that a suggestion repeats; where it is None there are no such options.
    """

    columns: Mapping[str, str] = MappingProxyType({})
    extra: Extra = "error"
    ignored: frozenset[str] = frozenset()
    given: frozenset[str] = frozenset()
    command: CommandLine | None = CommandLine()


def require_one_field_each(columns: Mapping[str, str]) -> None:
    """Raise ReoError 2 when `--map` makes two fields of one column."""
    fields: dict[str, str] = {}
    for target, column in columns.items():
        other = fields.setdefault(column, target)
        if other != target:
            message = f"--map: {shown(column)} can't be both {other} and {target}"
            raise ReoError(ExitCode.USAGE, "usage", message)


class Plan(NamedTuple):
    """What each column or key stands for.

    `targets` has one entry a name: a field, `meta.KEY`, or None when it is left out. `unknown` are
    the names that are no field, `left_over` those of fields that `--map` reads from elsewhere,
    `unmapped` the fields whose `--map` names no column, `twice` fields with two columns of theirs.
    """

    targets: tuple[str | None, ...]
    unknown: tuple[str, ...] = ()
    left_over: tuple[str, ...] = ()
    unmapped: tuple[str, ...] = ()
    twice: tuple[tuple[str, str, str], ...] = ()

    def is_good(self, given: frozenset[str]) -> bool:
        """Tell whether each name stands for something, and no field is missing."""
        wrong = self.unknown or self.left_over or self.unmapped or self.twice
        return not wrong and not missing(self, given)


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


def plan(names: Sequence[str], rules: NameRules, *, header: bool) -> Plan:
    """Decide what each name stands for; `header` says that they are a CSV file's columns."""
    target_of = header_target if header else exact_target
    mapped = _mapped(names, rules, header)
    # Keys vary from record to record: what `--map` names may be absent in this one.
    read_elsewhere = set(mapped.values() if header else rules.columns)
    targets: list[str | None] = []
    unknown: dict[str, None] = {}
    left_over: dict[str, None] = {}
    for name in names:
        target = mapped.get(name)
        if target is None and not _is_left_out(name, rules, header):
            target = target_of(name)
            if target is None or target in read_elsewhere:
                odd = unknown if target is None else left_over
                target = None
                if rules.extra == "meta":
                    target = f"meta.{name.strip() if header else name}"
                elif rules.extra == "error":
                    odd[name] = None
        targets.append(target)
    read = set(mapped.values())
    unmapped = [each for each in rules.columns if header and each not in read]
    twice = _repeated(names, targets)
    return Plan(tuple(targets), tuple(unknown), tuple(left_over), tuple(unmapped), tuple(twice))


def _is_left_out(name: str, rules: NameRules, header: bool) -> bool:
    if name in rules.ignored:
        return True
    return header and (not name.strip() or name.strip() in rules.ignored)


def _mapped(names: Sequence[str], rules: NameRules, header: bool) -> dict[str, str]:
    """Return the field of each name that `--map` mentions."""
    mapped: dict[str, str] = {}
    for target, column in rules.columns.items():
        found = [column] if column in names else []
        if not found and header:
            found = [name for name in names if folded(name) == folded(column)]
        if len(found) == 1:
            mapped[found[0]] = target
    return mapped


def _repeated(names: Sequence[str], targets: Sequence[str | None]) -> list[tuple[str, str, str]]:
    """Return the fields that several names stand for, each with two of them."""
    first: dict[str, str] = {}
    found = []
    for name, target in zip(names, targets, strict=True):
        if target is not None:
            if target in first:
                found.append((target, first[target], name))
            first.setdefault(target, name)
    return found


def missing(plan: Plan, given: frozenset[str]) -> list[str]:
    """Return the required fields that neither a column nor a rule gives."""
    there = {*filter(None, plan.targets), *given}
    absent = [each.name for each in FIELDS if each.required and each.name not in there]
    absent = [name for name in absent if not BY_NAME[name].default]
    if not there & {"ip_addr", "domain"}:
        absent.append("ip_addr or domain")
    return absent

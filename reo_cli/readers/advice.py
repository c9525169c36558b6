"""What to paste where names are no fields: one complete command for a header or a set of keys.

A name's meaning is only ever suggested. Where several columns could be a field, all are named and
a blank is left in the command: a guess that happens to validate would send wrong data.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from reo_cli.events import NAMES, folded
from reo_cli.readers.columns import Columns, Problem, missing
from reo_cli.readers.options import ReadOptions, proposed
from reo_cli.readers.suggest import GUESSED, Samples, candidates, holds_domain, texts_in
from reo_cli.text import visible

_NAMES_SHOWN = 20
_IGNORED_SINGLY = 4
"""More columns than these are left out by `--extra ignore` instead of one by one."""

_STAND_INS = {
    "activity_type": ("-a ACTIVITY_TYPE", "ACTIVITY_COLUMN"),
    "product_id": ("-p PRODUCT_ID", "PRODUCT_COLUMN"),
    "count": ("--default count=1", "COUNT_COLUMN"),
    "event_at": ("--default event_at=now", "TIME_COLUMN"),
    "ip_addr": ("--map ip_addr=IP_COLUMN", "IP_COLUMN"),
    "domain": ("--map domain=DOMAIN_COLUMN", "DOMAIN_COLUMN"),
}
"""The fields that every event needs: what gives one without a column, and a blank for a column."""

_VALUE = re.compile(
    r"\s*(?:[0-9][-0-9., :T/Z]*|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*|(?:[\w-]+\.)+[A-Za-z]{2,})\s*"
)
"""A number, a time, an address or a domain."""

_IS_CLOCK = re.compile(r"[0-9]{1,2}:[0-9]{2}(:[0-9.]+)?\Z").match


def header_problem(columns: Columns, options: ReadOptions, file: str, samples: Samples) -> Problem:
    """Return all that is wrong with the header of a table, and the command that mends it."""
    header = columns.names
    is_strange = columns.unknown and not columns.fields and not candidates(header)
    are_values = sum(bool(_VALUE.fullmatch(each)) for each in header) * 2 >= len(header)
    if is_strange and (are_values or len(header) == 1):
        what = f"names no columns: `{visible(header[0], 60)}`"
        if are_values:
            what = "holds values, not the names of columns"
        names = ",".join(f"NAME{at + 1}" for at in range(len(header)))
        hint = options.hint(file, "--columns", names)
        hint = f"put in the names for {names} and {hint}" if hint else ""
        return Problem("no-header", f"the first line {what}", hint)
    return _problem(
        columns, "column", options, _hint(columns, options, file, samples, columns.unknown)
    )


def key_message(columns: Columns, options: ReadOptions) -> Problem:
    """Return what is wrong with the keys of one object, without what to do about it."""
    return _problem(columns, "key", options, "")


def key_problem(
    values: Sequence[Mapping[str, Any]], columns: Columns, options: ReadOptions, file: str
) -> Problem:
    """Return all that is wrong with the keys of some objects, and the command that mends it."""
    if inside := _events_inside(values[0], options):
        hint = options.hint(file, "--records", inside)
        return Problem("envelope", f"the events stand inside `{visible(inside, 60)}`", hint)
    samples: dict[str, list[Any]] = {}
    for value in values:
        for path, each in _single(value):
            samples.setdefault(path, []).append(each)
    odd = {*columns.unknown}
    unknown = [path for path in samples if path in odd or path.partition(".")[0] in odd]
    return _problem(columns, "key", options, _hint(columns, options, file, samples, unknown))


def _leaves(
    value: Mapping[str, Any], before: str = "", depth: int = 3
) -> Iterator[tuple[str, Any]]:
    """Yield the paths to what is in an object, and that: single values and arrays."""
    for key, each in value.items():
        if not isinstance(each, dict):
            yield f"{before}{key}", each
        elif depth:
            yield from _leaves(each, f"{before}{key}.", depth - 1)


def _single(value: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(path, each) for path, each in _leaves(value) if not isinstance(each, list)]


def _events_inside(value: Mapping[str, Any], options: ReadOptions) -> str:
    """Return the path to the events of an object that holds none itself, or nothing."""
    scalars = (key for key, each in value.items() if not isinstance(each, list | dict))
    own = _meant((key for key in scalars if not holds_domain(key)), options)
    for path, each in _leaves(value):
        if isinstance(each, list) and each and all(isinstance(item, dict) for item in each):
            inner = _meant((path for path, _ in _single(each[0])), options)
            if (inner - own) & {"company", "event_at"} and inner & {"company", "event_at", "count"}:
                return path
    return ""


def _meant(keys: Iterable[str], options: ReadOptions) -> set[str]:
    """Return what keys are about, most likely."""
    names = list(keys)[:GUESSED]
    found = {*Columns(names, options, header=False).fields, *candidates(names)}
    return {"company" if each in ("domain", "ip_addr") else each for each in found}


def _problem(columns: Columns, word: str, options: ReadOptions, hint: str) -> Problem:
    """Say all that is wrong with some names; `word` is what they are, the code is of the worst."""
    absent = missing(columns.fields, options.given)
    kinds = (
        (columns.unmapped, f"no-such-{word}"),
        (columns.twice, f"{word}-twice"),
        (columns.unknown, f"unknown-{word}"),
        (columns.left_over, f"left-over-{word}"),
    )
    code = next((code for wrong, code in kinds if wrong), f"missing-{word}")
    parts = [
        f"there is no {word} `{visible(options.mapped[each], 60)}` for --map {each}"
        for each in columns.unmapped
    ]
    for target, one, other in columns.twice:
        both = f"`{visible(one, 60)}` and `{visible(other, 60)}` are both {target}"
        twice = f"the {word} `{visible(one, 60)}` appears twice"
        parts.append(twice if one == other else both)
    if many := len(columns.unknown):
        parts.append(f"unknown {word}{'s'[: many - 1]} {_listed(columns.unknown)}")
    if columns.left_over:
        parts.append(f"left over, because --map reads another: {_listed(columns.left_over)}")
    if absent:
        parts.append(f"no {word} for {', '.join(absent)}")
    return Problem(code, "; ".join(parts), hint)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    listed = ", ".join(f"`{visible(name.strip(), 40)}`" for name in names[:_NAMES_SHOWN])
    return f"{listed}{more}"


def _hint(
    columns: Columns, options: ReadOptions, file: str, samples: Samples, unknown: Sequence[str]
) -> str:
    """Return the whole command line that would read some names, and what to fill in.

    `unknown` are the names, or the paths, that could be fields.
    """
    if any(one == other for _, one, other in columns.twice):
        return "rename or remove one of them"
    if options.command is None:
        found = candidates(columns.unknown).items()
        likely = [
            f"{field} for `{visible(each, 40)}`" for field, [each, *more] in found if not more
        ]
        return f"did you mean {', '.join(likely)}?" if likely else "other keys belong in `meta`"
    advice = _Advice(columns, options, samples, unknown)
    lost = [f"{each}={options.mapped[each]}" for each in columns.unmapped]
    command = options.command.without(lost).of(file).plus(*advice.words)
    keep = "--extra meta keeps what is left out; " if advice.unused else ""
    return keep + proposed(command, advice.blanks)


class _Advice:
    """The options that mend what is wrong with some names, and the blanks in them."""

    def __init__(
        self, columns: Columns, options: ReadOptions, samples: Samples, unknown: Sequence[str]
    ) -> None:
        self._columns = columns
        self._options = options
        self._samples = samples
        self._there = {*columns.fields, *options.given}
        self.words: list[str] = []
        self.blanks: list[str] = []
        could_be = self._could_be(unknown)
        mapped = {field: names[0] for field, names in could_be.items() if len(names) == 1}
        used = {*mapped.values(), *(part for each in mapped.values() for part in each.split("+"))}
        used |= {name.partition(".")[0] for name in used if name not in columns.names}
        twice = [name for _, *both in columns.twice for name in both]
        odd = (*columns.left_over, *columns.unknown, *twice)
        self.unused = [name for name in odd if name not in used]
        self._map(mapped)
        for field, names in could_be.items():
            if len(names) > 1 and field in _STAND_INS:
                blank = _STAND_INS[field][1]
                self._add("--map", f"{field}={blank}")
                self.blanks.append(f"{blank} ({' or '.join(f'`{each}`' for each in names)})")
                self._there.add(field)
        self._stand_in()
        self._leave_out()

    def _add(self, *words: str) -> None:
        self.words += words

    def _could_be(self, unknown: Sequence[str]) -> dict[str, list[str]]:
        """Return the names that each field without one could be read from."""
        columns, there = self._columns, self._there
        near = {name: field for field in columns.unmapped if (name := self._nearest(field))}
        rest = [name for name in unknown if name not in near]
        found = candidates(rest, {*there, *near.values()}, self._samples)
        if "ip_addr" in {*found, *there} and any(map(holds_domain, found.get("domain", ()))):
            del found["domain"]  # a page that was looked at is no company
        found |= {field: [one, other] for field, one, other in columns.twice}
        if len(found.get("event_at", ())) == 2:
            day, clock = sorted(found["event_at"], key=lambda name: "time" in folded(name))
            days, clocks = texts_in(self._samples, day), texts_in(self._samples, clock)
            if clocks and all(map(_IS_CLOCK, clocks)) and days and ":" not in "".join(days):
                found["event_at"] = [f"{day.strip()}+{clock.strip()}"]
        return {**{field: [name] for name, field in near.items()}, **found}

    def _nearest(self, field: str) -> str | None:
        """Return the name that a misspelt one of `--map` most likely means."""
        import difflib

        names = zip(self._columns.names, self._columns.targets, strict=True)
        free = [name for name, target in names if name.strip() and target not in NAMES]
        known = {folded(name): name for name in free}
        near = difflib.get_close_matches(folded(self._options.mapped[field]), known, 1, 0.7)
        meant = candidates(free).get(field, [])
        return known[near[0]] if near else (meant[0] if len(meant) == 1 else None)

    def _map(self, mapped: Mapping[str, str]) -> None:
        """Map fields to columns, with what the values in all of them need, looked at together."""
        names = zip(self._columns.targets, self._columns.names, strict=True)
        sources = {**{target: name for target, name in names if target}, **mapped}
        samples = {field: self._samples.get(name, ()) for field, name in sources.items()}
        needed, blanks = self._options.needs(samples, sources)
        if holds_domain(sources.get("domain", "")) and "--domain-of" not in needed:
            needed = [*needed, "--domain-of", sources["domain"]]
        for field, name in mapped.items():
            if not (field == "domain" and "--domain-of" in needed):
                self._add("--map", f"{field}={name.strip()}")
        self._add(*needed)
        self.blanks += blanks
        self._there.update(sources)

    def _stand_in(self) -> None:
        """Add what gives the fields for which there is no name."""
        for each in missing(self._there, frozenset()):
            field = each.rpartition(" ")[2]
            stand_in, blank = _STAND_INS[field]
            option, value = stand_in.split()
            if option != "--default":
                self.blanks.append(value.rpartition("=")[2])
            elif self.unused:
                self.blanks.append(f"{blank} (or {stand_in} if there is none)")
                option, value = "--map", f"{field}={blank}"
            self._add(option, value)

    def _leave_out(self) -> None:
        is_open = any("_COLUMN" in blank for blank in self.blanks)
        if len(self.unused) > _IGNORED_SINGLY or (self.unused and is_open):
            self._add("--extra", "ignore")
        else:
            for name in self.unused:
                self._add("--ignore", name.strip())

"""What to paste where names are no fields: one complete command for a header or a set of keys.

A name's meaning is only ever suggested. Where several columns could be a field, all are named and
a blank is left in the command: a guess that happens to validate would send wrong data.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reo_cli.events import NAMES, folded
from reo_cli.readers.columns import Plan, as_text, missing, plan
from reo_cli.readers.options import ReadOptions
from reo_cli.readers.suggest import GUESSED, candidates, holds_domain, suggestions
from reo_cli.readers.table import Problem
from reo_cli.text import visible

_NAMES_SHOWN = 20
_IGNORED_SINGLY = 4
"""More columns than these are left out by `--extra ignore` instead of one by one."""

_STAND_INS = {
    "activity_type": ("-a", "ACTIVITY_TYPE"),
    "product_id": ("-p", "PRODUCT_ID"),
    "count": ("--default", "count=1"),
    "event_at": ("--default", "event_at=now"),
    "ip_addr or domain": ("--map", "domain=DOMAIN_COLUMN"),
}
_COLUMNS = {
    "activity_type": "ACTIVITY_COLUMN",
    "product_id": "PRODUCT_COLUMN",
    "count": "COUNT_COLUMN",
    "event_at": "TIME_COLUMN",
    "domain": "DOMAIN_COLUMN",
    "ip_addr": "IP_COLUMN",
}
"""Blanks for the fields that every event needs."""


def header_problem(
    header: Sequence[str],
    columns: Plan,
    options: ReadOptions,
    file: str,
    samples: Mapping[str, Sequence[Any]],
) -> Problem:
    """Return all that is wrong with the header of a table, and the command that mends it."""
    is_strange = columns.unknown and not columns.fields and not candidates(header)
    are_values = sum(bool(_VALUE.fullmatch(each)) for each in header) * 2 >= len(header)
    if is_strange and (are_values or len(header) == 1):
        what = f"names no columns: `{visible(header[0], 60)}`"
        if are_values:
            what = "holds values, not the names of columns"
        blanks = ",".join(f"NAME{at + 1}" for at in range(len(header)))
        before = f"put in the names for {blanks} and "
        hint = options.hint(file, "--columns", blanks, before=before)
        return Problem("no-header", f"the first line {what}", hint)
    lines = _Advice(header, columns, options, file, samples, "column")
    return Problem(lines.code, lines.message(), lines.hint())


def key_message(columns: Plan, options: ReadOptions) -> Problem:
    """Return what is wrong with the keys of one object, without what to do about it."""
    lines = _Advice((), columns, options, "", {}, "key")
    return Problem(lines.code, lines.message())


def key_problem(
    values: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    columns: Plan,
    options: ReadOptions,
    file: str,
) -> Problem:
    """Return all that is wrong with the keys of some objects, and the command that mends it."""
    if inside := _events_inside(values[0], options):
        hint = options.hint(file, "--records", inside)
        return Problem("envelope", f"the events stand inside `{visible(inside, 60)}`", hint)
    samples: dict[str, list[Any]] = {}
    for value in values:
        for path, each in _paths(value):
            samples.setdefault(path, []).append(each)
    lines = _Advice(names, columns, options, file, samples, "key")
    odd = {*columns.unknown}
    lines.unknown = [path for path in samples if path in odd or path.partition(".")[0] in odd]
    return Problem(lines.code, lines.message(), lines.hint())


def _paths(value: Mapping[str, Any], before: str = "", depth: int = 3) -> Iterable[tuple[str, Any]]:
    """Yield the paths to the single values in an object, and the values."""
    for key, each in value.items():
        if isinstance(each, dict) and depth:
            yield from _paths(each, f"{before}{key}.", depth - 1)
        elif not isinstance(each, dict | list):
            yield f"{before}{key}", each


def _events_inside(value: Mapping[str, Any], options: ReadOptions) -> str:
    """Return the path to the events of an object that holds none itself, or nothing."""
    scalars = [key for key, each in value.items() if not isinstance(each, list | dict)]
    own = _meant([key for key in scalars if not holds_domain(key)], options)
    if "company" in own and "event_at" in own:
        return ""
    for path, each in _lists(value):
        inner = _meant([path for path, _ in _paths(each[0])], options)
        if (inner - own) & {"company", "event_at"} and inner & {"company", "event_at", "count"}:
            return path
    return ""


def _meant(keys: Iterable[str], options: ReadOptions) -> set[str]:
    """Return what keys are about, most likely."""
    names = list(keys)[:GUESSED]
    found = {*plan(names, options, header=False).fields, *candidates(names)}
    return {"company" if each in ("domain", "ip_addr") else each for each in found}


def _lists(value: Mapping[str, Any], before: str = "", depth: int = 2) -> Iterable[tuple[str, Any]]:
    """Yield the paths to lists of objects inside an object."""
    for key, each in value.items():
        if isinstance(each, list) and each and all(isinstance(item, dict) for item in each):
            yield f"{before}{key}", each
        elif isinstance(each, dict) and depth:
            yield from _lists(each, f"{before}{key}.", depth - 1)


_VALUE = re.compile(
    r"\s*(?:[0-9][-0-9., :T/Z]*|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*|(?:[\w-]+\.)+[A-Za-z]{2,})\s*"
)
"""A number, a time, an address or a domain."""


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    listed = ", ".join(f"`{visible(name.strip(), 40)}`" for name in names[:_NAMES_SHOWN])
    return f"{listed}{more}"


class _Advice:
    """What is wrong with the names of one table or object, and the command that mends it."""

    def __init__(
        self,
        names: Sequence[str],
        columns: Plan,
        options: ReadOptions,
        file: str,
        samples: Mapping[str, Sequence[Any]],
        word: str,
    ) -> None:
        self.names = names
        self.plan = columns
        self.options = options
        self.file = file
        self.samples = samples
        self.word = word
        self.unknown: Sequence[str] = columns.unknown
        self.sources = {
            target: name for name, target in zip(names, columns.targets, strict=False) if target
        }
        self.absent = missing(columns.fields, options.given)
        self.blanks: list[str] = []

    @property
    def code(self) -> str:
        """The kind of the worst of it."""
        kinds = (
            (self.plan.unmapped, f"no-such-{self.word}"),
            (self.plan.twice, f"{self.word}-twice"),
            (self.plan.unknown, f"unknown-{self.word}"),
            (self.plan.left_over, f"left-over-{self.word}"),
        )
        return next((code for wrong, code in kinds if wrong), f"missing-{self.word}")

    def message(self) -> str:
        """Say all that is wrong."""
        columns, word = self.plan, self.word
        parts = [
            f"there is no {word} `{visible(self.options.mapped[each], 60)}` for --map {each}"
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
        if self.absent:
            parts.append(f"no {word} for {', '.join(self.absent)}")
        return "; ".join(parts)

    def hint(self) -> str:
        """Return the whole command line that would read these names, and what to fill in."""
        options = self.options
        if any(one == other for _, one, other in self.plan.twice):
            return "rename or remove one of them"
        if options.command is None:
            return self._without_options()
        there = {*self.plan.fields, *options.given}
        words, unused = self._mappings(there)
        words = self._with_needs(words)
        words += self._stand_ins(there, unused)
        words += self._leaving_out(unused)
        dropped = [f"{each}={options.mapped[each]}" for each in self.plan.unmapped]
        keep = "--extra meta keeps what is left out; " if {"--ignore", "--extra"} & {*words} else ""
        fill_in = f"{keep}put in your {', '.join(self.blanks)} and " if self.blanks else keep
        return f"{fill_in}try: {options.command.extended(self.file, words, dropped)}"

    def _without_options(self) -> str:
        meant = suggestions(self.plan.unknown)
        likely = [f"{field} for `{visible(name, 40)}`" for name, field in meant.items()]
        return f"did you mean {', '.join(likely)}?" if likely else "other keys belong in `meta`"

    def _mappings(self, there: set[str]) -> tuple[list[str], list[str]]:
        """Return the `--map`s that make fields of names, and the names left; adds to `there`."""
        meant: dict[str, str] = {}
        for target in self.plan.unmapped:
            near = self._nearest(self.options.mapped[target], target)
            if near is not None:
                meant.setdefault(near, target)
        rest = [name for name in self.unknown if name not in meant]
        found = candidates(rest, {*there, *meant.values()}, self.samples)
        if "ip_addr" in found.keys() | there and any(map(holds_domain, found.get("domain", ()))):
            del found["domain"]  # a page that was looked at is no company
        for target, one, other in self.plan.twice:
            found[target] = [one, other]
        joined = self._date_and_time(found)
        for field, several in found.items():
            if len(several) == 1:
                meant[several[0]] = field
            elif field in _COLUMNS:
                blank = _COLUMNS[field]
                self.blanks.append(f"{blank} ({' or '.join(f'`{each}`' for each in several)})")
                joined[field] = blank
        there.update(meant.values(), joined)
        self.sources |= {field: name for name, field in meant.items()}
        words = [f"{field}={name.strip()}" for name, field in meant.items()]
        words += [f"{field}={column}" for field, column in joined.items()]
        twice = [name for _, *both in self.plan.twice for name in both]
        unused = [*self.plan.left_over, *self.plan.unknown, *twice]
        used = {*meant, *(part for column in joined.values() for part in column.split("+"))}
        heads = {name.partition(".")[0] for name in used if name not in self.names}
        left = [name for name in unused if name not in used | heads]
        return [word for pair in words for word in ("--map", pair)], left

    def _with_needs(self, words: list[str]) -> list[str]:
        """Add the options that the values of the columns need, looked at together."""
        samples = {field: self.samples.get(name, ()) for field, name in self.sources.items()}
        needed, blanks = self.options.needs(samples, self.sources)
        column = self.sources.get("domain", "")
        options = dict.fromkeys(needed)
        if holds_domain(column):
            options["--domain-of", column] = None
        if ("--domain-of", column) in options and f"domain={column.strip()}" in words:
            at = words.index(f"domain={column.strip()}")
            del words[at - 1 : at + 1]
        self.blanks += blanks
        return words + [word for pair in options for word in pair]

    def _date_and_time(self, found: dict[str, list[str]]) -> dict[str, str]:
        """Take a column of dates and one of times for one field, where they are just these."""
        several = sorted(found.get("event_at", []), key=lambda name: "time" in folded(name))
        if len(several) == 2:
            days, times = (
                [text for each in self.samples.get(name, ()) if (text := as_text(each))]
                for name in several
            )
            is_time = re.compile(r"[0-9]{1,2}:[0-9]{2}(:[0-9.]+)?\Z").match
            if times and all(map(is_time, times)) and days and not any(":" in day for day in days):
                del found["event_at"]
                return {"event_at": "+".join(name.strip() for name in several)}
        return {}

    def _stand_ins(self, there: set[str], unused: Sequence[str]) -> list[str]:
        """Return the options that give the fields for which there is no name."""
        words: list[str] = []
        found = {"ip_addr or domain"} if there & {"ip_addr", "domain"} else set()
        for each in self.absent:
            if each in there | found:
                continue
            option, value = _STAND_INS[each]
            if option == "--default" and unused:
                self.blanks.append(f"{_COLUMNS[each]} (or {option} {value} if there is none)")
                option, value = "--map", f"{each}={_COLUMNS[each]}"
            elif option != "--default":
                self.blanks.append(value.removeprefix("domain="))
            words += [option, value]
        return words

    def _leaving_out(self, unused: Sequence[str]) -> list[str]:
        is_open = any("_COLUMN" in blank for blank in self.blanks)
        if len(unused) > _IGNORED_SINGLY or (unused and is_open):
            return ["--extra", "ignore"]
        return [word for name in unused for word in ("--ignore", name.strip())]

    def _nearest(self, column: str, target: str) -> str | None:
        """Return the name that a misspelt one of `--map` most likely means."""
        import difflib

        pairs = zip(self.names, self.plan.targets, strict=True)
        free = [name for name, now in pairs if name.strip() and now not in NAMES]
        meant = candidates(free).get(target, [])
        known = {folded(name): name for name in free}
        near = difflib.get_close_matches(folded(column), known, 1, 0.7)
        return known[near[0]] if near else (meant[0] if len(meant) == 1 else None)

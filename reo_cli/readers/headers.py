"""What is wrong with a CSV header, in one issue, with a complete command to paste."""

import re
from collections.abc import Sequence

from reo_cli.events import NAMES, folded
from reo_cli.readers.names import NameRules, Plan, missing
from reo_cli.suggestions import suggestion, suggestions
from reo_cli.values import addresses, domains, shown

NAMES_SHOWN = 20
IGNORED_SINGLY = 4
"""More columns than these are left out by `--extra ignore` instead of one by one."""

_STAND_INS = {
    "activity_type": ("-a", "ACTIVITY_TYPE"),
    "product_id": ("-p", "PRODUCT_ID"),
    "count": ("--default", "count=1"),
    "event_at": ("--default", "event_at=now"),
    "ip_addr or domain": ("--map", "domain=DOMAIN_COLUMN"),
}
_COLUMNS = {"count": "COUNT_COLUMN", "event_at": "TIME_COLUMN"}
"""Fields that are rather in a column whose name says nothing to us, if there is one."""


def header_issue(header: Sequence[str], plan: Plan, rules: NameRules, file: str) -> tuple[str, str]:
    """Return message and hint for all that is wrong with the header of a file."""
    absent = missing(plan, rules.given)
    is_strange = plan.unknown and not any(plan.targets) and not suggestions(header)
    are_values = sum(map(_is_value, header)) * 2 >= len(header)
    if is_strange and (are_values or len(header) == 1):
        what = f"names no columns: {shown(header[0])}"
        if are_values:
            what = "holds values, not the names of columns"
        hint = "it must name them, such as activity_type,count,domain,event_at,product_id"
        return f"the first line {what}", hint
    parts = [
        f"there is no column {shown(rules.columns[each])} for --map {each}"
        for each in plan.unmapped
    ]
    for target, one, other in plan.twice:
        both = f"{shown(one)} and {shown(other)} are both {target}"
        parts.append(f"the column {shown(one)} stands there twice" if one == other else both)
    if plan.unknown:
        parts.append(
            f"{_listed(plan.unknown)} {'is' if len(plan.unknown) == 1 else 'are'} no field"
        )
    if plan.left_over:
        verb = "is" if len(plan.left_over) == 1 else "are"
        parts.append(f"{_listed(plan.left_over)} {verb} left over, because --map reads another")
    if absent:
        parts.append(f"no column for {', '.join(absent)}")
    return "; ".join(parts), _hint(header, plan, rules, file, absent)


def _is_value(cell: str) -> bool:
    if re.fullmatch(r"\s*[0-9][-0-9., :T/Z]*", cell):
        return True
    return any(each(cell.strip())[0] is not None for each in (addresses.ip_address, domains.domain))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    listed = ", ".join(shown(name.strip(), 40) for name in names[:NAMES_SHOWN])
    return f"{listed}{more}"


def _hint(header: Sequence[str], plan: Plan, rules: NameRules, file: str, absent: list[str]) -> str:
    """Return the whole command line that would read this header, and what to fill in."""
    if rules.command is None or any(one == other for _, one, other in plan.twice):
        return "rename or remove one of them"
    there = {*filter(None, plan.targets), *rules.given}
    words, unused = _mappings(header, plan, rules, there)
    found = {"ip_addr or domain"} if there & {"ip_addr", "domain"} else set()
    blanks = []
    for each in absent:
        if each in there | found:
            continue
        option, value = _STAND_INS[each]
        if each in _COLUMNS and unused:
            blanks.append(f"{_COLUMNS[each]} (or {option} {value} if there is none)")
            option, value = "--map", f"{each}={_COLUMNS[each]}"
        elif option != "--default":
            blanks.append(value.removeprefix("domain="))
        words += [option, value]
    if len(unused) > IGNORED_SINGLY:
        words += ["--extra", "ignore"]
    else:
        words += [word for name in unused for word in ("--ignore", name.strip())]
    dropped = [f"{each}={rules.columns[each]}" for each in plan.unmapped]
    fill_in = f"put in your {', '.join(blanks)} and " if blanks else ""
    return f"{fill_in}try: {rules.command.extended(file, words, dropped)}"


def _mappings(
    header: Sequence[str], plan: Plan, rules: NameRules, there: set[str]
) -> tuple[list[str], list[str]]:
    """Return the `--map`s that make fields of columns, and the columns left; adds to `there`."""
    meant: dict[str, str] = {}
    unused = [*plan.left_over, *(other for _, _, other in plan.twice), *plan.unknown]
    for target, one, _ in plan.twice:
        meant.setdefault(one, target)
    pairs = zip(header, plan.targets, strict=True)
    free = [name for name, target in pairs if name.strip() and target not in NAMES]
    for target in plan.unmapped:
        near = _nearest(rules.columns[target], target, free)
        if near is not None:
            meant.setdefault(near, target)
    taken = {*there, *meant.values()}
    rest = [name for name in plan.unknown if name not in meant]
    meant |= suggestions(rest, taken)
    there.update(meant.values())
    words = [word for name in meant for word in ("--map", f"{meant[name]}={name.strip()}")]
    return words, [name for name in unused if name not in meant]


def _nearest(column: str, target: str, names: Sequence[str]) -> str | None:
    """Return the column that a misspelt one of `--map` most likely means."""
    import difflib

    meant = next((name for name in names if suggestion(name) == target), None)
    known = {folded(name): name for name in names}
    near = difflib.get_close_matches(folded(column), known, 1, 0.7)
    return meant or (known[near[0]] if near else None)

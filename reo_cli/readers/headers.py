"""What is wrong with a CSV header, in one issue, with a complete command to paste."""

import re
from collections.abc import Sequence

from reo_cli.readers.names import NameRules, Plan, folded, missing, suggestion
from reo_cli.values import addresses, shown

NAMES_SHOWN = 20
IGNORED_SINGLY = 4
"""More columns than these are left out by `--extra ignore` instead of one by one."""

_STAND_INS = {
    "activity_type": ["-a", "ACTIVITY_TYPE"],
    "product_id": ["-p", "PRODUCT_ID"],
    "count": ["--default", "count=1"],
    "event_at": ["--default", "event_at=now"],
    "ip_addr or domain": ["--map", "domain=COLUMN"],
}


def header_issue(header: Sequence[str], plan: Plan, rules: NameRules) -> tuple[str, str] | None:
    """Return message and hint for all that is wrong with a header, or None."""
    absent = missing(plan, rules.given)
    if not (plan.unknown or plan.left_over or plan.unmapped or plan.twice or absent):
        return None
    if plan.unknown and not any(plan.targets) and any(map(_is_value, header)):
        hint = "the first line must name the columns: activity_type,count,domain,event_at,…"
        return "the first line holds values, not the names of columns", hint
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
    return "; ".join(parts), _hint(header, plan, rules, absent)


def _is_value(cell: str) -> bool:
    return bool(re.fullmatch(r"\s*[0-9]+\s*", cell)) or addresses.ip_address(cell)[0] is not None


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    listed = ", ".join(shown(name.strip(), 40) for name in names[:NAMES_SHOWN])
    return f"{listed}{more}"


def _hint(header: Sequence[str], plan: Plan, rules: NameRules, absent: list[str]) -> str:
    """Return the whole command line that would read this header, and what to fill in."""
    if any(one == other for _, one, other in plan.twice):
        return "rename or remove one of them"
    there = {*filter(None, plan.targets), *rules.given}
    words, unused = _mappings(header, plan, rules, there)
    found = {"ip_addr or domain"} if there & {"ip_addr", "domain"} else set()
    for each in absent:
        if each not in there | found:
            words += _STAND_INS[each]
    if len(unused) > IGNORED_SINGLY:
        words += ["--extra", "ignore"]
    else:
        words += [word for name in unused for word in ("--ignore", name.strip())]
    dropped = [f"{each}={rules.columns[each]}" for each in plan.unmapped]
    blanks: list[str] = [each for each in ("ACTIVITY_TYPE", "PRODUCT_ID") if each in words]
    blanks += ["COLUMN"] if "domain=COLUMN" in words else []
    fill_in = f"put in your {', '.join(blanks)} and " if blanks else ""
    return f"{fill_in}try: {extended(rules.command, words, dropped)}"


def _mappings(
    header: Sequence[str], plan: Plan, rules: NameRules, there: set[str]
) -> tuple[list[str], list[str]]:
    """Return the `--map`s that make fields of columns, and the columns left; adds to `there`."""
    meant: dict[str, str] = {}
    unused = [*plan.left_over, *(other for _, _, other in plan.twice)]
    for target, one, _ in plan.twice:
        meant.setdefault(one, target)
    for target in plan.unmapped:
        near = _nearest(rules.columns[target], header)
        if near is not None:
            meant[near] = target
    for name in plan.unknown:
        target = suggestion(name) or ""
        if name not in meant and (not target or target in {*there, *meant.values()}):
            unused.append(name)
        elif name not in meant:
            meant[name] = target
    there.update(meant.values())
    words = [word for name in meant for word in ("--map", f"{meant[name]}={name.strip()}")]
    return words, [name for name in unused if name not in meant]


def _nearest(column: str, header: Sequence[str]) -> str | None:
    """Return the column that a misspelt one most likely means."""
    import difflib

    names = {folded(name): name for name in header}
    near = difflib.get_close_matches(folded(column), names, 1, 0.7)
    return names[near[0]] if near else None


def extended(command: str, words: Sequence[str], dropped: Sequence[str] = ()) -> str:
    """Return a command line with more options, and without the `--map`s that failed."""
    import shlex

    given: list[str] = []
    for word in shlex.split(command):
        if word in dropped and given[-1:] == ["--map"]:
            given.pop()
        elif word.removeprefix("--map=") not in dropped:
            given.append(word)
    end = given.index("--") if "--" in given else len(given)
    return shlex.join([*given[:end], *words, *given[end:]])

"""What `reo validate` found, for programs (its JSON) and for people (its content)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reo_cli.errors import ReoError
from reo_cli.records import Issue
from reo_cli.reports.view import Cell, Closing, Column, Content, Fact, Grid, Shape, View
from reo_cli.reports.words import count_of, instant, number, roll_up_text

if TYPE_CHECKING:
    from reo_cli.checks.totals import Distinct, Totals
    from reo_cli.checks.validation import FileResult, Validation
    from reo_cli.reports.streams import Tone

SCHEMA = "reo.validate/1"

_COUNTS = ("read", "valid", "invalid", "errors", "warnings")
_COLUMNS = (
    Column("file"),
    Column("read"),
    Column("valid", "good"),
    Column("invalid", "bad"),
    Column("errors", "bad"),
    Column("warnings", "warn"),
)


def blank(error: ReoError) -> "Validation":
    """The result of a run that failed before it read anything."""
    from reo_cli.checks.totals import Totals
    from reo_cli.checks.validation import Validation

    return Validation((), Totals(), error=error)


def shape(result: "Validation") -> Shape:
    """The JSON of a run (design.md, Output); `files` and `error` are added to what it lists."""
    from reo_cli.reports.json_output import error_shape, issue_shape

    return {
        "schema": SCHEMA,
        "status": result.status,
        "exit_code": int(result.exit_code),
        **{
            name: _sum(result, name) for name in ("read", "valid", "invalid", "warnings", "skipped")
        },
        "rolled_up": result.rolled_up.events if result.rolled_up else None,
        "left_out": result.rolled_up.left_out if result.rolled_up else None,
        "issues": [issue_shape(issue) for issue in result.issues],
        "totals": _totals_shape(result.totals),
        "files": [_file_shape(each) for each in result.files],
        "error": error_shape(result.error),
    }


def _sum(result: "Validation", name: str) -> int:
    return sum(getattr(each, name) for each in result.files)


def _totals_shape(totals: "Totals") -> Shape:
    return {
        "count": totals.sum_of_count,
        "domains": totals.domains.number,
        "domains_estimated": totals.domains.estimated,
        "ips": totals.ips.number,
        "ips_estimated": totals.ips.estimated,
        "first_event_at": totals.first_event_at,
        "last_event_at": totals.last_event_at,
    }


def _file_shape(each: "FileResult") -> Shape:
    from reo_cli.reports.json_output import error_shape, name_of

    return {
        "file": name_of(each.file),
        **{name: getattr(each, name) for name in (*_COUNTS, "skipped")},
        "totals": _totals_shape(each.totals),
        "error": error_shape(each.error),
    }


def issues_of(result: "Validation") -> tuple[Sequence[Issue], int, int]:
    """The issues kept, and how many errors and warnings there are in all."""
    return result.issues, _sum(result, "errors"), _sum(result, "warnings")


def content(result: "Validation", screen: bool) -> Content:
    """Counts by file, what the valid events add up to, and the verdict.

    A screen gets a table for several inputs only, and the verdict at its end.
    """
    if not result.files:
        return Content()
    rows = [(_name(each), *(getattr(each, name) for name in _COUNTS)) for each in result.files]
    sums: Sequence[Cell] = ("total", *(_sum(result, name) for name in _COUNTS))
    total = sums if len(rows) > 1 else None
    grid = None if screen and total is None else Grid(_COLUMNS, rows, total)
    verdict, facts = Fact("result", _result(result), _tone(result)), _facts(result, screen)
    if not screen:
        return Content(grid, [verdict, *facts])
    if not _sum(result, "valid"):
        facts = []
    names = ("errors", "warnings") if _sum(result, "invalid") else ("warnings",)
    found = [count_of(n, name[:-1]) for name in names if (n := _sum(result, name))]
    words = f"{verdict.text} ({', '.join(found)})" if found else verdict.text
    return Content(grid, [*facts, verdict._replace(text=words)])


def _tone(result: "Validation") -> "Tone":
    return "good" if result.status == "valid" else "bad"


def _name(each: "FileResult") -> str:
    if each.error is None:
        return each.file
    return f"{each.file} (not read{' to its end' if each.read else ''})"


def _facts(result: "Validation", screen: bool) -> list[Fact]:
    totals = result.totals
    named = (("domains", totals.domains), ("IPs", totals.ips))
    facts = [
        Fact("count", f"{number(totals.sum_of_count)} in all {_which(result)}"),
        *(Fact(name, _distinct(each)) for name, each in named if each.number or not screen),
    ]
    if totals.first_event_at is not None and totals.last_event_at is not None:
        span = f"{instant(totals.first_event_at)} to {instant(totals.last_event_at)}"
        facts.append(Fact("time", span))
    if result.rolled_up is not None:
        facts.append(Fact("rolled up", roll_up_text(result.rolled_up)))
    if skipped := _sum(result, "skipped"):
        facts.append(Fact("skipped", f"{count_of(skipped, 'record')} left out"))
    return facts


def _result(result: "Validation") -> str:
    read, invalid, errors = (_sum(result, name) for name in ("read", "invalid", "errors"))
    unread = sum(1 for each in result.files if each.error)
    found = f"valid: {count_of(read, 'event')}" if result.error is None else ""
    if invalid:
        found = f"invalid: {number(invalid)} of {count_of(read, 'record')}"
    elif errors:  # the header, the encoding, what stands between the values
        found = f"invalid: {count_of(errors, 'error')}"
    missed = f"{count_of(unread, 'file')} not read to the end" if unread else ""
    if result.error is not None and not unread:
        missed = "not finished"
    return "; ".join(filter(None, (found, missed)))


def _which(result: "Validation") -> str:
    """Say of which events the totals are: of repeats it is known only in the end that they are."""
    repeats = count_of(result.repeats, "repeat")
    return f"valid events and {repeats}" if result.repeats else "valid events"


def _distinct(distinct: "Distinct") -> str:
    return f"{number(distinct.number)}{'+' * distinct.estimated} different"


def closing(result: "Validation") -> Closing:
    """What kept inputs from being read, and the commands that read more of the values."""
    return Closing(result.faults, result.hints)


VIEW = View("validate", blank, shape, content, closing, issues_of)

"""What `reo validate` found, for programs (its JSON) and for people (its content)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reo_cli.errors import ReoError
from reo_cli.records import Issue
from reo_cli.reports.command import Command
from reo_cli.reports.content import Chart, Closing, Column, Content, Fact, Grid
from reo_cli.reports.words import count_of, instant, number

if TYPE_CHECKING:
    from reo_cli.reports.machine import Shape
    from reo_cli.validation import Distinct, FileResult, Totals, Validation

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
    from reo_cli.validation import Totals, Validation

    return Validation((), Totals(), error=error)


def shape(result: "Validation") -> "Shape":
    """The JSON of a run (design.md, Output); `files` and `error` are added to what it lists."""
    from reo_cli.reports.machine import error_shape, issue_shape

    return {
        "schema": SCHEMA,
        "status": result.status,
        "exit_code": int(result.exit_code),
        "read": sum(each.read for each in result.files),
        "valid": sum(each.valid for each in result.files),
        "invalid": sum(each.invalid for each in result.files),
        "warnings": sum(each.warnings for each in result.files),
        "issues": [issue_shape(issue) for issue in result.issues],
        "totals": _totals_shape(result.totals),
        "files": [_file_shape(each) for each in result.files],
        "error": error_shape(result.error),
    }


def _totals_shape(totals: "Totals") -> "Shape":
    return {
        "count": totals.sum_of_count,
        "domains": totals.domains.number,
        "domains_estimated": totals.domains.estimated,
        "ips": totals.ips.number,
        "ips_estimated": totals.ips.estimated,
        "first_event_at": totals.first_event_at,
        "last_event_at": totals.last_event_at,
    }


def _file_shape(each: "FileResult") -> "Shape":
    from reo_cli.reports.machine import error_shape, name_of

    return {
        "file": name_of(each.file),
        **{name: getattr(each, name) for name in _COUNTS},
        "totals": _totals_shape(each.totals),
        "error": error_shape(each.error),
    }


def issues_of(result: "Validation") -> tuple[Sequence[Issue], int, int]:
    """The issues kept, and how many errors and warnings there are in all."""
    errors = sum(each.errors for each in result.files)
    return result.issues, errors, sum(each.warnings for each in result.files)


def content(result: "Validation") -> Content:
    """Counts by file, the issues, and what the valid events add up to."""
    kept, errors, warnings = issues_of(result)
    return Content(
        grid=_grid(result.files) if result.files else None,
        issues=kept,
        unshown=max(0, errors + warnings - len(kept)),
        facts=_facts(result) if result.files else (),
        chart=_chart(result.totals),
    )


def _grid(files: Sequence["FileResult"]) -> Grid:
    rows = [(_name(each), *(getattr(each, name) for name in _COUNTS)) for each in files]
    sums = (sum(getattr(each, name) for each in files) for name in _COUNTS)
    return Grid(_COLUMNS, rows, ("total", *sums) if len(rows) > 1 else None)


def _name(each: "FileResult") -> str:
    if each.error is None:
        return each.file
    return f"{each.file} (not read{' to its end' if each.read else ''})"


def _facts(result: "Validation") -> list[Fact]:
    totals = result.totals
    facts = [
        Fact("result", _result(result), "good" if result.status == "valid" else "bad"),
        Fact("count", f"{number(totals.sum_of_count)} in all {_which(result)}"),
        Fact("domains", _distinct(totals.domains)),
        Fact("IPs", _distinct(totals.ips)),
    ]
    if totals.first_event_at is not None and totals.last_event_at is not None:
        span = f"{instant(totals.first_event_at)} to {instant(totals.last_event_at)}"
        facts.append(Fact("time", span))
    return facts


def _result(result: "Validation") -> str:
    read = sum(each.read for each in result.files)
    invalid = sum(each.invalid for each in result.files)
    errors = sum(each.errors for each in result.files)
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
    return f"{'≈ ' * distinct.estimated}{number(distinct.number)} different"


def _chart(totals: "Totals") -> Chart | None:
    if len(totals.per_day) < 2:
        return None
    from reo_cli.reports.chart import events_chart

    return events_chart(totals.per_day)


def closing(result: "Validation") -> Closing:
    """What kept inputs from being read; the issues speak for themselves."""
    return Closing(result.faults)


COMMAND = Command("validate", blank, shape, issues_of, content, closing)

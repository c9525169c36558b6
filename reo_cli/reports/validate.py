"""What `reo validate` found, for programs and for people."""

from collections.abc import Sequence

from reo_cli.checks.validation import FileResult, Totals, Validation
from reo_cli.errors import ReoError
from reo_cli.reports.report import Report
from reo_cli.reports.view import (
    Block,
    Cell,
    Column,
    Fact,
    Grid,
    Shape,
    View,
    error_shape,
    issue_shape,
    name_of,
)
from reo_cli.reports.words import count_of, instant, roll_up_text

_COLUMNS = (
    Column("file"),
    Column("read"),
    Column("valid", "good"),
    Column("invalid", "bad"),
    Column("errors", "bad"),
    Column("warnings", "warn"),
)
_COUNTS = tuple(column.name for column in _COLUMNS[1:])


class ValidateReport(Report[Validation]):
    """The report of `reo validate`: its issues are results; under `-q` only errors, as talk."""

    name = "validate"
    failures = "invalid"
    issues_are_results = True

    def blank(self, error: ReoError) -> Validation:
        """The result of a run that failed before it read anything."""
        return Validation((), Totals(), error=error)

    def view(self, result: Validation, *, screen: bool) -> View:
        """Counts by file, what the valid events add up to, the verdict, and the faults."""
        issues = [issue_shape(issue) for issue in result.issues]
        rolled_up = result.rolled_up
        return View(
            result.status,
            result.exit_code,
            {
                **{name: _sum(result, name) for name in (*_COUNTS, "skipped") if name != "errors"},
                "rolled_up": rolled_up.events if rolled_up else None,
                "left_out": rolled_up.left_out if rolled_up else None,
                "issues": issues,
                "totals": _totals_shape(result.totals),
                "files": [_file_shape(each) for each in result.files],
                "error": error_shape(result.error),
            },
            _blocks(result, screen) if result.files else (),
            result.issues,
            (_sum(result, "errors"), _sum(result, "warnings")),
            entries=issues,
            errors=result.faults,
            hints=result.hints,
        )


def _sum(result: Validation, name: str) -> int:
    return sum(getattr(each, name) for each in result.files)


def _totals_shape(totals: Totals) -> Shape:
    return {
        "count": totals.sum_of_count,
        "domains": totals.domains.number,
        "domains_estimated": totals.domains.estimated,
        "ips": totals.ips.number,
        "ips_estimated": totals.ips.estimated,
        "first_event_at": totals.first_event_at,
        "last_event_at": totals.last_event_at,
    }


def _file_shape(each: FileResult) -> Shape:
    return {
        "file": name_of(each.file),
        **{name: getattr(each, name) for name in (*_COUNTS, "skipped")},
        "totals": _totals_shape(each.totals),
        "error": error_shape(each.error),
    }


def _blocks(result: Validation, screen: bool) -> list[Block]:
    """A screen gets a table for several inputs only, and the verdict at its end."""
    rows = [(_name(each), *(getattr(each, name) for name in _COUNTS)) for each in result.files]
    total: Sequence[Cell] | None = None
    if len(rows) > 1:
        total = ("total", *(_sum(result, name) for name in _COUNTS))
    facts = _facts(result, screen)
    if not screen:
        return [Grid(_COLUMNS, rows, total), [Fact("result", _result(result)), *facts]]
    names = ("errors", "warnings") if _sum(result, "invalid") else ("warnings",)
    found = [count_of(n, name[:-1]) for name in names if (n := _sum(result, name))]
    words = _result(result) + (f" ({', '.join(found)})" if found else "")
    verdict = Fact("result", words, "good" if result.status == "valid" else "bad")
    told = [*facts, verdict] if _sum(result, "valid") else [verdict]
    return [Grid(_COLUMNS, rows, total), told] if total else [told]


def _name(each: FileResult) -> str:
    if each.error is None:
        return each.file
    return f"{each.file} (not read{' to its end' if each.read else ''})"


def _facts(result: Validation, screen: bool) -> list[Fact]:
    totals = result.totals
    # Of repeats it is known only in the end that they are: they are in the totals.
    repeats = f" and {count_of(result.repeats, 'repeat')}" if result.repeats else ""
    facts = [Fact("count", f"{totals.sum_of_count:,} in all valid events{repeats}")]
    for name, each in (("domains", totals.domains), ("IPs", totals.ips)):
        if each.number or not screen:
            facts.append(Fact(name, f"{each.number:,}{'+' * each.estimated} different"))
    if totals.first_event_at is not None and totals.last_event_at is not None:
        span = f"{instant(totals.first_event_at)} to {instant(totals.last_event_at)}"
        facts.append(Fact("time", span))
    if result.rolled_up is not None:
        facts.append(Fact("rolled up", roll_up_text(result.rolled_up)))
    if skipped := _sum(result, "skipped"):
        facts.append(Fact("skipped", f"{count_of(skipped, 'record')} left out"))
    return facts


def _result(result: Validation) -> str:
    read, invalid, errors = (_sum(result, name) for name in ("read", "invalid", "errors"))
    unread = sum(1 for each in result.files if each.error)
    found = f"valid: {count_of(read, 'event')}" if result.error is None else ""
    if invalid:
        found = f"invalid: {invalid:,} of {count_of(read, 'record')}"
    elif errors:  # the header, the encoding, what stands between the values
        found = f"invalid: {count_of(errors, 'error')}"
    missed = f"{count_of(unread, 'file')} not read to the end" if unread else ""
    if result.error is not None and not unread:
        missed = "not finished"
    return "; ".join(filter(None, (found, missed)))

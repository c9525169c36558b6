"""What `reo validate` found, for programs and for people."""

from collections.abc import Mapping

from reo_cli.checks.validation import FileResult, Totals, Validation
from reo_cli.errors import ReoError
from reo_cli.reports.json_output import error_shape, issue_shape, name_of, picked
from reo_cli.reports.report import Report
from reo_cli.reports.streams import Tone
from reo_cli.reports.view import Block, Fact, Shape, View, counted
from reo_cli.reports.words import count_of, instant, roll_up_text

COUNTS = "read valid invalid errors warnings"
_TONES: dict[str, Tone] = {"valid": "good", "invalid": "bad", "errors": "bad", "warnings": "warn"}


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
        sums = {
            name: sum(getattr(each, name) for each in result.files)
            for name in (*COUNTS.split(), "skipped")
        }
        shape = {
            **{name: number for name, number in sums.items() if name != "errors"},
            "rolled_up": result.rolled_up and result.rolled_up.events,
            "left_out": result.rolled_up and result.rolled_up.left_out,
            "issues": issues,
            "totals": _totals_shape(result.totals),
            "files": [_file_shape(each) for each in result.files],
            "error": error_shape(result.error),
        }
        return View(
            result.status,
            result.exit_code,
            shape=shape,
            blocks=_blocks(result, sums, screen) if result.files else (),
            issues=result.issues,
            entries=issues,
            errors=result.faults,
            hints=result.hints,
        )


def _totals_shape(totals: Totals) -> Shape:
    return {
        "count": totals.sum_of_count,
        "domains": totals.domains.number,
        "domains_estimated": totals.domains.estimated,
        "ips": totals.ips.number,
        "ips_estimated": totals.ips.estimated,
        **picked(totals, "first_event_at last_event_at"),
    }


def _file_shape(each: FileResult) -> Shape:
    return {
        "file": name_of(each.file),
        **picked(each, f"{COUNTS} skipped"),
        "totals": _totals_shape(each.totals),
        "error": error_shape(each.error),
    }


def _blocks(result: Validation, sums: Mapping[str, int], screen: bool) -> list[Block]:
    """A screen gets a table for several inputs only, and the verdict at its end."""
    rows = [(_name(each), picked(each, COUNTS)) for each in result.files]
    several = len(rows) > 1
    grid = counted([*rows, *[("total", sums)] * several], _TONES, summed=several)
    facts, verdict = _facts(result, sums, screen), _verdict(result, sums)
    if not screen:
        return [grid, [Fact("result", verdict), *facts]]
    names = ("errors", "warnings") if sums["invalid"] else ("warnings",)
    found = [count_of(sums[name], name[:-1]) for name in names if sums[name]]
    verdict += f" ({', '.join(found)})" if found else ""
    end = Fact("result", verdict, "good" if result.status == "valid" else "bad")
    told = [*facts, end] if sums["valid"] else [end]
    return [grid, told] if several else [told]


def _name(each: FileResult) -> str:
    if each.error is None:
        return each.file
    return f"{each.file} (not read{' to its end' if each.read else ''})"


def _facts(result: Validation, sums: Mapping[str, int], screen: bool) -> list[Fact]:
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
    if sums["skipped"]:
        facts.append(Fact("skipped", f"{count_of(sums['skipped'], 'record')} left out"))
    return facts


def _verdict(result: Validation, sums: Mapping[str, int]) -> str:
    said = []
    if sums["invalid"]:
        said = [f"invalid: {sums['invalid']:,} of {count_of(sums['read'], 'record')}"]
    elif sums["errors"]:  # the header, the encoding, what stands between the values
        said = [f"invalid: {count_of(sums['errors'], 'error')}"]
    elif result.error is None:
        said = [f"valid: {count_of(sums['read'], 'event')}"]
    if unread := sum(1 for each in result.files if each.error):
        said.append(f"{count_of(unread, 'file')} not read to the end")
    elif result.error is not None:
        said.append("not finished")
    return "; ".join(said)

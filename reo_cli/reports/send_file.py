"""What a run of `reo send-file` came to, for programs and for people."""

from pathlib import Path

from reo_cli.delivery.summary import Counts, InputSummary, Settled, Summary
from reo_cli.errors import ExitCode, ReoError
from reo_cli.records import Issue
from reo_cli.reports.json_output import error_shape, issue_shape, name_of, picked
from reo_cli.reports.report import Report
from reo_cli.reports.send import endpoint_facts
from reo_cli.reports.streams import Tone
from reo_cli.reports.view import Block, Fact, Json, Shape, View, counted
from reo_cli.reports.words import count_of, duration, rate, roll_up_text
from reo_cli.text import pasted

COUNTS = "read delivered already_delivered invalid rejected errored unsent"
_BAD = ("invalid", "rejected", "errored", "unsent")
_TONES: dict[str, Tone] = {"delivered": "good", **dict.fromkeys(_BAD[:3], "bad")}
_SETTLED = "file line record status event_id http_status attempts reason".split()
_MENDED_FIRST = (ExitCode.NOT_THE_API, ExitCode.KEY_REFUSED, ExitCode.CONFIG)
"""Ends after which the same command helps only when something else was mended."""


class SendFileReport(Report[Summary]):
    """The report of `reo send-file`: issues are talk, unless a form for programs holds them."""

    name = "send-file"
    failures = "failed"

    def blank(self, error: ReoError) -> Summary:
        """The summary of a run that failed before it read anything."""
        return Summary((), attempts=0, elapsed_s=0.0, events_per_s=0.0, error=error)

    def settled(self, settled: Settled) -> None:
        """Tell of a record that has reached its end; a dry run has its body, too."""
        if self.lists_records:
            shape: Shape = dict(zip(_SETTLED, settled, strict=False))
            shape["file"] = name_of(settled.file)
            if settled.body:
                shape["payload"] = Json(settled.body.removeprefix('{"payload":')[:-1])
            self.write_json(shape)
        if settled.outcome in ("rejected", "errored"):
            message = ": ".join(filter(None, (settled.outcome, settled.reason)))
            where = (settled.file, settled.line, settled.record)
            self.not_taken(Issue(*where, "", "error", message, code=settled.outcome))

    def view(self, result: Summary, *, screen: bool) -> View:
        """What became of the records, why the run is no success and what leads to one."""
        counts = result.counts
        came_of_it = ("delivered", "already_delivered", "invalid", "rejected")
        is_stopped = result.error is not None and not result.errors
        died = is_stopped and not any(getattr(counts, each) for each in came_of_it)
        error, hints = result.error or _undelivered(result), _next_steps(result)
        leads = not result.error or (result.resume and result.error.reason == "max_time")
        if error is not None and hints and leads:
            error = error.changed(hint=hints.pop(0))  # that of an error is printed under `-q` too
        events, rejects = Fact("events", _counted(counts)), _rejects_facts(result)
        forgiven = f"`--allow-failure` turns exit code {int(result.verdict)} into 0"
        return View(
            result.status,
            result.exit_code,
            shape=_shape(result, error),
            blocks=[[events] * bool(counts.read)] if screen and died else _blocks(result, screen),
            issues=result.issues,
            errors=[error],
            hints=hints,
            kept=[str(each) for each in (events, *rejects)] if error and counts.read else [],
            forgiven=forgiven * (result.exit_code is not result.verdict),
            done=_result(result),
            died=died,
        )


def _shape(summary: Summary, error: ReoError | None) -> Shape:
    """The JSON of a run (design.md, Output)."""
    rolled_up = summary.rolled_up
    return {
        **picked(summary.counts, f"{COUNTS} skipped"),
        "rolled_up": summary.events if rolled_up else None,
        "left_out": rolled_up.left_out if rolled_up else None,
        "attempts": summary.attempts,
        "elapsed_s": round(summary.elapsed_s, 3),
        "events_per_s": round(summary.events_per_s, 3),
        "inputs": [_input_shape(each) for each in summary.inputs],
        "ledger": summary.ledger and picked(summary.ledger, "path created events"),
        "issues": [issue_shape(issue) for issue in summary.issues],
        "error": error_shape(error),
        "endpoint": summary.endpoint or None,
        "endpoint_source": summary.endpoint_source or None,
    }


def _input_shape(each: InputSummary) -> Shape:
    rejects = each.rejects_file and name_of(str(each.rejects_file))
    return {"file": name_of(each.file), **picked(each.counts, COUNTS), "rejects_file": rejects}


def _blocks(summary: Summary, screen: bool) -> list[Block]:
    """The counts of every input, and what else is worth knowing.

    A screen gets a table for several inputs only: for one a line says it all.
    """
    several = len(summary.inputs) > 1
    is_table = several or (summary.inputs and not screen)
    facts = _facts(summary, counted=screen and not is_table)
    bodies = [Json(body) for body in summary.bodies]
    if not is_table:
        return [facts, bodies]
    rows = [(each.file, picked(each.counts, COUNTS)) for each in summary.inputs]
    if summary.rolled_up:
        rows.append(("rolled up", picked(summary.sums, COUNTS)))
    elif several:
        rows.append(("total", picked(summary.counts, COUNTS)))
    return [counted(rows, _TONES, summed=len(rows) > len(summary.inputs)), facts, bodies]


def _facts(summary: Summary, *, counted: bool) -> list[Fact]:
    counts, rolled_up, ledger = summary.counts, summary.rolled_up, summary.ledger
    is_well = summary.verdict is ExitCode.OK
    facts = []
    if summary.inputs:
        facts.append(Fact("result", _result(summary), "good" if is_well else "bad"))
    if counted and not is_well and counts.read:
        facts.append(Fact("events", _counted(counts)))
    if rolled_up is not None and rolled_up.open_bucket:
        facts.append(Fact("rolled up", roll_up_text(rolled_up)))
    if counts.skipped:
        facts.append(Fact("skipped", f"{count_of(counts.skipped, 'record')} left out"))
    facts += endpoint_facts(summary, dry_run=summary.dry_run)
    if summary.dry_run:
        facts.append(Fact("bodies", f"{len(summary.bodies):,} of {summary.to_send:,}"))
    elif summary.attempts:
        speed = f", {rate(summary.events_per_s)}" if summary.events_per_s else ""
        requests = count_of(summary.attempts, "request")
        facts.append(Fact("time", f"{duration(summary.elapsed_s)}, {requests}{speed}"))
    if ledger is not None:
        new = " (new)" if ledger.created else ""
        facts.append(Fact("ledger", f"{ledger.path}{new}, {count_of(ledger.events, 'event')}"))
    return [*facts, *_rejects_facts(summary)]


def _rejects(summary: Summary) -> list[Path]:
    """The rejects files; several inputs may share one."""
    return list(dict.fromkeys(each.rejects_file for each in summary.inputs if each.rejects_file))


def _rejects_facts(summary: Summary) -> list[Fact]:
    return [Fact("rejects", str(path)) for path in _rejects(summary)]


def _counted(counts: Counts) -> str:
    """`10,000 read, 8,993 delivered, 7 invalid`, without what is zero."""
    found = (
        (name, number)
        for name, number in picked(counts, COUNTS).items()
        if number or name == "read"
    )
    return ", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in found)


def _result(summary: Summary) -> str:
    counts, events = summary.counts, summary.events
    now, earlier = counts.delivered, counts.already_delivered
    if not counts.read:
        is_well = summary.verdict is ExitCode.OK
        return "no events in the input" if is_well else "nothing was sent"
    if summary.dry_run:
        return f"dry run: {count_of(summary.to_send, 'event')} would be sent, nothing was"
    if earlier and not now:
        share = "" if earlier == events else f" of {count_of(events, 'event')}"
        return f"0 sent now, {earlier:,}{share} delivered earlier"
    share = "" if now + earlier == events else f"{now + earlier:,} of "
    when = f", {earlier:,} of them earlier" if earlier else ""
    return f"{share}{count_of(events, 'event')} delivered{when}"


def _next_steps(summary: Summary) -> list[str]:
    counts, error, resume = summary.counts, summary.error, summary.resume
    hints = []
    if resume and summary.cut_pipe:
        again = f"to go on, run the whole pipe again: `… | {resume}`"
        hints.append(f"{again}; what was delivered is not sent twice")
    elif resume and not (error and resume in error.hint):
        first = "then, " if error and error.exit_code in _MENDED_FIRST else ""
        whole = ", which sends all of it again with the same ids" if summary.restarts else ""
        hints.append(f"{first}to go on, `{resume}`{whole}")
    to_mend = counts.invalid + counts.rejected
    rejects = [  # a path as a command takes it, also one that begins like an option
        pasted(f"./{path}" if str(path).startswith("-") else str(path))
        for path in _rejects(summary)
    ]
    if rejects and (to_mend or not summary.cut_pipe):
        what = "mend what is in the rejects file, then" if to_mend else "to send what was read,"
        command = " ".join(filter(None, ("reo send-file", *rejects, summary.where)))
        hints.append(f"{what} `{command}`")
    return hints


def _undelivered(summary: Summary) -> ReoError | None:
    """The error of a run that went to its end and is no success."""
    if summary.verdict is ExitCode.OK:
        return None
    counts = picked(summary.counts, COUNTS)
    bad = [f"{counts[name]:,} {name}" for name in _BAD if counts[name]]
    message = f"not every event was delivered: {', '.join(bad)}"
    return ReoError(summary.verdict, "not_delivered", message)

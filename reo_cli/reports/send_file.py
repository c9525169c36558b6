"""What a run of `send-file` is to programs (its JSON) and to people (its content)."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reo_cli.errors import ExitCode, ReoError
from reo_cli.records import Issue
from reo_cli.reports.json_output import JsonText, error_shape, issue_shape, name_of
from reo_cli.reports.view import (
    Cell,
    Closing,
    Column,
    Content,
    Fact,
    Grid,
    Shape,
    View,
    endpoint_fact,
    is_elsewhere,
)
from reo_cli.reports.words import count_of, duration, number, rate, roll_up_text
from reo_cli.text import pasted

if TYPE_CHECKING:
    from reo_cli.delivery.summary import (
        Counts,
        InputSummary,
        LedgerSummary,
        Settled,
        Summary,
    )

SCHEMA = "reo.send-file/1"

COUNTS = ("read", "delivered", "already_delivered", "invalid", "rejected", "errored", "unsent")
_TONES = {"delivered": "good", "invalid": "bad", "rejected": "bad", "errored": "bad"}
_COLUMNS = [
    Column("file"),
    *(Column(name.replace("_", " "), _TONES.get(name, "")) for name in COUNTS),  # type: ignore[arg-type]
]
MENDED_FIRST = (ExitCode.NOT_THE_API, ExitCode.KEY_REFUSED, ExitCode.CONFIG)
"""Ends after which the same command helps only when something else was mended."""


def blank(error: ReoError) -> "Summary":
    """The summary of a run that failed before it read anything."""
    from reo_cli.delivery.summary import Summary

    return Summary((), attempts=0, elapsed_s=0.0, events_per_s=0.0, error=error)


def shape(summary: "Summary") -> Shape:
    """The JSON of a run (design.md, Output)."""
    return {
        "schema": SCHEMA,
        "status": summary.status,
        "exit_code": int(summary.exit_code),
        **_counts_shape(summary.counts),
        "skipped": summary.counts.skipped,
        "rolled_up": summary.events if summary.rolled_up else None,
        "left_out": summary.rolled_up.left_out if summary.rolled_up else None,
        "attempts": summary.attempts,
        "elapsed_s": round(summary.elapsed_s, 3),
        "events_per_s": round(summary.events_per_s, 3),
        "inputs": [_input_shape(each) for each in summary.inputs],
        "ledger": _ledger_shape(summary.ledger),
        "issues": [issue_shape(issue) for issue in summary.issues],
        "error": error_shape(next(iter(closing(summary).errors), None)),
        "endpoint": summary.endpoint or None,
        "endpoint_source": summary.endpoint_source or None,
    }


def _counts_shape(counts: "Counts") -> dict[str, int]:
    return {name: getattr(counts, name) for name in COUNTS}


def _input_shape(each: "InputSummary") -> Shape:
    rejects = None if each.rejects_file is None else name_of(str(each.rejects_file))
    return {"file": name_of(each.file), **_counts_shape(each.counts), "rejects_file": rejects}


def _ledger_shape(ledger: "LedgerSummary | None") -> Shape | None:
    if ledger is None:
        return None
    return {"path": str(ledger.path), "created": ledger.created, "events": ledger.events}


def settled_shape(settled: "Settled") -> Shape:
    """A line of `-o ndjson`; a dry run adds the `payload`."""
    line: Shape = {
        "file": name_of(settled.file),
        "line": settled.line,
        "record": settled.record,
        "status": settled.outcome,
        "event_id": settled.event_id,
        "http_status": settled.http_status,
        "attempts": settled.attempts,
        "reason": settled.reason,
    }
    if settled.body:
        line["payload"] = JsonText(settled.body.removeprefix('{"payload":')[:-1])
    return line


def issues_of(summary: "Summary") -> tuple[Sequence[Issue], int, int]:
    """The issues kept, and how many errors and warnings there are in all."""
    return summary.issues, summary.errors, summary.warnings


def content(summary: "Summary", screen: bool) -> Content:
    """The counts of every input, and what else is worth knowing.

    A screen gets a table for several inputs only: for one, and for a run of which nothing came, a
    line says it all.
    """
    if screen and _died(summary):
        counts = [Fact("events", counts_line(summary.counts))] if summary.inputs else []
        return Content(facts=counts)
    rows = [_row(each.file, each.counts) for each in summary.inputs]
    total = _row("total", summary.counts) if len(rows) > 1 else None
    if summary.rolled_up and (len(rows) > 1 or not screen):
        total = _row("rolled up", summary.sums)
    grid = Grid(_COLUMNS, rows, total) if total or (rows and not screen) else None
    return Content(grid, _facts(summary, counted=screen and not grid), bodies=summary.bodies)


def _row(name: str, counts: "Counts") -> Sequence[Cell]:
    return (name, *_counts_shape(counts).values())


def _facts(summary: "Summary", *, counted: bool) -> list[Fact]:
    facts = []
    if summary.inputs:
        facts.append(Fact("result", _result(summary), "good" if _is_well(summary) else "bad"))
    if counted and not _is_well(summary):
        facts.append(
            Fact("events", counts_line(summary.sums if summary.rolled_up else summary.counts))
        )
    if summary.rolled_up is not None and summary.rolled_up.open_bucket:
        facts.append(Fact("rolled up", roll_up_text(summary.rolled_up)))
    if summary.counts.skipped:
        facts.append(Fact("skipped", f"{count_of(summary.counts.skipped, 'record')} left out"))
    if summary.dry_run or is_elsewhere(summary):
        facts.append(endpoint_fact(summary))
    if summary.dry_run:
        bodies, to_send = len(summary.bodies), summary.to_send
        facts.append(Fact("bodies", f"{number(bodies)} of {number(to_send)}"))
    elif summary.attempts:
        facts.append(Fact("time", _time(summary)))
    if summary.ledger is not None:
        new = " (new)" if summary.ledger.created else ""
        held = count_of(summary.ledger.events, "event")
        facts.append(Fact("ledger", f"{summary.ledger.path}{new}, {held}"))
    facts += [Fact("rejects", str(path)) for path in _rejects(summary)]
    return facts


def _rejects(summary: "Summary") -> list[Path]:
    """The rejects files; several inputs may share one."""
    return list(dict.fromkeys(each.rejects_file for each in summary.inputs if each.rejects_file))


def counts_line(counts: "Counts") -> str:
    """`10,000 read, 8,993 delivered, 7 invalid`, without what is zero."""
    found = ((name, getattr(counts, name)) for name in COUNTS)
    return ", ".join(
        f"{number(n)} {name.replace('_', ' ')}" for name, n in found if n or name == "read"
    )


def _is_well(summary: "Summary") -> bool:
    return summary.verdict is ExitCode.OK


def _died(summary: "Summary") -> bool:
    """Whether the run ended before anything came of it."""
    counts = summary.counts
    return summary.error is not None and not (
        counts.delivered + counts.already_delivered + counts.invalid + counts.rejected
    )


def _result(summary: "Summary") -> str:
    counts = summary.counts
    if not counts.read:
        return "no events in the input" if _is_well(summary) else "nothing was sent"
    if summary.dry_run:
        return f"dry run: {count_of(summary.to_send, 'event')} would be sent, nothing was"
    events = summary.events
    now, earlier = counts.delivered, counts.already_delivered
    if earlier and not now:
        share = "" if earlier == events else f" of {count_of(events, 'event')}"
        return f"0 sent now, {number(earlier)}{share} delivered earlier"
    share = "" if now + earlier == events else f"{number(now + earlier)} of "
    when = f", {number(earlier)} of them earlier" if earlier else ""
    return f"{share}{count_of(events, 'event')} delivered{when}"


def _time(summary: "Summary") -> str:
    requests = count_of(summary.attempts, "request")
    speed = f", {rate(summary.events_per_s)}" if summary.events_per_s else ""
    return f"{duration(summary.elapsed_s)}, {requests}{speed}"


def closing(summary: "Summary") -> Closing:
    """Why the run is no success, and what leads to one."""
    error, hints = summary.error or _undelivered(summary), _next_steps(summary)
    leads = not summary.error or (summary.resume and summary.error.reason == "max_time")
    if error is not None and hints and leads:
        error = error.changed(hint=hints.pop(0))  # the hint of an error is printed under `-q` too
    kept = []
    if error is not None and summary.counts.read:
        kept = [f"events: {counts_line(summary.counts)}"]
        kept += [f"rejects: {path}" for path in _rejects(summary)]
    return Closing(
        errors=[error] if error else [],
        hints=hints,
        warning=_forgiven(summary),
        done=_result(summary),
        kept=kept,
        died=_died(summary),
    )


def _forgiven(summary: "Summary") -> str:
    if summary.exit_code is summary.verdict:
        return ""
    return f"`--allow-failure` turns exit code {int(summary.verdict)} into 0"


def _next_steps(summary: "Summary") -> list[str]:
    hints = []
    counts, error = summary.counts, summary.error
    if summary.resume and summary.cut_pipe:
        again = f"to go on, run the whole pipe again: `… | {summary.resume}`"
        hints.append(f"{again}; what was delivered is not sent twice")
    elif summary.resume and not (error and summary.resume in error.hint):
        first = "then, " if error and error.exit_code in MENDED_FIRST else ""
        whole = ", which sends all of it again with the same ids" if summary.restarts else ""
        hints.append(f"{first}to go on, `{summary.resume}`{whole}")
    rejects = [_path(path) for path in _rejects(summary)]
    if rejects and (counts.invalid or counts.rejected or not summary.cut_pipe):
        mend = "mend what is in the rejects file, then " if counts.invalid + counts.rejected else ""
        command = " ".join(filter(None, ("reo send-file", *rejects, summary.where)))
        hints.append(f"{mend or 'to send what was read, '}`{command}`")
    return hints


def _path(path: Path) -> str:
    """A path as a command takes it, also one that begins like an option."""
    return pasted(f"./{path}" if str(path).startswith("-") else str(path))


def _undelivered(summary: "Summary") -> ReoError | None:
    """The error of a run that went to its end and is no success."""
    if _is_well(summary):
        return None
    ends = ("invalid", "rejected", "errored", "unsent")
    found = [f"{number(value)} {end}" for end in ends if (value := getattr(summary.counts, end))]
    message = f"not every event was delivered: {', '.join(found)}"
    return ReoError(summary.verdict, "not_delivered", message)


VIEW = View("send-file", blank, shape, content, closing, issues_of, settled_shape)

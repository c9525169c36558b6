"""What `reo ledger` found and did, for programs (its JSON) and for people (its content)."""

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from reo_cli.errors import ReoError
from reo_cli.reports.json_output import JsonOutput, error_shape
from reo_cli.reports.report import Form, People, Report
from reo_cli.reports.view import Closing, Column, Content, Fact, Grid, Shape, View
from reo_cli.reports.words import count_of, instant, number

if TYPE_CHECKING:
    from reo_cli.delivery.ledger.admin import Holding, LedgerInfo, LedgerResult
    from reo_cli.reports.streams import Streams
    from reo_cli.reports.talk import Talk

SCHEMA = "reo.ledger/1"

Action = Literal["info", "prune", "merge"]


def ledger_report(
    action: Action, output: str | None, streams: "Streams", talk: "Talk"
) -> "Report[LedgerResult]":
    """The report of a `reo ledger` command; `output` is `table`, `json` or None."""
    view = view_of(action)
    form: Form[LedgerResult] | None = None
    if output == "json":
        form = JsonOutput(streams.out, view, time.time())
    elif not talk.quiet:
        form = People(streams.out, view, table=output == "table" or streams.out.terminal)
    return Report(view, form, None, None, streams, talk)


def view_of(action: Action) -> "View[LedgerResult]":
    """Say what the results of one of the three commands are."""

    def blank(error: ReoError) -> "LedgerResult":
        from reo_cli.delivery.ledger.admin import LedgerResult

        return LedgerResult(action, error=error)

    return View("ledger", blank, shape, content, closing)


def shape(result: "LedgerResult") -> Shape:
    """The JSON of a result; sizes are in bytes, times are epoch seconds."""
    info = result.info
    return {
        "schema": SCHEMA,
        "action": result.action,
        "status": "failed" if result.error else "success",
        "exit_code": int(result.exit_code),
        "path": info.path if info else None,
        "size": info.size if info else None,
        "schema_version": info.schema_version if info else None,
        "created_at": info.created if info else None,
        "events": info.events if info else None,
        "oldest": info.oldest if info else None,
        "newest": info.newest if info else None,
        "scopes": [_scope_shape(each) for each in info.holdings] if info else [],
        **_deed(result),
        "error": error_shape(result.error),
    }


def _scope_shape(each: "Holding") -> Shape:
    return {
        "endpoint": each.endpoint,
        "account": each.account,
        "key": each.key,
        "family": each.id,
        "events": each.events,
        "oldest": each.oldest,
        "newest": each.newest,
    }


def _deed(result: "LedgerResult") -> Shape:
    if result.action == "prune":
        return {"removed": result.removed, "dry_run": result.dry_run}
    if result.action == "merge":
        return {"read": result.read, "taken": result.taken}
    return {}


def content(result: "LedgerResult", screen: bool) -> Content:
    """What was done, what the ledger is, and what it holds for whom."""
    info = result.info
    if info is None:
        return Content()
    if result.action != "info":
        held = f"{info.path} holds {count_of(info.events, 'event')}"
        return Content(facts=[Fact("done", _done(result)), Fact("ledger", held)])
    facts = list(_facts(info))
    if screen:
        return _screen(info.holdings, facts)
    return Content(facts=facts, lines=list(_holdings(info.holdings)))


def _done(result: "LedgerResult") -> str:
    if result.taken is not None:
        read = count_of(result.read or 0, "event")
        return f"{number(result.taken)} of {read} were new here and are taken over"
    would = "would be " * result.dry_run
    return f"{count_of(result.removed or 0, 'event')} {would}removed"


def _facts(info: "LedgerInfo") -> Iterator[Fact]:
    yield Fact("ledger", str(info.path))
    yield Fact("size", f"{number(info.size)} bytes")
    yield Fact("schema", str(info.schema_version))
    yield Fact("created", instant(info.created))
    yield Fact("events", number(info.events))
    if info.oldest is not None and info.newest is not None:
        yield Fact("delivered", f"{instant(info.oldest)} to {instant(info.newest)}")


def _screen(holdings: Sequence["Holding"], facts: list[Fact]) -> Content:
    """A row for each account; an endpoint that is that of all stands below the table."""
    heads = [Column("account"), Column("events"), Column("last delivery"), Column("endpoint")]
    rows = [
        (each.account or f"key {each.key}", each.events, instant(each.newest), each.endpoint)
        for each in holdings
    ]
    endpoints = {each.endpoint for each in holdings}
    if len(endpoints) != 1:
        return Content(Grid(heads, rows) if rows else None, facts)
    facts.append(Fact("endpoint", holdings[0].endpoint))
    return Content(Grid(heads[:3], [row[:3] for row in rows]), facts)


def _holdings(holdings: Sequence["Holding"]) -> Iterator[str]:
    """One line for each account."""
    for each in holdings:
        events, last = count_of(each.events, "event"), instant(each.newest)
        who = f"account {each.account}" if each.account else f"the key with fingerprint {each.key}"
        yield f"{events} to {each.endpoint} for {who}, the last one {last}"


def closing(result: "LedgerResult") -> Closing:
    """What went wrong, if anything did."""
    return Closing([result.error] if result.error else [])

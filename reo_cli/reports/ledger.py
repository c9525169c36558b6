"""What `reo ledger` found and did, for programs (its JSON) and for people (its content)."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from reo_cli.errors import ReoError
from reo_cli.records import Issue
from reo_cli.reports.command import Command
from reo_cli.reports.content import Closing, Content, Fact
from reo_cli.reports.machine import JsonForm, Shape, error_shape
from reo_cli.reports.people import PeopleForm
from reo_cli.reports.quiet import NoForm, NoMeter
from reo_cli.reports.report import Report
from reo_cli.reports.words import count_of, instant, number

if TYPE_CHECKING:
    from reo_cli.delivery.ledger.admin import Holding, LedgerInfo, LedgerResult
    from reo_cli.reports.command import Form
    from reo_cli.reports.streams import Streams
    from reo_cli.reports.talk import Talk

SCHEMA = "reo.ledger/1"

Action = Literal["info", "prune", "merge"]


def ledger_report(
    action: Action, output: str | None, streams: "Streams", talk: "Talk"
) -> "Report[LedgerResult]":
    """The report of a `reo ledger` command; `output` is `table`, `json` or None."""
    command = command_of(action)
    form: Form[LedgerResult] = NoForm()
    if output == "json":
        form = JsonForm(streams.out, command)
    elif not talk.quiet:
        as_table = output == "table" or streams.out.terminal
        form = PeopleForm(streams.out, command, "table" if as_table else "text")
    return Report(command, form, None, NoMeter(), streams, talk)


def command_of(action: Action) -> "Command[LedgerResult]":
    """Say what the results of one of the three commands are."""

    def blank(error: ReoError) -> "LedgerResult":
        from reo_cli.delivery.ledger.admin import LedgerResult

        return LedgerResult(action, error=error)

    return Command("ledger", blank, shape, issues_of, content, closing)


def shape(result: "LedgerResult") -> Shape:
    """The JSON of a result; sizes are in bytes, times are epoch seconds."""
    info = result.info
    return {
        "schema": SCHEMA,
        "action": result.action,
        "status": "failed" if result.error else "success",
        "exit_code": int(result.exit_code),
        "path": result.path,
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
        merged = result.merged
        return {
            "read": merged.read if merged else None,
            "taken": merged.taken if merged else None,
        }
    return {}


def issues_of(_result: "LedgerResult") -> tuple[Sequence[Issue], int, int]:
    """No issues: a ledger holds nothing to find fault with."""
    return (), 0, 0


def content(result: "LedgerResult") -> Content:
    """What was done, what the ledger is, and what it holds for whom."""
    info = result.info
    if info is None:
        return Content()
    if result.action == "info":
        return Content(facts=list(_facts(info)), lines=list(_holdings(info.holdings)))
    return Content(
        facts=[
            Fact("done", _done(result)),
            Fact("ledger", f"{info.path} holds {count_of(info.events, 'event')}"),
        ]
    )


def _done(result: "LedgerResult") -> str:
    if result.merged is not None:
        read = count_of(result.merged.read, "event")
        return f"{number(result.merged.taken)} of {read} were new here and are taken over"
    would = "would be " * result.dry_run
    return f"{count_of(result.removed or 0, 'event')} {would}removed"


def _facts(info: "LedgerInfo") -> Iterator[Fact]:
    yield Fact("ledger", str(info.path))
    yield Fact("size", f"{number(info.size)} bytes")
    yield Fact("schema", str(info.schema_version))
    yield Fact("made", instant(info.created))
    yield Fact("events", number(info.events))
    if info.oldest is not None and info.newest is not None:
        yield Fact("delivered", f"{instant(info.oldest)} to {instant(info.newest)}")


def _holdings(holdings: Sequence["Holding"]) -> Iterator[str]:
    """One line for each account."""
    for each in holdings:
        who = f"account {each.account}" if each.account else f"the key with fingerprint {each.key}"
        events, last = count_of(each.events, "event"), instant(each.newest)
        yield f"{events} to {each.endpoint} for {who}, the last one {last}"


def closing(result: "LedgerResult") -> Closing:
    """What went wrong, if anything did."""
    return Closing([result.error] if result.error else [])

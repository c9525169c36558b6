"""What `reo ledger` found and did, for programs and for people."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from reo_cli.delivery.ledger.admin import Holding, LedgerInfo, LedgerResult
from reo_cli.errors import ReoError
from reo_cli.reports.report import Output, Report
from reo_cli.reports.view import Block, Column, Fact, Grid, Line, Shape, View, error_shape
from reo_cli.reports.words import count_of, instant

if TYPE_CHECKING:
    from reo_cli.reports.streams import Streams
    from reo_cli.reports.talk import Talk

Action = Literal["info", "prune", "merge"]

_HEADS = (Column("account"), Column("events"), Column("last delivery"), Column("endpoint"))


class LedgerReport(Report[LedgerResult]):
    """The report of one of the `reo ledger` commands."""

    name = "ledger"
    issue_forms = ()

    def __init__(
        self, action: Action, output: Output | None, streams: "Streams", talk: "Talk"
    ) -> None:
        super().__init__(output, streams, talk)
        self._action = action

    def blank(self, error: ReoError) -> LedgerResult:
        """The result of a command that could not begin."""
        return LedgerResult(self._action, error=error)

    def view(self, result: LedgerResult, *, screen: bool) -> View:
        """What was done, what the ledger is, and what it holds for whom."""
        error = result.error
        return View(
            "failed" if error else "success",
            result.exit_code,
            _shape(result),
            _blocks(result, result.info, screen) if result.info else (),
            errors=[error] if error else [],
        )


def _shape(result: LedgerResult) -> Shape:
    """The JSON of a result; sizes are in bytes, times are epoch seconds."""
    info = result.info
    deeds: dict[Action, Shape] = {
        "info": {},
        "prune": {"removed": result.removed, "dry_run": result.dry_run},
        "merge": {"read": result.read, "taken": result.taken},
    }
    return {
        "action": result.action,
        "path": info and info.path,
        "size": info and info.size,
        "schema_version": info and info.schema_version,
        "created_at": info and info.created,
        "events": info and info.events,
        "oldest": info and info.oldest,
        "newest": info and info.newest,
        "scopes": [_scope_shape(each) for each in info.holdings] if info else [],
        **deeds[result.action],
        "error": error_shape(result.error),
    }


def _scope_shape(each: Holding) -> Shape:
    return {
        "endpoint": each.endpoint,
        "account": each.account,
        "key": each.key,
        "family": each.id,
        "events": each.events,
        "oldest": each.oldest,
        "newest": each.newest,
    }


def _blocks(result: LedgerResult, info: LedgerInfo, screen: bool) -> Sequence[Block]:
    if result.action != "info":
        held = f"{info.path} holds {count_of(info.events, 'event')}"
        return [[Fact("done", _done(result)), Fact("ledger", held)]]
    facts = [
        Fact("ledger", str(info.path)),
        Fact("size", f"{info.size:,} bytes"),
        Fact("schema", str(info.schema_version)),
        Fact("created", instant(info.created)),
        Fact("events", f"{info.events:,}"),
    ]
    if info.oldest is not None and info.newest is not None:
        facts.append(Fact("delivered", f"{instant(info.oldest)} to {instant(info.newest)}"))
    if screen and info.holdings:
        return _table(info.holdings, facts)
    return [facts, [Line(_held(each)) for each in info.holdings]]


def _done(result: LedgerResult) -> str:
    if result.taken is not None:
        read = count_of(result.read or 0, "event")
        return f"{result.taken:,} of {read} were new here and are taken over"
    would = "would be " * result.dry_run
    return f"{count_of(result.removed or 0, 'event')} {would}removed"


def _table(holdings: Sequence[Holding], facts: Sequence[Fact]) -> Sequence[Block]:
    """A row for each account; an endpoint that is that of all stands below the table."""
    rows = [
        (each.account or f"key {each.key}", each.events, instant(each.newest), each.endpoint)
        for each in holdings
    ]
    if len({each.endpoint for each in holdings}) > 1:
        return [Grid(_HEADS, rows), facts]
    endpoint = Fact("endpoint", holdings[0].endpoint)
    return [Grid(_HEADS[:3], [row[:3] for row in rows]), [*facts, endpoint]]


def _held(each: Holding) -> str:
    who = f"account {each.account}" if each.account else f"the key with fingerprint {each.key}"
    last = instant(each.newest)
    return f"{count_of(each.events, 'event')} to {each.endpoint} for {who}, the last one {last}"

"""What `reo ledger` found and did, for programs and for people."""

from collections.abc import Sequence
from typing import Literal

from reo_cli.delivery.ledger.admin import Holding, LedgerInfo, LedgerResult
from reo_cli.errors import ReoError
from reo_cli.reports.json_output import error_shape, picked
from reo_cli.reports.report import Report
from reo_cli.reports.streams import Tone
from reo_cli.reports.view import Block, Fact, Grid, Line, Shape, View
from reo_cli.reports.words import count_of, instant

Action = Literal["info", "prune", "merge"]

_HEADS: dict[str, Tone] = {"account": "", "events": "", "last delivery": "", "endpoint": ""}
_DEEDS = {"info": "", "prune": "removed dry_run", "merge": "read taken"}


class LedgerReport(Report[LedgerResult]):
    """The report of the `reo ledger` command that `action` names."""

    name = "ledger"
    action: Action = "info"

    def blank(self, error: ReoError) -> LedgerResult:
        """The result of a command that could not begin."""
        return LedgerResult(self.action, error=error)

    def view(self, result: LedgerResult, *, screen: bool) -> View:
        """What was done, what the ledger is, and what it holds for whom."""
        info = result.info
        shape = {
            "action": result.action,
            **picked(info, "path size schema_version"),
            "created_at": info and info.created,
            **picked(info, "events oldest newest"),
            "scopes": [_scope_shape(each) for each in info.holdings] if info else [],
            **picked(result, _DEEDS[result.action]),
            "error": error_shape(result.error),
        }
        blocks: Sequence[Block] = []
        if info and result.action == "info":
            blocks = _held(info, screen)
        elif info:
            held = f"{info.path} holds {count_of(info.events, 'event')}"
            blocks = [[Fact("done", _done(result)), Fact("ledger", held)]]
        status = "failed" if result.error else "success"
        return View(status, result.exit_code, shape, blocks, errors=[result.error])


def _scope_shape(each: Holding) -> Shape:
    scope = picked(each, "endpoint account key")
    return {**scope, "family": each.id, **picked(each, "events oldest newest")}


def _done(result: LedgerResult) -> str:
    if result.taken is not None:
        read = count_of(result.read or 0, "event")
        return f"{result.taken:,} of {read} were new here and are taken over"
    would = "would be " * result.dry_run
    return f"{count_of(result.removed or 0, 'event')} {would}removed"


def _held(info: LedgerInfo, screen: bool) -> Sequence[Block]:
    """A screen gets a row for each account, and an endpoint that is that of all below them."""
    facts = [
        Fact("ledger", str(info.path)),
        Fact("size", f"{info.size:,} bytes"),
        Fact("schema", str(info.schema_version)),
        Fact("created", instant(info.created)),
        Fact("events", f"{info.events:,}"),
    ]
    if info.oldest is not None and info.newest is not None:
        facts.append(Fact("delivered", f"{instant(info.oldest)} to {instant(info.newest)}"))
    holdings = info.holdings
    if not (screen and holdings):
        return [facts, [_line(each) for each in holdings]]
    is_shared = len({each.endpoint for each in holdings}) == 1
    rows = []
    for each in holdings:
        endpoint = "" if is_shared else each.endpoint
        who = each.account or f"key {each.key}"
        rows.append((who, each.events, instant(each.newest), endpoint))
    if is_shared:
        facts.append(Fact("endpoint", holdings[0].endpoint))
    return [Grid(_HEADS, rows), facts]


def _line(each: Holding) -> Line:
    who = f"account {each.account}" if each.account else f"the key with fingerprint {each.key}"
    events, last = count_of(each.events, "event"), instant(each.newest)
    return Line(f"{events} to {each.endpoint} for {who}, the last one {last}")

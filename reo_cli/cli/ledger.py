"""`reo ledger`: options in, one function of `delivery.ledger.admin`, its result to a report."""

from pathlib import Path
from typing import TYPE_CHECKING

from reo_cli.cli import options as opt
from reo_cli.cli import parsing
from reo_cli.cli.command import argument, command
from reo_cli.cli.pages import Group

if TYPE_CHECKING:
    from reo_cli.reports.ledger import Action, LedgerReport
    from reo_cli.settings import Settings


class Shared(opt.Ledger, opt.Plain, opt.Where):
    """The options of every subcommand."""

    quiet: bool = opt.showing("--quiet -q  No result; errors stay.")

    def begin(self, action: "Action") -> "tuple[Settings, LedgerReport]":
        """Open the report of a command, and resolve the settings."""
        from reo_cli.reports.ledger import LedgerReport

        report = self.reported(LedgerReport)
        report.action = action
        return self.settings(report.talk, offline=True), report


class Prune(Shared):
    """The options of `ledger prune`."""

    keep_days: int | None = opt.memory(
        "--keep-days N  Days to keep. Default: the setting ledger_keep_days.", parsing.whole
    )
    dry_run: bool = opt.memory("--dry-run  Count what would be removed; remove nothing.")


class Merge(Shared):
    """The options of `ledger merge`."""

    file: Path = argument("FILE  Another ledger; it is only read.", parsing.path, required=True)
    account: str | None = opt.Sending.account


@command("info", Shared, "Show where the ledger is and what it holds, by endpoint and account.")
def _info(options: Shared) -> int:
    from reo_cli.delivery.ledger.admin import LedgerResult, describe

    settings, report = options.begin("info")
    return report.finish(LedgerResult("info", describe(settings.require_ledger())))


@command("prune", Prune, "Forget what was delivered long ago; it would be sent again.")
def _prune(options: Prune) -> int:
    import time

    from reo_cli.delivery.ledger.admin import pruned

    settings, report = options.begin("prune")
    days = settings.ledger_keep_days if options.keep_days is None else options.keep_days
    path = settings.require_ledger()
    return report.finish(pruned(path, days, time.time, dry_run=options.dry_run))


@command("merge", Merge, "Take in what another ledger holds, such as that of another machine.")
def _merge(options: Merge) -> int:
    import time

    from reo_cli.cli import orders
    from reo_cli.delivery.ledger.admin import merged

    settings, report = options.begin("merge")
    key = orders.key_if_any(settings)
    result = merged(settings.require_ledger(), options.file, time.time, key, settings.account)
    return report.finish(result)


ledger = Group(commands=[_info, _prune, _merge])

"""`reo ledger`: options in, one function of `delivery.ledger.admin`, its result to a report."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from reo_cli.cli import options as opt
from reo_cli.cli import parsing
from reo_cli.cli.command import argument, command, new_app, option

if TYPE_CHECKING:
    from reo_cli.delivery.ledger.admin import LedgerResult
    from reo_cli.reports.ledger import Action
    from reo_cli.settings import Settings

ledger_app = new_app(help="Look after what has been delivered.", no_args_is_help=True)


class Shared(opt.Ledger, opt.Plain, opt.Where):
    """The options of every subcommand."""

    quiet: bool = opt.showing("--quiet -q", "No result; errors stay.")


class Prune(Shared):
    """The options of `ledger prune`."""

    keep_days: int | None = option(
        opt.MEMORY,
        "--keep-days N",
        "Days to keep. Default: the setting ledger_keep_days.",
        read=parsing.whole,
    )
    dry_run: bool = option(opt.MEMORY, "--dry-run", "Count what would be removed; remove nothing.")


class Merge(Shared):
    """The options of `ledger merge`."""

    file: Path = argument("FILE", "Another ledger; it is only read.", read=parsing.path)
    account: str | None = opt.Sending.account


@command(
    *(ledger_app, "info", Shared),
    "Show where the ledger is and what it holds, by endpoint and account.",
)
def info(options: Shared) -> int:
    """Show what a ledger holds."""

    def look(settings: "Settings") -> "LedgerResult":
        from reo_cli.delivery.ledger.admin import LedgerResult, describe

        return LedgerResult("info", describe(settings.ledger))

    return _report("info", look, options)


@command(ledger_app, "prune", Prune, "Forget what was delivered long ago; it would be sent again.")
def prune(options: Prune) -> int:
    """Forget old entries."""

    def forget(settings: "Settings") -> "LedgerResult":
        import time

        from reo_cli.delivery.ledger.admin import pruned

        days = options.keep_days
        kept = settings.ledger_keep_days if days is None else days
        return pruned(settings.ledger, kept, time.time, dry_run=options.dry_run)

    return _report("prune", forget, options)


@command(
    *(ledger_app, "merge", Merge),
    "Take in what another ledger holds, such as that of another machine.",
)
def merge(options: Merge) -> int:
    """Take in another ledger."""

    def take(settings: "Settings") -> "LedgerResult":
        import time

        from reo_cli.cli import orders
        from reo_cli.delivery.ledger.admin import merged

        key = orders.key_if_any(settings)
        return merged(settings.ledger, options.file, time.time, key, settings.account)

    return _report("merge", take, options)


def _report(action: "Action", work: "Callable[[Settings], LedgerResult]", options: Shared) -> int:
    """Resolve the settings, do the work, report its result or its error."""
    from reo_cli.errors import ExitCode, ReoError
    from reo_cli.reports import Streams, Talk
    from reo_cli.reports.ledger import LedgerReport

    streams = Streams.standard()
    talk = Talk(streams.err, quiet=options.quiet)
    report = LedgerReport(action, options.output, streams, talk)
    try:
        return report.finish(work(options.settings(talk, offline=True)))
    except ReoError as error:
        if error.exit_code is ExitCode.USAGE:
            raise
        return report.failed(error)

"""`reo ledger`: options in, one function of `delivery.ledger.info`, its result to a report."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reo_cli.cli import options as opt
from reo_cli.cli.manual import Command, Group

if TYPE_CHECKING:
    from reo_cli.cli.gather import Where
    from reo_cli.delivery.ledger.info import LedgerResult
    from reo_cli.reports.ledger import Action
    from reo_cli.settings import Settings

ledger_app = typer.Typer(
    cls=Group,
    help="Look after what has been delivered.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)


Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No result; errors stay.")]


@ledger_app.command(cls=Command)
def info(
    ledger: opt.LedgerPath = None,
    output: opt.PlainOption = None,
    quiet: Quiet = False,
    profile: opt.Profile = None,
    env_file: opt.EnvFile = None,
    no_env_file: opt.NoEnvFile = False,
) -> None:
    """Show where the ledger is and what it holds, by endpoint and account."""
    from reo_cli.cli.gather import Where

    def look(settings: "Settings") -> "LedgerResult":
        from reo_cli.delivery.ledger.info import LedgerResult, describe

        return LedgerResult("info", settings.ledger, describe(settings.ledger))

    where = Where(profile, env_file, no_env_file)
    raise typer.Exit(_report("info", look, ledger, where, output, quiet))


@ledger_app.command(cls=Command)
def prune(
    keep_days: Annotated[
        str | None,
        typer.Option(
            "--keep-days", metavar="N", help="Days to keep. Default: the setting ledger_keep_days."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count what would be removed; remove nothing.")
    ] = False,
    ledger: opt.LedgerPath = None,
    output: opt.PlainOption = None,
    quiet: Quiet = False,
    profile: opt.Profile = None,
    env_file: opt.EnvFile = None,
    no_env_file: opt.NoEnvFile = False,
) -> None:
    """Forget what was delivered long ago; it would be sent again."""
    from reo_cli.cli.gather import Where

    days = opt.whole("--keep-days", keep_days)

    def forget(settings: "Settings") -> "LedgerResult":
        import time

        from reo_cli.delivery.ledger.info import pruned

        kept = settings.ledger_keep_days if days is None else days
        return pruned(settings.ledger, kept, time.time, dry_run=dry_run)

    where = Where(profile, env_file, no_env_file)
    raise typer.Exit(_report("prune", forget, ledger, where, output, quiet))


@ledger_app.command(cls=Command)
def merge(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Another ledger; it is only read.")],
    ledger: opt.LedgerPath = None,
    output: opt.PlainOption = None,
    quiet: Quiet = False,
    profile: opt.Profile = None,
    env_file: opt.EnvFile = None,
    no_env_file: opt.NoEnvFile = False,
) -> None:
    """Take in what another ledger holds, such as that of another machine."""
    from reo_cli.cli.gather import Where

    def take(settings: "Settings") -> "LedgerResult":
        import time

        from reo_cli.delivery.ledger.info import merged

        return merged(settings.ledger, file, time.time)

    where = Where(profile, env_file, no_env_file)
    raise typer.Exit(_report("merge", take, ledger, where, output, quiet))


def _report(
    action: "Action",
    work: "Callable[[Settings], LedgerResult]",
    ledger: str | None,
    where: "Where",
    output: opt.Plain | None,
    quiet: bool,
) -> int:
    """Resolve the settings, do the work, report its result or its error."""
    from reo_cli.cli.gather import Display, settings_of, tell
    from reo_cli.errors import ReoError
    from reo_cli.reports.ledger import ledger_report

    display = Display("json" if output is opt.Plain.JSON else None, quiet, False)
    streams, talk = display.open()
    report = ledger_report(action, output.value if output else None, streams, talk)
    try:
        settings = settings_of({"ledger": ledger}, where, offline=True)
        tell(settings, talk)
        return report.finish(work(settings))
    except ReoError as error:
        return display.failed(report, error)

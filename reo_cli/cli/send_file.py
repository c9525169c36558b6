"""`reo send-file`: options in, `delivery.upload`, its summary to a report."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reo_cli.cli import options as opt
from reo_cli.cli.manual import Command

if TYPE_CHECKING:
    from contextlib import ExitStack

    from reo_cli.cli.gather import Display, ReadingFlags, Where
    from reo_cli.delivery.order import Order
    from reo_cli.settings import Settings

send_file_app = typer.Typer(
    rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False
)


EXAMPLES = """
Examples:
  reo send-file usage.csv --sandbox
  reo send-file usage.csv -p reoWebApp --map domain=Company --extra meta
  psql --csv -f usage.sql | reo send-file - --lock nightly
"""


@dataclass(frozen=True)
class SendingFlags:
    """The options that say how events are sent, read but not yet resolved."""

    id_from: str | None
    on_change: str
    resend: bool
    key_rotated: bool
    no_ledger: bool
    skip_invalid: bool
    rejects: Path | None
    max_rejects: int
    limit: int | None
    shard: str | None
    max_time: float | None
    give_up_after: float
    lock_name: str | None
    wait: float
    dry_run: bool
    sandbox: bool
    allow_failure: bool


@send_file_app.command(cls=Command, epilog=EXAMPLES)
def send_file(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Files; - is stdin.")],
    format: opt.FormatOption = opt.Format.AUTO,  # noqa: A002 - the option's name
    encoding: opt.Encoding = None,
    delimiter: opt.Delimiter = None,
    activity_type: opt.ActivityType = None,
    product_id: opt.ProductId = None,
    environment: opt.Environment = None,
    map_: opt.Map = None,
    set_: opt.Set = None,
    default: opt.Default = None,
    extra: opt.ExtraOption = None,
    ignore: opt.Ignore = None,
    date_format: opt.DateFormat = None,
    skip_invalid: Annotated[
        bool,
        typer.Option(
            "--skip-invalid",
            help="Send the valid records; the others go to the rejects file.",
            rich_help_panel=opt.SENDING,
        ),
    ] = False,
    rejects: Annotated[
        Path | None,
        typer.Option(
            "--rejects",
            metavar="FILE",
            help="Takes what was not delivered. Default: beside the input.",
            rich_help_panel=opt.SENDING,
        ),
    ] = None,
    max_rejects: Annotated[
        str,
        typer.Option(
            "--max-rejects",
            metavar="N",
            help="Stop at N rejections before a first delivery. Default: 100; 0: go on.",
            show_default=False,
            rich_help_panel=opt.SENDING,
        ),
    ] = "100",
    id_from: Annotated[
        str | None,
        typer.Option(
            "--id-from",
            metavar="FIELD,...",
            help="Fields that identify an event. Default: all of it, and its occurrence.",
            rich_help_panel=opt.MEMORY,
        ),
    ] = None,
    on_change: Annotated[
        opt.OnChange,
        typer.Option(
            "--on-change",
            metavar="WHAT",
            help="For events delivered before with other content: error, skip or send. "
            "Default: error.",
            show_default=False,
            rich_help_panel=opt.MEMORY,
        ),
    ] = opt.OnChange.ERROR,
    resend: Annotated[
        bool,
        typer.Option(
            "--resend", help="Send what was delivered before, too.", rich_help_panel=opt.MEMORY
        ),
    ] = False,
    ledger: opt.LedgerPath = None,
    no_ledger: Annotated[
        bool,
        typer.Option(
            "--no-ledger", help="Remember nothing after this run.", rich_help_panel=opt.MEMORY
        ),
    ] = False,
    account: opt.Account = None,
    key_rotated: Annotated[
        bool,
        typer.Option(
            "--key-rotated",
            help="The key is new, the account is the same.",
            rich_help_panel=opt.MEMORY,
        ),
    ] = False,
    concurrency: Annotated[
        str | None,
        typer.Option(
            "--concurrency",
            metavar="N",
            help="Requests at once, 1 to 256. Default: 8.",
            rich_help_panel=opt.SENDING,
        ),
    ] = None,
    rate: Annotated[
        str | None,
        typer.Option(
            "--rate",
            metavar="N",
            help="Events a second at most.",
            rich_help_panel=opt.SENDING,
        ),
    ] = None,
    timeout: opt.Timeout = None,
    retries: opt.Retries = None,
    max_time: opt.MaxTime = None,
    give_up_after: Annotated[
        str,
        typer.Option(
            "--give-up-after",
            metavar="S",
            help="Stop after S seconds without a delivery. Default: 120.",
            show_default=False,
            rich_help_panel=opt.SENDING,
        ),
    ] = "120",
    limit: Annotated[
        str | None,
        typer.Option(
            "--limit",
            metavar="N",
            help="Send N new events at most.",
            rich_help_panel=opt.SENDING,
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard",
            metavar="I/N",
            help="Only this share of the events, such as 1/4.",
            rich_help_panel=opt.SENDING,
        ),
    ] = None,
    lock: Annotated[
        str | None,
        typer.Option(
            "--lock",
            metavar="NAME",
            help="Hold a lock of this name too: for runs that read stdin.",
            rich_help_panel=opt.SENDING,
        ),
    ] = None,
    wait: Annotated[
        str,
        typer.Option(
            "--wait",
            metavar="S",
            help="Seconds to wait for another run's lock. Default: 0.",
            show_default=False,
            rich_help_panel=opt.SENDING,
        ),
    ] = "0",
    endpoint: opt.Endpoint = None,
    api_key_file: opt.ApiKeyFile = None,
    ca_bundle: opt.CaBundle = None,
    dry_run: opt.DryRun = False,
    sandbox: opt.SandboxFlag = False,
    allow_failure: opt.AllowFailure = False,
    max_issues: opt.MaxIssues = "100",
    output: opt.OutputOption = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
    profile: opt.Profile = None,
    env_file: opt.EnvFile = None,
    no_env_file: opt.NoEnvFile = False,
) -> None:
    """Send the events of files or a pipe, each one once.

    Files are checked to their ends before the first request: when anything is wrong, nothing is
    sent. What has been delivered is remembered and not sent again, so a run that stopped is
    resumed by the same command.
    """
    from reo_cli.cli.gather import Display, ReadingFlags, Where

    reading = ReadingFlags(
        format=format.value,
        encoding=encoding,
        delimiter=delimiter,
        map=map_,
        set=set_,
        default=default,
        extra=extra.value if extra else None,
        ignore=ignore,
        date_format=date_format,
        activity_type=activity_type,
        product_id=product_id,
        environment=environment,
    )
    sending = SendingFlags(
        id_from=id_from,
        on_change=on_change.value,
        resend=resend,
        key_rotated=key_rotated,
        no_ledger=no_ledger,
        skip_invalid=skip_invalid,
        rejects=_rejects_path(rejects),
        max_rejects=opt.whole("--max-rejects", max_rejects) or 0,
        limit=opt.whole("--limit", limit),
        shard=shard,
        max_time=opt.seconds("--max-time", max_time),
        give_up_after=opt.seconds("--give-up-after", give_up_after) or 0.0,
        lock_name=_lock_name(lock),
        wait=opt.seconds("--wait", wait) or 0.0,
        dry_run=dry_run,
        sandbox=sandbox,
        allow_failure=allow_failure,
    )
    flags = {
        "endpoint": endpoint,
        "account": account,
        "api_key_file": api_key_file,
        "ca_bundle": ca_bundle,
        "ledger": ledger,
        "timeout": timeout,
        "retries": retries,
        "concurrency": concurrency,
        "rate": rate,
    }
    kept = opt.whole("--max-issues", max_issues) or 0
    display = Display(output.value if output else None, quiet, verbose)
    where = Where(profile, env_file, no_env_file)
    raise typer.Exit(_send(files, reading, sending, flags, kept, display, where))


def _lock_name(text: str | None) -> str | None:
    if text is not None and not text.strip():
        raise opt.usage("--lock", text, "is no name", "a variable in the command is empty")
    return text


def _rejects_path(path: Path | None) -> Path | None:
    if path == Path("-"):
        raise opt.usage("--rejects", "-", "is no file", "rejects go to a file: name one")
    return path


def _send(
    files: list[str],
    reading: "ReadingFlags",
    sending: SendingFlags,
    flags: dict[str, str | None],
    kept: int,
    display: "Display",
    where: "Where",
) -> int:
    import time
    from contextlib import ExitStack

    from reo_cli.cli.gather import settings_of, tell
    from reo_cli.cli.listening import ReportListener
    from reo_cli.delivery.upload import upload
    from reo_cli.errors import ReoError
    from reo_cli.issues import IssueLog
    from reo_cli.reports import send_file_report

    streams, talk = display.open()
    with (
        ExitStack() as stack,
        send_file_report(
            display.output, streams, talk, clock=time.monotonic, max_issues=kept
        ) as report,
    ):
        try:
            settings = settings_of(flags, where, offline=sending.dry_run or sending.sandbox)
            tell(settings, talk)
            order = _order(files, reading, sending, settings, stack)
        except ReoError as error:
            return display.failed(report, error)
        streams.mask.hide(order.key or "")
        log = IssueLog(kept, listen=report.issue)
        listener = ReportListener(report, lists_records=display.output == "ndjson")
        return report.finish(upload(order, log, listener))


def _order(
    files: list[str],
    reading: "ReadingFlags",
    sending: SendingFlags,
    settings: "Settings",
    stack: "ExitStack",
) -> "Order":
    """Put together what the run is asked to do; raises ReoError 2 or 78."""
    import sys

    from reo_cli.cli import STARTED, gather
    from reo_cli.delivery.decide import Identity
    from reo_cli.delivery.order import LedgerOptions, Order
    from reo_cli.delivery.policy import Policy

    options, rules = gather.reading(reading, settings, files)
    identity = Identity(
        id_from=gather.id_from(sending.id_from, settings),
        on_change=gather.on_change(sending.on_change),
        shard=gather.shard(sending.shard),
    )
    goal = gather.goal(settings, stack, dry_run=sending.dry_run, sandbox=sending.sandbox)
    own_ledger = None if sending.no_ledger or sending.sandbox else settings.ledger
    return Order(
        names=files,
        reading=options,
        rules=rules,
        identity=identity,
        policy=Policy(
            concurrency=settings.concurrency,
            retries=settings.retries,
            rate=settings.rate,
            max_time=sending.max_time,
            give_up_after=sending.give_up_after,
            limit=sending.limit,
            max_rejects=sending.max_rejects,
        ),
        endpoint=goal.endpoint,
        target=goal.target,
        key=goal.key,
        ledger=LedgerOptions(
            path=own_ledger,
            account=settings.account,
            key_rotated=sending.key_rotated,
            resend=sending.resend,
            keep_days=settings.ledger_keep_days,
        ),
        state=gather.state_folder(),
        started=STARTED,
        command=gather.command_line(),
        where=gather.where_words(sys.argv[1:]),
        rejects=sending.rejects,
        lock_name=sending.lock_name,
        locked=not (sending.dry_run or sending.sandbox),
        wait=sending.wait,
        skip_invalid=sending.skip_invalid,
        allow_failure=sending.allow_failure,
    )

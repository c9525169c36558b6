"""`reo send-file`: options to one order, `delivery.run`, its summary to a report."""

from pathlib import Path
from typing import TYPE_CHECKING

from reo_cli.cli import completion, parsing
from reo_cli.cli import options as opt
from reo_cli.cli.command import argument, command, filled

if TYPE_CHECKING:
    from contextlib import ExitStack

    from reo_cli.delivery.decide import OnChange, Shard
    from reo_cli.delivery.opening import Order
    from reo_cli.settings import Settings

HELP = """Send the events of files or a pipe, each one once.

Files are checked to their ends before the first request: when anything is wrong, nothing is
sent. What has been delivered is remembered and not sent again, so a run that stopped is
resumed by the same command.
"""

EXAMPLES = """
Examples:
  reo send-file usage.csv --sandbox
  reo send-file usage.csv -p reoWebApp --map domain=Company --extra meta
  psql --csv -f usage.sql | reo send-file - --lock nightly
"""


class SendFile(opt.Reading, opt.Sending, opt.Where, opt.Display):
    """The options of `send-file`."""

    files: tuple[str, ...] = argument("FILE...  Files; - is stdin.", many=True, required=True)
    skip_invalid: bool = opt.sending(
        "--skip-invalid  Send the valid records; the others go to the rejects file."
    )
    rejects: Path | None = opt.sending(
        "--rejects FILE  Takes what was not delivered. Default: beside the input.",
        parsing.rejects_path,
    )
    max_rejects: int = opt.sending(
        "--max-rejects N  Stop at N rejections before a first delivery; 0 goes on.",
        *(parsing.whole, "100"),
    )
    id_from: tuple[str, ...] | None = opt.memory(
        "--id-from FIELD,...  Fields that identify an event. Default: all of it, and its "
        "occurrence.",
        parsing.fields,
        offers=completion.field_lists,
    )
    on_change: "OnChange" = opt.memory(
        "--on-change WHAT  For events delivered before with other content: error, skip or send.",
        default="error",
    )
    resend: bool = opt.memory("--resend  Send what was delivered before, too.")
    no_ledger: bool = opt.memory("--no-ledger  Remember nothing after this run.")
    key_rotated: bool = opt.memory("--key-rotated  The key is new, the account is the same.")
    concurrency: str | None = opt.sending("--concurrency N  Requests at once, 1 to 256.")
    rate: str | None = opt.sending("--rate N  Events a second at most.")
    give_up_after: float = opt.sending(
        "--give-up-after SECONDS  Stop after so long without a delivery.",
        *(parsing.seconds, "120"),
    )
    limit: int | None = opt.sending("--limit N  Send N new events at most.", parsing.whole)
    shard: "Shard | None" = opt.sending(
        "--shard I/N  Only this share of the events, e.g. 1/4.", parsing.shard
    )
    lock: str | None = opt.sending(
        "--lock NAME  Hold a lock of this name too: for runs that read stdin.", parsing.given
    )
    wait: float = opt.sending(
        "--wait SECONDS  Wait so long for another run's lock.", parsing.seconds, "0"
    )
    max_issues: int = opt.MAX_ISSUES


OFTEN = (
    "product_id activity_type map set default extra ignore date_format sandbox dry_run skip_invalid"
    " id_from on_change profile output quiet"
)


@command("send-file", SendFile, HELP, EXAMPLES, OFTEN)
def send_file(options: SendFile) -> int:
    """Send files as the options say; return the exit code."""
    from contextlib import ExitStack

    from reo_cli.checks.issues import IssueLog
    from reo_cli.cli import orders
    from reo_cli.delivery.signals import Signals
    from reo_cli.errors import ReoError
    from reo_cli.reports.send_file import SendFileReport

    report = options.reported(SendFileReport, max_issues=options.max_issues)
    talk = report.talk
    with ExitStack() as stack, Signals() as signals, report:
        settings = options.settings(talk, offline=options.dry_run or options.sandbox)
        order = order_of(options, settings, stack)
        orders.tell_of_terminal(options.files, report)
        talk.err.mask.hide(order.key or "")
        log = IssueLog(options.max_issues, listen=report.issue)
        from reo_cli.delivery.run import upload  # in here, as a Python may lack SQLite

        summary = upload(order, log, report, signals)
        try:
            if summary.found_valid:
                options.save(settings, talk)
        except ReoError as error:
            summary.error = summary.error or error
        summary.error = orders.explained(summary.error, order.key)
        return report.finish(summary)


def order_of(options: SendFile, settings: "Settings", stack: "ExitStack") -> "Order":
    """Put together what the run is asked to do; raises ReoError 2, 65 or 78."""
    from reo_cli.cli import STARTED, orders
    from reo_cli.delivery.decide import Identity
    from reo_cli.delivery.dispatch import Policy
    from reo_cli.delivery.opening import Order
    from reo_cli.settings.files import user_folder

    reading, rules, plan = orders.reading(options, settings)
    orders.require_inputs(options.files)  # the user mends them before a missing key
    return filled(
        *(Order, orders.goal(options, settings, stack), settings, options),
        names=options.files,
        reading=reading,
        rules=rules,
        roll_up=plan,
        identity=Identity(options.id_from or (), options.on_change, options.shard, bool(plan)),
        policy=filled(Policy, settings, options),
        ledger=None if options.no_ledger or options.sandbox else settings.require_ledger(),
        state=user_folder("state") or Path(".reo").absolute(),
        started=STARTED,
        command=orders.command_line(),
        where=orders.where_words(options),
        keeps_rejects=not options.sandbox,
        locked=not (options.dry_run or options.sandbox),
    )

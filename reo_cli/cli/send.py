"""`reo send`: flags and JSON in, `delivery.single.send`, its result to a report."""

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reo_cli.cli import options as opt
from reo_cli.cli.manual import Command
from reo_cli.events import BY_NAME

if TYPE_CHECKING:
    from contextlib import ExitStack

    from reo_cli.cli.gather import Display, Where
    from reo_cli.delivery.single import SingleOrder
    from reo_cli.records import Record
    from reo_cli.settings import Settings

send_app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


EXAMPLES = """
Examples:
  reo send -a primary -n 1250 -d acme.com -p reoWebApp
  reo send -a DEMO_LOGIN -n 1 -i 156.59.87.83 -p reoWebApp --event-id login-17
  reo send --json @event.json --sandbox
"""
EVENT = "Event"


def _flag(name: str, metavar: str, *names: str) -> Any:
    """Return the option of a field, as the table of fields describes it."""
    field = BY_NAME[name]
    default = "now" if name == "event_at" else field.default
    text = f"{field.help} Default: {default}." if default else field.help
    flag = f"--{name.replace('_', '-')}"
    return typer.Option(flag, *names, metavar=metavar, help=text, rich_help_panel=EVENT)


@send_app.command(cls=Command, epilog=EXAMPLES)
def send(
    activity_type: Annotated[str | None, _flag("activity_type", "TEXT", "-a")] = None,
    count: Annotated[str | None, _flag("count", "N", "-n")] = None,
    ip_addr: Annotated[str | None, _flag("ip_addr", "IP", "--ip", "-i")] = None,
    domain: Annotated[str | None, _flag("domain", "DOMAIN", "-d")] = None,
    product_id: Annotated[str | None, _flag("product_id", "TEXT", "-p")] = None,
    environment: Annotated[str | None, _flag("environment", "TEXT", "-e")] = None,
    event_id: Annotated[str | None, _flag("event_id", "ID")] = None,
    event_at: Annotated[str | None, _flag("event_at", "TIME")] = None,
    user_agent: Annotated[str | None, _flag("user_agent", "TEXT")] = None,
    mode: Annotated[str | None, _flag("mode", "MODE")] = None,
    source: Annotated[str | None, _flag("source", "SOURCE")] = None,
    meta: Annotated[
        list[str] | None,
        typer.Option(
            "--meta",
            metavar="KEY=VALUE",
            help="One key of meta; the value is text. Repeatable.",
            rich_help_panel=EVENT,
        ),
    ] = None,
    json_: Annotated[
        str | None,
        typer.Option(
            "--json",
            metavar="TEXT|@FILE|-",
            help="The event as JSON, bare or in its payload envelope; flags override its fields.",
            rich_help_panel=EVENT,
        ),
    ] = None,
    date_format: Annotated[
        str | None,
        typer.Option(
            "--date-format",
            metavar="FORMAT",
            help="Of --event-at: day-first, month-first, or such as %d.%m.%Y.",
            rich_help_panel=EVENT,
        ),
    ] = None,
    ledger: opt.LedgerPath = None,
    account: opt.Account = None,
    timeout: opt.Timeout = None,
    retries: opt.Retries = None,
    max_time: opt.MaxTime = None,
    endpoint: opt.Endpoint = None,
    api_key_file: opt.ApiKeyFile = None,
    ca_bundle: opt.CaBundle = None,
    dry_run: opt.DryRun = False,
    sandbox: opt.SandboxFlag = False,
    allow_failure: opt.AllowFailure = False,
    output: opt.OutputOption = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
    profile: opt.Profile = None,
    env_file: opt.EnvFile = None,
    no_env_file: opt.NoEnvFile = False,
) -> None:
    """Send one event, from flags and/or --json.

    With --event-id the event is remembered, and a second send of it says so. Without, its id is
    random and the same over all retries.
    """
    from reo_cli.cli.gather import Display, Where

    given = {
        "activity_type": activity_type,
        "count": count,
        "ip_addr": ip_addr,
        "domain": domain,
        "product_id": product_id,
        "environment": environment,
        "event_id": event_id,
        "event_at": event_at,
        "user_agent": user_agent,
        "mode": mode,
        "source": source,
    }
    flags = {
        "endpoint": endpoint,
        "account": account,
        "api_key_file": api_key_file,
        "ca_bundle": ca_bundle,
        "ledger": ledger,
        "timeout": timeout,
        "retries": retries,
    }
    event = _EventFlags(given, meta, json_, date_format)
    kind = _Kind(dry_run, sandbox, allow_failure, opt.seconds("--max-time", max_time))
    display = Display(output.value if output else None, quiet, verbose)
    raise typer.Exit(_send(event, kind, flags, display, Where(profile, env_file, no_env_file)))


@dataclass(frozen=True)
class _EventFlags:
    """The event as flags give it, as typed."""

    fields: dict[str, str | None]
    meta: list[str] | None
    json: str | None
    date_format: str | None


@dataclass(frozen=True)
class _Kind:
    """What kind of send it is."""

    dry_run: bool
    sandbox: bool
    allow_failure: bool
    max_time: float | None


def _send(
    event: _EventFlags,
    kind: _Kind,
    flags: dict[str, str | None],
    display: "Display",
    where: "Where",
) -> int:
    from contextlib import ExitStack
    from random import random

    from reo_cli.cli.gather import forgiven, settings_of, tell
    from reo_cli.cli.listening import attempt_line
    from reo_cli.delivery.signals import Signals
    from reo_cli.delivery.single import Watch, send
    from reo_cli.errors import ReoError
    from reo_cli.reports import send_report

    streams, talk = display.open()
    report = send_report(display.output, streams, talk)
    watch = Watch(lambda *attempt: talk.verbose(attempt_line(*attempt)), talk.note)
    with ExitStack() as stack, Signals() as signals, report:
        try:
            settings = settings_of(flags, where, offline=kind.dry_run or kind.sandbox)
            tell(settings, talk)
            order = _order(event, kind, settings, stack)
            streams.mask.hide(order.target.key if order.target else "")
        except ReoError as error:
            return display.failed(report, error)
        result = send(order, watch, random)
        signals.ignore()
        return report.finish(forgiven(result, talk) if kind.allow_failure else result)


def _order(
    event: _EventFlags, kind: _Kind, settings: "Settings", stack: "ExitStack"
) -> "SingleOrder":
    """Put together what is to be sent, and where to; raises ReoError 2, 65, 66 or 78."""
    import time

    from reo_cli.cli import STARTED, gather
    from reo_cli.delivery.single import OneMemory, SingleOrder
    from reo_cli.events import Rules

    record = _record(event)
    rules = Rules(
        now=int(time.time()),
        always=settings.set,
        absent={"event_at": "now", **settings.default},
        fallback=gather.fallback(settings),
        date_format=gather.date_format_of(event.date_format, settings),
    )
    goal = gather.goal(settings, stack, dry_run=kind.dry_run, sandbox=kind.sandbox)
    return SingleOrder(
        record=record,
        rules=rules,
        endpoint=goal.endpoint,
        target=goal.target,
        retries=settings.retries,
        max_time=kind.max_time,
        started=STARTED,
        memory=OneMemory(
            lambda: None if kind.sandbox else settings.ledger,
            goal.endpoint,
            goal.key,
            settings.account,
        ),
    )


def _record(event: _EventFlags) -> "Record":
    """Return the event as read: what `--json` gives, overridden by the flags."""
    from reo_cli.records import Record

    fields = {name: text for name, text in event.fields.items() if text is not None}
    meta: dict[str, Any] = {}
    for text in event.meta or []:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise opt.usage("--meta", text, "is not KEY=VALUE")
        meta[key] = value
    if event.json is None:
        return Record("", 0, 1, fields, meta, "")
    record = _from_json(event.json)
    if record.fields is None:
        return record
    merged = {**record.fields, **fields}
    whole = merged.get("meta")
    if meta and isinstance(whole, dict):  # a flag overrides a key of the object, too
        merged["meta"] = {name: value for name, value in whole.items() if name not in meta}
    return record._replace(fields=merged, meta={**record.meta, **meta})


def _from_json(text: str) -> "Record":
    """Read the one event of `--json TEXT|@FILE|-`; raises ReoError 65 or 66."""
    from reo_cli.errors import ExitCode, ReoError
    from reo_cli.readers import ReadOptions, read
    from reo_cli.readers.jsonstream import Values
    from reo_cli.readers.names import NameRules
    from reo_cli.readers.source import open_source
    from reo_cli.records import Issue

    names = NameRules(command=None)
    if text == "-" or text.startswith("@"):
        source = open_source(text.removeprefix("@"))
        items = list(islice(read(source, ReadOptions(format="json", names=names)), 2))
        source.close()
    else:
        items = list(islice(Values("--json", iter([text]), names).records(), 2))
    if len(items) == 1 and not isinstance(items[0], Issue):
        return items[0]
    problem = next((item for item in items if isinstance(item, Issue)), None)
    if problem is not None:
        raise ReoError(ExitCode.INVALID, "invalid", f"--json: {problem.message}", problem.hint)
    message = (
        "--json holds two values where one event belongs" if items else "--json holds no event"
    )
    raise ReoError(ExitCode.INVALID, "not_one_event", message, "send-file sends many")

"""`reo send`: flags and JSON in, `delivery.single.send`, its result to a report."""

from itertools import islice
from typing import TYPE_CHECKING, Any

from reo_cli.cli import options as opt
from reo_cli.cli import parsing
from reo_cli.cli.command import Options, command, filled, option
from reo_cli.errors import ExitCode, ReoError
from reo_cli.events import BY_NAME, NAMES

if TYPE_CHECKING:
    from contextlib import ExitStack

    from reo_cli.delivery.single import SingleOrder
    from reo_cli.delivery.summary import SendResult
    from reo_cli.records import Record
    from reo_cli.reports import Report, Talk
    from reo_cli.settings import Settings

HELP = """Send one event, from flags and/or --json.

With --event-id the event is remembered, and a second send of it says so. Without, its id is
random and the same over all retries.
"""

EXAMPLES = """
Examples:
  reo send -a primary -n 1250 -d acme.com -p reoWebApp
  reo send -a DEMO_LOGIN -n 1 -i 156.59.87.83 -p reoWebApp --event-id login-17
  reo send --json @event.json --sandbox
"""
EVENT = "Event"


def _field(usage: str) -> Any:
    """Declare the option of a field, as the table of fields describes it."""
    name = usage.split()[0].removeprefix("--").replace("-", "_")
    field = BY_NAME[name]
    default = "now" if name == "event_at" else field.default
    words = f"{field.help} [default: {default}]" if default else field.help
    values = [(each, "") for each in field.values]
    return option(EVENT, f"{usage}  {words}", offers=lambda _start: values)


class Event(Options):
    """The event, as typed."""

    activity_type: str | None = _field("--activity-type -a TEXT")
    count: str | None = _field("--count -n N")
    ip_addr: str | None = _field("--ip-addr --ip -i IP")
    domain: str | None = _field("--domain -d DOMAIN")
    product_id: str | None = _field("--product-id -p TEXT")
    environment: str | None = _field("--environment -e TEXT")
    event_id: str | None = _field("--event-id ID")
    event_at: str | None = _field("--event-at TIME")
    user_agent: str | None = _field("--user-agent TEXT")
    mode: str | None = _field("--mode MODE")
    source: str | None = _field("--source SOURCE")
    meta: dict[str, str] = option(
        EVENT, "--meta KEY=VALUE  One key of meta; the value is text.", parsing.keys, many=True
    )
    json: str | None = option(
        EVENT,
        "--json TEXT|@FILE|-  The event as JSON, bare or in its payload envelope; flags override "
        "its fields.",
    )
    date_format: str | None = option(
        EVENT,
        "--date-format FORMAT  Of --event-at: day-first, month-first, or a pattern, e.g. %d.%m.%Y.",
        parsing.date_format,
    )


class Send(Event, opt.Sending, opt.Where, opt.Display):
    """The options of `send`."""


OFTEN = "activity_type count domain ip_addr product_id event_at event_id meta json sandbox output"


@command("send", Send, HELP, EXAMPLES, OFTEN)
def send(options: Send) -> int:
    """Send one event as the options say; return the exit code."""
    from contextlib import ExitStack
    from dataclasses import replace

    from reo_cli.cli import orders
    from reo_cli.delivery import single
    from reo_cli.delivery.signals import Signals
    from reo_cli.reports.send import SendReport

    _require_an_event(options)
    report = options.reported(SendReport)
    with ExitStack() as stack, Signals() as signals, report:
        settings = options.settings(report.talk, offline=options.dry_run or options.sandbox)
        orders.tell_of_terminal([options.json], report)
        order = _order(options, settings, stack, report)
        key = order.target.key if order.target else ""
        report.talk.err.mask.hide(key)
        result = single.send(order)
        signals.ignore()
        result = replace(result, error=orders.explained(result.error, key))
        return report.finish(forgiven(result, report.talk) if options.allow_failure else result)


def _require_an_event(options: Send) -> None:
    """Raise ReoError 2 where nothing is given and a pipe waits: stdin is read for `-` only."""
    import os
    from stat import S_ISFIFO, S_ISREG

    if options.typed.keys() & {*NAMES, "json"}:
        return
    try:
        mode = os.fstat(0).st_mode
    except OSError:  # it is closed
        return
    if S_ISFIFO(mode) or S_ISREG(mode):
        message = "no field is given, and standard input is read for `--json -` only"
        hint = "… | reo send --json - sends one event, … | reo send-file - sends many"
        raise ReoError(ExitCode.USAGE, "usage", message, hint)


def forgiven(result: "SendResult", talk: "Talk") -> "SendResult":
    """Return the result with the exit code that `--allow-failure` makes of it, and say so."""
    from dataclasses import replace

    from reo_cli.delivery.summary import FORGIVEN

    if result.exit_code not in FORGIVEN:
        return result
    text = f"exit code 0 in place of {int(result.exit_code)} because of --allow-failure"
    what = "was delivered" if result.status == "delivered" else "was NOT delivered"
    talk.warning(f"{text}: the event {what}", loud=True)
    return replace(result, exit_code=ExitCode.OK)


def _order(
    options: Send, settings: "Settings", stack: "ExitStack", report: "Report[SendResult]"
) -> "SingleOrder":
    """Put together what is to be sent, and where to; raises ReoError 2, 65, 66 or 78."""
    import time

    from reo_cli.checks.checker import Checker
    from reo_cli.cli import STARTED, orders
    from reo_cli.delivery.single import FLAGS, SingleOrder
    from reo_cli.events import Rules

    record = _record(options)
    rules = Rules(
        now=int(time.time()),
        always=settings.reading.get("set", {}),
        absent={"event_at": "now", **settings.reading.get("default", {})},
        fallback=orders.fallback(settings),
        date_format=options.date_format,
    )
    try:
        goal = orders.goal(options, settings, stack)
    except ReoError:
        if Checker(rules, FLAGS).check(record)[0] is not None:
            raise
        goal = orders.Goal(settings.endpoint, "", None, None)  # what is wrong with it comes first
    return filled(
        *(SingleOrder, goal, settings, options),
        record=record,
        rules=rules,
        started=STARTED,
        ledger=lambda: None if options.sandbox else settings.require_ledger(),
        hints=FLAGS,
        attempted=report.attempted,
        waiting=report.note,
    )


def _record(options: Event) -> "Record":
    """Return the event as read: what `--json` gives, overridden by the flags."""
    from reo_cli.records import Record

    fields = {name: options.typed[name] for name in NAMES if name in options.typed}
    fields.pop("meta", None)
    if options.json is None:
        return Record("", 0, 1, fields, options.meta, "")
    record = _from_json(options.json)
    if record.fields is None:
        return record
    merged = {**record.fields, **fields}
    whole = merged.get("meta")
    if options.meta and isinstance(whole, dict):  # a flag overrides a key of the object, too
        merged["meta"] = {name: whole[name] for name in whole if name not in options.meta}
    return record._replace(fields=merged, meta={**record.meta, **options.meta})


def _from_json(text: str) -> "Record":
    """Read the one event of `--json TEXT|@FILE|-`; raises ReoError 65 or 66."""
    from io import BytesIO

    from reo_cli.readers import ReadOptions, read
    from reo_cli.readers.source import Source, open_source
    from reo_cli.records import Issue
    from reo_cli.text import pasted

    if text == "-" or text.startswith("@"):
        source = open_source(str(parsing.path("--json", text.removeprefix("@"))))
    elif text.endswith((".json", ".ndjson", ".jsonl")) and not text.lstrip().startswith("{"):
        hint = f"`--json {pasted(f'@{text}')}` reads it from a file, `--json -` from a pipe"
        raise ReoError(ExitCode.INVALID, "invalid", "--json: this is the name of a file", hint)
    else:
        data = BytesIO(text.encode("utf-8", "surrogateescape"))
        source = Source("--json", "--json", data, streamed=False)
    reading = ReadOptions(format="json", given=frozenset(NAMES), command=None)
    found = []
    for item in islice(read(source, reading), 2):
        if isinstance(item, Issue):
            raise ReoError(ExitCode.INVALID, "invalid", f"--json: {item.message}", item.hint)
        found.append(item)
    source.close()
    if len(found) == 1:
        return found[0]
    what = "holds two values where one event belongs" if found else "holds no event"
    raise ReoError(ExitCode.INVALID, "not_one_event", f"--json {what}", "send-file sends many")

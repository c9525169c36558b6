"""Options and settings → the values that reading, checking and sending are given."""

import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from reo_cli.cli import options as opt
from reo_cli.cli.command import Options, filled
from reo_cli.cli.parsing import usage
from reo_cli.errors import ExitCode, ReoError
from reo_cli.events import Rules
from reo_cli.readers.options import CommandLine
from reo_cli.records import STDIN
from reo_cli.text import pasted

if TYPE_CHECKING:
    from reo_cli.checks.rollup import Plan
    from reo_cli.client import Target
    from reo_cli.readers import ReadOptions
    from reo_cli.reports import Report
    from reo_cli.settings import Settings


def fallback(settings: "Settings") -> dict[str, str]:
    """Return the event fields that settings give to events that have none."""
    return {name: getattr(settings, name) for name in opt.SHORT if getattr(settings, name)}


def reading(options: opt.Reading, settings: "Settings") -> "tuple[ReadOptions, Rules, Plan | None]":
    """Return how inputs are read, what the user said about values, and how they are summed up.

    Raises ReoError 2 or 65.
    """
    from reo_cli.checks.checker import require_good
    from reo_cli.checks.domains import company_in
    from reo_cli.checks.needs import needs_under
    from reo_cli.readers import ReadOptions
    from reo_cli.readers.options import require_one_field_each

    if options.files.count(STDIN) > 1:
        raise usage("FILE", STDIN, "is given twice", "standard input can be read once")
    require_one_field_each(options.map)
    domain = {"domain": options.domain_of} if options.domain_of is not None else {}
    short = {name: getattr(options, name) or "" for name in opt.SHORT}
    rules = filled(
        *(Rules, options),
        now=int(time.time()),
        always=options.set | {name: text for name, text in short.items() if text.strip()},
        absent=({"count": "1"} if options.roll_up else {}) | options.default,
        fallback=fallback(settings),
        domain_of=bool(domain),
        columns=options.map | domain,
    )
    require_good(rules)
    read_options = filled(
        *(ReadOptions, options),
        mapped=rules.columns,
        ignored=tuple(options.ignore),
        values={"domain": company_in} if domain else None,
        null=frozenset(options.null),
        header=options.columns,
        given=frozenset({*rules.always, *rules.absent, *rules.fallback}),
        sql_memory=os.environ.get("REO_SQL_MEMORY", "").strip() or None,
        command=CommandLine(("reo", *sys.argv[1:]), options.files),
        needs=needs_under(rules),
    )
    return read_options, rules, _roll_up(options, rules.now)


def _roll_up(options: opt.Reading, now: int) -> "Plan | None":
    """Return how events are summed up, None if they are not; raises ReoError 2."""
    if not options.roll_up:
        for name, value in (("--timezone", options.timezone), ("--until", options.until)):
            if value:
                why = "has no meaning without --roll-up"
                raise usage(name, str(value), why, "such as --roll-up day")
        return None
    from datetime import UTC

    from reo_cli.checks.rollup import Plan

    return Plan(options.roll_up, options.timezone or UTC, now, until_now=options.until is not None)


def command_line() -> str:
    """Return the command line as it can be pasted into a shell."""
    return " ".join(map(pasted, ["reo", *sys.argv[1:]]))


def where_words(options: Options) -> str:
    """Return the options that a run over the rejects needs too, to be pasted.

    They say where events go and what is remembered, and the format where the name of the file says
    another. Not the two that are for one run: what is sent again then is known, and so is the key.
    """
    from reo_cli.readers import by_suffix

    rejects = getattr(options, "rejects", None)
    reads_as = by_suffix(str(rejects)) if rejects else None
    words = ["--format", "ndjson"] if reads_as not in (None, "json", "ndjson") else []
    for key, declared in options.declared.items():
        typed = options.typed.get(key)
        for_one_run = key in ("resend", "key_rotated")
        if typed and declared.section in (opt.WHERE, opt.MEMORY) and not for_one_run:
            words += [declared.name] if typed is True else [declared.name, typed]
    return " ".join(map(pasted, words))


class Goal(NamedTuple):
    """Where events go and with which key; `target` None sends nothing.

    `endpoint_source` says where an endpoint that is not the API's comes from.
    """

    endpoint: str
    endpoint_source: str
    key: str | None
    target: "Target | None"


def goal(options: opt.Sending, settings: "Settings", stack: ExitStack) -> Goal:
    """Return where events go; a sandbox started for it ends with `stack`. Raises ReoError 78."""
    from reo_cli.client import prepare

    if options.sandbox and not options.dry_run:
        from reo_cli.sandbox import Sandbox

        server = stack.enter_context(Sandbox())
        endpoint, source, key = server.url, "flag --sandbox", "sandbox-key"
    else:
        endpoint, source = settings.require_endpoint(), settings.foreign_endpoint
        if options.dry_run:
            return Goal(endpoint, source, key_if_any(settings), None)
        key = settings.require_key()
    target = prepare(endpoint, key, timeout=settings.timeout, ca_bundle=settings.ca_bundle)
    return Goal(endpoint, source, key, target)


def tell_of_terminal(files: Sequence[str | None], report: "Report[Any]") -> None:
    """Say that input is awaited where a person might wait for output; a bar is in its way."""
    if STDIN in files and sys.stdin is not None and sys.stdin.isatty():
        report.note("reading from the terminal, end with Ctrl-D")
        report.hide_progress()


def require_inputs(names: Sequence[str]) -> None:
    """Raise ReoError 66 for an input that is not there; pipes are left alone, they can wait."""
    from reo_cli.readers.source import open_source

    for name in names:
        path = Path(name)
        if name != STDIN and not (path.is_fifo() or path.is_char_device()):
            open_source(name).close()


def explained(error: ReoError | None, key: str | None) -> ReoError | None:
    """Return the error of a run; of a key that was refused it says what that looks like."""
    from reo_cli.settings.prompt import odd_key

    odd = odd_key(key or "")
    if error is None or error.exit_code is not ExitCode.KEY_REFUSED or not odd:
        return error
    return error.changed(message=f"{error.message}; the key looks like none: {odd}")


def key_if_any(settings: "Settings") -> str | None:
    """Return the key where none is needed, but the ledger tells more with one; raises ReoError."""
    return settings.require_key() if settings.has_key else None

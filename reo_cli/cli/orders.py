"""Options and settings → the values that reading, checking and sending are given."""

import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from reo_cli.cli import options as opt
from reo_cli.cli.parsing import usage
from reo_cli.events import Rules
from reo_cli.readers.options import CommandLine
from reo_cli.records import STDIN
from reo_cli.text import pasted

if TYPE_CHECKING:
    from reo_cli.checks.rollup import Plan
    from reo_cli.client import Target
    from reo_cli.delivery.summary import SendResult, Summary
    from reo_cli.readers import ReadOptions
    from reo_cli.reports import Talk
    from reo_cli.settings import Settings


def fallback(settings: "Settings") -> dict[str, str]:
    """Return the event fields that settings give to events that have none."""
    given = {
        "product_id": settings.product_id,
        "activity_type": settings.activity_type,
        "environment": settings.environment,
    }
    return {name: text for name, text in given.items() if text}


def reading(
    options: opt.Reading, settings: "Settings", inputs: Sequence[str]
) -> "tuple[ReadOptions, Rules]":
    """Return how inputs are read and what the user said about values; raises ReoError 2 or 65."""
    from reo_cli.checks.checker import require_good
    from reo_cli.checks.domains import company_in
    from reo_cli.checks.needs import needs_under
    from reo_cli.readers import ReadOptions
    from reo_cli.readers.options import require_one_field_each

    if list(inputs).count(STDIN) > 1:
        raise usage("FILE", STDIN, "is given twice", "standard input can be read once")
    short = {
        "activity_type": options.activity_type,
        "product_id": options.product_id,
        "environment": options.environment,
    }
    always = dict(options.set or {})
    always |= {name: text for name, text in short.items() if text and text.strip()}
    absent = dict(options.default or {})
    if options.roll_up:
        absent.setdefault("count", "1")
    mapped = dict(options.map or {})
    require_one_field_each(mapped)
    if options.domain_of is not None:
        mapped["domain"] = options.domain_of
    rules = Rules(
        now=int(time.time()),
        always=always,
        absent=absent,
        fallback=fallback(settings),
        date_format=options.date_format,
        thousands=options.thousands,
        domain_of=options.domain_of is not None,
        columns=mapped,
    )
    require_good(rules)
    return ReadOptions(
        format=options.format,
        delimiter=options.delimiter,
        encoding=options.encoding,
        mapped=mapped,
        extra=options.extra,
        ignored=tuple(options.ignore or ()),
        only=options.only or {},
        skip=options.skip or {},
        values={"domain": company_in} if rules.domain_of else {},
        null=frozenset(options.null or ()),
        records=options.records or "",
        header=options.columns or (),
        skip_lines=options.skip_lines or 0,
        sheet=options.sheet,
        given=frozenset({*always, *rules.absent, *rules.fallback}),
        sql=options.sql,
        sql_memory=os.environ.get("REO_SQL_MEMORY", "").strip() or ReadOptions().sql_memory,
        command=CommandLine(("reo", *sys.argv[1:]), tuple(inputs)),
        needs=needs_under(rules),
    ), rules


def roll_up(options: opt.Reading, now: int) -> "Plan | None":
    """Return how events are summed up, None if they are not; raises ReoError 2."""
    for name, value in (("--timezone", options.timezone), ("--until", options.until)):
        if value and not options.roll_up:
            raise usage(
                name, str(value), "has no meaning without --roll-up", "such as --roll-up day"
            )
    if not options.roll_up:
        return None
    from datetime import UTC

    from reo_cli.checks.rollup import Plan

    return Plan(options.roll_up, options.timezone or UTC, now, until_now=options.until is not None)


def command_line() -> str:
    """Return the command line as it can be pasted into a shell."""
    return " ".join(map(pasted, ["reo", *sys.argv[1:]]))


_WHERE = (
    *("--endpoint", "--api-key-file", "--ca-bundle", "--profile", "--env-file"),
    *("--ledger", "--account", "--id-from", "--on-change"),
)
_WHERE_FLAGS = ("--no-env-file", "--no-ledger", "--sandbox")


def where_words(words: Sequence[str]) -> str:
    """Return the options that say where events go and what is remembered, to be pasted."""
    kept: list[str] = []
    for at, word in enumerate(words):
        if word in _WHERE:
            kept += words[at : at + 2]
        elif word in _WHERE_FLAGS or word.partition("=")[0] in _WHERE:
            kept.append(word)
    return " ".join(map(pasted, kept))


class Goal(NamedTuple):
    """Where events go and with which key; `target` None sends nothing.

    `source` says where an endpoint that is not the API's comes from.
    """

    endpoint: str
    source: str
    key: str | None
    target: "Target | None"


def goal(options: opt.Sending, settings: "Settings", stack: ExitStack) -> Goal:
    """Return where events go; a sandbox started for it ends with `stack`. Raises ReoError 78."""
    from reo_cli.client import prepare

    if options.dry_run:
        return Goal(
            *(settings.require_endpoint(), settings.foreign_endpoint), key_if_any(settings), None
        )
    if options.sandbox:
        from reo_cli.sandbox import Sandbox

        server = stack.enter_context(Sandbox())
        endpoint, source, key = server.url, "flag --sandbox", "sandbox-key"
    else:
        endpoint, key = settings.require_endpoint(), settings.require_key()
        source = settings.foreign_endpoint
    target = prepare(endpoint, key, timeout=settings.timeout, ca_bundle=settings.ca_bundle)
    return Goal(endpoint, source, key, target)


def tell_of_terminal(files: Sequence[str], talk: "Talk") -> None:
    """Say that input is awaited where a person might wait for output."""
    if STDIN in files and sys.stdin is not None and sys.stdin.isatty():
        talk.note("reading from the terminal, end with Ctrl-D")


def require_inputs(names: Sequence[str]) -> None:
    """Raise ReoError 66 for an input that is not there; pipes are left alone, they can wait."""
    from reo_cli.readers.source import open_source

    for name in names:
        path = Path(name)
        if name != STDIN and not (path.is_fifo() or path.is_char_device()):
            open_source(name).close()


ResultT = TypeVar("ResultT", "Summary", "SendResult")


def explained(result: ResultT, key: str | None) -> ResultT:
    """Return a result whose error says what a key that was refused looks like."""
    from dataclasses import replace

    from reo_cli.errors import ExitCode
    from reo_cli.settings.guard import odd_key

    error, odd = result.error, odd_key(key or "")
    if error is None or error.exit_code is not ExitCode.KEY_REFUSED or not odd:
        return result
    message = f"{error.message}; the key looks like none: {odd}"
    return replace(result, error=error.changed(message=message))


def key_if_any(settings: "Settings") -> str | None:
    """Return the key where none is needed, but the ledger tells more with one; raises ReoError."""
    return settings.require_key() if settings.has_key else None


def state_folder() -> Path:
    """Return the folder for what reo keeps for the user: locks, and rejects of pipes.

    Where the system knows no home, it is `.reo` in the working folder.
    """
    from reo_cli.settings.files import user_folder

    return user_folder("state") or Path(".reo").absolute()

"""Options and settings → the values that reading, checking and sending are given."""

import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from reo_cli.checker import require_good
from reo_cli.cli.options import field, pairs, usage
from reo_cli.commandline import CommandLine
from reo_cli.errors import ExitCode, ReoError
from reo_cli.events import Rules
from reo_cli.readers import ReadOptions
from reo_cli.readers.names import Extra, NameRules, require_one_field_each
from reo_cli.records import STDIN
from reo_cli.text import pasted

if TYPE_CHECKING:
    from reo_cli.client import Target
    from reo_cli.delivery.decide import OnChange, Shard
    from reo_cli.delivery.summary import SendResult
    from reo_cli.reports import Output, Report, Streams, Talk
    from reo_cli.settings import Settings


class ReadingFlags(NamedTuple):
    """The options of `send-file` and `validate` that say how inputs are read, as typed."""

    format: str
    encoding: str | None
    delimiter: str | None
    map: list[str] | None
    set: list[str] | None
    default: list[str] | None
    extra: str | None
    ignore: list[str] | None
    date_format: str | None
    activity_type: str | None
    product_id: str | None
    environment: str | None


class Where(NamedTuple):
    """Where settings are read from, beside flags and environment."""

    profile: str | None
    env_file: Path | None
    no_env_file: bool


class Display(NamedTuple):
    """How results and talk are shown."""

    output: "Output | None"
    quiet: bool
    verbose: bool

    def open(self) -> "tuple[Streams, Talk]":
        """Return the two streams of the process and the talk on one of them."""
        from reo_cli.reports import Streams, Talk

        streams = Streams.standard()
        return streams, Talk(streams.err, quiet=self.quiet, verbose=self.verbose)

    def failed(self, report: "Report[Any]", error: ReoError) -> int:
        """End a command before its work began; a wrong command line is no result (2)."""
        if error.exit_code is ExitCode.USAGE:
            raise error
        return report.failed(error)


def settings_of(
    flags: Mapping[str, str | None], where: Where, *, offline: bool = False
) -> "Settings":
    """Resolve the settings for a command; raises ReoError 2 or 78."""
    from reo_cli.settings import Sources, resolve

    use_env_file = not where.no_env_file
    sources = Sources(
        flags, os.environ, Path(), where.env_file, use_env_file, where.profile, offline
    )
    return resolve(sources)


def tell(settings: "Settings", talk: "Talk") -> None:
    """Say what was noticed while the settings were resolved."""
    for text in settings.warnings:
        talk.warning(text)
    for text in settings.notes:
        talk.verbose(text)


def fallback(settings: "Settings") -> dict[str, str]:
    """Return the event fields that settings give to events that have none."""
    given = {
        "product_id": settings.product_id,
        "activity_type": settings.activity_type,
        "environment": settings.environment,
    }
    return {name: text for name, text in given.items() if text}


def date_format_of(flag: str | None, settings: "Settings") -> str | None:
    """Return the checked `--date-format`; raises ReoError 2."""
    from reo_cli.values.times import check_date_format

    chosen = flag or settings.date_format
    wrong = check_date_format(chosen) if chosen else None
    if chosen and wrong:
        raise usage("--date-format", chosen, wrong)
    return chosen


def reading(
    flags: ReadingFlags, settings: "Settings", inputs: Sequence[str]
) -> tuple[ReadOptions, Rules]:
    """Return how inputs are read and what the user said about values; raises ReoError 2."""
    if list(inputs).count(STDIN) > 1:
        raise usage("FILE", STDIN, "is given twice", "standard input can be read once")
    short = {
        "activity_type": flags.activity_type,
        "product_id": flags.product_id,
        "environment": flags.environment,
    }
    always = {**settings.set, **pairs("--set", flags.set)}
    always |= {name: text for name, text in short.items() if text and text.strip()}
    absent = {**settings.default, **pairs("--default", flags.default)}
    rules = Rules(
        now=int(time.time()),
        always=always,
        absent=absent,
        fallback=fallback(settings),
        date_format=date_format_of(flags.date_format, settings),
    )
    require_good(rules)
    columns = {**settings.map, **pairs("--map", flags.map)}
    require_one_field_each(columns)
    names = NameRules(
        columns=columns,
        extra=cast(Extra, flags.extra or settings.extra or "error"),
        ignored=frozenset(flags.ignore or ()),
        given=frozenset({*always, *absent, *rules.fallback}),
        command=CommandLine(("reo", *sys.argv[1:]), tuple(inputs)),
    )
    options = ReadOptions(
        format=flags.format,
        delimiter=_delimiter(flags.delimiter),
        encoding=_encoding(flags.encoding),
        names=names,
    )
    return options, rules


def _delimiter(text: str | None) -> str | None:
    if text is None:
        return None
    plain = {"\\t": "\t", "tab": "\t"}.get(text, text)
    if len(plain) != 1 or plain in '"\r\n\0' or ord(plain) > 127:
        raise usage("--delimiter", text, "is not one character", "such as ; or tab")
    return plain


def _encoding(name: str | None) -> str | None:
    if name is None:
        return None
    import codecs

    try:
        known = codecs.lookup(name).name not in _NOT_OF_FILES
        "".encode(name)
        codecs.getincrementaldecoder(name)
    except (LookupError, ValueError):
        known = False
    if not known:
        hint = "such as utf-8, utf-16, cp1252, latin-1, shift_jis"
        raise usage("--encoding", name, "is not an encoding", hint)
    return name


_NOT_OF_FILES = frozenset({"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape"})
"""What Python calls encodings and no file is written in."""


def id_from(text: str | None, settings: "Settings") -> tuple[str, ...]:
    """Return the fields of `--id-from`; raises ReoError 2."""
    names = tuple(text.split(",")) if text is not None else settings.id_from
    return tuple(field("--id-from", name) for name in names)


def command_line() -> str:
    """Return the command line as it can be pasted into a shell."""
    return " ".join(map(pasted, ["reo", *sys.argv[1:]]))


_WHERE = (
    *("--endpoint", "--api-key-file", "--ca-bundle", "--profile", "--env-file"),
    *("--ledger", "--account"),
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
    """Where events go and with which key; `target` None sends nothing."""

    endpoint: str
    key: str | None
    target: "Target | None"


def goal(settings: "Settings", stack: ExitStack, *, dry_run: bool, sandbox: bool) -> Goal:
    """Return where events go; a sandbox started for it ends with `stack`. Raises ReoError 78."""
    from reo_cli.client import prepare

    if dry_run:
        return Goal(settings.require_endpoint(), _key_if_any(settings), None)
    if sandbox:
        from reo_cli.sandbox import Sandbox

        server = stack.enter_context(Sandbox())
        endpoint, key = server.url, "sandbox-key"
    else:
        endpoint, key = settings.require_endpoint(), settings.require_key()
    target = prepare(
        endpoint,
        key,
        timeout=settings.timeout,
        ca_bundle=settings.ca_bundle,
        environ=os.environ,
    )
    return Goal(endpoint, key, target)


def _key_if_any(settings: "Settings") -> str | None:
    """Return the key for a dry run, which needs none but tells more with one."""
    if settings.api_key is None and settings.api_key_file is None:
        return None
    return settings.require_key()


def on_change(text: str) -> "OnChange":
    """Return the checked `--on-change`."""
    return cast("OnChange", text)


def shard(text: str | None) -> "Shard | None":
    """Return the share that `--shard I/N` names; raises ReoError 2."""
    from reo_cli.delivery.decide import Shard

    if text is None:
        return None
    found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise usage("--shard", text, "is not a share", "such as 1/4, up to 4/4")
    return Shard(int(found[1]) - 1, int(found[2]))


def state_folder() -> Path:
    """Return the folder for what reo keeps for the user: locks, and rejects of pipes.

    Where the system knows no home, it is `.reo` in the working folder.
    """
    from reo_cli.settings.folders import user_folder

    return user_folder("state") or Path(".reo").absolute()


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

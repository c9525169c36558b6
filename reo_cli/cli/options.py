"""The options that more than one command has, each once, in groups that commands inherit.

Adding one is a line here (or in the class of its command) and its use: `Reading` options are used
in `orders`, those of a setting by the settings themselves.
"""

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from reo_cli.cli import completion, parsing
from reo_cli.cli.command import Options, option
from reo_cli.errors import ExitCode, ReoError
from reo_cli.settings.table import CHOICES
from reo_cli.settings.table import READING as READING_KEYS

if TYPE_CHECKING:
    from datetime import tzinfo

    from reo_cli.checks.rollup import Unit
    from reo_cli.readers.options import Extra
    from reo_cli.reports import Output, Report, Streams, Talk
    from reo_cli.settings import Settings, Sources

READING, SENDING, MEMORY, WHERE, OUTPUT = (
    "Reading",
    "Sending",
    "What was delivered before",
    "Endpoint, key and settings",
    "Output",
)
"""The sections of a help page."""

reading, sending, memory, where, showing = (
    partial(option, section) for section in (READING, SENDING, MEMORY, WHERE, OUTPUT)
)
"""Declare an option of a section: `reading("--encoding NAME", "Encoding, e.g. cp1252.")`."""

SETTINGS_FLAGS = (
    *("endpoint", "account", "api_key_file", "ca_bundle", "ledger"),
    *("timeout", "retries", "concurrency", "rate"),
)
"""Options that are settings too: the settings choose between them and other sources."""


class Reading(Options):
    """How inputs are read."""

    format: str = reading(
        "--format FORMAT",
        "csv, tsv, json, ndjson, xlsx, parquet or accesslog; auto goes by the name, then the "
        "content.",
        default="auto",
        choices=CHOICES["format"],
    )
    encoding: str | None = reading(
        "--encoding NAME",
        "Encoding, e.g. cp1252. Default: UTF-8, or UTF-16 by its mark.",
        read=parsing.encoding,
    )
    delimiter: str | None = reading(
        "--delimiter CHAR",
        "Separator of CSV. Default: comma, semicolon, tab or | by the header.",
        read=parsing.delimiter,
    )
    activity_type: str | None = reading(
        "--activity-type -a TEXT", "Short for --set activity_type=TEXT."
    )
    product_id: str | None = reading("--product-id -p TEXT", "Short for --set product_id=TEXT.")
    environment: str | None = reading("--environment -e TEXT", "Short for --set environment=TEXT.")
    map: dict[str, str] | None = reading(
        "--map FIELD=COLUMN",
        "Read a field from this column, key or path (user.domain); date+time joins two. "
        "Repeatable.",
        read=parsing.pairs,
        offers=completion.field_pairs,
        many=True,
    )
    set: dict[str, str] | None = reading(
        "--set FIELD=VALUE",
        "Give all events this value. Repeatable.",
        read=parsing.pairs,
        offers=completion.field_pairs,
        many=True,
    )
    default: dict[str, str] | None = reading(
        "--default FIELD=VALUE",
        "Give it to the events that have none. Repeatable.",
        read=parsing.pairs,
        offers=completion.field_pairs,
        many=True,
    )
    extra: "Extra" = reading(
        "--extra WHAT",
        "Unknown columns and keys: error, meta (keep them there) or ignore.",
        default="error",
        choices=CHOICES["extra"],
    )
    ignore: list[str] | None = reading(
        "--ignore COLUMN", "Leave this column or key out. Repeatable.", many=True
    )
    only: "dict[str, frozenset[str]] | None" = reading(
        "--only COLUMN=VALUE",
        "Take the records that have this value; another of the column is another way. Repeatable.",
        read=parsing.conditions,
        many=True,
    )
    skip: "dict[str, frozenset[str]] | None" = reading(
        "--skip COLUMN=VALUE",
        "Leave out the records that have this value; an empty one is none. Repeatable.",
        read=parsing.conditions,
        many=True,
    )
    null: list[str] | None = reading(
        "--null TEXT", "What stands for no value in a cell, e.g. NULL. Repeatable.", many=True
    )
    records: str | None = reading(
        "--records PATH",
        "Where the records are inside each JSON document, e.g. data.rows.",
        read=parsing.given,
    )
    columns: tuple[str, ...] | None = reading(
        "--columns NAME,...", "The columns of a table without a header.", read=parsing.names
    )
    skip_lines: int | None = reading(
        "--skip-lines N", "Lines before the header, e.g. titles.", read=parsing.whole
    )
    sheet: str | None = reading(
        "--sheet NAME", "Sheet of a spreadsheet. Default: the first.", read=parsing.given
    )
    date_format: str | None = reading(
        "--date-format FORMAT",
        "day-first, month-first, s, ms, us, ns, or a pattern, e.g. %d.%m.%Y.",
        read=parsing.date_format,
    )
    sql: str | None = reading(
        "--sql QUERY",
        "Read the rows of a query over the files, which are the view `input` of DuckDB.",
        read=parsing.given,
    )
    roll_up: "Unit | None" = reading(
        "--roll-up UNIT",
        "Sum up events that differ only in count and time: one an hour, day, week or month.",
        choices=CHOICES["roll_up"],
    )
    timezone: "tzinfo | None" = reading(
        "--timezone NAME", "Where days of --roll-up begin. Default: UTC.", read=parsing.timezone
    )
    until: Literal["now"] | None = reading(
        "--until WHEN",
        "now: take the day of --roll-up that is not over, too.",
        choices=CHOICES["until"],
    )
    thousands: str | None = reading(
        "--thousands CHAR",
        "What stands between groups of three digits in counts: , . ' or space.",
        choices=(",", ".", "'", "space"),
    )
    domain_of: str | None = reading(
        "--domain-of COLUMN",
        "Take the domain from mail addresses, URLs or domains; free mailboxes have none.",
    )
    save_profile: str | None = reading(
        "--save-profile NAME",
        "Keep the options that say how this input is read, once it is found valid.",
        read=parsing.given,
    )

    def in_use(self, profile: Mapping[str, Any]) -> dict[tuple[str, ...], Any]:
        """Return what a profile has to hold to read as this command does, by place in it.

        `profile` is what the profile of this command says.
        """
        found: dict[tuple[str, ...], Any] = {}
        for name, kind in READING_KEYS.items():
            own, typed = profile.get(name), self.typed.get(name)
            if kind == "table":
                found |= {(name, key): text for key, text in (getattr(self, name) or {}).items()}
            elif kind == "text" and (typed or own):
                found[name,] = typed or own
            elif own or typed:
                more = typed.split(",") if isinstance(typed, str) else typed or ()
                found[name,] = [*(() if isinstance(typed, str) else own or ()), *more]
        for name in ("activity_type", "product_id", "environment"):
            if text := self.typed.get(name):
                found["set", name] = text
        return found

    def save(self, settings: "Settings", talk: "Talk") -> None:
        """Write the options in use as a profile, where that is asked for; raises ReoError."""
        name, path = self.save_profile, settings.config_path
        if name is None:
            return
        from reo_cli.settings.edit import write

        values = self.in_use(settings.reading)
        write(path, name, {".".join(keys): value for keys, value in values.items()})
        talk.note(f"`--profile {name}` reads so from now on: it is in `{path}`")


class Where(Options):
    """Where settings are read from, beside flags and environment."""

    profile: str | None = where(
        "--profile NAME",
        "Profile in the config file.",
        read=parsing.given,
        offers=completion.profiles,
    )
    env_file: Path | None = where(
        "--env-file PATH", "Read this in place of ./.env; it is trusted.", read=parsing.path
    )
    no_env_file: bool = where("--no-env-file", "Do not read ./.env.")

    def sources(self, *, offline: bool = False) -> "Sources":
        """Return where settings come from; `offline`: nothing will be sent."""
        from reo_cli.settings import Sources

        flags: dict[str, Any] = {name: getattr(self, name, None) for name in SETTINGS_FLAGS}
        use_env_file = not self.no_env_file
        return Sources(
            flags, os.environ, Path(), self.env_file, use_env_file, self.profile, offline
        )

    def settings(self, talk: "Talk", *, offline: bool = False) -> "Settings":
        """Resolve the settings, take what the profile says of options, and say what was noticed.

        Raises ReoError 2 or 78.
        """
        from reo_cli.settings import resolve

        settings = resolve(self.sources(offline=offline))
        self.take(settings.reading, f"profile {settings.profile} in {settings.config_path}")
        for text in settings.warnings:
            talk.warning(text)
        for text in settings.notes:
            talk.verbose(text)
        return settings


class Display(Options):
    """How results and talk are shown."""

    output: "Output | None" = showing(
        "--output -o FORM",
        "table, json, ndjson or github. Default: table on a terminal, else plain text.",
        choices=("table", "json", "ndjson", "github"),
    )
    quiet: bool = showing("--quiet -q", "Print errors only.")
    verbose: bool = showing("--verbose -v", "A line for each attempt.")

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


class Plain(Options):
    """The form of what `config`, `ledger` and `sandbox` print."""

    output: Literal["table", "json"] | None = showing(
        "--output -o FORM",
        "table or json. Default: table on a terminal, else plain text.",
        choices=("table", "json"),
    )


class Ledger(Options):
    """Which ledger is used."""

    ledger: str | None = memory("--ledger PATH", "File that remembers what was delivered.")


class Sending(Options):
    """How, where and whether events are sent."""

    timeout: str | None = sending("--timeout SECONDS", "Seconds for one attempt, all of it.")
    retries: str | None = sending("--retries N", "Attempts after the first; 0 tries nothing twice.")
    max_time: float | None = sending(
        "--max-time SECONDS", "Stop after so long, with exit code 75.", read=parsing.seconds
    )
    dry_run: bool = sending("--dry-run", "Do everything but send and write; needs no key.")
    sandbox: bool = sending(
        "--sandbox", "Send to a local server started for this run; needs no key."
    )
    allow_failure: bool = sending(
        "--allow-failure", "Exit 0 in place of 69, 75 and 76, with a warning."
    )
    ledger: str | None = Ledger.ledger
    account: str | None = memory(
        "--account NAME", "Your name for the account: the ledger outlives its keys."
    )
    endpoint: str | None = where("--endpoint URL", "Where events are sent.")
    api_key_file: str | None = where(
        "--api-key-file PATH", "File that holds the API key. No option takes the key itself."
    )
    ca_bundle: str | None = where("--ca-bundle PATH", "PEM file of the authorities to trust.")


MAX_ISSUES: Any = showing(
    "--max-issues N",
    "Issues shown at most; all are counted.",
    default="100",
    read=parsing.whole,
)

"""The options that more than one command has, each once, in groups that commands inherit.

Adding one is a line here (or in the class of its command) and its use: `Reading` options are used
in `orders`, those of a setting by the settings themselves.
"""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from reo_cli.cli import completion, parsing
from reo_cli.cli.command import Options, option
from reo_cli.settings.table import READING as READING_KEYS
from reo_cli.text import pasted

if TYPE_CHECKING:
    from datetime import tzinfo

    from reo_cli.checks.rollup import Unit
    from reo_cli.readers.options import Extra
    from reo_cli.reports import Output, Talk
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
"""Declare an option of a section: `reading("--encoding NAME  Encoding, e.g. cp1252.")`."""

SHORT = ("activity_type", "product_id", "environment")
"""The fields that have options of their own, and that settings may give."""

pairs = partial(reading, read=parsing.pairs, many=True, offers=completion.field_pairs)
"""Declare an option of reading that is given as `FIELD=…`."""


class Reading(Options):
    """How inputs are read."""

    files: tuple[str, ...]
    format: str = reading(
        "--format FORMAT  csv, tsv, json, ndjson, xlsx, parquet or accesslog; auto goes by the "
        "name, then the content.",
        default="auto",
    )
    encoding: str | None = reading(
        "--encoding NAME  Encoding, e.g. cp1252. Default: UTF-8, or UTF-16 by its mark.",
        parsing.encoding,
    )
    delimiter: str | None = reading(
        "--delimiter CHAR  Separator of CSV. Default: comma, semicolon, tab or | by the header.",
        parsing.delimiter,
    )
    activity_type: str | None = reading(
        "--activity-type -a TEXT  Short for --set activity_type=TEXT."
    )
    product_id: str | None = reading("--product-id -p TEXT  Short for --set product_id=TEXT.")
    environment: str | None = reading("--environment -e TEXT  Short for --set environment=TEXT.")
    map: dict[str, str] = pairs(
        "--map FIELD=COLUMN  Read a field from this column, key or path (user.domain); date+time "
        "joins two."
    )
    set: dict[str, str] = pairs("--set FIELD=VALUE  Give all events this value.")
    default: dict[str, str] = pairs("--default FIELD=VALUE  Give it to the events that have none.")
    extra: "Extra" = reading(
        "--extra WHAT  Unknown columns and keys: error, meta (keep them there) or ignore.",
        default="error",
    )
    ignore: Sequence[str] = reading("--ignore COLUMN  Leave this column or key out.", many=True)
    only: "dict[str, frozenset[str]]" = reading(
        "--only COLUMN=VALUE  Take only records with this value; several of a column are "
        "alternatives.",
        parsing.conditions,
        many=True,
    )
    skip: "dict[str, frozenset[str]]" = reading(
        "--skip COLUMN=VALUE  Leave out records with this value; an empty one stands for none.",
        parsing.conditions,
        many=True,
    )
    null: Sequence[str] = reading(
        "--null TEXT  What stands for no value in a cell, e.g. NULL.", many=True
    )
    records: str | None = reading(
        "--records PATH  Where the records are inside each JSON document, e.g. data.rows.",
        parsing.given,
    )
    columns: tuple[str, ...] | None = reading(
        "--columns NAME,...  The columns of a table without a header.", parsing.names
    )
    skip_lines: int | None = reading(
        "--skip-lines N  Lines before the header, e.g. titles.", parsing.whole
    )
    sheet: str | None = reading(
        "--sheet NAME  Sheet of a spreadsheet. Default: the first.", parsing.given
    )
    date_format: str | None = reading(
        "--date-format FORMAT  day-first, month-first, s, ms, us, ns, or a pattern, e.g. %d.%m.%Y.",
        parsing.date_format,
    )
    sql: str | None = reading(
        "--sql QUERY  Read the rows of a query over the files, which are the view `input` of "
        "DuckDB.",
        parsing.given,
    )
    roll_up: "Unit | None" = reading(
        "--roll-up UNIT  Sum up events that differ only in count and time: one an hour, day, week "
        "or month."
    )
    timezone: "tzinfo | None" = reading(
        "--timezone NAME  Where days of --roll-up begin. Default: UTC.", parsing.timezone
    )
    until: Literal["now"] | None = reading(
        "--until WHEN  now: take the day of --roll-up that is not over, too."
    )
    thousands: str | None = reading(
        "--thousands CHAR  What stands between groups of three digits in counts: , . ' or space."
    )
    domain_of: str | None = reading(
        "--domain-of COLUMN  Take the domain from mail addresses, URLs or domains; free mailboxes "
        "have none."
    )
    save_profile: str | None = reading(
        "--save-profile NAME  Keep the options that say how this input is read, once it is found "
        "valid.",
        parsing.given,
    )

    def save(self, settings: "Settings", talk: "Talk") -> None:
        """Write the options in use as a profile, where that is asked for; raises ReoError."""
        if self.save_profile is None:
            return
        from reo_cli.settings.edit import write

        path = settings.config_path
        write(path, self.save_profile, self._in_use(), anew=True)
        name = pasted(self.save_profile)
        talk.note(f"`--profile {name}` reads so from now on: it is in `{path}`")

    def _in_use(self) -> dict[str, Any]:
        """Return what a profile has to hold to read as this command does, by place in it."""
        found: dict[str, Any] = {}
        for key, kind in READING_KEYS.items():
            typed = self.typed.get(key)
            if kind == "table":
                found |= {f"{key}.{field}": text for field, text in getattr(self, key).items()}
            elif typed:
                parts = typed.split(",") if isinstance(typed, str) else list(typed)
                found[key] = typed if kind == "text" else parts
        for key in SHORT:
            if text := self.typed.get(key):
                found[f"set.{key}"] = text
        return found


class Where(Options):
    """Where settings are read from, beside flags and environment."""

    profile: str | None = where(
        "--profile NAME  Profile in the config file.", parsing.given, offers=completion.profiles
    )
    env_file: Path | None = where(
        "--env-file PATH  Read this in place of ./.env; it is trusted.", parsing.path
    )
    no_env_file: bool = where("--no-env-file  Do not read ./.env.")

    def sources(self, *, offline: bool = False) -> "Sources":
        """Return where settings come from; `offline`: nothing will be sent."""
        from reo_cli.events import BY_NAME
        from reo_cli.settings import SETTINGS, Sources

        keys = [each.key for each in SETTINGS if each.key not in BY_NAME]
        flags = {key: getattr(self, key, None) for key in keys}
        files = self.env_file, not self.no_env_file, self.profile
        return Sources(flags, os.environ, Path(), *files, offline)

    def settings(self, talk: "Talk", *, offline: bool = False) -> "Settings":
        """Resolve the settings, take what the profile says of options, and say what was noticed.

        Raises ReoError 2 or 78.
        """
        from reo_cli.settings import resolve

        settings = resolve(self.sources(offline=offline))
        talk.err.mask.hide(settings.api_key or "")
        self.take(settings.reading, f"profile {settings.profile} in {settings.config_path}")
        for text in settings.warnings:
            talk.warning(text)
        for text in settings.notes:
            talk.verbose(text)
        return settings


class Display(Options):
    """How results and talk are shown."""

    output: "Output | None" = showing(
        "--output -o FORM  table, json, ndjson or github. Default: table on a terminal, else plain "
        "text.",
        choices=("table", "json", "ndjson", "github"),
    )
    quiet: bool = showing("--quiet -q  Print errors only.")
    verbose: bool = showing("--verbose -v  A line for each attempt.")


class Plain(Options):
    """The form of what `config`, `ledger` and `sandbox` print."""

    output: Literal["table", "json"] | None = showing(
        "--output -o FORM  table or json. Default: table on a terminal, else plain text.",
        choices=("table", "json"),
    )


class Ledger(Options):
    """Which ledger is used."""

    ledger: str | None = memory("--ledger PATH  File that remembers what was delivered.")


class Sending(Options):
    """How, where and whether events are sent."""

    timeout: str | None = sending("--timeout SECONDS  Seconds for one attempt, all of it.")
    retries: str | None = sending("--retries N  Attempts after the first; 0 tries nothing twice.")
    max_time: float | None = sending(
        "--max-time SECONDS  Stop after so long, with exit code 75.", parsing.seconds
    )
    dry_run: bool = sending("--dry-run  Do everything but send and write; needs no key.")
    sandbox: bool = sending("--sandbox  Send to a local server started for this run; needs no key.")
    allow_failure: bool = sending(
        "--allow-failure  Exit 0 in place of 69, 75 and 76, with a warning."
    )
    ledger: str | None = Ledger.ledger
    account: str | None = memory(
        "--account NAME  Your name for the account: the ledger outlives its keys."
    )
    endpoint: str | None = where("--endpoint URL  Where events are sent.")
    api_key_file: str | None = where(
        "--api-key-file PATH  File that holds the API key. No option takes the key itself."
    )
    ca_bundle: str | None = where("--ca-bundle PATH  PEM file of the authorities to trust.")


MAX_ISSUES: Any = showing(
    "--max-issues N  Issues shown at most; all are counted.", parsing.whole, default="100"
)

"""The options that more than one command has, each once, and what their text means.

Numbers are taken as text and read here, because Typer's own reading differs by version
(`1_000`, `1250.0`).
"""

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from reo_cli.errors import ExitCode, ReoError


class Output(StrEnum):
    """The forms of a result."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    GITHUB = "github"


class Format(StrEnum):
    """The formats of an input."""

    AUTO = "auto"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    TSV = "tsv"


class Extra(StrEnum):
    """What becomes of columns and keys that are no field."""

    ERROR = "error"
    META = "meta"
    IGNORE = "ignore"


class OnChange(StrEnum):
    """What becomes of an event that was delivered with other content."""

    ERROR = "error"
    SKIP = "skip"
    SEND = "send"


class Plain(StrEnum):
    """The forms of what `config`, `ledger` and `sandbox` print."""

    TABLE = "table"
    JSON = "json"


READING, SENDING, MEMORY, WHERE, OUTPUT = (
    "Reading",
    "Sending",
    "What was delivered before",
    "Endpoint, key and settings",
    "Output",
)
"""The sections of a help page."""

OutputOption = Annotated[
    Output | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FORM",
        help="table, json, ndjson or github. Default: table on a terminal, else plain text.",
        show_default=False,
        rich_help_panel=OUTPUT,
    ),
]
PlainOption = Annotated[
    Plain | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FORM",
        help="table or json. Default: table on a terminal, else plain text.",
        show_default=False,
        rich_help_panel=OUTPUT,
    ),
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", help="No talk and no table; errors stay.", rich_help_panel=OUTPUT
    ),
]
Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", help="A line for each attempt.", rich_help_panel=OUTPUT),
]
VerboseCheck = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        help="Notes on settings, and the traceback of a bug.",
        rich_help_panel=OUTPUT,
    ),
]
Profile = Annotated[
    str | None,
    typer.Option(
        "--profile", metavar="NAME", help="Profile in the config file.", rich_help_panel=WHERE
    ),
]
EnvFile = Annotated[
    Path | None,
    typer.Option(
        "--env-file",
        metavar="PATH",
        help="Read this in place of ./.env; it is trusted.",
        rich_help_panel=WHERE,
    ),
]
NoEnvFile = Annotated[
    bool, typer.Option("--no-env-file", help="Do not read ./.env.", rich_help_panel=WHERE)
]
Endpoint = Annotated[
    str | None,
    typer.Option("--endpoint", metavar="URL", help="Where events are sent.", rich_help_panel=WHERE),
]
Account = Annotated[
    str | None,
    typer.Option(
        "--account",
        metavar="NAME",
        help="Your name for the account: the ledger outlives its keys.",
        rich_help_panel=MEMORY,
    ),
]
ApiKeyFile = Annotated[
    str | None,
    typer.Option(
        "--api-key-file",
        metavar="PATH",
        help="File that holds the API key. No option takes the key itself.",
        rich_help_panel=WHERE,
    ),
]
CaBundle = Annotated[
    str | None,
    typer.Option(
        "--ca-bundle",
        metavar="PATH",
        help="PEM file of the authorities to trust.",
        rich_help_panel=WHERE,
    ),
]
LedgerPath = Annotated[
    str | None,
    typer.Option(
        "--ledger",
        metavar="PATH",
        help="File that remembers what was delivered.",
        rich_help_panel=MEMORY,
    ),
]
Timeout = Annotated[
    str | None,
    typer.Option(
        "--timeout",
        metavar="S",
        help="Seconds for one attempt, all of it. Default: 10.",
        rich_help_panel=SENDING,
    ),
]
Retries = Annotated[
    str | None,
    typer.Option(
        "--retries",
        metavar="N",
        help="Attempts after the first. Default: 5; 0 tries nothing twice.",
        rich_help_panel=SENDING,
    ),
]
MaxTime = Annotated[
    str | None,
    typer.Option(
        "--max-time",
        metavar="S",
        help="Stop after so many seconds, with exit code 75.",
        rich_help_panel=SENDING,
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Do everything but send and write; needs no key.",
        rich_help_panel=SENDING,
    ),
]
SandboxFlag = Annotated[
    bool,
    typer.Option(
        "--sandbox",
        help="Send to a local server started for this run; needs no key.",
        rich_help_panel=SENDING,
    ),
]
AllowFailure = Annotated[
    bool,
    typer.Option(
        "--allow-failure",
        help="Exit 0 in place of 69, 75 and 76, with a warning.",
        rich_help_panel=SENDING,
    ),
]
FormatOption = Annotated[
    Format,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="csv, tsv, json or ndjson. Default: auto, by the name, then the content.",
        show_default=False,
        rich_help_panel=READING,
    ),
]
Encoding = Annotated[
    str | None,
    typer.Option(
        "--encoding",
        metavar="NAME",
        help="Such as cp1252. Default: UTF-8, or UTF-16 by its mark.",
        rich_help_panel=READING,
    ),
]
Delimiter = Annotated[
    str | None,
    typer.Option(
        "--delimiter",
        metavar="C",
        help="Of CSV. Default: comma, semicolon, tab or | by the header.",
        rich_help_panel=READING,
    ),
]
Map = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="FIELD=COLUMN",
        help="Read a field from this column or key. Repeatable.",
        rich_help_panel=READING,
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        help="Give all events this value. Repeatable.",
        rich_help_panel=READING,
    ),
]
Default = Annotated[
    list[str] | None,
    typer.Option(
        "--default",
        metavar="FIELD=VALUE",
        help="Give it to the events that have none. Repeatable.",
        rich_help_panel=READING,
    ),
]
ExtraOption = Annotated[
    Extra | None,
    typer.Option(
        "--extra",
        metavar="WHAT",
        help="Columns and keys that are no field: error, meta (keep them there) or ignore. "
        "Default: error.",
        show_default=False,
        rich_help_panel=READING,
    ),
]
Ignore = Annotated[
    list[str] | None,
    typer.Option(
        "--ignore",
        metavar="COLUMN",
        help="Leave this column or key out. Repeatable.",
        rich_help_panel=READING,
    ),
]
DateFormat = Annotated[
    str | None,
    typer.Option(
        "--date-format",
        metavar="FORMAT",
        help="day-first, month-first, or such as %d.%m.%Y.",
        rich_help_panel=READING,
    ),
]
ActivityType = Annotated[
    str | None,
    typer.Option(
        "--activity-type",
        "-a",
        metavar="TEXT",
        help="Short for --set activity_type=TEXT.",
        rich_help_panel=READING,
    ),
]
ProductId = Annotated[
    str | None,
    typer.Option(
        "--product-id",
        "-p",
        metavar="TEXT",
        help="Short for --set product_id=TEXT.",
        rich_help_panel=READING,
    ),
]
Environment = Annotated[
    str | None,
    typer.Option(
        "--environment",
        "-e",
        metavar="TEXT",
        help="Short for --set environment=TEXT.",
        rich_help_panel=READING,
    ),
]
MaxIssues = Annotated[
    str,
    typer.Option(
        "--max-issues",
        metavar="N",
        help="Issues shown at most; all are counted. Default: 100.",
        show_default=False,
        rich_help_panel=OUTPUT,
    ),
]


def usage(option_name: str, text: str, why: str, hint: str = "") -> ReoError:
    """Return the error for an option's value (2)."""
    from reo_cli.values import shown

    message = f"{option_name}: {shown(text)} {why}"
    return ReoError(ExitCode.USAGE, "usage", message, hint)


def whole(option_name: str, text: str | None, least: int = 0) -> int | None:
    """Read a whole number; raises ReoError 2."""
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,15}", text) or int(text) < least:
        raise usage(option_name, text, f"is not a whole number from {least} on")
    return int(text)


def seconds(option_name: str, text: str | None) -> float | None:
    """Read a time in seconds; raises ReoError 2."""
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]+)?", text):
        raise usage(option_name, text, "is not a number of seconds, such as 30 or 2.5")
    return float(text)


def pairs(option_name: str, texts: list[str] | None) -> dict[str, str]:
    """Read `FIELD=VALUE` texts; raises ReoError 2 for one without `=` or with an unknown field."""
    found: dict[str, str] = {}
    for text in texts or []:
        name, equals, value = text.partition("=")
        if not equals:
            raise usage(option_name, text, "has no `=`", f"write {option_name} FIELD=VALUE")
        name = field(option_name, name)
        if name in found:
            raise usage(option_name, text, f"gives `{name}` a second time")
        found[name] = value
    return found


def field(option_name: str, name: str) -> str:
    """Return the field that `name` is; raises ReoError 2 with a suggestion."""
    from reo_cli.events import NAMES, is_field

    plain = name.strip().replace("-", "_") if not name.startswith("meta.") else name
    if is_field(plain):
        return plain
    from reo_cli.suggestions import suggestion

    near = suggestion(name)
    hint = f"did you mean `{near}`?" if near else f"fields are {', '.join(NAMES)} and meta.NAME"
    raise usage(option_name, name, "is no field", hint)

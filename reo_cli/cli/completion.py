"""What a TAB offers: Typer's engine walks the commands, the callbacks here list values.

All three shells ask with the variables that Typer's engine knows, in the form it has for fish: a
line an offer, value and words with a tab between. The scripts of `completions/` do the rest.
"""

import os
import sys
from pathlib import Path
from typing import Any

VARIABLE = "_REO_COMPLETE"
"""Asks for offers in place of a run; `_TYPER_COMPLETE_ARGS` has the line up to the cursor."""

Offer = tuple[str, str]


def complete(command: Any) -> int:
    """Print what may stand at the cursor; nothing means that the shell may offer files."""
    from typer._completion_classes import FishComplete

    engine = FishComplete(command, {}, "reo", VARIABLE)
    for item in engine.get_completions(*engine.get_completion_args()):
        words = f"\t{' '.join(item.help.split())}" if item.help else ""
        sys.stdout.write(f"{item.value}{words}\n")
    return 0


def fields(_incomplete: str) -> list[Offer]:
    """Offer the fields of an event."""
    from reo_cli.events import FIELDS

    return [(each.name, each.help) for each in FIELDS]


def field_pairs(incomplete: str) -> list[Offer]:
    """Offer `FIELD=`, until the value begins."""
    return [] if "=" in incomplete else [(f"{name}=", words) for name, words in fields("")]


def field_lists(incomplete: str) -> list[Offer]:
    """Offer one field more of `FIELD,FIELD`."""
    before = incomplete[: incomplete.rfind(",") + 1]
    return [(before + name, words) for name, words in fields("")]


def settings(_incomplete: str) -> list[Offer]:
    """Offer the settings."""
    from reo_cli.settings.table import SETTINGS

    return [(each.key, each.help) for each in SETTINGS]


def profiles(_incomplete: str) -> list[Offer]:
    """Offer the profiles of the config file; none when it cannot be read."""
    from reo_cli.errors import ReoError
    from reo_cli.settings.files import config_path, load

    try:
        tables = load(config_path(os.environ.get("REO_CONFIG"), Path()))
    except ReoError:
        return []
    return [(name, "") for name in tables if name]


def topics(_incomplete: str) -> list[Offer]:
    """Offer the topics of `reo help`."""
    from reo_cli.cli.help import titles

    return list(titles().items())

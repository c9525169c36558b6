"""Settings and the findings of `config doctor` → grids for people, one JSON line for programs."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reo_cli.errors import ExitCode, ReoError
from reo_cli.reports.content import Column, Fact, Grid
from reo_cli.reports.streams import Stream

if TYPE_CHECKING:
    from reo_cli.doctor import Check
    from reo_cli.settings import Settings, Value

CONFIG_SCHEMA = "reo.config/1"
DOCTOR_SCHEMA = "reo.doctor/1"
CONFIG_HEADS = ("setting", "value", "source")
DOCTOR_HEADS = ("status", "check", "finding")
STYLES = {"ok": "green", "warning": "yellow", "failed": "bold red"}


def value_text(value: object) -> str:
    """Return a setting's value as it would be typed; what is not set is empty."""
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def config_lines(settings: "Settings", stream: Stream) -> Iterator[str]:
    """Show every setting with its value and its source."""
    rows = [(each.key, value_text(each.value), _source(each)) for each in settings.shown()]
    if not stream.terminal:
        from reo_cli.reports.plain import plain_grid

        yield from plain_grid(Grid([Column(name) for name in CONFIG_HEADS], rows), stream)
        return
    from reo_cli.reports.plain import clean, fact_lines

    cells = [[clean(text, stream) for text in row] for row in rows]
    styles = [("", "bold", "dim" if source == "default" else "") for _, _, source in rows]
    yield from _table(CONFIG_HEADS, cells, styles, stream)
    there = "" if settings.config_path.exists() else " (does not exist)"
    facts = [Fact("config file", f"{settings.config_path}{there}")]
    if settings.profile is not None:
        facts.append(Fact("profile", settings.profile))
    yield ""
    yield from fact_lines(facts, stream)


def _table(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    styles: Iterable[Sequence[str]],
    stream: Stream,
) -> list[str]:
    """Draw texts, made visible before, as a table; `styles` has one for each cell."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from reo_cli.reports.tables import draw

    table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0))
    for head in heads:
        table.add_column(Text(head), header_style="dim", overflow="fold")
    for row, row_styles in zip(rows, styles, strict=True):
        table.add_row(*(Text(*pair) for pair in zip(row, row_styles, strict=True)))
    return draw(table, stream)


def _source(value: "Value") -> str:
    return value.source if value.used else f"{value.source} (not used)"


def config_json(settings: "Settings") -> str:
    """Return all settings as one line of JSON, without its line end."""
    rows = [
        {
            "key": each.key,
            "value": str(each.value) if isinstance(each.value, Path) else each.value,
            "source": each.source,
            "file": None if each.file is None else str(each.file.absolute()),
            "used": each.used,
        }
        for each in settings.shown()
    ]
    return json.dumps(
        {
            "schema": CONFIG_SCHEMA,
            "exit_code": int(ExitCode.OK),
            "settings": rows,
            "profile": settings.profile,
            "config_file": str(settings.config_path),
            "warnings": [*settings.warnings],
            "error": None,
        }
    )


def config_error_json(error: ReoError) -> str:
    """Return the same line for settings that could not be resolved."""
    return json.dumps(
        {
            "schema": CONFIG_SCHEMA,
            "exit_code": int(error.exit_code),
            "settings": [],
            "error": {
                "exit_code": int(error.exit_code),
                "reason": error.reason,
                "message": error.message,
                "hint": error.hint,
            },
        }
    )


def doctor_lines(checks: Sequence["Check"], stream: Stream) -> Iterator[str]:
    """Show what the doctor found: a table on a terminal, a line each elsewhere."""
    from reo_cli.reports.plain import clean

    texts = [(clean(each.message, stream), clean(each.hint, stream)) for each in checks]
    if stream.terminal:
        rows = [
            (each.status, each.name, f"{message}\nhint: {hint}" if hint else message)
            for each, (message, hint) in zip(checks, texts, strict=True)
        ]
        styles = [(STYLES[each.status], "", "") for each in checks]
        yield from _table(DOCTOR_HEADS, rows, styles, stream)
        return
    for each, (message, hint) in zip(checks, texts, strict=True):
        yield f"{each.status}: {each.name}: {message}"
        if hint:
            yield f"hint: {hint}"


def doctor_json(checks: Iterable["Check"], status: str, exit_code: ExitCode) -> str:
    """Return the findings as one line of JSON, without its line end."""
    rows = [
        {"name": each.name, "status": each.status, "message": each.message, "hint": each.hint}
        for each in checks
    ]
    return json.dumps(
        {
            "schema": DOCTOR_SCHEMA,
            "status": status,
            "exit_code": int(exit_code),
            "checks": rows,
            "error": None,
        }
    )

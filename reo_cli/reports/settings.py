"""Settings and the findings of `config doctor`, for people and as one JSON line for programs."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reo_cli.errors import ExitCode, ReoError
from reo_cli.reports.json_output import error_shape, json_line
from reo_cli.reports.streams import Stream, Tone
from reo_cli.reports.text_output import clean, grid_lines
from reo_cli.reports.view import Column, Fact, Grid
from reo_cli.reports.words import count_of

if TYPE_CHECKING:
    from reo_cli.doctor import Check
    from reo_cli.settings import Settings, Value

CONFIG_SCHEMA = "reo.config/1"
DOCTOR_SCHEMA = "reo.doctor/1"
CONFIG_HEADS = (Column("setting", "strong"), Column("value"), Column("source", "dim"))
MARKS: dict[str, tuple[str, Tone]] = {
    "ok": ("✓", "good"),
    "warning": ("!", "warn"),
    "failed": ("✗", "bad"),
}
VERDICTS = {
    "ok": "ready to send",
    "warning": "ready to send, with a warning",
    "failed": "not ready to send",
}


def value_text(value: object) -> str:
    """Return a setting's value as it would be typed; what is not set is empty."""
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def config_lines(settings: "Settings", stream: Stream) -> Iterator[str]:
    """Show every setting with its value and its source; a terminal shows those that are set first,
    and names the config file once."""
    if not stream.terminal:
        rows = [(each.key, value_text(each.value), _source(each)) for each in settings.shown()]
        yield from grid_lines(Grid(CONFIG_HEADS, rows), stream)
        return
    from reo_cli.reports.terminal import fact_lines

    path = str(settings.config_path)
    ordered = sorted(
        settings.shown(), key=lambda each: (each.value is None, each.source == "default")
    )
    yield from fact_lines([_fact(each, path) for each in ordered], stream)
    there = "" if settings.config_path.exists() else " (does not exist)"
    facts = [Fact("config file", f"{_at_home(path)}{there}")]
    if settings.profile is not None:
        facts.append(Fact("profile", settings.profile))
    yield ""
    yield from fact_lines(facts, stream)


def _fact(each: "Value", config_path: str) -> Fact:
    """A setting in one line, which 80 columns hold also with the endpoint of the API."""
    if each.value is None:
        return Fact(each.key, "-", "dim")
    source = _source(each).replace(config_path, "config file")
    return Fact(each.key, f"{_at_home(value_text(each.value))}  ({source})")


def _at_home(path: str) -> str:
    """A path below the user's home with `~` for it."""
    home = str(Path("~").expanduser())
    return f"~{path.removeprefix(home)}" if path.startswith(f"{home}/") else path


def _source(value: "Value") -> str:
    return value.source if value.used else f"{value.source} (not used)"


def config_json(settings: "Settings", stream: Stream) -> str:
    """Return all settings as one line of JSON, with its line end."""
    rows = [
        {
            "key": each.key,
            "value": each.value,
            "source": each.source,
            "file": None if each.file is None else str(each.file.absolute()),
            "used": each.used,
        }
        for each in settings.shown()
    ]
    shape = {
        "schema": CONFIG_SCHEMA,
        "exit_code": int(ExitCode.OK),
        "settings": rows,
        "profile": settings.profile,
        "config_file": str(settings.config_path),
        "warnings": [*settings.warnings],
        "error": None,
    }
    return json_line(shape, stream.mask)


def config_error_json(error: ReoError, stream: Stream) -> str:
    """Return the same line for settings that could not be resolved."""
    shape = {
        "schema": CONFIG_SCHEMA,
        "exit_code": int(error.exit_code),
        "settings": [],
        "error": error_shape(error),
    }
    return json_line(shape, stream.mask)


def doctor_lines(checks: Sequence["Check"], status: str, stream: Stream) -> Iterator[str]:
    """Show what the doctor found, a line each; on a terminal with a verdict at the end."""
    if not stream.terminal:
        for each in checks:
            yield f"{each.status}: {each.name}: {clean(each.message, stream)}"
            if each.hint:
                yield f"hint: {clean(each.hint, stream)}"
        return
    from reo_cli.reports.terminal import labelled

    room = max((len(each.name) for each in checks), default=0)
    for each in checks:
        mark, tone = MARKS[each.status]
        yield from labelled(f"{mark} {each.name:<{room}}", tone, each.message, stream, " ")
        if each.hint:
            yield from labelled("hint:", "hint", each.hint, stream, " " * (room + 4))
    bad = sum(each.status == "failed" for each in checks)
    words = f"{VERDICTS[status]}: {count_of(bad, 'check')} failed" if bad else VERDICTS[status]
    yield ""
    yield f" {stream.paint(words, MARKS[status][1])}"


def doctor_json(checks: Sequence["Check"], status: str, exit_code: ExitCode, stream: Stream) -> str:
    """Return the findings as one line of JSON, with its line end."""
    names = ("name", "status", "message", "hint")
    shape = {
        "schema": DOCTOR_SCHEMA,
        "status": status,
        "exit_code": int(exit_code),
        "checks": [{name: getattr(each, name) for name in names} for each in checks],
        "error": None,
    }
    return json_line(shape, stream.mask)

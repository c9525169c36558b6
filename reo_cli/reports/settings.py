"""Settings and the findings of `config doctor`, for programs and for people."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reo_cli.errors import ExitCode, ReoError
from reo_cli.reports.json_output import error_shape, picked
from reo_cli.reports.report import Report
from reo_cli.reports.streams import Tone
from reo_cli.reports.view import Block, Fact, Line, Shape, View
from reo_cli.reports.words import count_of

if TYPE_CHECKING:
    from reo_cli.doctor import Check
    from reo_cli.settings import Settings, Value

MARKS: dict[str, tuple[str, Tone, str]] = {
    "ok": ("✓", "good", "ready to send"),
    "warning": ("!", "warn", "ready to send, with a warning"),
    "failed": ("✗", "bad", "not ready to send"),
}


class SettingsReport(Report["Settings | ReoError"]):
    """The report of `reo config list`: the settings, or why they cannot be resolved."""

    def blank(self, error: ReoError) -> ReoError:
        """The error itself: there are no settings."""
        return error

    def view(self, result: "Settings | ReoError", *, screen: bool) -> View:
        """Every setting with its value and its source."""
        shape: Shape = {"schema": "reo.config/1", "exit_code": ExitCode.OK, "settings": []}
        if isinstance(result, ReoError):
            shape |= {"exit_code": result.exit_code, "error": error_shape(result)}
            return View("", result.exit_code, shape, errors=[result])
        shape |= {
            "settings": [_value_shape(each) for each in result.values.values()],
            "profile": result.profile,
            "config_file": result.config_path,
            "warnings": result.warnings,
            "error": None,
        }
        return View("", ExitCode.OK, shape, _for_screen(result) if screen else [_columns(result)])


def value_text(value: object) -> str:
    """Return a setting's value as it would be typed; what is not set is empty."""
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _value_shape(each: "Value") -> Shape:
    file = each.file and each.file.absolute()
    return {**picked(each, "key value source"), "file": file, "used": each.used}


def _columns(settings: "Settings") -> list[Line]:
    """The settings for a pipe."""
    rows = [("setting", "value", "source")]
    rows += [(each.key, value_text(each.value), _source(each)) for each in settings.values.values()]
    first, second = (max(len(row[at]) for row in rows) for at in (0, 1))
    return [Line(f"{a:{first}}  {b:{second}}  {c}") for a, b, c in rows]


def _for_screen(settings: "Settings") -> list[Block]:
    """Those that are set come first; the config file is named once."""
    path = str(settings.config_path)
    values = sorted(
        settings.values.values(), key=lambda each: (each.value is None, each.source == "default")
    )
    there = "" if settings.config_path.exists() else " (does not exist)"
    facts = [Fact("config file", f"{_at_home(path)}{there}")]
    if settings.profile is not None:
        facts.append(Fact("profile", settings.profile))
    return [[_fact(each, path) for each in values], facts]


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


class DoctorReport(Report["Sequence[Check]"]):
    """The report of `reo config doctor`."""

    def view(self, result: "Sequence[Check]", *, screen: bool) -> View:
        """A line a finding; a screen has a verdict at the end."""
        from reo_cli.doctor import verdict

        status, exit_code = verdict(result)
        checks = [picked(each, "name status message hint") for each in result]
        shape = {"schema": "reo.doctor/1", "status": status, "exit_code": exit_code}
        blocks: list[Block] = [[*_found(result, screen)]]
        if screen:
            _, tone, words = MARKS[status]
            bad = sum(each.status == "failed" for each in result)
            words += f": {count_of(bad, 'check')} failed" if bad else ""
            blocks.append([Line(words, tone=tone, margin=" ")])
        return View("", exit_code, {**shape, "checks": checks, "error": None}, blocks)


def _found(checks: "Sequence[Check]", screen: bool) -> Iterator[Line]:
    room = max((len(each.name) for each in checks), default=0)
    for each in checks:
        mark, tone, _ = MARKS[each.status]
        label = f"{mark} {each.name:<{room}}" if screen else f"{each.status}: {each.name}:"
        yield Line(each.message, label, tone, " ")
        if each.hint:
            yield Line(each.hint, "hint:", "hint", " " * (room + 4))

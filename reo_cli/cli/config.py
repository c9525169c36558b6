"""`reo config`: options in, one plain function, its result to the streams.

The key is never taken from the command line, and never shown but for its last four characters.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from reo_cli.cli import completion
from reo_cli.cli import options as opt
from reo_cli.cli.command import Options, argument, command
from reo_cli.cli.pages import Group
from reo_cli.errors import ExitCode, ReoError

if TYPE_CHECKING:
    from reo_cli.reports import Streams, Talk
    from reo_cli.settings import Settings


class Target(Options):
    """Which part of the config file is meant."""

    profile: str | None = opt.Where.profile

    def place(self) -> tuple[Path, str | None]:
        """Return the config file to write, and the profile in it; raises ReoError 78."""
        from reo_cli.settings.files import config_path
        from reo_cli.settings.resolve import cleaned

        variables = cleaned(os.environ, "the environment", [])
        return config_path(variables.get("config"), Path()), self.profile or variables.get(
            "profile"
        )


class Key(Target):
    """Which setting is meant."""

    key: str = argument(
        *("KEY", "Name of the setting, e.g. timeout or map.domain."),
        offers=completion.settings,
        required=True,
    )

    def warn_if_hidden(self, talk: "Talk") -> None:
        """Warn of a variable, which comes before what the file says."""
        variable = f"REO_{self.key.upper()}"
        if os.environ.get(variable):
            talk.warning(f"`{variable}` in the environment comes before the config file")


class KeyAndValue(Key):
    """What a setting is to be."""

    value: str | None = argument("[VALUE]", "For api_key: nothing for a prompt, or - for stdin.")


class Shown(opt.Where, opt.Plain):
    """How settings are found and shown."""


class KeyShown(opt.Where):
    """Which setting is shown."""

    key: str = Key.key


@command("list", Shown, "Show every setting, its value and where it comes from.")
def list_settings(options: Shown) -> int:
    """Show every setting."""
    from reo_cli.reports.settings import SettingsReport

    streams, talk = options.open()
    options.report = report = SettingsReport(options.output, streams, talk)
    settings = _resolved(options, streams, talk)
    if options.output != "json" and len(settings.notes) > 1:
        for text in settings.notes:
            talk.note(text)
    return report.finish(settings)


@command("get", KeyShown, "Print one value; an empty line when it is not set.")
def get_setting(options: KeyShown) -> None:
    """Print one value."""
    from reo_cli.reports.settings import value_text
    from reo_cli.reports.text_output import clean
    from reo_cli.settings.edit import require_known

    require_known(options.key)
    streams, talk = options.open()
    settings = _resolved(options, streams, talk)
    values = {each.key: value_text(each.value) for each in settings.shown()}
    streams.out.lines(clean(values.get(options.key, ""), streams.out))


@command("set", KeyAndValue, "Write one setting to the config file, comments kept.")
def set_setting(options: KeyAndValue) -> None:
    """Write one setting."""
    from reo_cli.settings import edit, prompt

    _, talk = options.open()
    path, profile = options.place()
    text = options.value
    if text is None and "=" in options.key:
        options.key, _, text = options.key.partition("=")
    edit.require_known(options.key, profile)
    if options.key == "api_key":
        text = prompt.new_key(text)
    if text is None:
        hint = f"reo config set {options.key} VALUE"
        raise ReoError(ExitCode.USAGE, "setting", f"`{options.key}` needs a value", hint)
    edit.set_values(path, profile, {options.key: text}, Path())
    where = "" if profile is None else f"profiles.{profile}."
    talk.note(f"`{where}{options.key}` is set in `{path}`")
    options.warn_if_hidden(talk)


@command("unset", Key, "Remove one setting from the config file, comments kept.")
def unset_setting(options: Key) -> None:
    """Remove one setting."""
    from reo_cli.settings import edit

    _, talk = options.open()
    path, profile = options.place()
    removed = edit.unset(path, profile, options.key)
    talk.note(f"`{options.key}` {'is removed from' if removed else 'was not set in'} `{path}`")
    options.warn_if_hidden(talk)


@command("path", Options, "Print the path of the config file, whether it exists or not.")
def show_path(options: Options) -> None:
    """Print the path of the config file."""
    from reo_cli.reports.text_output import clean

    streams, _ = options.open()
    path, _ = Target().place()
    streams.out.lines(clean(str(path), streams.out))


@command("init", Target, "Ask for key, product and environment; write them.")
def init(options: Target) -> None:
    """Ask for the most important settings."""
    from reo_cli.settings import edit, prompt

    streams, talk = options.open()
    path, profile = options.place()
    answers = prompt.interview(path, profile, talk.note)
    streams.mask.hide(answers.get("api_key", ""))
    edit.set_values(path, profile, answers, Path())
    talk.note(f"`{path}` is written; only you can read it")
    talk.hint("`reo config doctor` checks the way to the API without sending an event")


@command("doctor", Shown, "Check the way to the API without sending an event.")
def doctor(options: Shown) -> int:
    """Check the way to the API; return the exit code."""
    import time

    from reo_cli.doctor import examine, verdict
    from reo_cli.reports.settings import DoctorReport, Findings

    checks = list(examine(options.sources(), time.time()))
    report = DoctorReport(options.output, *options.open())
    return report.finish(Findings(checks, *verdict(checks)))


def _resolved(options: opt.Where, streams: "Streams", talk: "Talk") -> "Settings":
    """Resolve the settings, mask the key from here on, and say what was noticed."""
    from reo_cli.settings import resolve

    settings = resolve(options.sources(offline=True))
    streams.mask.hide(settings.api_key or "")
    for text in settings.warnings:
        talk.warning(text)
    return settings


config = Group(
    name="config",
    help="Show, change and check the settings.",
    commands=[list_settings, get_setting, set_setting, unset_setting, show_path, init, doctor],
)

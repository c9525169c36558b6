"""`reo config`: options in, one plain function, its result to the streams.

The key is never taken from the command line, and never shown but for its last four characters.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from reo_cli.cli import completion
from reo_cli.cli import options as opt
from reo_cli.cli.command import Options, argument, command, new_app

if TYPE_CHECKING:
    from reo_cli.reports.streams import Streams
    from reo_cli.reports.talk import Talk
    from reo_cli.settings import Settings

config_app = new_app(
    name="config", help="Show, change and check the settings.", no_args_is_help=True
)


class Profile(Options):
    """Which part of the config file is meant."""

    profile: str | None = opt.Where.profile


class Key(Profile):
    """Which setting is meant."""

    key: str = argument(
        "KEY", "Name of the setting, e.g. timeout or map.domain.", offers=completion.settings
    )


class KeyAndValue(Key):
    """What a setting is to be."""

    value: str | None = argument(
        "[VALUE]", "For api_key: nothing for a prompt, or - for stdin.", default=None
    )


class Shown(opt.Where, opt.Plain):
    """How settings are found and shown."""


class KeyShown(opt.Where):
    """Which setting is shown."""

    key: str = Key.key


@command(config_app, "list", Shown, "Show every setting, its value and where it comes from.")
def list_settings(options: Shown) -> int:
    """Show every setting."""
    from reo_cli.errors import ReoError
    from reo_cli.reports.settings import SettingsReport
    from reo_cli.settings import resolve

    streams, talk = _streams()
    report = SettingsReport(options.output, streams, talk)
    try:
        settings = resolve(options.sources(offline=True))
    except ReoError as error:
        return report.failed(error)
    _prepare(settings, streams, talk)
    if options.output != "json" and len(settings.notes) > 1:
        for text in settings.notes:
            talk.note(text)
    return report.finish(settings)


@command(config_app, "get", KeyShown, "Print one value; an empty line when it is not set.")
def get_setting(options: KeyShown) -> None:
    """Print one value."""
    from reo_cli.reports.settings import value_text
    from reo_cli.reports.text_output import clean
    from reo_cli.settings import resolve
    from reo_cli.settings.edit import require_known

    require_known(options.key)
    streams, talk = _streams()
    settings = resolve(options.sources(offline=True))
    _prepare(settings, streams, talk)
    values = {each.key: value_text(each.value) for each in settings.shown()}
    streams.out.lines(clean(values.get(options.key, ""), streams.out))


@command(config_app, "set", KeyAndValue, "Write one setting to the config file, comments kept.")
def set_setting(options: KeyAndValue) -> None:
    """Write one setting."""
    from reo_cli.errors import ExitCode, ReoError
    from reo_cli.settings import edit, prompt

    _, talk = _streams()
    path, profile = _target(options.profile)
    key, text = options.key, options.value
    if text is None and "=" in key:
        key, _, text = key.partition("=")
    edit.require_known(key, profile)
    if key == "api_key":
        text = prompt.new_key(text)
    if text is None:
        hint = f"reo config set {key} VALUE"
        raise ReoError(ExitCode.USAGE, "setting", f"`{key}` needs a value", hint)
    edit.set_values(path, profile, {key: text}, Path())
    where = "" if profile is None else f"profiles.{profile}."
    talk.note(f"`{where}{key}` is set in `{path}`")
    _warn_if_hidden(key, talk)


@command(config_app, "unset", Key, "Remove one setting from the config file, comments kept.")
def unset_setting(options: Key) -> None:
    """Remove one setting."""
    from reo_cli.settings import edit

    _, talk = _streams()
    path, profile = _target(options.profile)
    removed = edit.unset(path, profile, options.key)
    state = "is removed from" if removed else "was not set in"
    talk.note(f"`{options.key}` {state} `{path}`")
    _warn_if_hidden(options.key, talk)


@command(
    config_app, "path", Options, "Print the path of the config file, whether it exists or not."
)
def show_path(_options: Options) -> None:
    """Print the path of the config file."""
    from reo_cli.reports.text_output import clean

    streams, _ = _streams()
    path, _ = _target(None)
    streams.out.lines(clean(str(path), streams.out))


@command(config_app, "init", Profile, "Ask for key, product and environment; write them.")
def init(options: Profile) -> None:
    """Ask for the most important settings."""
    from reo_cli.settings import edit, prompt

    streams, talk = _streams()
    path, profile = _target(options.profile)
    answers = prompt.interview(path, profile, talk.note)
    streams.mask.hide(answers.get("api_key", ""))
    edit.set_values(path, profile, answers, Path())
    talk.note(f"`{path}` is written; only you can read it")
    talk.hint("`reo config doctor` checks the way to the API without sending an event")


@command(config_app, "doctor", Shown, "Check the way to the API without sending an event.")
def doctor(options: Shown) -> int:
    """Check the way to the API; return the exit code."""
    import time

    from reo_cli.doctor import examine, verdict
    from reo_cli.reports.settings import DoctorReport, Findings

    checks = list(examine(options.sources(), time.time()))
    return DoctorReport(options.output, *_streams()).finish(Findings(checks, *verdict(checks)))


def _streams() -> "tuple[Streams, Talk]":
    from reo_cli.reports.streams import Streams
    from reo_cli.reports.talk import Talk

    streams = Streams.standard()
    return streams, Talk(streams.err)


def _target(profile: str | None) -> tuple[Path, str | None]:
    """Return the config file to write, and the profile in it; raises ReoError 78."""
    import os

    from reo_cli.settings.files import config_path
    from reo_cli.settings.resolve import cleaned

    variables = cleaned(os.environ, "the environment", [])
    return config_path(variables.get("config"), Path()), profile or variables.get("profile")


def _prepare(settings: "Settings", streams: "Streams", talk: "Talk") -> None:
    """Mask the key from here on, and say what was noticed."""
    streams.mask.hide(settings.api_key or "")
    for text in settings.warnings:
        talk.warning(text)


def _warn_if_hidden(key: str, talk: "Talk") -> None:
    import os

    variable = f"REO_{key.upper()}"
    if os.environ.get(variable):
        talk.warning(f"`{variable}` in the environment comes before the config file")

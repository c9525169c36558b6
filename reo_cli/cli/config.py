"""`reo config`: options in, one plain function, its result to the streams.

The key is never taken from the command line, and never shown but for its last four characters.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reo_cli.cli import options as opt
from reo_cli.cli.manual import Command, Group

if TYPE_CHECKING:
    from reo_cli.reports.streams import Streams
    from reo_cli.reports.talk import Talk
    from reo_cli.settings import Settings, Sources

config_app = typer.Typer(
    name="config",
    cls=Group,
    help="Show, change and check the settings.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)


Key = Annotated[str, typer.Argument(metavar="KEY", help="Such as timeout, or map.domain.")]
NewValue = Annotated[
    str | None,
    typer.Argument(
        metavar="[VALUE]",
        help="For api_key: nothing for a prompt, or - for stdin.",
        show_default=False,
    ),
]


@config_app.command("list", cls=Command)
def list_settings(
    profile: opt.Profile = None,
    env_file: opt.EnvFile = None,
    no_env_file: opt.NoEnvFile = False,
    output: opt.PlainOption = None,
) -> None:
    """Show every setting, its value and where it comes from."""
    from reo_cli.errors import ReoError
    from reo_cli.reports import settings as report
    from reo_cli.settings import resolve

    streams, talk = _streams()
    try:
        settings = resolve(_sources(profile, env_file, no_env_file, offline=True))
    except ReoError as error:
        if output is opt.Plain.JSON:
            streams.out.write(report.config_error_json(error) + "\n")
        raise
    _prepare(settings, streams, talk)
    if output is opt.Plain.JSON:
        streams.out.write(report.config_json(settings) + "\n")
        return
    if len(settings.notes) > 1:
        for text in settings.notes:
            talk.note(text)
    streams.out.lines(*report.config_lines(settings, streams.out))


@config_app.command("get", cls=Command)
def get_setting(
    key: Key,
    profile: opt.Profile = None,
    env_file: opt.EnvFile = None,
    no_env_file: opt.NoEnvFile = False,
) -> None:
    """Print one value; an empty line when it is not set."""
    from reo_cli.reports.plain import clean
    from reo_cli.reports.settings import value_text
    from reo_cli.settings import resolve
    from reo_cli.settings.edit import require_known

    require_known(key)
    streams, talk = _streams()
    settings = resolve(_sources(profile, env_file, no_env_file, offline=True))
    _prepare(settings, streams, talk)
    values = {each.key: value_text(each.value) for each in settings.shown()}
    streams.out.lines(clean(values.get(key, ""), streams.out))


@config_app.command("set", cls=Command)
def set_setting(key: Key, value: NewValue = None, profile: opt.Profile = None) -> None:
    """Write one setting to the config file, comments kept."""
    from reo_cli.settings import edit, interview

    _, talk = _streams()
    path, profile = _target(profile)
    key, text = edit.pair(key, value)
    keys = edit.place(key, profile)
    if key == "api_key":
        text = interview.new_key(text, interview.terminal(talk.note))
    edit.set_values(path, {keys: edit.given(key, text)}, Path())
    talk.note(f"`{'.'.join(keys)}` is set in `{path}`")
    _warn_if_hidden(key, talk)


@config_app.command("unset", cls=Command)
def unset_setting(key: Key, profile: opt.Profile = None) -> None:
    """Remove one setting from the config file, comments kept."""
    from reo_cli.settings import edit

    _, talk = _streams()
    path, profile = _target(profile)
    removed = edit.unset(path, key, profile)
    state = "is removed from" if removed else "was not set in"
    talk.note(f"`{key}` {state} `{path}`")
    _warn_if_hidden(key, talk)


@config_app.command("path", cls=Command)
def show_path() -> None:
    """Print the path of the config file, whether it exists or not."""
    from reo_cli.reports.plain import clean

    streams, _ = _streams()
    path, _ = _target(None)
    streams.out.lines(clean(str(path), streams.out))


@config_app.command("init", cls=Command)
def init(profile: opt.Profile = None) -> None:
    """Ask for key, product and environment; write them."""
    from reo_cli.settings import edit, interview

    streams, talk = _streams()
    path, profile = _target(profile)
    answers = interview.interview(path, profile, interview.terminal(talk.note))
    streams.mask.hide(answers.get(edit.place("api_key", profile), ""))
    edit.set_values(path, answers, Path())
    talk.note(f"`{path}` is written; only you can read it")
    talk.hint("`reo config doctor` checks the way to the API without sending an event")


@config_app.command("doctor", cls=Command)
def doctor(
    profile: opt.Profile = None,
    env_file: opt.EnvFile = None,
    no_env_file: opt.NoEnvFile = False,
    output: opt.PlainOption = None,
) -> None:
    """Check the way to the API without sending an event."""
    import time

    from reo_cli.doctor import examine, verdict
    from reo_cli.reports import settings as report

    streams, _ = _streams()
    checks = list(examine(_sources(profile, env_file, no_env_file), time.time()))
    status, exit_code = verdict(checks)
    if output is opt.Plain.JSON:
        streams.out.write(report.doctor_json(checks, status, exit_code) + "\n")
    else:
        streams.out.lines(*report.doctor_lines(checks, streams.out))
    raise typer.Exit(exit_code)


def _streams() -> "tuple[Streams, Talk]":
    from reo_cli.reports.streams import Streams
    from reo_cli.reports.talk import Talk

    streams = Streams.standard()
    return streams, Talk(streams.err)


def _sources(
    profile: str | None, env_file: Path | None, no_env_file: bool, *, offline: bool = False
) -> "Sources":
    import os

    from reo_cli.settings import Sources

    return Sources({}, os.environ, Path(), env_file, not no_env_file, profile, offline)


def _target(profile: str | None) -> tuple[Path, str | None]:
    """Return the config file to write, and the profile in it."""
    import os

    from reo_cli.settings.levels import config_path

    return config_path(os.environ, Path()), profile or os.environ.get("REO_PROFILE") or None


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

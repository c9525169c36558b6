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
    from reo_cli.reports import Talk


class Target(Options):
    """Which part of the config file is meant."""

    profile: str | None = opt.Where.profile

    def place(self) -> tuple[Path, str | None]:
        """Return the config file to write, and the profile in it; raises ReoError 78."""
        from reo_cli.settings.files import config_path
        from reo_cli.settings.resolve import cleaned

        variables = cleaned(os.environ, "the environment", [])
        path = config_path(variables.get("config"), Path())
        return path, self.profile or variables.get("profile")


class Key(Target):
    """Which setting is meant."""

    key: str = argument(
        "KEY  Name of the setting, e.g. timeout or map.domain.",
        offers=completion.settings,
        required=True,
    )

    def tell(self, talk: "Talk", text: str) -> None:
        """Say what was done, and warn of a variable, which comes before what the file says."""
        talk.note(text)
        variable = f"REO_{self.key.upper()}"
        if os.environ.get(variable):
            talk.warning(f"`{variable}` in the environment comes before the config file")


class KeyAndValue(Key):
    """What a setting is to be."""

    value: str | None = argument("[VALUE]  For api_key: nothing for a prompt, or - for stdin.")


class Shown(opt.Where, opt.Plain):
    """How settings are found and shown."""


class KeyShown(Key, opt.Where):
    """Which setting is shown."""


@command("list", Shown, "Show every setting, its value and where it comes from.")
def _list(options: Shown) -> int:
    from reo_cli.reports.settings import SettingsReport

    report = options.reported(SettingsReport)
    settings = options.settings(report.talk, offline=True)
    if options.output != "json" and len(settings.notes) > 1:
        for text in settings.notes:
            report.note(text)
    return report.finish(settings)


@command("get", KeyShown, "Print one value; an empty line when it is not set.")
def _get(options: KeyShown) -> None:
    from reo_cli.reports.settings import value_text
    from reo_cli.settings.edit import require_known

    require_known(options.key)
    streams, talk = options.open()
    settings = options.settings(talk, offline=True)
    found = settings.values.get(options.key)
    streams.out.lines(streams.out.clean(value_text(found and found.value)))


@command("set", KeyAndValue, "Write one setting to the config file, comments kept.")
def _set(options: KeyAndValue) -> None:
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
    options.tell(talk, f"`{where}{options.key}` is set in `{path}`")


@command("unset", Key, "Remove one setting from the config file, comments kept.")
def _unset(options: Key) -> None:
    from reo_cli.settings import edit

    _, talk = options.open()
    path, profile = options.place()
    done = "is removed from" if edit.unset(path, profile, options.key) else "was not set in"
    options.tell(talk, f"`{options.key}` {done} `{path}`")


@command("path", Options, "Print the path of the config file, whether it exists or not.")
def _path(options: Options) -> None:
    streams, _ = options.open()
    path, _ = Target().place()
    streams.out.lines(streams.out.clean(str(path)))


@command("init", Target, "Ask for key, product and environment; write them.")
def _init(options: Target) -> None:
    from reo_cli.settings import edit, prompt

    streams, talk = options.open()
    path, profile = options.place()
    answers = prompt.interview(path, profile, talk.note)
    streams.mask.hide(answers.get("api_key", ""))
    edit.set_values(path, profile, answers, Path())
    talk.note(f"`{path}` is written; only you can read it")
    talk.hint("`reo config doctor` checks the way to the API without sending an event")


@command("doctor", Shown, "Check the way to the API without sending an event.")
def _doctor(options: Shown) -> int:
    import time

    from reo_cli.doctor import examine
    from reo_cli.reports.settings import DoctorReport

    checks = list(examine(options.sources(), time.time()))
    return options.reported(DoctorReport).finish(checks)


config = Group(commands=[_list, _get, _set, _unset, _path, _init, _doctor])

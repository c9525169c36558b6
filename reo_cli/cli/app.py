"""The command `reo`: its subcommands, each imported when it is used, and the end of every run.

Here, and only here, an exception becomes words on standard error and an exit code.
"""

import errno
import importlib
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import typer
import typer.core

from reo_cli.cli.completion import VARIABLE, complete
from reo_cli.cli.pages import Command, Group, section
from reo_cli.errors import ExitCode, ReoError, system_limit
from reo_cli.settings.table import nearest

if TYPE_CHECKING:
    from reo_cli.reports import Talk

SECTIONS = {
    "Send": {
        "send": "Send one event.",
        "send-file": "Send the events of files or a pipe.",
        "validate": "Check files without sending anything.",
    },
    "Set up and look after": {
        "config": "Show, change and check the settings.",
        "ledger": "Look after what has been delivered.",
        "sandbox": "Start a local server that answers like the API.",
        "help": "Explain a topic, such as fields, formats or exit-codes.",
    },
}
"""The subcommands as `--help` groups them, and what it says of them without importing them."""
COMMANDS = {name: text for rows in SECTIONS.values() for name, text in rows.items()}

START = (
    ("reo validate usage.csv", "check a file, send nothing"),
    ("reo send-file usage.csv --sandbox", "try it: a local server, no key"),
    ("reo config init", "set the key, once"),
    ("reo send-file usage.csv", "send it; the same command resumes"),
)
"""The first commands of a new user."""

EPILOG = """
Exit codes: 0 all is well; 1 some events were rejected or are invalid;
  2 wrong usage; 65 the input is invalid; 66 no input; 69 run it again;
  70 a bug in reo; 73 a file cannot be created; 74 a read or write failed;
  75 come back later; 76 not the API; 77 the key is refused; 78 configuration;
  129, 130, 143 a signal.
"""


class Commands(Group):
    """Imports a subcommand when it is used: start-up pays for one of them, not for all."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Import the subcommand that is used; raises ReoError 2 with the nearest."""
        name, command, rest = super().resolve_command(ctx, args)
        if command is None:  # a TAB behind a name that is none
            return args[0], Command(args[0]), []
        return name, self.load(name), rest

    def load(self, name: str) -> Any:
        """Import and return a subcommand."""
        attribute = name.replace("-", "_")
        command = getattr(importlib.import_module(f"reo_cli.cli.{attribute}"), attribute)
        command.help = command.help or COMMANDS[name]
        return command

    def sections(self) -> list[str]:
        """Return where to start, and the subcommands by what they are for."""
        lists = [section(title, rows.items()) for title, rows in SECTIONS.items()]
        return [section("Start here", START), *lists]


def _instead(name: str, act: Callable[[], None], text: str) -> typer.core.TyperOption:
    """Return an option of `reo` itself, which does something in place of a run."""

    def called(ctx: Any, _parameter: Any, is_wanted: bool) -> None:
        if is_wanted and not ctx.resilient_parsing:
            act()
            ctx.exit()

    given: dict[str, Any] = {"is_flag": True, "is_eager": True, "expose_value": False}
    return typer.core.TyperOption(param_decls=[name], callback=called, help=text, **given)


def _print_version() -> None:
    from reo_cli import __version__

    sys.stdout.write(f"reo {__version__}\n")


def _show_completion() -> None:
    from reo_cli.cli import shells

    sys.stdout.write(shells.script(shells.chosen()))


def _install_completion() -> None:
    from reo_cli.cli import shells

    talk = _talk()
    for path in shells.install(shells.chosen()):
        talk.note(f"`{path}` is written")
    talk.hint("completion works in shells that are started from now on")


app = Commands(
    name="reo",
    help="Upload aggregated telemetry events to Reo.Dev's Product Usage API, each one once.",
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
    commands={name: Command(name, help=text, short_help=text) for name, text in COMMANDS.items()},
    params=[
        _instead("--version", _print_version, "Print the version."),
        _instead(
            *("--show-completion", _show_completion),
            "Print the completion script of this shell, or of bash, zsh or fish.",
        ),
        _instead(
            *("--install-completion", _install_completion),
            "Set up completion in this shell, or in bash, zsh or fish.",
        ),
    ],
)


def run() -> int:
    """Run the command line; return the exit code. Only a bug prints a traceback, under -v."""
    try:
        return _flushed(complete(app) if VARIABLE in os.environ else obey(sys.argv[1:]))
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except USAGE_ERROR as error:
        _talk().error(_usage(error))
        return ExitCode.USAGE
    except (Exception, SystemExit) as fault:  # noqa: BLE001 - a bug must not look like bad data
        if isinstance(fault, OSError) and fault.errno in NOT_WRITTEN and not fault.filename:
            return _unwritten(fault)
        known = system_limit(fault) or (fault if isinstance(fault, ReoError) else None)
        if known is None:
            return _bug(fault)
        _talk().error(known)
        return known.exit_code


def obey(words: list[str]) -> int:
    """Run a command line; return the exit code."""
    try:
        with app.make_context("reo", words) as context:
            app.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    return ExitCode.OK


USAGE_ERROR: Any = typer.BadParameter.__base__
"""The base of what Typer raises for a wrong command line; Typer does not export it by name."""


def _usage(error: Any) -> ReoError:
    """Say what is wrong with the command line, and the nearest to it or where its help is."""
    named = next((word for word in sys.argv[1:2] if word in COMMANDS), "")
    where = error.ctx.command_path if error.ctx else f"reo {named}".strip()
    message = error.format_message().partition(" (Possible options:")[0].rstrip(".")
    choices = getattr(getattr(getattr(error, "param", None), "type", None), "choices", ())
    near = [*(getattr(error, "possibilities", None) or ())]
    if choices and "'" in error.message:
        near = list(filter(None, [nearest(error.message.split("'")[1], choices)]))
    hint = f"all options: `{where} --help`"
    if near:
        hint = f"did you mean `{near[0]}`?"
    elif where == "reo send" and "unexpected extra argument" in message:
        hint = "one event of a file: `reo send --json @FILE`; many: `reo send-file FILE`"
    return ReoError(ExitCode.USAGE, "usage", message[:1].lower() + message[1:], hint)


NOT_WRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EPIPE)
"""What the system says of a standard output that takes no more."""


def _flushed(code: int) -> int:
    """Return the exit code; raises OSError when standard output did not take all of it."""
    if "reo_cli.reports.streams" not in sys.modules:
        sys.stdout.flush()
        return code
    from reo_cli.reports import Streams

    streams = Streams.standard()
    fault = streams.out.fault
    return _unwritten(fault, streams.done, code) if fault else code


def _unwritten(fault: OSError, done: str = "", code: int = ExitCode.OK) -> int:
    """Say that standard output cannot be written, and what was `done`; return 74 for it.

    Nobody minds a reader that has gone. A signal's code stays: it says why there was no more.
    """
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)  # or Python fails once more when it exits
    os.close(sink)
    if fault.errno == errno.EPIPE:
        return ExitCode.OK
    words = (f"standard output cannot be written: {fault.strerror}", done)
    _talk().error(ReoError(ExitCode.IO, "stdout", "; ".join(filter(None, words))))
    return code if code >= ExitCode.HANGUP else ExitCode.IO


def _bug(fault: BaseException) -> int:
    import traceback

    talk = _talk()
    frame = traceback.extract_tb(fault.__traceback__)[-1]
    what = f"a bug in reo: {type(fault).__name__} in {frame.name}: {fault}"
    hint = "run it again with -v for the traceback, and please report it"
    if {"-v", "--verbose"} & set(sys.argv):
        hint = "please report this traceback"
        for line in "".join(traceback.format_exception(fault)).splitlines():
            talk.verbose(line)
    talk.error(ReoError(ExitCode.BUG, "bug", what, hint))
    return ExitCode.BUG


def _talk() -> "Talk":
    from reo_cli.reports import Streams, Talk

    return Talk(Streams.standard().err, verbose=True)

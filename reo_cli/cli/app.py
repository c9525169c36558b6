"""The command `reo`: its subcommands, each imported when it is used, and the end of every run.

Here, and only here, an exception becomes words on standard error and an exit code.
"""

import errno
import importlib
import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core

from reo_cli.cli.pages import Command, Group, section
from reo_cli.errors import ExitCode, ReoError, system_limit
from reo_cli.settings.table import nearest

if TYPE_CHECKING:
    from reo_cli.reports.talk import Talk

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

    def list_commands(self, _ctx: Any) -> list[str]:
        """Return the names of the subcommands."""
        return list(COMMANDS)

    def get_command(self, _ctx: Any, cmd_name: str) -> Any:
        """Return a name with its words, all that a list of them needs; None if there is no such."""
        words = COMMANDS.get(cmd_name)
        return words and Command(name=cmd_name, help=words, short_help=words)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Import the subcommand that is used; raises ReoError 2 with the nearest."""
        name, *rest = args
        if name in COMMANDS:
            return name, self.load(ctx, name), rest
        if ctx.resilient_parsing:  # a TAB behind a name that is none
            return name, Command(name=name), []
        return super().resolve_command(ctx, args)

    def load(self, _ctx: Any, name: str) -> Any:
        """Import and return a subcommand, None if there is no such."""
        if name not in COMMANDS:
            return None
        attribute = name.replace("-", "_")
        module = importlib.import_module(f"reo_cli.cli.{attribute}")
        command = typer.main.get_command(getattr(module, f"{attribute}_app"))
        command.name = name
        return command

    def sections(self, _rows: Any) -> list[str]:
        """Return where to start, and the subcommands by what they are for."""
        lists = [section(title, list(rows.items())) for title, rows in SECTIONS.items()]
        return [section("Start here", START), *lists]


app = typer.Typer(
    name="reo",
    cls=Commands,
    help="Upload aggregated telemetry events to Reo.Dev's Product Usage API, each one once.",
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,  # `completion` says why
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from reo_cli import __version__

        sys.stdout.write(f"reo {__version__}\n")
        raise typer.Exit


def _named_shell() -> str:
    """Return the shell to complete in; an option cannot say that its value may be left out."""
    from reo_cli.cli import shells

    return shells.chosen(next(iter(sys.argv[2:]), None), os.environ)


def _show_completion(wanted: bool) -> None:
    if wanted:
        from reo_cli.cli import shells

        shells.show(_named_shell())
        raise typer.Exit


def _install_completion(wanted: bool) -> None:
    if wanted:
        from reo_cli.cli import shells

        talk = _talk()
        for path in shells.install(_named_shell(), os.environ):
            talk.note(f"`{path}` is written")
        talk.hint("completion works in shells that are started from now on")
        raise typer.Exit


@app.callback()
def reo(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
    _show: Annotated[
        bool,
        typer.Option(
            "--show-completion",
            callback=_show_completion,
            is_eager=True,
            help="Print the completion script of this shell, or of bash, zsh or fish.",
        ),
    ] = False,
    _install: Annotated[
        bool,
        typer.Option(
            "--install-completion",
            callback=_install_completion,
            is_eager=True,
            help="Set up completion in this shell, or in bash, zsh or fish.",
        ),
    ] = False,
) -> None:
    """Upload aggregated telemetry events to Reo.Dev's Product Usage API, each one once."""


def run() -> int:
    """Run the command line; return the exit code. Only a bug prints a traceback, under -v."""
    try:
        if "_REO_COMPLETE" in os.environ:
            from reo_cli.cli.completion import complete

            return complete(app)
        return _written(int(app(prog_name="reo", standalone_mode=False) or 0))
    except ReoError as error:
        told = system_limit(error) or error
        _talk().error(told)
        return told.exit_code
    except typer.Abort:
        return ExitCode.INTERRUPTED
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except USAGE_ERROR as error:
        return _usage(error)
    except SystemExit as end:
        cause = end.__context__  # Typer ends so when the reader of its help has gone
        is_gone = isinstance(cause, OSError) and cause.errno == errno.EPIPE
        return _unwritten(OSError(errno.EPIPE, "")) if is_gone else _bug(end)
    except Exception as fault:  # noqa: BLE001 - the last net: a bug must not look like bad data
        if isinstance(fault, OSError) and fault.errno in NOT_WRITTEN and not fault.filename:
            return _unwritten(fault)
        limit = system_limit(fault)
        if limit is None:
            return _bug(fault)
        _talk().error(limit)
        return limit.exit_code


USAGE_ERROR: Any = typer.BadParameter.__base__
"""The base of what Typer raises for a wrong command line; Typer does not export it by name."""


def _usage(error: Any) -> int:
    """Say what is wrong with the command line, and the nearest to it or where its help is."""
    named = sys.argv[1] if sys.argv[1:] and sys.argv[1] in COMMANDS else ""
    where = error.ctx.command_path if error.ctx else f"reo {named}".strip()
    message = error.format_message()
    if (
        type(error).__name__ == "NoArgsIsHelpError"
    ):  # a group without a subcommand: its help is the answer
        sys.stderr.write(message + "\n")
        return ExitCode.USAGE
    message = message.partition(" (Possible options:")[0].rstrip(".")
    message = message[:1].lower() + message[1:]
    hint = _advice(error, named) or f"for all there is: `{where} --help`"
    _talk().error(ReoError(ExitCode.USAGE, "usage", message, hint))
    return ExitCode.USAGE


def _advice(error: Any, named: str) -> str:
    """Return what was meant, or how `send` reads a file; empty where neither fits."""
    choices = getattr(getattr(getattr(error, "param", None), "type", None), "choices", ())
    if choices and "'" in error.message:
        value = nearest(error.message.split("'")[1], choices)
        return f"did you mean `{value}`?" if value else ""
    if hasattr(error, "possibilities") and error.ctx:
        from difflib import get_close_matches

        options = [name for each in error.ctx.command.params for name in each.opts]
        near = get_close_matches(error.option_name, [*options, "--help"], 1)
        return f"did you mean `{near[0]}`?" if near else ""
    if named == "send" and "unexpected extra argument" in str(error.format_message()):
        return "one event of a file: `reo send --json @FILE`; many: `reo send-file FILE`"
    return ""


NOT_WRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EPIPE)
"""What the system says of a standard output that takes no more."""


def _written(code: int) -> int:
    """Return the exit code, or 74 when standard output did not take all of it."""
    if "reo_cli.reports.streams" in sys.modules:
        from reo_cli.reports.streams import Streams

        fault = Streams.standard().out.fault
        return _unwritten(fault) if fault and code == ExitCode.OK else code
    try:
        sys.stdout.flush()
    except OSError as error:
        return _unwritten(error)
    return code


def _unwritten(fault: OSError) -> int:
    """Say that standard output cannot be written; nobody minds a reader that has gone."""
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)  # or Python fails once more when it exits
    os.close(sink)
    if fault.errno == errno.EPIPE:
        return ExitCode.OK
    what = f"standard output cannot be written: {fault.strerror}"
    _talk().error(ReoError(ExitCode.IO, "stdout", what))
    return ExitCode.IO


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
    from reo_cli.reports.streams import Streams
    from reo_cli.reports.talk import Talk

    return Talk(Streams.standard().err, verbose=True)

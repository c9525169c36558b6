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

from reo_cli.cli.pages import Group
from reo_cli.errors import ExitCode, ReoError, system_limit

if TYPE_CHECKING:
    from reo_cli.reports.talk import Talk

COMMANDS = {
    "send": "Send one event.",
    "send-file": "Send the events of files or a pipe.",
    "validate": "Check files without sending anything.",
    "config": "Show, change and check the settings.",
    "ledger": "Look after what has been delivered.",
    "sandbox": "Start a local server that answers like the API.",
}
"""The subcommands in the order of `--help`, and what it says of them without importing them."""

EPILOG = """
Exit codes: 0 all is well; 1 some events were rejected or are invalid;
  2 wrong usage; 65 the input is invalid; 66 no input; 69 run it again;
  70 a bug in reo; 73 a file cannot be created; 74 a read or write failed;
  75 come back later; 76 not the API; 77 the key is refused; 78 configuration;
  129, 130, 143 a signal.

Try it without a key: reo send-file FILE --sandbox
"""


class Commands(Group):
    """Imports a subcommand when it is used: start-up pays for one of them, not for all."""

    helps = COMMANDS

    def list_commands(self, _ctx: Any) -> list[str]:
        """Return the names of the subcommands."""
        return list(COMMANDS)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the subcommand that the command line names; raises ReoError 2 with a suggestion."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(name, COMMANDS, 1)
            hint = f"did you mean `reo {near[0]}`?" if near else f"there is {', '.join(COMMANDS)}"
            raise ReoError(ExitCode.USAGE, "usage", f"no such command: `{name}`", hint)
        return super().resolve_command(ctx, args)

    def get_command(self, _ctx: Any, cmd_name: str) -> Any:
        """Import and return a subcommand, None if there is no such."""
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        module = importlib.import_module(f"reo_cli.cli.{name}")
        command = typer.main.get_command(getattr(module, f"{name}_app"))
        command.name = cmd_name
        return command

    def format_commands(self, _ctx: Any, formatter: Any) -> None:
        """List the subcommands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


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

            return complete(typer.main.get_command(app), os.environ)
        return _written(int(app(prog_name="reo", standalone_mode=False) or 0))
    except ReoError as error:
        _talk().error(error)
        return error.exit_code
    except typer.Abort:
        return ExitCode.INTERRUPTED
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except USAGE_ERROR as error:
        return _usage(error)
    except SystemExit:  # Typer's end when the reader of its help has gone
        return _unwritten(OSError(errno.EPIPE, ""))
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
    """Say what is wrong with the command line, and where its help is."""
    named = sys.argv[1] if sys.argv[1:] and sys.argv[1] in COMMANDS else ""
    where = error.ctx.command_path if error.ctx else f"reo {named}".strip()
    message = error.format_message()
    if message.startswith("Usage: "):  # a group without a subcommand: its help is the answer
        sys.stderr.write(message + "\n")
        return ExitCode.USAGE
    message = message[:1].lower() + message[1:].rstrip(".")
    _talk().error(
        ReoError(ExitCode.USAGE, "usage", message, f"`{where} --help` lists what there is")
    )
    return ExitCode.USAGE


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


def _bug(fault: Exception) -> int:
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

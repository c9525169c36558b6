"""`reo validate`: options in, `validator.validate`, its result to a report."""

from typing import TYPE_CHECKING, Annotated

import typer

from reo_cli.cli import options as opt
from reo_cli.cli.manual import Command
from reo_cli.errors import ExitCode, ReoError

EXAMPLES = """
Examples:
  reo validate usage.csv
  reo validate exports/*.csv --strict -o github
  reo validate --print-schema > event.schema.json
"""

if TYPE_CHECKING:
    from reo_cli.cli.gather import Display, ReadingFlags, Where

validate_app = typer.Typer(
    rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False
)


@validate_app.command(cls=Command, epilog=EXAMPLES)
def validate(
    files: Annotated[
        list[str] | None, typer.Argument(metavar="FILE...", help="Files; - is stdin.")
    ] = None,
    format: opt.FormatOption = opt.Format.AUTO,  # noqa: A002 - the option's name
    encoding: opt.Encoding = None,
    delimiter: opt.Delimiter = None,
    activity_type: opt.ActivityType = None,
    product_id: opt.ProductId = None,
    environment: opt.Environment = None,
    map_: opt.Map = None,
    set_: opt.Set = None,
    default: opt.Default = None,
    extra: opt.ExtraOption = None,
    ignore: opt.Ignore = None,
    date_format: opt.DateFormat = None,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Count warnings as errors.", rich_help_panel=opt.READING),
    ] = False,
    max_issues: opt.MaxIssues = "100",
    print_schema: Annotated[
        bool, typer.Option("--print-schema", help="Print the JSON Schema of one event and exit.")
    ] = False,
    output: opt.OutputOption = None,
    quiet: opt.Quiet = False,
    verbose: opt.VerboseCheck = False,
    profile: opt.Profile = None,
    env_file: opt.EnvFile = None,
    no_env_file: opt.NoEnvFile = False,
) -> None:
    """Check files: the same reading and checks as send-file, no network, no key.

    Every issue is named by file, line and field, with the mended value where it can be known.
    Exit code 0 when all records are valid, 65 when not.
    """
    from reo_cli.cli.gather import Display, ReadingFlags, Where

    if print_schema:
        _print_schema()
        return
    if not files:
        hint = "reo validate FILE..., or - for stdin"
        raise ReoError(ExitCode.USAGE, "usage", "no file is named", hint)
    flags = ReadingFlags(
        format=format.value,
        encoding=encoding,
        delimiter=delimiter,
        map=map_,
        set=set_,
        default=default,
        extra=extra.value if extra else None,
        ignore=ignore,
        date_format=date_format,
        activity_type=activity_type,
        product_id=product_id,
        environment=environment,
    )
    display = Display(output.value if output else None, quiet, verbose)
    kept = opt.whole("--max-issues", max_issues) or 0
    where = Where(profile, env_file, no_env_file)
    raise typer.Exit(_validate(files, flags, strict, kept, display, where))


def _validate(
    files: "list[str]",
    flags: "ReadingFlags",
    strict: bool,
    kept: int,
    display: "Display",
    where: "Where",
) -> int:
    import time

    from reo_cli.checker import Checker
    from reo_cli.cli.gather import reading, settings_of, tell
    from reo_cli.errors import ReoError
    from reo_cli.interrupts import Interrupts
    from reo_cli.issues import IssueLog
    from reo_cli.progress import Progress
    from reo_cli.reports import validate_report
    from reo_cli.validator import validate as validate_files

    streams, talk = display.open()
    started = time.monotonic()
    with validate_report(
        display.output, streams, talk, clock=time.monotonic, max_issues=kept
    ) as report:
        try:
            settings = settings_of({}, where, offline=True)
            tell(settings, talk)
            options, rules = reading(flags, settings, files)
        except ReoError as error:
            return display.failed(report, error)

        def progress(read: int) -> None:
            elapsed = time.monotonic() - started
            report.progress(Progress(read, None, 0, read / elapsed, 0, elapsed, "checking"))

        log = IssueLog(kept, strict=strict, listen=report.issue)
        with Interrupts():
            result = validate_files(files, options, Checker(rules), log, progress)
        return report.finish(result)


def _print_schema() -> None:
    import json
    import sys

    from reo_cli.schema import event_schema

    sys.stdout.write(json.dumps(event_schema(), indent=2) + "\n")

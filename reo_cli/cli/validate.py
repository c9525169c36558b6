"""`reo validate`: options in, `validator.validate`, its result to a report."""

from reo_cli.cli import options as opt
from reo_cli.cli.command import argument, command
from reo_cli.errors import ExitCode, ReoError

HELP = """Check files: the same reading and checks as send-file, no network, no key.

Every issue is named by file, line and field, with the mended value where it can be known.
Exit code 0 when all records are valid, 65 when not.
"""

EXAMPLES = """
Examples:
  reo validate usage.csv
  reo validate exports/*.csv --strict -o github
  reo validate --print-schema > event.schema.json
"""


class Validate(opt.Reading, opt.Where, opt.Display):
    """The options of `validate`."""

    files: tuple[str, ...] = argument("FILE...  Files; - is stdin.", many=True)
    strict: bool = opt.reading("--strict  Count warnings as errors.")
    max_issues: int = opt.MAX_ISSUES
    print_schema: bool = opt.showing("--print-schema  Print the JSON Schema of one event and exit.")
    verbose: bool = opt.showing("--verbose -v  Notes on settings, and the traceback of a bug.")


OFTEN = "product_id activity_type map set default extra ignore date_format strict profile output"


@command("validate", Validate, HELP, EXAMPLES, OFTEN)
def validate(options: Validate) -> int:
    """Check files as the options say; return the exit code."""
    import time

    from reo_cli.checks.checker import Checker
    from reo_cli.checks.issues import IssueLog
    from reo_cli.checks.validation import validate as validate_files
    from reo_cli.cli.orders import command_line, reading, tell_of_terminal
    from reo_cli.delivery.signals import Signals
    from reo_cli.records import Progress
    from reo_cli.reports.validate import ValidateReport

    if options.print_schema:
        return _print_schema()
    if not options.files:
        hint = "reo validate FILE..., or - for stdin"
        raise ReoError(ExitCode.USAGE, "usage", "no file is named", hint)
    started = time.monotonic()
    report = options.reported(ValidateReport, max_issues=options.max_issues)
    talk = report.talk
    with report:
        settings = options.settings(talk, offline=True)
        read_options, rules, plan = reading(options, settings)
        tell_of_terminal(options.files, report)

        def progress(read: int, share: float | None) -> None:
            elapsed = time.monotonic() - started
            report.progress(Progress(read, None, 0, read / elapsed, 0, elapsed, "checking", share))

        log = IssueLog(options.max_issues, strict=options.strict, listen=report.issue)
        with Signals():
            checker = Checker(rules)
            result = validate_files(options.files, read_options, checker, log, progress, plan)
        if result.rolled_up and result.rolled_up.differing:
            ignored = result.rolled_up.ignoring(read_options.mapped)
            talk.hint(f"to leave that out, `{command_line()} {ignored}`")
        if result.exit_code is ExitCode.OK:
            options.save(settings, talk)
        return report.finish(result)


def _print_schema() -> int:
    import json
    import sys

    from reo_cli.checks.schema import event_schema

    sys.stdout.write(json.dumps(event_schema(), indent=2) + "\n")
    return ExitCode.OK

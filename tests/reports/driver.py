"""A process that reports a sample: `driver.py send-file|validate|send|failed OUTPUT [-q]`."""

import sys
import time
from typing import get_args

from reo_cli.reports import Output, Streams, Talk
from reo_cli.reports.send import SendReport
from reo_cli.reports.send_file import SendFileReport
from reo_cli.reports.validate import ValidateReport
from tests.reports import samples


def main(what: str, output: str, *flags: str) -> int:
    chosen: Output | None = next((each for each in get_args(Output) if each == output), None)
    streams = Streams.standard()
    talk = Talk(streams.err, quiet="-q" in flags)
    if what == "validate":
        check = ValidateReport(chosen, streams, talk, clock=time.monotonic)
        return check.finish(samples.validation())
    if what == "send":
        return SendReport(chosen, streams, talk).finish(samples.delivered())
    run = SendFileReport(chosen, streams, talk, clock=time.monotonic)
    if what == "failed":
        return run.failed(samples.KEY_REFUSED)
    if what == "many":
        for number in range(20_000):
            run.settled(samples.settled(event_id=number))
        return run.finish(samples.success())
    return run.finish(samples.summary())


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""Results and talk: the last step, from a `Summary`, a `Validation` or an `Issue` to what is seen.

`Streams` are the two outputs, `Talk` the words on standard error, and a `Report` the results of
one command in the format that was asked for. Reports only read values; rich is known here only.
"""

from reo_cli.reports.report import (
    Output,
    Report,
    send_file_report,
    send_report,
    validate_report,
)
from reo_cli.reports.streams import Stream, Streams
from reo_cli.reports.talk import Talk

__all__ = [
    "Output",
    "Report",
    "Stream",
    "Streams",
    "Talk",
    "send_file_report",
    "send_report",
    "validate_report",
]

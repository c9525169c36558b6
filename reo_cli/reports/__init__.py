"""Results and talk: the last step, from a `Summary`, a `Validation` or an `Issue` to what is seen.

`Streams` are the two outputs, `Talk` the words on standard error; each command's module here has
its `Report`, which gives the `View` of a result to the output that was asked for. Reports only read
values; rich is known here only.
"""

from reo_cli.reports.report import Output, Report
from reo_cli.reports.streams import Stream, Streams, Talk

__all__ = ["Output", "Report", "Stream", "Streams", "Talk"]

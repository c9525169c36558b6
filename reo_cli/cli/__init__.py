"""The Typer layer: options in, one plain function, its result to a report. Nothing else is here.

`main` is the entry point of the commands `reo` and `reo-cli`.
"""

import gc
import os
import sys
import time

STARTED = time.monotonic()
"""When the process began, in monotonic seconds; measured before anything else is imported."""


GC_THRESHOLDS = (50_000, 20, 100)
"""Far above Python's (700, 10, 10): reo's values hold no cycles, and collecting while modules are
imported takes a twentieth of the start-up time."""


def main() -> None:
    """Run reo with the arguments of the process and exit with its code."""
    gc.set_threshold(*GC_THRESHOLDS)
    if sys.stdout is None:  # it was closed: what is written to it is meant for nobody
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    try:
        from reo_cli.cli.app import run

        code = run()
    except KeyboardInterrupt:  # while modules are imported, or in the last moment
        code = 130
    raise SystemExit(code)

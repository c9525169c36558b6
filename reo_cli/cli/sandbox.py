"""`reo sandbox` in the foreground: the endpoint on stdout, a line per request on stderr, totals."""

import json
import select
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reo_cli.cli import options as opt
from reo_cli.cli import parsing
from reo_cli.cli.command import command, filled, option

if TYPE_CHECKING:
    from reo_cli.reports import Talk

SCHEMA = "reo.sandbox/1"

asking = partial(option, "Options")

MAX_LATENCY = 600
"""The longest delay of an answer in seconds; no client waits longer."""

EXAMPLES = """
Examples:
  reo sandbox --record accepted.ndjson
  reo sandbox --port 0 --latency 50ms --fail-rate 0.1 --seed 1
"""


def _whole(least: int, most: int) -> parsing.Read:
    why = f"is not a whole number from {least} to {most}"
    return parsing.reader("([0-9]{1,15})", lambda text: parsing.within(least, int(text), most), why)


_share = parsing.reader(
    r"([0-9]*\.?[0-9]+)",
    lambda text: parsing.within(0, float(text), 1),
    "is not a number from 0 to 1",
    "such as 0.1",
)
_latency = parsing.reader(
    r"([0-9]*\.?[0-9]+) ?(ms|s)?",
    lambda text, unit: parsing.within(0, float(text) / (1000 if unit == "ms" else 1), MAX_LATENCY),
    f"is not a time from 0 to {MAX_LATENCY} s",
    "such as 0.05 or 50ms",
)

HELP = """Start a local server that answers like the API.

The first line on stdout is the endpoint to send to. Ctrl-C ends the server, with exit code 0,
and shows what it was sent.
"""


class SandboxFlags(opt.Plain):
    """The options of `sandbox`."""

    port: int = asking(
        "--port PORT  On 127.0.0.1; 0 takes a free one.", _whole(0, 65535), default="8787"
    )
    api_key: str | None = asking(
        "--api-key KEY  The only key to accept. Default: any.", parsing.given
    )
    latency: float = asking(
        "--latency SECONDS  Delay of each answer, e.g. 0.05 or 50ms.", _latency, default="0"
    )
    fail_rate: float = asking(
        "--fail-rate P  Share of requests, 0 to 1, that get 500, 503 or no answer.", _share, "0"
    )
    rate_limit: int | None = asking(
        "--rate-limit N  Requests let through a second; others get 429 and Retry-After.",
        _whole(1, 10**6),
    )
    record: Path | None = asking(
        "--record FILE  Append the accepted payloads to it, as NDJSON.", parsing.path
    )
    seed: int | None = asking(
        "--seed N  The same failures in every run of this number.", parsing.whole
    )
    quiet: bool = asking("--quiet -q  Print the endpoint and errors only.")


@command("sandbox", SandboxFlags, HELP, EXAMPLES)
def sandbox(options: SandboxFlags) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP, which end it well."""
    from reo_cli.sandbox import Sandbox, SandboxOptions

    streams, talk = options.open()
    streams.mask.hide((options.api_key or "").strip())
    server = Sandbox(filled(SandboxOptions, options), partial(_tell, talk))
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if each != signal.SIGHUP or signal.getsignal(each) != signal.SIG_IGN:  # as under nohup
            signal.signal(each, lambda *_: server.stop())
    as_json = options.output == "json"
    streams.out.write(_json(endpoint=server.url) if as_json else f"{server.url}\n")
    key, note = ("KEY", _KEY_NOTE) if options.api_key else ("any-key-will-do", "")
    talk.hint(f"`REO_ENDPOINT={server.url} REO_API_KEY={key} reo send-file FILE`{note}")
    talk.hint("Ctrl-C ends the sandbox and shows its totals")
    try:
        with server:
            server.wait()
    finally:
        if as_json:
            streams.out.write(_json(**server.totals))
        for text in _lines(server.totals):
            talk.note(text)


_KEY_NOTE = " (KEY is the value of `--api-key`)"


def _json(**values: object) -> str:
    return json.dumps({"schema": SCHEMA, **values}) + "\n"


def _tell(talk: "Talk", line: str) -> None:
    """Print the line of a request, but not where nobody reads stderr: the requests come first."""
    with suppress(OSError, ValueError):  # closed, or nothing that can be waited for
        if sys.stderr and not select.select([], [sys.stderr], [], 0)[1]:
            return
    talk.note(line)


def _lines(totals: Mapping[str, Any]) -> Iterator[str]:
    """Give the totals as lines for people."""
    from reo_cli.reports.words import count_of

    ids, refused = count_of(totals["distinct_event_ids"], "event id"), totals["refused"]
    yield f"requests {totals['requests']:,}"
    yield f"accepted {totals['accepted']:,}: {ids}, {totals['repeated_event_ids']:,} sent again"
    kinds = ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in refused.items())
    yield f"refused {sum(refused.values()):,}" + (f": {kinds}" if kinds else "")

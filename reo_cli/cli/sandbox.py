"""`reo sandbox` in the foreground: the endpoint on stdout, a line per request on stderr, totals."""

import json
import math
import re
import select
import signal
import sys
from contextlib import suppress
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reo_cli.cli import options as opt
from reo_cli.cli import parsing
from reo_cli.cli.command import Read, command, option

if TYPE_CHECKING:
    from reo_cli.reports.talk import Talk

SCHEMA = "reo.sandbox/1"

asking = partial(option, "Options")

MAX_LATENCY = 600.0
"""The longest delay of an answer in seconds; no client waits longer."""

EXAMPLES = """
Examples:
  reo sandbox --record accepted.ndjson
  reo sandbox --port 0 --latency 50ms --fail-rate 0.1 --seed 1
"""


def _whole(least: int, most: int) -> Read:
    def read(option: str, text: str) -> int:
        number = parsing.whole(option, text)
        if not least <= number <= most:
            raise parsing.usage(option, text, f"is not a whole number from {least} to {most}")
        return number

    return read


def _share(option: str, text: str) -> float:
    if not re.fullmatch(r"[0-9]*\.?[0-9]+", text) or float(text) > 1:
        raise parsing.usage(option, text, "is not a number from 0 to 1", "such as 0.1")
    return float(text)


def _latency(option: str, text: str) -> float:
    found = re.fullmatch(r"([0-9]*\.?[0-9]+) ?(ms|s)?", text)
    seconds = float(found[1]) / (1000 if found[2] == "ms" else 1) if found else math.inf
    if seconds > MAX_LATENCY:
        why = f"is not a time from 0 to {MAX_LATENCY:.0f} s"
        raise parsing.usage(option, text, why, "such as 0.05 or 50ms")
    return seconds


HELP = """Start a local server that answers like the API.

The first line on stdout is the endpoint to send to. Ctrl-C ends the server, with exit code 0,
and shows what it was sent.
"""


class SandboxFlags(opt.Plain):
    """The options of `sandbox`."""

    port: int = asking(
        "--port PORT", "On 127.0.0.1; 0 takes a free one.", _whole(0, 65535), default="8787"
    )
    api_key: str | None = asking(
        "--api-key KEY", "The only key to accept. Default: any.", parsing.given
    )
    latency: float = asking(
        "--latency SECONDS", "Delay of each answer, e.g. 0.05 or 50ms.", _latency, default="0"
    )
    fail_rate: float = asking(
        *("--fail-rate P", "Share of requests, 0 to 1, that get 500, 503 or no answer.", _share),
        default="0",
    )
    rate_limit: int | None = asking(
        *("--rate-limit N", "Requests let through a second; others get 429 and Retry-After."),
        _whole(1, 10**6),
    )
    record: Path | None = asking(
        "--record FILE", "Append the accepted payloads to it, as NDJSON.", parsing.path
    )
    seed: int | None = asking(
        "--seed N", "The same failures in every run of this number.", parsing.whole
    )
    quiet: bool = asking("--quiet -q", "Print the endpoint and errors only.")


@command("sandbox", SandboxFlags, HELP, EXAMPLES)
def sandbox(options: SandboxFlags) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP, which end it well."""
    from reo_cli.sandbox import Sandbox, SandboxOptions

    streams, talk = options.open()
    streams.mask.hide((options.api_key or "").strip())
    asked = {each.name: getattr(options, each.name) for each in fields(SandboxOptions)}
    server = Sandbox(SandboxOptions(**asked), partial(_tell, talk))
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
        for text in _totals(**server.totals):
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


def _totals(
    requests: int,
    accepted: int,
    distinct_event_ids: int,
    repeated_event_ids: int,
    refused: dict[str, int],
) -> list[str]:
    """Return the totals as lines for people."""
    from reo_cli.reports.words import count_of

    kinds = ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in refused.items())
    return [
        f"requests {requests:,}",
        f"accepted {accepted:,}: {count_of(distinct_event_ids, 'event id')},"
        f" {repeated_event_ids:,} sent again",
        f"refused {sum(refused.values()):,}" + (f": {kinds}" if kinds else ""),
    ]

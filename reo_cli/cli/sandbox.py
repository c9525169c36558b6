"""`reo sandbox` in the foreground: the endpoint on stdout, a line per request on stderr, totals."""

import json
import re
import select
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reo_cli.cli import options as opt
from reo_cli.cli import parsing
from reo_cli.cli.command import command, option

if TYPE_CHECKING:
    from reo_cli.reports.talk import Talk
    from reo_cli.sandbox import SandboxOptions

SCHEMA = "reo.sandbox/1"

OPTIONS = "Options"
"""The one section of the help page."""

MAX_LATENCY = 600.0
"""The longest delay of an answer in seconds; no client waits longer."""

EXAMPLES = """
Examples:
  reo sandbox --record accepted.ndjson
  reo sandbox --port 0 --latency 50ms --fail-rate 0.1 --seed 1
"""


def _key(option: str, text: str) -> str:
    """Return the key as a header can carry it: without spaces around it (RFC 9110, 5.5)."""
    key = text.strip(" \t")
    if not key:
        raise parsing.usage(option, text, "is not a key", "leave it out to accept any")
    return key


def _whole(option: str, text: str, least: int, most: int) -> int:
    if not re.fullmatch(r"[0-9]{1,19}", text) or not least <= int(text) <= most:
        raise parsing.usage(option, text, f"is not a whole number from {least} to {most}")
    return int(text)


def _share(option: str, text: str) -> float:
    if not re.fullmatch(r"[0-9]*\.?[0-9]+", text) or float(text) > 1:
        raise parsing.usage(option, text, "is not a number from 0 to 1", "such as 0.1")
    return float(text)


def _latency(option: str, text: str) -> float:
    found = re.fullmatch(r"([0-9]*\.?[0-9]+) ?(ms|s)?", text)
    seconds = float(found[1]) / (1000 if found[2] == "ms" else 1) if found else -1.0
    if not 0 <= seconds <= MAX_LATENCY:
        why = f"is not a time from 0 to {MAX_LATENCY:.0f} s"
        raise parsing.usage(option, text, why, "such as 0.05 or 50ms")
    return seconds


HELP = """Start a local server that answers like the API.

The first line on stdout is the endpoint to send to. Ctrl-C ends the server, with exit code 0,
and shows what it was sent.
"""


class SandboxFlags(opt.Plain):
    """The options of `sandbox`."""

    port: int = option(
        OPTIONS,
        "--port PORT",
        "On 127.0.0.1; 0 takes a free one.",
        default="8787",
        read=partial(_whole, least=0, most=65535),
    )
    api_key: str | None = option(
        OPTIONS, "--api-key KEY", "The only key to accept. Default: any.", read=_key
    )
    latency: float = option(
        OPTIONS,
        "--latency SECONDS",
        "Delay of each answer, e.g. 0.05 or 50ms.",
        default="0",
        read=_latency,
    )
    fail_rate: float = option(
        OPTIONS,
        "--fail-rate P",
        "Share of requests, 0 to 1, that get 500, 503 or no answer.",
        default="0",
        read=_share,
    )
    rate_limit: int | None = option(
        OPTIONS,
        "--rate-limit N",
        "Requests let through a second; others get 429 and Retry-After.",
        read=partial(_whole, least=1, most=10**6),
    )
    record: Path | None = option(
        *(OPTIONS, "--record FILE", "Append the accepted payloads to it, as NDJSON."),
        read=parsing.path,
    )
    seed: int | None = option(
        OPTIONS,
        "--seed N",
        "The same failures in every run of this number.",
        read=partial(_whole, least=0, most=2**63),
    )
    quiet: bool = option(OPTIONS, "--quiet -q", "Print the endpoint and errors only.")


@command("sandbox", SandboxFlags, HELP, EXAMPLES)
def sandbox(options: SandboxFlags) -> None:
    """Serve until a signal ends it."""
    from reo_cli.sandbox import SandboxOptions

    streams, talk = options.open()
    streams.mask.hide(options.api_key or "")
    asked = SandboxOptions(
        port=options.port,
        api_key=options.api_key,
        latency=options.latency,
        fail_rate=options.fail_rate,
        rate_limit=options.rate_limit,
        record=options.record,
        seed=options.seed,
    )
    _serve(asked, streams.out.write, talk, as_json=options.output == "json")


def _serve(
    options: "SandboxOptions", write: Callable[[str], None], talk: "Talk", *, as_json: bool
) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP, which end it well."""
    from reo_cli.sandbox import Sandbox

    lines = _Lines(talk)
    sandbox = Sandbox(options, lines.add)
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if each != signal.SIGHUP or signal.getsignal(each) != signal.SIG_IGN:  # as under nohup
            signal.signal(each, lambda *_: sandbox.stop())
    write(_json(endpoint=sandbox.url) if as_json else f"{sandbox.url}\n")
    key, note = ("any-key-will-do", "") if options.api_key is None else ("KEY", _KEY_NOTE)
    talk.hint(f"`REO_ENDPOINT={sandbox.url} REO_API_KEY={key} reo send-file FILE`{note}")
    talk.hint("Ctrl-C ends the sandbox and shows its totals")
    try:
        with sandbox:
            sandbox.wait()
    finally:
        if as_json:
            write(_json(**sandbox.totals))
        lines.own_up()
        for text in totals_text(sandbox.totals):
            talk.note(text)


_KEY_NOTE = " (KEY is the value of `--api-key`)"


def _json(**values: object) -> str:
    return json.dumps({"schema": SCHEMA, **values}) + "\n"


class _Lines:
    """A line per request on stderr; one that would have to wait for a reader is left out."""

    def __init__(self, talk: "Talk") -> None:
        self._talk = talk
        self._left_out = 0

    def add(self, line: str) -> None:
        """Print a line now or never: the requests come first."""
        if not self._talk.quiet and not _takes_a_line():
            self._left_out += 1
            return
        self.own_up()
        self._talk.note(line)

    def own_up(self) -> None:
        """Say how many lines were left out since the last one."""
        if self._left_out:
            self._talk.note(f"… {self._left_out:,} lines left out: stderr was not read")
            self._left_out = 0


def _takes_a_line() -> bool:
    """Return whether stderr takes a short line without waiting."""
    try:
        return sys.stderr is None or bool(select.select([], [sys.stderr], [], 0)[1])
    except (OSError, ValueError):  # closed, or nothing that can be waited for
        return True


def totals_text(totals: dict[str, Any]) -> list[str]:
    """Return the totals as lines for people."""
    refused = totals["refused"]
    kinds = ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in refused.items())
    distinct = totals["distinct_event_ids"]
    return [
        f"requests {totals['requests']:,}",
        f"accepted {totals['accepted']:,}: {distinct:,} event id{'s' * (distinct != 1)},"
        f" {totals['repeated_event_ids']:,} sent again",
        f"refused {sum(refused.values()):,}" + (f": {kinds}" if kinds else ""),
    ]

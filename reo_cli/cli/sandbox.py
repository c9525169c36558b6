"""`reo sandbox` in the foreground: the endpoint on stdout, a line per request on stderr, totals."""

import json
import re
import select
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reo_cli.cli import options as opt
from reo_cli.cli.manual import Command

if TYPE_CHECKING:
    from reo_cli.reports.talk import Talk
    from reo_cli.sandbox import SandboxOptions

SCHEMA = "reo.sandbox/1"

MAX_LATENCY = 600.0
"""The longest delay of an answer in seconds; no client waits longer."""

EXAMPLES = """
Examples:
  reo sandbox --record accepted.ndjson
  reo sandbox --port 0 --latency 50ms --fail-rate 0.1 --seed 1
"""

sandbox_app = typer.Typer(
    rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False
)


@sandbox_app.command(cls=Command, epilog=EXAMPLES)
def sandbox(
    port: Annotated[
        str,
        typer.Option(
            "--port",
            metavar="PORT",
            help="On 127.0.0.1; 0 takes a free one. Default: 8787.",
            show_default=False,
        ),
    ] = "8787",
    api_key: Annotated[
        str | None,
        typer.Option("--api-key", metavar="KEY", help="The only key to accept. Default: any."),
    ] = None,
    latency: Annotated[
        str,
        typer.Option(
            "--latency",
            metavar="S",
            help="Delay of each answer, such as 0.05 or 50ms. Default: 0.",
            show_default=False,
        ),
    ] = "0",
    fail_rate: Annotated[
        str,
        typer.Option(
            "--fail-rate",
            metavar="P",
            help="Share of requests, 0 to 1, that get 500, 503 or no answer. Default: 0.",
            show_default=False,
        ),
    ] = "0",
    rate_limit: Annotated[
        str | None,
        typer.Option(
            "--rate-limit",
            metavar="N",
            help="Requests let through a second; others get 429 and Retry-After.",
        ),
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(
            "--record", metavar="FILE", help="Append the accepted payloads to it, as NDJSON."
        ),
    ] = None,
    seed: Annotated[
        str | None,
        typer.Option("--seed", metavar="N", help="The same failures in every run of this number."),
    ] = None,
    output: opt.PlainOption = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print the endpoint and errors only.")
    ] = False,
) -> None:
    """Start a local server that answers like the API.

    The first line on stdout is the endpoint to send to. Ctrl-C ends the server, with exit code 0,
    and shows what it was sent.
    """
    from reo_cli.cli.gather import Display
    from reo_cli.sandbox import SandboxOptions

    options = SandboxOptions(
        port=_whole("--port", port, 0, 65535),
        api_key=_key(api_key),
        latency=_latency(latency),
        fail_rate=_share(fail_rate),
        rate_limit=None if rate_limit is None else _whole("--rate-limit", rate_limit, 1, 10**6),
        record=record,
        seed=None if seed is None else _whole("--seed", seed, 0, 2**63),
    )
    streams, talk = Display(None, quiet, verbose=False).open()
    streams.mask.hide(options.api_key or "")
    _serve(options, streams.out.write, talk, as_json=output is opt.Plain.JSON)


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


def _key(text: str | None) -> str | None:
    """Return the key as a header can carry it: without spaces around it (RFC 9110, 5.5)."""
    if text is None:
        return None
    key = text.strip(" \t")
    if not key:
        raise opt.usage("--api-key", text, "is no key", "leave it out to accept any")
    return key


def _whole(option: str, text: str, least: int, most: int) -> int:
    if not re.fullmatch(r"[0-9]{1,19}", text) or not least <= int(text) <= most:
        raise opt.usage(option, text, f"is not a whole number from {least} to {most}")
    return int(text)


def _share(text: str) -> float:
    if not re.fullmatch(r"[0-9]*\.?[0-9]+", text) or float(text) > 1:
        raise opt.usage("--fail-rate", text, "is not a number from 0 to 1", "such as 0.1")
    return float(text)


def _latency(text: str) -> float:
    found = re.fullmatch(r"([0-9]*\.?[0-9]+) ?(ms|s)?", text)
    seconds = float(found[1]) / (1000 if found[2] == "ms" else 1) if found else -1.0
    if not 0 <= seconds <= MAX_LATENCY:
        why = f"is not a time from 0 to {MAX_LATENCY:.0f} s"
        raise opt.usage("--latency", text, why, "such as 0.05 or 50ms")
    return seconds

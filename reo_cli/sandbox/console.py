"""`reo sandbox` in the foreground: the endpoint on stdout, a line per request on stderr, totals.

The requests come first: a line that would have to wait for a reader of stderr is left out.
"""

import json
import select
import signal
from collections.abc import Callable
from typing import TextIO

from reo_cli.reports.streams import Streams
from reo_cli.reports.talk import Talk
from reo_cli.reports.words import count_of, number
from reo_cli.sandbox.server import Sandbox
from reo_cli.sandbox.service import RequestLine, SandboxOptions, Totals
from reo_cli.text import visible

SCHEMA = "reo.sandbox/1"

_MOST_CHARACTERS = 64
"""Of an event id or an activity type in the line of a request."""


class Console:
    """What a sandbox tells people and scripts; `is_ready` says that stderr takes a line at once."""

    def __init__(
        self, streams: Streams, talk: Talk, is_ready: Callable[[], bool], *, as_json: bool = False
    ) -> None:
        self._out = streams.out
        self._talk = talk
        self._is_ready = is_ready
        self._as_json = as_json
        self._left_out = 0

    def started(self, url: str, options: SandboxOptions) -> None:
        """Print the endpoint, first of all and on stdout, then how to use it."""
        if self._as_json:
            self._json(endpoint=url)
        else:
            self._out.write(f"{url}\n")
        key, note = ("any-key-will-do", "") if options.api_key is None else ("KEY", _KEY_NOTE)
        self._talk.hint(f"`REO_ENDPOINT={url} REO_API_KEY={key} reo send-file FILE`{note}")
        self._talk.hint("Ctrl-C ends the sandbox and shows its totals")

    def request(self, line: RequestLine) -> None:
        """Print one request, unless that would hold up the next."""
        if self._talk.quiet:
            return
        if not self._is_ready():
            self._left_out += 1
            return
        self._own_up()
        self._talk.note(request_text(line))

    def ended(self, totals: Totals) -> None:
        """Print the totals."""
        if self._as_json:
            self._json(
                requests=totals.requests,
                accepted=totals.accepted,
                distinct_event_ids=totals.distinct_ids,
                repeated_event_ids=totals.repeated_ids,
                refused=dict(totals.refused),
            )
        if not self._talk.quiet:
            self._own_up()
            for text in totals_text(totals):
                self._talk.note(text)

    def _json(self, **values: object) -> None:
        self._out.write(json.dumps({"schema": SCHEMA, **values}) + "\n")

    def _own_up(self) -> None:
        if self._left_out:
            self._talk.note(f"… {count_of(self._left_out, 'line')} left out: stderr was not read")
            self._left_out = 0


_KEY_NOTE = " (KEY is the value of `--api-key`)"


def readiness(stderr: TextIO | None) -> Callable[[], bool]:
    """Return a function that says whether a short line can be written without waiting."""
    try:
        descriptor = stderr.fileno() if stderr else None
    except (OSError, ValueError):
        descriptor = None
    if descriptor is None:
        return lambda: True
    return lambda: bool(select.select([], [descriptor], [], 0)[1])


def request_text(line: RequestLine) -> str:
    """`200 evt-17 primary 312 bytes`, and for a refusal why; `---` when nothing was answered."""
    status = str(line.status) if line.status else "---"
    event_id = "-" if line.event_id is None else visible(str(line.event_id), _MOST_CHARACTERS)
    activity = visible(line.activity_type or "-", _MOST_CHARACTERS)
    problem = f": {visible(line.problem)}" if line.problem else ""
    return f"{status} {event_id} {activity} {number(line.size)} bytes{problem}"


def totals_text(totals: Totals) -> list[str]:
    """Return the totals as lines for people."""
    refused = ", ".join(
        f"{number(times)} {kind.replace('_', ' ')}" for kind, times in totals.refused.items()
    )
    return [
        f"requests {number(totals.requests)}",
        f"accepted {number(totals.accepted)}: {count_of(totals.distinct_ids, 'event id')},"
        f" {number(totals.repeated_ids)} sent again",
        f"refused {number(sum(totals.refused.values()))}" + (f": {refused}" if refused else ""),
    ]


def run(options: SandboxOptions, console: Console) -> None:
    """Serve in the foreground until SIGINT, SIGTERM or SIGHUP, which end it well.

    Raises ReoError when the port or the record cannot be had, or the record cannot be written.
    """
    sandbox = Sandbox(options, console.request)
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if each != signal.SIGHUP or signal.getsignal(each) != signal.SIG_IGN:  # as under nohup
            signal.signal(each, lambda *_: sandbox.stop())
    console.started(sandbox.url, options)
    try:
        sandbox.serve()
    finally:
        console.ended(sandbox.totals)

"""`Client` and `deliver`: mappings of a program in, the orders of `delivery`, its results out.

Prints nothing, handles no signals, and reads no `REO_…` variable, `.env` or config file.
"""

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from reo_cli.errors import ExitCode
from reo_cli.library.failures import Misconfigured, failure, not_delivered, typed
from reo_cli.library.logs import Logged
from reo_cli.library.settings import Settings
from reo_cli.settings.table import BY_KEY

if TYPE_CHECKING:
    from reo_cli.client import Target
    from reo_cli.client.connection import Connection
    from reo_cli.delivery.summary import SendResult, Summary
    from reo_cli.events import Rules
    from reo_cli.readers import ReadOptions


class Event(TypedDict, total=False):
    """One event: a dict with these keys; any mapping with them will do.

    `activity_type`, `count`, `product_id`, `event_at` and one of `domain` and `ip_addr` are needed;
    `Settings` may give the first, `product_id` and `environment`. `event_at` is epoch seconds, ISO
    8601, a `date` or a `datetime` (UTC unless it says otherwise), or "now".
    """

    activity_type: str
    count: int | str
    ip_addr: str
    domain: str
    product_id: str
    environment: str
    event_id: str | int
    event_at: Any
    user_agent: str
    mode: str
    source: str
    meta: Mapping[str, Any]


class Client:
    """Sends events one by one, and keeps its connections; any number of threads may share it.

    Can be pickled: the copy opens connections of its own. Raises `Misconfigured` for a missing or
    malformed key, and for CA certificates or a proxy that cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._target = _target(settings)
        self._idle: list[Connection] = []
        self._process = os.getpid()

    def send(
        self, event: Mapping[str, Any], *, check: bool = True, max_time: float | None = None
    ) -> "SendResult":
        """Send one event, within `max_time` seconds if given, and return what became of it.

        Without an `event_id` it gets a random one; with one, and a ledger, it is delivered once.
        `event_at` is now unless given. Raises `InvalidData`, `TryAgain` or `Misconfigured` unless
        the event is delivered; with `check=False` the `status` and `error` of the result tell.
        """
        from reo_cli.delivery.single import SingleOrder, send
        from reo_cli.readers.given import NAME, record_of
        from reo_cli.readers.keys import Keys

        settings = self.settings
        rules = _rules(settings, {"event_at": "now"})
        keys = Keys(NAME, _reading(rules))
        ledger = settings.ledger and Path(settings.ledger)
        logged = Logged()
        order = SingleOrder(
            record=record_of(keys, 1, event),
            rules=rules,
            endpoint=settings.endpoint,
            endpoint_source=_endpoint_source(settings),
            target=self._target,
            retries=settings.retries,
            max_time=max_time,
            started=time.monotonic(),
            ledger=lambda: ledger or None,
            account=settings.account,
            hints=_MISSING,
            attempted=logged.attempted,
            waiting=logged.note,
            connect=self._lent,
        )
        result = send(order)
        if check and result.exit_code is not ExitCode.OK:
            raise failure(result, "; ".join(map(str, result.issues)))
        return result

    @contextmanager
    def _lent(self, target: "Target") -> "Iterator[Connection]":
        """Lend a connection to one thread; those of the process that forked are not ours."""
        from reo_cli.client.connection import Connection

        if self._process != os.getpid():
            self._process, self._idle = os.getpid(), []
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = Connection(target)
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)

    def close(self) -> None:
        """Close the connections that are idle."""
        while self._idle:
            self._idle.pop().close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[type["Client"], tuple[Settings]]:
        return Client, (self.settings,)


def deliver(
    events: Iterable[Mapping[str, Any]],
    settings: Settings,
    *,
    id_from: Sequence[str] = (),
    partitions: int = 1,
    extra: Literal["error", "meta", "ignore"] = "error",
    roll_up: Literal["hour", "day", "week", "month"] | None = None,
    timezone: tzinfo = UTC,
    until_now: bool = False,
    on_change: Literal["error", "skip", "send"] = "error",
    resend: bool = False,
    rejects: str | Path | None = None,
    max_time: float | None = None,
    give_up_after: float = 120.0,
    max_rejects: int = 100,
    dry_run: bool = False,
    check: bool = True,
) -> "Summary":
    """Send many events as `reo send-file` sends a pipe, and return what became of them.

    `events` is read as it is sent, in the calling thread. Each is checked first; what is invalid is
    not sent and counts as such. The options mean what they mean to `send-file`: `id_from` names the
    fields that make an event another one, `roll_up` sums events into buckets of `timezone` (with
    `until_now` also the one that is not over), `rejects` is a file for what was not delivered.

    `partitions` says into how many parts the events were split that are delivered at once, each by
    a call of its own: `rate` is divided by it, and every event needs an `event_id`, or `id_from`.

    Raises `InvalidData`, `TryAgain` or `Misconfigured` unless every event is delivered, now or
    earlier; their `result` is the summary. With `check=False` only what is wrong with the call
    itself is raised.
    """
    from reo_cli.checks.issues import IssueLog
    from reo_cli.checks.rollup import Plan
    from reo_cli.delivery.decide import Identity
    from reo_cli.delivery.dispatch import Policy
    from reo_cli.delivery.opening import Order
    from reo_cli.delivery.run import upload
    from reo_cli.delivery.signals import Signals
    from reo_cli.events import is_field
    from reo_cli.readers.given import NAME, Given

    started = time.monotonic()
    if isinstance(id_from, str) or not all(map(is_field, id_from)):
        message = f"`id_from` is no list of fields: {id_from!r}"
        raise Misconfigured(ExitCode.USAGE, "usage", message, 'such as ["domain"]')
    if partitions < 1 or (partitions > 1 and roll_up):
        message = "a roll-up needs all events" if roll_up else "`partitions` is less than 1"
        raise Misconfigured(ExitCode.USAGE, "usage", message, "sum them up before they are split")
    rules = _rules(settings, {"count": "1"} if roll_up else {})
    has_key = settings.api_key or settings.api_key_file
    order = Order(
        names=(NAME,),
        given=Given(events, needs_ids=partitions > 1 and not id_from),
        reading=_reading(rules, extra),
        rules=rules,
        hints=_MISSING,
        identity=Identity(tuple(id_from), on_change, None, bool(roll_up)),
        policy=Policy(
            concurrency=settings.concurrency,
            retries=settings.retries,
            rate=settings.rate and settings.rate / partitions,
            max_time=max_time,
            give_up_after=give_up_after,
            max_rejects=max_rejects,
        ),
        endpoint=settings.endpoint,
        endpoint_source=_endpoint_source(settings),
        target=None if dry_run else _target(settings),
        key=settings.key() if has_key else None,
        ledger=Path(settings.ledger) if settings.ledger else None,
        account=settings.account,
        resend=resend,
        ledger_keep_days=settings.ledger_keep_days,
        started=started,
        rejects=Path(rejects) if rejects else None,
        roll_up=Plan(roll_up, timezone, rules.now, until_now) if roll_up else None,
    )
    summary = upload(order, IssueLog(100), Logged(), Signals())
    if check and summary.exit_code is not ExitCode.OK:
        raise failure(summary, not_delivered(summary))
    return summary


_MISSING = dict.fromkeys(("activity_type", "product_id"), "give it to the event or to Settings")
"""What to do about a required field that is missing."""


def _rules(settings: Settings, absent: Mapping[str, str]) -> "Rules":
    from reo_cli.events import Rules

    names = ("product_id", "activity_type", "environment")
    given = {name: getattr(settings, name) for name in names if getattr(settings, name)}
    return Rules(now=int(time.time()), absent=absent, fallback=given)


def _reading(rules: "Rules", extra: Literal["error", "meta", "ignore"] = "error") -> "ReadOptions":
    """Return how mappings are read: hints name no options of a command."""
    from reo_cli.readers import ReadOptions

    given = frozenset({*rules.absent, *rules.fallback})
    return ReadOptions(command=None, extra=extra, given=given)


def _target(settings: Settings) -> "Target":
    from reo_cli.client import prepare

    bundle = Path(settings.ca_bundle) if settings.ca_bundle else None
    with typed():
        return prepare(
            settings.endpoint, settings.key(), timeout=settings.timeout, ca_bundle=bundle
        )


def _endpoint_source(settings: Settings) -> str:
    return "" if settings.endpoint == BY_KEY["endpoint"].default else "Settings"

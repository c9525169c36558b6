"""How many requests may be under way, and when the next may start. Pure: time is passed in.

Four things hold requests back: the limit under `--concurrency` that refusals teach, the gate that
`Retry-After` closes for all, one probe at a time while nothing gets through, and `--rate`.
"""

from collections.abc import Callable

from reo_cli.client.outcome import Outcome, Verdict

PROBE_EVERY = 5.0
"""Seconds between tries of more requests than the limit that refusals taught."""

STRIKES = 5
"""Refusals at which a level is left."""

FORGIVEN = 0.2
"""How many of them a request that passes makes good."""

OUTAGE_AFTER = 8
"""Transient failures in a row, at least, before only one request at a time is tried."""

LONGEST_WAIT = 300.0
"""Seconds of `Retry-After` above which reo stops and says when to come back (reliability.md)."""

CAP = 30.0
"""Seconds that no wait before another attempt exceeds in `send-file`."""

CAP_ONE = 5.0
"""The same in `send`: a person waits."""

BURST = 0.05
"""Seconds of `--rate` that may be made up for at once."""

Random = Callable[[], float]
"""Uniform in [0, 1)."""


def delay(failures: int, random: Random, *, throttled: bool = False, cap: float = CAP) -> float:
    """Return seconds to wait after `failures` (from 1) in a row: U(0, min(cap, base * 2^n)).

    Full jitter, so that clients do not come in waves; the base is 0.25 s, or 1 s when the server
    asked for less but named no time.
    """
    base = 1.0 if throttled else 0.25
    return random() * min(cap, base * 2.0 ** min(failures - 1, 16))


class Limit:
    """The number of requests under way that the server takes, as its refusals teach.

    It doubles with every round that goes well up to the ceiling, and tries more than that only
    every few seconds, twice as many more as the last time that went well.
    """

    def __init__(self, highest: int, now: float) -> None:
        self._highest = self._ceiling = highest
        self._changed = now
        self._step = 1
        self._round, self._strikes = 0, 0.0
        self.value = 1

    def restart(self, now: float, *, anew: bool) -> None:
        """Start at one again, with what refusals have taught or `anew`."""
        if anew:
            self._ceiling = self._highest
        self._set(1, now)

    def well(self, now: float) -> None:
        """Count a request that was not refused; raise the limit after a round of nothing else."""
        self._strikes = max(0.0, self._strikes - FORGIVEN)
        self._round += 1
        if self._round < self.value:
            return
        self._round = 0
        if self.value > self._ceiling:
            self._ceiling = self.value
            self._step *= 2
        elif self.value < self._ceiling:
            self.value = min(2 * self.value, self._ceiling)
        elif now - self._changed >= PROBE_EVERY:
            self._set(min(self.value + self._step, self._highest), now)

    def refused(self, started: float, now: float, *, asked_to_wait: bool = False) -> None:
        """Take note that a request was refused that had `started` then.

        A try of more is over at once. The ceiling is lowered only after several refusals among few
        requests that pass: a server that refuses now and then, whatever the limit, must not drive
        it down. By a quarter; to a quarter where the server asks for a wait, because it counts what
        comes in a second, and would refuse as many again after each wait. What was under way at the
        last change counts for nothing.
        """
        self._round = 0
        if started < self._changed:
            return
        self._strikes += 1
        if self.value <= self._ceiling:
            if self._strikes <= STRIKES:
                return
            quarter = max(1, self.value // 4)
            self._ceiling = quarter if asked_to_wait else max(1, self.value - quarter)
        self._step = 1
        self._set(self._ceiling, now)

    def _set(self, value: int, now: float) -> None:
        self.value = value
        self._changed = now
        self._round, self._strikes = 0, 0.0


class Pace:
    """Decides whether a request may start now; is told how each one ended."""

    def __init__(
        self, concurrency: int, now: float, random: Random, rate: float | None = None
    ) -> None:
        self._limit = Limit(concurrency, now)
        self._random = random
        self._interval = 1.0 / rate if rate else 0.0
        self._next_at = self._gate = self._probe_at = now
        self._gate_reason = ""
        self._failures = self._probes = 0
        self._refusing = False
        self._counts_from = now
        """Since when the time without progress counts; waits that are asked for put it off."""
        self.proven = False
        """True once a request of this run had a definite answer."""
        self.throttled = rate is not None
        """True once more than the limit has held requests back."""

    @property
    def outage(self) -> bool:
        """True while nothing gets through and single requests probe for the end of it."""
        return self._probes > 0

    @property
    def limit(self) -> int:
        """Requests that may be under way at once."""
        return 1 if self.outage or not self.proven else self._limit.value

    def may_start(self, under_way: int, now: float) -> bool:
        """Tell whether one more request may start."""
        return under_way < self.limit and self.wake_at(now) is None

    def wake_at(self, now: float) -> float | None:
        """Return when `may_start` may change by time alone; None when only an answer changes it."""
        opens = max(self._gate, self._probe_at, self._next_at)
        return opens if opens > now else None

    def is_closed(self, now: float) -> bool:
        """Tell whether the server has asked for a wait that is not over."""
        return now < self._gate

    def started(self, now: float) -> None:
        """Take note of a request that starts now."""
        made_up_for = max(0.0, BURST - self._interval)
        self._next_at = max(self._next_at, now - made_up_for) + self._interval

    def ended(
        self, outcome: Outcome, verdict: Verdict, under_way: int, started: float, now: float
    ) -> None:
        """Take note of an answer to a request that had `started` then.

        `under_way` counts the requests that go on.
        """
        if verdict is not Verdict.TRANSIENT:
            self._well(now)
            return
        asked = outcome.retry_after
        if asked is not None:
            self._close_gate(asked, outcome, now)
        self.throttled |= outcome.throttled
        if outcome.throttled or outcome.unreachable:
            self._limit.refused(started, now, asked_to_wait=bool(asked))
        if asked:  # the server is there; a wait of no time, or a date that is past, is no wait
            return
        self._failures += 1
        self._refusing = outcome.throttled
        if self.outage and under_way:
            return  # a straggler from before the outage, not a probe
        if self._failures >= max(OUTAGE_AFTER, under_way + 1) or not self.proven:
            self._probes += 1
            self._probe_at = now + delay(self._probes, self._random)

    def _well(self, now: float) -> None:
        if self.outage:  # a server that has just come back is met as carefully as a new one
            self._limit.restart(now, anew=not self._refusing)
            self._probe_at = now
        self._limit.well(now)
        self.proven = True
        self._failures = self._probes = 0
        self.rested(now)

    def _close_gate(self, seconds: float, outcome: Outcome, now: float) -> None:
        until = now + seconds
        if until > self._gate:
            self._counts_from += until - max(self._gate, now)
            self._gate = until
            self._gate_reason = str(outcome.http_status or outcome.reason)

    def rested(self, now: float) -> None:
        """Take note that there is nothing to be delivered just now, so that nothing is amiss."""
        self._counts_from = max(now, self._gate)

    def idle(self, now: float) -> float:
        """Return seconds without progress; waits that the server asked for are not counted."""
        return now - self._counts_from

    def waiting(self, now: float) -> str:
        """Return what the run waits for, such as `waiting 12 s (429)`, or nothing."""
        if now < self._gate:
            return f"waiting {self._gate - now:.0f} s ({self._gate_reason})"
        if self.outage:
            return "nothing gets through: trying one event at a time"
        return ""

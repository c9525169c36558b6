"""How many requests may be under way, and when the next may start. Pure: time is passed in.

Four things hold requests back: the limit under `--concurrency` that refusals teach, the gate that
`Retry-After` closes for all, one probe at a time while nothing gets through, and `--rate`.
"""

from reo_cli.delivery.backoff import Random, delay
from reo_cli.outcome import Outcome, Verdict

PROBE_EVERY = 5.0
"""Seconds between tries of one more request than the server refused before."""

STRIKES = 5
"""Refusals without a round that goes well which a level is forgiven."""

FEW = 20
"""One refusal for so many requests that passed is the price of finding a quota's end."""

OUTAGE_AFTER = 8
"""Transient failures in a row, at least, before only one request at a time is tried."""


WHOLE = 1.0 - 1e-9
"""A token of `--rate`, but for the rounding of the clock."""


class Limit:
    """The number of requests under way that the server takes: a ceiling that refusals teach.

    It starts at one, doubles with every round that goes well, and after a refusal stays below the
    level that was refused, trying it again only every few seconds. A server that takes five at a
    time is kept busy to 99 % this way, and refuses less than 1 %.
    """

    def __init__(self, highest: int, now: float) -> None:
        self._highest = highest
        self._refused_at = highest + 1
        self._probed = now
        self._step = 1
        self._round = 0
        self._passed = 0
        self._strikes = 0
        self._lowered = now
        self.value = 1

    def well(self, now: float) -> None:
        """Count a request that was not refused; raise the limit after a round of them."""
        self._passed += 1
        self._round += 1
        if self._round < self.value:
            return
        self._round = self._strikes = 0
        if self.value >= self._refused_at:  # a probe went well for a whole round
            self._step *= 2
            self._refused_at = self.value + self._step
        elif self.value == self._refused_at - 1:
            if self.value < self._highest and now - self._probed >= PROBE_EVERY:
                self._probed = now
                self.value += 1
        else:
            self.value = min(self.value * 2, self._refused_at - 1)
        self.value = min(self.value, self._highest)

    def refused(self, started: float, now: float, *, quota: bool = False) -> None:
        """Take note that a request was refused that had `started` then; lower the limit if need be.

        A server that refuses now and then, whatever the limit, must not drive it down: a level is
        left after a few refusals without a round that goes well, a level that was refused before
        at once. Those that were under way when the limit was lowered count for nothing.

        `quota` says that the server counts requests in a time rather than at a time: whatever the
        limit, it refuses about as many as are under way when the quota ends. So the limit is
        lowered until they are few.
        """
        self._round = 0
        if started < self._lowered:
            return
        self._strikes += 1
        passed, self._passed = self._passed, 0
        if quota:
            self._lowered = now
            if self.value * FEW > passed:
                self._lower(self.value // 2, self.value // 2 + 1, now)
        elif self.value == self._refused_at:
            self._lower(self.value - 1, self.value, now)
        elif self._strikes > STRIKES:
            self._lower(self.value * 3 // 4, self.value, now)

    def restart(self, now: float, *, anew: bool) -> None:
        """Start at one again, with what refusals have taught or `anew`."""
        self.value = 1
        self._round = self._strikes = 0
        self._lowered = now
        if anew:
            self._refused_at = self._highest + 1

    def _lower(self, value: int, refused_at: int, now: float) -> None:
        self.value = max(1, value)
        self._refused_at = max(2, refused_at)
        self._strikes = 0
        self._step = 1
        self._lowered = self._probed = now


class Pace:
    """Decides whether a request may start now; is told how each one ended."""

    def __init__(
        self, concurrency: int, now: float, random: Random, rate: float | None = None
    ) -> None:
        self._limit = Limit(concurrency, now)
        self._random = random
        self._rate = rate
        self._tokens = 1.0
        self._tokens_at = now
        self._proven = False
        self._failures = 0
        self._refusing = False
        self._outage = False
        self._outage_failures = 0
        self._gate = now
        self._gate_reason = ""
        self._probe_at = now
        self._progress_at = now
        self._asked_to_wait = 0.0
        self.throttled_ever = False

    @property
    def limit(self) -> int:
        """Requests that may be under way at once."""
        return 1 if self._outage or not self._proven else self._limit.value

    @property
    def has_rate(self) -> bool:
        """True when the user bounds the rate."""
        return self._rate is not None

    @property
    def outage(self) -> bool:
        """True while nothing gets through and single requests probe for the end of it."""
        return self._outage

    @property
    def proven(self) -> bool:
        """True once a request of this run had a definite answer."""
        return self._proven

    def may_start(self, under_way: int, now: float) -> bool:
        """Tell whether one more request may start."""
        if under_way >= self.limit or now < self._gate:
            return False
        if self._outage and now < self._probe_at:
            return False
        return self._rate is None or self._refilled(now) >= WHOLE

    def is_closed(self, now: float) -> bool:
        """Tell whether the server has asked for a wait that is not over."""
        return now < self._gate

    def wake_at(self, now: float) -> float | None:
        """Return when `may_start` may change by time alone; None when only an answer changes it."""
        times = [self._gate]
        if self._outage:
            times.append(self._probe_at)
        if self._rate is not None and self._refilled(now) < WHOLE:
            times.append(now + (1.0 - self._tokens) / self._rate)
        latest = max(times)
        return latest if latest > now else None

    def _refilled(self, now: float) -> float:
        rate = self._rate or 0.0
        burst = max(1.0, rate / 20)
        self._tokens = min(burst, self._tokens + (now - self._tokens_at) * rate)
        self._tokens_at = now
        return self._tokens

    def started(self, now: float) -> None:
        """Take note of a request that starts now."""
        if self._rate is not None:
            self._tokens = self._refilled(now) - 1.0

    def ended(
        self, outcome: Outcome, verdict: Verdict, under_way: int, started: float, now: float
    ) -> None:
        """Take note of an answer to a request that had `started` then.

        `under_way` counts the requests that go on.
        """
        if verdict is not Verdict.TRANSIENT:
            self._well(now)
            return
        if outcome.retry_after is not None:
            self._close_gate(outcome.retry_after, outcome, now)
        if outcome.retry_after:  # none at all, or a date that is past, is a refusal like others
            self._limit.refused(started, now, quota=True)
            return  # the server is there and says when to come back
        self._failures += 1
        self._refusing = outcome.throttled
        if outcome.throttled or (outcome.unreachable and not self._outage):
            self.throttled_ever |= outcome.throttled
            self._limit.refused(started, now)
        if self._outage and under_way:
            return  # a straggler from before the outage, not a probe
        if self._failures >= max(OUTAGE_AFTER, under_way + 1) or not self._proven:
            self._outage = True
            self._outage_failures += 1
            self._probe_at = now + delay(self._outage_failures, self._random)

    def _well(self, now: float) -> None:
        if self._outage:  # a server that has just come back is met as carefully as a new one
            self._limit.restart(now, anew=not self._refusing)
        self._limit.well(now)
        self._proven = True
        self._failures = 0
        self._outage = False
        self._outage_failures = 0
        self.rested(now)

    def rested(self, now: float) -> None:
        """Take note that there is nothing to be delivered just now, so that nothing is amiss."""
        self._progress_at = now
        self._asked_to_wait = max(0.0, self._gate - now)

    def _close_gate(self, seconds: float, outcome: Outcome, now: float) -> None:
        self.throttled_ever = True
        until = now + seconds
        if until > self._gate:
            self._asked_to_wait += until - max(self._gate, now)
            self._gate = until
            self._gate_reason = str(outcome.http_status or outcome.reason)

    def idle(self, now: float) -> float:
        """Return seconds without progress; waits that the server asked for are not counted."""
        still_asked = max(0.0, self._gate - now)
        return now - self._progress_at - (self._asked_to_wait - still_asked)

    def waiting(self, now: float) -> str:
        """Return what the run waits for, such as `waiting 12 s (429)`, or nothing."""
        if now < self._gate:
            return f"waiting {self._gate - now:.0f} s ({self._gate_reason})"
        if self._outage:
            return "nothing gets through: trying one event at a time"
        return ""

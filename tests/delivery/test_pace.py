"""When a request may start: the limit, the gate, the probes and the rate, by the virtual clock."""

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable

import pytest

from reo_cli.client.outcome import Outcome, Verdict
from reo_cli.delivery.pace import (
    CAP,
    CAP_ONE,
    OUTAGE_AFTER,
    PROBE_EVERY,
    STRIKES,
    Limit,
    Pace,
    delay,
)
from tests.delivery.simulation import (
    BUSY,
    DELIVERED,
    ERROR,
    REFUSED,
    Attempt,
    Server,
    Simulation,
    come_back_after,
    records,
    run,
)


def highest() -> float:
    return 1.0 - 1e-12


# Backoff


@pytest.mark.parametrize(
    ("failures", "throttled", "cap", "most"),
    [
        (1, False, CAP, 0.25),
        (2, False, CAP, 0.5),
        (7, False, CAP, 16.0),
        (8, False, CAP, 30.0),
        (10_000, False, CAP, 30.0),
        (1, True, CAP, 1.0),
        (5, True, CAP, 16.0),
        (6, True, CAP, 30.0),
        (6, False, CAP_ONE, 5.0),
    ],
)
def test_a_wait_is_uniform_up_to_a_bound_that_doubles(
    failures: int, throttled: bool, cap: float, most: float
) -> None:
    assert delay(failures, lambda: 0.0, throttled=throttled, cap=cap) == 0.0
    assert delay(failures, lambda: 0.5, throttled=throttled, cap=cap) == most / 2
    assert delay(failures, highest, throttled=throttled, cap=cap) == pytest.approx(most)


# The limit


def at_level(value: int, highest: int = 64) -> Limit:
    """A limit that has come to `value` by refusals, at the time 0."""
    limit = Limit(highest, 0.0)
    limit.value = limit._ceiling = value
    return limit


def rounds(limit: Limit, number: int, now: float) -> list[int]:
    """Let so many rounds go well; give the limit before each."""
    seen = []
    for _ in range(number):
        seen.append(limit.value)
        for _ in range(limit.value):
            limit.well(now)
    return seen


def test_the_limit_doubles_with_every_round_that_goes_well() -> None:
    assert rounds(Limit(20, 0.0), 6, 0.0) == [1, 2, 4, 8, 16, 20]


def test_several_refusals_lower_the_limit_once_for_all_that_was_under_way() -> None:
    limit = at_level(16)
    for answered in range(16):
        limit.refused(1.0, 2.0 + answered / 100)
    assert limit.value == 12
    assert rounds(limit, 3, 2.5) == [12, 12, 12]
    for _ in range(STRIKES + 1):
        limit.refused(2.5, 3.0)
    assert limit.value == 9


def test_a_refusal_now_and_then_lowers_nothing() -> None:
    limit = at_level(4)
    for step in range(100):
        limit.refused(step / 100, step / 100)
        for _ in range(5):
            limit.well(step / 100)
    assert limit.value == 4


def test_the_limit_never_leaves_its_bounds() -> None:
    chance = random.Random(5)
    for _ in range(200):
        limit = Limit(most := chance.randint(1, 40), 0.0)
        for step in range(300):
            if chance.random() < 0.7:
                limit.well(step * 0.3)
            else:
                limit.refused((step - chance.random()) * 0.3, step * 0.3)
            assert 1 <= limit.value <= most


def test_more_is_tried_only_every_few_seconds_and_left_at_the_first_refusal() -> None:
    limit, now, raised = at_level(5), 0.0, []
    while now < 4 * PROBE_EVERY:
        now += 0.05
        limit.well(now)
        if limit.value == 6:
            raised.append(now)
            limit.refused(now, now)
            assert limit.value == 5
    gaps = [later - sooner for sooner, later in itertools.pairwise(raised)]
    assert len(raised) == 3
    assert all(gap >= PROBE_EVERY for gap in gaps)


def test_tries_of_more_that_go_well_soon_lead_back_to_the_top() -> None:
    limit, seen = at_level(5, 100), []
    for turn in range(1, 8):
        seen += rounds(limit, 2, turn * PROBE_EVERY)[1:]
    assert seen == [6, 8, 12, 20, 36, 68, 100]


# The figures of reliability.md: servers that refuse


def at_once(most: int, seconds: float = 0.05) -> Server:
    """A server that serves `most` at a time and refuses all others at once."""

    free: list[float] = []

    def serve(attempt: Attempt) -> tuple[float, Outcome]:
        while free and free[0] <= attempt.at + 1e-9:
            heapq.heappop(free)
        if len(free) >= most:
            return 0.005, BUSY
        heapq.heappush(free, attempt.at + seconds)
        return seconds, DELIVERED

    return serve


@pytest.mark.parametrize("most", [1, 5, 11])
@pytest.mark.parametrize("concurrency", [16, 64])
def test_a_server_that_takes_some_at_a_time_is_kept_busy_and_seldom_overrun(
    most: int, concurrency: int
) -> None:
    number = most * 20 * 80
    done = run(at_once(most), number, concurrency=concurrency, retries=1000)
    assert done.counts.delivered == number
    ideal = number / (most / 0.05)
    refused = (done.requests - number) / done.requests
    assert ideal / done.seconds >= 0.97
    assert refused <= 0.02


def test_a_machine_that_lends_few_connections_is_content_with_them() -> None:
    limit = Outcome(Verdict.LIMIT, "no more files")
    done = run(
        lambda a: (0.001, limit) if a.under_way >= 10 else (0.05, DELIVERED), 5000, concurrency=64
    )
    assert (done.counts.delivered, done.stopped_by) == (5000, (0, ""))
    none = run(lambda _: (0.001, limit), 50)
    assert (none.requests, none.stopped_by[0]) == (1, 74)


@pytest.mark.parametrize(("share", "part"), [(0.01, 0.9), (0.05, 0.6), (0.1, 0.3)])
def test_a_server_that_refuses_now_and_then_is_not_met_ever_more_slowly(
    share: float, part: float
) -> None:
    chance = random.Random(3).random
    done = run(lambda _: (0.02, BUSY if chance() < share else DELIVERED), 6000, concurrency=16)
    assert done.counts.delivered == 6000
    assert 6000 / done.seconds >= part * 16 / 0.02 * (1 - share)


Allowance = Callable[[float], float]
"""Gives 0 and lets a request at this time through, or gives the seconds until the next one."""


def sliding_window(most: int) -> Allowance:
    passed: deque[float] = deque(maxlen=most)

    def wait(now: float) -> float:
        if len(passed) == most and now < passed[0] + 1.0:
            return passed[0] + 1.0 - now
        passed.append(now)
        return 0.0

    return wait


def fixed_window(most: int) -> Allowance:
    counts: dict[int, int] = {}

    def wait(now: float) -> float:
        second = int(now)
        counts[second] = counts.get(second, 0) + 1
        return 0.0 if counts[second] <= most else second + 1 - now

    return wait


def token_bucket(rate: int, size: int) -> Allowance:
    level, last = float(size), 0.0

    def wait(now: float) -> float:
        nonlocal level, last
        level = min(size, level + (now - last) * rate)
        last = now
        if level >= 1:
            level -= 1
            return 0.0
        return (1 - level) / rate

    return wait


@pytest.mark.parametrize("whole_seconds", [True, False])
@pytest.mark.parametrize("allowance", ["sliding", "fixed", "bucket"])
@pytest.mark.parametrize("concurrency", [8, 64])
def test_a_server_that_allows_100_a_second_is_used_and_obeyed(
    allowance: str, whole_seconds: bool, concurrency: int
) -> None:
    """N4 in virtual time: the 429 names the wait, in whole seconds as most servers do."""
    kinds = {
        "sliding": sliding_window(100),
        "fixed": fixed_window(100),
        "bucket": token_bucket(100, 100),
    }
    wait = kinds[allowance]
    asked: list[tuple[float, float]] = []

    def serve(attempt: Attempt) -> tuple[float, Outcome]:
        seconds = wait(attempt.at)
        if not seconds:
            return 0.01, DELIVERED
        seconds = float(int(seconds) + 1) if whole_seconds else seconds
        asked.append((attempt.at + 0.01, attempt.at + 0.01 + seconds))
        return 0.01, come_back_after(seconds)

    number = 6000
    done = run(serve, number, concurrency=concurrency)
    assert done.counts.delivered == number
    assert number / done.seconds >= 60
    assert len(asked) / done.requests <= 0.10
    starts = [each.at for each in done.transport.attempts]
    for begin, end in asked:
        assert not [at for at in starts if begin + 1e-9 < at < end - 1e-9]


# The gate, outages, and what they leave


def pace(concurrency: int = 8, rate: float | None = None) -> Pace:
    return Pace(concurrency, 0.0, highest, rate)


def proven(concurrency: int = 8) -> Pace:
    one = pace(concurrency)
    for _ in range(4 * concurrency):
        one.ended(DELIVERED, Verdict.DELIVERED, 0, 0.0, 0.0)
    assert one.limit == concurrency
    return one


def fail(one: Pace, answer: Outcome, now: float = 0.0, under_way: int = 0) -> None:
    one.ended(answer, Verdict.TRANSIENT, under_way, now, now)


def test_only_one_request_goes_until_the_first_is_answered() -> None:
    one = pace()
    assert one.may_start(0, 0.0)
    assert not one.may_start(1, 0.0)
    fail(one, come_back_after(3))
    assert not one.may_start(0, 2.9)
    assert one.may_start(0, 3.0)
    assert not one.may_start(1, 3.0)


@pytest.mark.parametrize("under_way", [0, 20])
def test_an_outage_begins_after_eight_failures_or_as_many_as_are_under_way(
    under_way: int,
) -> None:
    one = proven(64)
    for count in range(1, max(OUTAGE_AFTER, under_way + 1)):
        fail(one, ERROR, under_way=under_way)
        assert not one.outage, count
    fail(one, ERROR, under_way=under_way)
    assert one.outage
    assert one.limit == 1
    assert "nothing gets through" in one.waiting(0.0)


def test_probes_come_ever_later_up_to_the_cap_and_the_first_success_ends_it() -> None:
    one = proven()
    now, waits = 0.0, []
    for _ in range(OUTAGE_AFTER - 1):
        fail(one, ERROR)
    for _ in range(12):
        fail(one, ERROR, now)
        wake = one.wake_at(now)
        assert wake is not None
        assert not one.may_start(0, wake - 0.001)
        assert one.may_start(0, wake)
        waits.append(round(wake - now, 3))
        now = wake
    assert waits == [0.25, 0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30, 30]
    one.ended(DELIVERED, Verdict.DELIVERED, 0, now, now)
    assert not one.outage
    assert one.limit == 2, "the server is met anew, carefully"


def test_what_was_under_way_when_an_outage_began_does_not_count_as_probes() -> None:
    one = proven(64)
    for _ in range(64):
        fail(one, REFUSED, under_way=63)
    for under_way in range(62, 0, -1):
        fail(one, REFUSED, under_way=under_way)
    assert one.wake_at(0.0) == pytest.approx(0.25)


def test_a_wait_that_is_asked_for_closes_the_gate_for_all_and_is_named() -> None:
    one = proven()
    fail(one, come_back_after(2))
    assert one.wake_at(0.0) == 2.0
    assert not one.may_start(0, 1.99)
    assert one.may_start(0, 2.0)
    assert one.waiting(0.0) == "waiting 2 s (429)"
    assert one.waiting(2.0) == ""
    assert one.throttled


def test_refusals_that_name_no_time_lower_the_limit_and_in_a_row_are_an_outage() -> None:
    one = proven(64)
    for under_way in range(63, 63 - STRIKES - 1, -1):
        fail(one, BUSY, 1.0, under_way=under_way)
    assert one.limit == 48
    assert one.wake_at(1.0) is None
    assert one.throttled
    for under_way in range(63 - STRIKES - 1, -1, -1):
        fail(one, BUSY, 1.0, under_way=under_way)
    assert one.outage


def test_the_longest_wait_that_is_asked_for_counts() -> None:
    one = proven()
    for seconds in (5, 20, 1):
        fail(one, come_back_after(seconds))
    assert one.wake_at(0.0) == 20


def test_time_that_the_api_asked_for_is_not_idle_time() -> None:
    one = proven()
    fail(one, ERROR, 10.0)
    fail(one, come_back_after(100), 10.0)
    assert one.idle(60.0) <= 10
    assert one.idle(115.0) == pytest.approx(15)
    one.ended(DELIVERED, Verdict.DELIVERED, 0, 0.0, 60.0)  # it was under way all the time
    assert one.idle(115.0) == pytest.approx(5)
    one.rested(200.0)
    assert one.idle(201.0) == pytest.approx(1)


def test_a_rate_below_one_a_second_is_kept_too() -> None:
    one = pace(rate=0.1)
    one.ended(DELIVERED, Verdict.DELIVERED, 0, 0.0, 0.0)
    assert one.may_start(0, 0.0)
    one.started(0.0)
    assert not one.may_start(0, 9.9)
    assert one.wake_at(0.0) == pytest.approx(10.0)
    assert one.may_start(0, 10.0)


def test_nobody_waits_for_a_time_that_is_not_reached_by_a_rounding_error() -> None:
    """`wake_at` either lies ahead or there is a request that may start."""
    for rate in (3, 7, 20, 33.3, 1000 / 7):
        one, now = pace(rate=rate), 0.1
        one.ended(DELIVERED, Verdict.DELIVERED, 0, now, now)
        for _ in range(500):
            while one.may_start(0, now):
                one.started(now)
            wake = one.wake_at(now)
            assert wake is not None
            assert wake > now
            now = wake


def test_after_an_outage_the_old_limit_is_soon_reached_again() -> None:
    def serve(attempt: Attempt) -> tuple[float, Outcome]:
        return 0.05, REFUSED if 5 < attempt.at < 25 else DELIVERED

    limits: dict[int, int] = {}
    simulation = Simulation(serve, records(12_000))
    simulation.policy = type(simulation.policy)(concurrency=64)
    simulation.watch = lambda each: limits.setdefault(
        int(simulation.transport.time), each.pace.limit
    )
    simulation.run()
    first = next(each.at for each in simulation.transport.attempts if each.at > 25)
    assert limits[int(first) + 2] == 64

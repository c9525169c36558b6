"""When a request may start: the limit, the gate, the probes and the rate, by the virtual clock."""

import heapq
import random
from collections import deque
from collections.abc import Callable

import pytest

from reo_cli.client.outcome import Outcome, Verdict
from reo_cli.delivery.dispatch import Policy
from reo_cli.delivery.pace import CAP, CAP_ONE, OUTAGE_AFTER, Pace, delay
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


@pytest.mark.parametrize(
    ("failures", "throttled", "cap", "most"),
    [
        (1, False, CAP, 0.25),
        (2, False, CAP, 0.5),
        (7, False, CAP, 16.0),
        (10_000, False, CAP, 30.0),
        (1, True, CAP, 1.0),
        (6, True, CAP, 30.0),
        (6, False, CAP_ONE, 5.0),
    ],
)
def test_a_wait_is_uniform_up_to_a_bound_that_doubles(
    failures: int, throttled: bool, cap: float, most: float
) -> None:
    for part in (0.0, 0.5, highest()):
        wait = delay(failures, lambda: part, throttled=throttled, cap=cap)  # noqa: B023
        assert wait == pytest.approx(part * most)


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


@pytest.mark.parametrize(
    ("most", "concurrency", "part", "refused"),
    [
        (1, 16, 0.99, 0.014),
        (2, 64, 0.99, 0.012),
        (3, 16, 0.99, 0.012),
        (5, 64, 0.99, 0.012),
        (11, 16, 0.97, 0.012),
        (11, 256, 0.97, 0.012),
        (30, 64, 0.95, 0.012),
    ],
)
def test_a_server_that_takes_some_at_a_time_is_kept_busy_and_seldom_overrun(
    most: int, concurrency: int, part: float, refused: float
) -> None:
    """From its first request on, for 80 seconds."""
    number = most * 20 * 80
    done = run(at_once(most), number, concurrency=concurrency, retries=1000)
    assert done.counts.delivered == number
    assert 80 / done.seconds >= part
    assert (done.requests - number) / done.requests <= refused


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


def token_bucket(rate: int) -> Allowance:
    level, last = float(rate), 0.0

    def wait(now: float) -> float:
        nonlocal level, last
        level = min(rate, level + (now - last) * rate)
        last = now
        if level < 1:
            return (1 - level) / rate
        level -= 1
        return 0.0

    return wait


@pytest.mark.parametrize("whole_seconds", [True, False])
@pytest.mark.parametrize("kind", [sliding_window, fixed_window, token_bucket])
@pytest.mark.parametrize(("number", "concurrency"), [(6000, 8), (6000, 64), (1000, 64)])
def test_a_server_that_allows_100_a_second_is_used_and_obeyed(
    kind: Callable[[int], Allowance], whole_seconds: bool, number: int, concurrency: int
) -> None:
    """N4 in virtual time: the 429 names the wait, in whole seconds as most servers do."""
    wait = kind(100)
    asked: list[tuple[float, float]] = []

    def serve(attempt: Attempt) -> tuple[float, Outcome]:
        seconds = wait(attempt.at)
        if not seconds:
            return 0.01, DELIVERED
        seconds = float(int(seconds) + 1) if whole_seconds else seconds
        asked.append((attempt.at + 0.01, attempt.at + 0.01 + seconds))
        return 0.01, come_back_after(seconds)

    done = run(serve, number, concurrency=concurrency)
    assert done.counts.delivered == number
    assert number / done.seconds >= 60
    assert len(asked) / done.requests <= 0.10
    starts = [each.at for each in done.transport.attempts]
    for begin, end in asked:
        assert not [at for at in starts if begin + 1e-9 < at < end - 1e-9]


# The gate, outages, and what they leave


def proven(concurrency: int = 8) -> Pace:
    one = Pace(concurrency, 0.0, highest)
    for _ in range(4 * concurrency):
        one.ended(DELIVERED, Verdict.DELIVERED, 0, 0.0, 0.0)
    assert one.limit == concurrency
    return one


def fail(one: Pace, answer: Outcome, now: float = 0.0, under_way: int = 0) -> None:
    one.ended(answer, Verdict.TRANSIENT, under_way, now, now)


@pytest.mark.parametrize("under_way", [0, 20])
def test_an_outage_begins_after_eight_failures_or_as_many_as_are_under_way(
    under_way: int,
) -> None:
    one = proven(64)
    for count in range(1, max(OUTAGE_AFTER, under_way + 1)):
        fail(one, ERROR, under_way=under_way)
        assert not one.outage, count
    fail(one, ERROR, under_way=under_way)
    assert (one.outage, one.limit) == (True, 1)
    assert "nothing gets through" in one.waiting(0.0)


def test_probes_come_ever_later_up_to_the_cap_and_the_first_success_ends_it() -> None:
    one = proven()
    now, waits = 0.0, []
    for _ in range(OUTAGE_AFTER - 1):
        fail(one, ERROR)
    for _ in range(10):
        fail(one, ERROR, now)
        wake = one.wake_at(now)
        assert wake is not None
        assert not one.may_start(0, wake - 0.001)
        assert one.may_start(0, wake)
        waits.append(round(wake - now, 3))
        now = wake
    assert waits == [0.25, 0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    one.ended(DELIVERED, Verdict.DELIVERED, 0, now, now)
    assert not one.outage
    assert one.limit == 2, "the server is met anew, carefully"


def test_what_was_under_way_when_an_outage_began_does_not_count_as_probes() -> None:
    one = proven(64)
    for under_way in [63] * 64 + list(range(62, 0, -1)):
        fail(one, REFUSED, under_way=under_way)
    assert one.wake_at(0.0) == pytest.approx(0.25)


def test_the_longest_wait_that_is_asked_for_closes_the_gate_for_all_and_is_named() -> None:
    one = proven()
    for seconds in (5, 20, 1):
        fail(one, come_back_after(seconds))
    assert one.wake_at(0.0) == 20
    assert [one.may_start(0, 19.9), one.may_start(0, 20)] == [False, True]
    assert (one.waiting(18.0), one.waiting(20.0)) == ("waiting 2 s (429)", "")
    assert one.throttled


def test_refusals_that_name_no_time_lower_the_limit_and_in_a_row_are_an_outage() -> None:
    one = proven(64)
    for under_way in range(63, 57, -1):
        fail(one, BUSY, 1.0, under_way=under_way)
    assert (one.limit, one.wake_at(1.0), one.throttled) == (48, None, True)
    for under_way in range(57, -1, -1):
        fail(one, BUSY, 1.0, under_way=under_way)
    assert one.outage


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


@pytest.mark.parametrize("rate", [0.1, 3, 7, 33.3, 1000 / 7])
def test_nobody_waits_for_a_time_that_is_not_reached_by_a_rounding_error(rate: float) -> None:
    """`wake_at` either lies ahead or there is a request that may start."""
    one, now, sent = Pace(8, 0.1, highest, rate), 0.1, 0
    for _ in range(500):
        while one.may_start(0, now):
            one.started(now)
            sent += 1
        wake = one.wake_at(now)
        assert wake is not None
        assert wake > now
        now = wake
    assert (sent - 1) / (now - 0.1) == pytest.approx(rate, rel=0.02)


def test_after_an_outage_the_old_limit_is_soon_reached_again() -> None:
    limits: dict[int, int] = {}
    server = lambda each: (0.05, REFUSED if 5 < each.at < 25 else DELIVERED)  # noqa: E731
    outage = Simulation(server, records(12_000), Policy(concurrency=64))
    outage.watch = lambda each: limits.setdefault(int(outage.seconds), each.pace.limit)
    outage.run()
    first = next(each.at for each in outage.transport.attempts if each.at > 25)
    assert limits[int(first) + 2] == 64

"""When a request may start: the limit, the gate, the probes and the rate, by the virtual clock."""

import heapq
import random
from collections.abc import Callable

import pytest

from reo_cli.client.outcome import Outcome, Verdict
from reo_cli.delivery.pace import CAP_ONE, OUTAGE_AFTER, Pace, delay
from tests.delivery.simulation import (
    BUSY,
    DELIVERED,
    ERROR,
    REFUSED,
    Attempt,
    come_back_after,
    run,
)


def highest() -> float:
    return 1.0


def test_a_wait_is_uniform_up_to_a_bound_that_doubles() -> None:
    assert [delay(1, lambda: part) for part in (0.0, 0.5)] == [0, 0.125]  # noqa: B023
    assert [delay(n, highest) for n in (1, 2, 7, 8, 10_000)] == [0.25, 0.5, 16, 30, 30]
    assert [delay(n, highest, throttled=True) for n in (1, 5, 6)] == [1, 16, 30]
    assert delay(6, highest, cap=CAP_ONE) == 5


# The figures of reliability.md: servers that refuse


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
    """From its first request on, for 80 seconds; it refuses at once."""
    number = most * 20 * 80
    free_at: list[float] = []

    def serve(attempt: Attempt) -> tuple[float, Outcome]:
        while free_at and free_at[0] <= attempt.at + 1e-9:
            heapq.heappop(free_at)
        if len(free_at) >= most:
            return 0.005, BUSY
        heapq.heappush(free_at, attempt.at + 0.05)
        return 0.05, DELIVERED

    done = run(serve, number, concurrency=concurrency, retries=1000)
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


# Servers that allow 100 a second: the seconds that a request comes too early, and what to note of
# one that is let through.


def sliding_window(now: float, noted: list[float]) -> tuple[float, float]:
    return noted[-100] + 1 - now, now


def fixed_window(now: float, noted: list[float]) -> tuple[float, float]:
    return (int(now) + 1 - now if int(noted[-100]) == int(now) else 0.0), now


def token_bucket(now: float, noted: list[float]) -> tuple[float, float]:
    """What is noted is when the bucket is full again."""
    return noted[-1] - 0.99 - now, max(noted[-1], now) + 0.01


@pytest.mark.parametrize("whole_seconds", [True, False])
@pytest.mark.parametrize("kind", [sliding_window, fixed_window, token_bucket])
@pytest.mark.parametrize(("number", "concurrency"), [(6000, 8), (6000, 64), (1000, 64)])
def test_a_server_that_allows_100_a_second_is_used_and_obeyed(
    kind: Callable[[float, list[float]], tuple[float, float]],
    whole_seconds: bool,
    number: int,
    concurrency: int,
) -> None:
    """N4: the 429 names the wait, in whole seconds as most servers do."""
    noted = [-9.0] * 100
    asked: list[tuple[float, float]] = []

    def serve(attempt: Attempt) -> tuple[float, Outcome]:
        early, note = kind(attempt.at, noted)
        if early < 1e-9:
            noted.append(note)
            return 0.01, DELIVERED
        seconds = float(int(early) + 1) if whole_seconds else early
        asked.append((attempt.at + 0.01, attempt.at + 0.01 + seconds))
        return 0.01, come_back_after(seconds)

    done = run(serve, number, concurrency=concurrency)
    assert done.counts.delivered == number
    assert number / done.seconds >= 60
    assert len(asked) / done.requests <= 0.10
    starts = [each.at for each in done.attempts]
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


@pytest.mark.parametrize(("under_way", "failures"), [(0, OUTAGE_AFTER), (20, 21)])
def test_an_outage_is_probed_ever_later_until_the_first_success(
    under_way: int, failures: int
) -> None:
    """It begins after eight failures, or as many as are under way; these are no probes."""
    one = proven(64)
    for _ in range(failures):
        assert (one.outage, one.limit) == (False, 64)
        fail(one, ERROR, under_way=under_way)
    assert (one.outage, one.limit) == (True, 1)
    assert "nothing gets through" in one.waiting(0.0)
    for left in range(under_way, 0, -1):
        fail(one, REFUSED, under_way=left)
    now, waits = 0.0, []
    for _ in range(10):
        wake = one.wake_at(now)
        assert wake is not None
        assert [one.may_start(0, at) for at in (wake - 0.001, wake)] == [False, True]
        waits.append(round(wake - now, 3))
        now = wake
        fail(one, ERROR, now)
    assert waits == [0.25, 0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    one.ended(DELIVERED, Verdict.DELIVERED, 0, now, now)
    assert (one.outage, one.limit) == (False, 2), "the server is met anew, carefully"


def test_the_longest_wait_that_is_asked_for_closes_the_gate_for_all_and_is_named() -> None:
    one = proven()
    for seconds in (5, 20, 1):
        fail(one, come_back_after(seconds))
    assert (one.wake_at(0.0), one.throttled) == (20, True)
    assert [one.may_start(0, 19.9), one.may_start(0, 20)] == [False, True]
    assert (one.waiting(18.0), one.waiting(20.0)) == ("waiting 2 s (429)", "")


def test_refusals_that_name_no_time_lower_the_limit_and_in_a_row_are_an_outage() -> None:
    one = proven(64)
    for under_way in range(63, 57, -1):
        fail(one, BUSY, 1.0, under_way=under_way)
    assert (one.limit, one.wake_at(1.0), one.throttled) == (48, None, True)
    for under_way in range(57, -1, -1):
        fail(one, BUSY, 1.0, under_way=under_way)
    assert one.outage


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

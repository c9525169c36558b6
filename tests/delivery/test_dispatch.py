"""The dispatcher in virtual time: what is sent when, what counts, and when it stops.

That every record is settled once is seen in each of these runs (simulation.py).
"""

import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from reo_cli.client.outcome import Outcome
from reo_cli.delivery import intake
from reo_cli.delivery.dispatch import Policy
from reo_cli.delivery.ledger import Account, Ledger
from reo_cli.delivery.signals import FINISH_WITHIN
from reo_cli.delivery.summary import Counts
from reo_cli.errors import ExitCode, ReoError
from reo_cli.records import Record
from tests.delivery.simulation import (
    BUSY,
    DELIVERED,
    ERROR,
    KEY_REFUSED,
    REFUSED,
    REJECTED,
    Attempt,
    Server,
    Simulation,
    always,
    come_back_after,
    records,
    run,
)

OK = (0, "")


def failing(*ids: object, result: Outcome = ERROR) -> Server:
    """Fail on these events for ever, and take all others."""
    return lambda attempt: (0.05, result if attempt.event_id in ids else DELIVERED)


def after(failures: int) -> Server:
    """Fail so many attempts of each event, and take the next."""
    return lambda attempt: (0.05, ERROR if attempt.of_event <= failures else DELIVERED)


def down_from(second: float, answer: Outcome) -> Server:
    return lambda attempt: (0.1, DELIVERED if attempt.at < second else answer)


def test_the_first_request_goes_alone_then_they_double_up_to_the_concurrency() -> None:
    """Every event is sent once, and in order."""
    done = run(always(DELIVERED, 1.0), 100, concurrency=16)
    assert [each.event_id for each in done.attempts] == [str(n) for n in range(1, 101)]
    by_second = Counter(int(each.at) for each in done.attempts)
    assert [by_second[second] for second in range(7)] == [1, 2, 4, 8, 16, 16, 16]
    assert max(each.under_way for each in done.attempts) == 15
    assert (done.counts, done.stopped_by) == (Counts(delivered=100), OK)


ALL, ALL_BUT_ONE = Counts(delivered=30), Counts(delivered=499, errored=1)
ENDS: dict[str, tuple[Server, int, dict[str, int], Counts, int]] = {
    "N2, one failure": (after(1), 30, {}, ALL, 60),
    "N2, two failures": (after(2), 30, {}, ALL, 90),
    "N2, five failures": (after(5), 30, {}, ALL, 180),
    "fails always, no retry": (failing("10"), 500, {"retries": 0}, ALL_BUT_ONE, 500),
    "fails always, one retry": (failing("10"), 500, {"retries": 1}, ALL_BUT_ONE, 501),
    "fails always, five retries": (failing("10"), 500, {}, ALL_BUT_ONE, 505),
    "the last fail": (failing("9", "10"), 10, {}, Counts(delivered=8, errored=2), 8 + 2 * 6),
    "--limit is of events": (after(1), 99, {"limit": 10}, Counts(delivered=10, unsent=89), 20),
    "--max-rejects 0": (always(REJECTED), 500, {"max_rejects": 0}, Counts(rejected=500), 500),
    "one delivered": (down_from(0.1, REJECTED), 500, {}, Counts(delivered=1, rejected=499), 500),
}


@pytest.mark.parametrize(
    ("server", "number", "policy", "counts", "requests"), ENDS.values(), ids=ENDS
)
def test_what_counts_against_an_event(
    server: Server, number: int, policy: dict[str, int], counts: Counts, requests: int
) -> None:
    done = run(server, number, **{"concurrency": 2, **policy})
    assert (done.counts, done.requests, done.stopped_by) == (counts, requests, OK)
    assert done.seconds < 120


@pytest.mark.parametrize(
    ("answer", "number"), [*itertools.product([REFUSED, BUSY], [1, 3, 500]), (ERROR, 500)]
)
def test_an_outage_is_no_event_s_fault(answer: Outcome, number: int) -> None:
    down = 60.0
    done = run(lambda each: (0.01, answer if each.at < down else DELIVERED), number)
    assert done.counts == Counts(delivered=number)
    assert done.seconds < down + 35


@pytest.mark.parametrize(("first", "count"), [(1, 1), (1, 3), (100, 1), (100, 3), (100, 10)])
@pytest.mark.parametrize("answer", [ERROR, BUSY, come_back_after(1)], ids=["500", "503", "429"])
def test_events_that_always_fail_do_not_keep_the_others_from_the_server(
    first: int, count: int, answer: Outcome
) -> None:
    poison = [str(n) for n in range(first, first + count)]
    done = run(failing(*poison, result=answer), 2000, concurrency=16)
    assert done.counts == Counts(delivered=2000 - count, errored=count)
    assert done.stopped_by == OK
    assert done.seconds < 180


def test_no_more_than_a_bounded_number_of_events_waits_for_another_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bound, most = 20, 0
    waiting = set()
    monkeypatch.setattr(intake, "WAITING_MOST", bound)

    def server(each: Attempt) -> tuple[float, Outcome]:
        nonlocal most
        waiting.discard(each.event_id)
        if each.number <= 200 or not each.number % 10:
            return 0.01, DELIVERED
        waiting.add(each.event_id)
        most = max(most, len(waiting))
        return 0.01, ERROR

    done = run(server, 400, concurrency=32, retries=1000, give_up_after=1e6)
    assert bound <= most < bound + 32 + intake.AHEAD
    assert done.counts == Counts(delivered=400)


def test_ten_minutes_of_outage_cost_few_requests_and_end_by_themselves() -> None:
    """N3."""
    begin, end = 1.0, 601.0
    done = run(
        lambda each: (0.02, REFUSED if begin <= each.at < end else DELIVERED),
        6000,
        concurrency=64,
        give_up_after=900,
    )
    assert done.counts == Counts(delivered=6000)
    assert sum(begin <= each.at < end for each in done.attempts) <= 120
    back = next(each.at for each in done.attempts if each.at >= end)
    assert back - end <= 35
    assert max(each.under_way for each in done.attempts if back < each.at < back + 2) == 63


@pytest.mark.parametrize("asked", [1, 30, 300])
def test_retry_after_closes_the_gate_for_all_and_counts_in_no_way(asked: float) -> None:
    """An answer that comes after the refusal is progress; the wait goes on all the same."""

    def server(each: Attempt) -> tuple[float, Outcome]:
        if each.number == 50:
            return 0.1, come_back_after(asked)
        return 0.1 + each.number % 5 / 10, DELIVERED

    done = run(server, 500, concurrency=16, give_up_after=5)
    refused = done.attempts[49].at + 0.1
    assert not [each for each in done.attempts if refused < each.at < refused + asked]
    assert (done.counts, done.requests) == (Counts(delivered=500), 501)


@pytest.mark.parametrize("rate", [0.5, 20, 150])
def test_rate_is_kept_and_used(rate: float) -> None:
    number = max(10, int(rate * 20))
    done = run(always(DELIVERED, 0.02), number, rate=rate, concurrency=32, give_up_after=1.5)
    assert done.counts == Counts(delivered=number)
    assert number / done.seconds == pytest.approx(rate, rel=0.12)
    times = [each.at for each in done.attempts]
    for start in times[::7]:
        assert sum(start <= at < start + 1 for at in times) <= rate + max(1, rate / 20) + 1


def test_waiting_for_a_slow_pipe_is_not_waiting_for_a_delivery() -> None:
    def pipe() -> Iterator[Record | None]:
        for number, record in enumerate(records(10)):
            while simulation.seconds < 1000 * number:
                yield None
            yield record

    simulation = Simulation(always(DELIVERED), pipe())
    assert simulation.run().stopped_by == OK
    assert simulation.counts == Counts(delivered=10)


# What stops a run


@pytest.mark.parametrize(
    ("server", "policy", "stopped_by", "said", "seconds"),
    [
        (down_from(3, REFUSED), {"give_up_after": 40}, (69, "gave_up"), REFUSED.reason, 43),
        (down_from(3, ERROR), {"give_up_after": 40}, (69, "gave_up"), ERROR.reason, 43),
        (down_from(3, BUSY), {"give_up_after": 40}, (69, "gave_up"), BUSY.reason, 43),
        (always(DELIVERED, 1e4), {"give_up_after": 30}, (69, "gave_up"), "no answer came", 35),
        (always(come_back_after(0)), {"give_up_after": 60}, (69, "gave_up"), ": HTTP 429 ", 60),
        (down_from(3, come_back_after(301)), {}, (75, "retry_after"), " UTC", 3),
        (always(DELIVERED, 0.3), {"max_time": 2.1}, (75, "max_time"), "--max-time 2.1 ", 2.1),
        (always(ERROR), {"max_time": 5}, (75, "max_time"), "--max-time 5 (HTTP 500) ", 5),
        (always(come_back_after(60)), {"max_time": 5}, (75, "max_time"), "(waiting 55 s (429))", 5),
        (failing("2"), {"max_time": 5, "rate": 50}, (75, "max_time"), "--max-time 5 ", 5),
        (always(REJECTED), {"concurrency": 16}, (65, "all_rejected"), "--max-rejects", 0.5),
    ],
)
def test_a_run_stops_and_says_why(
    server: Server, policy: dict[str, float], stopped_by: object, said: str, seconds: float
) -> None:
    done = run(server, 5000, **policy)
    assert done.stopped_by == stopped_by
    assert done.error is not None
    assert said in f"{done.error} {done.error.hint}"
    assert seconds - 0.1 <= done.seconds <= seconds + 1
    assert done.counts.read == 5000
    assert done.requests < 300, "an outage is met with backoff"


def test_with_no_retries_an_outage_errors_an_event_for_each_probe() -> None:
    done = run(always(REFUSED), 1000, retries=0, give_up_after=20)
    assert done.stopped_by == (69, "gave_up")
    assert done.counts == Counts(errored=done.requests, unsent=1000 - done.requests)
    assert done.requests < 60, "met with backoff"


def test_a_signal_lets_what_is_under_way_finish_and_starts_nothing() -> None:
    done = Simulation(always(DELIVERED, 0.4), 1000, signals={3.0: 2}).run()
    assert done.stopped_by == (130, "interrupted")
    assert done.seconds <= 3.4 + 0.001
    assert max(each.at for each in done.attempts) <= 3.0
    assert done.counts == Counts(delivered=done.requests, unsent=1000 - done.requests)


@pytest.mark.parametrize(
    ("signals", "end"), [({3.0: 15}, 3.0 + FINISH_WITHIN), ({3.0: 15, 3.5: 15}, 3.5)]
)
def test_what_does_not_answer_gets_five_seconds_and_none_after_a_second_signal(
    signals: dict[float, int], end: float
) -> None:
    """Events that wait for another attempt meanwhile wait in vain: they are unsent."""

    def server(each: Attempt) -> tuple[float, Outcome]:
        poisoned = int(each.event_id) >= 20
        return (100.0 if each.at > 2 else 0.1), ERROR if poisoned else DELIVERED

    done = Simulation(server, 1000, signals=signals).run()
    assert done.stopped_by == (143, "interrupted")
    assert done.seconds == pytest.approx(end, abs=0.001)
    assert (done.counts.delivered, done.counts.read) == (19, 1000)
    assert done.counts.errored == sum(each.at > 2 for each in done.attempts) > 0


# What the books say


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    with Ledger.open(tmp_path / "l.db") as ledger:
        yield Account(ledger, "https://api.test", "key-123456", None)


def test_an_acknowledgement_is_recorded_before_its_worker_gets_another_event(
    account: Account,
) -> None:
    """And so are answers that are under way when the input fails: that is no reason to forget."""
    unrecorded = 0

    def broken() -> Iterator[Record]:
        yield from records(400)
        raise ReoError(ExitCode.IO, "input_changed", "the file changed")

    def held(until: int) -> int:
        return sum(account.find(str(n)) is not None for n in range(1, until))

    def server(each: Attempt) -> tuple[float, Outcome]:
        nonlocal unrecorded
        unrecorded = max(unrecorded, each.number - 1 - held(each.number))
        return 0.05 + 0.01 * (each.number % 5), DELIVERED

    done = Simulation(server, broken(), Policy(concurrency=4), account=account).run()
    assert done.stopped_by == (74, "input_changed")
    assert done.counts == Counts(delivered=done.requests, unsent=400 - done.requests)
    assert unrecorded == 3, "four under way, the one that asks among them"
    assert held(done.requests + 1) == done.requests > 300


@pytest.mark.parametrize(
    ("answer", "ends"),
    [
        (DELIVERED, Counts(delivered=1, already_delivered=1)),
        (REJECTED, Counts(rejected=2)),
        (ERROR, Counts(errored=2)),
        (KEY_REFUSED, Counts(unsent=2)),
    ],
)
def test_a_twin_of_an_event_on_its_way_shares_its_end(answer: Outcome, ends: Counts) -> None:
    first, second = records(2)
    twin = first._replace(number=3, line=4)
    server = failing("1", result=answer)
    done = run(server, [second, first, twin], retries=1, concurrency=4)
    assert done.counts == ends + Counts(delivered=1)

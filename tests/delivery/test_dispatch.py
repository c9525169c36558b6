"""The dispatcher in virtual time: what is sent when, what counts, and when it stops."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from reo_cli.client.outcome import Outcome
from reo_cli.delivery import intake
from reo_cli.delivery.dispatch import Dispatcher, Policy
from reo_cli.delivery.ledger import Account, Acknowledged, Ledger
from reo_cli.delivery.signals import FINISH_WITHIN
from reo_cli.delivery.summary import Counts
from reo_cli.errors import ExitCode, ReoError
from reo_cli.records import Record
from tests.delivery.simulation import (
    BUSY,
    DELIVERED,
    ERROR,
    KEY_REFUSED,
    PORTAL,
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


def test_every_event_is_sent_once_and_in_order() -> None:
    done = run(always(DELIVERED), 100)
    assert [each.event_id for each in done.transport.attempts] == [str(n) for n in range(1, 101)]
    assert done.counts == Counts(delivered=100)
    assert done.stopped_by == OK


def test_the_first_request_goes_alone_then_they_double_up_to_the_concurrency() -> None:
    done = run(always(DELIVERED, 1.0), 100, concurrency=16)
    by_second = [0] * 60
    for each in done.transport.attempts:
        by_second[int(each.at)] += 1
    assert by_second[:7] == [1, 2, 4, 8, 16, 16, 16]
    assert done.transport.most_under_way == 16


@pytest.mark.parametrize(
    ("answer", "code"),
    [(KEY_REFUSED, ExitCode.KEY_REFUSED), (PORTAL, ExitCode.NOT_THE_API)],
)
def test_a_wrong_key_or_url_costs_one_request(answer: Outcome, code: ExitCode) -> None:
    done = run(always(answer), 1000, concurrency=64)
    assert done.requests == 1
    assert done.stopped_by[0] == code
    assert done.counts == Counts(unsent=1 + done.at_hand)


def test_a_revoked_key_ends_the_run_and_leaves_the_answers_under_way_to_come() -> None:
    """N10 in virtual time: at most what is under way is asked after the key was refused."""
    done = run(
        lambda each: (0.05 + each.number % 7 / 100, KEY_REFUSED if each.at > 3 else DELIVERED),
        5000,
        concurrency=32,
    )
    assert done.stopped_by == (77, "key_refused")
    assert sum(each.at > 3 for each in done.transport.attempts) <= 32
    delivered = sum(each.at <= 3 for each in done.transport.attempts)
    assert done.counts == Counts(delivered=delivered, unsent=done.events - delivered)


# Retries, and what counts against an event


@pytest.mark.parametrize("failures", range(1, 6))
def test_an_event_is_delivered_by_the_attempt_after_its_last_fault(failures: int) -> None:
    """N2 in virtual time."""
    server: Server = lambda each: (0.05, ERROR if each.of_event <= failures else DELIVERED)  # noqa: E731
    done = run(server, 30, concurrency=4)
    assert done.counts == Counts(delivered=30)
    assert done.requests == 30 * (failures + 1)


@pytest.mark.parametrize(("retries", "attempts"), [(0, 1), (1, 2), (5, 6)])
def test_an_event_that_fails_while_others_get_through_is_errored(
    retries: int, attempts: int
) -> None:
    done = run(failing("10"), 500, retries=retries, concurrency=2)
    assert done.counts == Counts(delivered=499, errored=1)
    assert sum(each.event_id == "10" for each in done.transport.attempts) == attempts
    assert done.stopped_by == OK


def test_the_last_events_use_up_their_attempts_though_no_other_gets_through() -> None:
    done = run(failing("9", "10"), 10, retries=3)
    assert done.counts == Counts(delivered=8, errored=2)
    assert done.requests == 8 + 2 * 4
    assert done.seconds < 60


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
    monkeypatch.setattr(intake, "WAITING_MOST", bound)

    def look(dispatcher: Dispatcher) -> None:
        nonlocal most
        most = max(most, len(dispatcher._queue._waiting))

    def server(each: Attempt) -> tuple[float, Outcome]:
        return 0.01, ERROR if each.number > 200 and each.number % 10 else DELIVERED

    policy = Policy(concurrency=32, retries=1000, give_up_after=1e6)
    done = Simulation(server, records(400), policy, watch=look).run()
    assert bound <= most < bound + 32 + intake.AHEAD
    assert done.counts == Counts(delivered=400)


# Outages


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
    during = [each for each in done.transport.attempts if begin <= each.at < end]
    assert len(during) <= 120
    after = next(each for each in done.transport.attempts if each.at >= end)
    assert after.at - end <= 35
    assert done.seconds < end + 35 + 30, "the old speed is soon reached again"


@pytest.mark.parametrize("answer", [REFUSED, ERROR, BUSY])
def test_a_run_gives_up_when_nothing_was_delivered_for_long(answer: Outcome) -> None:
    done = run(lambda each: (0.1, DELIVERED if each.at < 3 else answer), 5000, give_up_after=40)
    assert done.stopped_by == (69, "gave_up")
    assert 42.9 <= done.seconds <= 44
    assert answer.reason in str(done.dispatcher.error)
    counts = done.counts
    assert counts.delivered > 100
    assert counts.unsent > 0
    assert counts.delivered + counts.unsent == done.events


def test_without_an_answer_it_gives_up_too() -> None:
    done = run(always(DELIVERED, 10_000.0), 50, give_up_after=30)
    assert done.stopped_by == (69, "gave_up")
    assert done.counts == Counts(errored=1, unsent=done.at_hand)
    assert done.requests == 1
    assert "no answer came" in str(done.dispatcher.error)


def test_with_no_retries_an_outage_errors_an_event_for_each_probe() -> None:
    done = run(always(REFUSED), 1000, retries=0, give_up_after=20)
    assert done.stopped_by == (69, "gave_up")
    assert done.counts == Counts(errored=done.requests, unsent=done.at_hand)


# What the API asks for


@pytest.mark.parametrize("asked", [1, 30, 300])
def test_retry_after_closes_the_gate_for_all(asked: float) -> None:
    done = run(
        lambda each: (0.1, come_back_after(asked) if each.number == 50 else DELIVERED),
        500,
        concurrency=16,
        give_up_after=5,
    )
    refused = done.transport.attempts[49].at + 0.1
    assert not [a for a in done.transport.attempts if refused < a.at < refused + asked]
    assert done.counts == Counts(delivered=500)
    assert done.requests == 501


def test_a_wait_of_no_time_is_no_reason_to_hurry() -> None:
    done = run(always(come_back_after(0.0), 0.01), 20, give_up_after=60)
    assert done.stopped_by == (69, "gave_up")
    assert done.requests < 60, "an outage like any other, met with backoff"


def test_a_wait_that_is_asked_for_counts_in_no_way_whatever_else_arrives_meanwhile() -> None:
    """An answer that comes after the refusal is progress; the wait goes on all the same."""

    def server(each: Attempt) -> tuple[float, Outcome]:
        if each.number == 30:
            return 0.1, come_back_after(100)
        return (0.5 if each.number > 30 else 0.1), DELIVERED

    done = run(server, 300, concurrency=8, give_up_after=5)
    assert done.counts == Counts(delivered=300)


def test_a_wait_above_the_cap_stops_the_run_and_says_until_when() -> None:
    done = run(lambda each: (0.1, come_back_after(301) if each.number == 50 else DELIVERED), 500)
    assert done.stopped_by == (75, "retry_after")
    assert "UTC" in (done.dispatcher.error or ReoError(ExitCode.OK, "", "")).hint
    assert done.counts.read == done.events


# Bounds that the user sets


def test_max_time_counts_from_the_start_of_the_process_and_ends_in_75() -> None:
    done = run(always(DELIVERED, 0.3), 1000, max_time=2.1)
    assert done.stopped_by == (75, "max_time")
    assert 2.1 <= done.seconds <= 2.41
    assert done.counts == Counts(delivered=done.requests, unsent=done.at_hand)


@pytest.mark.parametrize(
    ("server", "said"),
    [
        (always(ERROR), "--max-time 5 (HTTP 500)"),
        (always(come_back_after(60)), "--max-time 5 (waiting 55 s (429))"),
        (lambda each: (0.3, ERROR if each.number == 2 else DELIVERED), "--max-time 5"),
    ],
    ids=["failing", "throttled", "well again"],
)
def test_max_time_tells_what_held_the_run_up(server: Server, said: str) -> None:
    assert str(run(server, 1000, max_time=5).dispatcher.error).endswith(said)


def test_limit_bounds_new_events_and_not_their_attempts() -> None:
    done = run(lambda a: (0.1, ERROR if a.of_event == 1 else DELIVERED), 100, limit=10)
    assert done.counts == Counts(delivered=10, unsent=90)
    assert done.requests == 20
    assert done.stopped_by == OK


@pytest.mark.parametrize("rate", [0.5, 20, 150])
def test_rate_is_kept_and_used(rate: float) -> None:
    number = max(10, int(rate * 20))
    done = run(always(DELIVERED, 0.02), number, rate=rate, concurrency=32, give_up_after=1.5)
    assert done.counts == Counts(delivered=number)
    assert number / done.seconds == pytest.approx(rate, rel=0.12)
    times = [each.at for each in done.transport.attempts]
    burst = max(1, rate / 20)
    for start in range(0, number, 7):
        inside = sum(times[start] <= at < times[start] + 1 for at in times)
        assert inside <= rate + burst + 1


def test_a_hundred_rejections_before_a_delivery_stop_the_run() -> None:
    """N12 in virtual time."""
    done = run(always(REJECTED), 1000, concurrency=16)
    assert done.stopped_by == (65, "all_rejected")
    assert 100 <= done.counts.rejected <= 100 + 16
    assert done.requests == done.counts.rejected


@pytest.mark.parametrize("policy", [{"max_rejects": 0}, {"max_rejects": 100}])
def test_rejections_do_not_stop_the_run(policy: dict[str, int]) -> None:
    """With no bound, or after a delivery."""
    first = DELIVERED if policy["max_rejects"] else REJECTED
    done = run(lambda each: (0.01, first if each.number == 1 else REJECTED), 500, **policy)
    assert done.stopped_by == OK
    assert done.counts.read == 500


# Pipes


class SlowPipe(intake.Pipe):
    """Ten records, one whenever the clock of the run reaches the next `every` seconds."""

    def __init__(self, every: float, number: int = 10) -> None:
        self.every = every
        self.left = list(records(number))
        self.clock: Callable[[], float] = lambda: 0.0
        self.at: dict[float, int | None] = {every * n + 0.001: None for n in range(1, number + 1)}
        self.given = 0

    def __next__(self) -> Record | None:
        if not self.left:
            raise StopIteration
        if self.clock() < self.every * (self.given + 1):
            return None
        self.given += 1
        return self.left.pop(0)

    def leave(self) -> Iterator[Record]:
        left, self.left = self.left[:2], []
        yield from left


def pipe_run(
    pipe: SlowPipe, server: Server, policy: Policy, signals: dict[float, int]
) -> Simulation:
    simulation = Simulation(server, policy=policy, at=pipe.at | signals, feed=pipe)
    pipe.clock = lambda: simulation.transport.time
    return simulation.run()


def test_waiting_for_a_slow_pipe_is_not_waiting_for_a_delivery() -> None:
    done = pipe_run(SlowPipe(1000), always(DELIVERED), Policy(give_up_after=120), {})
    assert done.stopped_by == OK
    assert done.counts == Counts(delivered=10)


def test_what_was_read_ahead_of_a_stopped_run_is_unsent() -> None:
    done = pipe_run(SlowPipe(10), always(DELIVERED), Policy(), {35: 15})
    assert done.stopped_by == (143, "interrupted")
    assert done.counts == Counts(delivered=3, unsent=2)
    assert [each.event_id for each in done.ears.ends] == ["1", "2", "3", "4", "5"]


# Ends before the end


def test_a_signal_lets_what_is_under_way_finish_and_starts_nothing() -> None:
    done = Simulation(
        always(DELIVERED, 0.4), records(1000), Policy(concurrency=8), at={3.0: 2}
    ).run()
    assert done.stopped_by == (130, "interrupted")
    assert done.seconds <= 3.4 + 0.001
    assert max(each.at for each in done.transport.attempts) <= 3.0
    assert done.counts == Counts(delivered=done.requests, unsent=done.at_hand)


@pytest.mark.parametrize(
    ("signals", "seconds"), [({3.0: 15}, 3.0 + FINISH_WITHIN), ({3.0: 15, 3.5: 15}, 3.5)]
)
def test_what_does_not_answer_gets_five_seconds_and_none_after_a_second_signal(
    signals: dict[float, int], seconds: float
) -> None:
    done = Simulation(
        lambda each: (0.1 if each.at < 2 else 100.0, DELIVERED),
        records(1000),
        at={**signals},
    ).run()
    assert done.stopped_by == (143, "interrupted")
    assert done.seconds == pytest.approx(seconds, abs=0.001)
    assert done.counts.errored == 8
    assert done.counts.read == done.events
    assert done.requests == done.dispatcher.attempts


def test_events_that_wait_for_another_attempt_are_unsent_when_the_run_stops() -> None:
    done = Simulation(failing(*map(str, range(20, 1000))), records(999), at={1.0: 2}).run()
    assert done.counts.delivered == 19
    assert done.counts.unsent >= 8
    assert done.counts.read == done.events


def test_a_stopped_run_that_waits_for_answers_does_not_spin() -> None:
    """The transport notices; events that are due wait in vain."""
    done = Simulation(
        lambda each: (100.0, DELIVERED) if each.at > 1 else (0.05, ERROR),
        records(100),
        Policy(concurrency=4),
        at={2.0: 2},
    ).run()
    assert done.stopped_by == (130, "interrupted")


class DiskFull(Account):
    """An account whose ledger takes so many more records."""

    left = 20

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger, "https://api.test", "key-123456", None)
        self.recorded: list[str | int] = []

    def record(self, acknowledged: Iterable[Acknowledged]) -> None:
        if self.left <= 0:
            raise ReoError(ExitCode.IO, "ledger_full", "the disk is full")
        self.left -= 1
        self.recorded += [each.event_id for each in acknowledged]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "l.db") as ledger:
        yield ledger


@pytest.fixture
def account(ledger: Ledger) -> Account:
    return Account(ledger, "https://api.test", "key-123456", None)


def test_what_was_delivered_counts_as_such_though_the_ledger_is_full(ledger: Ledger) -> None:
    full = DiskFull(ledger)
    done = Simulation(always(DELIVERED), records(1000), account=full).run()
    assert done.stopped_by == (74, "ledger_full")
    assert done.counts == Counts(delivered=done.requests, unsent=done.at_hand)
    assert len(full.recorded) < done.requests <= len(full.recorded) + 16


def test_answers_under_way_are_recorded_when_the_input_fails(account: Account) -> None:
    """A fault of the input is no reason to forget what the API still acknowledges."""

    def broken() -> Iterator[Record]:
        yield from records(400)
        raise ReoError(ExitCode.IO, "input_changed", "the file changed")

    server = lambda each: (0.05 + 0.01 * (each.number % 5), DELIVERED)  # noqa: E731
    done = Simulation(server, broken(), account=account).run()
    assert done.stopped_by == (74, "input_changed")
    assert done.counts == Counts(delivered=done.requests, unsent=400 - done.requests)
    assert done.requests > 300
    assert all(account.find(str(n)) for n in range(1, done.requests + 1))


def test_an_acknowledgement_is_recorded_before_its_worker_gets_another_event(
    account: Account,
) -> None:
    unrecorded = 0

    def server(each: Attempt) -> tuple[float, Outcome]:
        nonlocal unrecorded
        held = sum(account.find(str(n)) is not None for n in range(1, each.number))
        unrecorded = max(unrecorded, each.number - 1 - held)
        return 0.05, DELIVERED

    done = Simulation(server, records(200), Policy(concurrency=4), account=account).run()
    assert done.counts == Counts(delivered=200)
    assert unrecorded == 3, "four under way, the one that asks among them"


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
    server: Server = lambda a: (0.1, answer if a.event_id == "1" else DELIVERED)  # noqa: E731
    done = Simulation(
        server, [second, first, twin], Policy(retries=1, concurrency=4), feed=None
    ).run()
    assert done.counts == ends + Counts(delivered=1)

"""What is told of a run while it goes on: its rate, what it waits for, and one piece of advice."""

from types import SimpleNamespace
from typing import Any

import pytest

from reo_cli.client.outcome import Verdict
from reo_cli.delivery.dispatch import Policy
from reo_cli.delivery.pace import Pace
from reo_cli.delivery.progress import Meter
from reo_cli.delivery.summary import Counts, InputSummary
from reo_cli.records import Progress
from tests.delivery.simulation import DELIVERED, Ears, come_back_after


class Run(Ears):
    """A meter over counts and a clock that the test sets, and what it tells."""

    def __init__(self, total: int | None, concurrency: int = 8, rate: float | None = None) -> None:
        super().__init__()
        self.now, self.counts = 0.0, Counts()
        self.pace = Pace(concurrency, 0.0, lambda: 0.5, rate)
        self.pace.ended(DELIVERED, Verdict.DELIVERED, 0, 0.0, 0.0)
        policy = Policy(concurrency=concurrency)
        self.run: Any = SimpleNamespace(pace=self.pace, policy=policy, first_request=None)
        self.book: Any = SimpleNamespace(inputs=[InputSummary("x.csv", self.counts)])
        self.meter = Meter(self, lambda: self.now)
        self.meter.sending(total)

    def goes_on(self, seconds: int, **each_second: int) -> "Run":
        """Let time pass, and let so many records a second come to these ends."""
        if "delivered" in each_second and self.run.first_request is None:
            self.run.first_request = self.now
        for _ in range(seconds):
            self.now += 1
            for outcome, number in each_second.items():
                self.counts.add(outcome, number)
            self.meter.turn(self.run, self.book)
        return self


def test_the_rate_is_that_of_what_is_settled() -> None:
    run = Run(total=100_000).goes_on(5, delivered=91, rejected=3, invalid=2, errored=4)
    assert run.told[-1] == Progress(500, 100_000, 45, 100.0, 2, 5.0)


def test_what_was_delivered_before_makes_no_forecast() -> None:
    """Nor does it spoil that of a run whose new events stand among known ones."""
    run = Run(total=2_000_000).goes_on(30, already_delivered=20_000)
    assert {each.rate for each in run.told} == {0.0}
    assert run.told[-1].waiting == "skipping what was delivered before"
    run.goes_on(9, delivered=100)
    assert (run.told[-1].rate, run.told[-1].waiting) == (100.0, "")
    assert run.said == []
    run.goes_on(62, delivered=100)
    assert run.said == ["about 233 min left; --concurrency 32 may be faster"]
    mixed = Run(total=2_000_000).goes_on(30, already_delivered=20_000, delivered=1)
    assert mixed.said == []


@pytest.mark.parametrize(
    ("total", "concurrency", "rate", "asked"),
    [
        (None, 8, None, 0.0),
        (50_000, 8, None, 0.0),
        (10_000_000, 256, None, 0.0),
        (10_000_000, 8, 100.0, 0.0),
        (10_000_000, 8, None, 2.0),
    ],
    ids=["unknown", "short", "as many as can be", "--rate", "throttled"],
)
def test_where_more_at_once_would_not_help_it_is_not_advised(
    total: int | None, concurrency: int, rate: float | None, asked: float
) -> None:
    run = Run(total, concurrency, rate)
    if asked:
        run.pace.ended(come_back_after(asked), Verdict.TRANSIENT, 0, 0.0, 0.0)
    assert run.goes_on(60, delivered=100).said == []

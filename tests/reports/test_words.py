import pytest

from reo_cli.reports.words import count_of, duration, instant, rate

SECONDS = [-1.0, 0.42, 12.34, 59.94, 59.96, 125.4, 3599.6, 4_000_000.0]


def test_durations() -> None:
    assert list(map(duration, SECONDS)) == [
        *("0.00 s", "0.42 s", "12.3 s", "59.9 s", "1 min 0 s", "2 min 5 s", "1 h 0 min"),
        "1,111 h 6 min",
    ]


@pytest.mark.parametrize(
    ("epoch", "expected"),
    [
        (0, "1970-01-01 00:00 UTC"),
        (1_793_491_199, "2026-10-31 23:59 UTC"),
        (253_402_300_800, "10000-01-01 00:00 UTC"),
        (10**30, str(10**30)),
    ],
)
def test_instants(epoch: int, expected: str) -> None:
    assert instant(epoch) == expected


def test_counts_and_rates() -> None:
    assert (count_of(1, "event"), count_of(1_234, "event")) == ("1 event", "1,234 events")
    assert (rate(9.87), rate(1234.5)) == ("9.9 events a second", "1,234 events a second")

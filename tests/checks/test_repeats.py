"""Repeats and totals: exact over any number of events, in memory that does not grow."""

import pytest

from reo_cli.checks import repeats
from reo_cli.checks.checker import Checker
from reo_cli.checks.repeats import Repeats
from reo_cli.checks.validation import MOST_DISTINCT, Distinct, TotalsCounter
from reo_cli.events import Event, Rules
from reo_cli.records import Record

CHECKER = Checker(Rules(now=1795000000))


def event(count: int, line: int, event_id: str | None = None, text: str = "") -> Event:
    fields = {
        "activity_type": "a",
        "count": str(count),
        "domain": "acme.com",
        "event_at": "1790000000",
        "product_id": "p",
        "event_id": event_id,
    }
    made = CHECKER.check(Record("x.csv", line, line - 1, fields, {}, text)).event
    assert made is not None
    return made


def found(*files: list[tuple[int, str | None]]) -> list[str]:
    """Ask over files of (count, event_id), their lines numbered from 2."""
    seen = Repeats()
    for at, rows in enumerate(files):
        seen.begin_file(f"{at}.csv")
        for line, (count, event_id) in enumerate(rows, 2):
            seen.add(event(count, line, event_id))
    issues = list(seen.find())
    assert all(issue.file == f"{at}.csv" and issue.code for at, issue in issues)
    return [str(issue).partition(" (")[0] for _, issue in issues]


@pytest.mark.parametrize("batch", [repeats.BATCH, 3])
def test_repeats(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "BATCH", batch)
    assert found([(n, None) for n in range(50)]) == []
    assert found([(1, None)], [(1, None)]) == []  # equal rows of two files are one event
    again = found([(n % 7, None) for n in range(20)])
    assert [line.split(":")[1] for line in again] == list(map(str, range(9, 22)))
    assert again[0] == "0.csv:9: warning: the same as line 2"
    assert found([(1, "a"), (2, "b"), (1, "a")], [(3, "b"), (2, "b")]) == [
        "0.csv:4: warning: event_id: the same event as line 2",
        "1.csv:2: event_id: 0.csv:3 has the same event_id and other content",
        "1.csv:3: warning: event_id: the same event as 0.csv:3",
    ]


def test_rows_that_differ_in_what_is_not_sent_are_not_called_equal() -> None:
    seen = Repeats()
    seen.begin_file("x.csv")
    for line, text in enumerate(["a,1\n", "a,1", "a,2\r\n"], 2):
        seen.add(event(1, line, text=text))
    assert [issue.code for _, issue in seen.find()] == ["repeat", "repeat-as-sent"]


def test_totals_of_two_files() -> None:
    whole = TotalsCounter()
    parts = []
    for days in ((3, 1), (2, 3)):
        part = TotalsCounter()
        for day in days:
            part.add({"count": day, "event_at": day * 86_400, "domain": f"d{day}"})
        parts.append(part.result())
        whole.merge(part)
    assert [part.sum_of_count for part in parts] == [4, 5]
    total = whole.result()
    assert (total.sum_of_count, total.domains, total.ips) == (9, Distinct(3), Distinct(0))
    assert (total.first_event_at, total.last_event_at) == (86_400, 3 * 86_400)


@pytest.mark.parametrize("more", [0, 1, 5000])
def test_distinct_values_are_counted_up_to_a_limit(more: int) -> None:
    counter, whole = TotalsCounter(), TotalsCounter()
    for n in range(MOST_DISTINCT + more):
        for _ in range(2):
            counter.add({"count": 1, "event_at": 0, "ip_addr": str(n)})
    whole.merge(counter)
    for each in (counter, whole):
        assert each.result().ips == Distinct(MOST_DISTINCT, estimated=more > 0)

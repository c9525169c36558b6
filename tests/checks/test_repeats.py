"""Repeats and totals: exact over any number of events, in memory that does not grow."""

import pytest

from reo_cli.checks import repeats
from reo_cli.checks.repeats import Repeats
from reo_cli.checks.validation import MOST_DISTINCT, Distinct, TotalsCounter
from tests.checks.test_checker import event_of


def found(*files: list[tuple[int, str | None, str]]) -> list[str]:
    """Ask over files of (count, event_id, text), their lines numbered from 2."""
    seen = Repeats()
    for at, rows in enumerate(files):
        seen.begin_file(f"{at}.csv")
        for line, (count, event_id, text) in enumerate(rows, 2):
            event = event_of({"count": count, "event_id": event_id})
            record = event.record._replace(line=line, number=line - 1, text=text)
            seen.add(event._replace(record=record))
    issues = list(seen.find())
    assert all(issue.file == f"{at}.csv" for at, issue in issues)
    return [f"{each.code} {str(each).partition(' (')[0]}" for _, each in issues]


@pytest.mark.parametrize("batch", [repeats.BATCH, 3])
def test_repeats(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "BATCH", batch)
    assert found([(n, None, "") for n in range(50)]) == []
    assert found([(1, None, "")], [(1, None, "")]) == []  # equal rows of two files are one event
    again = found([(n % 7, None, "") for n in range(20)])
    assert [line.split(":")[1] for line in again] == list(map(str, range(9, 22)))
    assert again[0] == "repeat 0.csv:9: warning: the same as line 2"
    assert found([(1, "a", ""), (2, "b", ""), (1, "a", "")], [(3, "b", ""), (2, "b", "")]) == [
        "repeated-id 0.csv:4: warning: event_id: the same event as line 2",
        "id-taken 1.csv:2: event_id: 0.csv:3 has the same event_id and other content",
        "repeated-id 1.csv:3: warning: event_id: the same event as 0.csv:3",
    ]
    assert found([(1, None, "a,1\n"), (1, None, "a,1"), (1, None, "a,2\r\n")]) == [
        "repeat 0.csv:3: warning: the same as line 2",
        "repeat-as-sent 0.csv:4: warning: the same as line 2 in all that is sent",
    ]


@pytest.mark.parametrize("more", [0, 1, 5000])
def test_totals_count_distinct_values_up_to_a_limit(more: int) -> None:
    whole, part = TotalsCounter(), TotalsCounter()
    for n in [*range(1, MOST_DISTINCT + more), 0] * 2:
        part.add({"count": 1, "event_at": n * 60, "ip_addr": str(n)})
    whole.merge(part)
    whole.merge(TotalsCounter())
    many = MOST_DISTINCT + more
    ips = Distinct(MOST_DISTINCT, estimated=more > 0)
    assert whole.result() == part.result() == (2 * many, Distinct(), ips, 0, (many - 1) * 60)

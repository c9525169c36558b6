"""What is decided over an event before anything is sent: new, known, changed, or not ours."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from reo_cli.checks.checker import Checker
from reo_cli.delivery.decide import Decider, Identity, Input, Job, Shard
from reo_cli.delivery.ledger import Account, Ledger
from reo_cli.errors import ReoError
from reo_cli.events import Event, Rules
from reo_cli.records import Record

NOW = 1_800_000_000


def event(number: int = 1, line: int = 2, rules: Rules | None = None, **more: Any) -> Event:
    fields = {"activity_type": "a", "count": number, "domain": "reo.dev", "product_id": "p"}
    fields |= {"event_at": 1_790_000_000, **more}
    record = Record("x.csv", line, line - 1, fields, {}, "")
    found, issues = Checker(rules or Rules(NOW)).check(record)
    assert found is not None, issues
    return found


class Desk(Decider):
    """A decider that has begun its first input, `x.csv`."""

    def __init__(self, account: Account | None = None, **identity: Any) -> None:
        super().__init__(Identity(**identity), account)
        self.go_on(0, "x.csv")

    def go_on(self, at: int, name: str, origin: bytes = b"file", *, streamed: bool = False) -> None:
        self.begin(Input(at, name, origin, streamed, lambda: iter(()), lambda: None))

    def job(self, event: Event) -> Job:
        found = self.decide(event)
        assert found is not None
        return found

    def ids(self, *events: Event) -> list[str | int]:
        return [job.event_id for each in events if (job := self.decide(each))]


def messages(job: Job) -> list[str]:
    return [f"{each.severity}: {each.message}" for each in job.issues]


# Identity


def test_equal_events_are_told_apart_by_their_occurrence_in_a_file_and_are_one_in_two() -> None:
    desk = Desk()
    found = [desk.job(event(line=line)) for line in (2, 3, 4)]
    repeat = ["warning: the same as line 2"]
    assert [messages(each) for each in found] == [[], repeat, repeat]
    ids = [each.event_id for each in found]
    desk.go_on(1, "y.csv", b"other")
    assert messages(desk.job(event())) == []
    assert len({*ids, *desk.ids(event(), event(), event())}) == 4


def test_the_own_id_comes_before_fields_and_these_before_the_content() -> None:
    named: Any = {"id_from": ("domain", "event_at")}
    assert Desk(**named).ids(event(event_id="mine")) == ["mine"]
    found = Desk(**named).ids(event(), event(2, event_at=1_790_000_001))
    assert len(set(found)) == 2
    assert Desk(**named).ids(event(99), event(98, event_at=1_790_000_001)) == found


@pytest.mark.parametrize("identity", [{}, {"id_from": ("domain",)}])
def test_one_id_with_two_contents_is_an_error_and_with_one_a_repeat(
    identity: dict[str, Any],
) -> None:
    own: dict[str, Any] = {} if identity else {"event_id": "a"}
    desk = Desk(**identity)
    desk.decide(event(1, line=2, **own))
    assert messages(desk.job(event(1, line=3, **own))) == ["warning: the same event as line 2"]
    other = "has the same event_id and other content"
    assert messages(desk.job(event(7, line=4, **own))) == [f"error: line 2 {other}"]
    desk.go_on(1, "y.csv", b"other")
    assert messages(desk.job(event(7, line=5, **own))) == [f"error: x.csv:2 {other}"]


# Shards


@pytest.mark.parametrize("of", [1, 2, 7])
def test_each_event_falls_to_one_share_wherever_it_stands(of: int) -> None:
    events = [event(n, line=n + 2) for n in range(1, 200)]
    shares = [set(Desk(shard=Shard(index, of)).ids(*events)) for index in range(of)]
    turned = [set(Desk(shard=Shard(index, of)).ids(*events[::-1])) for index in range(of)]
    assert shares == turned
    assert sum(map(len, shares)) == len(set.union(*shares)) == 199
    assert all(len(share) > 199 / of / 2 for share in shares)


def test_what_falls_to_another_share_is_no_issue_of_this_one(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        account = Account(ledger, "https://api.test", "key-number-1", None)
        account.record(Desk(account).job(event(1, event_id="a")).acknowledged(NOW))
        shares = [Desk(account, shard=Shard(index, 2)) for index in range(2)]
        found = [each.decide(event(2, event_id="a")) for each in shares]
    assert sorted(each is not None and len(each.issues) for each in found) == [False, 1]


# What may go wrong


def test_a_full_temporary_folder_is_a_clear_error() -> None:
    desk = Desk()
    desk.close()
    desk._seen = sqlite3.connect(":memory:", isolation_level=None)
    desk._seen.execute("PRAGMA max_page_count = 1")
    with pytest.raises(ReoError) as caught:
        desk.decide(event())
    assert (caught.value.exit_code, caught.value.reason) == (74, "scratch_failed")
    assert "SQLITE_TMPDIR" in caught.value.hint

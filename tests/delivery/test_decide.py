"""What is decided over an event before anything is sent: new, known, changed, or not ours."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reo_cli.checks.checker import Checker
from reo_cli.delivery.decide import Decider, Decision, Identity, Memory, OnChange, Shard
from reo_cli.delivery.identity import content_digest
from reo_cli.delivery.ledger import Account, Acknowledged, Ledger
from reo_cli.errors import ReoError
from reo_cli.events import Event, Rules
from reo_cli.records import Record

API, KEY, OTHER = "https://api.test", "key-number-1", "key-number-2"
NOW = 1_800_000_000


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.db", clock=lambda: NOW) as ledger:
        yield ledger


@pytest.fixture
def scope(ledger: Ledger) -> Account:
    return Account(ledger, API, KEY, None)


def event(number: int = 1, line: int = 2, rules: Rules | None = None, **more: Any) -> Event:
    fields = {"activity_type": "a", "count": number, "domain": "reo.dev", "product_id": "p"}
    fields |= {"event_at": 1_790_000_000, **more}
    found, issues = Checker(rules or Rules(NOW)).check(
        Record("x.csv", line, line - 1, fields, {}, "")
    )
    assert found is not None, issues
    return found


def decider(memory: Memory | None = None, **identity: Any) -> Decider:
    one = Decider(Identity(**identity), memory)
    one.begin_input(0, "x.csv", b"origin", streamed=False)
    return one


def deliver(scope: Account, decision: Decision, at: float = 1000) -> None:
    job = decision.job
    assert job is not None
    scope.record([Acknowledged(job.event_id, job.content, at)])


def ids(decisions: list[Decision]) -> list[object]:
    return [each.job.event_id if each.job else None for each in decisions]


def messages(decision: Decision) -> list[str]:
    return [f"{each.severity}: {each.message}" for each in decision.issues]


# Identity


def test_equal_events_of_a_file_are_told_apart_by_their_occurrence() -> None:
    one = decider()
    found = [one.decide(event(line=line)) for line in (2, 3, 4)]
    assert len(set(ids(found))) == 3
    assert [messages(each) for each in found] == [
        [],
        ["warning: the same as line 2"],
        ["warning: the same as line 2"],
    ]


def test_equal_events_of_two_files_are_one() -> None:
    one = decider()
    first = [one.decide(event()), one.decide(event())]
    one.begin_input(1, "y.csv", b"other", streamed=False)
    second = [one.decide(event()), one.decide(event()), one.decide(event())]
    assert ids(second)[:2] == ids(first)
    assert ids(second)[2] not in ids(first)
    assert messages(second[0]) == []


def test_the_own_id_comes_before_fields_and_these_before_the_content() -> None:
    assert ids([decider(id_from=("domain",)).decide(event(event_id="mine"))]) == ["mine"]
    by_field = decider(id_from=("domain", "event_at"))
    found = [by_field.decide(event()), by_field.decide(event(2, event_at=1_790_000_001))]
    assert len(set(ids(found))) == 2
    assert ids(found) == ids(
        [
            decider(id_from=("domain", "event_at")).decide(event(99)),
            decider(id_from=("domain", "event_at")).decide(event(98, event_at=1_790_000_001)),
        ]
    )


@pytest.mark.parametrize("identity", [{}, {"id_from": ("domain",)}])
def test_one_id_with_two_contents_is_an_error_and_with_one_a_repeat(
    identity: dict[str, Any],
) -> None:
    own: dict[str, Any] = {} if identity else {"event_id": "a"}
    one = decider(**identity)
    one.decide(event(1, line=2, **own))
    assert messages(one.decide(event(1, line=3, **own))) == ["warning: the same event as line 2"]
    changed = one.decide(event(7, line=4, **own))
    assert messages(changed) == ["error: line 2 has the same event_id and other content"]
    one.begin_input(1, "y.csv", b"other", streamed=False)
    far = one.decide(event(7, line=5, **own))
    assert messages(far) == ["error: x.csv:2 has the same event_id and other content"]


def test_a_time_that_is_the_run_s_counts_by_its_origin_and_warns_once_on_a_pipe() -> None:
    rules = Rules(NOW, always={"event_at": "now"})
    found = []
    for origin, streamed in ((b"file", False), (b"file", False), (b"changed", False), (b"x", True)):
        one = decider()
        one.begin_input(0, "x.csv", origin, streamed=streamed)
        found.append(one.decide(event(rules=rules)))
        again = one.decide(event(2, rules=rules))
        assert messages(again) == []
    assert ids(found)[0] == ids(found)[1]
    assert len(set(ids(found))) == 3
    assert [len(each.issues) for each in found] == [0, 0, 0, 1]
    assert "new in every run" in messages(found[3])[0]
    with_id = decider()
    with_id.begin_input(0, "-", b"x", streamed=True)
    assert messages(with_id.decide(event(rules=rules, event_id="a"))) == []


# What the ledger knows


def test_what_was_delivered_is_known_and_the_next_occurrence_is_new(scope: Account) -> None:
    for turn in range(3):
        one = decider(Memory(scope))
        found = [one.decide(event()) for _ in range(turn + 1)]
        assert [each.known for each in found] == [True] * turn + [False]
        deliver(scope, found[-1])


@pytest.mark.parametrize(
    ("on_change", "known", "said"),
    [
        ("error", False, ["error: changed since it was delivered on 2026-01-01 00:00 UTC"]),
        ("skip", True, []),
        ("send", False, []),
    ],
)
def test_changed_since_it_was_delivered(
    scope: Account, on_change: OnChange, known: bool, said: list[str]
) -> None:
    deliver(scope, decider(Memory(scope)).decide(event(1, event_id="a")))
    found = decider(Memory(scope), on_change=on_change).decide(event(2, event_id="a"))
    assert found.known == known
    assert messages(found) == said
    assert found.goes_out == (on_change == "send")
    same = decider(Memory(scope), on_change=on_change).decide(event(1, event_id="a"))
    assert same.known


def test_what_another_key_has_delivered_stops_the_run(ledger: Ledger, scope: Account) -> None:
    deliver(scope, decider(Memory(scope)).decide(event()))
    other = Account(ledger, API, OTHER, None)
    found = decider(Memory(other)).decide(event(line=17))
    assert found.stop is not None
    assert (found.stop.exit_code, found.stop.reason) == (78, "delivered_under_another_key")
    assert "x.csv:17" in found.stop.message
    assert found.job is not None
    assert decider(Memory(other)).decide(event(2)).stop is None
    other.adopt()
    assert decider(Memory(other)).decide(event()).known
    named = Account(ledger, API, OTHER, "acme")
    free = decider(Memory(named)).decide(event())
    assert (free.known, free.stop) == (False, None)


def test_resend_looks_nowhere_but_records_in_both(ledger: Ledger, scope: Account) -> None:
    own = Account(ledger, API, None, "this run")
    memory = Memory(own, scope)
    deliver(scope, decider(Memory(scope)).decide(event()))
    assert not decider(memory).decide(event()).known
    memory.record([Acknowledged("z", content_digest(event(9), b""), NOW)])
    assert own.find("z")
    assert scope.find("z")


# Shards


@pytest.mark.parametrize("of", [1, 2, 7])
def test_each_event_falls_to_one_share_wherever_it_stands(of: int) -> None:
    events = [event(n, line=n + 2) for n in range(1, 200)]
    shares: list[set[object]] = []
    for index in range(of):
        one = decider(shard=Shard(index, of))
        shares.append(set(ids([one.decide(each) for each in events])) - {None})
        turned = decider(shard=Shard(index, of))
        assert set(ids([turned.decide(each) for each in reversed(events)])) - {None} == shares[-1]
    assert sum(map(len, shares)) == len(set.union(*shares)) == 199
    assert all(len(share) > 199 / of / 2 for share in shares)


def test_what_falls_to_another_share_is_no_issue_of_this_one(scope: Account) -> None:
    deliver(scope, decider(Memory(scope)).decide(event(1, event_id="a")))
    found = [
        decider(Memory(scope), shard=Shard(index, 2)).decide(event(2, event_id="a"))
        for index in range(2)
    ]
    assert sorted(len(each.issues) for each in found) == [0, 1]


# What may go wrong


def test_a_full_temporary_folder_is_a_clear_error() -> None:
    one = decider()
    one._seen.close()
    one._seen = sqlite3.connect(":memory:", isolation_level=None)
    one._seen.execute("PRAGMA max_page_count = 1")
    with pytest.raises(ReoError) as caught:
        one.decide(event())
    assert (caught.value.exit_code, caught.value.reason) == (74, "scratch_failed")
    assert "SQLITE_TMPDIR" in caught.value.hint

from collections.abc import Iterator
from pathlib import Path

import pytest

from reo_cli.delivery.ledger import Account, Acknowledged, Known, Ledger
from reo_cli.delivery.ledger.admin import describe, merged, pruned, tidy
from reo_cli.delivery.ledger.ledger import DAY
from reo_cli.errors import ReoError

API = "https://api.test/events"
KEY = "canary-key-1"
NOW = 1_900_000_000 // DAY * DAY


def opened(path: Path, day: float = 0) -> Ledger:
    return Ledger.open(path, lambda: NOW + day * DAY)


def fill(
    ledger: Ledger,
    *ids: object,
    day: float = 0,
    key: str = KEY,
    account: str | None = None,
    content: bytes = b"c" * 16,
) -> None:
    """Put entries of a day in, also those of earlier days than the newest."""
    ledger._newest = 0
    at = NOW + day * DAY
    who = Account(ledger, API, key, account)
    who.record([Acknowledged(str(each), content, at, number) for number, each in enumerate(ids)])


def held(path: Path, *ids: object, key: str = KEY, account: str | None = None) -> list[object]:
    with opened(path) as ledger:
        who = Account(ledger, API, key, account)
        return [each for each in ids if who.find(str(each))]


def sizes(ledger: Ledger) -> list[int]:
    """The number of events, and of subjects."""
    with ledger.reading() as connection:
        tables = [connection.execute(f"SELECT * FROM {name}") for name in ("event", "subject")]
        return [len(each.fetchall()) for each in tables]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    with opened(path) as ledger:
        yield ledger


# Forgetting


def prune(path: Path, keep_days: int, day: float = 0) -> int | None:
    return pruned(path, keep_days, lambda: NOW + day * DAY).removed


def test_prune_removes_what_is_old_and_nothing_else(path: Path) -> None:
    with opened(path) as ledger:
        fill(ledger, *range(9), day=-11)
        fill(ledger, *range(9), day=-11, account="acme")
        fill(ledger, *range(100, 109), day=-9)
    assert [prune(path, days) for days in (10**15, 10, 10)] == [0, 18, 0]
    with opened(path) as ledger:
        assert sizes(ledger) == [9, 9]
    assert held(path, 1, 100, 108) == [100, 108]
    assert prune(path, 0) == 9


def test_a_clock_that_has_jumped_prunes_nothing(path: Path) -> None:
    with opened(path) as ledger:
        fill(ledger, "a", day=-399)
        fill(ledger, "b")
    with pytest.raises(ReoError, match="405 days ahead") as caught:
        prune(path, 400, day=405)
    assert (caught.value.exit_code, caught.value.reason) == (78, "clock_jumped")
    assert held(path, "a", "b") == ["a", "b"]
    assert prune(path, 400, day=2) == 1


def test_a_ledger_is_tidied_once_a_day(path: Path) -> None:
    with opened(path) as ledger:
        fill(ledger, "a", day=-402)
        fill(ledger, "b", day=-1)
    with opened(path) as ledger:
        assert tidy(ledger, 400, NOW) == ""
        assert sizes(ledger) == [1, 1]
        fill(ledger, "a", day=-402)
        for seconds, left in ((DAY - 1, 2), (DAY, 1)):
            assert tidy(ledger, 400, NOW + seconds) == ""
            assert ledger.events() == left


def test_after_a_jump_of_the_clock_nothing_is_forgotten_for_a_month(path: Path) -> None:
    """Also not by the next runs, whose entries are as new as the clock says (C1)."""
    with opened(path) as ledger:
        fill(ledger, "a", day=-10)
    said = []
    for day in (405, 406, 430):
        with opened(path, day) as ledger:
            fill(ledger, str(day), day=day)
            said.append(tidy(ledger, 400, NOW + day * DAY))
            assert Account(ledger, API, KEY, None).find("a")
    assert "415 days ahead" in said[0]
    assert said[1:] == ["", ""], "one warning"
    with opened(path, 437) as ledger:
        tidy(ledger, 400, NOW + 437 * DAY)
        assert ledger.events() == 3, "a clock that goes on like this for a month is right"


def test_a_clock_that_was_ahead_and_is_right_again_forgets_nothing(path: Path) -> None:
    for day in (0, 405, 1):
        with opened(path, day) as ledger:
            Account(ledger, API, KEY, None).record([Acknowledged(str(day), b"", NOW + day * DAY)])
            tidy(ledger, 400, NOW + day * DAY)
    assert held(path, 0, 405, 1) == [0, 405, 1]


# Merging


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Another machine's ledger, with a salt of its own."""
    path = tmp_path / "other.db"
    with opened(path) as other:
        fill(other, "a", "b", day=-2)
        fill(other, "c", day=-2, account="acme")
    return path


def merge(
    path: Path, other: Path, key: str | None = KEY, account: str | None = None
) -> tuple[int | None, int | None]:
    done = merged(path, other, lambda: NOW, key, account)
    return done.read, done.taken


def test_a_merged_ledger_is_known_by_its_keys_and_names(path: Path, other: Path) -> None:
    with opened(path) as ledger:
        fill(ledger, "z")
    before = other.read_bytes()
    assert [merge(path, other) for _ in range(2)] == [(3, 3), (3, 0)]
    assert other.read_bytes() == before
    assert held(path, "a", "b", "c", "z") == ["a", "b", "z"]
    assert held(path, "a", "c", account="acme") == ["c"]
    assert held(path, "a", key="other-key-1") == []
    with opened(path) as ledger:
        assert sizes(ledger) == [4, 4]


@pytest.mark.parametrize("key", [None, "other-key-1"])
def test_what_another_key_delivered_needs_a_name(path: Path, other: Path, key: str | None) -> None:
    with pytest.raises(ReoError, match="another key") as caught:
        merge(path, other, key)
    assert caught.value.exit_code == 2
    assert "--account" in caught.value.hint
    assert held(path, "a", "b") == held(path, "c", account="acme") == [], "all or nothing"
    assert merge(path, other, key, "acme") == (3, 3)
    assert held(path, "a", "b", "c", account="acme") == ["a", "b", "c"]


@pytest.mark.parametrize(("event", "account"), [("a", None), ("c", "acme")])
@pytest.mark.parametrize(("day", "kept"), [(-3, b"c" * 8), (-1, b"d" * 8)])
def test_of_two_entries_the_later_one_stays(
    path: Path, other: Path, day: int, kept: bytes, event: str, account: str | None
) -> None:
    with opened(path) as ledger:
        fill(ledger, event, day=day, content=b"d" * 16, account=account)
    merge(path, other)
    with opened(path) as ledger:
        assert ledger.newest_before == NOW + max(day, -2) * DAY
        known = Account(ledger, API, KEY, account).find(event)
    assert known == Known(kept, NOW + max(day, -2) * DAY)


# Describing


def test_what_a_ledger_holds_is_described_by_account(path: Path) -> None:
    opened(path).close()
    empty = describe(path)
    assert (empty.events, empty.oldest, empty.newest, empty.holdings) == (0, None, None, [])
    with opened(path) as ledger:
        fill(ledger, "a", "b", day=-5)
        fill(ledger, "c", account="acme", day=-4)
        fill(ledger, "a", key="new-key-1", day=-3)
    info = describe(path)
    rows = [(each.account, each.events, each.newest) for each in info.holdings]
    assert rows == [(None, 2, NOW - 5 * DAY), ("acme", 1, NOW - 4 * DAY), (None, 1, NOW - 3 * DAY)]
    assert info.holdings[0].key != info.holdings[2].key
    assert (info.events, info.oldest, info.newest) == (4, NOW - 5 * DAY, NOW - 3 * DAY)
    assert info.size >= path.stat().st_size
    assert (info.created, info.schema_version) == (NOW, 2)

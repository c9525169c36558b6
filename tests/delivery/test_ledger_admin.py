from collections.abc import Iterator
from pathlib import Path

import pytest

from reo_cli.delivery.ledger import Acknowledged, Known, Ledger, admin
from reo_cli.delivery.ledger.admin import DAY, merge, prune, tidy
from reo_cli.delivery.ledger.info import describe
from reo_cli.errors import ReoError

API = "https://api.test/events"
KEY = "canary-key-1"
NOW = 1_800_000_000 // DAY * DAY


def opened(path: Path, day: float = 0) -> Ledger:
    return Ledger.open(path, clock=lambda: NOW + day * DAY)


def fill(
    ledger: Ledger,
    *ids: object,
    day: float = 0,
    key: str = KEY,
    account: str | None = None,
    content: bytes = b"c" * 16,
) -> None:
    at = NOW + day * DAY
    scope = ledger.scope(API, key, account)
    scope.record([Acknowledged(str(each), content, at) for each in ids])


def held(ledger: Ledger, *ids: object, key: str = KEY, account: str | None = None) -> list[object]:
    scope = ledger.scope(API, key, account)
    return [each for each in ids if scope.find(str(each))]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with opened(tmp_path / "ledger.db") as ledger:
        yield ledger


@pytest.fixture
def slices_of_3(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "SLICE", 3)


# Forgetting


@pytest.mark.parametrize("number", [1, 2, 3, 4, 9, 10])
def test_prune_removes_what_is_old_and_nothing_else(
    ledger: Ledger, slices_of_3: None, number: int
) -> None:
    fill(ledger, *range(number), day=-11)
    fill(ledger, *range(100, 100 + number), day=-9)
    fill(ledger, *range(number), day=-11, account="acme")
    assert prune(ledger, 10, NOW) == 2 * number
    assert prune(ledger, 10, NOW) == 0
    assert held(ledger, *range(100, 100 + number)) == list(range(100, 100 + number))
    assert ledger.events() == number


def test_keeping_longer_than_there_is_time_removes_nothing(ledger: Ledger) -> None:
    fill(ledger, "a", day=-19_000)
    assert prune(ledger, 10**15, NOW) == 0
    assert prune(ledger, 0, NOW) == 1


def test_nothing_is_tidied_while_nothing_can_be_old(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(ledger, "a", day=-50)
    monkeypatch.delattr(admin, "_prune_slice")
    for day in range(1, 11):
        assert tidy(ledger, 10, NOW + day * DAY) == 0
    monkeypatch.undo()
    assert tidy(ledger, 10, NOW + 11 * DAY) == 1


def test_a_ledger_is_tidied_once_a_day(ledger: Ledger) -> None:
    day = NOW + 500 * DAY
    fill(ledger, "a")
    assert tidy(ledger, 400, day) == 1
    fill(ledger, "b")
    assert tidy(ledger, 400, day + DAY - 1) == 0
    assert tidy(ledger, 400, day + DAY) == 1


def test_tidying_goes_on_the_next_day_where_it_stopped(
    ledger: Ledger, slices_of_3: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin, "TIDY_SLICES", 2)
    fill(ledger, *range(20))
    gone = [tidy(ledger, 400, NOW + (500 + day) * DAY) for day in range(5)]
    assert gone == [6, 6, 6, 2, 0]


def test_a_longer_time_to_keep_counts_at_once(
    ledger: Ledger, slices_of_3: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin, "TIDY_SLICES", 1)
    fill(ledger, *range(9))
    assert tidy(ledger, 400, NOW + 500 * DAY) == 3
    assert tidy(ledger, 800, NOW + 501 * DAY) == 0
    assert ledger.events() == 6


def test_old_entries_that_were_merged_are_tidied_too(ledger: Ledger, tmp_path: Path) -> None:
    assert tidy(ledger, 10, NOW + 5 * DAY) == 0
    with opened(tmp_path / "other.db", day=-500) as other:
        fill(other, "old", day=-500)
    with Ledger.view(tmp_path / "other.db") as source:
        merge(ledger, source)
    assert tidy(ledger, 400, NOW + 6 * DAY) == 1


# Merging


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Ledger]:
    """Another machine's ledger, with a salt of its own."""
    path = tmp_path / "other.db"
    with opened(path) as other:
        fill(other, "a", "b", day=-2)
        fill(other, "c", day=-2, account="acme")
    with Ledger.view(path) as source:
        yield source


def test_a_merged_ledger_is_known_by_its_keys_and_names(ledger: Ledger, source: Ledger) -> None:
    fill(ledger, "z")
    merge(ledger, source)
    assert held(ledger, "a", "b", "c", "z") == ["a", "b", "z"]
    assert held(ledger, "a", "c", account="acme") == ["c"]
    assert held(ledger, "a", key="other-key-1") == []
    fill(ledger, "y")
    assert held(ledger, "a", "y", "z") == ["a", "y", "z"]


def test_what_was_merged_under_another_key_is_seen(ledger: Ledger, source: Ledger) -> None:
    merge(ledger, source)
    scope = ledger.scope(API, "other-key-1", None)
    assert scope.find("a") is None
    assert scope.find_elsewhere("a")
    scope.adopt()
    assert scope.find("a")


def test_keys_that_are_one_account_stay_so(ledger: Ledger, tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with opened(path) as other:
        fill(other, "a", key="key-1-old")
        other.scope(API, "key-2-new", None).adopt()
        fill(other, "b", key="key-3-other")
    with Ledger.view(path) as source:
        merge(ledger, source)
    assert held(ledger, "a", "b", key="key-2-new") == ["a"]
    assert held(ledger, "a", "b", key="key-3-other") == ["b"]


def test_merging_twice_takes_nothing_more(
    ledger: Ledger, source: Ledger, slices_of_3: None
) -> None:
    first = merge(ledger, source)
    again = merge(ledger, source)
    assert (first.read, first.taken) == (3, 3)
    assert (again.read, again.taken) == (3, 0)
    assert ledger.events() == 3


@pytest.mark.parametrize(("event", "account"), [("a", None), ("c", "acme")])
@pytest.mark.parametrize(("day", "kept"), [(-3, b"c" * 16), (-1, b"d" * 16)])
def test_of_two_entries_the_later_one_stays(
    ledger: Ledger, source: Ledger, day: int, kept: bytes, event: str, account: str | None
) -> None:
    fill(ledger, event, day=day, content=b"d" * 16, account=account)
    merge(ledger, source)
    later = max(day, -2)
    assert ledger.scope(API, KEY, account).find(event) == Known(kept, NOW + later * DAY)


def test_a_merge_that_was_killed_is_completed(
    ledger: Ledger, tmp_path: Path, slices_of_3: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "other.db"
    with opened(path) as other:
        fill(other, *range(10))
    slices = admin._slices

    def cut(entries: object) -> Iterator[object]:
        for number, rows in enumerate(slices(entries)):  # type: ignore[arg-type]
            if number == 2:
                raise KeyboardInterrupt
            yield rows

    with Ledger.view(path) as source:
        monkeypatch.setattr(admin, "_slices", cut)
        with pytest.raises(KeyboardInterrupt):
            merge(ledger, source)
        assert ledger.events() == 6
        monkeypatch.undo()
        assert merge(ledger, source).taken == 4
    assert ledger.events() == 10


# Describing


def test_what_a_ledger_holds_is_described_by_account(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with opened(path) as ledger:
        fill(ledger, "a", "b", day=-5)
        fill(ledger, "a", day=-3)
        fill(ledger, "c", account="acme", day=-4)
        ledger.scope(API, "new-key-1", None).adopt()
    info = describe(path)
    rows = [(each.account, each.events, each.family) for each in info.scopes]
    assert rows == [(None, 2, info.scopes[0].family), ("acme", 1, 2), (None, 0, 3)]
    assert info.scopes[0].family == info.scopes[2].family
    assert info.scopes[0].key != info.scopes[2].key
    assert (info.events, info.oldest, info.newest) == (3, NOW - 5 * DAY, NOW - 3 * DAY)
    assert info.size >= path.stat().st_size
    assert (info.created, info.schema_version) == (NOW, 1)


def test_an_empty_ledger_is_described_too(tmp_path: Path) -> None:
    opened(tmp_path / "ledger.db").close()
    info = describe(tmp_path / "ledger.db")
    assert (info.events, info.oldest, info.newest, info.scopes) == (0, None, None, [])


def test_describing_what_is_not_there_is_66(tmp_path: Path) -> None:
    with pytest.raises(ReoError) as caught:
        describe(tmp_path / "ledger.db")
    assert caught.value.exit_code == 66

"""The ledger: what it remembers and of whom, what it forgets, and what is no ledger."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from reo_cli.delivery import folders
from reo_cli.delivery.identity import id_key
from reo_cli.delivery.ledger import Account, Acknowledged, Known, Ledger
from reo_cli.delivery.ledger.accounts import fingerprint
from reo_cli.delivery.ledger.admin import describe, merged, pruned, tidy
from reo_cli.delivery.ledger.ledger import APPLICATION_ID, DAY, FIRST_TIME, SCHEMA_VERSION
from reo_cli.errors import ReoError

API = "https://api.test/events"
KEY = "canary-key-1"
ONE, TWO = b"1" * 16, b"2" * 16
NOW = 1_900_000_000 // DAY * DAY


def opened(path: Path, day: float = 0) -> Ledger:
    return Ledger.open(path, lambda: NOW + day * DAY)


def account(
    ledger: Ledger, key: str | None = KEY, name: str | None = None, endpoint: str = API
) -> Account:
    return Account(ledger, endpoint, key, name)


def record(who: Account, *ids: str | int, at: float = NOW, content: bytes = ONE) -> None:
    who.record([Acknowledged(each, content, at, n) for n, each in enumerate(ids)])


def holds(who: Account, ids: str = "abcd") -> str:
    return "".join(each for each in ids if who.find(each))


def held(path: Path, key: str = KEY, name: str | None = None) -> str:
    with opened(path) as ledger:
        return holds(account(ledger, key, name))


def sizes(ledger: Ledger) -> list[int]:
    """The number of events, and of subjects."""
    with ledger.reading() as connection:
        tables = [connection.execute(f"SELECT * FROM {name}") for name in ("event", "subject")]
        return [len(each.fetchall()) for each in tables]


def refusal(path: Path, opening: Callable[[Path], Ledger] = opened) -> tuple[int, str]:
    """The exit code and the slug of the error, which names the file and a way out."""
    with pytest.raises(ReoError) as caught:
        opening(path).close()
    assert str(path) in caught.value.message
    assert caught.value.hint
    return int(caught.value.exit_code), caught.value.reason


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "reo" / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    with opened(path) as ledger:
        yield ledger


@pytest.fixture
def mount_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the kernel's table of mounts is; there is none yet."""
    table = tmp_path / "mountinfo"
    monkeypatch.setattr(folders, "MOUNTS", table)
    return table


# What is recorded


def test_what_was_recorded_is_found_in_the_same_and_in_the_next_run(path: Path) -> None:
    """Ids are compared as text; a later entry takes the place of an earlier one."""
    assert refusal(path, Ledger.existing) == (66, "no_ledger")
    assert not path.parent.exists()
    with opened(path) as ledger:
        assert ledger.created
        who = account(ledger)
        record(who, "a", 17, "b", at=NOW + 0.9)
        record(who, "b", at=NOW + 1, content=TWO)
        assert who.find("a") == Known(ONE[:8], NOW)
    before = path.read_bytes()
    with Ledger.existing(path) as ledger:
        who = account(ledger)
        assert (ledger.created, ledger.events()) == (False, 3)
        assert who.find("b") == Known(TWO[:8], NOW + 1)
        known = who.find("17")
        assert known is not None
        assert (known.is_same(ONE), known.is_same(TWO)) == (True, False)
        assert who.find("017") is None
    assert path.read_bytes() == before, "looking up changes nothing"


def test_lone_surrogates_are_text_like_any_other(ledger: Ledger) -> None:
    for who in (account(ledger, "key-\udc80"), account(ledger, None, "acc\ud800unt")):
        record(who, "id-\ud800")
        assert who.find("id-\ud800")
        assert who.find("id-\udfff") is None


def test_a_group_is_recorded_whole_or_not_at_all(ledger: Ledger) -> None:
    def group() -> Iterator[Acknowledged]:
        yield Acknowledged("a", ONE, 1)
        raise KeyboardInterrupt

    who = account(ledger)
    with pytest.raises(KeyboardInterrupt):
        who.record(group())
    record(who, "b")
    assert holds(account(ledger)) == "b"


def test_an_entry_is_no_older_than_the_newest_and_than_2026(path: Path) -> None:
    before = 0
    for day, stamp in ((-20_000, FIRST_TIME), (0, NOW), (-20_000, NOW), (405, NOW + 405 * DAY)):
        with opened(path, day) as ledger:
            assert ledger.newest_before == before
            record(account(ledger), "a", at=NOW + day * DAY)
            assert account(ledger).find("a") == Known(ONE[:8], stamp)
        before = stamp


# Whose events they are


@pytest.mark.parametrize(
    ("key", "name", "endpoint", "finds", "elsewhere"),
    [
        (KEY, None, API, "a", ""),
        ("another-key", None, API, "", "a"),
        (None, None, API, "a", ""),
        (KEY, "acme", API, "b", ""),
        ("another-key", "acme", API, "b", ""),
        (KEY, "beta", API, "", ""),
        (KEY, None, "https://other.test/", "", ""),
    ],
)
def test_endpoints_accounts_and_keys_are_kept_apart(
    ledger: Ledger, key: str | None, name: str | None, endpoint: str, finds: str, elsewhere: str
) -> None:
    """Without a key, in a dry run, all that has no name is looked up."""
    record(account(ledger), "a")
    record(account(ledger, name="acme"), "b")
    who = account(ledger, key, name, endpoint)
    assert holds(who) == finds
    assert "".join(each for each in "abcd" if who.find_elsewhere(each)) == elsewhere
    assert who.is_only_elsewhere() == bool(elsewhere)
    record(who, "d")
    assert not account(ledger, key, name, endpoint).is_only_elsewhere()


@pytest.mark.parametrize("name", [None, "acme"])
def test_a_rotated_key_takes_over_what_the_old_one_delivered(
    ledger: Ledger, name: str | None
) -> None:
    """Of two entries the newer one counts; a run with the old key is told, the next time."""
    old, new = account(ledger), account(ledger, "new-key-1", name)
    record(new, "b", at=NOW + 1, content=TWO)
    record(old, "a", "b", "c", at=NOW + 2)
    record(new, "c", at=NOW + 3, content=TWO)
    new.adopt()
    known = [Known(ONE[:8], NOW + 2), Known(ONE[:8], NOW + 2), Known(TWO[:8], NOW + 3)]
    assert [new.find(each) for each in "abc"] == known
    record(old, "d")
    old = account(ledger)
    assert holds(account(ledger, "new-key-1", name)) == "abc"
    assert (holds(old), ledger.events()) == ("d", 4), "the others have moved"
    assert bool(old.find_elsewhere("a")) == (name is None)
    third = account(ledger, "third-key", name)
    third.adopt()
    assert holds(third) == "abcd"


# The file


def test_an_empty_file_becomes_a_ledger(tmp_path: Path) -> None:
    path = tmp_path / "made by mktemp ?#%41"
    path.touch()
    assert refusal(path, Ledger.existing) == (66, "no_ledger")
    with opened(path) as ledger:
        assert ledger.created
        record(account(ledger), "a")
    header = path.read_bytes()[:100]
    assert int.from_bytes(header[68:72]) == APPLICATION_ID
    assert int.from_bytes(header[60:64]) == SCHEMA_VERSION
    assert header[18:20] == b"\2\2", "WAL"


SCHEMA_1 = f"""
PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1; PRAGMA journal_mode = WAL;
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE scope (id INTEGER PRIMARY KEY, endpoint TEXT NOT NULL, account TEXT NOT NULL,
    salt BLOB NOT NULL, fingerprint BLOB NOT NULL, family INTEGER NOT NULL,
    UNIQUE (endpoint, account, salt, fingerprint));
CREATE TABLE event (scope INTEGER NOT NULL, id BLOB NOT NULL, content BLOB NOT NULL,
    at INTEGER NOT NULL, PRIMARY KEY (scope, id)) WITHOUT ROWID;
"""


def of_schema_1(path: Path) -> None:
    """A ledger as reo 0.1 made it: one account with two keys, one with a name, one wrong clock."""
    path.parent.mkdir(parents=True)
    salt = b"s" * 32
    with closing(sqlite3.connect(path)) as old, old:
        old.executescript(SCHEMA_1)
        facts = {"created": 5, "opened": NOW, "pruned": NOW, "since": 5, "salt": salt, "cursor": ""}
        old.executemany("INSERT INTO meta VALUES (?, ?)", facts.items())
        keys = [fingerprint(salt, "key-one-1"), fingerprint(salt, "key-two-2")]
        scopes = [(at, API, "", salt, key, 2) for at, key in enumerate(keys, 1)]
        scopes.append((3, API, "acme", b"", b"", 3))
        old.executemany("INSERT INTO scope VALUES (?, ?, ?, ?, ?, ?)", scopes)
        events = [(1, "a", b"1", NOW), (1, "b", b"2", NOW + 100), (2, "a", b"3", NOW + 500)]
        events += [(2, "c", b"4", 100), (3, "d", b"5", NOW + 200)]
        rows = [(scope, id_key(each), content * 16, at) for scope, each, content, at in events]
        old.executemany("INSERT INTO event VALUES (?, ?, ?, ?)", rows)


def look_into(path: Path) -> Ledger:
    return Ledger.existing(path, lambda: NOW)


@pytest.mark.parametrize("opening", [opened, look_into])
def test_a_ledger_of_the_first_schema_goes_on_being_used(
    path: Path, opening: Callable[[Path], Ledger]
) -> None:
    """It is brought up once, whoever else opens it at that moment."""

    def made_and_held(_: int) -> tuple[bool, int]:
        with opening(path) as ledger:
            return ledger.created, ledger.events()

    of_schema_1(path)
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(made_and_held, range(6))) == [(False, 4)] * 6
    with opened(path) as ledger:
        who = account(ledger, "key-two-2")
        assert who.find("a") == Known(b"3" * 16, NOW + 500), "of two, the later one"
        assert who.find("b") == Known(b"2" * 16, NOW + 100)
        assert who.find("c") == Known(b"4" * 16, NOW), "an unknown time is now"
        assert account(ledger, None, "acme").find("d") == Known(b"5" * 16, NOW + 200)
        assert account(ledger, "key-one-1").find_elsewhere("b")
        assert (ledger.newest_before, ledger.fact("created")) == (NOW + 500, 5)
        record(account(ledger, "key-two-2"), "a", "e")
        assert account(ledger, "key-two-2").find("a") == Known(ONE[:8], NOW + 500)


def overwritten(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def executed(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as other, other:
        other.execute(statement)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path: path.write_bytes(b"SQLite format 3\0" + bytes(20)), "not_a_ledger"),
        (lambda path: path.write_bytes(b"activity_type,count\n" * 100), "not_a_ledger"),
        (lambda path: executed(path, "PRAGMA application_id = 7"), "not_a_ledger"),
        (lambda path: executed(path, "PRAGMA application_id = 0"), "not_a_ledger"),
        (
            lambda path: executed(path, f"PRAGMA user_version = {SCHEMA_VERSION + 1}"),
            "ledger_newer",
        ),
        (lambda path: os.truncate(path, 5000), "ledger_damaged"),
        (lambda path: overwritten(path, 100, b"\xaa" * 8000), "ledger_damaged"),
    ],
    ids="header garbage foreign nobody's newer truncated overwritten".split(),
)
@pytest.mark.parametrize("opening", [opened, look_into])
def test_what_is_no_usable_ledger_is_refused_and_left_alone(
    path: Path, spoil: Callable[[Path], object], reason: str, opening: Callable[[Path], Ledger]
) -> None:
    opened(path).close()
    spoil(path)
    before = path.read_bytes()
    assert refusal(path, opening) == (73, reason)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "name", ["folder", "pipe", "/dev/null", "/proc/reo/ledger.db", "x/\0/y", "file/ledger.db"]
)
def test_a_place_that_cannot_hold_a_ledger_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path / name) == (73, "ledger_not_opened")
    if name in ("folder", "pipe"):
        assert refusal(tmp_path / name, look_into) == (73, "ledger_not_opened")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_ledger_is_refused(path: Path) -> None:
    opened(path).close()
    path.chmod(0o400)
    assert refusal(path)[0] == 73


def test_damage_found_on_the_way_is_a_clear_error(path: Path) -> None:
    with opened(path) as ledger:
        record(account(ledger), *range(5000))
    overwritten(path, 8 * 4096, b"\xff" * (path.stat().st_size - 8 * 4096))
    with opened(path) as ledger:
        who = account(ledger)
        with pytest.raises(ReoError) as caught:
            any(who.find(number) is None for number in range(5000))
    assert (caught.value.exit_code, caught.value.reason) == (73, "ledger_damaged")


def test_waiting_for_others_has_an_end(path: Path, ledger: Ledger) -> None:
    who = account(ledger)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with ledger.reading() as connection:
        assert connection.execute("PRAGMA busy_timeout").fetchone()[0] == 30_000
        connection.execute("PRAGMA busy_timeout = 20")
    with pytest.raises(ReoError) as caught:
        record(who, "b")
    assert (caught.value.exit_code, caught.value.reason) == (75, "ledger_busy")
    other.close()
    record(who, "b")


SHARED = "virtiofs vboxsf vmhgfs prl_fs drvfs fakeowner smb3 fuse.vmhgfs-fuse fuse.grpcfuse".split()


@pytest.mark.parametrize(
    ("mounts", "path", "kind"),
    [
        (["/home nfs4"], "/home/me/.local/state/reo/ledger.db", "nfs4"),
        (["/home nfs4"], "/homes/ledger.db", None),
        (["/home nfs4", r"/home/local\040disk xfs"], "/home/local disk/ledger.db", None),
        (["/data autofs", "/data fuse.sshfs"], "/data/ledger.db", "fuse.sshfs"),
        (["/box fuse.fuse-overlayfs"], "/box/ledger.db", None),
        (["/share cifs"], "/share/x/../ledger.db", "cifs"),
        (["/mnt/c 9p"], "/mnt/c/ledger.db", "9p"),
        (["/ntfs fuseblk"], "/ntfs/ledger.db", None),
        *(([f"/shared {kind}"], "/shared/ledger.db", kind) for kind in SHARED),
    ],
)
def test_shared_file_systems_are_told_from_local_ones(
    mounts: list[str], path: str, kind: str | None, mount_table: Path
) -> None:
    mounted = ["/proc proc", "/ ext4", *mounts]
    pairs = [each.split() for each in mounted]
    table = [f"27 1 0:1 / {point} rw,relatime shared:1 - {fs} x rw\n" for point, fs in pairs]
    mount_table.write_text("".join(table))
    assert folders.shared_file_system(Path(path)) == kind


def test_a_ledger_on_a_shared_file_system_is_refused(tmp_path: Path, mount_table: Path) -> None:
    """Without a table of mounts all is local."""
    opened(tmp_path / "ledger.db").close()
    mount_table.write_text(f"27 1 0:1 / {tmp_path.resolve()} rw - virtiofs share rw\n")
    for place in (tmp_path / "ledger.db", tmp_path / "new" / "ledger.db"):
        assert refusal(place) == (73, "ledger_on_network")
    assert not (tmp_path / "new").exists()


# Forgetting


def prune(path: Path, keep_days: int, day: float = 0) -> int | None:
    return pruned(path, keep_days, lambda: NOW + day * DAY).removed


def test_prune_removes_what_is_old_and_nothing_else(path: Path) -> None:
    with opened(path) as ledger:
        record(account(ledger), "a", "b", at=NOW - 11 * DAY)
        record(account(ledger, name="acme"), "a", at=NOW - 11 * DAY)
        record(account(ledger), "c", "d", at=NOW - 9 * DAY)
    assert [prune(path, days) for days in (10**15, 10, 10)] == [0, 3, 0]
    with opened(path) as ledger:
        assert sizes(ledger) == [2, 2]
    info = describe(path)
    assert (info.events, info.oldest, info.newest) == (2, NOW - 9 * DAY, NOW - 9 * DAY)
    assert held(path) == "cd"
    assert prune(path, 0) == 2
    info = describe(path)
    assert (info.events, info.oldest, info.newest, info.holdings) == (0, None, None, [])


def test_a_clock_that_has_jumped_prunes_nothing(path: Path) -> None:
    with opened(path) as ledger:
        record(account(ledger), "a", at=NOW - 399 * DAY)
        record(account(ledger), "b")
    with pytest.raises(ReoError, match="405 days ahead") as caught:
        prune(path, 400, day=405)
    assert (caught.value.exit_code, caught.value.reason) == (78, "clock_jumped")
    assert held(path) == "ab"
    assert prune(path, 400, day=2) == 1


def test_a_ledger_is_tidied_once_a_day(path: Path) -> None:
    with opened(path) as ledger:
        for each, day in (("a", -402), ("b", -400), ("c", -1)):
            record(account(ledger), each, at=NOW + day * DAY)
    with opened(path) as ledger:
        for seconds, left in ((0, 2), (DAY - 1, 2), (DAY, 1)):
            assert tidy(ledger, 400, NOW + seconds) == ""
            assert sizes(ledger)[0] == left


def test_after_a_jump_of_the_clock_nothing_is_forgotten_for_a_month(path: Path) -> None:
    """Also not by the next runs, whose entries are as new as the clock says (C1)."""
    with opened(path) as ledger:
        record(account(ledger), "a", at=NOW - 10 * DAY)
    said = []
    for day in (405, 406, 430):
        with opened(path, day) as ledger:
            record(account(ledger), str(day), at=NOW + day * DAY)
            said.append(tidy(ledger, 400, NOW + day * DAY))
            assert account(ledger).find("a")
    assert "415 days ahead" in said[0]
    assert said[1:] == ["", ""], "one warning"
    with opened(path, 437) as ledger:
        tidy(ledger, 400, NOW + 437 * DAY)
        assert ledger.events() == 3, "a clock that goes on like this for a month is right"


# Another machine's ledger, with a salt of its own


@pytest.fixture
def other(tmp_path: Path) -> Path:
    path = tmp_path / "other.db"
    with opened(path) as other:
        record(account(other), "a", "b", at=NOW - 2 * DAY)
        record(account(other, name="acme"), "c", at=NOW - 2 * DAY)
    return path


def merge(
    path: Path, other: Path, key: str | None = KEY, account: str | None = None
) -> tuple[int | None, int | None]:
    done = merged(path, other, lambda: NOW, key, account)
    return done.read, done.taken


def test_a_merged_ledger_is_known_by_its_keys_and_names(path: Path, other: Path) -> None:
    with opened(path) as ledger:
        record(account(ledger), "d")
    before = other.read_bytes()
    assert [merge(path, other) for _ in range(2)] == [(3, 3), (3, 0)]
    assert other.read_bytes() == before
    assert (held(path), held(path, name="acme"), held(path, "other-key-1")) == ("abd", "c", "")
    with opened(path) as ledger:
        assert sizes(ledger) == [4, 4]


@pytest.mark.parametrize("key", [None, "other-key-1"])
def test_what_another_key_delivered_needs_a_name(path: Path, other: Path, key: str | None) -> None:
    with pytest.raises(ReoError, match="another key") as caught:
        merge(path, other, key)
    assert caught.value.exit_code == 2
    assert "--account" in caught.value.hint
    assert held(path) == held(path, name="acme") == "", "all or nothing"
    assert merge(path, other, key, "acme") == (3, 3)
    assert held(path, name="acme") == "abc"


def test_a_damaged_ledger_is_not_merged(path: Path, other: Path) -> None:
    overwritten(other, other.stat().st_size - 4096, b"\xff" * 4096)
    with pytest.raises(ReoError) as caught:
        merge(path, other)
    assert (caught.value.exit_code, caught.value.reason) == (65, "ledger_damaged")
    assert not path.exists()


@pytest.mark.parametrize(("event", "name"), [("a", None), ("c", "acme")])
@pytest.mark.parametrize(("day", "kept"), [(-3, ONE), (-1, TWO)])
def test_of_two_entries_the_later_one_stays(
    path: Path, other: Path, day: int, kept: bytes, event: str, name: str | None
) -> None:
    newest = NOW + max(day, -2) * DAY
    with opened(path) as ledger:
        record(account(ledger, name=name), event, at=NOW + day * DAY, content=TWO)
    assert merge(path, other) == (3, 2), "a later entry of a known event is none that is new"
    with opened(path) as ledger:
        assert ledger.newest_before == newest
        assert account(ledger, name=name).find(event) == Known(kept[:8], newest)

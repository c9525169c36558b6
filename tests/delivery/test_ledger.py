import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reo_cli.delivery import folders
from reo_cli.delivery.identity import id_key
from reo_cli.delivery.ledger import Account, Acknowledged, Known, Ledger
from reo_cli.delivery.ledger.accounts import fingerprint
from reo_cli.delivery.ledger.ledger import APPLICATION_ID, FIRST_TIME, SCHEMA_VERSION
from reo_cli.errors import ReoError

API = "https://api.test/events"
KEY = "canary-key-1"
CONTENT = b"c" * 16
T = 1_790_000_000


def opened(path: Path, now: float = T) -> Ledger:
    return Ledger.open(path, lambda: now)


def existing(path: Path) -> Ledger:
    return Ledger.existing(path, lambda: T)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "reo" / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    with opened(path) as ledger:
        yield ledger


def account(
    ledger: Ledger, key: str | None = KEY, name: str | None = None, endpoint: str = API
) -> Account:
    return Account(ledger, endpoint, key, name)


def record(who: Account, *ids: str | int, at: float = T, content: bytes = CONTENT) -> None:
    who.record([Acknowledged(event_id, content, at) for event_id in ids])


def refusal(path: Path, opening: Callable[[Path], Ledger] = opened) -> tuple[int, str]:
    """The exit code and the slug of the error, which names the file and a way out."""
    with pytest.raises(ReoError) as caught:
        opening(path).close()
    assert str(path) in caught.value.message
    assert caught.value.hint
    return int(caught.value.exit_code), caught.value.reason


# What is recorded


def test_what_was_recorded_is_found_in_the_same_and_in_the_next_run(path: Path) -> None:
    with opened(path) as ledger:
        assert ledger.created
        record(account(ledger), "a", 17, at=T + 0.9)
        assert account(ledger).find("a") == Known(CONTENT[:8], T)
    before = path.read_bytes()
    with existing(path) as ledger:
        assert not ledger.created
        assert ledger.events() == 2
        known = account(ledger).find("17")
        assert known is not None
        assert (known.is_same(CONTENT), known.is_same(b"d" * 16)) == (True, False)
        assert account(ledger).find("017") is None
    assert path.read_bytes() == before, "looking up changes nothing"


def test_a_later_entry_takes_the_place_of_an_earlier_one(ledger: Ledger) -> None:
    who = account(ledger)
    record(who, "a")
    record(who, "a", at=T + 1, content=b"d" * 16)
    assert who.find("a") == Known(b"d" * 8, T + 1)
    assert ledger.events() == 1


def test_lone_surrogates_are_text_like_any_other(ledger: Ledger) -> None:
    for who in (account(ledger, "key-\udc80"), account(ledger, None, "acc\ud800unt")):
        record(who, "id-\ud800")
        assert who.find("id-\ud800")
        assert who.find("id-\udfff") is None


def test_a_group_is_recorded_whole_or_not_at_all(ledger: Ledger) -> None:
    def group() -> Iterator[Acknowledged]:
        yield Acknowledged("a", CONTENT, 1)
        raise KeyboardInterrupt

    who = account(ledger)
    with pytest.raises(KeyboardInterrupt):
        who.record(group())
    assert who.find("a") is None
    record(who, "b")
    assert account(ledger).find("b")


HALF = """
import os, signal, sys
from pathlib import Path
from reo_cli.delivery.ledger import Account, Acknowledged, Ledger

def group():
    for number in range(20_000):  # more than the cache holds: pages are in the WAL by now
        yield Acknowledged(f"half-{number}", b"c" * 16, 1)
    os.kill(os.getpid(), signal.SIGKILL)

account = Account(Ledger.open(Path(sys.argv[1])), "https://api.test/events", "canary-key-1", None)
account.record([Acknowledged("before", b"c" * 16, 1)])
account.record(group())
"""


def test_kill_9_between_write_and_commit_leaves_nothing_of_the_group(path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", HALF, str(path)])
    assert killed.returncode == -signal.SIGKILL
    with opened(path) as ledger:
        assert account(ledger).find("before")
        assert ledger.events() == 1


@pytest.mark.parametrize(
    ("newest", "now", "stamp"),
    [
        (None, 0, FIRST_TIME),
        (None, T, T),
        (T, 0, T),
        (T, T + 86_400 * 405, T + 86_400 * 405),
    ],
)
def test_an_entry_is_no_older_than_the_newest_and_than_2026(
    path: Path, newest: int | None, now: int, stamp: int
) -> None:
    if newest:
        with opened(path) as ledger:
            record(account(ledger), "first", at=newest)
    with opened(path, now) as ledger:
        assert ledger.newest_before == (newest or 0)
        record(account(ledger), "a", at=now)
        assert account(ledger).find("a") == Known(CONTENT[:8], stamp)


# Whose events they are


@pytest.mark.parametrize(
    ("key", "name", "endpoint", "finds", "elsewhere", "only_elsewhere"),
    [
        (KEY, None, API, "a", "", False),
        ("another-key", None, API, "", "a", True),
        (None, None, API, "a", "", False),
        (KEY, "acme", API, "b", "", False),
        ("another-key", "acme", API, "b", "", False),
        (KEY, "beta", API, "", "", False),
        (KEY, None, "https://other.test/", "", "", False),
    ],
)
def test_endpoints_accounts_and_keys_are_kept_apart(
    ledger: Ledger,
    key: str | None,
    name: str | None,
    endpoint: str,
    finds: str,
    elsewhere: str,
    only_elsewhere: bool,
) -> None:
    """Without a key, in a dry run, all that has no name is looked up."""
    record(account(ledger), "a")
    record(account(ledger, KEY, "acme"), "b")
    who = account(ledger, key, name, endpoint)
    assert [each for each in "abc" if who.find(each)] == list(finds)
    assert [each for each in "abc" if who.find_elsewhere(each)] == list(elsewhere)
    assert who.is_only_elsewhere() == only_elsewhere
    record(who, "d")
    assert not account(ledger, key, name, endpoint).is_only_elsewhere()


@pytest.mark.parametrize("name", [None, "acme"])
def test_a_rotated_key_takes_over_what_the_old_one_delivered(path: Path, name: str | None) -> None:
    """Of two entries the newer one counts; a run with the old key is told, the next time."""
    with opened(path) as ledger:
        old, new = account(ledger), account(ledger, "new-key-1", name)
        record(new, "b", at=T + 1, content=b"2" * 16)
        record(old, "a", "b", "c", at=T + 2, content=b"1" * 16)
        record(new, "c", at=T + 3, content=b"2" * 16)
        assert account(ledger, "new-key-1", name).with_others().find("a")
        assert new.find("a") is None
        new.adopt()
        known = [Known(b"1" * 8, T + 2), Known(b"1" * 8, T + 2), Known(b"2" * 8, T + 3)]
        assert [new.find(each) for each in "abc"] == known
        assert new.find_elsewhere("a") is None
        record(old, "d")
    with opened(path) as ledger:
        assert ledger.events() == 4
        again, old = account(ledger, "new-key-1", name), account(ledger)
        assert [each for each in "abcd" if again.find(each)] == list("abc")
        assert [each for each in "abcd" if old.find(each)] == ["d"], "the others have moved"
        assert bool(old.find_elsewhere("a")) == (name is None)
        assert bool(again.find_elsewhere("d")) == (name is None)
        third = account(ledger, "third-key", name)
        third.adopt()
        assert third.find("a")


def test_the_key_is_not_in_the_file(path: Path) -> None:
    with opened(path) as ledger:
        record(account(ledger), "a")
        record(account(ledger, KEY, "acme"), "a")
        files = list(path.parent.iterdir())
        assert len(files) > 1
        assert not any(KEY.encode() in file.read_bytes() for file in files)


# The file


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_a_new_ledger_is_private_under_any_umask(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with opened(path) as ledger:
            record(account(ledger), "a")
            modes = {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == {0o600}
    assert {stat.S_IMODE(each.stat().st_mode) for each in list(path.parents)[:2]} == {0o700}


def test_an_empty_file_becomes_a_ledger(tmp_path: Path) -> None:
    path = tmp_path / "made by mktemp ?#%41"
    path.touch()
    assert refusal(path, existing) == (66, "no_ledger")
    with opened(path) as ledger:
        assert ledger.created
        record(account(ledger), "a")
    header = path.read_bytes()[:100]
    assert int.from_bytes(header[68:72]) == APPLICATION_ID
    assert int.from_bytes(header[60:64]) == SCHEMA_VERSION
    assert header[18:20] == b"\2\2", "WAL"


def of_schema_1(path: Path) -> None:
    """A ledger as reo 0.1 made it: one account with two keys, one with a name, one wrong clock."""
    path.parent.mkdir(parents=True)
    salt = b"s" * 32
    with sqlite3.connect(path) as old:
        old.executescript(f"""
            PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1;
            PRAGMA journal_mode = WAL;
            CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
            CREATE TABLE scope (
                id INTEGER PRIMARY KEY,
                endpoint TEXT NOT NULL,
                account TEXT NOT NULL,
                salt BLOB NOT NULL,
                fingerprint BLOB NOT NULL,
                family INTEGER NOT NULL,
                UNIQUE (endpoint, account, salt, fingerprint)
            );
            CREATE TABLE event (
                scope INTEGER NOT NULL,
                id BLOB NOT NULL,
                content BLOB NOT NULL,
                at INTEGER NOT NULL,
                PRIMARY KEY (scope, id)
            ) WITHOUT ROWID;
        """)
        facts = {"created": 5, "opened": T, "pruned": T, "since": 5, "salt": salt, "cursor": ""}
        old.executemany("INSERT INTO meta VALUES (?, ?)", facts.items())
        keys = [fingerprint(salt, "key-one-1"), fingerprint(salt, "key-two-2")]
        scopes = [(at, API, "", salt, key, 2) for at, key in enumerate(keys, 1)]
        scopes.append((3, API, "acme", b"", b"", 3))
        old.executemany("INSERT INTO scope VALUES (?, ?, ?, ?, ?, ?)", scopes)
        events = [(1, "a", b"1", T), (1, "b", b"2", T + 100), (2, "a", b"3", T + 500)]
        events += [(2, "c", b"4", 100), (3, "d", b"5", T + 200)]
        rows = [(scope, id_key(each), content * 16, at) for scope, each, content, at in events]
        old.executemany("INSERT INTO event VALUES (?, ?, ?, ?)", rows)
    old.close()


@pytest.mark.parametrize("opening", [opened, existing])
def test_a_ledger_of_the_first_schema_goes_on_being_used(
    path: Path, opening: Callable[[Path], Ledger]
) -> None:
    of_schema_1(path)
    for _ in range(2):
        with opening(path) as ledger:
            assert not ledger.created
            assert ledger.events() == 4
            who = account(ledger, "key-two-2")
            assert who.find("a") == Known(b"3" * 16, T + 500), "of two, the later one"
            assert who.find("b") == Known(b"2" * 16, T + 100)
            assert who.find("c") == Known(b"4" * 16, T), "an unknown time is now"
            assert account(ledger, None, "acme").find("d") == Known(b"5" * 16, T + 200)
            assert account(ledger, "key-one-1").find_elsewhere("b")
            assert (ledger.newest_before, ledger.fact("created")) == (T + 500, 5)
    with opened(path) as ledger:
        record(account(ledger, "key-two-2"), "a", "e")
        assert account(ledger, "key-two-2").find("a") == Known(CONTENT[:8], T + 500)


def test_two_processes_bring_an_old_ledger_up_at_once(path: Path) -> None:
    of_schema_1(path)
    done: list[int] = []

    def work() -> None:
        with opened(path) as ledger:
            done.append(ledger.events())

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [4] * 6


def executed(path: Path, statement: str) -> None:
    other = sqlite3.connect(path)
    other.execute(statement)
    other.commit()
    other.close()


def newer(path: Path) -> None:
    opened(path).close()
    executed(path, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")


def truncated(path: Path) -> None:
    opened(path).close()
    os.truncate(path, 5000)


def overwritten(path: Path) -> None:
    opened(path).close()
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xaa" * 8000)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.write_bytes(b"SQLite format 3\0" + bytes(20)), "not_a_ledger"),
        (lambda path: path.write_bytes(b"activity_type,count\n" * 100), "not_a_ledger"),
        (lambda path: executed(path, "CREATE TABLE t (x)"), "not_a_ledger"),
        (newer, "ledger_newer"),
        (truncated, "ledger_damaged"),
        (overwritten, "ledger_damaged"),
        (Path.mkdir, "ledger_not_opened"),
        (os.mkfifo, "ledger_not_opened"),
    ],
    ids="header garbage foreign newer truncated overwritten folder pipe".split(),
)
@pytest.mark.parametrize("opening", [opened, existing])
def test_what_is_no_usable_ledger_is_refused_and_left_alone(
    tmp_path: Path,
    make: Callable[[Path], object],
    reason: str,
    opening: Callable[[Path], Ledger],
) -> None:
    path = tmp_path / "ledger.db"
    make(path)
    before = path.read_bytes() if path.is_file() else None
    assert refusal(path, opening) == (73, reason)
    assert before is None or path.read_bytes() == before


@pytest.mark.parametrize("name", ["/dev/null", "/proc/reo/ledger.db", "x/\0/y", "file/ledger.db"])
def test_a_place_that_cannot_hold_a_ledger_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("x")
    assert refusal(tmp_path / name) == (73, "ledger_not_opened")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_ledger_is_refused(path: Path) -> None:
    opened(path).close()
    path.chmod(0o400)
    assert refusal(path)[0] == 73


def test_damage_found_on_the_way_is_a_clear_error(path: Path) -> None:
    with opened(path) as ledger:
        record(account(ledger), *range(5000))
    with path.open("r+b") as file:
        for page in range(8, path.stat().st_size // 4096):
            file.seek(page * 4096)
            file.write(b"\xff" * 200)
    with opened(path) as ledger:
        who = account(ledger)
        with pytest.raises(ReoError) as caught:
            any(who.find(number) is None for number in range(5000))
    assert (caught.value.exit_code, caught.value.reason) == (73, "ledger_damaged")


def test_waiting_for_others_has_an_end(path: Path) -> None:
    with opened(path) as ledger:
        who = account(ledger)
        record(who, "a")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with ledger.reading() as connection:
            assert connection.execute("PRAGMA busy_timeout").fetchone()[0] == 30_000
            connection.execute("PRAGMA busy_timeout = 20")
        with pytest.raises(ReoError) as caught:
            record(who, "b")
        assert (caught.value.exit_code, caught.value.reason) == (75, "ledger_busy")
        other.execute("COMMIT")
        other.close()
        record(who, "b")


def test_what_is_not_there_is_said_and_not_made(path: Path) -> None:
    assert refusal(path, existing) == (66, "no_ledger")
    assert not path.parent.exists()


# Where the file is


MOUNTS = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 27 0:40 / /home rw,relatime - nfs4 server:/home rw
31 30 254:1 / /home/local\\040disk rw - xfs /dev/vdb rw
32 27 0:41 / /data rw - autofs systemd-1 rw
33 27 0:42 / /data rw - fuse.sshfs host:/ rw
34 27 0:43 / /box rw - fuse.fuse-overlayfs fuse-overlayfs rw
35 27 0:44 / /share rw - cifs //server/share rw
36 27 0:45 / /mnt/c rw - 9p drvfs rw
37 27 0:46 / /ntfs rw - fuseblk /dev/sdb1 rw
"""
SHARED = "virtiofs vboxsf vmhgfs prl_fs drvfs fakeowner smb3 fuse.vmhgfs-fuse fuse.grpcfuse".split()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/me/.local/state/reo/ledger.db", "nfs4"),
        ("/homes/ledger.db", None),
        ("/home/local disk/ledger.db", None),
        ("/data/ledger.db", "fuse.sshfs"),
        ("/box/ledger.db", None),
        ("/share/x/../ledger.db", "cifs"),
        ("/mnt/c/ledger.db", "9p"),
        ("/ntfs/ledger.db", None),
        ("/ledger.db", None),
        *((f"/shared/{kind}/ledger.db", kind) for kind in SHARED),
    ],
)
def test_shared_file_systems_are_told_from_local_ones(
    path: str, kind: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "mountinfo"
    shared = "".join(f"50 27 0:50 / /shared/{each} rw - {each} x rw\n" for each in SHARED)
    table.write_text(MOUNTS + shared)
    monkeypatch.setattr(folders, "MOUNTS", table)
    assert folders.shared_file_system(Path(path)) == kind


def test_a_ledger_on_a_shared_file_system_is_refused(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a table of mounts all is local."""
    table = tmp_path / "mountinfo"
    monkeypatch.setattr(folders, "MOUNTS", table)
    opened(path).close()
    table.write_text(f"27 1 0:1 / {tmp_path.resolve()} rw - virtiofs share rw\n")
    for place in (path, tmp_path / "new" / "ledger.db"):
        assert refusal(place) == (73, "ledger_on_network")
    assert not (tmp_path / "new").exists()

import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from reo_cli.delivery import folders
from reo_cli.delivery.ledger import Acknowledged, Known, Ledger, Scope
from reo_cli.delivery.ledger.file import APPLICATION_ID, SCHEMA_VERSION
from reo_cli.errors import ReoError

API = "https://api.test/events"
KEY = "canary-key-1"
CONTENT = b"c" * 16


def opened(path: Path, now: float = 1_800_000_000) -> Ledger:
    return Ledger.open(path, clock=lambda: now)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "reo" / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    with opened(path) as ledger:
        yield ledger


def scope_of(ledger: Ledger, key: str | None = KEY, account: str | None = None) -> Scope:
    return ledger.scope(API, key, account)


def record(scope: Scope, *ids: str | int, at: float = 1000, content: bytes = CONTENT) -> None:
    scope.record([Acknowledged(event_id, content, at) for event_id in ids])


def refusal(path: Path) -> ReoError:
    with pytest.raises(ReoError) as caught:
        opened(path).close()
    assert str(path) in caught.value.message
    assert caught.value.hint
    return caught.value


# What is recorded


def test_what_was_recorded_is_found_in_the_same_and_in_the_next_run(path: Path) -> None:
    with opened(path) as ledger:
        assert ledger.created
        record(scope_of(ledger), "a", "b", at=1000.9)
        assert scope_of(ledger).find("a") == Known(CONTENT, 1000)
        assert ledger.events() == 2
    with opened(path) as ledger:
        assert not ledger.created
        scope = scope_of(ledger)
        assert scope.find("b") == Known(CONTENT, 1000)
        assert scope.find("c") is None


def test_ids_are_compared_as_text(ledger: Ledger) -> None:
    record(scope_of(ledger), 17)
    assert scope_of(ledger).find("17")
    assert scope_of(ledger).find("017") is None


def test_a_later_entry_takes_the_place_of_an_earlier_one(ledger: Ledger) -> None:
    scope = scope_of(ledger)
    record(scope, "a")
    record(scope, "a", at=2000, content=b"d" * 16)
    assert scope.find("a") == Known(b"d" * 16, 2000)
    assert ledger.events() == 1


def test_lone_surrogates_are_text_like_any_other(ledger: Ledger) -> None:
    for scope in (scope_of(ledger, "key-\udc80"), scope_of(ledger, None, "acc\ud800unt")):
        record(scope, "id-\ud800")
        assert scope.find("id-\ud800")
        assert scope.find("id-\udfff") is None


def test_a_group_is_recorded_whole_or_not_at_all(ledger: Ledger) -> None:
    def group() -> Iterator[Acknowledged]:
        yield Acknowledged("a", CONTENT, 1)
        raise KeyboardInterrupt

    scope = scope_of(ledger)
    with pytest.raises(KeyboardInterrupt):
        scope.record(group())
    assert scope.find("a") is None
    record(scope, "b")
    assert scope_of(ledger).find("b")


def test_threads_share_a_ledger(ledger: Ledger) -> None:
    scope = scope_of(ledger)
    wrong: list[str] = []

    def work(name: int) -> None:
        for number in range(200):
            record(scope, f"{name}-{number}", at=number)
            known = scope.find(f"{name}-{number}")
            if known is None or known.delivered_at != number:
                wrong.append(f"{name}-{number}")

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert ledger.events() == 800


# Whose events they are


def test_endpoints_and_accounts_are_kept_apart(ledger: Ledger) -> None:
    record(scope_of(ledger), "a")
    assert scope_of(ledger, "another-key").find("a") is None
    assert scope_of(ledger, KEY, "acme").find("a") is None
    assert ledger.scope("https://other.test/", KEY, None).find("a") is None
    record(scope_of(ledger, KEY, "acme"), "b")
    assert scope_of(ledger, "whatever-key", "acme").find("b")
    assert scope_of(ledger, KEY, "beta").find("b") is None


def test_what_another_unnamed_key_delivered_is_seen(ledger: Ledger) -> None:
    assert scope_of(ledger).find_elsewhere("a") is None
    record(scope_of(ledger), "a", at=1234)
    new = scope_of(ledger, "another-key")
    assert new.find_elsewhere("a") == Known(CONTENT, 1234)
    assert new.find_elsewhere("b") is None
    assert scope_of(ledger, "another-key", "acme").find_elsewhere("a") is None
    assert ledger.scope("https://other.test/", "another-key", None).find_elsewhere("a") is None


def test_named_accounts_are_no_other_key(ledger: Ledger) -> None:
    record(scope_of(ledger, KEY, "acme"), "a")
    assert scope_of(ledger).find_elsewhere("a") is None


@pytest.mark.parametrize("account", [None, "acme"])
def test_a_rotated_key_takes_over_what_the_old_one_delivered(
    path: Path, account: str | None
) -> None:
    with opened(path) as ledger:
        record(scope_of(ledger), "a", at=1234)
        new = scope_of(ledger, "new-key-1", account)
        record(new, "b")
        assert new.adopt() == 1
        assert new.find("a") == Known(CONTENT, 1234)
        assert new.find("b")
        assert new.find_elsewhere("a") is None
    with opened(path) as ledger:
        for key, name in (("new-key-1", account), (KEY, None)):
            again = scope_of(ledger, key, name)
            assert again.find("a")
            assert again.find("b")
            assert again.find_elsewhere("a") is None
            assert again.adopt() == 0
        third = scope_of(ledger, "third-key")
        assert third.find("a") is None
        assert third.find_elsewhere("a")
        assert third.adopt() >= 1
        assert third.find("a")


def test_of_two_entries_in_adopted_scopes_the_newer_one_counts(ledger: Ledger) -> None:
    record(scope_of(ledger), "a", at=1, content=b"1" * 16)
    new = scope_of(ledger, "new-key-1")
    record(new, "a", at=2, content=b"2" * 16)
    new.adopt()
    assert scope_of(ledger).find("a") == new.find("a") == Known(b"2" * 16, 2)


def test_a_run_with_the_old_key_goes_on_during_a_rotation(path: Path) -> None:
    with opened(path) as ledger:
        old, new = scope_of(ledger), scope_of(ledger, "new-key-1")
        record(old, "a")
        new.adopt()
        record(old, "b")
        assert new.find("b")


def test_the_key_is_not_in_the_file(path: Path) -> None:
    with opened(path) as ledger:
        record(scope_of(ledger), "a")
        record(scope_of(ledger, KEY, "acme"), "a")
        files = list(path.parent.iterdir())
        assert len(files) > 1
        assert not any(KEY.encode() in file.read_bytes() for file in files)


# The file


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_a_new_ledger_is_private_under_any_umask(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with opened(path) as ledger:
            record(scope_of(ledger), "a")
            modes = {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.parent.parent.stat().st_mode) == 0o700


def test_an_empty_file_becomes_a_ledger(tmp_path: Path) -> None:
    path = tmp_path / "made by mktemp ?#%41"
    path.touch()
    with opened(path) as ledger:
        assert ledger.created
        record(scope_of(ledger), "a")
    assert path.stat().st_size > 0


def test_a_ledger_left_half_made_by_a_kill_is_completed(path: Path) -> None:
    opened(path).close()
    with sqlite3.connect(path) as half_made:
        half_made.execute("PRAGMA journal_mode = DELETE")
    half_made.close()
    with opened(path) as ledger:
        record(scope_of(ledger), "a")
    assert path.read_bytes()[18:20] == b"\2\2"


def damaged_header(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0" + bytes(20))


def garbage(path: Path) -> None:
    path.write_bytes(b"activity_type,count\n" * 100)


def foreign(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE t (x)")
    other.commit()
    other.close()


def newer(path: Path) -> None:
    opened(path).close()
    future = sqlite3.connect(path)
    future.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    future.close()


def truncated(path: Path) -> None:
    with opened(path) as ledger:
        record(scope_of(ledger), *range(2000))
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def overwritten(path: Path) -> None:
    opened(path).close()
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xaa" * 8000)


def a_folder(path: Path) -> None:
    path.mkdir()


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (damaged_header, "ledger_damaged"),
        (garbage, "not_a_ledger"),
        (foreign, "not_a_ledger"),
        (newer, "ledger_newer"),
        (truncated, "ledger_damaged"),
        (overwritten, "ledger_damaged"),
        (a_folder, "ledger_not_opened"),
        (a_pipe, "ledger_not_opened"),
    ],
)
@pytest.mark.parametrize("view", [False, True])
def test_what_is_no_usable_ledger_is_refused_and_left_alone(
    tmp_path: Path, make: object, reason: str, view: bool
) -> None:
    path = tmp_path / "ledger.db"
    assert callable(make)
    make(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(ReoError) as caught:
        (Ledger.view(path) if view else opened(path)).close()
    assert (caught.value.exit_code, caught.value.reason) == (73, reason)
    assert str(path) in caught.value.message
    assert caught.value.hint
    assert before is None or path.read_bytes() == before


@pytest.mark.parametrize("path", ["/dev/null", "/proc/reo/ledger.db", "x/\0/y"])
def test_a_place_that_cannot_hold_a_ledger_is_refused(path: str) -> None:
    assert refusal(Path(path)).exit_code == 73


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("x")
    assert refusal(tmp_path / "state" / "ledger.db").exit_code == 73


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_ledger_is_refused_but_can_be_viewed(path: Path) -> None:
    with opened(path) as ledger:
        record(scope_of(ledger), "a")
    path.chmod(0o400)
    path.parent.chmod(0o500)
    try:
        assert refusal(path).exit_code == 73
        with Ledger.view(path) as ledger:
            assert scope_of(ledger).find("a")
    finally:
        path.parent.chmod(0o700)


def test_damage_found_on_the_way_is_a_clear_error(path: Path) -> None:
    with opened(path) as ledger:
        record(scope_of(ledger), *range(5000))
    with path.open("r+b") as file:
        for page in range(8, path.stat().st_size // 4096):
            file.seek(page * 4096)
            file.write(b"\xff" * 200)
    with opened(path) as ledger:
        scope = scope_of(ledger)
        with pytest.raises(ReoError) as caught:
            any(scope.find(number) is None for number in range(5000))
    assert (caught.value.exit_code, caught.value.reason) == (73, "ledger_damaged")


def test_waiting_for_others_has_an_end(path: Path) -> None:
    with opened(path) as ledger:
        scope = scope_of(ledger)
        record(scope, "a")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with ledger.reading() as connection:
            assert connection.execute("PRAGMA busy_timeout").fetchone()[0] == 30_000
            connection.execute("PRAGMA busy_timeout = 20")
        with pytest.raises(ReoError) as caught:
            record(scope, "b")
        assert (caught.value.exit_code, caught.value.reason) == (75, "ledger_busy")
        other.execute("COMMIT")
        other.close()
        record(scope, "b")


# Looking without touching


def test_viewing_changes_nothing(path: Path) -> None:
    with opened(path) as ledger:
        record(scope_of(ledger), "a")
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in path.parent.iterdir()}
    with Ledger.view(path) as ledger:
        assert scope_of(ledger).find("a")
        assert scope_of(ledger, "new-key-1").find_elsewhere("a")
        assert ledger.events() == 1
        with pytest.raises(ReoError):
            record(scope_of(ledger), "b")
    assert before == {
        file: (file.read_bytes(), file.stat().st_mtime_ns) for file in path.parent.iterdir()
    }


def test_without_a_key_a_view_takes_what_has_no_name(ledger: Ledger) -> None:
    record(scope_of(ledger), "a")
    record(scope_of(ledger, KEY, "acme"), "b")
    scope = scope_of(ledger, None)
    assert scope.find("a")
    assert scope.find("b") is None
    assert scope.find_elsewhere("a") is None


def test_viewing_what_is_not_there_says_so_and_makes_nothing(path: Path) -> None:
    with pytest.raises(ReoError) as caught:
        Ledger.view(path)
    assert (caught.value.exit_code, caught.value.reason) == (66, "no_ledger")
    assert not path.parent.exists()


# Where the file is


MOUNTS = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 27 0:40 / /home rw,relatime - nfs4 server:/home rw
31 30 254:1 / /home/local\\040disk rw - xfs /dev/vdb rw
32 27 0:41 / /work rw - autofs systemd-1 rw
33 27 0:42 / /work rw - fuse.sshfs host:/ rw
34 27 0:43 / /box rw - fuse.fuse-overlayfs fuse-overlayfs rw
35 27 0:44 / /share rw - cifs //server/share rw
36 27 0:45 / /mnt/c rw - 9p drvfs rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/me/.local/state/reo/ledger.db", "nfs4"),
        ("/homes/ledger.db", None),
        ("/home/local disk/ledger.db", None),
        ("/work/ledger.db", "fuse.sshfs"),
        ("/box/ledger.db", None),
        ("/share/x/../ledger.db", "cifs"),
        ("/mnt/c/ledger.db", "9p"),
        ("/ledger.db", None),
    ],
)
def test_network_file_systems_are_told_from_local_ones(
    path: str, kind: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(MOUNTS)
    monkeypatch.setattr(folders, "MOUNTS", table)
    assert folders.network_file_system(Path(path)) == kind


def test_a_ledger_on_a_network_file_system_is_refused(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(path) as ledger:
        record(scope_of(ledger), "a")
    table = tmp_path / "mountinfo"
    table.write_text(f"27 1 0:1 / {tmp_path.resolve()} rw - nfs server:/ rw\n")
    monkeypatch.setattr(folders, "MOUNTS", table)
    error = refusal(path)
    assert (error.exit_code, error.reason) == (73, "ledger_on_network")
    assert "--ledger" in error.hint
    assert refusal(tmp_path / "new" / "ledger.db").reason == "ledger_on_network"
    assert not (tmp_path / "new").exists()
    with Ledger.view(path) as ledger:
        assert scope_of(ledger).find("a")


def test_without_a_table_of_mounts_all_is_local(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "MOUNTS", tmp_path / "missing")
    opened(path).close()


def test_the_file_says_what_it_is(path: Path) -> None:
    opened(path).close()
    header = path.read_bytes()[:100]
    assert int.from_bytes(header[68:72]) == APPLICATION_ID
    assert int.from_bytes(header[60:64]) == SCHEMA_VERSION

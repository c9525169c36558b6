"""The rejects file: what a line is, each of them once, and no cut line however a write ends."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from reo_cli.checks.scratch import scratch
from reo_cli.delivery.rejects import SEEN, Reject, Rejects, default_path
from reo_cli.errors import ReoError
from tests.conftest import World
from tests.delivery.harness import lines


def rejected(event_id: object = "e1", **payload: object) -> Reject:
    return Reject("u.csv", 2, 1, 400, "no", json.dumps({"event_id": event_id, **payload}))


def invalid(file: str = "u.csv", **payload: object) -> Reject:
    return Reject(file, 2, 1, None, "count: missing", json.dumps(payload))


def unreadable(raw: str) -> Reject:
    return Reject("u.csv", 2, 1, None, "not JSON", raw=raw)


def of_text(payload: str) -> Reject:
    return Reject("\udcff.csv", 1, 1, None, "bad \ud800", payload)


def run(path: Path, *rejects: Reject, explicit: bool = False) -> int:
    """Write as one run does, all in one group; returns the lines written."""
    file = Rejects(path, scratch(SEEN), explicit=explicit)
    try:
        return file.add(rejects)
    finally:
        file.close()


def named(path: Path) -> Rejects:
    return Rejects(path, scratch(SEEN), explicit=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "u.csv.reo-rejects"


# What a line is


def test_a_line_is_the_payload_or_what_was_read_and_the_reason(path: Path) -> None:
    event = Reject("u.csv", 17, 16, 400, "no", '{"event_id": "e1", "count": 2}', derived="sum")
    run(path, event, unreadable('{"count": 1'))
    first, second = lines(path)
    error = {"file": "u.csv", "line": 17, "record": 16, "status": 400, "reason": "no"}
    payload = {"event_id": "e1", "count": 2}
    assert first == {"payload": payload, "error": error, "derived": "sum"}
    assert (second["payload"], second["raw"]) == (None, '{"count": 1')


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ("x" * 5000, "x" * 4096),
        ("x" + "é" * 5000, "x" + "é" * 2047),
        ("€" * 1366, "€" * 1365),
        ("\ud800" * 1500, "\ud800" * 1365),
    ],
)
def test_of_a_long_text_the_first_4_kib_are_kept(path: Path, raw: str, kept: str) -> None:
    run(path, unreadable(raw))
    assert lines(path)[0]["raw"] == kept


@pytest.mark.parametrize(
    "payload",
    [
        '{"event_id":"e1","count":1e400,"meta":{"a":0.10,"b":' + "9" * 5000 + "}}",
        '{"a":"\ud800"}',
        '{"event_id":"\ud800"}',
        '{"a":' + "[" * 100_000 + "]" * 100_000 + "}",
    ],
    ids=["numbers", "half a pair", "half a pair in an id", "nesting"],
)
def test_any_payload_is_one_line_of_utf8_with_the_same_text(path: Path, payload: str) -> None:
    assert run(path, of_text(payload)) == 1
    assert path.read_bytes().count(b"\n") == 1
    assert payload.replace("\ud800", r"\ud800") in path.read_text("utf-8")
    assert run(path, of_text(payload)) == 0 or "[[" in payload


# Each line once


@pytest.mark.parametrize(
    ("first", "then", "is_same"),
    [
        (rejected("e1", count=1, event_at=1), rejected("e1", event_at=2, count=1), True),
        (rejected("e1", count=1), rejected("e1", count=2), False),
        (rejected(17), rejected("17"), True),
        (rejected("e1", count=1), rejected("e1", count="1"), False),
        (rejected("reject-" + "0" * 32, count=1), rejected("reject-" + "0" * 32, count=2), True),
        (invalid(count=1), invalid(count="1"), False),
        (invalid("u.csv", count="x"), invalid("./u.csv", count="x"), True),
    ],
)
def test_an_event_is_known_by_its_id_and_content(
    path: Path, first: Reject, then: Reject, is_same: bool
) -> None:
    """In a run and over runs."""
    assert run(path, first, *[rejected("e0")] * 2) == 2
    assert run(path, then) == (not is_same)


@pytest.mark.parametrize("bad", [invalid(count="x"), unreadable("{x")])
def test_equal_records_without_an_id_are_lines_of_their_own(path: Path, bad: Reject) -> None:
    assert [run(path, *[bad] * number) for number in (2, 2, 3, 1)] == [2, 0, 1, 0]


def test_a_run_that_was_cut_short_is_completed(path: Path) -> None:
    bad = invalid(count="x")
    whole = [bad, rejected("e1"), bad, unreadable("{"), rejected("e2")]
    for end in range(len(whole) + 1):
        run(path, *whole[:end])
    assert len(lines(path)) == len(whole)


def test_inputs_that_share_a_file_keep_their_equal_records(path: Path) -> None:
    both = [invalid("a.csv", count="x"), invalid("b.csv", count="x")]
    assert [run(path, *both, explicit=True) for _ in range(2)] == [2, 0]
    assert run(path, invalid("c.csv", count="x"), explicit=True) == 1


def test_lines_of_others_count_for_nothing_and_stay(path: Path) -> None:
    foreign = (
        b'[1]\n\xff\xfe\n\nnull\n{"payload": 5}\n{"payload": {"event_id": "e0"}}\n{"error": 1}\n'
    )
    path.write_bytes(foreign)
    assert run(path, rejected("e0"), rejected("e1")) == 1
    assert path.read_bytes().startswith(foreign)


def test_a_torn_last_line_is_ended_before_the_next(path: Path) -> None:
    run(path, rejected("e1"), rejected("e2"))
    torn = path.read_bytes()[:-20]
    path.write_bytes(torn)
    assert [run(path, rejected("e1"), rejected("e2")) for _ in range(2)] == [1, 0]
    assert path.read_bytes().startswith(torn + b"\n{")


def test_two_runs_may_append_to_one_file(path: Path) -> None:
    for number in range(5):
        for who in (named(path), named(path)):
            who.add([rejected(f"{number}{id(who)}")])
    assert len(lines(path)) == 10


# The file


def test_nothing_is_made_before_the_first_reject(path: Path) -> None:
    """And the null device takes everything."""
    for rejects in (Rejects(path, scratch(SEEN)), named(path), named(Path("/dev/null"))):
        rejects.check()
        assert rejects.add([]) == 0
        rejects.close()
    assert list(path.parent.iterdir()) == []
    assert run(Path("/dev/null"), rejected("e1"), rejected("e1"), explicit=True) == 1


@pytest.mark.parametrize(
    "name", ["missing/r", "file/r", "folder", "pipe", "link", "x" * 300, "/proc/r", "read-only/r"]
)
def test_a_named_file_that_cannot_be_written_is_found_by_the_check(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / "file").write_text("mine\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "read-only").mkdir(0o500)
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    if name.startswith("read-only") and os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    with pytest.raises(ReoError) as caught:
        named(tmp_path / name).check()
    assert (caught.value.exit_code, caught.value.reason) == (73, "rejects_not_written")
    assert name in caught.value.message
    assert ("symbolic link" in caught.value.message) == (name == "link")
    assert "--rejects" in caught.value.hint
    assert (tmp_path / "file").read_text() == "mine\n"


ADDING = """
import resource, sys
from pathlib import Path
from reo_cli.checks.scratch import scratch
from reo_cli.delivery.rejects import SEEN, Reject, Rejects
from reo_cli.errors import ReoError

limit, number = map(int, sys.argv[2:])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
rejects = Rejects(Path(sys.argv[1]), scratch(SEEN))
events = [Reject("u", 1, 1, 400, "no", '{"event_id":"e%d"}' % each) for each in range(number)]
try:
    for start in range(0, number, 30):
        rejects.add(events[start:start + 30])
    print(resource.getrusage(0).ru_maxrss)
except ReoError as error:
    print(error.exit_code, error.message)
sys.exit()
"""
"""Adds so many rejects where a file may be so large; prints the fault, or its own memory in KiB."""


@pytest.mark.parametrize("limit", [0, 1, 100, 3000, 8000])
def test_a_disk_that_fills_up_leaves_whole_lines(world: World, path: Path, limit: int) -> None:
    run(path, *(rejected(f"old{number}") for number in range(2)))
    before = path.read_bytes()
    result = world.run(str(path), str(len(before) + limit), "90", code=ADDING)
    assert result.stdout.startswith("74 cannot write the rejects file")
    after = path.read_bytes()
    assert after.startswith(before)
    assert after.endswith(b"}\n")
    assert len(after) <= len(before) + limit
    held = len(lines(path))
    assert held >= 2 + limit // 110
    assert run(path, *(rejected(f"e{number}") for number in range(90))) == 92 - held


def test_memory_does_not_grow_with_the_file(world: World, path: Path) -> None:
    def peak(number: int) -> int:
        path.write_bytes(b"".join(rejected(f"old{each}").json_line for each in range(number)))
        return int(world.run(str(path), str(1 << 30), "1", code=ADDING).stdout)

    assert peak(100_000) - peak(1000) < 6 * 1024


# Where the file is


@pytest.mark.parametrize("name", ["-", "/dev/null", "pipe"])
def test_a_pipe_has_its_file_in_the_state_folder(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    found = default_path(name if name == "-" else str(tmp_path / name), tmp_path / "s")
    assert found == tmp_path / "s" / "rejects" / "stdin.reo-rejects"


@pytest.mark.parametrize(
    ("name", "occupy", "is_beside"),
    [
        ("u.csv.gz", lambda _: None, True),
        ("u.csv", lambda beside: beside.symlink_to("elsewhere"), False),
        ("u.csv", Path.mkdir, False),
        ("x" * 250, lambda _: None, False),
        pytest.param(
            *("u.csv", lambda beside: beside.parent.chmod(0o500), False),
            marks=pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere"),
        ),
    ],
    ids=["beside", "a link", "a folder", "a long name", "read-only"],
)
def test_the_file_is_beside_the_input_or_else_in_the_state_folder(
    tmp_path: Path, name: str, occupy: Callable[[Path], object], is_beside: bool
) -> None:
    source = tmp_path / "in" / name
    source.parent.mkdir()
    source.write_text("")
    beside = source.with_name(f"{name}.reo-rejects")
    occupy(beside)
    path = default_path(str(source), tmp_path / "s")
    assert (path == beside) == is_beside
    assert run(path, rejected("e1")) == 1
    assert default_path(str(source), tmp_path / "s") == path
    if not is_beside:
        assert path.parent == tmp_path / "s" / "rejects"
        assert path.name.startswith(f"{name[:60]}-")
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700

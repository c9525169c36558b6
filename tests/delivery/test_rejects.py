import json
import os
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from reo_cli.delivery.rejects import Reject, Rejects, default_path, seen
from reo_cli.errors import ReoError


def rejected(event_id: object = "e1", file: str = "u.csv", **payload: object) -> Reject:
    return Reject(file, 2, 1, 400, "no", json.dumps({"event_id": event_id, **payload}))


def invalid(file: str = "u.csv", **payload: object) -> Reject:
    return Reject(file, 2, 1, None, "count: missing", json.dumps(payload))


def unreadable(raw: str, file: str = "u.csv") -> Reject:
    return Reject(file, 2, 1, None, "not JSON", raw=raw)


def run(path: Path, *rejects: Reject, explicit: bool = False) -> int:
    """Write as one run does, all in one group; returns the lines written."""
    file = Rejects(path, seen(), explicit=explicit)
    try:
        return file.add(rejects)
    finally:
        file.close()


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "u.csv.reo-rejects"


# What a line is


def test_a_rejected_event_is_its_payload_and_the_reason(path: Path) -> None:
    run(path, Reject("u.csv", 17, 16, 400, "unknown product", '{"event_id": "e1", "count": 2}'))
    assert lines(path) == [
        {
            "payload": {"event_id": "e1", "count": 2},
            "error": {
                "file": "u.csv",
                "line": 17,
                "record": 16,
                "status": 400,
                "reason": "unknown product",
            },
        }
    ]


def test_what_cannot_be_parsed_is_kept_as_it_was_read(path: Path) -> None:
    run(path, unreadable('{"count": 1'))
    assert lines(path)[0]["payload"] is None
    assert lines(path)[0]["raw"] == '{"count": 1'


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ("x" * 5000, "x" * 4096),
        ("é" * 5000, "é" * 2048),
        ("x" + "é" * 5000, "x" + "é" * 2047),
        ("€" * 1366, "€" * 1365),
        ("😀" * 1025, "😀" * 1024),
        ("\ud800" * 1500, "\ud800" * 1365),
    ],
)
def test_of_a_long_text_the_first_4_kib_are_kept(path: Path, raw: str, kept: str) -> None:
    run(path, unreadable(raw))
    assert lines(path)[0]["raw"] == kept


def test_numbers_keep_their_text(path: Path) -> None:
    payload = '{"event_id":"e1","count":1e400,"meta":{"a":0.10,"b":' + "9" * 5000 + "}}"
    assert run(path, Reject("u", 1, 1, 400, "no", payload)) == 1
    assert payload in path.read_text()
    assert run(path, Reject("u", 1, 1, 400, "no", payload)) == 0


@pytest.mark.parametrize("payload", ['{"a":"\ud800"}', '{"event_id":"\ud800"}'])
def test_any_text_makes_one_line_of_utf8(path: Path, payload: str) -> None:
    assert run(path, Reject("\udcff.csv", 1, 1, None, "bad \ud800", payload)) == 1
    assert path.read_bytes().count(b"\n") == 1
    assert lines(path)[0]["payload"] == json.loads(payload)
    assert run(path, Reject("\udcff.csv", 1, 1, None, "bad \ud800", payload)) == 0


def test_nesting_beyond_the_parser_is_no_crash(path: Path) -> None:
    deep = '{"a":' + "[" * 100_000 + "]" * 100_000 + "}"
    assert run(path, Reject("u", 1, 1, None, "too deep", deep)) == 1


# Each line once


def test_a_rejected_event_is_written_once_in_a_run_and_over_runs(path: Path) -> None:
    assert run(path, rejected("e1"), rejected("e2"), rejected("e1")) == 2
    assert run(path, rejected("e1"), rejected("e3")) == 1
    assert [each["payload"]["event_id"] for each in lines(path)] == ["e1", "e2", "e3"]


def test_the_reason_the_order_of_keys_and_the_time_make_no_other_event(path: Path) -> None:
    first = '{"event_id": "e1", "count": 1, "domain": "a.b", "event_at": 1}'
    again = '{"domain":"a.b","event_at":2,"event_id":"e1","count":1}'
    assert run(path, Reject("u", 1, 1, 400, "no", first)) == 1
    assert run(path, Reject("v", 9, 9, 413, "too large", again)) == 0


def test_an_event_with_other_content_is_another_line(path: Path) -> None:
    assert run(path, rejected("e1", count=1)) == 1
    assert run(path, rejected("e1", count=2)) == 1


def test_an_id_is_compared_as_text_and_content_is_not(path: Path) -> None:
    assert run(path, rejected(17)) == 1
    assert run(path, rejected("17")) == 0
    assert run(path, invalid(count=1)) == 1
    assert run(path, invalid(count="1")) == 1


@pytest.mark.parametrize("make", [lambda: invalid(count="x"), lambda: unreadable("{x")])
def test_equal_records_without_an_id_are_lines_of_their_own(path: Path, make: Any) -> None:
    assert run(path, make(), make()) == 2
    assert run(path, make(), make()) == 0
    assert run(path, make(), make(), make()) == 1
    assert run(path, make()) == 0


def test_a_run_that_was_cut_short_is_completed(path: Path) -> None:
    whole = [
        invalid(count="x"),
        rejected("e1"),
        invalid(count="x"),
        unreadable("{"),
        rejected("e2"),
    ]
    for end in range(len(whole) + 1):
        run(path, *whole[:end])
    assert len(lines(path)) == len(whole)


def test_inputs_that_share_a_file_keep_their_equal_records(path: Path) -> None:
    both = [invalid("a.csv", count="x"), invalid("b.csv", count="x")]
    assert run(path, *both, explicit=True) == 2
    assert run(path, *both, explicit=True) == 0
    assert run(path, invalid("c.csv", count="x"), explicit=True) == 1


def test_the_default_file_knows_its_input_by_any_name(path: Path) -> None:
    assert run(path, invalid("u.csv", count="x")) == 1
    assert run(path, invalid("./u.csv", count="x")) == 0


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
    assert run(path, rejected("e1"), rejected("e2")) == 1
    assert path.read_bytes().startswith(torn + b"\n{")
    assert run(path, rejected("e1"), rejected("e2")) == 0


# The file


def test_nothing_is_made_before_the_first_reject(path: Path) -> None:
    rejects = Rejects(path, seen())
    rejects.check()
    assert rejects.add([]) == 0
    rejects.close()
    assert not path.exists()


def test_a_file_with_nothing_new_counts_as_used(path: Path) -> None:
    run(path, rejected("e1"))
    rejects = Rejects(path, seen())
    assert rejects.add([rejected("e1")]) == 0
    rejects.close()
    rejects.close()


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_a_new_file_is_private_under_any_umask(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        run(path, rejected("e1"))
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("mine\n")
    path.symlink_to(target)
    with pytest.raises(ReoError, match="symbolic link") as caught:
        Rejects(path, seen(), explicit=True).check()
    assert caught.value.exit_code == 73
    with pytest.raises(ReoError, match="symbolic link") as caught:
        run(path, rejected("e1"))
    assert caught.value.exit_code == 74
    assert target.read_text() == "mine\n"


def test_a_named_file_that_can_be_made_is_not_made_by_the_check(path: Path) -> None:
    Rejects(path, seen(), explicit=True).check()
    assert list(path.parent.iterdir()) == []
    path.write_text("")
    Rejects(path, seen(), explicit=True).check()


@pytest.mark.parametrize("name", ["missing/r.ndjson", "file/r.ndjson", "folder", "pipe", "x" * 300])
def test_a_named_file_that_cannot_be_written_is_found_by_the_check(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ReoError) as caught:
        Rejects(tmp_path / name, seen(), explicit=True).check()
    assert (caught.value.exit_code, caught.value.reason) == (73, "rejects_not_written")
    assert name in caught.value.message
    assert "--rejects" in caught.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_the_right_to_write_is_found_by_the_check(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(ReoError, match="ermission"):
            Rejects(tmp_path / "r", seen(), explicit=True).check()
    finally:
        tmp_path.chmod(0o700)


def test_a_read_only_file_system_is_found_by_the_check() -> None:
    with pytest.raises(ReoError):
        Rejects(Path("/proc/r.ndjson"), seen(), explicit=True).check()


def test_an_input_cannot_take_the_rejects(path: Path, tmp_path: Path) -> None:
    path.write_text("")
    alias = tmp_path / "alias"
    alias.hardlink_to(path)
    with pytest.raises(ReoError, match="is an input") as caught:
        Rejects(path, seen(), explicit=True).check([tmp_path / "missing", alias])
    assert caught.value.exit_code == 2


def test_the_null_device_takes_everything() -> None:
    null = Path("/dev/null")
    Rejects(null, seen(), explicit=True).check()
    assert run(null, rejected("e1"), rejected("e1"), explicit=True) == 1


# Faults


def test_a_full_disk_is_a_clear_error() -> None:
    with pytest.raises(ReoError, match="No space left") as caught:
        run(Path("/dev/full"), rejected("e1"), explicit=True)
    assert (caught.value.exit_code, caught.value.reason) == (74, "rejects_not_written")


LIMITED = """
import resource, sys
from pathlib import Path
from reo_cli.delivery.rejects import Reject, Rejects, seen
from reo_cli.errors import ReoError

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
rejects = Rejects(Path(sys.argv[1]), seen())
events = [Reject("u", 1, 1, 400, "no", '{"event_id":"e%d"}' % number) for number in range(90)]
try:
    for start in range(0, 90, 30):
        rejects.add(events[start:start + 30])
except ReoError as error:
    print(error.exit_code, error.message)
"""


@pytest.mark.parametrize("limit", [0, 1, 100, 3000, 5000, 8000])
def test_a_disk_that_fills_up_leaves_whole_lines(path: Path, limit: int) -> None:
    run(path, *(rejected(f"old{number}") for number in range(2)))
    before = path.read_bytes()
    command = [sys.executable, "-c", LIMITED, str(path), str(len(before) + limit)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.stdout.startswith("74 cannot write the rejects file")
    after = path.read_bytes()
    assert after.startswith(before)
    assert after.endswith(b"}\n")
    assert len(after) <= len(before) + limit
    held = len(lines(path))
    assert held >= 2 + limit // 110
    assert run(path, *(rejected(f"e{number}") for number in range(90))) == 92 - held


def test_memory_does_not_grow_with_the_file(path: Path) -> None:
    code = """
import resource, sys
from pathlib import Path
from reo_cli.delivery.rejects import Reject, Rejects, seen
rejects = Rejects(Path(sys.argv[1]), seen())
rejects.add([Reject("u", 1, 1, 400, "no", '{"event_id":"new"}')])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""

    def peak(number: int) -> int:
        path.write_text("".join(_line(each) for each in range(number)))
        run = subprocess.run(
            [sys.executable, "-c", code, str(path)], capture_output=True, text=True
        )
        return int(run.stdout)

    assert peak(100_000) - peak(1000) < 6 * 1024


def _line(number: int) -> str:
    error = '{"file": "u", "line": 1, "record": 1, "status": 400, "reason": "no"}'
    return f'{{"payload": {{"event_id": "e{number}"}}, "error": {error}}}\n'


# Where the file is


def test_the_file_is_beside_the_input(tmp_path: Path) -> None:
    source = tmp_path / "u.csv.gz"
    source.write_text("")
    assert default_path(str(source), tmp_path / "s") == tmp_path / "u.csv.gz.reo-rejects"


def test_a_pipe_has_its_file_in_the_state_folder(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    expected = tmp_path / "s" / "rejects" / "stdin.reo-rejects"
    for name in ("-", "/dev/null", str(tmp_path / "pipe")):
        assert default_path(name, tmp_path / "s") == expected


def occupied_by_a_link(path: Path) -> None:
    path.symlink_to("elsewhere")


def occupied_by_a_folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("occupy", [occupied_by_a_link, occupied_by_a_folder])
def test_where_there_is_no_room_beside_the_input_it_is_in_the_state_folder(
    tmp_path: Path, occupy: Any
) -> None:
    source = tmp_path / "u.csv"
    source.write_text("")
    occupy(tmp_path / "u.csv.reo-rejects")
    path = default_path(str(source), tmp_path / "s")
    assert path.parent == tmp_path / "s" / "rejects"
    assert path.name.startswith("u.csv-")
    assert run(path, rejected("e1")) == 1
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert default_path(str(source), tmp_path / "s") == path


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_beside_an_input_in_a_read_only_folder_is_the_state_folder(tmp_path: Path) -> None:
    folder = tmp_path / "read-only"
    folder.mkdir()
    (folder / "u.csv").write_text("")
    folder.chmod(0o500)
    try:
        path = default_path(str(folder / "u.csv"), tmp_path / "s")
    finally:
        folder.chmod(0o700)
    assert path.parent == tmp_path / "s" / "rejects"


def test_a_very_long_name_is_cut(tmp_path: Path) -> None:
    source = tmp_path / ("x" * 250)
    source.write_text("")
    path = default_path(str(source), tmp_path / "s")
    assert run(path, rejected("e1")) == 1


def ids(path: Path) -> Sequence[str]:
    return [each["payload"]["event_id"] for each in lines(path)]


def test_two_runs_may_append_to_one_file(path: Path) -> None:
    one, two = Rejects(path, seen(), explicit=True), Rejects(path, seen(), explicit=True)
    for number in range(5):
        one.add([rejected(f"a{number}")])
        two.add([rejected(f"b{number}")])
    one.close()
    two.close()
    assert sorted(ids(path)) == sorted(f"{who}{number}" for who in "ab" for number in range(5))

"""What is sent, skipped, changed and remembered, as users of `send-file` see it (design.md)."""

import gzip
import json
import os
import random
import stat
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.delivery.harness import (
    Desk,
    assert_complete,
    counts,
    judge,
    ndjson,
    refusing,
    rejects,
    row,
    rows,
    stopped,
    wait_until,
)
from tests.faults import failure, late, success, wrong_key

OTHER = {"REO_API_KEY": "canary-key-the-second-one"}
DAY = 86_400
NOW = ("--default", "event_at=now")


# The same events again


def test_whatever_file_format_order_or_pipe_they_come_from(desk: Desk) -> None:
    """CSV first, then shuffled NDJSON through a pipe, gzip, another name: not one request more."""
    events = rows(60, identical=1 / 3)
    file = desk.csv(events)
    assert counts(desk.send(file)) == {"delivered": 60}
    random.Random(4).shuffle(events)
    folder = desk.world.folder
    (folder / "other.json").write_text(json.dumps(events))
    (folder / "packed.ndjson.gz").write_bytes(gzip.compress(ndjson(events).encode()))
    pretty = "\n".join(json.dumps({"payload": each}, indent=1) for each in events)
    sources = ((file, None), ("-", ndjson(events)), ("other.json", None), ("-", pretty))
    for source, data in (*sources, ("packed.ndjson.gz", None)):
        again = desk.send(source, input=data)
        assert (again.code, counts(again)) == (0, {"already_delivered": 60})
    assert len(desk.server.requests) == 60


def test_equal_rows_of_a_file_are_as_many_events_and_of_two_files_one(desk: Desk) -> None:
    """Those with one id of their own are one event; without a ledger the run itself is known."""
    plain, own = row(1, event_id=""), row(2, event_id="x")
    files = [desk.csv([plain, plain, own, own], name) for name in ("a.csv", "b.csv")]
    for _ in range(2):
        run = desk.send(*files, "--no-ledger")
        assert counts(run) == {"delivered": 3, "already_delivered": 5}
        assert run.json["ledger"] is None
    assert not list(desk.world.home.rglob("ledger.db"))
    assert counts(desk.send(*files, "--dry-run", "--no-ledger")) == {"unsent": 8}
    assert counts(desk.send(*files, "--dry-run")) == {"already_delivered": 5, "unsent": 3}
    run = desk.send(*files)
    assert counts(run) == {"delivered": 3, "already_delivered": 5}
    assert [each["delivered"] for each in run.json["inputs"]] == [3, 0]
    assert [(each["file"][-5:], each["line"], each["message"]) for each in run.json["issues"]] == [
        ("a.csv", 3, "the same as line 2"),
        ("a.csv", 5, "the same event as line 4"),
        ("b.csv", 3, "the same as line 2"),
        ("b.csv", 4, f"the same event as {files[0]}:4"),
        ("b.csv", 5, f"the same event as {files[0]}:4"),
    ]
    assert len(set(desk.server.accepted)) == 3
    assert counts(desk.send(desk.csv([plain] * 3))) == {"already_delivered": 2, "delivered": 1}


def test_tomorrow_s_export_overlaps_today_s_by_six_days(desk: Desk) -> None:
    """Three counts have changed: told and not sent, then sent on request, ids unchanged."""
    today = [row(n, event_id=f"day{n // 10}-{n}") for n in range(70)]
    tomorrow = [row(n, event_id=f"day{n // 10}-{n}") for n in range(10, 80)]
    for n in (12, 40, 55):
        tomorrow[n - 10]["count"] = 5000 + n
    assert counts(desk.send(desk.csv(today, "today.csv"))) == {"delivered": 70}
    file = desk.csv(tomorrow, "tomorrow.csv")
    run = desk.send(file)
    assert (run.code, counts(run)) == (65, {"invalid": 3, "already_delivered": 57, "unsent": 10})
    assert [(each["line"], each["code"]) for each in run.json["issues"]] == [
        *((4, "changed"), (32, "changed"), (47, "changed"))
    ]
    assert len(desk.server.requests) == 70
    skipped = desk.send(file, "--on-change", "skip", "--limit", "4")
    assert counts(skipped) == {"already_delivered": 60, "delivered": 4, "unsent": 6}
    sent = desk.send(file, "--on-change", "send")
    assert (sent.code, counts(sent)) == (0, {"already_delivered": 61, "delivered": 9})
    assert counts(desk.send(file)) == {"already_delivered": 70}
    assert len(desk.server.requests) == 83
    assert judge(desk.server, [*today, *tomorrow]).torn == 3, "same ids with new counts"


def test_id_from_names_the_fields(desk: Desk) -> None:
    """An id of the event's own comes before them."""
    flags = ("--id-from", "domain,event_at")
    events = [row(n, event_id="" if n else "own") for n in range(7)]
    assert counts(desk.send(desk.csv(events), *flags)) == {"delivered": 7}
    changed = desk.csv([{**each, "count": 777} for each in events])
    run = desk.send(changed, *flags)
    assert (run.code, counts(run)) == (65, {"invalid": 7})
    assert counts(desk.send(changed, *flags, "--on-change", "send")) == {"delivered": 7}
    assert len(set(desk.server.accepted)) == 7
    assert "own" in desk.server.accepted
    same = {"domain": "one.com", "event_at": 1_790_000_000}
    twice = [desk.csv([row(n, **same), row(n + 1, **same)], f"{n}.csv") for n in (1, 3)]
    run = desk.send(*twice, *flags, "--no-ledger")
    assert run.code == 65
    other = "has the same event_id and other content"
    assert [each["message"] for each in run.json["issues"]] == [
        *(f"line 2 {other}", f"{twice[0]}:2 {other}", f"{twice[0]}:2 {other}")
    ]


@pytest.mark.parametrize(
    "option",
    [
        *(f"--id-from={names}" for names in ("colour", "domain,", "meta.", "")),
        *(f"--shard={share}" for share in ("0/4", "5/4", "1", "a/b", "1/0")),
        *(f"--rejects={name}" for name in ("-", "l.db", "l.db-wal", "events.csv", "link.csv")),
        "--lock=",
    ],
)
def test_what_an_option_cannot_mean(desk: Desk, option: str) -> None:
    file = desk.csv(rows(2))
    file.with_name("link.csv").hardlink_to(file)
    run = desk.run("send-file", file, "--ledger", "l.db", option)
    assert (run.code, desk.server.requests) == (2, [])
    assert option.partition("=")[0] in run.stderr or "cannot take the rejects" in run.stderr


# `now`


def without_time(number: int) -> list[dict[str, object]]:
    return [{k: v for k, v in each.items() if k != "event_at"} for each in rows(number)]


def test_now_makes_an_untouched_file_the_same_events_by_whatever_path(desk: Desk) -> None:
    """And a new export new ones; it is one instant for a run."""
    file = desk.csv(without_time(5))
    assert "--default event_at=now" in desk.send(file).json["issues"][0]["hint"], "never by itself"
    began = int(time.time())
    assert counts(desk.send(file, *NOW)) == {"delivered": 5}
    (at,) = {each.json["payload"]["event_at"] for each in desk.server.requests}
    assert began <= at <= time.time()
    link = desk.world.folder / "link.csv"
    link.symlink_to(file)
    for path in (link, Path(file.name), file.parent / ".." / file.parent.name / file.name):
        assert counts(desk.send(path, *NOW)) == {"already_delivered": 5}
    os.utime(file, (1_790_000_000, 1_790_000_000))
    assert counts(desk.send(file, *NOW)) == {"delivered": 5}
    assert len(set(desk.server.accepted)) == 10


def test_now_on_a_pipe_is_new_every_time_and_says_so(desk: Desk) -> None:
    for _ in range(2):
        run = desk.send("-", *NOW, input=ndjson(without_time(3)))
        assert counts(run) == {"delivered": 3}
        codes = [each["code"] for each in run.json["issues"]]
        assert codes.count("new-in-every-run") == 1
    assert len(set(desk.server.accepted)) == 6


# The ledger


def test_resend_sends_what_was_delivered_with_the_same_ids(desk: Desk) -> None:
    own = row(9, event_id="a")
    file = desk.world.folder / "events.ndjson"
    file.write_text(ndjson([*rows(5), row(1), own, own]))
    assert counts(desk.send(file)) == {"delivered": 7, "already_delivered": 1}
    assert counts(desk.send(file, "--resend")) == {"delivered": 7, "already_delivered": 1}
    assert sorted(map(str, desk.server.accepted[:7])) == sorted(map(str, desk.server.accepted[7:]))
    assert counts(desk.send(file)) == {"already_delivered": 8}
    assert desk.ledger_holds() == 7
    assert "to go on" not in desk.send(file, "--resend", "--limit", "3").stderr, "the same three"
    desk.server.script = refusing(lambda payload: payload["event_id"] == "a", 500)
    run = desk.send(file, "--resend", "--retries", "0")
    assert f"to go on, `reo send-file {file} --resend --retries 0" in run.stderr
    assert "again with the same ids" in run.stderr


def test_a_wrong_clock_forgets_nothing_and_sends_nothing_again(desk: Desk) -> None:
    """C1: 405 days ahead, twice, also with a refused connection; and 1970."""

    def send(days: float, *args: str | Path) -> Run:
        code = f"import time; t = time.time; time.time = lambda: t() + {days * DAY}"
        return desk.send(*args, code=code)

    file = desk.csv(rows(20))
    assert desk.send(file).code == 0
    more = [desk.csv([row(900 + n)], f"{n}.csv") for n in range(4)]
    refused = ("--endpoint", "http://127.0.0.1:9/", "--give-up-after", "0.5")
    assert send(405, more[0], *refused).code == 69
    assert desk.ledger_holds() == 20
    first, second = send(405, more[0]), send(406, more[1])
    assert (first.code, second.code) == (0, 0), first.stderr
    assert "405 days ahead" in first.stderr
    assert "days ahead" not in second.stderr
    assert desk.ledger_holds() == 22
    assert send(-time.time() / DAY + 1, more[2]).code == 0
    assert send(0, more[3]).code == 0
    assert desk.send(file, *more).json["delivered"] == 0
    assert len(desk.server.requests) == desk.ledger_holds() == 24


def test_another_key_stops_the_run_until_it_is_said_what_it_is(desk: Desk) -> None:
    """The doctor warns of it."""

    def doctor(**env: str) -> str:
        run = desk.run("config", "doctor", env=env)
        return next(line for line in run.stdout.splitlines() if "ledger" in line)

    file = desk.csv(rows(6))
    desk.send(file, "--limit", "3")
    for source, data in ((file, None), ("-", ndjson(rows(6)))):
        run = desk.send(source, env=OTHER, input=data)
        assert run.code == 78
        assert len(desk.server.requests) == 3, "nothing was sent"
        assert "to go on" not in run.stderr, "the same command would stop in the same place"
        assert run.json["unsent"] == run.json["read"] > 0
    assert "another key" not in doctor()
    assert "under another key only" in doctor(**OTHER)
    assert "another key" not in doctor(**OTHER, REO_ACCOUNT="other")
    dry = desk.send(file, "--dry-run", "--key-rotated", env=OTHER)
    assert counts(dry) == {"already_delivered": 3, "unsent": 3}
    assert desk.send(file, env=OTHER).code == 78, "a dry run adopts nothing"
    rotated = desk.send(file, "--key-rotated", env=OTHER)
    assert counts(rotated) == {"already_delivered": 3, "delivered": 3}
    assert counts(desk.send(file, env=OTHER)) == {"already_delivered": 6}, "they have moved, once"
    assert desk.send(file).code == 78, "the old key is the other one now"


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_what_a_run_makes_is_private_under_any_umask(desk: Desk, umask: int) -> None:
    file = desk.csv([row(1), row(2, count="x")])
    run = desk.send(file, "--skip-invalid", code=f"import os; os.umask({umask})")
    made = (*desk.world.home.rglob("*"), rejects(run))
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in made} == {
        **dict.fromkeys((".local", "state", "reo"), 0o700),
        **dict.fromkeys(("ledger.db", "locks", "events.csv.reo-rejects"), 0o600),
    }


def test_a_full_temporary_folder_is_a_clear_error(desk: Desk) -> None:
    code = "from reo_cli.checks import scratch; scratch._SETTINGS += 'PRAGMA max_page_count = 4;'"
    run = desk.send(desk.csv(rows(500)), code=code)
    assert (run.code, run.json["error"]["reason"]) == (74, "scratch_failed")
    assert "SQLITE_TMPDIR" in run.json["error"]["hint"]
    assert desk.server.requests == []


# Dry runs


def test_the_dry_run_tells_what_the_ledger_knows_and_changes_nothing(desk: Desk) -> None:
    desk.send(desk.csv(rows(5)))
    held = {path: path.read_bytes() for path in desk.world.home.rglob("*") if path.is_file()}
    file = desk.csv(rows(8))
    run = desk.send(file, "--dry-run")
    assert (run.code, run.json["status"]) == (0, "dry_run")
    assert counts(run) == {"already_delivered": 5, "unsent": 3}
    assert "bodies: 2 of 2" in desk.run("send-file", file, "--dry-run", "--limit", "2").stdout
    shown = desk.run("send-file", file, "--dry-run", "-o", "ndjson")
    now = {path: path.read_bytes() for path in desk.world.home.rglob("*") if path.is_file()}
    assert (now, len(desk.server.requests)) == (held, 5)
    payloads = [each["payload"] for each in shown.lines if each.get("status") == "unsent"]
    desk.send(file, "--concurrency", "1")
    assert payloads == [each.json["payload"] for each in desk.server.requests[5:]]


def test_a_dry_run_of_skip_invalid_has_found_them(desk: Desk) -> None:
    dry = desk.send(desk.csv([*rows(2), row(3, count="x")]), "--dry-run", "--skip-invalid")
    assert (dry.code, counts(dry)) == (65, {"invalid": 1, "unsent": 2})
    assert "add --skip-invalid" not in dry.json["error"]["hint"]


# Bounds


def test_four_shards_at_once_send_everything_once(desk: Desk) -> None:
    """Each event falls to one share, wherever it stands in the file."""
    desk.server.script = late(0.002)
    events, invalid = rows(400, identical=1 / 3), [row(n, count="x") for n in range(12)]
    processes = []
    for share in range(1, 5):
        random.Random(share).shuffle(events)
        file = desk.csv([*events, *invalid], f"{share}.csv")
        options = ("--shard", f"{share}/4", "--skip-invalid", "-o", "json")
        processes.append(desk.start(file, *options))
    runs = [stopped(process, within=60) for process in processes]
    assert {run.code for run in runs} == {1}
    assert sum(run.json["read"] for run in runs) == 412
    assert sum(run.json["invalid"] for run in runs) == 12
    assert all(60 < run.json["delivered"] < 140 for run in runs)
    assert assert_complete(desk.server, events).repeats == 0
    assert counts(desk.send(desk.csv(events))) == {"already_delivered": 400}


def test_limit_and_rate_bound_new_requests_and_the_next_run_goes_on(desk: Desk) -> None:
    file = desk.csv([*rows(25), row(26, count="x")])
    for delivered, earlier in ((10, 0), (10, 10), (5, 20)):
        run = desk.send(file, "--limit", "10", "--skip-invalid", "--rate", "10")
        assert (run.json["delivered"], run.json["already_delivered"]) == (delivered, earlier)
        assert (run.code, run.json["status"]) == (69 if delivered == 10 else 1, "partial")
        assert ("to go on, `reo send-file" in run.stderr) == (delivered == 10)
        times = [each.at for each in desk.server.requests[earlier:]]
        assert delivered / 10 - 0.2 <= times[-1] - times[0] <= 3
        assert run.json["events_per_s"] <= 13
    assert_complete(desk.server, rows(25))
    assert "to go on" not in desk.send(file, "--skip-invalid", "--no-ledger", "--limit", "1").stderr


def test_max_time_ends_in_75_and_the_next_run_goes_on(desk: Desk) -> None:
    desk.server.script = late(0.05)
    file = desk.csv(rows(900))
    run = desk.send(file, "--max-time", "4", "--concurrency", "4")
    assert (run.code, run.json["error"]["reason"]) == (75, "max_time")
    assert run.json["delivered"] == len(desk.server.requests) < 900
    assert run.json["unsent"] == 900 - run.json["delivered"]
    assert run.json["elapsed_s"] < 4.5
    assert desk.send(file, "--max-time", "1", "--allow-failure").code == 0
    never = desk.send(desk.csv(rows(20)), "--max-time", "0.01")
    assert "the check alone takes that long" in never.json["error"]["hint"]
    assert "to go on" not in never.stderr


# Rejects


def test_rejects_can_be_sent_again_unchanged(desk: Desk) -> None:
    desk.server.script = refusing(lambda payload: payload["event_at"] % 2, 422)
    file = desk.csv(rows(20))
    run = desk.send(file)
    assert (run.code, counts(run)) == (1, {"delivered": 10, "rejected": 10})
    kept = rejects(run)
    assert kept == file.with_name("events.csv.reo-rejects")
    desk.server.script = success()
    assert counts(desk.send(kept)) == {"delivered": 10}
    assert counts(desk.send(file)) == {"already_delivered": 20}
    assert_complete(desk.server, rows(20))


def test_a_pipe_keeps_what_was_read_and_not_delivered(desk: Desk) -> None:
    """A key that is refused in the middle: the rejects file holds the rest of what was read."""
    desk.server.script = lambda number, _: success() if number <= 30 else failure(401)
    run = desk.send("-", input=ndjson(rows(200)))
    assert (run.code, counts(run)) == (77, {"delivered": 30, "unsent": 170})
    desk.server.script = success()
    assert counts(desk.send(rejects(run))) == {"delivered": 170}
    assert_complete(desk.server, rows(200))


def test_a_pipe_that_was_cut_is_to_be_run_again_whole(desk: Desk) -> None:
    desk.server.script = wrong_key()
    run = desk.send("-", input=ndjson(rows(6000)))
    assert run.code == 77
    assert run.json["read"] < 6000
    assert "run the whole pipe again: `… | reo send-file - " in run.stderr
    assert "mend what is in the rejects file" not in run.stderr


def test_another_input_s_deliveries_make_all_rejected_a_matter_of_data(desk: Desk) -> None:
    good, bad = desk.csv(rows(5)), desk.csv([row(n, domain="bad.com") for n in range(9)], "bad.csv")
    desk.server.script = refusing(lambda payload: payload["domain"] == "bad.com")
    most = ("--max-rejects", "3", "--concurrency", "1")
    run = desk.send(good, bad, *most)
    assert (run.code, run.json["error"]["reason"]) == (1, "all_rejected")
    assert "first 3 events of" in run.json["error"]["message"]
    assert desk.send(bad, *most).code == 65


def test_every_record_has_its_line_also_when_the_check_fails(desk: Desk) -> None:
    file = desk.csv([*rows(2), row(3, count="x"), row(4)])
    run = desk.run("send-file", file, "-o", "ndjson")
    ends = [each.get("status") for each in run.lines]
    assert ends == ["unsent", "unsent", "invalid", "unsent", None]
    assert run.lines[-1]["summary"]["exit_code"] == run.code == 65


# Inputs that change, wait or are locked


def test_a_file_that_changes_between_check_and_sending_stops_the_run(desk: Desk) -> None:
    desk.server.script = late(0.02)
    file = desk.csv([row(n, user_agent="x" * 600) for n in range(2000)])
    process = desk.running(file, "-o", "json", after=20)
    with file.open("a") as stream:
        stream.write("primary,1,acme.com,1790000000,app,\n")
    run = stopped(process, within=60)
    assert (run.code, run.json["error"]["reason"], run.json["read"]) == (74, "input_changed", 2000)
    assert run.json["delivered"] == len(desk.server.requests)
    assert desk.ledger_holds() == run.json["delivered"], "what was acknowledged is remembered"


def test_a_slow_pipe_is_sent_as_it_comes_and_a_named_lock_keeps_pipes_apart(desk: Desk) -> None:
    """No block has to be full first, and waiting for the pipe is no failure of the API."""
    lock = ("-", "--format", "ndjson", "--lock", "nightly")
    process = desk.start(*lock, "--give-up-after", "0.5", stdin=subprocess.PIPE)
    assert process.stdin is not None
    for number in range(1, 4):
        process.stdin.write(ndjson([row(number)]).encode())
        process.stdin.flush()
        assert wait_until(lambda n=number: len(desk.server.accepted) == n, process)  # type: ignore[misc]
        time.sleep(0.7)
    second = desk.send(*lock, input=ndjson([row(4)]))
    assert (second.code, second.json["error"]["reason"]) == (75, "locked")
    assert desk.send(*lock[:-1], "other", input=ndjson([row(4)])).code == 0
    process.stdin.close()
    assert process.wait(timeout=10) == 0, process.stderr
    assert_complete(desk.server, rows(4))


def test_a_dry_run_needs_no_lock_and_the_sandbox_neither(desk: Desk) -> None:
    desk.server.script = late(2)
    file = desk.csv(rows(30))
    process = desk.running(file, "--concurrency", "1")
    assert desk.send(file, "--dry-run").code == 0
    assert counts(desk.send(file, "--sandbox")) == {"delivered": 30}
    assert desk.send(file).code == 75
    process.kill()
    process.communicate()

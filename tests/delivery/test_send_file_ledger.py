"""What is sent, skipped, changed and remembered, as users of `send-file` see it (design.md)."""

import gzip
import itertools
import json
import os
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Run, World
from tests.delivery.harness import (
    Desk,
    assert_complete,
    counts,
    judge,
    ndjson,
    row,
    rows,
    wait_until,
    write_csv,
)
from tests.faults import Action, FaultServer, Request, failure, late, success, throttled, wrong_key

OTHER_KEY = "canary-key-the-second-one"
DAY = 86_400


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture
def desk(world: World, server: FaultServer) -> Desk:
    return Desk(world, server)


def ids(server: FaultServer) -> list[str]:
    return [str(each) for each in server.accepted]


# The same events again


def test_a_second_run_sends_nothing(desk: Desk) -> None:
    file = desk.csv(rows(50, identical=1 / 3))
    assert counts(desk.send(file)) == {"delivered": 50}
    again = desk.send(file)
    assert (again.code, counts(again)) == (0, {"already_delivered": 50})
    assert again.json["attempts"] == 0
    assert len(desk.server.requests) == 50


def test_whatever_file_format_order_or_pipe_they_come_from(desk: Desk) -> None:
    """CSV first, then shuffled NDJSON through a pipe, gzip, another name: not one request more."""
    events = rows(300, identical=1 / 3)
    desk.send(desk.csv(events))
    random.Random(4).shuffle(events)
    folder = desk.world.folder
    (folder / "other.json").write_text(json.dumps(events))
    (folder / "packed.ndjson.gz").write_bytes(gzip.compress(ndjson(events).encode()))
    for source, data in (
        ("-", ndjson(events)),
        ("other.json", None),
        ("packed.ndjson.gz", None),
        ("-", "\n".join(json.dumps({"payload": each}, indent=1) for each in events)),
    ):
        assert counts(desk.send(source, input=data)) == {"already_delivered": 300}
    assert len(desk.server.requests) == 300


def test_two_identical_rows_are_two_events_and_still_two_after_a_re_run(desk: Desk) -> None:
    file = desk.csv([row(1), row(1)])
    assert counts(desk.send(file)) == {"delivered": 2}
    assert counts(desk.send(file)) == {"already_delivered": 2}
    assert len(set(ids(desk.server))) == 2
    assert counts(desk.send(desk.csv([row(1)] * 3))) == {"already_delivered": 2, "delivered": 1}


def test_equal_events_in_two_files_are_one(desk: Desk) -> None:
    first = write_csv(desk.world.folder / "a.csv", rows(20))
    second = write_csv(desk.world.folder / "b.csv", rows(30))
    run = desk.send(first, second)
    assert counts(run) == {"delivered": 30, "already_delivered": 20}
    assert [each["delivered"] for each in run.json["inputs"]] == [20, 10]
    assert len(desk.server.requests) == 30


def test_a_file_given_twice_is_sent_once(desk: Desk) -> None:
    file = desk.csv(rows(10, identical=1 / 2))
    assert counts(desk.send(file, file)) == {"delivered": 10, "already_delivered": 10}


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
    assert [each["line"] for each in run.json["issues"]] == [4, 32, 47]
    assert {each["code"] for each in run.json["issues"]} == {"changed"}
    assert all(
        "changed since it was delivered on" in each["message"] for each in run.json["issues"]
    )
    assert all("--on-change send" in each["hint"] for each in run.json["issues"])
    assert len(desk.server.requests) == 70

    skipped = desk.send(file, "--on-change", "skip", "--limit", "4")
    assert counts(skipped) == {"already_delivered": 60, "delivered": 4, "unsent": 6}
    sent = desk.send(file, "--on-change", "send")
    assert (sent.code, counts(sent)) == (0, {"already_delivered": 61, "delivered": 9})
    assert counts(desk.send(file)) == {"already_delivered": 70}
    assert len(desk.server.requests) == 83
    assert judge(desk.server, [*today, *tomorrow]).torn == 3, "same ids with new counts"


def test_skip_invalid_keeps_the_changed_ones_apart(desk: Desk) -> None:
    desk.send(desk.csv([row(1, event_id="a")]))
    run = desk.send(desk.csv([row(2, event_id="a"), row(3, event_id="b")]), "--skip-invalid")
    assert (run.code, counts(run)) == (1, {"invalid": 1, "delivered": 1})
    lines = Path(run.json["inputs"][0]["rejects_file"]).read_text().splitlines()
    assert "changed since" in json.loads(lines[0])["error"]["reason"]


# Ways to say what identifies an event


def test_id_from_names_the_fields(desk: Desk) -> None:
    events = [row(n) for n in range(1, 8)]
    flags = ["--id-from", "domain,event_at"]
    assert counts(desk.send(desk.csv(events), *flags)) == {"delivered": 7}
    changed = [{**each, "count": 777} for each in events]
    run = desk.send(desk.csv(changed), *flags)
    assert (run.code, counts(run)) == (65, {"invalid": 7})
    assert counts(desk.send(desk.csv(changed), *flags, "--on-change", "send")) == {"delivered": 7}
    assert len(set(ids(desk.server))) == 7
    twice = [row(1), row(2, domain=row(1)["domain"], event_at=row(1)["event_at"])]
    run = desk.send(desk.csv(twice), "--id-from", "domain,event_at", "--no-ledger")
    assert run.code == 65
    assert "same event_id and other content" in run.json["issues"][0]["message"]


@pytest.mark.parametrize("names", ["colour", "domain,", "meta.", ""])
def test_id_from_refuses_what_is_no_field(desk: Desk, names: str) -> None:
    done = desk.world.run("send-file", str(desk.csv(rows(2))), "--id-from", names)
    assert done.code == 2
    assert "--id-from" in done.stderr


def test_event_ids_of_numbers_and_texts_are_the_same(desk: Desk) -> None:
    desk.send("-", input=json.dumps(row(1, event_id=42)))
    assert desk.server.requests[0].json["payload"]["event_id"] == 42
    assert counts(desk.send(desk.csv([row(1, event_id="42")]))) == {"already_delivered": 1}


# `now`


def without_time(number: int) -> list[dict[str, object]]:
    return [{k: v for k, v in row(n).items() if k != "event_at"} for n in range(1, number + 1)]


def test_now_makes_an_untouched_file_the_same_events_and_a_new_export_new_ones(desk: Desk) -> None:
    file = desk.csv(without_time(5))
    now = ["--default", "event_at=now"]
    began = int(time.time())
    assert counts(desk.send(file, *now)) == {"delivered": 5}
    times = {each.json["payload"]["event_at"] for each in desk.server.requests}
    assert len(times) == 1, "one instant for a run"
    assert began <= times.pop() <= time.time()
    time.sleep(1.1)
    assert counts(desk.send(file, *now)) == {"already_delivered": 5}
    os.utime(file, (1_790_000_000, 1_790_000_000))
    assert counts(desk.send(file, *now)) == {"delivered": 5}
    assert len(set(ids(desk.server))) == 10


def test_now_on_a_pipe_is_new_every_time_and_says_so(desk: Desk) -> None:
    for _ in range(2):
        run = desk.send("-", "--set", "event_at=now", input=ndjson(without_time(3)))
        assert counts(run) == {"delivered": 3}
        codes = [each["code"] for each in run.json["issues"]]
        assert codes.count("new-in-every-run") == 1
    assert len(set(ids(desk.server))) == 6


def test_a_missing_time_is_never_filled_by_itself(desk: Desk) -> None:
    run = desk.send(desk.csv(without_time(1)))
    assert run.code == 65
    assert "--default event_at=now" in run.json["issues"][0]["hint"]


# The ledger


def test_a_new_ledger_is_announced_once_and_told_of(desk: Desk) -> None:
    first, second = (desk.send(desk.csv(rows(3))) for _ in range(2))
    assert first.json["ledger"]["created"]
    assert first.json["ledger"]["events"] == 3
    assert first.json["ledger"]["path"] in first.stderr
    assert not second.json["ledger"]["created"]
    assert second.json["ledger"]["path"] not in second.stderr


def test_no_ledger_remembers_nothing_but_knows_its_own_run(desk: Desk) -> None:
    file = desk.csv([row(1, event_id="a"), row(1, event_id="a"), row(2, event_id="b")])
    for _ in range(2):
        run = desk.send(file, "--no-ledger")
        assert counts(run) == {"delivered": 2, "already_delivered": 1}
        assert run.json["ledger"] is None
    assert len(desk.server.requests) == 4
    assert not list(desk.world.home.rglob("ledger.db"))


def test_resend_sends_what_was_delivered_with_the_same_ids(desk: Desk) -> None:
    file = desk.world.folder / "events.ndjson"
    own = row(9, event_id="a")
    file.write_text(ndjson([*rows(5), row(1), own, own]))
    assert counts(desk.send(file)) == {"delivered": 7, "already_delivered": 1}
    assert counts(desk.send(file, "--resend")) == {"delivered": 7, "already_delivered": 1}
    assert sorted(ids(desk.server)[:7]) == sorted(ids(desk.server)[7:])
    assert counts(desk.send(file)) == {"already_delivered": 8}
    assert desk.ledger_holds() == 7


def test_another_endpoint_is_another_scope(desk: Desk) -> None:
    file = desk.csv(rows(4))
    desk.send(file)
    with FaultServer() as staging:
        assert counts(desk.send(file, "--endpoint", staging.url)) == {"delivered": 4}
        assert sorted(ids(staging)) == sorted(ids(desk.server))


def test_a_wrong_clock_forgets_nothing_and_sends_nothing_again(desk: Desk) -> None:
    """C1: 405 days ahead, twice, also with a refused connection; and 1970."""

    def send(days: float, *args: str | Path) -> Run:
        return desk.send(
            *args, code=f"import time; t = time.time; time.time = lambda: t() + {days * DAY}"
        )

    file = desk.csv(rows(20))
    assert desk.send(file).code == 0
    more = [desk.csv([row(900 + n)], f"{n}.csv") for n in range(5)]
    refused = ("--endpoint", "http://127.0.0.1:9/", "--give-up-after", "0.5")
    assert send(405, more[0], *refused).code == 69
    assert desk.ledger_holds() == 20
    first, second = send(405, more[0]), send(406, more[1])
    assert (first.code, second.code) == (0, 0), first.stderr
    assert "405 days ahead" in first.stderr
    assert "days ahead" not in second.stderr
    assert desk.ledger_holds() == 22
    assert send(405, file).code == 0
    assert send(-time.time() / DAY + 1, more[2]).code == 0
    assert send(0, more[3]).code == 0
    assert len(desk.server.requests) == 24
    for each in (file, *more[:4]):
        assert desk.send(each).json["delivered"] == 0
    assert desk.ledger_holds() == 24


def test_doctor_warns_of_a_key_that_a_run_would_stop_with(desk: Desk) -> None:
    def said(**env: str) -> str:
        run = desk.world.run("config", "doctor", env=desk.environ(env))
        return next(line for line in run.stdout.splitlines() if "ledger" in line)

    assert "another key" not in said()
    desk.send(desk.csv(rows(3)))
    assert "another key" not in said()
    assert "under another key only" in said(REO_API_KEY=OTHER_KEY)
    assert "another key" not in said(REO_API_KEY=OTHER_KEY, REO_ACCOUNT="other")


def test_an_interrupted_resend_says_how_to_go_on(desk: Desk) -> None:
    file = desk.csv(rows(10))
    desk.send(file)
    run = desk.send(file, "--resend", "--limit", "3")
    assert counts(run) == {"delivered": 3, "unsent": 7}
    assert f"to go on, `reo send-file {file} --resend --limit 3" in run.stderr
    assert "again with the same ids" in run.stderr


def test_another_key_stops_the_run_until_it_is_said_what_it_is(desk: Desk) -> None:
    file, new = desk.csv(rows(6)), {"REO_API_KEY": OTHER_KEY}
    desk.send(file, "--limit", "3")
    for source, data in ((file, None), ("-", ndjson(rows(6)))):
        stopped = desk.send(source, env=new, input=data)
        assert stopped.code == 78
        assert len(desk.server.requests) == 3, "nothing was sent"
        assert "to go on" not in stopped.stderr, "the same command would stop in the same place"
    assert "--key-rotated" in stopped.json["error"]["hint"]
    assert stopped.json["unsent"] == stopped.json["read"] > 0
    rotated = desk.send(file, "--key-rotated", env=new)
    assert counts(rotated) == {"already_delivered": 3, "delivered": 3}
    assert counts(desk.send(file, env=new)) == {"already_delivered": 6}, "they have moved, once"
    assert desk.send(file).code == 78, "the old key is the other one now"


def test_a_named_account_outlives_its_keys(desk: Desk) -> None:
    file = desk.csv(rows(4))
    assert counts(desk.send(file, "--account", "acme")) == {"delivered": 4}
    second = desk.send(file, env={"REO_API_KEY": OTHER_KEY, "REO_ACCOUNT": "acme"})
    assert counts(second) == {"already_delivered": 4}
    third = desk.send(file, "--account", "other", env={"REO_API_KEY": OTHER_KEY})
    assert counts(third) == {"delivered": 4}


def test_the_dry_run_tells_what_the_ledger_knows_and_changes_nothing(desk: Desk) -> None:
    desk.send(desk.csv(rows(5)))
    held = {path: path.read_bytes() for path in desk.world.home.rglob("*") if path.is_file()}
    run = desk.send(desk.csv(rows(8)), "--dry-run")
    assert (run.code, run.json["status"]) == (0, "dry_run")
    assert counts(run) == {"already_delivered": 5, "unsent": 3}
    assert len(desk.server.requests) == 5
    now = {path: path.read_bytes() for path in desk.world.home.rglob("*") if path.is_file()}
    assert now == held
    shown = desk.world.run(
        *("send-file", "events.csv", "--dry-run", "-o", "ndjson"), env=desk.environ()
    )
    payloads = [each["payload"] for each in shown.lines if each.get("status") == "unsent"]
    desk.send(desk.csv(rows(8)), "--concurrency", "1")
    assert payloads == [each.json["payload"] for each in desk.server.requests[5:]]


# Shares


def test_four_shards_at_once_send_everything_once(desk: Desk) -> None:
    desk.server.script = late(0.002)
    events = rows(400, identical=1 / 3)
    files = [desk.csv(events, f"{n}.csv") for n in range(4)]
    processes = [
        desk.start(file, "--shard", f"{n}/4", "-o", "json", stdout=subprocess.PIPE)
        for n, file in enumerate(files, start=1)
    ]
    results = []
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        results.append(json.loads(out))
    assert sum(each["read"] for each in results) == 400
    assert all(60 < each["delivered"] < 140 for each in results)
    assert assert_complete(desk.server, events).repeats == 0
    assert counts(desk.send(files[0])) == {"already_delivered": 400}


def test_invalid_records_fall_to_one_share_too(desk: Desk) -> None:
    events = [row(n, count="x" if n % 4 == 0 else n) for n in range(1, 41)]
    file = desk.csv(events)
    found = [desk.send(file, "--shard", f"{n}/3", "--skip-invalid").json for n in (1, 2, 3)]
    assert sum(each["invalid"] for each in found) == 10
    assert sum(each["delivered"] for each in found) == 30


@pytest.mark.parametrize("share", ["0/4", "5/4", "1", "a/b", "1/0"])
def test_a_share_that_is_none(desk: Desk, share: str) -> None:
    done = desk.world.run("send-file", str(desk.csv(rows(2))), "--shard", share)
    assert (done.code, desk.server.requests) == (2, [])


# Bounds


def test_limit_bounds_new_requests_and_the_next_run_goes_on(desk: Desk) -> None:
    file = desk.csv(rows(25))
    for delivered, earlier in ((10, 0), (10, 10), (5, 20)):
        run = desk.send(file, "--limit", "10")
        assert run.json["delivered"] == delivered
        assert run.json["already_delivered"] == earlier
        assert run.code == (69 if delivered == 10 else 0)
    assert_complete(desk.server, rows(25))


def test_max_time_ends_in_75_and_the_next_run_goes_on(desk: Desk) -> None:
    desk.server.script = late(0.05)
    file = desk.csv(rows(900))
    run = desk.send(file, "--max-time", "4", "--concurrency", "4")
    assert (run.code, run.json["error"]["reason"]) == (75, "max_time")
    assert run.json["delivered"] == len(desk.server.requests) < 900
    assert run.json["unsent"] == 900 - run.json["delivered"]
    assert run.json["elapsed_s"] < 4.5
    assert desk.send(file, "--max-time", "1", "--allow-failure").code == 0


def test_give_up_after_ends_in_69_and_keeps_what_was_delivered(desk: Desk) -> None:
    desk.server.script = [*[success()] * 10, *[failure(503)] * 500]
    run = desk.send(desk.csv(rows(60)), "--give-up-after", "1", "--concurrency", "2")
    assert (run.code, run.json["error"]["reason"]) == (69, "gave_up")
    assert counts(run) == {"delivered": 10, "unsent": 50}


def test_rate_is_not_exceeded(desk: Desk) -> None:
    run = desk.send(desk.csv(rows(40)), "--rate", "20", "--concurrency", "32")
    times = [each.at for each in desk.server.requests]
    assert 1.8 <= times[-1] - times[0] <= 3.5
    for first, later in itertools.pairwise(times[::10]):
        assert later - first >= 0.4
    assert run.json["events_per_s"] <= 22


def test_retries_of_zero_and_a_wait_that_is_asked_for(desk: Desk) -> None:
    desk.server.script = [success(), throttled(1), success(), success()]
    began = time.monotonic()
    run = desk.send(desk.csv(rows(3)), "--concurrency", "1")
    assert counts(run) == {"delivered": 3}
    times = [each.at for each in desk.server.requests]
    assert times[2] - times[1] >= 1
    assert time.monotonic() - began < 5


# Rejects


def reject_odd(_: int, request: Request) -> Action:
    odd = request.json["payload"]["event_at"] % 2
    return failure(422, "odd") if odd else success()


def test_rejects_can_be_sent_again_unchanged_and_each_is_in_the_file_once(desk: Desk) -> None:
    desk.server.script = reject_odd
    file = desk.csv(rows(20))
    run = desk.send(file)
    assert (run.code, counts(run)) == (1, {"delivered": 10, "rejected": 10})
    rejects = Path(run.json["inputs"][0]["rejects_file"])
    assert rejects == file.with_name("events.csv.reo-rejects")
    assert rejects.stat().st_mode & 0o777 == 0o600
    lines = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert [set(each["error"]) for each in lines] == [
        {"file", "line", "record", "status", "reason"}
    ] * 10
    assert {each["error"]["status"] for each in lines} == {422}

    again = desk.send(file)
    assert counts(again) == {"already_delivered": 10, "rejected": 10}, "they are tried again"
    assert len(rejects.read_text().splitlines()) == 10, "and written once"

    desk.server.script = success()
    assert counts(desk.send(rejects)) == {"delivered": 10}
    assert counts(desk.send(file)) == {"already_delivered": 20}
    assert_complete(desk.server, rows(20))


def test_a_pipe_keeps_what_was_read_and_not_delivered(desk: Desk) -> None:
    """A key that is refused in the middle: the rejects file holds the rest of what was read."""

    def script(number: int, _: Request) -> Action:
        return success() if number <= 30 else failure(401)

    desk.server.script = script
    events = rows(200)
    run = desk.send("-", input=ndjson(events))
    assert run.code == 77
    assert run.json["delivered"] == 30
    assert run.json["read"] == 200
    rejects = Path(run.json["inputs"][0]["rejects_file"])
    assert len(rejects.read_text().splitlines()) == run.json["unsent"] == 170
    desk.server.script = success()
    assert counts(desk.send(rejects)) == {"delivered": 170}
    assert_complete(desk.server, events)


def test_errored_events_of_a_pipe_are_kept_too(desk: Desk) -> None:
    def script(_: int, request: Request) -> Action:
        return failure(500) if request.json["payload"]["count"] == 6 else success()

    desk.server.script = script
    run = desk.send("-", "--retries", "0", input=ndjson(rows(20)))
    assert (run.code, counts(run)) == (69, {"delivered": 19, "errored": 1})
    rejects = Path(run.json["inputs"][0]["rejects_file"])
    assert [json.loads(line)["error"]["line"] for line in rejects.read_text().splitlines()] == [5]


# Inputs that change, wait or are locked


def test_a_file_that_changes_between_check_and_sending_stops_the_run(desk: Desk) -> None:
    desk.server.script = late(0.02)
    events = [row(n, user_agent="x" * 600) for n in range(2000)]
    file = desk.csv(events)
    process = desk.start(file, "-o", "json", "--concurrency", "8", stdout=subprocess.PIPE)
    assert wait_until(lambda: len(desk.server.requests) > 20, process)
    with file.open("a") as stream:
        stream.write("primary,1,acme.com,1790000000,app,\n")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 74, err
    result = json.loads(out)
    assert result["error"]["reason"] == "input_changed"
    assert result["delivered"] == len(desk.server.requests)
    assert result["read"] == 2000
    assert desk.ledger_holds() == result["delivered"], "what was acknowledged is remembered"


def test_a_slow_pipe_is_sent_as_it_comes(desk: Desk) -> None:
    """No block has to be full first, and waiting for the pipe is no failure of the API."""
    process = desk.start(
        *("-", "--format", "ndjson", "--give-up-after", "0.5"), stdin=subprocess.PIPE
    )
    assert process.stdin is not None
    for number in range(1, 4):
        process.stdin.write(ndjson([row(number)]).encode())
        process.stdin.flush()
        assert wait_until(lambda n=number: len(ids(desk.server)) == n, process)  # type: ignore[misc]
        time.sleep(0.7)
    process.stdin.close()
    assert process.wait(timeout=10) == 0, process.stderr
    assert_complete(desk.server, rows(3))


def test_an_empty_pipe_is_no_success(desk: Desk) -> None:
    run = desk.send("-", input=b"")
    assert run.code == 66
    assert "before the pipe" in run.json["error"]["hint"]


def test_a_named_lock_keeps_pipes_apart(desk: Desk) -> None:
    first = desk.start("-", "--lock", "nightly", "--format", "ndjson", stdin=subprocess.PIPE)
    assert first.stdin is not None
    first.stdin.write(ndjson([row(1)]).encode())
    first.stdin.flush()
    assert wait_until(lambda: desk.server.requests, first)
    second = desk.send("-", "--lock", "nightly", input=ndjson([row(2)]))
    assert (second.code, second.json["error"]["reason"]) == (75, "locked")
    other = desk.send("-", "--lock", "other", input=ndjson([row(2)]))
    assert other.code == 0
    first.stdin.close()
    assert first.wait(timeout=10) == 0


def test_a_dry_run_needs_no_lock_and_the_sandbox_neither(desk: Desk) -> None:
    desk.server.script = late(0.2)
    file = desk.csv(rows(30))
    process = desk.start(file, "--concurrency", "1")
    assert wait_until(lambda: desk.server.requests, process)
    assert desk.send(file, "--dry-run").code == 0
    assert counts(desk.send(file, "--sandbox")) == {"delivered": 30}
    assert desk.send(file).code == 75
    process.kill()
    process.communicate()


def test_the_command_to_go_on_is_given_though_a_record_is_invalid(desk: Desk) -> None:
    events = [*rows(30), row(31, count="x")]
    stopped = desk.send(desk.csv(events), "--skip-invalid", "--limit", "4")
    assert counts(stopped) == {"delivered": 4, "invalid": 1, "unsent": 26}
    assert "to go on, `reo send-file" in stopped.stderr


def test_a_pipe_that_was_cut_is_to_be_run_again_whole(desk: Desk) -> None:
    desk.server.script = wrong_key()
    stopped = desk.send("-", input=ndjson(rows(6000)))
    assert stopped.code == 77
    assert stopped.json["read"] < 6000
    assert "run the whole pipe again: `… | reo send-file - " in stopped.stderr
    assert "mend what is in the rejects file" not in stopped.stderr


def test_now_is_the_same_file_by_whatever_path(desk: Desk) -> None:
    events = [{k: v for k, v in each.items() if k != "event_at"} for each in rows(3)]
    file = desk.csv(events)
    link = desk.world.folder / "link.csv"
    link.symlink_to(file)
    now = ("--default", "event_at=now")
    assert counts(desk.send(file, *now)) == {"delivered": 3}
    for path in (link, Path(file.name), file.parent / ".." / file.parent.name / file.name):
        assert counts(desk.send(path, *now)) == {"already_delivered": 3}


def test_a_dry_run_counts_equal_events_as_a_run_does(desk: Desk) -> None:
    plain, own = row(1, event_id=""), row(2, event_id="x")
    files = [desk.csv([plain, plain, own, own], name) for name in ("a.csv", "b.csv")]
    assert counts(desk.send(*files, "--dry-run")) == {"already_delivered": 5, "unsent": 3}
    assert counts(desk.send(*files, "--dry-run", "--no-ledger")) == {"unsent": 8}
    assert counts(desk.send(*files)) == {"delivered": 3, "already_delivered": 5}


def test_a_dry_run_says_what_a_run_would_do(desk: Desk) -> None:
    file = desk.csv(rows(6))
    text = desk.world.run("send-file", str(file), "--dry-run", "--limit", "2", env=desk.environ())
    assert "dry run: 2 events would be sent" in text.stdout
    assert "bodies: 2 of 2" in text.stdout
    desk.send(file, "--limit", "4")
    rotated = {"REO_API_KEY": OTHER_KEY}
    dry = desk.send(file, "--dry-run", "--key-rotated", env=rotated)
    assert counts(dry) == {"already_delivered": 4, "unsent": 2}
    assert desk.send(file, env=rotated).code == 78, "a dry run adopts nothing"
    bad = desk.csv([*rows(2), row(3, count="x")], "bad.csv")
    dry = desk.send(bad, "--dry-run", "--skip-invalid")
    assert dry.code == 65
    assert "add --skip-invalid" not in dry.json["error"]["hint"]


def test_every_record_has_its_line_also_when_the_check_fails(desk: Desk) -> None:
    file = desk.csv([*rows(2), row(3, count="x"), row(4)])
    run = desk.world.run("send-file", str(file), "-o", "ndjson", env=desk.environ())
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert [each.get("status") for each in lines] == ["unsent", "unsent", "invalid", "unsent", None]
    assert lines[-1]["summary"]["exit_code"] == run.code == 65


def test_another_input_s_deliveries_make_all_rejected_a_matter_of_data(desk: Desk) -> None:
    def script(_: int, request: Request) -> Action:
        bad = request.json["payload"]["domain"] == "bad.com"
        return failure(400) if bad else success()

    good, bad = desk.csv(rows(5)), desk.csv([row(n, domain="bad.com") for n in range(9)], "bad.csv")
    desk.server.script = script
    run = desk.send(good, bad, "--max-rejects", "3", "--concurrency", "1")
    assert (run.code, run.json["error"]["reason"]) == (1, "all_rejected")
    assert "first 3 events of" in run.json["error"]["message"]
    assert desk.send(bad, "--max-rejects", "3", "--concurrency", "1").code == 65


def test_the_ledger_takes_no_rejects(desk: Desk) -> None:
    file = desk.csv(rows(2))
    desk.send(file, "--ledger", "l.db")
    assert (
        desk.world.run(
            *("send-file", str(file), "--ledger", "l.db", "--rejects", "l.db"), env=desk.environ()
        ).code
        == 2
    )
    for name in ("new.db", "new.db-wal"):
        new = ("--ledger", "new.db", "--rejects", name)
        assert desk.world.run("send-file", str(file), *new, env=desk.environ()).code == 2
    for option in (("--lock", ""), ("--rejects", "-")):
        assert desk.world.run("send-file", str(file), *option, env=desk.environ()).code == 2


def test_the_command_for_the_rejects_goes_to_the_same_place(desk: Desk) -> None:
    file = desk.csv([*rows(2), row(3, count="x")])
    where = ("--endpoint", desk.server.url, "--ledger=own.db")
    run = desk.send(file, "--skip-invalid", *where)
    assert run.code == 1
    command = run.stderr.partition("rejects file, then `")[2].partition("`")[0]
    assert (
        command == f"reo send-file {file}.reo-rejects --endpoint {desk.server.url} --ledger=own.db"
    )
    assert "to go on" not in desk.send(file, "--skip-invalid", "--no-ledger", "--limit", "1").stderr

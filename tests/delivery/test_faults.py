"""N1 to N14: faults of the network and of the server (reliability.md section 4).

The real program against a server that misbehaves as told. N4, ten minutes of N3 and what else must
be told to the second are in test_dispatch.py and test_pace.py, in virtual time; every kind of drip
of N6 is in test_client_deadline.py.
"""

import random
import time
from collections import Counter
from dataclasses import replace

import pytest

from tests import faults
from tests.conftest import CANARY, World, scaled
from tests.delivery.harness import Desk, assert_complete, counts, judge, row, rows
from tests.faults import Action, FaultServer, Request


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_n1_a_third_of_all_requests_goes_wrong(desk: Desk) -> None:
    """0 lost, unique = rows, at most 1.6 requests a row, with every kind of fault mixed.

    Of 20,000 events a few have six faults in a row: they are errored, and the exit code says that
    the same command has to run again.
    """
    chance = random.Random(11)
    kinds = [
        faults.failure(500),
        faults.failure(503),
        faults.hang_up(),
        faults.reset(),
        faults.cut_head(),
        faults.late(0.1),
        faults.page(),  # a run would end with it before its first delivery
        replace(faults.failure(502), accepted=True),
        faults.cut_head(accepted=True),
        faults.cut_body(accepted=True),
        faults.cut_json(accepted=True),
        faults.reset(accepted=True),
        faults.late(0.9, faults.cut_json()),
    ]

    def script(number: int, _: Request) -> Action:
        if chance.random() >= 0.3:
            return faults.late(0.002)
        return chance.choice(kinds if number > 50 else kinds[:6])

    events = rows(scaled(20_000, 1000), identical=1 / 3)
    desk.server.script = script
    desk.options = ["--concurrency", "16", "--timeout", "0.8"]
    file = desk.csv(events)
    first = desk.send(file, timeout=1200)
    errored = first.json["errored"]
    assert first.code == (69 if errored else 0), first.stderr
    assert first.json["delivered"] == len(events) - errored
    assert errored <= len(events) / 1000
    assert first.json["attempts"] <= len(desk.server.requests)
    desk.server.script = faults.success()
    assert desk.send(file).code == 0
    assert_complete(desk.server, events)
    assert len(desk.server.requests) / len(events) <= 1.6


def test_n2_the_attempt_after_the_faults_delivers_the_same_bytes(desk: Desk) -> None:
    """One event fails for ever: it is errored, and the rest is delivered."""
    kinds = {
        10: faults.failure(500),
        15: faults.cut_body(accepted=True),
        20: faults.cut_json(accepted=True),
        25: faults.reset(accepted=True),
        30: faults.hang_up(),
        35: faults.silence(),
        40: faults.throttled(1),  # the last: that wait is looked at below
    }
    tries: Counter[int] = Counter()

    def script(_: int, request: Request) -> Action:
        count = request.json["payload"]["count"]
        tries[count] += 1
        if count == 8:
            return faults.failure(500, "boom")
        return kinds[count] if count in kinds and tries[count] <= 2 else faults.late(0.05)

    desk.server.script = script
    file = desk.csv(rows(60))
    run = desk.send(file, "--retries", "2", "--timeout", "0.5")
    assert (run.code, counts(run)) == (69, {"delivered": 59, "errored": 1})
    for count, fault in kinds.items():
        requests = [each for each in desk.server.requests if each.json["payload"]["count"] == count]
        assert len({request.body for request in requests}) == 1
        assert [each.accepted for each in requests] == [fault.accepted, fault.accepted, True]
    times = [each.at for each in desk.server.requests]
    for refused in requests[:2]:
        on_its_way = refused.at + 0.15  # what had been sent before the refusal was read
        assert not [at for at in times if on_its_way < at < refused.at + 1]
    desk.server.script = faults.success()
    assert counts(desk.send(file)) == {"already_delivered": 59, "delivered": 1}


@pytest.mark.slow
def test_n3_a_server_that_is_away_for_seconds(desk: Desk) -> None:
    """It goes on by itself; the events in between lose no attempts."""
    events, server = rows(300), desk.server
    server.script = faults.late(0.02)
    process = desk.running(desk.csv(events), "--retries", "1", "--concurrency", "4", after=50)
    server.go_down()
    before = len(server.requests)
    time.sleep(2)
    server.come_back()
    back = time.monotonic()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert_complete(server, events)
    assert server.requests[before].at - back < 12


@pytest.mark.parametrize(
    ("option", "code", "reason", "said"),
    [
        ("--give-up-after", 69, "gave_up", ""),
        ("--max-time", 75, "max_time", "; 0 of 20 events are delivered"),
    ],
)
def test_n3_a_server_that_never_was_there_ends_the_run(
    desk: Desk, option: str, code: int, reason: str, said: str
) -> None:
    desk.server.go_down()
    run = desk.send(desk.csv(rows(20)), option, "2")
    assert (run.code, counts(run)) == (code, {"unsent": 20})
    assert run.json["error"]["reason"] == reason
    assert "connection refused" in run.json["error"]["message"]
    assert said in run.json["error"]["message"]


def test_n6_every_attempt_ends_at_its_deadline(desk: Desk) -> None:
    desk.server.script = faults.drip_body()
    run = desk.send(desk.csv([row(1)]), "--timeout", "0.7", "--retries", "0")
    assert (run.code, counts(run), run.json["attempts"]) == (69, {"errored": 1}, 1)
    assert 0.7 <= run.json["elapsed_s"] < 5


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (faults.failure(401, "Unauthorized"), 77),
        (faults.wrong_key(200), 77),
        (faults.page(), 76),
        (faults.redirect("https://login.test/"), 76),
        (faults.failure(405), 76),
        (faults.failure(407), 78),
    ],
    ids=["401", "200 failure body", "page", "redirect", "405", "407"],
)
def test_n9_a_wrong_key_or_url_costs_exactly_one_request(
    desk: Desk, answer: Action, code: int
) -> None:
    desk.server.script = answer
    run = desk.send(desk.csv(rows(100)), "--concurrency", "64")
    assert (run.code, counts(run)) == (code, {"unsent": 100})
    assert run.json["elapsed_s"] < 5
    assert len(desk.server.requests) == 1
    assert run.json["status"] == "failed"


@pytest.mark.slow
@pytest.mark.parametrize("way_on", [["--key-rotated"], []])
def test_n10_a_key_that_is_revoked_on_the_way(desk: Desk, way_on: list[str]) -> None:
    """At most what is under way is asked after it; the new key finishes the run, same ids."""
    number = scaled(5000, 500)
    events = rows(number * 2, identical=1 / 3)

    def script(count: int, request: Request) -> Action:
        is_revoked = request.headers["x-api-key"] == CANARY and count > number
        return faults.wrong_key(401) if is_revoked else faults.late(0.005)

    desk.server.script = script
    desk.options = ["--concurrency", "32", *([] if way_on else ["--account", "acme"])]
    file = desk.csv(events)
    run = desk.send(file, timeout=300)
    sent = len(desk.server.requests)
    assert (run.code, counts(run)) == (77, {"delivered": number, "unsent": number})
    assert sent - number <= 32
    desk.env = {"REO_API_KEY": "canary-key-the-second-one"}
    if way_on:
        assert desk.send(file).code == 78
        assert len(desk.server.requests) == sent
    run = desk.send(file, *way_on, timeout=300)
    assert (run.code, counts(run)) == (0, {"delivered": number, "already_delivered": number})
    assert_complete(desk.server, events)
    assert counts(desk.send(file)) == {"already_delivered": 2 * number}


def test_n12_when_every_row_is_rejected_the_run_stops(desk: Desk) -> None:
    """Not so a file of which a part was delivered before."""
    desk.server.script = faults.failure(400, "unknown product_id")
    run = desk.send(desk.csv(rows(1000)), "--concurrency", "16")
    assert run.code == 65
    assert 100 <= len(desk.server.requests) <= 100 + 16
    assert run.json["rejected"] == len(desk.server.requests)
    assert run.json["unsent"] == 1000 - run.json["rejected"]
    assert "unknown product_id" in run.json["error"]["message"]
    assert "--max-rejects" in run.json["error"]["hint"]
    desk.server.script = faults.success()
    desk.send(desk.csv(rows(400)[300:]))
    desk.server.script = faults.failure(400)
    run = desk.send(desk.csv(rows(400)))
    assert (run.code, counts(run)) == (1, {"rejected": 300, "already_delivered": 100})


@pytest.mark.parametrize("every", [1, 2, 7])
def test_n14_a_server_that_closes_kept_connections(world: World, every: int) -> None:
    """0 lost, 0 attempts counted: the dead end of a kept connection is nobody's failure."""
    events = rows(300, identical=1 / 3)
    with FaultServer(faults.late(0.001), close_every=every) as server:
        desk = Desk(world, server, ["--concurrency", "16", "--retries", "0"])
        run = desk.send(desk.csv(events))
        assert (run.code, counts(run)) == (0, {"delivered": 300})
        assert run.json["attempts"] == 300
        assert assert_complete(server, events).repeats == 0


def test_a_fault_of_the_judge_would_be_seen(desk: Desk) -> None:
    """An event that was never accepted is lost, one that nobody sent is alien."""
    desk.send(desk.csv(rows(5)))
    assert judge(desk.server, rows(6)).lost == 1
    assert judge(desk.server, rows(4)).alien == 1
    desk.send(desk.csv(rows(5)), "--resend")
    assert judge(desk.server, rows(5)).repeats == 5

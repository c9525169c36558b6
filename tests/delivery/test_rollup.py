"""`--roll-up` from raw rows to delivered sums: what is sent, known, changed and left out."""

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.conftest import World
from tests.delivery.harness import Desk, counts, rejects, sums
from tests.faults import FaultServer, failure

OPTIONS = ("-a", "pull", "-p", "cli", "--roll-up", "day")


@pytest.fixture
def desk(world: World, server: FaultServer) -> Desk:
    return Desk(world, server, OPTIONS)


def pull(day: int, hour: int = 0, domain: str = "acme.com", **more: Any) -> dict[str, Any]:
    return {"domain": domain, "event_at": f"2026-08-0{day}T{hour:02}:30:00Z", **more}


def start_of(day: int) -> int:
    return int(datetime(2026, 8, day, tzinfo=UTC).timestamp())


def test_rows_become_sums_and_a_second_run_sends_nothing(desk: Desk) -> None:
    """Nor does it send again what was delivered before the first was cut short."""
    rows = [pull(1, 3), pull(1, 23), pull(2), pull(2, 1, "b.com"), pull(1, 9)]
    raw = desk.csv(rows)
    shown = desk.send(raw, "--dry-run", "-o", "ndjson").lines
    assert [each["payload"]["count"] for each in shown[:-1]] == [3, 1, 1]
    assert (shown[-1]["summary"]["rolled_up"], desk.server.requests) == (3, [])
    assert counts(desk.send(raw, "--limit", "1")) == {"delivered": 1, "unsent": 2}
    run = desk.send(raw)
    assert (run.json["read"], run.json["rolled_up"]) == (5, 3)
    assert counts(run) == {"delivered": 2, "already_delivered": 1}
    days = {("acme.com", 1): 3, ("acme.com", 2): 1, ("b.com", 2): 1}
    assert sums(desk.server) == {(who, start_of(day)): n for (who, day), n in days.items()}
    random.Random(1).shuffle(rows)
    files = [desk.csv(rows[:2], "a.csv"), desk.csv(rows[2:], "b.csv")]
    again = desk.send(*files)  # a day cut over two files, in another order
    assert [each["read"] for each in again.json["inputs"]] == [2, 3]
    piped = desk.send("-", input=raw.read_bytes())
    for each in (again, piped):
        assert (counts(each), each.json["attempts"]) == ({"already_delivered": 3}, 0)


def test_a_bucket_that_went_on_is_changed_never_a_second_event(desk: Desk) -> None:
    desk.send(desk.csv([pull(1), pull(1), pull(2)]))
    first = [str(each) for each in desk.server.accepted]
    file = desk.csv([pull(1), pull(1), pull(2), pull(2), pull(3)])
    stopped = desk.send(file)
    assert (stopped.code, stopped.json["delivered"], len(desk.server.requests)) == (65, 0, 2)
    assert "1 of 3 sums have changed" in stopped.json["error"]["message"]
    (issue,) = stopped.json["issues"]
    assert (issue["file"], issue["line"]) == (str(file), 4)  # the first record of that day
    skipped = desk.send(file, "--on-change", "skip")
    assert counts(skipped) == {"delivered": 1, "already_delivered": 2}
    sent = desk.send(file, "--on-change", "send")
    assert counts(sent) == {"delivered": 1, "already_delivered": 2}
    wanted = {("acme.com", start_of(day)): n for day, n in ((1, 2), (2, 2), (3, 1))}
    assert sums(desk.server) == wanted
    assert set(first) < {str(each) for each in desk.server.accepted}
    assert len(set(desk.server.accepted)) == 3


def test_what_is_wrong_stops_all_or_is_kept_apart(desk: Desk) -> None:
    """An invalid record is named by its line; a changed bucket is kept as the sum."""
    file = desk.csv([pull(1, count=each) for each in ("", "x", 4)])
    run = desk.send(file)
    assert (run.code, counts(run), run.json["rolled_up"]) == (65, {"invalid": 1}, 0)
    assert (run.json["read"], [each["line"] for each in run.json["issues"]]) == (3, [3])
    assert desk.server.requests == []
    dry = desk.send(file, "--skip-invalid", "--dry-run")
    assert (dry.code, counts(dry)) == (65, {"invalid": 1, "unsent": 1})
    run = desk.send(file, "--skip-invalid")
    assert (run.code, counts(run)) == (1, {"invalid": 1, "delivered": 1})
    assert sums(desk.server) == {("acme.com", start_of(1)): 5}
    (line,) = rejects(run).read_text().splitlines()
    assert json.loads(line)["error"]["line"] == 3
    run = desk.send(desk.csv([pull(1), pull(1), pull(2)], "changed.csv"), "--skip-invalid")
    assert (run.code, counts(run)) == (1, {"rejected": 1, "delivered": 1})
    (line,) = rejects(run).read_text().splitlines()
    assert json.loads(line)["payload"]["count"] == 2
    assert "changed" in json.loads(line)["error"]["reason"]


def test_a_day_that_is_not_over_is_left_out_and_said(desk: Desk) -> None:
    now = datetime.now(UTC)
    today, yesterday = now.isoformat(), (now - timedelta(days=1)).isoformat()
    rows = [pull(1) | {"event_at": each} for each in (today, yesterday, today)]
    file = desk.csv(rows)
    run = desk.send(file)
    assert (run.json["rolled_up"], run.json["left_out"], run.json["read"]) == (1, 2, 3)
    assert sum(sums(desk.server).values()) == 1
    said = desk.run("send-file", file, *OPTIONS).stdout
    assert f"2 more from {now:%Y-%m-%d} on are left out" in said
    run = desk.send(file, "--until", "now")
    assert (run.json["left_out"], counts(run)) == (0, {"delivered": 1, "already_delivered": 1})
    assert sum(sums(desk.server).values()) == 3


def test_next_to_nothing_summed_is_said_with_what_mends_it(desk: Desk) -> None:
    file = desk.csv([pull(1, request_id=n, plan="free") for n in range(40)])
    run = desk.run("send-file", file, *OPTIONS, "--extra", "meta", "--dry-run")
    assert "40 records gave 40 events: they differ in meta.request_id" in run.stderr
    command = run.stderr.partition("`reo ")[2].partition("`")[0].split()
    assert command[-2:] == ["--ignore", "request_id"]
    run = desk.run(*command)
    assert "40 records gave 1 event" in run.stdout
    assert '"count":40' in run.stdout


def test_validate_says_what_would_be_sent_and_warns_of_no_repeats(desk: Desk) -> None:
    file = desk.csv([pull(1), pull(1), pull(2)])
    result = desk.run("validate", file, *OPTIONS, "-o", "json").json
    assert (result["status"], result["read"], result["warnings"]) == ("valid", 3, 0)
    assert (result["rolled_up"], result["left_out"], result["totals"]["count"]) == (2, 0, 3)
    assert "rolled up: 3 records gave 2 events" in desk.run("validate", file, *OPTIONS).stdout
    plain = desk.run("validate", file, *OPTIONS[:4], "--set", "count=1", "-o", "json").json
    assert (plain["warnings"], plain["rolled_up"]) == (1, None)


def test_what_the_api_rejects_is_kept_as_the_sum(desk: Desk) -> None:
    desk.server.script = [failure(400)]
    file = desk.csv([pull(1), pull(1)])
    run = desk.send(file)
    assert (run.code, counts(run)) == (1, {"rejected": 1})
    assert desk.run("send-file", rejects(run), "-o", "json").json["delivered"] == 1
    assert sums(desk.server) == {("acme.com", start_of(1)): 2}
    assert counts(desk.send(file)) == {"already_delivered": 1}  # it is the same event


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ("--timezone UTC", "--timezone"),
        ("--roll-up year", "--roll-up"),
        ("--roll-up day --until 2026-08-01", "--until"),
        ("--roll-up day --timezone ../etc/passwd", "passwd"),
    ],
)
def test_wrong_options(desk: Desk, args: str, says: str) -> None:
    run = desk.run("send-file", desk.csv([pull(1)]), "--dry-run", *args.split())
    assert run.code == 2
    assert says in run.stderr

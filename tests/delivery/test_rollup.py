"""`--roll-up` from raw rows to delivered sums: what is sent, known, changed and left out."""

import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import CANARY, Run, World, scaled
from tests.delivery.harness import ENDS, obey_signals, wait_until, write_csv
from tests.faults import FaultServer, failure, late

DAY = "2026-08-0%dT%02d:30:00Z"
OPTIONS = ("-a", "pull", "-p", "cli", "--roll-up", "day")


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


class Desk:
    """Runs of `send-file --roll-up day` from one world to one server."""

    def __init__(self, world: World, server: FaultServer) -> None:
        self.world, self.server = world, server
        self.env = {"REO_API_KEY": CANARY, "REO_ENDPOINT": server.url}

    def send(self, *args: str, **options: Any) -> Run:
        command = ("send-file", *args, *OPTIONS, "-o", "json")
        run = self.world.run(*command, env=self.env, **options)
        assert run.json["exit_code"] == run.code
        outcomes = sum(run.json[name] for name in ENDS if name != "invalid")
        assert run.json["rolled_up"] == outcomes
        assert run.json["read"] == sum(each["read"] for each in run.json["inputs"])
        return run

    def write(self, rows: list[dict[str, Any]], name: str = "raw.csv") -> str:
        return write_csv(self.world.folder / name, rows).name

    def rejects(self, run: Run) -> Path:
        return Path(self.world.folder, run.json["inputs"][0]["rejects_file"])

    @property
    def sums(self) -> dict[tuple[str, int], int]:
        """The counts that the server has by company and time; the last of each id counts."""
        accepted = [each for each in self.server.requests if each.accepted]
        payloads = {each.event_id: each.json["payload"] for each in accepted}
        found = {(p["domain"], p["event_at"]): p["count"] for p in payloads.values()}
        assert len(found) == len(payloads)
        return found


@pytest.fixture
def desk(world: World, server: FaultServer) -> Desk:
    return Desk(world, server)


def pull(day: int, hour: int = 0, domain: str = "acme.com", **more: Any) -> dict[str, Any]:
    return {"domain": domain, "event_at": DAY % (day, hour), **more}


def start_of(day: int) -> int:
    return int(datetime(2026, 8, day, tzinfo=UTC).timestamp())


def test_rows_become_sums_and_a_second_run_sends_nothing(desk: Desk) -> None:
    rows = [pull(1, 3), pull(1, 23), pull(2), pull(2, 1, "b.com"), pull(1, 9)]
    run = desk.send(desk.write(rows))
    wanted = {
        ("acme.com", start_of(1)): 3,
        ("acme.com", start_of(2)): 1,
        ("b.com", start_of(2)): 1,
    }
    assert (run.code, desk.sums) == (0, wanted)
    assert (run.json["read"], run.json["rolled_up"], run.json["delivered"]) == (5, 3, 3)
    random.Random(1).shuffle(rows)
    files = [desk.write(rows[:2], "a.csv"), desk.write(rows[2:], "b.csv")]
    again = desk.send(*files)  # a day cut over two files, in another order
    assert (again.json["already_delivered"], again.json["attempts"]) == (3, 0)
    assert [each["read"] for each in again.json["inputs"]] == [2, 3]
    piped = desk.send("-", input=(desk.world.folder / "raw.csv").read_bytes())
    assert (piped.json["already_delivered"], piped.json["attempts"]) == (3, 0)


def test_a_bucket_that_went_on_is_changed_never_a_second_event(desk: Desk) -> None:
    desk.send(desk.write([pull(1), pull(1), pull(2)]))
    first = [str(each) for each in desk.server.accepted]
    file = desk.write([pull(1), pull(1), pull(2), pull(2), pull(3)])
    stopped = desk.send(file)
    assert (stopped.code, stopped.json["delivered"], len(desk.server.requests)) == (65, 0, 2)
    assert "1 of 3 sums have changed" in stopped.json["error"]["message"]
    (issue,) = stopped.json["issues"]
    assert (issue["file"], issue["line"]) == (file, 4)  # the first record of that day
    skipped = desk.send(file, "--on-change", "skip")
    assert (skipped.json["delivered"], skipped.json["already_delivered"]) == (1, 2)
    sent = desk.send(file, "--on-change", "send")
    assert (sent.json["delivered"], sent.json["already_delivered"]) == (1, 2)
    assert desk.sums == {("acme.com", start_of(day)): n for day, n in ((1, 2), (2, 2), (3, 1))}
    assert set(first) < {str(each) for each in desk.server.accepted}
    assert len(set(desk.server.accepted)) == 3


def test_a_changed_bucket_under_skip_invalid_is_kept_in_the_rejects(desk: Desk) -> None:
    desk.send(desk.write([pull(1)]))
    run = desk.send(desk.write([pull(1), pull(1), pull(2)]), "--skip-invalid")
    assert (run.code, run.json["rejected"], run.json["delivered"]) == (1, 1, 1)
    (line,) = desk.rejects(run).read_text().splitlines()
    assert json.loads(line)["payload"]["count"] == 2
    assert "changed" in json.loads(line)["error"]["reason"]


def test_an_invalid_record_stops_all_and_is_named_by_its_line(desk: Desk) -> None:
    file = desk.write([pull(1, count=each) for each in ("", "x", 4)])
    run = desk.send(file)
    assert (run.code, run.json["read"], run.json["invalid"], run.json["rolled_up"]) == (65, 3, 1, 0)
    assert [each["line"] for each in run.json["issues"]] == [3]
    assert desk.server.requests == []
    run = desk.send(file, "--skip-invalid")
    assert (run.code, run.json["invalid"], run.json["delivered"]) == (1, 1, 1)
    assert desk.sums == {("acme.com", start_of(1)): 5}
    (line,) = desk.rejects(run).read_text().splitlines()
    assert json.loads(line)["error"]["line"] == 3


def test_a_day_that_is_not_over_is_left_out_and_said(desk: Desk) -> None:
    now = datetime.now(UTC)
    today, yesterday = now.isoformat(), (now - timedelta(days=1)).isoformat()
    rows = [{"domain": "acme.com", "event_at": each} for each in (today, yesterday, today)]
    file = desk.write(rows)
    run = desk.send(file)
    assert (run.json["rolled_up"], run.json["left_out"], run.json["read"]) == (1, 2, 3)
    assert sum(desk.sums.values()) == 1
    said = desk.world.run("send-file", file, *OPTIONS, env=desk.env).stdout
    assert f"2 more from {now:%Y-%m-%d} on are left out" in said
    run = desk.send(file, "--until", "now")
    assert (run.json["rolled_up"], run.json["left_out"], run.json["delivered"]) == (2, 0, 1)
    assert sum(desk.sums.values()) == 3


def test_next_to_nothing_summed_is_said_with_what_mends_it(desk: Desk) -> None:
    file = desk.write([pull(1, request_id=n, plan="free") for n in range(40)])
    run = desk.world.run("send-file", file, *OPTIONS, "--extra", "meta", "--dry-run", env=desk.env)
    assert "40 records gave 40 events: they differ in meta.request_id" in run.stderr
    command = run.stderr.partition("`reo ")[2].partition("`")[0].split()
    assert command[-2:] == ["--ignore", "request_id"]
    run = desk.world.run(*command, env=desk.env)
    assert "40 records gave 1 event" in run.stdout
    assert '"count":40' in run.stdout


def test_validate_says_what_would_be_sent_and_warns_of_no_repeats(desk: Desk) -> None:
    file = desk.write([pull(1), pull(1), pull(2)])
    result = desk.world.run("validate", file, *OPTIONS, "-o", "json").json
    assert (result["status"], result["read"], result["warnings"]) == ("valid", 3, 0)
    assert (result["rolled_up"], result["left_out"], result["totals"]["count"]) == (2, 0, 3)
    assert "rolled up: 3 records gave 2 events" in desk.world.run("validate", file, *OPTIONS).stdout
    plain = desk.world.run("validate", file, *OPTIONS[:4], "--set", "count=1", "-o", "json").json
    assert (plain["warnings"], plain["rolled_up"]) == (1, None)


def test_a_dry_run_shows_the_sums(desk: Desk) -> None:
    file = desk.write([pull(1), pull(1), pull(2)])
    command = ("send-file", file, *OPTIONS, "--dry-run")
    lines = desk.world.run(*command, "-o", "ndjson").lines
    assert [each["payload"]["count"] for each in lines[:-1]] == [2, 1]
    assert lines[-1]["summary"]["rolled_up"] == 2
    assert desk.server.requests == []


def test_what_the_api_rejects_is_kept_as_the_sum(desk: Desk) -> None:
    desk.server.script = [failure(400)] * 10
    run = desk.send(desk.write([pull(1), pull(1)]))
    assert (run.code, run.json["rejected"]) == (1, 1)
    path = desk.rejects(run)
    desk.server.script = []
    sent = desk.world.run("send-file", str(path), "-o", "json", env=desk.env)
    assert sent.json["delivered"] == 1
    assert desk.sums == {("acme.com", start_of(1)): 2}
    assert desk.send("raw.csv").json["already_delivered"] == 1  # it is the same event


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--timezone", "UTC"], "--timezone"),
        (["--until", "now"], "--until"),
        (["--roll-up", "year"], "--roll-up"),
        (["--roll-up", "day", "--until", "2026-08-01"], "--until"),
        (["--roll-up", "day", "--timezone", "Mars/Olympus"], "Mars/Olympus"),
        (["--roll-up", "day", "--timezone", "../etc/passwd"], "passwd"),
    ],
)
def test_wrong_options(desk: Desk, args: list[str], says: str) -> None:
    run = desk.world.run("send-file", desk.write([pull(1)]), "--dry-run", *args)
    assert run.code == 2
    assert says in run.stderr


@pytest.mark.timeout(300)
def test_kill_9_and_resume(world: World) -> None:
    """Each sum arrives; repeats are at most what was under way."""
    chance = random.Random(7)
    rows = [pull(chance.randint(1, 9), chance.randrange(24), f"c{chance.randrange(60)}.com")
            for _ in range(6000)]  # fmt: skip
    wanted = Counter((row["domain"], start_of(int(row["event_at"][9]))) for row in rows)
    with FaultServer(late(0.004)) as server:
        desk = Desk(world, server)
        file = desk.write(rows)
        command = ("send-file", file, *OPTIONS, "-q", "--concurrency", "8")
        for _ in range(4):
            process = world.start(*command, env=desk.env, preexec_fn=obey_signals)
            goal = len(server.requests) + chance.randrange(90)
            wait_until(lambda goal=goal: len(server.requests) >= goal, process)  # type: ignore[misc]
            time.sleep(chance.random() * 0.01)
            process.kill()
            process.wait()
        run = desk.send(file)
        assert run.code == 0
        assert run.json["already_delivered"] > 0
        assert desk.sums == dict(wanted)
        assert len(server.requests) - len(wanted) <= 4 * 8


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_million_groups_take_no_more_memory(world: World) -> None:
    rows = scaled(1_000_000, 100_000)
    path = world.folder / "many.csv"
    with path.open("w") as file:
        file.write("domain,event_at,user_agent\n")
        for n in range(rows):
            file.write(
                f"c{n % 99}.com,{1_785_542_400 + n % 9 * 86_400},Mozilla/5.0 (X11) {n:030}\n"
            )
    args = ("validate", "many.csv", *OPTIONS, "-o", "json")
    run, peak = world.measured(*args)
    assert (run.code, run.json["rolled_up"]) == (0, rows), run.stderr
    assert peak <= 80

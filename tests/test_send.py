"""`reo send` as a user runs it, against real servers."""

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests import faults
from tests.conftest import CANARY, Run, World
from tests.faults import Action, FaultServer, success

EVENT = ("-a", "CALL HOME", "-n", "12", "-d", "acme.com", "-p", "app")
KEY = {"REO_API_KEY": CANARY}
SAMPLE = {
    "payload": {
        "mode": "DOMAIN",
        "activity_type": "secondary23",
        "source": "TELEMETRY",
        "environment": "PRODUCTION",
        "event_id": 1231231232,
        "event_at": 639303296,
        "count": 1250,
        "ip_addr": "156.59.87.83",
        "domain": "",
        "product_id": "reoWebApp",
        "user_agent": "Mozilla/5.0 (Macintosh, Intel Mac OS X 10_15_7)",
        "meta": {"property1": "value1", "property2": "value2"},
    }
}


def send(world: World, server: FaultServer, *args: str, **options: Any) -> Run:
    options = {"env": KEY, **options}
    return world.run("send", *args, "--endpoint", server.url, **options)


def test_flags_become_the_payload(world: World) -> None:
    with FaultServer([]) as server:
        run = send(
            world,
            server,
            *EVENT,
            *("-i", "156.59.87.83", "-e", "PRODUCTION", "--event-at", "2026-09-21T14:13:20Z"),
            *("--user-agent", "curl", "--meta", "plan=pro", "--meta", "n=1", "-o", "json"),
        )
    assert run.code == 0
    payload = server.requests[0].json["payload"]
    assert payload == {
        "event_id": run.json["event_id"],
        "mode": "DOMAIN",
        "source": "TELEMETRY",
        "activity_type": "CALL HOME",
        "environment": "PRODUCTION",
        "count": 12,
        "ip_addr": "156.59.87.83",
        "domain": "acme.com",
        "event_at": 1790000000,
        "product_id": "app",
        "user_agent": "curl",
        "meta": {"plan": "pro", "n": "1"},
    }
    assert run.json["payload"] == payload
    assert list(run.json) == [
        *("schema", "status", "exit_code", "started_at", "event_id", "payload", "http_status"),
        *("response", "attempts", "elapsed_ms", "error", "endpoint", "endpoint_source"),
    ]
    assert run.json["status"] == "delivered"
    assert run.json["response"]["status"] == "success"


def test_the_time_is_now_by_default(world: World) -> None:
    before = int(time.time())
    with FaultServer([]) as server:
        assert send(world, server, *EVENT).code == 0
    assert before <= server.requests[0].json["payload"]["event_at"] <= time.time()


@pytest.mark.parametrize("way", ["text", "file", "stdin"])
def test_the_documented_sample_goes_out(world: World, way: str) -> None:
    text = json.dumps(SAMPLE)
    (world.folder / "sample.json").write_text(text)
    given = {"text": text, "file": "@sample.json", "stdin": "-"}[way]
    with FaultServer([]) as server:
        run = send(world, server, "--json", given, "--no-env-file", input=text)
    assert run.code == 0, run.stderr
    payload = server.requests[0].json["payload"]
    assert payload["event_id"] == 1231231232
    assert payload["count"] == 1250
    assert "domain" not in payload
    assert "1990" in run.stderr


def test_flags_override_the_json(world: World) -> None:
    with FaultServer([]) as server:
        run = send(world, server, "--json", json.dumps(SAMPLE), "-n", "7", "--meta", "property1=x")
    assert run.code == 0
    payload = server.requests[0].json["payload"]
    assert payload["count"] == 7
    assert payload["meta"] == {"property1": "x", "property2": "value2"}


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ('{"count": 1} {"count": 2}', 65, "two values"),
        ("[]", 65, "no event"),
        ("{", 65, "cut off"),
        ("3", 65, "a number"),
        ('{"cuont": 1}', 65, "cuont"),
        ("@missing.json", 66, "missing.json"),
    ],
)
def test_bad_json_is_named(world: World, text: str, code: int, words: str) -> None:
    with FaultServer([]) as server:
        run = send(world, server, *EVENT[2:], "--json", text)
    assert run.code == code
    assert words in run.stderr
    assert server.requests == []


def test_stdin_is_read_only_when_asked(world: World) -> None:
    with FaultServer([]) as server:
        run = world.start(
            *("send", *EVENT, "--endpoint", server.url),
            env=KEY,
            stdin=subprocess.PIPE,  # and never closed: reading it would hang
            stdout=subprocess.PIPE,
        )
        assert run.wait(20) == 0


@pytest.mark.parametrize(
    ("flags", "field"),
    [
        (("-n", "1,250"), "count"),
        (("-n", "-1"), "count"),
        (("-d", "https://acme.com/x"), "domain"),
        (("-i", "1.2.3.4:80"), "ip_addr"),
        (("--event-at", "45992"), "event_at"),
        (("--mode", "DOMIAN"), "mode"),
        (("-a", " "), "activity_type"),
    ],
)
def test_a_bad_value_is_65_and_nothing_is_sent(
    world: World, flags: tuple[str, ...], field: str
) -> None:
    with FaultServer([]) as server:
        run = send(world, server, *EVENT, *flags, "-o", "json")
    assert run.code == 65
    assert run.json["status"] == "invalid"
    assert field in run.json["error"]["message"]
    assert f"{field}: " in run.stderr
    assert server.requests == []


@pytest.mark.parametrize("flags", [("--bogus",), ("--meta", "novalue"), ("--timeout", "1_0")])
def test_wrong_usage_is_2(world: World, flags: tuple[str, ...]) -> None:
    run = world.run("send", *EVENT, *flags, env=KEY)
    assert run.code == 2
    assert run.stderr.startswith("error: ")
    assert run.stdout == ""


@pytest.mark.parametrize(
    ("script", "code", "status", "attempts"),
    [
        ([faults.failure(400, "Bad")], 1, "rejected", 1),
        ([faults.wrong_key(200)], 77, "failed", 1),
        ([faults.wrong_key(401)], 77, "failed", 1),
        ([faults.redirect("https://evil.example/")], 76, "failed", 1),
        ([faults.page(200)], 76, "failed", 1),
        ([faults.failure(404)], 76, "failed", 1),
        ([faults.failure(407)], 78, "failed", 1),
        ([faults.failure(503), success()], 0, "delivered", 2),
        ([faults.reset(), faults.cut_body(), success()], 0, "delivered", 3),
        ([faults.failure(500)] * 3, 69, "errored", 3),
        ([faults.throttled(9999)], 75, "failed", 1),
    ],
)
def test_each_outcome_has_its_code(
    world: World, script: list[Action], code: int, status: str, attempts: int
) -> None:
    with FaultServer(script) as server:
        run = send(world, server, *EVENT, "--retries", "2", "-o", "json")
    assert run.code == code, run.stderr
    assert run.json["exit_code"] == code
    assert run.json["status"] == status
    assert run.json["attempts"] == attempts == len(server.requests)
    assert (run.json["error"] is None) == (code == 0)
    bodies = {request.body for request in server.requests}
    assert len(bodies) == 1  # every attempt has the same bytes


def test_the_timeout_is_a_deadline(world: World) -> None:
    with FaultServer([faults.silence()]) as server:
        run = send(world, server, *EVENT, "--timeout", "0.4", "--retries", "0", "-o", "json")
    assert (run.code, run.json["attempts"]) == (69, 1)
    assert run.json["elapsed_ms"] < 5000
    assert "0.4 s" in run.stderr


def test_max_time_ends_the_waiting(world: World) -> None:
    with FaultServer([faults.throttled(60)]) as server:
        run = send(world, server, *EVENT, "--max-time", "3")
    assert run.code == 75
    assert "--max-time" in run.stderr


@pytest.mark.parametrize(("status", "code"), [(503, 0), (400, 1)])
def test_allow_failure_forgives_the_service_only(world: World, status: int, code: int) -> None:
    with FaultServer([faults.failure(status)]) as server:
        run = send(world, server, *EVENT, "--retries", "0", "--allow-failure", "-o", "json")
    assert run.code == run.json["exit_code"] == code
    assert run.json["status"] in ("errored", "rejected")
    assert ("NOT delivered" in run.stderr) == (code == 0)


def test_an_event_id_is_remembered(world: World) -> None:
    with FaultServer([]) as server:
        flags = (*EVENT, "--event-id", "order-7", "-o", "json")
        first = send(world, server, *flags)
        second = send(world, server, *flags)
        changed = send(world, server, *flags, "-n", "13")
    assert [first.json["status"], second.json["status"]] == ["delivered", "already_delivered"]
    assert second.code == 0
    assert changed.code == 65
    assert "changed since it was delivered" in changed.stderr
    assert len(server.requests) == 1


def test_without_an_event_id_no_ledger_is_made(world: World) -> None:
    with FaultServer([]) as server:
        first, second = (send(world, server, *EVENT, "-o", "json") for _ in range(2))
    assert first.json["event_id"] != second.json["event_id"]
    assert not list(Path(world.home).rglob("*.db"))


def test_another_unnamed_key_stops_it(world: World) -> None:
    with FaultServer([]) as server:
        flags = (*EVENT, "--event-id", "order-7")
        assert send(world, server, *flags).code == 0
        other = {"REO_API_KEY": "another-key-12345"}
        assert send(world, server, *flags, env=other).code == 78
        assert send(world, server, *flags, "--account", "second", env=other).code == 0
    assert len(server.requests) == 2


def test_dry_run_needs_no_key_and_sends_nothing(world: World) -> None:
    run = world.run("send", *EVENT, "--dry-run", "-o", "json")
    assert run.code == 0
    assert run.json["status"] == "dry_run"
    assert run.json["payload"]["count"] == 12
    shown = world.run("send", *EVENT, "--dry-run").stdout
    assert '{"payload":{' in shown
    assert "https://ingest.reo.dev/" in shown


def test_sandbox_needs_no_key(world: World) -> None:
    run = world.run("send", *EVENT, "--sandbox", "-o", "json")
    assert run.code == 0
    assert run.json["http_status"] == 200


def test_no_key_names_the_ways_to_give_one(world: World) -> None:
    run = world.run("send", *EVENT, "-o", "json")
    assert run.code == 78
    assert run.json["error"]["reason"] == "no_key"
    for way in ("REO_API_KEY", "--api-key-file", ".env", "config set api_key", "Settings"):
        assert way in run.json["error"]["message"]


def test_quiet_prints_errors_only(world: World) -> None:
    with FaultServer([success(), faults.failure(400, "Bad")]) as server:
        good = send(world, server, *EVENT, "-q")
        bad = send(world, server, *EVENT, "-q")
    assert (good.code, good.stdout, good.stderr) == (0, "", "")
    assert bad.code == 1
    assert bad.stderr.startswith("error: ")


def test_verbose_shows_each_attempt(world: World) -> None:
    with FaultServer([faults.failure(503), success()]) as server:
        run = send(world, server, *EVENT, "-v")
    assert "attempt 1: transient, HTTP 503" in run.stderr
    assert "attempt 2: delivered, HTTP 200" in run.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_send_has_its_code_and_counts_the_attempt_under_way(
    world: World, number: signal.Signals, code: int
) -> None:
    with FaultServer(faults.silence()) as server:
        process = world.start(
            *("send", *EVENT, "--endpoint", server.url, "-o", "json"),
            env=KEY,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        while not server.requests:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        result = json.loads(process.communicate(timeout=30)[0])
    assert process.returncode == code
    assert (result["error"]["reason"], result["attempts"]) == ("interrupted", 1)
    assert f"add --event-id {result['event_id']} --event-at" in result["error"]["hint"]


def test_max_time_ends_an_attempt_too(world: World) -> None:
    with FaultServer(faults.silence()) as server:
        for retries in ("0", "3"):
            run = send(world, server, *EVENT, "--max-time", "3", "--retries", retries, "-o", "json")
            assert (run.code, run.json["error"]["reason"]) == (75, "max_time")
            assert run.json["elapsed_ms"] < 8000
        assert send(world, server, *EVENT, "--max-time", "0").code == 75
        assert len(server.requests) == 2


def test_an_event_without_an_id_can_be_sent_again_as_the_same(world: World) -> None:
    """It may have arrived: the hint has its id, and then it is the same event."""
    with FaultServer([faults.cut_body(accepted=True)]) as server:
        run = send(world, server, *EVENT, "--retries", "0", "-o", "json")
        assert run.code == 69
        given = run.json["error"]["hint"].partition(", add ")[2].split()
        assert given[0] == "--event-id"
        assert send(world, server, *EVENT, *given).code == 0
        first, second = server.requests
        assert first.body == second.body


def test_what_was_never_sent_cannot_have_arrived(world: World) -> None:
    with FaultServer() as server:
        server.go_down()
        for bound in (["--retries", "0"], ["--max-time", "4"]):
            run = send(world, server, *EVENT, *bound, "-o", "json")
            assert "connection refused" in run.json["error"]["message"]
            assert run.json["error"]["hint"] == "run it again later"


def test_a_delivery_that_cannot_be_recorded_is_one_all_the_same(world: World) -> None:
    ledger = world.folder / "ledger.db"
    known = ("--ledger", str(ledger), "-o", "json")
    with FaultServer() as server:
        send(world, server, *EVENT, "--event-id", "first", *known)
    code = (
        "from reo_cli.delivery.ledger import Account\n"
        "from reo_cli.errors import ExitCode, ReoError\n"
        "def record(self, events): raise ReoError(ExitCode.IO, 'ledger_full', 'no space', 'go')\n"
        "Account.record = record\n"
    )
    with FaultServer() as server:
        flags = (*EVENT, "--event-id", "second", "--allow-failure", *known)
        run = send(world, server, *flags, code=code)
        assert len(server.accepted) == 1
    assert (run.code, run.json["status"], run.json["exit_code"]) == (74, "delivered", 74)
    assert "was delivered" in run.json["error"]["message"]
    assert "NOT" not in run.stderr

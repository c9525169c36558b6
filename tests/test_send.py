"""`reo send` as a user runs it, against real servers."""

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests import faults
from tests.conftest import CANARY, Run, World
from tests.delivery.harness import wait_until
from tests.delivery.test_identity import SAMPLE
from tests.faults import Action, FaultServer, success

EVENT = ("-a", "CALL HOME", "-n", "12", "-d", "acme.com", "-p", "app")
KEY = {"REO_API_KEY": CANARY}
Send = Callable[..., Run]


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture
def send(world: World, server: FaultServer) -> Send:
    """Give `reo send` with a key and this server; with `-o json` the exit code is in it too."""

    def send(*args: str, **options: Any) -> Run:
        options = {"env": KEY, **options}
        run = world.run("send", *args, "--endpoint", server.url, **options)
        assert "json" not in args or run.json["exit_code"] == run.code
        return run

    return send


def test_flags_become_the_payload(server: FaultServer, send: Send) -> None:
    run = send(
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
    assert (run.json["status"], run.json["response"]["status"]) == ("delivered", "success")


def test_the_time_is_now_and_the_id_a_new_one_by_default(
    world: World, server: FaultServer, send: Send
) -> None:
    """And no ledger is made."""
    before = int(time.time())
    assert send(*EVENT).code == send(*EVENT).code == 0
    first, second = (each.json["payload"] for each in server.requests)
    assert before <= first["event_at"] <= time.time()
    assert first["event_id"] != second["event_id"]
    assert not list(world.home.rglob("*.db"))


@pytest.mark.parametrize("given", ["", "@sample.json", "-"], ids=["text", "file", "stdin"])
def test_the_documented_sample_goes_out(
    world: World, server: FaultServer, send: Send, given: str
) -> None:
    text = json.dumps({"payload": SAMPLE})
    (world.folder / "sample.json").write_text(text)
    flags = ("-n", "7", "--meta", "property1=x") if given == "-" else ()
    run = send("--json", given or text, "--no-env-file", *flags, input=text)
    assert run.code == 0, run.stderr
    wanted: dict[str, Any] = {k: v for k, v in SAMPLE.items() if k != "domain"}
    if flags:  # they override the JSON
        wanted |= {"count": 7, "meta": {"property1": "x", "property2": "value2"}}
    assert server.requests[0].json["payload"] == wanted
    assert "1990" in run.stderr


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("[]", 65, "no event"),
        ("3", 65, "a number"),
        ('{"cuont": 1}', 65, "cuont"),
        ("@missing.json", 66, "missing.json"),
    ],
)
def test_bad_json_is_named(
    server: FaultServer, send: Send, text: str, code: int, words: str
) -> None:
    run = send(*EVENT[2:], "--json", text)
    assert (run.code, server.requests) == (code, [])
    assert words in run.stderr


def start(world: World, server: FaultServer, **options: Any) -> "subprocess.Popen[bytes]":
    command = ("send", *EVENT, "--endpoint", server.url, "-o", "json")
    return world.start(*command, env=KEY, stdout=subprocess.PIPE, **options)


def test_stdin_is_read_only_when_asked(world: World, server: FaultServer) -> None:
    process = start(world, server, stdin=subprocess.PIPE)  # never closed: reading it would hang
    assert process.wait(20) == 0


FORGIVING = "--retries 0 --allow-failure"


@pytest.mark.parametrize(
    ("script", "options", "expected"),
    [
        ([faults.failure(400, "Bad")], "", (1, "rejected", 1)),
        ([faults.wrong_key(200)], "", (77, "failed", 1)),
        ([faults.wrong_key(401)], "", (77, "failed", 1)),
        ([faults.redirect("https://evil.example/")], "", (76, "failed", 1)),
        ([faults.page(200)], "", (76, "failed", 1)),
        ([faults.failure(404)], "", (76, "failed", 1)),
        ([faults.failure(407)], "", (78, "failed", 1)),
        ([faults.failure(503), success()], "--retries 2", (0, "delivered", 2)),
        ([faults.reset(), faults.cut_body(), success()], "--retries 2", (0, "delivered", 3)),
        ([faults.failure(500)] * 3, "--retries 2", (69, "errored", 3)),
        ([faults.throttled(9999)], "", (75, "failed", 1)),
        ([faults.failure(503)], FORGIVING, (0, "errored", 1)),
        ([faults.failure(400)], FORGIVING, (1, "rejected", 1)),
    ],
)
def test_each_outcome_has_its_code(
    server: FaultServer, send: Send, script: Any, options: str, expected: tuple[int, str, int]
) -> None:
    server.script = script
    run = send(*EVENT, *options.split(), "-o", "json", "-v")
    assert (run.code, run.json["status"], run.json["attempts"]) == expected, run.stderr
    assert run.stderr.count(" attempt ") == len(server.requests) == run.json["attempts"]
    assert (run.json["error"] is None) == (run.json["status"] == "delivered")
    assert ("NOT delivered" in run.stderr) == (options == FORGIVING and run.code == 0)
    assert len({request.body for request in server.requests}) == 1  # the same bytes each time


@pytest.mark.parametrize(
    ("action", "options", "code", "words"),
    [
        (faults.silence(), "--timeout 0.4 --retries 0", 69, "0.4 s"),
        (faults.silence(), "--max-time 3 --retries 0", 75, "--max-time"),
        (faults.silence(), "--max-time 3 --retries 3", 75, "--max-time"),
        (faults.throttled(60), "--max-time 3 --retries 3", 75, "--max-time"),
        (success(), "--max-time 0", 75, "--max-time"),
    ],
)
def test_the_time_of_an_attempt_and_of_all_is_bounded(
    server: FaultServer, send: Send, action: Action, options: str, code: int, words: str
) -> None:
    server.script = action
    run = send(*EVENT, *options.split(), "-o", "json")
    assert run.code == code
    assert words in run.stderr
    assert run.json["elapsed_ms"] < 5000
    assert run.json["attempts"] == len(server.requests) == (options != "--max-time 0")


def test_an_event_id_is_remembered(server: FaultServer, send: Send) -> None:
    flags = (*EVENT, "--event-id", "order-7", "-o", "json")
    statuses = [send(*flags).json["status"] for _ in range(2)]
    assert statuses == ["delivered", "already_delivered"]
    changed = send(*flags, "-n", "13")
    assert changed.code == 65
    assert "changed since it was delivered" in changed.stderr
    other = {"REO_API_KEY": "another-key-12345"}
    assert send(*flags, env=other).code == 78
    assert len(server.requests) == 1
    assert send(*flags, "--account", "second", env=other).code == 0


def test_dry_run_and_sandbox_need_no_key(world: World) -> None:
    run = world.run("send", *EVENT, "--dry-run")
    assert (run.code, "https://ingest.reo.dev/" in run.stdout) == (0, True)
    run = world.run("send", *EVENT, "--sandbox", "-o", "json")
    assert (run.code, run.json["http_status"]) == (0, 200)


def test_quiet_prints_errors_only_and_verbose_each_attempt(server: FaultServer, send: Send) -> None:
    server.script = [success(), faults.failure(400, "Bad"), faults.failure(503), success()]
    good, bad, retried = send(*EVENT, "-q"), send(*EVENT, "-q"), send(*EVENT, "-v")
    assert good == Run(0, "", "")
    assert bad == Run(
        1,
        "",
        "error: the event was rejected: HTTP 400: Bad\n"
        "hint: change the data: the API will refuse it again\n",
    )
    assert "attempt 1: transient, HTTP 503" in retried.stderr
    assert "attempt 2: delivered, HTTP 200" in retried.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_send_has_its_code_and_counts_the_attempt_under_way(
    world: World, server: FaultServer, number: signal.Signals, code: int
) -> None:
    server.script = faults.silence()
    process = start(world, server, stderr=subprocess.DEVNULL)
    assert wait_until(lambda: server.requests, process)
    process.send_signal(number)
    result = json.loads(process.communicate(timeout=30)[0])
    assert process.returncode == code
    assert (result["error"]["reason"], result["attempts"]) == ("interrupted", 1)
    assert f"add --event-id {result['event_id']} --event-at" in result["error"]["hint"]


def test_an_event_without_an_id_can_be_sent_again_as_the_same(
    server: FaultServer, send: Send
) -> None:
    """It may have arrived: the hint has its id, and then it is the same event."""
    server.script = [faults.cut_body(accepted=True)]
    run = send(*EVENT, "--retries", "0", "-o", "json")
    assert run.code == 69
    given = run.json["error"]["hint"].partition(", add ")[2].split()
    assert given[0] == "--event-id"
    assert send(*EVENT, *given).code == 0
    first, second = server.requests
    assert first.body == second.body


def test_what_was_never_sent_cannot_have_arrived(server: FaultServer, send: Send) -> None:
    server.go_down()
    for bound in (["--retries", "0"], ["--max-time", "4"]):
        run = send(*EVENT, *bound, "-o", "json")
        assert "connection refused" in run.json["error"]["message"]
        assert run.json["error"]["hint"] == "run it again later"


def test_a_delivery_that_cannot_be_recorded_is_one_all_the_same(
    server: FaultServer, send: Send
) -> None:
    code = (
        "from reo_cli.delivery.ledger import Account\n"
        "from reo_cli.errors import ExitCode, ReoError\n"
        "def record(self, events): raise ReoError(ExitCode.IO, 'ledger_full', 'no space', 'go')\n"
        "Account.record = record\n"
    )
    run = send(*EVENT, "--event-id", "second", "--allow-failure", "-o", "json", code=code)
    assert len(server.accepted) == 1
    assert (run.code, run.json["status"]) == (74, "delivered")
    assert "was delivered" in run.json["error"]["message"]
    assert "NOT" not in run.stderr

"""What the sandbox answers, counts and records."""

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from reo_cli.errors import ExitCode, ReoError
from reo_cli.sandbox import RequestLine, Sandbox, SandboxOptions, Totals, rules
from reo_cli.sandbox.protocol import Request, parse_head
from reo_cli.sandbox.service import Faults, RateLimit, Service

SAMPLE: dict[str, Any] = {
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
    "user_agent": "Mozilla/5.0",
    "meta": {"property1": "value1", "property2": "value2"},
}
SUCCESS = {"response_code": "200", "response": "Data Uploaded", "status": "success"}
WRONG_KEY = {"response_code": 400, "response": "Authentication Failure", "status": "failure"}
ABSENT = object()


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: Any


def post(
    sandbox: Sandbox, body: bytes | dict[str, Any] = SAMPLE, key: str | None = "any"
) -> Answer:
    """Post a body, or a payload in its envelope, on a connection of its own."""
    parts = urlsplit(sandbox.url)
    headers = {"Content-Type": "application/json"} | ({} if key is None else {"X-API-KEY": key})
    data = body if isinstance(body, bytes) else json.dumps({"payload": body}).encode()
    with closing(http.client.HTTPConnection(parts.netloc, timeout=20)) as connection:
        connection.request("POST", parts.path, data, headers)
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.headers), json.loads(answer.read()))


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


def changed(**changes: Any) -> dict[str, Any]:
    fields = SAMPLE | changes
    return {name: value for name, value in fields.items() if value is not ABSENT}


def test_the_documented_sample_is_accepted(shared: Sandbox) -> None:
    answer = post(shared)
    assert (answer.status, answer.body) == (200, SUCCESS)
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "changes",
    [
        {"domain": "reo.dev", "ip_addr": ABSENT},
        {"domain": "reo.dev", "ip_addr": None},
        {"event_id": ABSENT, "environment": ABSENT, "user_agent": ABSENT, "meta": ABSENT},
        {"event_id": "0b1c"},
        {"mode": "USER", "source": "PRODUCT_CLOUD"},
        {"count": 0},
        {"event_at": -1},
        {"meta": {}},
        {"unheard_of": [1]},
        {"activity_type": "CALL HOME"},
    ],
)
def test_what_the_documentation_allows_is_accepted(
    shared: Sandbox, changes: dict[str, Any]
) -> None:
    assert post(shared, changed(**changes)).body == SUCCESS


BROKEN: dict[str, list[object]] = {
    "mode": [ABSENT, None, " ", 5, "domain", [], {}],
    "source": [ABSENT, "DOMAIN"],
    "activity_type": [ABSENT, " ", 5],
    "environment": [5],
    "count": [ABSENT, None, "5", 5.0, True, -1, [5]],
    "ip_addr": [ABSENT, " ", [1]],
    "domain": [5],
    "event_id": [True, 1.5, [], {}],
    "event_at": [ABSENT, "now", 1.5, False, {}],
    "product_id": [ABSENT, None, " "],
    "user_agent": [5],
    "meta": ["{}", [], 1],
}


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in BROKEN.items() for value in values]
)
def test_a_field_that_breaks_a_rule_is_named(shared: Sandbox, field: str, value: object) -> None:
    status, _, body = post(shared, changed(**{field: value}))
    assert (status, body["response_code"], body["status"]) == (400, 400, "failure")
    assert field in body["response"]


def test_all_fields_that_break_a_rule_are_named(shared: Sandbox) -> None:
    assert post(shared, changed(mode=ABSENT, count="x", domain=ABSENT, ip_addr="")).body == {
        "response_code": 400,
        "response": "mode is missing; count must be an integer from 0; "
        "ip_addr or domain is missing",
        "status": "failure",
    }


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "no body"),
        (b"{", "not JSON"),
        (b"null", "payload"),
        (b"[]", "payload"),
        (b'{"payload": []}', "payload"),
        (json.dumps(SAMPLE).encode(), "payload"),
        (b'{"payload": {}} {}', "not JSON"),
        (b"\xff", "UTF-8"),
        ('{"payload": {}}'.encode("utf-16"), "UTF-8"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b'{"payload": {"meta": NaN}}', "NaN"),
        (b'{"payload": {"count": 1e999}}', "out of range"),
        (b'{"payload": {"count": ' + b"9" * 5000 + b"}}", "out of range"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"payload":' * 60_000, "nested too deeply"),
    ],
)
def test_a_body_without_a_payload_is_refused(shared: Sandbox, body: bytes, why: str) -> None:
    answer = post(shared, body)
    assert (answer.status, answer.body["status"]) == (400, "failure")
    assert why in answer.body["response"]


@pytest.mark.parametrize(
    ("accepted", "sent", "passes"),
    [
        (None, "anything", True),
        (None, None, False),
        (None, "", False),
        (None, " ", False),
        ("right-key", "right-key", True),
        ("right-key", " right-key ", True),
        ("right-key", "right-kez", False),
        ("right-key", "", False),
        ("right-key", None, False),
    ],
)
def test_the_key(accepted: str | None, sent: str | None, passes: bool) -> None:
    with Sandbox(SandboxOptions(api_key=accepted)) as sandbox:
        answer = post(sandbox, key=sent)
        assert (answer.status, answer.body) == ((200, SUCCESS) if passes else (400, WRONG_KEY))
        assert sandbox.totals.refused == ({} if passes else {"authentication": 1})


def test_above_the_rate_limit_requests_are_told_when_to_come_back() -> None:
    now = [1000.0]
    with Sandbox(SandboxOptions(rate_limit=3), clock=lambda: now[0]) as sandbox:
        answers = [post(sandbox) for _ in range(5)]
        assert [answer.status for answer in answers] == [200, 200, 200, 429, 429]
        assert answers[4].headers["Retry-After"] == "1"
        assert answers[4].body["status"] == "failure"
        now[0] += 1
        assert post(sandbox).status == 200
        assert sandbox.totals.refused == {"rate_limited": 2}


def test_no_second_has_more_requests_than_the_limit() -> None:
    limit = RateLimit(10)
    times = [tick / 137 for tick in range(1000)]
    passed = [now for now in times if not limit.wait(now)]
    assert max(sum(start <= now < start + 1 for now in passed) for start in passed) == 10
    assert len(passed) >= 10 * (times[-1] - 0.1)


def test_what_has_to_wait_may_pass_after_the_wait() -> None:
    limit = RateLimit(1)
    assert limit.wait(5.0) == 0
    assert limit.wait(5.25) == 0.75
    assert limit.wait(6.0) == 0


def test_the_share_that_fails_is_the_one_asked_for_and_of_every_kind() -> None:
    faults = Faults(0.3, seed=1)
    drawn = [faults.next() for _ in range(3000)]
    found = [fault.status for fault in drawn if fault]
    assert 800 < len(found) < 1000
    assert {status: found.count(status) > 200 for status in set(found)} == {
        500: True,
        503: True,
        0: True,
    }
    again = Faults(0.3, seed=1)
    assert [again.next() for _ in range(3000)] == drawn


def test_failed_requests_are_answered_or_dropped_and_not_stored(tmp_path: Path) -> None:
    record = tmp_path / "record"
    seen: list[object] = []
    with Sandbox(SandboxOptions(fail_rate=1, seed=3, record=record)) as sandbox:
        for _ in range(30):
            try:
                seen.append(post(sandbox).status)
            except http.client.RemoteDisconnected:
                seen.append("dropped")
        totals = sandbox.totals
    assert set(seen) == {500, 503, "dropped"}
    assert totals.refused == {
        "failed": 30 - seen.count("dropped"),
        "dropped": seen.count("dropped"),
    }
    assert record.read_bytes() == b""


def test_totals_count_every_request_once() -> None:
    with Sandbox(SandboxOptions(api_key="k")) as sandbox:
        assert sandbox.totals == Totals()
        for event_id in (1, "1", "2", ABSENT):
            post(sandbox, changed(event_id=event_id), key="k")
        post(sandbox, changed(event_id="3", count="x"), key="k")
        post(sandbox, key="wrong")
        post(sandbox, b"", key="k")
    assert sandbox.totals == Totals(
        requests=7,
        accepted=4,
        distinct_ids=2,
        repeated_ids=1,
        refused={"invalid": 2, "authentication": 1},
    )


def test_an_observer_is_told_of_each_request() -> None:
    lines: list[RequestLine] = []
    with Sandbox(SandboxOptions(api_key="k"), lines.append) as sandbox:
        post(sandbox, key="k")
        post(sandbox, changed(event_id=[], activity_type=5), key="k")
        post(sandbox, b"{", key="k")
        post(sandbox, changed(event_id="again"), key="wrong")
    size = len(json.dumps({"payload": SAMPLE}))
    assert lines[0] == RequestLine(200, "accepted", 1231231232, "secondary23", size, "")
    assert [line[:4] for line in lines[1:]] == [
        (400, "invalid", None, None),
        (400, "invalid", None, None),
        (400, "authentication", "again", "secondary23"),
    ]
    assert "activity_type must be" in lines[1].problem
    assert "not JSON" in lines[2].problem


def test_the_record_holds_what_was_accepted_in_order(tmp_path: Path) -> None:
    record = tmp_path / "record.ndjson"
    record.write_text('{"from": "before"}\n')
    payloads = [
        changed(event_id=number, meta={"n": [number, 1.5, None, "Zoë"]}) for number in range(5)
    ]
    with Sandbox(SandboxOptions(record=record)) as sandbox:
        for payload in payloads:
            assert post(sandbox, payload).status == 200
            assert json.loads(record.read_text().splitlines()[-1]) == payload  # before the answer
        post(sandbox, changed(count="x"))
        post(sandbox, changed(user_agent="half \ud83d"))
    lines = record.read_text().splitlines()
    assert [json.loads(line) for line in lines[1:6]] == payloads
    assert "Zoë" in lines[1]
    assert json.loads(lines[6])["user_agent"] == "half \ud83d"
    assert len(lines) == 7


def test_a_record_that_cannot_be_created_is_found_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ReoError) as caught:
        Sandbox(SandboxOptions(record=tmp_path / "no" / "folder"))
    assert caught.value.exit_code is ExitCode.CANT_CREATE
    assert str(tmp_path / "no" / "folder") in caught.value.message


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_record_that_cannot_be_written_ends_it_without_an_answer() -> None:
    sandbox = Sandbox(SandboxOptions(record=Path("/dev/full")))
    with pytest.raises(ReoError) as caught, sandbox, pytest.raises(ConnectionError):
        post(sandbox)
    assert caught.value.exit_code is ExitCode.IO
    assert sandbox.totals.accepted == 0


def test_any_depth_is_accepted_and_recorded_or_refused(tmp_path: Path) -> None:
    service = Service(SandboxOptions(record=tmp_path / "record"))
    depths = [*range(900, 1010), *range(4_900, 10_010, 20), 100_000]  # limits of several Pythons
    statuses = [service.answer(nested(depth), 0.0).status for depth in depths]
    service.close()
    assert set(statuses) == {200, 400}
    assert len((tmp_path / "record").read_text().splitlines()) == statuses.count(200)


def test_what_can_be_read_but_not_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def encode(payload: dict[str, Any]) -> bytes:
        raise RecursionError

    monkeypatch.setattr(rules, "encode", encode)
    service = Service(SandboxOptions(record=tmp_path / "record"))
    assert service.answer(nested(1), 0.0).status == 400
    assert service.totals.accepted == 0
    service.close()


def nested(depth: int) -> Request:
    head = parse_head(b"POST /api/product/aggregateusage HTTP/1.1\r\nX-API-KEY: any")
    text = json.dumps({"payload": changed(meta="MARK")})
    return Request(head, text.replace('"MARK"', '{"a":' * depth + "1" + "}" * depth).encode())


def test_a_taken_port_is_a_clear_error() -> None:
    with Sandbox() as first:
        port = urlsplit(first.url).port or 0
        with pytest.raises(ReoError) as caught:
            Sandbox(SandboxOptions(port=port))
        lasting = socket.create_connection(("127.0.0.1", port))
        post(first)
    assert caught.value.exit_code is ExitCode.CANT_CREATE
    assert caught.value.reason == "port_taken"
    assert str(port) in caught.value.message
    assert "--port 0" in caught.value.hint
    with lasting, Sandbox(SandboxOptions(port=port)) as second:  # free again at once
        assert post(second).status == 200

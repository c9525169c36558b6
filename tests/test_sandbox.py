"""The sandbox over real sockets: what it answers, counts and records, whatever bytes come."""

import http.client
import json
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reo_cli.sandbox import MAX_BODY, Sandbox, SandboxOptions

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
TIMEOUT = 20.0

BODY = json.dumps({"payload": SAMPLE}).encode()
START = b"POST /api/product/aggregateusage HTTP/1.1\r\nHost: x\r\nX-API-KEY: any\r\n"
POST = START + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY


class Wire:
    """One connection to a sandbox, in bytes."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sock = socket.create_connection(sandbox.socket.getsockname(), TIMEOUT)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.sock.makefile("rb")

    def send(self, data: bytes) -> "Wire":
        self.sock.sendall(data)
        return self

    def answer(self, has_body: bool = True) -> tuple[int, http.client.HTTPMessage, bytes]:
        version, status, _ = self.file.readline().split(b" ", 2)
        assert version == b"HTTP/1.1"
        headers = http.client.parse_headers(self.file)
        return int(status), headers, self.file.read(int(headers["Content-Length"] or 0) * has_body)

    def status(self) -> int:
        return self.answer()[0]

    def close(self) -> None:
        self.file.close()
        self.sock.close()

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()


Connect = Callable[[Sandbox], Wire]


@pytest.fixture
def connect() -> Iterator[Connect]:
    with ExitStack() as stack:
        yield lambda sandbox: stack.enter_context(closing(Wire(sandbox)))


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


def post(
    url: str, body: bytes | dict[str, Any] = SAMPLE, key: str | None = "any"
) -> tuple[int, dict[str, str], Any]:
    """Post a body, or a payload in its envelope: status (0 for no answer), headers, its JSON."""
    parts = urlsplit(url)
    data = body if isinstance(body, bytes) else json.dumps({"payload": body}).encode()
    connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT)
    with closing(connection), suppress(http.client.RemoteDisconnected):
        connection.request("POST", parts.path, data, {} if key is None else {"X-API-KEY": key})
        answer = connection.getresponse()
        return answer.status, dict(answer.headers), json.loads(answer.read())
    return 0, {}, None


def changed(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in (SAMPLE | changes).items() if value is not ABSENT}


def test_a_connection_serves_many_requests_also_pipelined_ones(connect: Connect) -> None:
    with Sandbox(SandboxOptions(latency=0.01)) as sandbox:
        wire = connect(sandbox)
        status, headers, body = wire.send(POST).answer()
        assert (status, headers["Connection"], json.loads(body)) == (200, "keep-alive", SUCCESS)
        elsewhere = POST.replace(b"/api", b"/API") + POST.replace(b"usage HTTP", b"usage/ HTTP")
        wire.send(POST + elsewhere + POST + POST[:60])
        assert [wire.status() for _ in range(4)] == [200, 404, 404, 200]
        assert wire.send(POST[60:]).status() == 200
        wire.send(POST[: -len(BODY)].replace(b"Host: x", b"Expect: 100-continue"))
        assert wire.status() == 100
        assert wire.send(BODY).status() == 200
        wire.send(POST).sock.shutdown(socket.SHUT_WR)
        assert wire.status() == 200, "a client that has closed only its side"
        assert wire.file.read(1) == b""
        assert (sandbox.totals["accepted"], sandbox.totals["refused"]) == (6, {"not_found": 2})


def test_the_connection_ends_when_the_client_says_so(shared: Sandbox, connect: Connect) -> None:
    for old, new, then in [
        (b"Host: x", b"Connection: Close", "close"),
        (b"HTTP/1.1", b"HTTP/1.0", "close"),
        (b"HTTP/1.1\r\nHost: x", b"HTTP/1.0\r\nConnection: keep-alive", "keep-alive"),
        (b"usage HTTP", b"usage?a=b HTTP", "keep-alive"),
    ]:
        wire = connect(shared).send(POST.replace(old, new))
        status, headers, _ = wire.answer()
        assert (status, headers["Connection"]) == (200, then)
        assert wire.file.read(1) == b"" if then == "close" else wire.send(POST).status() == 200


REFUSED = [
    (b"GET /api/product/aggregateusage HTTP/1.1\r\n\r\n", 405),
    (b"HEAD / HTTP/1.1\r\n\r\n", 405),
    (b"hello world\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00\n", 400),
    (b"POST /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
    (START + b"X: x\r\n" * 200 + b"\r\n", 431),
    (START + b"Content-Length: -1\r\n\r\n", 400),
    (START + b"Content-Length: 0x5\r\n\r\n", 400),
    (START + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
    (START + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
    (START + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", 411),
    (START + b"Content-Length: %d\r\n\r\n" % (MAX_BODY + 1) + b"x" * (MAX_BODY + 1), 413),
    (START + b"Content-Length: 99999999999\r\n\r\n", 413),
]


@pytest.mark.parametrize(("data", "status"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_no_post_is_refused_and_ends_the_connection(
    connect: Connect, data: bytes, status: int
) -> None:
    with Sandbox() as sandbox:
        wire = connect(sandbox).send(data)
        head = data.startswith(b"HEAD")
        found, headers, body = wire.answer(has_body=not head)
        assert (found, headers["Connection"]) == (status, "close")
        assert headers["Allow"] == ("POST" if status == 405 else None)
        assert head or json.loads(body)["status"] == "failure"
        wire.sock.shutdown(socket.SHUT_WR)
        assert wire.file.read(1) == b""
        assert sandbox.totals["refused"] == {"wrong_method" if status == 405 else "malformed": 1}
        assert connect(sandbox).send(POST).status() == 200


@pytest.mark.parametrize("latency", [0.0, 0.03])
@pytest.mark.parametrize("leave", [Wire.close, Wire.reset])
def test_a_client_that_went_away_hurts_nobody(
    connect: Connect, latency: float, leave: Callable[[Wire], None]
) -> None:
    with Sandbox(SandboxOptions(latency=latency)) as sandbox:
        for data in (POST, POST[:50], POST[:-5], b"", POST * 3):
            leave(connect(sandbox).send(data))
        assert connect(sandbox).send(POST).status() == 200


def test_slow_and_greedy_clients_hold_nobody_up(connect: Connect) -> None:
    with Sandbox() as sandbox:
        greedy = connect(sandbox)
        greedy.sock.setblocking(False)
        with suppress(BlockingIOError):  # it never reads its answers
            while True:
                greedy.sock.send(POST * 100)
        slow = [connect(sandbox).send(POST[: 10 * part]) for part in range(1, 20)]
        assert connect(sandbox).send(POST).status() == 200
        rest = [wire.send(POST[10 * part :]).status() for part, wire in enumerate(slow, 1)]
        assert rest == [200] * len(slow)
        began = time.monotonic()
    assert time.monotonic() - began < 5


def test_latency_delays_each_answer_and_not_the_others(connect: Connect) -> None:
    latency, rounds = 0.05, 4
    with Sandbox(SandboxOptions(latency=latency)) as sandbox:
        wires = [connect(sandbox) for _ in range(64)]
        began = time.monotonic()
        for _ in range(rounds):
            for wire in wires:
                wire.send(POST)
            assert {wire.status() for wire in wires} == {200}
        assert rounds * latency <= time.monotonic() - began < 6, "one by one: 12.8 s"


def test_nothing_but_the_loopback_address_is_served_and_is_free_again_at_once() -> None:
    with Sandbox() as first:
        port = first.socket.getsockname()[1]
        assert first.url == f"http://127.0.0.1:{port}/api/product/aggregateusage"
        with pytest.raises(OSError):  # noqa: PT011 (refused or unreachable)
            socket.create_connection(("127.0.0.2", port), TIMEOUT)
        lasting = socket.create_connection(("127.0.0.1", port))
        post(first.url)
    took = []
    for _ in range(3):
        with lasting, Sandbox(SandboxOptions(port=port)) as again:
            assert post(again.url)[0] == 200
            began = time.monotonic()
        took.append(time.monotonic() - began)
    assert min(took) < 0.9, "nothing was waited for"


BROKEN_POSTS = st.builds(
    lambda data, at, junk, cut: data[:at] + junk + data[at + cut :],
    *(st.sampled_from([POST, POST * 2]), st.integers(0, len(POST))),
    *(st.binary(max_size=8), st.integers(0, 8)),
)


@settings(max_examples=100)
@given(st.lists(st.binary(max_size=200) | BROKEN_POSTS, max_size=4))
@example([b"\x16\x03\x01"])
@example([b"POST / HTTP/1.1\r\nContent-Length: \xb2\r\n\r\n"])
def test_no_bytes_stop_it(shared: Sandbox, pieces: list[bytes]) -> None:
    with closing(Wire(shared)) as wire, suppress(ConnectionError):
        for piece in pieces:
            wire.send(piece)
        wire.sock.shutdown(socket.SHUT_WR)
        while wire.sock.recv(65536):
            pass
    with closing(Wire(shared)) as wire:
        assert wire.send(POST).status() == 200


FIELDS: dict[str, tuple[list[object], list[object]]] = {
    "mode": (["DOMAIN", "USER"], [ABSENT, None, " ", 5, "domain", [], {}]),
    "source": (["TELEMETRY", "PRODUCT_CLOUD"], [ABSENT, "DOMAIN"]),
    "activity_type": (["CALL HOME"], [ABSENT, " ", 5]),
    "environment": ([ABSENT, None], [5]),
    "count": ([0], [ABSENT, None, "5", 5.0, True, -1, [5]]),
    "ip_addr": (["::1"], [ABSENT, " ", [1]]),
    "domain": (["reo.dev", ABSENT], [5]),
    "event_id": ([ABSENT, "0b1c", 1], [True, 1.5, [], {}]),
    "event_at": ([-1], [ABSENT, "now", 1.5, False, {}]),
    "product_id": (["x"], [ABSENT, None, " "]),
    "user_agent": ([ABSENT], [5]),
    "meta": ([ABSENT, {}], ["{}", [], 1]),
    "unheard_of": ([[1]], []),
}


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_that_breaks_a_rule_is_named(shared: Sandbox, field: str) -> None:
    good, bad = FIELDS[field]
    for value in good:
        status, headers, body = post(shared.url, changed(**{field: value}))
        assert (status, headers["Content-Type"], body) == (200, "application/json", SUCCESS), value
    for value in bad:
        status, _, body = post(shared.url, changed(**{field: value}))
        assert (status, body["response_code"], body["status"]) == (400, 400, "failure"), value
        assert field in body["response"]


def test_an_event_needs_a_domain_or_an_address_and_all_faults_are_named(shared: Sandbox) -> None:
    for absent in (None, ABSENT):
        assert post(shared.url, changed(domain="reo.dev", ip_addr=absent))[0] == 200
    _, _, body = post(shared.url, changed(mode=ABSENT, count="x", domain=ABSENT, ip_addr=""))
    assert body["response"] == (
        "mode is missing; count must be an integer from 0; ip_addr or domain is missing"
    )


BAD_BODIES = [
    *((b"", "not JSON"), (b"{", "not JSON"), (b"\xef\xbb\xbf{}", "not JSON")),
    *((b"null", "payload"), (b"[]", "payload"), (b'{"payload": []}', "payload")),
    *((json.dumps(SAMPLE).encode(), "payload"), (b'{"payload": {}} {}', "not JSON")),
    *((b"\xff", "utf-8"), ('{"payload": {}}'.encode("utf-16"), "utf-8")),
    (b'{"payload": {"meta": NaN}}', "NaN"),
    (b'{"payload": {"count": 1e999}}', "out of range"),
    (b'{"payload": {"count": ' + b"9" * 5000 + b"}}", "not JSON"),
    *((b"[" * 200_000, "recursion"), (b'{"payload":' * 60_000, "recursion")),
]


@pytest.mark.parametrize(("body", "why"), BAD_BODIES, ids=range(len(BAD_BODIES)))
def test_a_body_without_a_payload_is_refused(shared: Sandbox, body: bytes, why: str) -> None:
    status, _, answer = post(shared.url, body)
    assert (status, answer["status"]) == (400, "failure")
    assert why in answer["response"]


@pytest.mark.parametrize(
    ("accepted", "right", "wrong"),
    [
        (None, ["anything"], [None, " "]),
        ("right-key", ["right-key", " right-key "], ["right-kez", "", None]),
    ],
)
def test_the_key(accepted: str | None, right: list[str], wrong: list[str | None]) -> None:
    with Sandbox(SandboxOptions(api_key=accepted)) as sandbox:
        assert [post(sandbox.url, key=key)[::2] for key in right] == [(200, SUCCESS)] * len(right)
        assert [post(sandbox.url, key=key)[::2] for key in wrong] == [(400, WRONG_KEY)] * len(wrong)
        assert sandbox.totals["refused"] == {"authentication": len(wrong)}


def test_no_second_has_more_requests_than_the_limit() -> None:
    with Sandbox(SandboxOptions(rate_limit=3)) as sandbox:
        answers = [post(sandbox.url) for _ in range(5)]
        assert [answer[0] for answer in answers] == [200, 200, 200, 429, 429]
        assert answers[4][1]["Retry-After"] == "1"
        time.sleep(1)
        assert [post(sandbox.url)[0] for _ in range(4)] == [200, 200, 200, 429]
        assert sandbox.totals["refused"] == {"rate_limited": 3}


def test_the_share_that_fails_is_that_of_the_seed_and_is_not_stored(tmp_path: Path) -> None:
    record = tmp_path / "record"
    options = SandboxOptions(fail_rate=0.4, seed=3, record=record)
    with Sandbox(options) as sandbox:
        seen = [post(sandbox.url)[0] for _ in range(100)]
    assert set(seen) == {200, 500, 503, 0}
    assert 25 <= 100 - seen.count(200) <= 55
    failed, dropped = seen.count(500) + seen.count(503), seen.count(0)
    assert sandbox.totals["refused"] == {"failed": failed, "dropped": dropped}
    assert len(record.read_text().splitlines()) == seen.count(200)
    with Sandbox(options) as again:
        assert [post(again.url)[0] for _ in range(100)] == seen


def test_the_record_holds_what_was_accepted_in_order(tmp_path: Path) -> None:
    record = tmp_path / "record.ndjson"
    record.write_text('{"from": "before"}\n')
    payloads = [changed(event_id=n, meta={"n": [n, 1.5, None, "Zoë"]}) for n in range(5)]
    payloads.append(changed(user_agent="half \ud83d"))
    with Sandbox(SandboxOptions(record=record)) as sandbox:
        for payload in payloads:
            assert post(sandbox.url, payload)[0] == 200
            assert json.loads(record.read_text().splitlines()[-1]) == payload  # before the answer
        post(sandbox.url, changed(count="x"))
    lines = record.read_text().splitlines()
    assert [json.loads(line) for line in lines[1:]] == payloads
    assert "Zoë" in lines[1]


def test_any_depth_is_accepted_and_recorded_or_refused(tmp_path: Path) -> None:
    text = json.dumps({"payload": changed(meta="MARK")})
    limits = (*range(900, 1010, 5), *range(4_900, 10_010, 500), 100_000)  # of several Pythons
    with Sandbox(SandboxOptions(record=tmp_path / "record")) as sandbox:
        bodies = [text.replace('"MARK"', '{"a":' * n + "1" + "}" * n).encode() for n in limits]
        statuses = [post(sandbox.url, body)[0] for body in bodies]
    assert set(statuses) == {200, 400}
    assert len((tmp_path / "record").read_text().splitlines()) == statuses.count(200)


def test_a_bug_ends_it_and_is_told() -> None:
    def bug(_: str) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), Sandbox(on_request=bug) as sandbox:
        post(sandbox.url)
    assert sandbox.totals["requests"] == 1

"""One attempt over real sockets: what is sent, the rows of reliability.md section 1, the key."""

import itertools
import socket
from pathlib import Path

import pytest

from reo_cli import __version__
from reo_cli.client import prepare
from reo_cli.client.connection import Connection
from reo_cli.client.outcome import Verdict
from tests import faults
from tests.attempts import KEY, ask, body_of, connected, target_for
from tests.faults import PAGE, SUCCESS, Action, FaultServer, head_of, response

DELIVERED, REJECTED, TRANSIENT = Verdict.DELIVERED, Verdict.REJECTED, Verdict.TRANSIENT
NOT_THE_API, KEY_REFUSED = Verdict.NOT_THE_API, Verdict.KEY_REFUSED


def test_the_request_is_exactly_this(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login joe password hunter2\ndefault login a password b\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    with FaultServer() as server:
        assert ask(server, body_of("x")).verdict is DELIVERED
    (request,) = server.requests
    assert request.line == f"POST {faults.PATH} HTTP/1.1"
    assert request.body == body_of("x")
    assert request.headers == {
        "host": server.address,
        "x-api-key": KEY,
        "content-type": "application/json",
        "accept": "application/json",
        "accept-encoding": "identity",
        "user-agent": f"reo-cli/{__version__}",
        "content-length": str(len(body_of("x"))),
    }


@pytest.mark.parametrize("host", ["localhost", "[::1]"])
def test_every_name_of_this_machine_works(host: str) -> None:
    try:
        with FaultServer(host=host) as server:
            assert ask(server).verdict is DELIVERED
            assert server.requests[0].headers["host"] == server.address
    except OSError:
        pytest.skip("no IPv6 here")


CHUNKED = "Transfer-Encoding: chunked"
LENGTH = f"Content-Length: {len(SUCCESS)}"


def http(*headers: str, body: bytes = SUCCESS, status: str = "HTTP/1.1 200 OK") -> Action:
    """An answer with just these headers, after which the server hangs up."""
    return faults.raw("\r\n".join([status, *headers, "", ""]).encode("latin-1") + body)


def chunks(tail: bytes = b"0\r\n\r\n") -> bytes:
    parts = (SUCCESS[:20], SUCCESS[20:21], SUCCESS[21:])
    return b"".join(b"%x;note=1\r\n%b\r\n" % (len(part), part) for part in parts) + tail


def chunked(body: bytes) -> Action:
    return http(CHUNKED, body=body)


ELSEWHERE = head_of(302, {"Location": "http://x/", "Content-Encoding": "gzip"})

TABLE: list[tuple[Action, Verdict, str]] = [
    (faults.success(), DELIVERED, "HTTP 200"),
    (chunked(chunks()), DELIVERED, "HTTP 200"),
    (chunked(chunks(tail=b"0;x=y\r\nX-Trailer: 1\r\n\r\n")), DELIVERED, "HTTP 200"),
    (http(), DELIVERED, "HTTP 200"),
    (faults.answer(200, b"\xef\xbb\xbf" + SUCCESS), DELIVERED, "HTTP 200"),
    (http(LENGTH, f"content-length:{len(SUCCESS)}"), DELIVERED, "HTTP 200"),
    (http(f"{LENGTH}, {len(SUCCESS)}"), DELIVERED, "HTTP 200"),
    (http(LENGTH, status="HTTP/1.0 200"), DELIVERED, "HTTP 200"),
    (faults.raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + response(200, SUCCESS)), DELIVERED, "200"),
    (faults.raw(b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + response(200, SUCCESS)), DELIVERED, ""),
    # sloppy around a complete success: the server has stored the event and says so
    (chunked(chunks(tail=b"0\r\n")), DELIVERED, "HTTP 200"),
    (chunked(chunks(tail=b"0\r\nbad\r\n\r\n")), DELIVERED, "HTTP 200"),
    (http("Content-Length: -1"), DELIVERED, "HTTP 200"),
    (http("Content-Length: "), DELIVERED, "HTTP 200"),
    (http(LENGTH, CHUNKED, body=chunks()), DELIVERED, "HTTP 200"),
    (http("Transfer-Encoding: identity"), DELIVERED, "HTTP 200"),
    (http(CHUNKED, body=chunks(), status="HTTP/1.0 200 OK"), DELIVERED, "HTTP 200"),
    (http("X: a", " folded", LENGTH), DELIVERED, "HTTP 200"),
    (http(f"Content-Length : {len(SUCCESS)}"), DELIVERED, "HTTP 200"),
    (http(f"X: y\n{LENGTH}"), DELIVERED, "HTTP 200"),
    (http("no colon", LENGTH), DELIVERED, "HTTP 200"),
    (faults.raw(b"HTTP/1.1 200 OK\n\n" + SUCCESS), DELIVERED, "HTTP 200"),
    # unknown: the server may have stored it
    (faults.cut_head(), TRANSIENT, "the answer was cut off (HTTP 200)"),
    (faults.cut_body(), TRANSIENT, "the answer was cut off (HTTP 200)"),
    (faults.cut_json(), TRANSIENT, "not complete JSON (HTTP 200)"),
    (chunked(chunks(tail=b"zz\r\n\r\n")), TRANSIENT, "the answer has a bad chunk (HTTP 200)"),
    (chunked(chunks(tail=b"")), TRANSIENT, "cut off (HTTP 200)"),
    (chunked(b"5\r\n" + SUCCESS), TRANSIENT, "cut off"),
    (chunked(b"-1\r\n" + SUCCESS + b"\r\n0\r\n\r\n"), TRANSIENT, "cut off"),
    (chunked(b"ffffffff\r\n" + b" " * 99_999), TRANSIENT, "64 KiB"),
    (chunked(b";" + b"x" * 200_000), TRANSIENT, "bad chunk"),
    (http(body=SUCCESS[:-1]), TRANSIENT, "not complete JSON (HTTP 200)"),
    (Action("body, reset", (head_of(200), SUCCESS), "reset"), TRANSIENT, "HTTP 200"),
    (http(f"Content-Length: {len(SUCCESS) + 1}"), TRANSIENT, "cut off"),
    (http(f"Content-Length: {len(SUCCESS) - 1}"), TRANSIENT, "not complete JSON"),
    (http("Content-Length: +5"), TRANSIENT, "not complete JSON"),
    (http(f"Content-Length: {'9' * 30}"), TRANSIENT, "cut off"),
    (http(LENGTH, "Content-Length: 5"), TRANSIENT, "length"),
    (http("Transfer-Encoding: gzip, chunked", body=chunks()), TRANSIENT, "JSON"),
    (faults.answer(204), TRANSIENT, "an empty answer (HTTP 204)"),
    (faults.answer(200, b"\x1f\x8b", {"Content-Encoding": "gzip"}), TRANSIENT, "compressed"),
    (faults.answer(200, b" " * 65_537 + SUCCESS), TRANSIENT, "larger than 64 KiB (HTTP 200)"),
    (faults.endless(), TRANSIENT, "larger than 64 KiB (HTTP 200)"),
    (faults.drip(b"X: y\r\n" * 20_000, 0, before=b"HTTP/1.1 200 OK\r\n"), TRANSIENT, "headers"),
    (faults.drip(b"HTTP/1.1 100 Go\r\n\r\n" * 99, 0), TRANSIENT, "headers"),
    # no HTTP at all
    (faults.raw(b"SSH-2.0-OpenSSH_9.2\r\n"), TRANSIENT, "not HTTP/1.1"),
    (faults.raw(b"\x15\x03\x03\x00\x02\x02\x16"), TRANSIENT, "cut off"),
    (faults.raw(b"HTTP/2 200\r\n\r\n"), TRANSIENT, "not HTTP/1.1"),
    (faults.raw(b"HTTP/1.1 2000 OK\r\n\r\n" + SUCCESS), TRANSIENT, "not HTTP/1.1"),
    (faults.raw(SUCCESS), TRANSIENT, "cut off"),
    (faults.raw(b"HTTP/1.1 101 Switching\r\n\r\n"), TRANSIENT, "HTTP 101"),
    # connections that break
    (faults.reset(), TRANSIENT, "connection reset by 127.0.0.1"),
    (faults.hang_up(), TRANSIENT, "closed the connection without an answer"),
    (faults.cut(5), TRANSIENT, "the answer was cut off"),
    (faults.cut(40, 400), TRANSIENT, "the answer was cut off (HTTP 400)"),
    # statuses and headers reach the judge, with the body cut or not (test_outcome.py has them all)
    (faults.wrong_key(200), KEY_REFUSED, "Authentication Failure"),
    (faults.cut_body(401), KEY_REFUSED, "the API refused the key (HTTP 401"),
    (faults.failure(400, "Bad count"), REJECTED, "HTTP 400: Bad count"),
    (faults.cut_body(400), REJECTED, "HTTP 400"),
    (faults.throttled(7), TRANSIENT, "HTTP 429"),
    (faults.endless(503), TRANSIENT, "HTTP 503"),
    (faults.redirect("http://127.0.0.1:1/x"), NOT_THE_API, "a redirect to http://127.0.0.1:1/x"),
    # requests would read the body of a redirect before it tells of it
    (Action("endless", (ELSEWHERE,), forever=[b"x" * 8192]), NOT_THE_API, "redirect to http://x/"),
    (faults.answer(404), NOT_THE_API, "HTTP 404 at http://127.0.0.1"),
    (faults.page(), NOT_THE_API, "a web page instead of an answer of the API (HTTP 200)"),
    (faults.answer(200, b"<" * 99_999, {"Content-Type": "text/html"}), NOT_THE_API, "a web page"),
    (faults.endless(200, PAGE), NOT_THE_API, "a web page"),
]


@pytest.mark.parametrize(
    ("action", "verdict", "said"), TABLE, ids=[f"{n}-{row[0].name}" for n, row in enumerate(TABLE)]
)
def test_the_table(action: Action, verdict: Verdict, said: str) -> None:
    with FaultServer(action) as server:
        outcome = ask(server)
        assert outcome.verdict is verdict
        assert said in outcome.reason
        assert not outcome.unreachable
        assert outcome.retry_after == (7 if "429" in said else None)
        assert len(server.requests) == 1
        assert KEY not in repr(outcome)


# The key goes nowhere else: reliability.md section 5


def test_5_1_a_redirect_is_never_followed() -> None:
    with FaultServer(host="localhost") as other, FaultServer() as server:
        places = (other.url, "/elsewhere", f"//{other.address}/")
        for status, place in itertools.product((*range(300, 306), 307, 308), places):
            server.script = faults.redirect(place, status)
            outcome = ask(server)
            assert (outcome.verdict, outcome.after_delivery) == (NOT_THE_API, TRANSIENT)
    assert len(server.requests) == 8 * 3
    assert other.connections == 0


def test_5_2_no_socket_is_opened_to_prepare(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "other.example")
    target = prepare("https://x.example/", KEY, timeout=5, ca_bundle=None)
    assert target.proxy is not None


def test_no_cookie_is_sent_back() -> None:
    cookie = faults.answer(200, SUCCESS, {"Set-Cookie": "session=1; Path=/"})
    with FaultServer(cookie) as server, connected(server) as connection:
        assert {connection.attempt(body_of(n)).verdict for n in range(3)} == {DELIVERED}
        assert len(connection._session.cookies) == 0
    assert not [each for each in server.requests if "cookie" in each.headers]


def test_5_5_the_key_is_in_no_repr() -> None:
    target = target_for("http://localhost:1/")
    connection = Connection(target)
    outcome = connection.attempt(body_of())
    assert KEY not in f"{target!r} {target} {connection!r} {outcome!r}"


ESCAPED = KEY.replace("/", "\\/").replace("+", "\\u002B").replace("=", "\\u003d")


@pytest.mark.parametrize("key", [KEY.encode(), ESCAPED.encode()], ids=["plain", "escaped"])
@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_5_5_a_key_that_is_sent_back_is_hidden(key: bytes, status: int) -> None:
    texts = [
        b'{"status": "failure", "response": "unknown key %b"}' % key,
        b'{"status": "success", "response": "hello %b"}' % key,
        b'{"status": "failure", "%b": ["%b"]}' % (key, key),
        b"who is %b?" % key,
        b'{"response": "' + b"x" * 190 + key,
    ]
    with FaultServer([faults.answer(status, text) for text in texts]) as server:
        outcomes = [ask(server) for _ in texts]
    assert KEY[:10] not in repr(outcomes)
    assert all(outcome.response is not None for outcome in outcomes)


@pytest.mark.parametrize("key", [KEY, KEY.replace("+", "%2B").replace("/", "%2f")])
def test_5_5_a_key_in_a_redirect_is_hidden(key: str) -> None:
    with FaultServer(faults.redirect(f"https://evil.example/{key}/")) as server:
        assert ask(server).reason == "HTTP 302, a redirect to https://evil.example/****/"

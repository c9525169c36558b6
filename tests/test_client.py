"""One attempt over real sockets: what is sent, and every row of reliability.md section 1."""

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from reo_cli import __version__
from reo_cli.client.outcome import Verdict
from tests import faults
from tests.attempts import KEY, ask, body_of
from tests.faults import SUCCESS, Action, FaultServer, head_of, response

DELIVERED, REJECTED, TRANSIENT = Verdict.DELIVERED, Verdict.REJECTED, Verdict.TRANSIENT
NOT_THE_API, KEY_REFUSED, CONFIG = Verdict.NOT_THE_API, Verdict.KEY_REFUSED, Verdict.CONFIG


def test_the_request_is_exactly_this(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login joe password hunter2\ndefault login a password b\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    with FaultServer() as server:
        outcome = ask(server, body_of("x"))
    (request,) = server.requests
    assert outcome.verdict is DELIVERED
    assert (request.method, request.path) == ("POST", faults.PATH)
    assert request.body == body_of("x")
    assert request.headers == {
        "host": f"127.0.0.1:{server.port}",
        "x-api-key": KEY,
        "content-type": "application/json",
        "accept": "application/json",
        "accept-encoding": "identity",
        "user-agent": f"reo-cli/{__version__}",
        "content-length": str(len(body_of("x"))),
    }


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_every_name_of_this_machine_works(host: str) -> None:
    if host == "[::1]" and not has_ipv6():
        pytest.skip("no IPv6 here")
    with FaultServer(host=host) as server:
        assert ask(server).verdict is DELIVERED
        assert server.requests[0].headers["host"] == f"{host}:{server.port}"


TE = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(SUCCESS), SUCCESS)
CHUNKED = "Transfer-Encoding: chunked"
LENGTH = str(len(SUCCESS))
FAILURE = b'{"response_code": "400", "response": "No", "status": "failure"}'


def with_headers(*lines: str, body: bytes = SUCCESS, status: str = "HTTP/1.1 200 OK") -> Action:
    return faults.raw("\r\n".join([status, *lines, "", ""]).encode("latin-1") + body)


def endless_redirect() -> Action:
    """A redirect whose body has no end: requests would read it before it tells of it."""
    head = head_of(302, {"Location": "http://x/", "Content-Encoding": "gzip"})
    return Action("endless redirect", faults.Endless(b"x" * 8192, head, step=8192), "close")


TABLE: list[tuple[Action, Verdict, str]] = [
    (faults.success(), DELIVERED, "HTTP 200"),
    (faults.chunked(), DELIVERED, "HTTP 200"),
    (faults.chunked(size=1), DELIVERED, "HTTP 200"),
    (faults.chunked(tail=b"0;x=y\r\nX-Trailer: 1\r\n\r\n"), DELIVERED, "HTTP 200"),
    (faults.until_close(), DELIVERED, "HTTP 200"),
    (faults.answer(200, b"\xef\xbb\xbf" + SUCCESS), DELIVERED, "HTTP 200"),
    (with_headers(f"Content-Length: {LENGTH}", f"content-length:{LENGTH}"), DELIVERED, "200"),
    (with_headers(f"Content-Length: {LENGTH}, {LENGTH}"), DELIVERED, "HTTP 200"),
    (with_headers(f"Content-Length: {LENGTH}", status="HTTP/1.0 200"), DELIVERED, "HTTP 200"),
    (faults.raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + response(200, SUCCESS)), DELIVERED, "200"),
    (faults.raw(b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + response(200, SUCCESS)), DELIVERED, ""),
    # sloppy around a complete success: the server has stored the event and says so
    (replace(faults.chunked(tail=b"0\r\n"), then="close"), DELIVERED, "HTTP 200"),
    (replace(faults.chunked(tail=b"0\r\nbad\r\n\r\n"), then="close"), DELIVERED, "HTTP 200"),
    (faults.wrong_length(-1), DELIVERED, "HTTP 200"),
    (faults.wrong_length("0x4c"), DELIVERED, "HTTP 200"),
    (faults.wrong_length(""), DELIVERED, "HTTP 200"),
    (with_headers(f"Content-Length: {LENGTH}", CHUNKED, body=CHUNKS), DELIVERED, "HTTP 200"),
    (with_headers("Transfer-Encoding: identity"), DELIVERED, "HTTP 200"),
    (with_headers(CHUNKED, body=CHUNKS, status="HTTP/1.0 200 OK"), DELIVERED, "HTTP 200"),
    (with_headers("X: a", " folded", f"Content-Length: {LENGTH}"), DELIVERED, "HTTP 200"),
    (with_headers(f"Content-Length : {LENGTH}"), DELIVERED, "HTTP 200"),
    (with_headers(f"X: \0\r\nContent-Length: {LENGTH}"), DELIVERED, "HTTP 200"),
    (with_headers(f"X: y\nContent-Length: {LENGTH}"), DELIVERED, "HTTP 200"),
    (with_headers("no colon", f"Content-Length: {LENGTH}"), DELIVERED, "HTTP 200"),
    (faults.raw(b"HTTP/1.1 200 OK\n\n" + SUCCESS), DELIVERED, "HTTP 200"),
    # unknown: the server may have stored it
    (faults.cut_head(), TRANSIENT, "the answer was cut off (HTTP 200)"),
    (faults.cut_body(), TRANSIENT, "the answer was cut off (HTTP 200)"),
    (faults.cut_json(), TRANSIENT, "not complete JSON (HTTP 200)"),
    (faults.bad_chunk(), TRANSIENT, "the answer has a bad chunk (HTTP 200)"),
    (replace(faults.chunked(tail=b""), then="close"), TRANSIENT, "cut off (HTTP 200)"),
    (faults.raw(head_of(200, TE) + b"5\r\n" + SUCCESS), TRANSIENT, "cut off"),
    (faults.raw(head_of(200, TE) + b"-1\r\n" + SUCCESS + b"\r\n0\r\n\r\n"), TRANSIENT, "cut off"),
    (faults.raw(head_of(200, TE) + b"0x5\r\n\r\n"), TRANSIENT, "cut off"),
    (faults.raw(head_of(200, TE) + b"fffffffff\r\n"), TRANSIENT, "cut off"),
    (faults.raw(head_of(200, TE) + b"ffffffff\r\n" + b" " * 99_999), TRANSIENT, "64 KiB"),
    (faults.raw(head_of(200, TE) + b";" + b"x" * 200_000), TRANSIENT, "bad chunk"),
    (faults.until_close(SUCCESS[:-1]), TRANSIENT, "not complete JSON (HTTP 200)"),
    (replace(faults.until_close(), then="reset"), TRANSIENT, "HTTP 200"),
    (faults.wrong_length(len(SUCCESS) + 1), TRANSIENT, "cut off"),
    (faults.wrong_length(len(SUCCESS) - 1), TRANSIENT, "not complete JSON"),
    (faults.wrong_length("+5"), TRANSIENT, "not complete JSON"),
    (faults.wrong_length("9" * 30), TRANSIENT, "cut off"),
    (faults.wrong_length(10**14), TRANSIENT, "cut off"),
    (with_headers(f"Content-Length: {LENGTH}", "Content-Length: 5"), TRANSIENT, "length"),
    (with_headers("Transfer-Encoding: gzip, chunked", body=CHUNKS), TRANSIENT, "JSON"),
    (faults.answer(204), TRANSIENT, "an empty answer (HTTP 204)"),
    (faults.answer(200), TRANSIENT, "an empty answer (HTTP 200)"),
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
    (faults.raw(b"HTTP/1.1 20\r\n\r\n" + SUCCESS), TRANSIENT, "not HTTP/1.1"),
    (faults.raw(SUCCESS), TRANSIENT, "cut off"),
    (faults.raw(b"HTTP/1.1 101 Switching\r\n\r\n"), TRANSIENT, "HTTP 101"),
    # connections that break
    (faults.reset(), TRANSIENT, "connection reset by 127.0.0.1"),
    (faults.hang_up(), TRANSIENT, "closed the connection without an answer"),
    (faults.cut(5), TRANSIENT, "the answer was cut off"),
    (faults.cut(40, 400), TRANSIENT, "the answer was cut off (HTTP 400)"),
    # statuses, with the body cut or not
    (faults.wrong_key(200), KEY_REFUSED, "Authentication Failure"),
    (faults.wrong_key(400), KEY_REFUSED, "the API refused the key"),
    (faults.answer(401), KEY_REFUSED, "the API refused the key (HTTP 401)"),
    (faults.cut_body(401), KEY_REFUSED, "HTTP 401"),
    (faults.answer(403), KEY_REFUSED, "HTTP 403"),
    (faults.answer(407), CONFIG, "HTTP 407"),
    (faults.failure(400, "Bad count"), REJECTED, "HTTP 400: Bad count"),
    (faults.cut_body(400), REJECTED, "HTTP 400"),
    (faults.failure(413), REJECTED, "HTTP 413"),
    (faults.failure(422), REJECTED, "HTTP 422"),
    (faults.answer(200, FAILURE), REJECTED, "HTTP 200 with `response_code` 400: No"),
    (faults.failure(500), TRANSIENT, "HTTP 500"),
    (faults.failure(503), TRANSIENT, "HTTP 503"),
    (faults.throttled(7), TRANSIENT, "HTTP 429"),
    (faults.endless(503), TRANSIENT, "HTTP 503"),
    (faults.redirect("http://127.0.0.1:1/x"), NOT_THE_API, "a redirect to http://127.0.0.1:1/x"),
    (endless_redirect(), NOT_THE_API, "HTTP 302, a redirect to http://x/"),
    (faults.answer(404), NOT_THE_API, "HTTP 404 at http://127.0.0.1"),
    (faults.answer(405), NOT_THE_API, "HTTP 405"),
    (faults.page(200), NOT_THE_API, "a web page instead of an answer of the API (HTTP 200)"),
    (faults.page(200, size=300_000), NOT_THE_API, "a web page"),
    (faults.endless(200, faults.PAGE, "text/html"), NOT_THE_API, "a web page"),
    (faults.page(403), NOT_THE_API, "a web page"),
    (faults.page(502), TRANSIENT, "HTTP 502"),
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
        assert len(server.requests) == 1
        assert KEY not in repr(outcome)

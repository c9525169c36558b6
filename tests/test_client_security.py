"""The key goes nowhere else: reliability.md section 5, items 1, 2, 4 and 5, at the client."""

import socket

import pytest

from reo_cli.client import prepare
from reo_cli.client.connection import Connection
from reo_cli.client.outcome import Verdict
from tests import faults
from tests.attempts import KEY, ask, body_of, connected, target_for
from tests.faults import SUCCESS, FaultServer


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 305, 307, 308])
def test_5_1_a_redirect_is_never_followed(status: int) -> None:
    with FaultServer(host="localhost") as other, FaultServer() as server:
        for location in (other.url, "/elsewhere", f"//localhost:{other.port}/"):
            server.script = faults.redirect(location, status)
            outcome = ask(server)
            assert outcome.verdict is Verdict.NOT_THE_API
            assert outcome.after_delivery is Verdict.TRANSIENT
    assert len(server.requests) == 3
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
    cookie = faults.answer(200, SUCCESS, {"Set-Cookie": "session=1; Path=/"}, accepted=True)
    with FaultServer(cookie) as server, connected(server) as connection:
        assert {connection.attempt(body_of(n)).verdict for n in range(3)} == {Verdict.DELIVERED}
        assert len(connection._session.cookies) == 0
    assert not [each for each in server.requests if "cookie" in each.headers]


def test_5_5_the_key_is_in_no_repr() -> None:
    target = target_for("http://localhost:1/")
    assert target.request.headers["X-API-KEY"] == KEY
    connection = Connection(target)
    outcome = connection.attempt(body_of())
    for shown in (repr(target), str(target), repr(connection), repr(outcome)):
        assert KEY not in shown


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


def test_5_5_a_key_in_a_redirect_is_hidden() -> None:
    for key in (KEY, KEY.replace("+", "%2B").replace("/", "%2f")):
        with FaultServer(faults.redirect(f"https://evil.example/{key}/")) as server:
            outcome = ask(server)
        assert outcome.reason == "HTTP 302, a redirect to https://evil.example/****/"

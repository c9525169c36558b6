"""Every attempt ends when its time is over (N6), and unreachable servers are named so."""

import errno
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace

import pytest

from reo_cli.client.connection import Connection
from reo_cli.client.dial import PATIENCE
from reo_cli.client.faults import failed
from reo_cli.client.outcome import Verdict
from reo_cli.client.timed import Attempt
from tests import faults
from tests.attempts import GRACE, TIMEOUT, ask, body_of, target_for, timed
from tests.faults import SUCCESS, FaultServer, head_of, response

DELIVERED, REJECTED, TRANSIENT = Verdict.DELIVERED, Verdict.REJECTED, Verdict.TRANSIENT
NOT_THE_API, KEY_REFUSED, CONFIG = Verdict.NOT_THE_API, Verdict.KEY_REFUSED, Verdict.CONFIG
TE = {"Transfer-Encoding": "chunked"}


HANDSHAKE = b"\x16\x03\x03\x40\x00"
"""The start of a TLS record of 16 KiB, which then never ends."""

N6 = {
    "silence": faults.silence(),
    "head": faults.drip_head(),
    "body": faults.drip_body(),
    "continue": faults.drip_continue(),
    "status line": faults.drip(b" ", before=b"HTTP/1.1 200"),
    "chunks": faults.drip(b"1\r\n \r\n", before=head_of(200, TE)),
    "chunk size": faults.drip(b"0", before=head_of(200, TE)),
    "trailer": faults.drip(b"X: y\r\n", before=head_of(200, TE) + b"0\r\n"),
    "until close": faults.drip(b" ", before=head_of(200)),
    "early hints": faults.drip(b"HTTP/1.1 103 Early\r\nX: y\r\n\r\n", 0.01),
    "half of it": faults.raw(response(200, SUCCESS)[:-9], "hold"),
    "one line": faults.drip(b"x"),
}


@pytest.mark.parametrize("name", N6)
def test_n6_every_attempt_ends_at_its_deadline(name: str) -> None:
    with FaultServer(N6[name]) as server:
        outcome = timed(server)
    assert outcome.verdict is TRANSIENT
    assert ("no answer within 0.3 s" in outcome.reason) or ("in time" in outcome.reason)
    assert not outcome.unreachable


def test_n6_a_connection_that_is_accepted_and_ignored_ends_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        outcome = timed(target_for(url, timeout=TIMEOUT))
    assert outcome.verdict is TRANSIENT
    assert outcome.reason == "no answer within 0.3 s"


def test_n6_a_dripping_handshake_ends_at_the_deadline() -> None:
    drip = faults.drip(b"\0", before=HANDSHAKE)
    with FaultServer(greeting=lambda _: drip) as server:
        target = target_for(server.url.replace("http:", "https:"), timeout=TIMEOUT)
        outcome = timed(target)
    assert outcome.verdict is TRANSIENT
    assert outcome.unreachable
    assert outcome.reason == f"no TLS handshake with 127.0.0.1:{server.port} within 0.3 s"
    assert not server.requests


def test_n6_a_body_that_is_not_taken_ends_at_the_deadline() -> None:
    with FaultServer(faults.late(9, replace(faults.success(), early=True))) as server:
        outcome = timed(server, b"x" * 20_000_000)
    assert outcome.reason == "no answer within 0.3 s"


def test_n6_a_body_that_is_taken_in_sips_ends_at_the_deadline() -> None:
    def sip() -> None:
        stream, _ = listener.accept()
        with stream, suppress(OSError):
            while stream.recv(262_144):
                time.sleep(0.02)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=sip, daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        outcome = timed(target_for(url, timeout=TIMEOUT), b"x" * 50_000_000)
    assert outcome.reason == "no answer within 0.3 s"


def test_n6_a_lookup_without_an_answer_ends_at_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(9) and [])
    outcome = timed(target_for("http://localhost:1/", timeout=TIMEOUT))
    over.set()
    assert outcome.reason == "no address for `localhost` within 0.3 s"
    assert outcome.unreachable


@contextmanager
def full_listener() -> Iterator[tuple[str, int]]:
    """An address that swallows the packets of whoever wants to connect."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()


def test_n6_a_connection_that_is_never_accepted_ends_at_the_deadline() -> None:
    with full_listener() as (_, port):
        outcome = timed(target_for(f"http://127.0.0.1:{port}/", timeout=TIMEOUT))
    assert "within 0.3 s" in outcome.reason
    assert outcome.verdict is TRANSIENT


def test_a_cut_401_is_a_refused_key_however_slow_its_body_is() -> None:
    slow = faults.drip(b" ", before=head_of(401, {"Content-Length": "900"}))
    with FaultServer(slow) as server:
        assert timed(server, b"{}").verdict is KEY_REFUSED


def test_a_refused_connection() -> None:
    with FaultServer() as server:
        pass
    outcome = ask(server)
    assert outcome.verdict is TRANSIENT
    assert outcome.unreachable
    assert outcome.reason == f"connection refused by 127.0.0.1:{server.port}"


def test_an_unknown_host(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    outcome = ask(target_for("http://localhost:1/"))
    assert outcome.unreachable
    assert outcome.reason == "cannot find the host `localhost` (name or service not known)"


def test_the_next_address_is_tried_after_a_moment_and_the_good_one_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with FaultServer(close_every=1) as server, full_listener() as deaf:
        addresses = [deaf, ("127.0.0.1", server.port)]
        rows = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", each) for each in addresses]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: rows)
        target = target_for(f"http://localhost:{server.port}/")
        took = []
        for connection in [Connection(target) for _ in range(5)]:
            start = time.monotonic()
            assert connection.attempt(body_of()).verdict is DELIVERED
            took.append(time.monotonic() - start)
            connection.close()
    assert PATIENCE <= took[0] < PATIENCE + GRACE
    assert min(took[1:]) < PATIENCE, "with the fastest of four, on a machine that may be busy"


def test_every_address_of_a_host_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultServer(host="localhost") as server, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        addresses = [closed.getsockname(), ("127.0.0.1", server.port)]
        rows = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", each) for each in addresses]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: rows)
        assert ask(server).verdict is DELIVERED


@pytest.mark.parametrize(
    ("step", "error", "verdict", "said"),
    [
        (
            *("tcp", OSError(errno.ENETUNREACH, "x"), TRANSIENT),
            "cannot connect to h:1 (network is unreachable)",
        ),
        (
            *("tcp", OSError(errno.EMFILE, "x"), Verdict.LIMIT),
            "the system lets this process open no more files",
        ),
        (
            *("dns", UnicodeError("label too long"), TRANSIENT),
            "cannot find the host `h:1` (label too long)",
        ),
        (
            *("answer", OSError("odd\n\x1b[0m"), TRANSIENT),
            "connection to h:1 lost (odd \\x1b[0m)",
        ),
    ],
)
def test_the_words_for_what_the_system_says(
    step: str, error: Exception, verdict: Verdict, said: str
) -> None:
    found = failed(step, error, "h:1", Attempt(target_for("http://localhost:1/")))
    assert (found.outcome.verdict, found.outcome.reason, found.step) == (verdict, said, step)

"""Every attempt ends when its time is over (N6), and unreachable servers are named so."""

import errno
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest

from reo_cli.client.dial import PATIENCE
from reo_cli.client.faults import failed
from reo_cli.client.outcome import Verdict
from reo_cli.client.timed import Attempt
from tests import faults
from tests.attempts import GRACE, ask, proxied, target_for, timed
from tests.faults import SUCCESS, Action, FaultServer, head_of, response
from tests.proxies import CONTEXT

DELIVERED, TRANSIENT, LIMIT = Verdict.DELIVERED, Verdict.TRANSIENT, Verdict.LIMIT
TE = {"Transfer-Encoding": "chunked"}

CONTINUE = faults.drip(b"HTTP/1.1 100 Continue\r\n\r\n", 0.01)
HANDSHAKE = b"\x16\x03\x03\x40\x00"
"""The start of a TLS record of 16 KiB, which then never ends."""

N6 = {
    "silence": FaultServer(faults.silence()),
    "ignored": FaultServer(greeting=faults.silence()),
    "head": FaultServer(faults.drip_head()),
    "body": FaultServer(faults.drip_body()),
    "continue": FaultServer(CONTINUE),
    "status line": FaultServer(faults.drip(b" ", before=b"HTTP/1.1 200")),
    "chunks": FaultServer(faults.drip(b"1\r\n \r\n", before=head_of(200, TE))),
    "chunk size": FaultServer(faults.drip(b"0", before=head_of(200, TE))),
    "trailer": FaultServer(faults.drip(b"X: y\r\n", before=head_of(200, TE) + b"0\r\n")),
    "until close": FaultServer(faults.drip(b" ", before=head_of(200))),
    "early hints": FaultServer(faults.drip(b"HTTP/1.1 103 Early\r\nX: y\r\n\r\n", 0.01)),
    "half of it": FaultServer(faults.raw(response(200, SUCCESS)[:-9], "hold")),
    "one line": FaultServer(faults.drip(b"x")),
    "large, sipped": FaultServer(Action("sips", then="hold", early=True, pause=0.02)),
    "large, not read": FaultServer(faults.late(9, replace(faults.success(), early=True))),
}
NO_CONNECTION = {
    "handshake": FaultServer(greeting=faults.drip(b"\0", before=HANDSHAKE), tls=CONTEXT),
    "proxy, silence": FaultServer(faults.silence()),
    "proxy, head": FaultServer(faults.drip_head()),
    "proxy, continue": FaultServer(CONTINUE),
    "proxy, no handshake": FaultServer(faults.raw(head_of(200), "hold"), tls=CONTEXT),
    "proxy, handshake": FaultServer(
        faults.drip(HANDSHAKE + bytes(999), before=head_of(200)), tls=CONTEXT
    ),
}


@pytest.mark.parametrize("name", [*N6, *NO_CONNECTION])
def test_n6_every_attempt_ends_at_its_deadline(name: str) -> None:
    with {**N6, **NO_CONNECTION}[name] as server:
        to = proxied(server.url) if name.startswith("proxy") else server
        outcome = timed(to, b"x" * (50_000_000 if "large" in name else 2))
    assert (outcome.verdict, outcome.unreachable) == (TRANSIENT, name in NO_CONNECTION)
    assert ("within 0.3 s" in outcome.reason) or ("in time" in outcome.reason)


def test_a_cut_401_is_a_refused_key_however_slow_its_body_is() -> None:
    with FaultServer(faults.drip(b" ", before=response(401, b" " * 900)[:-900])) as server:
        assert timed(server).verdict is Verdict.KEY_REFUSED


def test_n6_a_lookup_without_an_answer_ends_at_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(9) and [])
    outcome = timed(target_for("http://localhost:1/"))
    over.set()
    assert outcome.reason == "no address for `localhost` within 0.3 s"
    assert outcome.unreachable


Place = tuple[str, int]


@contextmanager
def full() -> Iterator[Place]:
    """An address that swallows the packets of whoever wants to connect."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()


def found(monkeypatch: pytest.MonkeyPatch, *places: Place) -> None:
    """Let every host have these addresses."""
    rows = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", each) for each in places]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: rows)


def test_the_next_address_is_tried_after_a_moment_and_the_good_one_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with FaultServer(close_every=1) as server, full() as deaf:
        found(monkeypatch, deaf, ("127.0.0.1", server.port))
        target = target_for(f"http://localhost:{server.port}/")
        took = []
        for _ in range(5):
            start = time.monotonic()
            assert ask(target).verdict is DELIVERED
            took.append(time.monotonic() - start)
    assert PATIENCE <= took[0] < PATIENCE + GRACE
    assert min(took[1:]) < PATIENCE, "with the fastest of four, on a machine that may be busy"


def test_every_address_of_a_host_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultServer(host="localhost") as server, socket.socket() as closed, full() as deaf:
        closed.bind(("127.0.0.1", 0))
        found(monkeypatch, closed.getsockname(), ("127.0.0.1", server.port))
        assert ask(server).verdict is DELIVERED
        found(monkeypatch, closed.getsockname(), closed.getsockname())
        refused = ask(server)
        assert (refused.verdict, refused.unreachable) == (TRANSIENT, True)
        assert refused.reason == f"connection refused by {server.address}"
        for addresses in ([deaf], [closed.getsockname(), deaf]):
            found(monkeypatch, *addresses)
            assert "within 0.3 s" in timed(server).reason


@pytest.mark.parametrize(
    ("step", "error", "verdict", "said"),
    [
        ("tcp", OSError(errno.ENETUNREACH, "x"), TRANSIENT, "to h:1 (network is unreachable)"),
        ("tcp", OSError(errno.EMFILE, "x"), LIMIT, "the system lets this process open no more"),
        ("dns", RuntimeError("can't start new thread"), LIMIT, "start no more threads"),
        ("dns", UnicodeError("too long"), TRANSIENT, "find the host `h:1` (too long)"),
        ("dns", socket.gaierror(-2, "Not known"), TRANSIENT, "find the host `h:1` (not known)"),
        ("answer", OSError("odd\n\x1b[0m"), TRANSIENT, "connection to h:1 lost (odd \\x1b[0m)"),
    ],
)
def test_the_words_for_what_the_system_says(
    step: str, error: Exception, verdict: Verdict, said: str
) -> None:
    told = failed(step, error, "h:1", Attempt(target_for("http://localhost:1/")))
    assert (told.outcome.verdict, told.step) == (verdict, step)
    assert said in told.outcome.reason


def test_an_answer_that_came_while_the_process_stood_still_is_heard() -> None:
    late = Attempt(target_for("http://localhost:1/"))
    late.begin(0)
    assert late.left(to_read=True) < 0.01
    for to_read in (True, False):
        with pytest.raises(TimeoutError):
            late.left(to_read=to_read)
    with pytest.raises(RuntimeError, match="a bug"):
        failed("dns", RuntimeError("a bug"), "h:1", late)

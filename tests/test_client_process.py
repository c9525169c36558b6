"""requests carries every event: seen from inside the real process."""

from collections import Counter

import pytest

from tests.conftest import CANARY, World
from tests.faults import FaultServer, failure

EVENT = ("-a", "primary", "-n", "1", "-d", "acme.com", "-p", "app")

SPY = """
import os, sys
from requests.sessions import Session

def write(text):
    with open(os.environ["SPY_LOG"], "a") as log:
        log.write(text + "\\n")

def audit(event, args):
    if event != "socket.connect":
        return
    frame = sys._getframe(1)
    while frame is not None and frame.f_code is not send.__code__:
        frame = frame.f_back
    write("connect by itself" if frame is None else "connect")

def counted(self, request, **options):
    write(request.body.decode())
    return send(self, request, **options)

send, Session.send = Session.send, counted
sys.addaudithook(audit)
"""
"""A sitecustomize that writes down what `Session.send` is given, and each connect."""


def test_requests_carries_every_event(world: World) -> None:
    (world.home / "sitecustomize.py").write_text(SPY)
    log = world.home / "spy.log"
    env = {"REO_API_KEY": CANARY, "PYTHONPATH": str(world.home), "SPY_LOG": str(log)}
    rows = "".join(f"primary,{n},acme.com,{1790000000 + n},app\n" for n in range(200))
    (world.folder / "x.csv").write_text("activity_type,count,domain,event_at,product_id\n" + rows)
    with FaultServer([failure(503)], close_every=9) as server:
        assert world.run("send", *EVENT, "--endpoint", server.url, env=env).code == 0
        assert len(server.requests) == 2
        run = world.run("send-file", "x.csv", "--endpoint", server.url, env=env)
        assert run.code == 0, run.stderr
        seen = Counter(log.read_text().splitlines())
        assert seen.pop("connect") == server.connections
        got = Counter(request.body.decode() for request in server.requests)
        assert len(got) == 201
        assert got <= seen, "one that meets a closed connection is sent once more"
        assert seen.keys() == got.keys()


NO_TLS = "import sys; sys.modules['_ssl'] = None"
NO_THREAD = """
import threading
def start(thread): raise RuntimeError("can't start new thread")
threading.Thread.start = start
"""


@pytest.mark.parametrize(
    ("code", "url", "exit_code", "said"),
    [
        (NO_TLS, "https://ingest.invalid/", 78, "_ssl"),
        (NO_THREAD, "http://localhost:9/", 74, "no more threads"),
    ],
)
def test_a_limit_of_the_system_is_one_line(
    world: World, code: str, url: str, exit_code: int, said: str
) -> None:
    run = world.run("send", *EVENT, "--endpoint", url, env={"REO_API_KEY": CANARY}, code=code)
    assert (run.code, run.stderr.count("error:")) == (exit_code, 1), run.stderr
    assert said in run.stderr


def test_a_send_leaves_no_socket_to_the_collector(world: World) -> None:
    env = {"REO_API_KEY": CANARY, "PYTHONWARNINGS": "error::ResourceWarning", "PYTHONDEVMODE": "1"}
    with FaultServer([failure(503), failure(400)]) as server:
        run = world.run("send", *EVENT, "--endpoint", server.url, env=env)
    assert len(server.requests) == 2
    assert "ResourceWarning" not in run.stderr, run.stderr

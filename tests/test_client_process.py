"""requests carries every event: seen from inside the real process."""

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import CANARY, World
from tests.faults import FaultServer, failure, success

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
    write("sent " + request.body.decode())
    return send(self, request, **options)

send, Session.send = Session.send, counted
sys.addaudithook(audit)
"""
"""A sitecustomize that writes down what `Session.send` is given, and each connect."""


@pytest.fixture
def spied(world: World) -> dict[str, str]:
    folder = world.home / "spy"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(SPY)
    log = world.home / "spy.log"
    return {"REO_API_KEY": CANARY, "PYTHONPATH": str(folder), "SPY_LOG": str(log)}


def seen(spied: dict[str, str]) -> tuple[list[str], Counter[str]]:
    """The bodies that requests sent, and the connects."""
    lines = Path(spied["SPY_LOG"]).read_text().splitlines()
    bodies = [line[5:] for line in lines if line.startswith("sent ")]
    return bodies, Counter(line for line in lines if not line.startswith("sent "))


def test_requests_carries_the_event_of_send(world: World, spied: dict[str, str]) -> None:
    with FaultServer([failure(503), success()]) as server:
        assert world.run("send", *EVENT, "--endpoint", server.url, env=spied).code == 0
        bodies, connects = seen(spied)
        assert [request.body.decode() for request in server.requests] == bodies
    assert (len(bodies), connects) == (2, {"connect": 1})


def test_requests_carries_every_event_of_send_file(world: World, spied: dict[str, str]) -> None:
    rows = "".join(f"primary,{n},acme.com,{1790000000 + n},app\n" for n in range(200))
    (world.folder / "x.csv").write_text("activity_type,count,domain,event_at,product_id\n" + rows)
    with FaultServer(close_every=9) as server:
        run = world.run("send-file", "x.csv", "--endpoint", server.url, env=spied)
        assert run.code == 0, run.stderr
        bodies, connects = seen(spied)
        got = Counter(request.body.decode() for request in server.requests)
        assert got <= Counter(bodies), "one that meets a closed connection is sent once more"
        assert connects == {"connect": server.connections}
    assert {json.loads(body)["payload"]["count"] for body in got} == set(range(200))


NO_THREAD = """
import threading
def start(thread): raise RuntimeError("can't start new thread")
threading.Thread.start = start
"""


@pytest.mark.parametrize(
    ("code", "exit_code", "said"),
    [
        ("import sys; sys.modules['_ssl'] = None", 78, "_ssl"),
        (NO_THREAD, 74, "no more threads"),
    ],
    ids=["TLS", "threads"],
)
def test_a_limit_of_the_system_is_one_line(
    world: World, code: str, exit_code: int, said: str
) -> None:
    url = "https://ingest.invalid/" if "_ssl" in code else "http://localhost:9/"
    run = world.run("send", *EVENT, "--endpoint", url, env={"REO_API_KEY": CANARY}, code=code)
    assert (run.code, run.stderr.count("error:")) == (exit_code, 1), run.stderr
    assert said in run.stderr


def test_a_send_leaves_no_socket_to_the_collector(world: World) -> None:
    env = {"REO_API_KEY": CANARY, "PYTHONWARNINGS": "error::ResourceWarning", "PYTHONDEVMODE": "1"}
    for script in ([success()], [failure(400)], [failure(503), success()]):
        with FaultServer(script) as server:
            run = world.run("send", *EVENT, "--endpoint", server.url, env=env)
        assert "ResourceWarning" not in run.stderr, run.stderr

"""reliability.md section 5, as far as it is about the program as a whole; by its numbers.

The others stand beside what they test: 1 to 4 in `test_client` and `test_tls_proxy`, 6 to 8 in
`test_key_and_endpoint`, `test_config_file` and `test_settings`, 9 in `test_text`, 11 in
`test_packaging`.
"""

import json
import shutil
from pathlib import Path
from subprocess import PIPE, STDOUT

import pytest

from tests.conftest import CANARY, World
from tests.delivery.harness import wait_until
from tests.faults import Action, FaultServer, failure, late, success, wrong_key

EVENT = ("send", "-a", "primary", "-n", "1", "-d", "acme.com", "-p", "app")
USAGE = Path(__file__).parent / "cases" / "valid" / "usage.csv"

AUDIT = """
import os, sys
def note(event, args):
    if event in ("socket.connect", "socket.getaddrinfo"):
        with open("audit.log", "a") as log:
            log.write(f"{event} {args[1] if event == 'socket.connect' else args[0]}\\n")
sys.addaudithook(note)
"""
"""Writes down every address that the process looks up or connects to."""

BUG = """
import reo_cli.client.connection as c
def attempt(self, *_): raise ValueError(f"boom {self._target.key}")
c.Connection.attempt = attempt
"""


def at_start(world: World, code: str) -> dict[str, str]:
    """Let every process begin with some code; give the environment for that."""
    (world.folder / "sitecustomize.py").write_text(code)
    shutil.copy(USAGE, world.folder)
    return {"REO_API_KEY": CANARY, "PYTHONPATH": str(world.folder)}


@pytest.mark.parametrize("action", [success(), wrong_key(), failure(400, "Bad")])
@pytest.mark.parametrize("form", ["table", "json"])
def test_5_5_the_key_is_in_no_output_ledger_or_rejects(
    world: World, action: Action, form: str
) -> None:
    env = at_start(world, "")
    with FaultServer(action) as server:
        world.run("send-file", "usage.csv", "--endpoint", server.url, "-v", "-o", form, env=env)
        sent = server.requests[0].headers["x-api-key"]
    assert sent == CANARY  # `world` then looks for it in every output and file


def test_5_5_the_key_is_not_in_the_process_list(world: World) -> None:
    (world.folder / "key").write_text(CANARY)
    with FaultServer([late(1.0, success())]) as server:
        process = world.start(*EVENT, "--endpoint", server.url, "--api-key-file", "key", "-q")
        assert wait_until(lambda: server.requests, process)
        shown = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        assert process.wait(20) == 0
    assert b"send" in shown
    assert CANARY.encode() not in shown


def test_5_5_a_bug_prints_no_key(world: World) -> None:
    env = at_start(world, BUG)
    where = ("--endpoint", "http://127.0.0.1:9/", "-v")
    process = world.start(*EVENT, *where, env=env, stdout=PIPE, stderr=STDOUT)
    shown = process.communicate(timeout=30)[0]
    assert process.returncode == 70
    assert b"boom" in shown
    assert CANARY.encode() not in shown


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ('"' + "x" * 300_000 + '"', "262,144"),
        ('"' + "x" * 1_200_000 + '"', "1 MiB"),
        ("[" * 70 + "]" * 70, "64"),
    ],
    ids=["body", "record", "depth"],
)
def test_5_10_what_is_too_large_or_too_deep_is_an_issue(
    world: World, value: str, says: str
) -> None:
    fields = {"activity_type": "a", "count": 1, "domain": "a.com", "event_at": 1790000000}
    start = json.dumps({**fields, "product_id": "p"})[:-1]
    (world.folder / "x.ndjson").write_text(f'{start}, "meta": {{"k": {value}}}}}\n')
    run = world.run("validate", "x.ndjson", "-o", "json")
    assert run.code == 65
    assert says in run.json["issues"][0]["message"]


def test_5_12_only_the_endpoint_is_contacted(world: World) -> None:
    env = at_start(world, AUDIT)
    with FaultServer() as server:
        run = world.run("send-file", "usage.csv", "--endpoint", server.url, env=env)
    assert run.code == 0
    lines = set((world.folder / "audit.log").read_text().splitlines())
    assert all("127.0.0.1" in line for line in lines), lines
    connected = {line for line in lines if "connect" in line}
    assert connected == {f"socket.connect ('127.0.0.1', {server.port})"}


@pytest.mark.parametrize(
    "args",
    [
        ("validate", "usage.csv"),
        ("send-file", "usage.csv", "--dry-run"),
        (*EVENT, "--dry-run"),
    ],
)
def test_5_12_validate_and_dry_run_open_no_socket(world: World, args: tuple[str, ...]) -> None:
    assert world.run(*args, env=at_start(world, AUDIT)).code == 0
    assert not (world.folder / "audit.log").exists()

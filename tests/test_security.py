"""reliability.md section 5, as far as it is about the program as a whole; by its numbers.

The others stand beside what they test: 1 to 4 in `test_client`, `test_client_security` and
`test_tls_proxy`, 6 to 8 in `test_key_and_endpoint`, `test_config_file` and `test_settings`, 9 in
`reports/test_safe`, 11 in `test_packaging`.
"""

import json
import subprocess
from pathlib import Path

import pytest

from tests.conftest import CANARY, World
from tests.delivery.harness import wait_until
from tests.faults import Action, FaultServer, failure, late, success, wrong_key

EVENT = ("-a", "primary", "-n", "1", "-d", "acme.com", "-p", "app")
HEADER = "activity_type,count,domain,event_at,product_id\n"

AUDIT = """
import os, sys
def note(event, args):
    if event in ("socket.connect", "socket.getaddrinfo"):
        with open(os.environ["AUDIT_LOG"], "a") as log:
            log.write(f"{event} {args[1] if event == 'socket.connect' else args[0]}\\n")
sys.addaudithook(note)
"""
"""A sitecustomize that writes down every address the process looks up or connects to."""


def table(world: World) -> str:
    lines = [f"primary,{n + 1},acme.com,{1790000000 + n},app\n" for n in range(3)]
    (world.folder / "x.csv").write_text(HEADER + "".join(lines))
    return "x.csv"


def at_start(world: World, code: str) -> dict[str, str]:
    """Let every process begin with some code; give the environment for that."""
    folder = world.folder / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(code)
    return {"REO_API_KEY": CANARY, "PYTHONPATH": str(folder)}


def spied_on(world: World) -> tuple[Path, dict[str, str]]:
    """Give the file in which addresses are written down, and the environment for that."""
    log = world.folder / "audit.log"
    return log, {**at_start(world, AUDIT), "AUDIT_LOG": str(log)}


@pytest.mark.parametrize("action", [success(), wrong_key(), failure(400, "Bad")])
@pytest.mark.parametrize("form", ["table", "json"])
def test_5_5_the_key_is_in_no_output_ledger_or_rejects(
    world: World, action: Action, form: str
) -> None:
    env = {"REO_API_KEY": CANARY}
    with FaultServer(action) as server:
        world.run("send-file", table(world), "--endpoint", server.url, "-v", "-o", form, env=env)
        sent = server.requests[0].headers["x-api-key"]
    assert sent == CANARY  # `world` then looks for it in every output and file


def test_5_5_the_key_is_not_in_the_process_list(world: World) -> None:
    key = world.folder / "key"
    key.write_text(CANARY)
    with FaultServer([late(1.0, success())]) as server:
        where = ("--endpoint", server.url, "--api-key-file", str(key))
        process = world.start("send", *EVENT, *where, "-q")
        assert wait_until(lambda: server.requests, process)
        shown = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        assert process.wait(20) == 0
    assert b"send" in shown
    assert CANARY.encode() not in shown


def test_5_5_a_bug_prints_no_key(world: World) -> None:
    env = at_start(
        world,
        "import reo_cli.client.connection as c\n"
        "def attempt(self, *_): raise ValueError(f'boom {self._target.key}')\n"
        "c.Connection.attempt = attempt\n",
    )
    process = world.start(
        *("send", *EVENT, "--endpoint", "http://127.0.0.1:9/", "-v"),
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
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
    log, env = spied_on(world)
    with FaultServer() as server:
        run = world.run("send-file", table(world), "--endpoint", server.url, env=env)
        port = server.url.split(":")[2].split("/")[0]
    assert run.code == 0
    lines = set(log.read_text().splitlines())
    assert all("127.0.0.1" in line for line in lines), lines
    connected = {line for line in lines if "connect" in line}
    assert connected == {f"socket.connect ('127.0.0.1', {port})"}


def test_5_12_validate_and_dry_run_open_no_socket(world: World) -> None:
    log, env = spied_on(world)
    name = table(world)
    for command in (("validate", name), ("send-file", name), ("send", *EVENT)):
        dry = () if command[0] == "validate" else ("--dry-run",)
        assert world.run(*command, *dry, env=env).code == 0
    assert not log.exists()

"""What the crash and fault tests share: files of events, runs of reo on them, and the judge.

A run is the real program as a process. It is judged by what the server had accepted, never by what
reo says of itself; that is compared with the truth afterwards.
"""

import csv
import json
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import CANARY, Env, Run, World
from tests.faults import FaultServer, Script, failure, success

HEADER = ("activity_type", "count", "domain", "event_at", "product_id")
ENDS = ("delivered", "already_delivered", "invalid", "rejected", "errored", "unsent")


def row(number: int, **changes: object) -> dict[str, Any]:
    """The fields of one event; different numbers give different events."""
    fields = {
        "activity_type": "primary",
        "count": number % 900 + 1,
        "domain": f"company{number % 77}.com",
        "event_at": 1_790_000_000 + number,
        "product_id": "reoWebApp",
    }
    return {**fields, **changes}


def rows(number: int, *, identical: float = 0.0) -> list[dict[str, Any]]:
    """So many events; this part of them, spread over all, are one and the same."""
    same = row(0)
    every = round(1 / identical) if identical else 0
    return [same if every and n % every == 0 else row(n) for n in range(1, number + 1)]


def write_csv(path: Path, events: Sequence[dict[str, object]]) -> Path:
    with path.open("w", newline="") as file:
        names = dict.fromkeys(name for event in events for name in event)
        writer = csv.DictWriter(file, names or HEADER)
        writer.writeheader()
        writer.writerows(events)
    return path


def ndjson(events: Iterable[dict[str, object]]) -> str:
    return "".join(json.dumps(event) + "\n" for event in events)


@dataclass
class Desk:
    """A world, a server, and the runs of reo from the one to the other."""

    world: World
    server: FaultServer
    options: Sequence[str] = ()
    env: Env = field(default_factory=dict)

    def environ(self, env: Env | None = None) -> Env:
        given = {"REO_API_KEY": CANARY, "REO_ENDPOINT": self.server.url}
        return {**given, **self.env, **(env or {})}

    def csv(self, events: Sequence[dict[str, object]], name: str = "events.csv") -> Path:
        return write_csv(self.world.folder / name, events)

    def run(self, *args: str | Path, env: Env | None = None, **more: Any) -> Run:
        """Run any command of reo to its end."""
        return self.world.run(*map(str, args), env=self.environ(env), **more)

    def send(self, *args: str | Path, **more: Any) -> Run:
        """Run `reo send-file -o json` to its end, and see that its sums are right."""
        command = ["send-file", *map(str, args), *self.options]
        if "-o" not in command:
            command += ["-o", "json"]
        run = self.run(*command, **more)
        if "json" in command:
            check_sums(run.json)
            assert run.json["exit_code"] == run.code or "--allow-failure" in command
        return run

    def start(
        self, *args: str | Path, env: Env | None = None, quiet: bool = True, **options: Any
    ) -> "subprocess.Popen[bytes]":
        """Start `reo send-file`; the caller sees to its end."""
        command = ["send-file", *(["-q"] * quiet), *map(str, args), *self.options]
        stdout = subprocess.PIPE if "-o" in command else subprocess.DEVNULL
        usual = {"stdout": stdout, "stderr": subprocess.PIPE, "preexec_fn": obey_signals}
        return self.world.start(*command, env=self.environ(env), **{**usual, **options})

    def running(
        self, *args: str | Path, after: int = 0, **options: Any
    ) -> "subprocess.Popen[bytes]":
        """Start `reo send-file`, and wait until more than `after` requests have come."""
        before = len(self.server.requests)
        process = self.start(*args, **options)
        assert wait_until(lambda: len(self.server.requests) - before > after, process)
        return process

    def ledger_holds(self) -> int:
        return int(self.run("ledger", "info", "-o", "json").json["events"])


def obey_signals() -> None:
    """Undo what a background job or `nohup` around the tests would hand down to their processes."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


GRACE = 4.5
"""Seconds: nothing was waited for, on a machine that may be busy (what is waited for is 5 s)."""


def stopped(process: "subprocess.Popen[bytes]", *signals: int, within: float = GRACE) -> Run:
    """Send signals to a process; give its end, which has to come in so many seconds."""
    began = time.monotonic()
    for number in signals:
        process.send_signal(number)
        time.sleep(0.2 if len(signals) > 1 else 0)
    out, err = process.communicate(timeout=60)
    assert time.monotonic() - began < within
    assert b"Traceback" not in err
    return Run(process.returncode, (out or b"").decode(), err.decode())


def check_sums(result: dict[str, Any]) -> None:
    """`read` is the sum of the outcomes, for each input and for all together.

    Of a roll-up the outcomes are those of its events, but for invalid records.
    """
    if result["rolled_up"] is not None:
        assert result["rolled_up"] == sum(result[name] for name in ENDS if name != "invalid")
        assert result["read"] == sum(each["read"] for each in result["inputs"])
        return
    for each in (result, *result["inputs"]):
        assert each["read"] == sum(each[name] for name in ENDS), result
    for name in ("read", *ENDS):
        assert result[name] == sum(each[name] for each in result["inputs"]), result


def counts(run: Run) -> dict[str, int]:
    """The counts of a run that are not 0, without `read`."""
    return {name: run.json[name] for name in ENDS if run.json[name]}


def sums(server: FaultServer) -> dict[tuple[str, int], int]:
    """The counts that a server has by company and time; the last of each id counts."""
    payloads = {each.event_id: each.json["payload"] for each in server.requests if each.accepted}
    found = {(p["domain"], p["event_at"]): p["count"] for p in payloads.values()}
    assert len(found) == len(payloads)
    return found


def rejects(run: Run) -> Path:
    """The one rejects file that a run names."""
    (path,) = {each["rejects_file"] for each in run.json["inputs"] if each["rejects_file"]}
    return Path(path)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def refusing(bad: Callable[[dict[str, Any]], object], status: int = 400) -> Script:
    """Let a server answer so for the payloads that are `bad`."""
    return lambda _, request: failure(status) if bad(request.json["payload"]) else success()


def wait_until(
    condition: Callable[[], object], process: "subprocess.Popen[bytes] | None" = None
) -> bool:
    """Wait for something to become true; False when the process ended before, or it took 30 s."""
    deadline = time.monotonic() + 30
    while not condition():
        if (process is not None and process.poll() is not None) or time.monotonic() > deadline:
            return bool(condition())
        time.sleep(0.0005)
    return True


def waits_for_lock(pid: int) -> bool:
    """Whether a process sleeps with its signal handlers set, which it does first at a lock."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    return "State:\tS" in status and bool(caught >> (signal.SIGTERM - 1) & 1)


@dataclass(frozen=True)
class Judgement:
    """What a server has accepted of a list of events.

    `lost` and `alien` count events, `unique` the ids, `repeats` the acceptances beyond the first of
    each id; `torn` are ids that were accepted with different contents.
    """

    lost: int
    alien: int
    unique: int
    repeats: int
    torn: int


def judge(server: FaultServer, events: Sequence[dict[str, object]]) -> Judgement:
    """Compare what was accepted with what was to be sent, as multisets."""
    contents: dict[str, set[str]] = {}
    accepted = 0
    for request in list(server.requests):
        if request.accepted:
            accepted += 1
            payload = request.json["payload"]
            event_id = str(payload.pop("event_id"))
            contents.setdefault(event_id, set()).add(json.dumps(payload, sort_keys=True))
    fixed = {"mode": "DOMAIN", "source": "TELEMETRY"}
    wanted = Counter(json.dumps({**fixed, **event}, sort_keys=True) for event in events)
    arrived = Counter(text for texts in contents.values() for text in texts)
    return Judgement(
        lost=(wanted - arrived).total(),
        alien=(arrived - wanted).total(),
        unique=len(contents),
        repeats=accepted - len(contents),
        torn=sum(len(texts) > 1 for texts in contents.values()),
    )


def assert_complete(server: FaultServer, events: Sequence[dict[str, object]]) -> Judgement:
    """Nothing lost, nothing invented, and as many ids as events; gives the judgement."""
    found = judge(server, events)
    assert (found.lost, found.alien, found.torn) == (0, 0, 0), found
    assert found.unique == len(events), found
    return found

"""The library as programs use it: against a server on loopback, with what it must not do."""

import json
import logging
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

import reo_cli
from reo_cli import Client, InvalidData, Misconfigured, ReoError, Sandbox, Settings, deliver
from reo_cli.readers.given import plain
from reo_cli.sandbox import SandboxOptions
from reo_cli.settings.table import SETTINGS
from tests.conftest import CANARY, World
from tests.delivery.harness import ndjson, row, rows, wait_until
from tests.faults import Action, FaultServer, failure, page, success, throttled, wrong_key

EVENT = {"count": 5, "domain": "acme.com", "event_id": "a"}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as server:
        yield server


def settings_for(server: Sandbox | FaultServer, **more: Any) -> Settings:
    given = {"api_key": CANARY, "product_id": "app", "activity_type": "primary"}
    return Settings(**{"endpoint": server.url, **given, **more})


@pytest.fixture
def settings(sandbox: Sandbox) -> Settings:
    return settings_for(sandbox)


def test_one_event_is_sent_and_its_connection_kept(sandbox: Sandbox, settings: Settings) -> None:
    with Client(settings) as client:
        first = client.send({"count": 5, "domain": "acme.com"})
        assert (first.status, first.attempts, first.http_status) == ("delivered", 1, 200)
        assert abs(first.payload["event_at"] - time.time()) < 60  # type: ignore[index, operator]
        assert client.send(EVENT).event_id == "a"
        assert len(sandbox.open) == 1
    assert sandbox.totals["accepted"] == sandbox.totals["distinct_event_ids"] == 2


def test_a_ledger_knows_what_was_sent_one_by_one(sandbox: Sandbox, tmp_path: Path) -> None:
    settings = settings_for(sandbox, ledger=tmp_path / "ledger.db")
    event = {**EVENT, "event_at": "2026-11-01"}
    files = len(list(Path("/dev/fd").iterdir()))
    for _ in range(5):
        with Client(settings) as client:
            statuses = [client.send(event).status for _ in range(2)]
    assert statuses == ["already_delivered"] * 2
    assert len(list(Path("/dev/fd").iterdir())) <= files + 1
    with pytest.raises(InvalidData) as found:
        Client(settings).send({**event, "count": 6})
    assert found.value.reason == "changed"
    assert sandbox.totals["requests"] == 1


ENDS: list[tuple[Action, type[ReoError], str]] = [
    (failure(400, "bad count"), InvalidData, "rejected"),
    (failure(503), reo_cli.TryAgain, "errored"),
    (throttled(9999), reo_cli.TryAgain, "errored"),
    (wrong_key(401), Misconfigured, "key_refused"),
    (page(), Misconfigured, "not_the_api"),
]


@pytest.mark.parametrize(("action", "kind", "reason"), ENDS, ids=lambda each: str(each)[:20])
def test_what_is_not_delivered_raises(action: Action, kind: type[ReoError], reason: str) -> None:
    with FaultServer(action) as server:
        settings = settings_for(server, retries=0)
        with pytest.raises(kind) as one:
            Client(settings).send(EVENT)
        with pytest.raises(kind) as many:
            deliver([{**EVENT, "event_at": 1_790_000_000}], settings, give_up_after=0.1)
        unchecked = Client(settings).send(EVENT, check=False)
    assert one.value.reason == reason
    assert unchecked.error is not None
    assert str(unchecked.error) == str(one.value)
    for error in (one.value, many.value):
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), copy.args, copy.hint) == (kind, error.args, error.hint)
        assert copy.result.exit_code == error.exit_code
        assert CANARY not in repr(vars(copy)) + repr(copy)


def test_many_events_have_the_ids_and_bodies_of_the_command(world: World, tmp_path: Path) -> None:
    """There is one way: what the command sends of a pipe, the library sends of a list."""
    events = [*rows(40, identical=0.2), {**row(1), "meta": {"b": [1.5, None], "a": "ü"}}]
    records = [tmp_path / who for who in ("library", "command")]
    with Sandbox(SandboxOptions(record=records[0])) as server:
        assert deliver(iter(events), settings_for(server)).counts.delivered == 41
    with Sandbox(SandboxOptions(record=records[1])) as server:
        env = {"REO_ENDPOINT": server.url, "REO_API_KEY": CANARY}
        run = world.run("send-file", "-", "--no-ledger", input=ndjson(events), env=env)
        assert run.code == 0
    ours, theirs = (sorted(record.read_text().splitlines()) for record in records)
    assert len(set(ours)) == 41
    assert ours == theirs


def test_events_are_taken_as_they_are_sent_in_the_thread_of_the_call(
    sandbox: Sandbox, settings: Settings
) -> None:
    """A cursor of a database may be used in one thread only, and need not fit into memory."""
    ahead, here = 0, threading.current_thread()

    def events() -> Iterator[dict[str, Any]]:
        nonlocal ahead
        for number in range(500):
            assert threading.current_thread() is here
            ahead = max(ahead, number - sandbox.totals["accepted"])
            yield row(number)

    assert deliver(events(), settings).counts.delivered == 500
    assert ahead < 150


def test_invalid_events_are_counted_and_kept_for_later(settings: Settings, tmp_path: Path) -> None:
    rejects = tmp_path / "rejects"
    events = [row(1), {**row(2), "count": "x"}, 7, {**row(3), "colour": 1}, row(4)]
    with pytest.raises(InvalidData, match=r"3 of 5 .* 3 invalid; events:2: count") as found:
        deliver(events, settings, rejects=rejects)  # type: ignore[arg-type]
    summary: Any = found.value.result
    assert summary.counts.delivered == 2
    codes = ["not-a-number", "not-an-object", "unknown-key"]
    assert [issue.code for issue in summary.issues] == codes
    assert all("--" not in issue.hint for issue in summary.issues)
    lines = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert [line["error"]["record"] for line in lines] == [2, 3, 4]
    assert deliver([{**row(3), "colour": 1}], settings, extra="meta").counts.delivered == 1


def test_a_ledger_resumes_what_was_stopped(tmp_path: Path) -> None:
    """By what the events raise: in order, or at once by Ctrl-C, which is the program's."""
    events = rows(30)

    def broken(fault: BaseException) -> Iterator[dict[str, object]]:
        yield from events[:20]
        raise fault

    with FaultServer() as server:
        settings = settings_for(server, ledger=tmp_path / "ledger.db", concurrency=2)
        with pytest.raises(reo_cli.TryAgain, match="KeyError") as found:
            deliver(broken(KeyError("n")), settings)
        assert isinstance(found.value.__cause__, KeyError)
        with pytest.raises(KeyboardInterrupt):
            deliver(broken(KeyboardInterrupt()), settings)
        summary = deliver(events, settings)
    assert summary.counts.delivered + summary.counts.already_delivered == 30
    assert len(set(server.accepted)) == 30
    assert len(server.accepted) <= 30 + 2, "more than the two that were under way"
    assert wait_until(lambda: not [x for x in threading.enumerate() if x.name.startswith("reo")])


def test_parts_need_ids_that_are_their_own(sandbox: Sandbox, settings: Settings) -> None:
    """Two equal events in two parts would else have one id, and count once."""
    event = row(1)
    bad: list[tuple[dict[str, Any], str]] = [
        ({"partitions": 4}, "no_event_id: .*id_from"),
        ({"partitions": 4, "roll_up": "day"}, "usage: a roll-up"),
        ({"partitions": 0}, "usage: `partitions` is less"),
        ({"id_from": "domain"}, "usage: `id_from` is no list"),
        ({"id_from": ["nothing"]}, "usage: `id_from` is no list"),
    ]
    for given, expected in bad:
        with pytest.raises(Misconfigured) as found:
            deliver([event], settings, **given)
        error = found.value
        assert re.match(expected, f"{error.reason}: {error.message} {error.hint}")
    assert sandbox.totals["requests"] == 0
    deliver([{**event, "event_id": 0}], settings, partitions=4)
    deliver([event], settings, partitions=4, id_from=["domain", "event_at"])
    assert sandbox.totals["distinct_event_ids"] == 2


@pytest.mark.parametrize(("rate", "limit"), [(80.0, None), (None, 60)])
def test_parts_share_the_rate_and_obey_429(rate: float | None, limit: int | None) -> None:
    events = [{**row(n), "event_id": n} for n in range(120)]
    with Sandbox(SandboxOptions(rate_limit=limit)) as server, ThreadPoolExecutor(4) as pool:
        settings, began = settings_for(server, rate=rate), time.monotonic()
        parts = [pool.submit(deliver, events[n::4], settings, partitions=4) for n in range(4)]
        assert sum(part.result().counts.delivered for part in parts) == 120
        assert time.monotonic() - began > (120 / rate * 0.8 if rate else 1)
        assert server.totals["distinct_event_ids"] == server.totals["accepted"] == 120
        refused = server.totals["refused"].get("rate_limited", 0)
        assert (0 < refused < 120) is (limit is not None)


def test_a_roll_up_sums_before_it_sends(settings: Settings) -> None:
    events = [{"domain": "acme.com", "event_at": f"2026-11-01T{n:02}:30:00"} for n in range(24)]
    zone = timezone(timedelta(hours=12))
    summary = deliver(events, settings, roll_up="day", timezone=zone)
    assert summary.rolled_up is not None
    assert (summary.rolled_up.events, summary.counts.delivered) == (2, 2)


def test_a_dry_run_needs_no_key_and_sends_nothing(sandbox: Sandbox) -> None:
    summary = deliver(rows(9), Settings(endpoint=sandbox.url), dry_run=True)
    assert (summary.status, summary.to_send, len(summary.bodies)) == ("dry_run", 9, 5)
    assert summary.endpoint_source == "Settings"
    assert sandbox.totals["requests"] == 0


class Missing:
    """As `pandas.NA`: whether it is equal to anything cannot be told."""

    def __ne__(self, _other: object) -> bool:
        raise TypeError("ambiguous")

    __hash__ = None  # type: ignore[assignment]


VALUES = [
    (None, None),
    (float("nan"), None),
    pytest.param(Missing(), None, id="NA"),
    (True, True),
    (5.0, 5.0),
    (Fraction(1, 2), 0.5),
    (Decimal("5"), "5"),
    (date(2026, 11, 1), "2026-11-01"),
    (datetime(2026, 11, 1, 12, tzinfo=UTC), "2026-11-01T12:00:00+00:00"),
    (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
    ({1: (Decimal("1.5"), float("nan"))}, {"1": ["1.5", None]}),
]


@pytest.mark.parametrize(("value", "expected"), VALUES, ids=str)
def test_values_become_what_json_could_have_held(value: object, expected: object) -> None:
    found = plain(value)
    assert (type(found), found) == (type(expected), expected)


def test_an_object_that_holds_itself_is_invalid(settings: Settings) -> None:
    endless: dict[str, Any] = {}
    endless["more"] = endless
    with pytest.raises(InvalidData, match="nested"):
        Client(settings).send({**EVENT, "meta": endless})


def test_settings_are_those_of_the_command() -> None:
    assert [each.name for each in fields(Settings)] == [each.key for each in SETTINGS]
    for each in SETTINGS:
        assert getattr(Settings(), each.key) == each.default


BAD: list[tuple[dict[str, Any], str]] = [
    *(({"retries": value}, "bad_setting") for value in (1.5, True, None)),
    ({"timeout": "10"}, "bad_setting"),
    ({"concurrency": 257}, "bad_setting"),
    ({"rate": 0}, "bad_setting"),
    ({"endpoint": "http://example.com/"}, "endpoint_invalid"),
    ({"api_key": "short"}, "key_malformed"),
]


@pytest.mark.parametrize(("given", "reason"), BAD, ids=str)
def test_settings_are_checked_when_they_are_made(given: dict[str, Any], reason: str) -> None:
    with pytest.raises(Misconfigured) as found:
        Settings(**given)
    assert (found.value.reason, found.value.result) == (reason, None)


def test_settings_clients_and_results_can_be_pickled(sandbox: Sandbox, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(f"{CANARY}\n")
    for more in ({}, {"api_key": None, "api_key_file": key}):
        settings = settings_for(sandbox, **more)
        assert CANARY not in repr(settings)
        copy = pickle.loads(pickle.dumps(settings))
        assert copy == settings
        client = pickle.loads(pickle.dumps(Client(copy)))
        for result in (client.send(EVENT), deliver(rows(2), copy)):
            again = pickle.loads(pickle.dumps(result))
            assert again == result
            assert CANARY not in repr(again)


def test_threads_share_a_client(sandbox: Sandbox, settings: Settings) -> None:
    client = Client(settings)
    with ThreadPoolExecutor(6) as pool:
        ends = pool.map(lambda n: client.send({**EVENT, "event_id": n}).status, range(120))
        assert set(ends) == {"delivered"}
    assert len(sandbox.open) <= 6


FORKS = """
import os, sys
from reo_cli import Client, Settings
settings = Settings(endpoint=sys.argv[1], api_key=sys.argv[2], product_id="p", activity_type="a")
client = Client(settings)
def send(): return client.send({"count": 1, "domain": "acme.com"}).attempts
send()
child = os.fork()
attempts = send()
if not child: os._exit(attempts - 1)
sys.exit(os.waitpid(child, 0)[1] or attempts - 1)
"""


def test_a_fork_has_connections_of_its_own(world: World) -> None:
    """As with Airflow and multiprocessing: two processes on one connection take each other's."""
    with FaultServer() as server:
        assert world.execute(sys.executable, "-c", FORKS, server.url, CANARY).code == 0
        assert (len(server.accepted), server.connections) == (3, 2)


HOSTILE = """
import os, signal, sys, threading
from reo_cli import Client, Misconfigured, Settings, deliver
handlers = [signal.getsignal(number) for number in signal.valid_signals()]
opened = []
sys.addaudithook(lambda name, args: opened.append(str(args[0])) if name == "open" else None)
settings = Settings(endpoint=sys.argv[1], api_key=sys.argv[2], product_id="p", activity_type="a")
def run():
    deliver([{"count": n, "domain": "acme.com", "event_at": "2026-11-01"} for n in (1, 2, "x")],
            settings, check=False)
    Client(settings).send({"count": 1, "domain": "acme.com"})
run()
thread = threading.Thread(target=run); thread.start(); thread.join()
assert handlers == [signal.getsignal(number) for number in signal.valid_signals()]
assert signal.set_wakeup_fd(-1) == -1
ours = [each for each in opened if each.startswith((os.getcwd(), os.environ["HOME"], ".env"))]
assert not ours, ours
try:
    deliver([], Settings(endpoint=sys.argv[1]))
except Misconfigured as error:
    assert error.reason == "no_key"
else:
    raise AssertionError("a key came from somewhere")
"""


def test_nothing_is_printed_handled_or_read_unasked(world: World, sandbox: Sandbox) -> None:
    (world.folder / ".env").write_text("REO_API_KEY=from-the-folder\nREO_RETRIES=x\n")
    config = world.home / ".config" / "reo"
    config.mkdir(parents=True)
    (config / "config.toml").write_text("not toml")
    env = {"REO_API_KEY": "from-the-environment", "REO_TIMEOUT": "x"}
    done = world.execute(sys.executable, "-c", HOSTILE, sandbox.url, CANARY, env=env)
    assert (done.code, done.stdout, done.stderr) == (0, "", "")
    assert sorted(world.folder.iterdir()) == [world.folder / ".env"]
    assert sandbox.totals["accepted"] == 6


def test_settings_are_loaded_when_asked(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    config = world.home / "config.toml"
    config.write_text(f'api_key = "{CANARY}"\n[profiles.eu]\nproduct_id = "app"\nledger = "l.db"\n')
    config.chmod(0o600)
    (world.folder / "named.env").write_text("REO_RETRIES=3\n")
    (world.folder / ".env").write_text("REO_ACCOUNT=stranger\n")
    monkeypatch.chdir(world.folder)
    monkeypatch.setenv("REO_CONFIG", str(config))
    monkeypatch.setenv("REO_TIMEOUT", "7.5")
    monkeypatch.setenv("REO_TIMEOTU", "7.5")
    found = Settings.load("eu", env_file="named.env")
    assert (found.key(), found.timeout, found.retries) == (CANARY, 7.5, 3)
    assert (found.product_id, found.account) == ("app", None)
    assert found.ledger == world.home / "l.db"
    assert ["`REO_TIMEOTU`" in each for each in caplog.messages] == [True]
    assert Settings.load().ledger is None
    with pytest.raises(Misconfigured, match="no profile `us`"):
        Settings.load("us")


def test_what_a_run_has_to_say_is_logged(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    caplog.set_level(logging.DEBUG, "reo_cli")
    with FaultServer([success(), failure(422, f"no {CANARY}")]) as server:
        settings = settings_for(server, ledger=tmp_path / "ledger.db", concurrency=1)
        summary = deliver(rows(2), settings, check=False)
    assert summary.counts.rejected == 1
    levels = {record.levelname for record in caplog.records}
    assert levels == {"DEBUG", "INFO", "WARNING"}
    assert "was rejected: HTTP 422" in caplog.text
    assert CANARY not in caplog.text


def test_import_is_quick_and_loads_nothing() -> None:
    code = (
        f"import sys, time; sys.path.insert(0, {str(Path(reo_cli.__file__).parents[1])!r})\n"
        "old = set(sys.modules); t = time.perf_counter(); import reo_cli\n"
        "print(time.perf_counter() - t); assert set(sys.modules) - old == {'reo_cli'}"
    )
    command = [sys.executable, "-S", "-c", code]
    assert min(float(subprocess.check_output(command)) for _ in range(5)) <= 0.005


def test_the_lazy_names_are_those_that_type_checkers_see() -> None:
    source = Path(reo_cli.__file__).read_text(encoding="utf-8")
    seen = re.findall(r"^    from (\S+) import (\w+) as \2$", source, re.M)
    lazy = {name: f"reo_cli.{home}" for name, home in reo_cli._HOMES.items()}
    assert {name: module for module, name in seen} == lazy
    assert set(lazy) <= set(dir(reo_cli))
    assert all(getattr(reo_cli, name).__module__ == home for name, home in lazy.items())
    with pytest.raises(AttributeError, match="Nothing"):
        _ = reo_cli.Nothing


def test_a_stranger_signal_ends_the_program_as_it_wants(settings: Settings) -> None:
    """SIGTERM of an orchestrator is the program's: its own handler runs, in the main thread."""
    came: list[int] = []

    def events() -> Iterator[dict[str, object]]:
        yield row(1)
        os.kill(os.getpid(), signal.SIGTERM)
        yield row(2)

    before = signal.signal(signal.SIGTERM, lambda number, _: came.append(number))
    try:
        assert deliver(events(), settings).counts.delivered == 2
    finally:
        signal.signal(signal.SIGTERM, before)
    assert came == [signal.SIGTERM]

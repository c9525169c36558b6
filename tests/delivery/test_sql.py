"""`--sql`, Parquet and access logs through the whole program: what reaches the server, and how."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import CANARY, Run, World
from tests.faults import FaultServer, failure

duckdb = pytest.importorskip("duckdb")

DAILY = """
    SELECT domain, date_trunc('day', event_at) AS event_at, count(*) AS count
    FROM input GROUP BY ALL
"""
OPTIONS = ("-a", "pull", "-p", "cli")


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture
def send(world: World, server: FaultServer) -> Any:
    env = {"REO_API_KEY": CANARY, "REO_ENDPOINT": server.url}

    def send(*args: str, **options: Any) -> Run:
        given = {**env, **options.pop("env", {})}
        return world.run("send-file", *args, *OPTIONS, "-o", "json", env=given, **options)

    return send


def raw(rows: int, seed: int = 1) -> list[dict[str, str]]:
    chance = random.Random(seed)
    return [
        {
            "domain": f"c{chance.randrange(5)}.com",
            "event_at": f"2026-08-0{chance.randint(1, 4)}T{chance.randrange(24):02}:00:00Z",
        }
        for _ in range(rows)
    ]


def write(world: World, rows: list[dict[str, str]], name: str = "raw.csv") -> str:
    lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
    (world.folder / name).write_text("\n".join(lines) + "\n")
    return name


def parquet(world: World, source: str, name: str = "raw.parquet") -> str:
    folder = world.folder
    duckdb.connect().execute(
        f"COPY (FROM '{folder / source}') TO '{folder / name}' (FORMAT parquet)"
    )
    return name


def sums(server: FaultServer) -> dict[tuple[str, int], int]:
    payloads = [each.json["payload"] for each in server.requests if each.accepted]
    return {(p["domain"], p["event_at"]): p["count"] for p in payloads}


def test_sql_and_roll_up_and_python_sum_the_same(
    world: World, server: FaultServer, send: Any
) -> None:
    rows = raw(300)
    file = write(world, rows)
    days = {f"2026-08-0{day}": 1_785_542_400 + (day - 1) * 86_400 for day in range(1, 5)}
    wanted = Counter((row["domain"], days[row["event_at"][:10]]) for row in rows)
    for args in ((file, "--roll-up", "day"), (parquet(world, file), "--sql", DAILY)):
        run = send(*args, "--no-ledger")
        assert (run.code, run.json["delivered"]) == (0, len(wanted))
        assert sums(server) == wanted
        server.requests.clear()
    run = send("-", "--sql", DAILY, "--roll-up", "month", input=(world.folder / file).read_bytes())
    assert run.json["inputs"][0]["file"] == "query"
    assert sum(sums(server).values()) == 300


def test_a_query_again_sends_nothing_and_a_change_is_seen(
    world: World, server: FaultServer, send: Any
) -> None:
    file = write(world, raw(50))
    query = ("--sql", DAILY, "--id-from", "domain,event_at")
    first = send(file, *query).json["delivered"]
    again = send(parquet(world, file), *query).json
    assert (again["delivered"], again["already_delivered"]) == (0, first)
    changed = send(write(world, raw(80, seed=2)), *query)
    assert changed.code == 65
    assert {each["file"] for each in changed.json["issues"]} == {"query"}
    assert len(server.requests) == first


def test_issues_name_the_row_of_the_query(world: World, send: Any) -> None:
    file = write(world, raw(3))
    query = (
        "SELECT domain, event_at, CASE WHEN row_number() OVER () = 2 THEN -1 ELSE 1 END AS count"
    )
    run = send(file, "--sql", f"{query} FROM input")
    checked = world.run("validate", file, *OPTIONS, "--sql", f"{query} FROM input", "-o", "json")
    assert checked.json["issues"] == run.json["issues"]
    assert (run.code, checked.code, checked.json["read"]) == (65, 65, 3)
    assert [(each["file"], each["line"]) for each in run.json["issues"]] == [("query", 2)]
    run = send(file, "--sql", "SELECT domain, event_at, 1 AS count, 2 AS extra FROM input")
    assert run.code == 65
    (issue,) = run.json["issues"]
    assert "unknown key `extra`" in issue["message"]
    assert "--sql" in issue["hint"]


def test_rows_of_a_pipe_that_were_not_delivered_are_kept(
    world: World, server: FaultServer, send: Any
) -> None:
    server.script = [failure(503)] * 50
    query = "SELECT domain, event_at, 1 AS count FROM input LIMIT 1"
    data = (world.folder / write(world, raw(3))).read_bytes()
    run = send("-", "--sql", query, "--retries", "0", input=data)
    assert (run.code, run.json["errored"]) == (69, 1)
    path = world.folder / run.json["inputs"][0]["rejects_file"]
    assert json.loads(path.read_text())["payload"]["count"] == 1


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("--sql", "SELECT nothing FROM input"), 2, 'column "nothing" not found'),
        (("--sql", "SELECT 1"), 2, "does not read `input`"),
        (("--sql", " "), 2, "--sql"),
    ],
)
def test_a_query_that_fails(
    world: World, send: Any, args: tuple[str, ...], code: int, message: str
) -> None:
    run = world.run("send-file", write(world, raw(1)), *OPTIONS, *args, "--dry-run")
    assert run.code == code
    assert message in run.stderr


def test_without_the_extra_one_line_says_how_to_get_it(world: World) -> None:
    (world.folder / "sitecustomize.py").write_text("import sys; sys.modules['duckdb'] = None\n")
    env = {"PYTHONPATH": f"{world.folder}:{Path(__file__).parents[2]}"}
    file = write(world, raw(1))
    table = parquet(world, file)
    run = world.run("send-file", file, *OPTIONS, "--sql", DAILY, "--dry-run", env=env)
    assert (run.code, run.stderr.count("\n")) == (78, 2)
    assert "pip install 'reo-cli[sql]'" in run.stderr
    run = world.run("validate", table, *OPTIONS, env=env)
    assert run.code == 65
    assert "pip install 'reo-cli[sql]'" in run.stdout


def test_parquet_without_a_query_is_all_of_it(world: World, server: FaultServer, send: Any) -> None:
    rows = [{**row, "count": str(n)} for n, row in enumerate(raw(5), 1)]
    table = parquet(world, write(world, rows))
    run = send(table)
    assert (run.code, run.json["delivered"]) == (0, 5)
    run = send("-", input=(world.folder / table).read_bytes())
    assert run.json["already_delivered"] == 5
    (world.folder / "bad.parquet").write_bytes(b"PAR1\x15\x04 cut off")
    run = send("bad.parquet")
    assert (run.code, [each["file"] for each in run.json["issues"]]) == (65, ["bad.parquet"])


LOG = """\
8.8.8.8 - - [27/Nov/2025:13:55:36 -0700] "GET /dl/reo.tgz HTTP/1.1" 200 2326 "-" "curl/8.1"
8.8.8.8 - - [27/Nov/2025:14:55:36 -0700] "GET /dl/reo.tgz HTTP/1.1" 200 2326 "-" "curl/8.2"
8.8.4.4 - ann@acme.com [27/Nov/2025:15:00:00 -0700] "GET /nope HTTP/1.1" 404 2326 "-" "-"
"""


def test_access_logs_are_one_command_away_from_sums(
    world: World, server: FaultServer, send: Any
) -> None:
    import gzip

    (world.folder / "access.log").write_text(LOG)
    (world.folder / "access.log.2.gz").write_bytes(gzip.compress(LOG.encode()))
    options = ("--roll-up", "day", "--only", "status=200", "--ignore", "user_agent")
    run = send("access.log", "access.log.2.gz", *options)
    assert (run.code, run.json["read"], run.json["skipped"]) == (0, 4, 2)
    (request,) = server.requests
    payload = request.json["payload"]
    assert (payload["ip_addr"], payload["count"], payload["event_at"]) == ("8.8.8.8", 4, 1764201600)
    kept = send("access.log", "--default", "count=1", "--extra", "meta", "--dry-run")
    assert kept.code == 0
    mapped = send("access.log", *options[:2], "--domain-of", "user", "--ignore", "ip_addr")
    assert mapped.code == 65  # two of the lines have no user, and so no company


def test_the_first_look_at_a_log_leads_to_a_roll_up(world: World) -> None:
    (world.folder / "access.log").write_text(LOG)
    run = world.run("validate", "access.log", "-o", "json")
    assert "-a ACTIVITY_TYPE --roll-up day -p PRODUCT_ID" in run.json["issues"][0]["hint"]


def test_a_profile_keeps_how_logs_are_summed(world: World, server: FaultServer) -> None:
    (world.folder / "access.log").write_text(LOG)
    given = ("--roll-up", "day", "--only", "status=200", "--ignore", "user_agent")
    saved = world.run("validate", "access.log", *OPTIONS, *given, "--save-profile", "logs")
    assert saved.code == 0, saved.stderr
    env = {"REO_API_KEY": CANARY, "REO_ENDPOINT": server.url}
    run = world.run("send-file", "access.log", "--profile", "logs", "-o", "json", env=env)
    assert (run.code, run.json["rolled_up"], run.json["skipped"]) == (0, 1, 1)


def test_a_line_that_is_none_is_named(world: World, send: Any) -> None:
    (world.folder / "access.log").write_text(f"{LOG}[error] something else\n{LOG}")
    run = send("access.log", "--roll-up", "day")
    assert run.code == 65
    (issue,) = run.json["issues"]
    assert (issue["line"], issue["code"]) == (4, "not-a-log-line")

"""`--sql`, Parquet and access logs through the whole program: what reaches the server, and how."""

import gzip
import json
from pathlib import Path

import pytest

from tests.conftest import World
from tests.delivery.harness import Desk, counts, rejects, sums
from tests.faults import FaultServer, failure

duckdb = pytest.importorskip("duckdb")

DAILY = """
    SELECT domain, date_trunc('day', event_at) AS event_at, count(*) AS count
    FROM input GROUP BY ALL
"""
OPTIONS = ("-a", "pull", "-p", "cli")
FIRST = 1_785_542_400
"""The start of 2026-08-01."""


@pytest.fixture
def desk(world: World, server: FaultServer) -> Desk:
    return Desk(world, server, OPTIONS)


def raw(number: int) -> list[dict[str, object]]:
    """So many pulls, by five companies on two days."""
    return [
        {"domain": f"c{n % 5}.com", "event_at": f"2026-08-0{n % 2 + 1}T{n % 24:02}:00:00Z"}
        for n in range(number)
    ]


def parquet(source: Path) -> Path:
    file = source.with_suffix(".parquet")
    duckdb.connect().execute(f"COPY (FROM '{source}') TO '{file}' (FORMAT parquet)")
    return file


def test_rows_of_a_query_are_the_events_whatever_the_file_is(desk: Desk) -> None:
    """The same query again sends nothing, and a change is seen."""
    query = ("--sql", DAILY, "--id-from", "domain,event_at")
    file = desk.csv(raw(40))
    assert counts(desk.send(file, *query)) == {"delivered": 10}
    days = (FIRST, FIRST + 86_400)
    assert sums(desk.server) == {(f"c{n}.com", day): 4 for n in range(5) for day in days}
    assert counts(desk.send(parquet(file), *query)) == {"already_delivered": 10}
    assert counts(desk.send(file, "--roll-up", "day", *query[2:])) == {"already_delivered": 10}
    changed = desk.send(desk.csv(raw(41)), *query)
    assert changed.code == 65
    assert {each["file"] for each in changed.json["issues"]} == {"query"}
    assert len(desk.server.requests) == 10
    monthly = ("--sql", DAILY, "--roll-up", "month", "--no-ledger")
    run = desk.send("-", *monthly, input=file.read_bytes())
    assert (counts(run), run.json["inputs"][0]["file"]) == ({"delivered": 5}, "query")
    assert {each.json["payload"]["count"] for each in desk.server.requests[10:]} == {8, 9}


def test_now_in_rows_counts_by_the_query_and_its_files(desk: Desk) -> None:
    file = desk.csv(raw(9))
    query = ("--default", "event_at=now", "--sql", "SELECT domain, 1 AS count FROM input")
    assert desk.send(file, *query).json["delivered"] == 9
    assert counts(desk.send(file, *query)) == {"already_delivered": 9}
    assert counts(desk.send(file, *query[:-1], f"{query[-1]} LIMIT 5")) == {"delivered": 5}


def test_issues_name_the_row_of_the_query(desk: Desk) -> None:
    file = desk.csv(raw(3))
    second = "CASE WHEN row_number() OVER () = 2 THEN -1 ELSE 1 END"
    query = ("--sql", f"SELECT domain, event_at, {second} AS count FROM input")
    run = desk.send(file, *query)
    checked = desk.run("validate", file, *OPTIONS, *query, "-o", "json")
    assert checked.json["issues"] == run.json["issues"]
    assert (run.code, checked.code, checked.json["read"]) == (65, 65, 3)
    assert [(each["file"], each["line"]) for each in run.json["issues"]] == [("query", 2)]
    run = desk.send(file, "--sql", "SELECT domain, event_at, 1 AS count, 2 AS extra FROM input")
    (issue,) = run.json["issues"]
    assert (run.code, "unknown key `extra`" in issue["message"]) == (65, True)
    assert "--sql" in issue["hint"]


def test_rows_of_a_pipe_that_were_not_delivered_are_kept(desk: Desk) -> None:
    desk.server.script = failure(503)
    query = "SELECT domain, event_at, 1 AS count FROM input LIMIT 1"
    run = desk.send("-", "--sql", query, "--retries", "0", input=desk.csv(raw(3)).read_bytes())
    assert (run.code, counts(run)) == (69, {"errored": 1})
    assert json.loads(rejects(run).read_text())["payload"]["count"] == 1


@pytest.mark.parametrize(
    ("query", "message"),
    [("SELECT nothing FROM input", 'column "nothing" not found'), (" ", "--sql")],
)
def test_a_query_that_fails(desk: Desk, query: str, message: str) -> None:
    run = desk.run("send-file", desk.csv(raw(1)), "--sql", query, "--dry-run")
    assert run.code == 2
    assert message in run.stderr


def test_without_the_extra_one_line_says_how_to_get_it(desk: Desk) -> None:
    code = "import sys; sys.modules['duckdb'] = None"
    file = desk.csv(raw(1))
    run = desk.run("send-file", file, "--sql", DAILY, "--dry-run", code=code)
    assert (run.code, run.stderr.count("\n")) == (78, 2)
    assert "pip install 'reo-cli[sql]'" in run.stderr
    run = desk.run("validate", parquet(file), *OPTIONS, code=code)
    assert run.code == 65
    assert "pip install 'reo-cli[sql]'" in run.stdout


def test_parquet_without_a_query_is_all_of_it(desk: Desk) -> None:
    table = parquet(desk.csv([{**row, "count": n} for n, row in enumerate(raw(5), 1)]))
    assert counts(desk.send(table)) == {"delivered": 5}
    assert counts(desk.send("-", input=table.read_bytes())) == {"already_delivered": 5}
    table.write_bytes(b"PAR1\x15\x04 cut off")
    run = desk.send(table)
    assert (run.code, [each["file"] for each in run.json["issues"]]) == (65, [str(table)])


LOG = """\
8.8.8.8 - - [27/Nov/2025:13:55:36 -0700] "GET /dl/reo.tgz HTTP/1.1" 200 2326 "-" "curl/8.1"
8.8.8.8 - - [27/Nov/2025:14:55:36 -0700] "GET /dl/reo.tgz HTTP/1.1" 200 2326 "-" "curl/8.2"
8.8.4.4 - ann@acme.com [27/Nov/2025:15:00:00 -0700] "GET /nope HTTP/1.1" 404 2326 "-" "-"
"""


def test_access_logs_are_one_command_away_from_sums(desk: Desk) -> None:
    """And a profile keeps it; a line that is none is named."""
    log, summed = (
        "access.log",
        ("--roll-up", "day", "--only", "status=200", "--ignore", "user_agent"),
    )
    file = desk.world.folder / log
    file.write_text(LOG)
    first = desk.run("validate", log, "-o", "json")
    assert "-a ACTIVITY_TYPE --roll-up day -p PRODUCT_ID" in first.json["issues"][0]["hint"]
    (desk.world.folder / "access.log.2.gz").write_bytes(gzip.compress(LOG.encode()))
    run = desk.send(log, "access.log.2.gz", *summed)
    assert (run.code, run.json["read"], run.json["skipped"]) == (0, 4, 2)
    (request,) = desk.server.requests
    payload = request.json["payload"]
    assert (payload["ip_addr"], payload["count"], payload["event_at"]) == ("8.8.8.8", 4, 1764201600)
    assert desk.send(log, "--default", "count=1", "--extra", "meta", "--dry-run").code == 0
    mapped = desk.send(log, *summed[:2], "--domain-of", "user", "--ignore", "ip_addr")
    assert mapped.code == 65  # two of the lines have no user, and so no company
    assert desk.run("validate", log, *OPTIONS, *summed, "--save-profile", "logs").code == 0
    run = desk.run("send-file", log, "--profile", "logs", "--resend", "-o", "json")
    assert (run.code, run.json["rolled_up"], run.json["skipped"]) == (0, 1, 1)
    file.write_text(f"{LOG}[error] something else\n{LOG}")
    run = desk.send(log, "--roll-up", "day")
    (issue,) = run.json["issues"]
    assert (run.code, issue["line"], issue["code"]) == (65, 4, "not-a-log-line")

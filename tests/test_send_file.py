"""`reo send-file` as a user runs it: what it prints, what it counts, how it ends.

What it remembers, survives and obeys is under `tests/delivery`.
"""

import html
import json
from typing import Any

import pytest

from tests.conftest import CANARY, Run, World
from tests.faults import Action, FaultServer, failure, success

KEY = {"REO_API_KEY": CANARY}
HEADER = "activity_type,count,domain,event_at,product_id\n"
COUNTS = ("delivered", "already_delivered", "invalid", "rejected", "errored", "unsent")
KEYS = (
    *("schema", "status", "exit_code", "started_at", "read", *COUNTS, "skipped", "rolled_up"),
    "left_out",
    *("attempts", "elapsed_s", "events_per_s"),
    *("inputs", "ledger", "issues", "error", "endpoint", "endpoint_source"),
)


def rows(*counts: object, start: int = 0) -> str:
    lines = (
        f"primary,{each},acme.com,{1790000000 + start + n},app\n" for n, each in enumerate(counts)
    )
    return HEADER + "".join(lines)


def write(world: World, text: str, name: str = "x.csv") -> str:
    (world.folder / name).write_text(text)
    return name


def upload(world: World, server: FaultServer, *args: str, **options: Any) -> Run:
    options = {"env": KEY, **options}
    run = world.run("send-file", *args, "--endpoint", server.url, **options)
    if "json" in args:
        balanced(run.json)
        assert run.json["exit_code"] == run.code
    return run


def balanced(summary: dict[str, Any]) -> None:
    """Assert the equation that holds for every run, whole and per input."""
    for part in (summary, *summary["inputs"]):
        assert part["read"] == sum(part[name] for name in COUNTS)
    for name in ("read", *COUNTS):
        assert summary[name] == sum(part[name] for part in summary["inputs"])


def by_count(answers: dict[int, Action]) -> Any:
    """Script a server by the event's `count`."""
    return lambda _, request: answers.get(request.json["payload"]["count"], success())


def test_everything_delivered(world: World) -> None:
    with FaultServer([]) as server:
        run = upload(world, server, write(world, rows(1, 2, 3)), "-o", "json")
    assert run.code == 0
    assert tuple(run.json) == KEYS
    assert run.json["status"] == "success"
    assert run.json["delivered"] == run.json["attempts"] == 3
    assert run.json["ledger"]["created"] is True
    assert run.json["ledger"]["events"] == 3
    assert run.json["error"] is None
    assert sorted(r.json["payload"]["count"] for r in server.requests) == [1, 2, 3]


def test_an_error_in_the_last_row_sends_nothing(world: World) -> None:
    with FaultServer([]) as server:
        run = upload(world, server, write(world, rows(1, 2, "1,250".join('""'))), "-o", "json")
    assert run.code == 65
    assert server.requests == []
    assert (run.json["invalid"], run.json["unsent"]) == (1, 2)
    (issue,) = run.json["issues"]
    assert (issue["file"], issue["line"], issue["record"], issue["field"]) == (
        *("x.csv", 4, 3),
        "count",
    )
    assert run.json["error"]["reason"] == "invalid_input"
    assert not (world.folder / "x.csv.reo-rejects").exists()


def test_skip_invalid_sends_the_rest_and_keeps_the_bad(world: World) -> None:
    name = write(world, rows(1, "x", 3))
    with FaultServer([]) as server:
        run = upload(world, server, name, "--skip-invalid", "-o", "json")
        again = upload(world, server, name, "--skip-invalid", "-o", "json")
    assert run.code == again.code == 1
    assert (run.json["delivered"], run.json["invalid"], run.json["status"]) == (2, 1, "partial")
    assert (again.json["already_delivered"], again.json["invalid"]) == (2, 1)
    rejects = world.folder / "x.csv.reo-rejects"
    (line,) = rejects.read_text().splitlines()
    assert json.loads(line)["payload"]["count"] == "x"
    assert json.loads(line)["error"]["line"] == 3
    assert rejects.stat().st_mode & 0o777 == 0o600
    assert run.json["inputs"][0]["rejects_file"] == "x.csv.reo-rejects"


def test_a_mended_reject_needs_no_options(world: World) -> None:
    name = write(world, "count,domain,event_at\n5,https://a.com/,21.09.2026\n")
    flags = ("-a", "primary", "-p", "app", "--date-format", "day-first", "--set", "meta.n=1")
    with FaultServer([]) as server:
        assert upload(world, server, name, "--skip-invalid", *flags).code == 1
        rejects = world.folder / "x.csv.reo-rejects"
        rejects.write_text(rejects.read_text().replace("https://a.com/", "a.com"))
        assert upload(world, server, rejects.name).code == 0
    payload = server.requests[0].json["payload"]
    assert (payload["activity_type"], payload["product_id"]) == ("primary", "app")
    assert (payload["count"], payload["meta"]) == (5, {"n": "1"})


def test_the_rejects_file_can_be_sent_again(world: World) -> None:
    name = write(world, rows(1, 2, 3))
    with FaultServer(by_count({2: failure(422, "not now")})) as server:
        first = upload(world, server, name, "-o", "json")
    assert (first.code, first.json["rejected"]) == (1, 1)
    with FaultServer([]) as server:
        second = upload(world, server, "x.csv.reo-rejects", "--no-ledger", "-o", "json")
    assert (second.code, second.json["delivered"]) == (0, 1)
    line = json.loads((world.folder / "x.csv.reo-rejects").read_text())
    assert server.requests[0].json["payload"] == line["payload"]
    assert line["error"]["status"] == 422
    assert "not now" in line["error"]["reason"]


def test_ndjson_has_a_line_a_record_and_a_summary(world: World) -> None:
    with FaultServer(by_count({2: failure(400, "Bad")})) as server:
        run = upload(world, server, write(world, rows(1, 2, "x")), "--skip-invalid", "-o", "ndjson")
    *settled, last = run.lines
    assert {each["status"] for each in settled} == {"delivered", "rejected", "invalid"}
    for each in settled:
        assert list(each) == [
            *("file", "line", "record", "status", "event_id", "http_status", "attempts", "reason")
        ]
    assert last["summary"]["read"] == 3


def test_github_annotations_are_escaped_and_relative(world: World) -> None:
    summary = world.folder / "summary.md"
    env = {**KEY, "GITHUB_STEP_SUMMARY": str(summary), "GITHUB_WORKSPACE": str(world.folder)}
    name = write(world, rows('"x\n::stop-commands::y"'))
    with FaultServer([]) as server:
        run = upload(world, server, str(world.folder / name), "-o", "github", env=env)
    assert run.code == 65
    assert run.stdout.startswith("::error file=x.csv,line=2")
    assert not any(line.startswith("::stop") for line in (run.stdout + run.stderr).splitlines())
    assert "x.csv" in html.unescape(summary.read_text())


def test_plain_text_in_a_pipe(world: World) -> None:
    with FaultServer([]) as server:
        run = upload(world, server, write(world, rows(1, 2)))
    assert "x.csv: 2 read, 2 delivered" in run.stdout
    assert "\x1b" not in run.stdout + run.stderr


def test_quiet(world: World) -> None:
    with FaultServer(by_count({2: failure(400, "Bad")})) as server:
        run = upload(world, server, write(world, rows(1, 2)), "-q")
    assert run.stdout == ""
    assert "rejected" in run.stderr


@pytest.mark.parametrize("limit", ["0", "1", "2"])
def test_max_issues_bounds_what_is_shown_never_what_is_counted(world: World, limit: str) -> None:
    name = write(world, rows("a", "b", "c"))
    run = world.run("send-file", name, "--dry-run", "--max-issues", limit, "-o", "json")
    assert run.code == 65
    assert len(run.json["issues"]) == int(limit)
    assert run.json["invalid"] == 3


def test_dry_run_shows_the_exact_bodies_and_needs_no_key(world: World) -> None:
    name = write(world, rows(*range(1, 8)))
    dry = world.run("send-file", name, "--dry-run")
    assert dry.code == 0
    bodies = [line for line in dry.stdout.splitlines() if line.startswith('{"payload":')]
    assert len(bodies) == 5
    assert not list(world.home.rglob("*.db"))
    with FaultServer([]) as server:
        assert upload(world, server, name, "--concurrency", "1").code == 0
    assert [request.body.decode() for request in server.requests[:5]] == bodies
    lines = world.run("send-file", name, "--dry-run", "-o", "ndjson").lines
    assert len(lines) == 8
    assert lines[-1]["summary"]["unsent"] == 7


def test_standard_input(world: World) -> None:
    with FaultServer([]) as server:
        run = upload(world, server, "-", "-o", "json", input=rows(1, 2))
        empty = upload(world, server, "-", "-o", "json", input="")
        header = upload(world, server, "-", "-o", "json", input=HEADER)
    assert (run.code, run.json["delivered"], run.json["inputs"][0]["file"]) == (0, 2, "-")
    assert (empty.code, empty.json["error"]["reason"]) == (66, "empty_pipe")
    assert (header.code, header.json["read"]) == (0, 0)


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("missing.csv",), 66),
        ((".",), 66),
        (("x.csv", "--rejects", "no/such/folder/r"), 73),
        (("x.csv", "--ledger", "/dev/null/ledger.db"), 73),
        (("x.csv", "--endpoint", "http://example.com/"), 78),
        (("x.csv", "--profile", "nope"), 78),
        (("x.csv", "--shard", "5/4"), 2),
        (("x.csv", "--concurrency", "0"), 2),
        (("x.csv", "--rate", "fast"), 2),
        (("x.csv", "--set", "cuont=1"), 2),
        (("x.csv", "--format", "xml"), 2),
        (("x.csv", "--encoding", "klingon"), 2),
        (("x.csv", "--delimiter", "ab"), 2),
        (("x.csv", "--date-format", "%Q"), 2),
        (("-", "-"), 2),
        ((), 2),
    ],
)
def test_what_is_found_before_the_first_request(
    world: World, args: tuple[str, ...], code: int
) -> None:
    write(world, rows(1))
    with FaultServer([]) as server:
        endpoint = () if "--endpoint" in args else ("--endpoint", server.url)
        run = world.run("send-file", *args, *endpoint, "-o", "json", env=KEY)
    assert run.code == code, run.stderr
    assert server.requests == []
    if code == 2:
        assert run.stderr.startswith("error: ")
    else:
        assert tuple(run.json) == KEYS
        assert run.json["error"]["exit_code"] == code


def test_settings_lie_below_columns(world: World) -> None:
    (world.folder / "x.csv").write_text(
        "count,domain,event_at,environment\n1,a.com,1790000000,DEV\n"
    )
    env = {**KEY, "REO_PRODUCT_ID": "app", "REO_ACTIVITY_TYPE": "primary", "REO_ENVIRONMENT": "P"}
    with FaultServer([]) as server:
        assert upload(world, server, "x.csv", env=env).code == 0
        assert upload(world, server, "x.csv", "-e", "Q", "-p", "other", env=env).code == 0
    first, second = (request.json["payload"] for request in server.requests)
    assert (first["environment"], first["product_id"]) == ("DEV", "app")
    assert (second["environment"], second["product_id"]) == ("Q", "other")

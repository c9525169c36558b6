"""`reo send-file` as a user runs it: what it prints, what it counts, how it ends.

What it remembers, survives and obeys is under `tests/delivery`.
"""

import gzip
import html
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import CANARY, Run, World
from tests.faults import Action, FaultServer, Request, failure, page, redirect, success, wrong_key

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


@pytest.mark.parametrize(
    ("script", "code", "requests"),
    [
        ([wrong_key(200)], 77, 1),
        ([wrong_key(400)], 77, 1),
        ([failure(401)], 77, 1),
        ([failure(403)], 77, 1),
        ([redirect("http://127.0.0.1:1/")], 76, 1),
        ([page(200)], 76, 1),
        ([page(403)], 76, 1),
        ([failure(405)], 76, 1),
        ([failure(407)], 78, 1),
    ],
)
def test_a_fatal_first_answer_costs_one_request(
    world: World, script: list[Action], code: int, requests: int
) -> None:
    with FaultServer(lambda *_: script[0]) as server:
        run = upload(world, server, write(world, rows(*range(1, 50))), "-o", "json")
    assert run.code == code
    assert len(server.requests) == requests
    assert run.json["unsent"] == run.json["read"] == 49
    assert run.json["status"] == "failed"


def test_nobody_listens(world: World) -> None:
    name = write(world, rows(1, 2))
    with FaultServer([]) as server:
        url = server.url
    args = ("--endpoint", url, "--give-up-after", "1", "-o", "json")
    run = world.run("send-file", name, *args, env=KEY)
    assert run.code == 69
    balanced(run.json)
    assert run.json["error"]["reason"] == "gave_up"
    forgiven = world.run("send-file", name, *args, "--allow-failure", env=KEY)
    assert forgiven.code == 0
    assert forgiven.json["status"] == "failed"
    assert "warning" in forgiven.stderr.lower()


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


def test_dry_run_shows_what_the_ledger_would_skip(world: World) -> None:
    name = write(world, rows(1, 2, 3))
    with FaultServer([]) as server:
        upload(world, server, name, "--limit", "2")
        dry = upload(world, server, name, "--dry-run", "-o", "json")
    assert (dry.json["already_delivered"], dry.json["unsent"]) == (2, 1)
    assert dry.json["status"] == "dry_run"


def test_a_gzip_file_and_json_shapes(world: World) -> None:
    event = {"activity_type": "a", "count": 1, "domain": "a.com", "event_at": 1790000000}
    event |= {"product_id": "p"}
    events = [{**event, "count": n} for n in (1, 2)]
    (world.folder / "a.csv.gz").write_bytes(gzip.compress(rows(11, 12).encode()))
    write(world, json.dumps(events), "b.json")
    write(world, json.dumps({"payload": {**event, "count": 3}, "other": 1}, indent=2), "c.json")
    write(world, "\n".join(json.dumps({**event, "count": n}) for n in (4, 5)), "d.ndjson")
    with FaultServer([]) as server:
        run = upload(world, server, "a.csv.gz", "b.json", "c.json", "d.ndjson", "-o", "json")
    assert run.code == 0, run.stderr
    assert sorted(r.json["payload"]["count"] for r in server.requests) == [1, 2, 3, 4, 5, 11, 12]
    assert [each["read"] for each in run.json["inputs"]] == [2, 2, 1, 2]


def test_standard_input(world: World) -> None:
    with FaultServer([]) as server:
        run = upload(world, server, "-", "-o", "json", input=rows(1, 2))
        empty = upload(world, server, "-", "-o", "json", input="")
        header = upload(world, server, "-", "-o", "json", input=HEADER)
    assert (run.code, run.json["delivered"], run.json["inputs"][0]["file"]) == (0, 2, "-")
    assert (empty.code, empty.json["error"]["reason"]) == (66, "empty_pipe")
    assert (header.code, header.json["read"]) == (0, 0)


def test_a_fifo_is_read_like_a_pipe(world: World) -> None:
    fifo = world.folder / "pipe"
    os.mkfifo(fifo)
    with FaultServer([]) as server:
        process = world.start(
            *("send-file", "pipe", "--endpoint", server.url, "-o", "json"),
            env=KEY,
            stdout=subprocess.PIPE,
        )
        fifo.write_text(rows(1, 2))
        out = process.communicate(timeout=20)[0]
    assert process.returncode == 0
    assert json.loads(out)["delivered"] == 2


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


def test_the_resuming_command_is_printed(world: World) -> None:
    def dies(number: int, _: Request) -> Action:
        return success() if number < 3 else wrong_key()

    with FaultServer(dies) as server:
        run = upload(world, server, write(world, rows(*range(1, 20))), "--concurrency", "1")
    assert run.code == 77
    assert "reo send-file x.csv" in run.stderr


def test_a_closed_standard_output_stops_only_the_display(world: World, tmp_path: Path) -> None:
    name = write(world, rows(*range(1, 60)))
    with FaultServer([]) as server:
        process = world.start(
            *("send-file", name, "--endpoint", server.url, "-o", "ndjson"),
            env=KEY,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        shown = process.stderr.read()
        assert process.wait(20) == 0
    assert len(server.accepted) == 59
    assert b"Traceback" not in shown
    assert b"Exception ignored" not in shown

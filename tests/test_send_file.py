"""`reo send-file` as a user runs it: what it prints, what it counts, how it ends.

What it remembers, survives and obeys is under `tests/delivery`.
"""

import html
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import CANARY, Run, World
from tests.delivery.harness import ENDS, check_sums
from tests.faults import FaultServer, failure, success

KEY = {"REO_API_KEY": CANARY}
HEADER = "activity_type,count,domain,event_at,product_id\n"
KEYS = (
    *("schema", "status", "exit_code", "started_at", "read", *ENDS, "skipped", "rolled_up"),
    *("left_out", "attempts", "elapsed_s", "events_per_s"),
    *("inputs", "ledger", "issues", "error", "endpoint", "endpoint_source"),
)


def rows(*counts: object) -> str:
    lines = (f"primary,{each},acme.com,{1790000000 + n},app\n" for n, each in enumerate(counts))
    return HEADER + "".join(lines)


def write(world: World, text: str) -> str:
    (world.folder / "x.csv").write_text(text)
    return "x.csv"


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """Refuses the event of count 2."""
    with FaultServer(
        lambda _, request: (
            failure(400, "Bad") if request.json["payload"]["count"] == 2 else success()
        )
    ) as server:
        yield server


def upload(world: World, server: FaultServer, *args: str, **options: Any) -> Run:
    run = world.run("send-file", *args, "--endpoint", server.url, **{"env": KEY, **options})
    if "json" in args:
        check_sums(run.json)
        assert run.json["exit_code"] == run.code
    return run


def test_everything_delivered(world: World, server: FaultServer) -> None:
    run = upload(world, server, write(world, rows(1, 3, 4)), "-o", "json")
    assert run.code == 0
    assert tuple(run.json) == KEYS
    assert (run.json["status"], run.json["error"]) == ("success", None)
    assert run.json["delivered"] == run.json["attempts"] == run.json["ledger"]["events"] == 3
    assert run.json["ledger"]["created"] is True
    assert sorted(each.json["payload"]["count"] for each in server.requests) == [1, 3, 4]


def test_an_error_in_the_last_row_sends_nothing(world: World, server: FaultServer) -> None:
    run = upload(world, server, write(world, rows(1, 3, '"1,250"')), "-o", "json")
    assert (run.code, server.requests) == (65, [])
    assert (run.json["invalid"], run.json["unsent"]) == (1, 2)
    (issue,) = run.json["issues"]
    place = [issue[name] for name in ("file", "line", "record", "field")]
    assert place == ["x.csv", 4, 3, "count"]
    assert run.json["error"]["reason"] == "invalid_input"
    assert not (world.folder / "x.csv.reo-rejects").exists()


def test_a_mended_reject_needs_no_options(world: World, server: FaultServer) -> None:
    name = write(world, "count,domain,event_at\n5,https://a.com/,21.09.2026\n")
    flags = ("-a", "primary", "-p", "app", "--date-format", "day-first", "--set", "meta.n=1")
    assert upload(world, server, name, "--skip-invalid", *flags).code == 1
    rejects = world.folder / "x.csv.reo-rejects"
    rejects.write_text(rejects.read_text().replace("https://a.com/", "a.com"))
    assert upload(world, server, rejects.name).code == 0
    payload = server.requests[0].json["payload"]
    assert (payload["activity_type"], payload["product_id"]) == ("primary", "app")
    assert (payload["count"], payload["meta"]) == (5, {"n": "1"})


def test_ndjson_has_a_line_a_record_and_a_summary(world: World, server: FaultServer) -> None:
    name = write(world, rows(1, 2, "x"))
    *settled, last = upload(world, server, name, "--skip-invalid", "-o", "ndjson").lines
    assert {each["status"] for each in settled} == {"delivered", "rejected", "invalid"}
    for each in settled:
        assert list(each) == [
            *("file", "line", "record", "status", "event_id", "http_status", "attempts", "reason")
        ]
    assert last["summary"]["read"] == 3


def test_github_annotations_are_escaped_and_relative(world: World, server: FaultServer) -> None:
    summary = world.folder / "summary.md"
    env = {**KEY, "GITHUB_STEP_SUMMARY": str(summary), "GITHUB_WORKSPACE": str(world.folder)}
    name = write(world, rows('"x\n::stop-commands::y"'))
    run = upload(world, server, str(world.folder / name), "-o", "github", env=env)
    assert run.code == 65
    assert run.stdout.startswith("::error file=x.csv,line=2")
    assert not any(line.startswith("::stop") for line in (run.stdout + run.stderr).splitlines())
    assert "x.csv" in html.unescape(summary.read_text())


def test_plain_text_in_a_pipe_and_under_quiet(world: World, server: FaultServer) -> None:
    run = upload(world, server, write(world, rows(1, 3)))
    assert "x.csv: 2 read, 2 delivered" in run.stdout
    assert "\x1b" not in run.stdout + run.stderr
    quiet = upload(world, server, write(world, rows(2)), "-q")
    assert quiet.stdout == ""
    assert "rejected" in quiet.stderr


def test_max_issues_bounds_what_is_shown_never_what_is_counted(world: World) -> None:
    name = write(world, rows("a", "b", "c"))
    run = world.run("send-file", name, "--dry-run", "--max-issues", "2", "-o", "json")
    assert (run.code, len(run.json["issues"]), run.json["invalid"]) == (65, 2, 3)


def test_a_dry_run_shows_five_bodies_and_needs_no_key(world: World) -> None:
    run = world.run("send-file", write(world, rows(*range(1, 8))), "--dry-run")
    assert run.code == 0
    assert sum(line.startswith('{"payload":') for line in run.stdout.splitlines()) == 5
    assert not list(world.home.rglob("*.db"))


def test_standard_input(world: World, server: FaultServer) -> None:
    run = upload(world, server, "-", "-o", "json", input=rows(1, 3))
    assert (run.code, run.json["delivered"], run.json["inputs"][0]["file"]) == (0, 2, "-")
    empty = upload(world, server, "-", "-o", "json", input="")
    assert (empty.code, empty.json["error"]["reason"]) == (66, "empty_pipe")
    assert "before the pipe" in empty.json["error"]["hint"]
    header = upload(world, server, "-", "-o", "json", input=HEADER)
    assert (header.code, header.json["read"]) == (0, 0)


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ("missing.csv", 66),
        (".", 66),
        ("x.csv --rejects no/such/folder/r", 73),
        ("x.csv --ledger /dev/null/ledger.db", 73),
        ("x.csv --endpoint http://example.com/", 78),
        ("x.csv --profile nope", 78),
        ("x.csv --concurrency 0", 2),
        ("x.csv --rate fast", 2),
        ("x.csv --set cuont=1", 2),
        ("x.csv --format xml", 2),
        ("x.csv --encoding klingon", 2),
        ("x.csv --delimiter ab", 2),
        ("x.csv --date-format %Q", 2),
        ("- -", 2),
        ("", 2),
    ],
)
def test_what_is_found_before_the_first_request(
    world: World, server: FaultServer, args: str, code: int
) -> None:
    write(world, rows(1))
    endpoint = () if "--endpoint" in args else ("--endpoint", server.url)
    run = world.run("send-file", *args.split(), *endpoint, "-o", "json", env=KEY)
    assert (run.code, server.requests) == (code, []), run.stderr
    if code == 2:
        assert run.stderr.startswith("error: ")
    else:
        assert tuple(run.json) == KEYS
        assert run.json["error"]["exit_code"] == code


def test_settings_lie_below_columns(world: World, server: FaultServer) -> None:
    write(world, "count,domain,event_at,environment\n1,a.com,1790000000,DEV\n")
    env = {**KEY, "REO_PRODUCT_ID": "app", "REO_ACTIVITY_TYPE": "primary", "REO_ENVIRONMENT": "P"}
    assert upload(world, server, "x.csv", env=env).code == 0
    assert upload(world, server, "x.csv", "-e", "Q", "-p", "other", env=env).code == 0
    found = [each.json["payload"] for each in server.requests]
    pairs = [(each["environment"], each["product_id"]) for each in found]
    assert pairs == [("DEV", "app"), ("Q", "other")]

"""`reo send-file` as a user runs it: what it counts, how it ends, what is found before a request.

What it remembers, survives and obeys is under `tests/delivery`, what it prints among the
transcripts.
"""

import html
from collections.abc import Iterator

import pytest

from tests.conftest import World
from tests.delivery.harness import Desk
from tests.faults import FaultServer, failure, success

HEADER = "activity_type,count,domain,event_at,product_id\n"


def write(world: World, *counts: object) -> str:
    lines = (f"primary,{each},acme.com,{1790000000 + n},app\n" for n, each in enumerate(counts))
    (world.folder / "x.csv").write_text("".join([HEADER, *lines]))
    return "x.csv"


@pytest.fixture
def desk(world: World) -> Iterator[Desk]:
    """To a server that refuses the event of count 2."""
    with FaultServer(
        lambda _, request: (
            failure(400, "Bad") if request.json["payload"]["count"] == 2 else success()
        )
    ) as server:
        yield Desk(world, server)


def test_an_error_in_the_last_row_sends_nothing(world: World, desk: Desk) -> None:
    run = desk.send(write(world, 1, 3, '"1,250"'))
    assert (run.code, desk.server.requests) == (65, [])
    assert (run.json["invalid"], run.json["unsent"]) == (1, 2)
    (issue,) = run.json["issues"]
    place = [issue[name] for name in ("file", "line", "record", "field")]
    assert place == ["x.csv", 4, 3, "count"]
    assert run.json["error"]["reason"] == "invalid_input"
    assert not (world.folder / "x.csv.reo-rejects").exists()
    write(world, 1, 3)
    run = desk.send("x.csv")
    assert (run.code, run.json["status"], run.json["error"]) == (0, "success", None)
    assert run.json["delivered"] == run.json["attempts"] == run.json["ledger"]["events"] == 2


def test_a_mended_reject_needs_no_options(world: World, desk: Desk) -> None:
    (world.folder / "x.csv").write_text("count,domain,event_at\n5,https://a.com/,21.09.2026\n")
    flags = "-a primary -p app --date-format day-first --set meta.n=1".split()
    assert desk.send("x.csv", "--skip-invalid", *flags).code == 1
    rejects = world.folder / "x.csv.reo-rejects"
    rejects.write_text(rejects.read_text().replace("https://a.com/", "a.com"))
    assert desk.send(rejects).code == 0
    payload = desk.server.requests[0].json["payload"]
    assert (payload["activity_type"], payload["product_id"]) == ("primary", "app")
    assert (payload["count"], payload["meta"]) == (5, {"n": "1"})


def test_every_form_of_output_has_every_end(world: World, desk: Desk) -> None:
    name = write(world, 1, 2, "x")
    *settled, last = desk.send(name, "--skip-invalid", "-o", "ndjson").lines
    assert {each["status"] for each in settled} == {"delivered", "rejected", "invalid"}
    assert last["summary"]["read"] == 3
    quiet = desk.run("send-file", name, "--skip-invalid", "-q")
    assert (quiet.stdout, "rejected" in quiet.stderr, "\x1b" in quiet.stderr) == ("", True, False)
    bounded = desk.send(write(world, "a", "b", "c"), "--dry-run", "--max-issues", "2")
    assert (bounded.code, len(bounded.json["issues"]), bounded.json["invalid"]) == (65, 2, 3)


def test_github_annotations_are_escaped_and_relative(world: World, desk: Desk) -> None:
    summary = world.folder / "summary.md"
    env = {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_WORKSPACE": str(world.folder)}
    path = world.folder / write(world, '"x\n::stop-commands::y"')
    run = desk.run("send-file", path, "-o", "github", env=env)
    assert run.code == 65
    assert run.stdout.startswith("::error file=x.csv,line=2")
    assert not any(line.startswith("::stop") for line in (run.stdout + run.stderr).splitlines())
    assert "x.csv" in html.unescape(summary.read_text())


def test_a_dry_run_shows_five_bodies_and_needs_no_key(world: World) -> None:
    run = world.run("send-file", write(world, *range(1, 8)), "--dry-run")
    assert run.code == 0
    assert sum(line.startswith('{"payload":') for line in run.stdout.splitlines()) == 5
    assert not list(world.home.rglob("*.db"))


@pytest.mark.parametrize(("text", "code"), [("", 66), (HEADER, 0)])
def test_an_empty_pipe_is_no_header_without_rows(desk: Desk, text: str, code: int) -> None:
    run = desk.send("-", input=text)
    assert (run.code, run.json["read"], run.json["inputs"][0]["file"]) == (code, 0, "-")


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ("missing.csv", 66),
        ("x.csv --rejects no/such/folder/r", 73),
        ("x.csv --ledger /dev/null/ledger.db", 73),
    ],
)
def test_what_is_found_before_the_first_request(
    world: World, desk: Desk, args: str, code: int
) -> None:
    write(world, 1)
    run = desk.send(*args.split())
    assert (run.code, run.json["error"]["exit_code"], desk.server.requests) == (code, code, [])


def test_settings_lie_below_columns(world: World, desk: Desk) -> None:
    (world.folder / "x.csv").write_text("count,domain,event_at,environment\n1,a.com,now,DEV\n")
    env = {"REO_PRODUCT_ID": "app", "REO_ACTIVITY_TYPE": "primary", "REO_ENVIRONMENT": "P"}
    assert desk.send("x.csv", env=env).code == 0
    assert desk.send("x.csv", "-e", "Q", "-p", "other", env=env).code == 0
    found = [each.json["payload"] for each in desk.server.requests]
    pairs = [(each["environment"], each["product_id"]) for each in found]
    assert pairs == [("DEV", "app"), ("Q", "other")]

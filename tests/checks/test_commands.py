"""From an export to what is sent: the one command that the messages lead to, run as it stands."""

import json
import shlex
from typing import Any

import pytest

from tests.conftest import Run, World

REST = ["-a", "login", "-p", "app", "--default", "count=1"]


def sent(run: Run) -> list[dict[str, Any]]:
    """Return the payloads that a dry run shows."""
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    return [line["payload"] for line in lines if line.get("payload")]


def follow(world: World, run: Run) -> Run:
    """Run the command that the last hint proposes as a dry run of `send-file`, days first."""
    command = (run.stdout + run.stderr).rpartition("try: ")[2].splitlines()[0]
    words = shlex.split(command.replace("DATE_FORMAT", "day-first"))
    return world.run("send-file", *words[2:], "--dry-run", "-o", "ndjson")


@pytest.mark.parametrize(
    ("text", "field", "values"),
    [
        ("domain,event_at\na.com,1788256800123\nb.com,1788256801000\n", "event_at", None),
        ("domain,event_at\na.com,1788256800123456\n", "event_at", [1788256800]),
        ("domain,event_at\na.com,1788256800123456789\n", "event_at", [1788256800]),
        ("domain,event_at\na.com,2026090110\n", "event_at", [1788256800]),
        ("domain,event_at\na.com,2026-08\n", "event_at", [1785542400]),
        ("domain,event_at\na.com,03/09/2026\nb.com,31/08/2026\n", "event_at", None),
        (
            "domain,event_at\na.com,03/09/2026\nb.com,08/31/2026\n",
            "event_at",
            [1772928000 + 86_400, 1788134400],
        ),
        ("domain,event_at\na.com,03/09/2026\n", "event_at", [1788393600]),
        ('domain,event_at,count\na.com,2026-09-01,"1,234"\n', "count", [1234]),
        ("domain,event_at,count\na.com,2026-09-01,1.234\n", "count", [1234]),
        ("domain,event_at,count\na.com,2026-09-01,1 234 567\n", "count", [1234567]),
        ("domain,event_at\nann@a.com,2026-09-01\n", "domain", ["a.com"]),
        ("domain,event_at\nhttps://www.a.com/x,2026-09-01\n", "domain", ["a.com"]),
        ("domain,ip_addr,event_at\nN/A,8.8.8.8,2026-09-01\n", "ip_addr", ["8.8.8.8"]),
        ('domain,event_at,count\nann@a.com,31/08/2026,"1,234"\n', "count", [1234]),
    ],
)
def test_one_command_follows_the_first_look(
    world: World, text: str, field: str, values: list[Any] | None
) -> None:
    (world.folder / "x.csv").write_text(text)
    for command in ("validate", "send-file"):
        first = world.run(command, "x.csv", *REST, *["--dry-run"] * (command == "send-file"))
        assert first.code == 65
        run = follow(world, first)
        assert run.code == 0, run.stderr
        assert len(sent(run)) == text.count("\n") - 1
        assert values is None or [each[field] for each in sent(run)] == values


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ({"event_at": "2026-09-01 10:00:00 UTC"}, {"event_at": 1788256800}),
        ({"event_at": "2026-09-01 10:00:00.250 UTC"}, {"event_at": 1788256800}),
        ({"event_at": "2026-09-01 12:00:00 +0200"}, {"event_at": 1788256800}),
        ({"event_at": "2026-08-31T24:00:00"}, {"event_at": 1788220800}),
        ({"event_at": "2026-09-01T09:59:60Z"}, {"event_at": 1788256800}),
        ({"event_at": 1788256800.12}, {"event_at": 1788256800}),
        ({"count": "12"}, {"count": 12}),
        ({"count": 12.0}, {"count": 12}),
        ({"count": "\u00a012 "}, {"count": 12}),
        ({"domain": "\tacme.com"}, {"domain": "acme.com"}),
        ({"environment": None, "user_agent": " "}, {}),
    ],
)
def test_what_can_mean_one_thing_is_sent_without_a_word(
    world: World, event: dict[str, Any], payload: dict[str, Any]
) -> None:
    whole = {"domain": "acme.com", "event_at": 1788256800, "count": 1, **event}
    (world.folder / "x.ndjson").write_text(json.dumps(whole))
    assert world.run("validate", "x.ndjson", *REST, "--strict").code == 0
    run = world.run("send-file", "x.ndjson", *REST, "--dry-run", "-o", "ndjson")
    plain = {"mode": "DOMAIN", "source": "TELEMETRY", "activity_type": "login", "count": 1}
    plain |= {"domain": "acme.com", "event_at": 1788256800, "product_id": "app"}
    (found,) = sent(run)
    assert {k: v for k, v in found.items() if k != "event_id"} == {**plain, **payload}


def test_a_day_above_twelve_anywhere_settles_the_order_for_people(world: World) -> None:
    rows = "".join(f"a.com,{day:02}/09/2026\n" for day in range(1, 14))
    (world.folder / "x.csv").write_text(f"domain,event_at\n{rows}")
    run = world.run("validate", "x.csv", *REST, "-o", "table")
    assert run.stdout.count("error: event_at") == 1
    assert "hint: add --date-format day-first\n" in run.stdout
    assert "DATE_FORMAT" not in run.stdout + run.stderr


def test_records_of_free_mailboxes_can_be_left_out(world: World) -> None:
    (world.folder / "x.csv").write_text(
        "mail,event_at\nann@a.com,2026-09-01\nb@gmail.com,2026-09-01\n"
    )
    command = ["send-file", "x.csv", *REST, "--domain-of", "mail", "--dry-run", "-o", "ndjson"]
    run = world.run("validate", "x.csv", *REST, "--domain-of", "mail")
    assert "add --skip domain= to leave such records out" in run.stdout
    run = world.run(*command, "--skip", "domain=")
    assert [each["domain"] for each in sent(run)] == ["a.com"]
    assert json.loads(run.stdout.splitlines()[-1])["summary"]["skipped"] == 1


def test_a_missing_time_is_not_now_where_others_have_one(world: World) -> None:
    (world.folder / "x.csv").write_text("domain,event_at\na.com,2026-09-01\nb.com,\n")
    run = world.run("validate", "x.csv", *REST)
    assert "add --skip event_at= to leave it out" in run.stdout
    assert "now" not in run.stdout + run.stderr
    assert world.run("validate", "x.csv", *REST, "--skip", "event_at=").code == 0


def test_rows_and_texts_to_leave_out_are_one_command(world: World) -> None:
    (world.folder / "x.csv").write_text(
        "domain,event_at,environment\na.com,2026-09-01,NULL\n,2026-09-01,\nGrand Total,,\n"
    )
    run = world.run("validate", "x.csv", *REST)
    command = run.stderr.partition("hint: try: reo ")[2]
    assert command.endswith("--null NULL --skip domain= --skip 'domain=Grand Total'\n")
    run = world.run(*shlex.split(command))
    assert (run.code, "1 read, 1 valid" in run.stdout, run.stderr) == (0, True, "")

"""From an export to what is sent: the one command that the messages lead to, run as it stands."""

import shlex
from typing import Any

import pytest

from tests.conftest import Run, World

REST = ["-a", "login", "-p", "app", "--default", "count=1"]


def sent(run: Run) -> list[dict[str, Any]]:
    """Return the payloads that a dry run shows."""
    return [line["payload"] for line in run.lines if line.get("payload")]


def follow(world: World, run: Run) -> Run:
    """Run the command that the last hint proposes as a dry run of `send-file`, days first."""
    command = (run.stdout + run.stderr).rpartition("try: ")[2].splitlines()[0]
    words = shlex.split(command.replace("DATE_FORMAT", "day-first"))
    return world.run("send-file", *words[2:], "--dry-run", "-o", "ndjson")


@pytest.mark.parametrize(
    ("columns", "rows", "values"),
    [
        ("event_at", "1788256800123\n1788256801000", [1788256800, 1788256801]),
        ("event_at", "1788256800123456", [1788256800]),
        ("event_at", "1788256800123456789", [1788256800]),
        ("event_at", "2026090110", [1788256800]),
        ("event_at", "2026-08", [1785542400]),
        ("event_at", "03/09/2026\n31/08/2026", [1788393600, 1788134400]),
        ("event_at", "03/09/2026\n08/31/2026", [1773014400, 1788134400]),
        ("event_at", "03/09/2026", [1788393600]),
        ("event_at,count", '2026-09-01,"1,234"', [1234]),
        ("event_at,count", "2026-09-01,1.234", [1234]),
        ("event_at,count", "2026-09-01,1 234 567", [1234567]),
        ("event_at,domain", "2026-09-01,ann@a.com", ["a.com"]),
        ("event_at,domain", "2026-09-01,https://www.a.com/x", ["a.com"]),
        ("event_at,domain,ip_addr", "2026-09-01,N/A,8.8.8.8", ["8.8.8.8"]),
        ("event_at,domain,count", '31/08/2026,ann@a.com,"1,234"', [1234]),
    ],
)
def test_one_command_follows_the_first_look(
    world: World, columns: str, rows: str, values: list[Any]
) -> None:
    if "domain" not in columns:
        columns, rows = f"domain,{columns}", "\n".join(f"a.com,{row}" for row in rows.split("\n"))
    (world.folder / "x.csv").write_text(f"{columns}\n{rows}\n")
    for command in (["validate"], ["send-file", "--dry-run"]):
        first = world.run(*command, "x.csv", *REST)
        assert first.code == 65
        run = follow(world, first)
        assert run.code == 0, run.stderr
        assert [each[columns.rpartition(",")[2]] for each in sent(run)] == values


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
    given = ["x.csv", *REST, "--domain-of", "mail"]
    assert "add --skip domain= to leave such" in world.run("validate", *given).stdout
    run = world.run("send-file", *given, "--skip", "domain=", "--dry-run", "-o", "ndjson")
    assert [each["domain"] for each in sent(run)] == ["a.com"]
    assert run.lines[-1]["summary"]["skipped"] == 1


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

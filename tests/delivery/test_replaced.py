"""Replaced, not repeated: what counts twice is stopped or said, and nothing else is (I1)."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run
from tests.delivery.harness import Desk, counts, ndjson, row

Rows = list[dict[str, Any]]
DAY = 86_400
IGNORED = ("--ignore", "platform")
TEST = ("-e", "TEST")


def day(number: int, **changes: object) -> Rows:
    """One row a company, of one day."""
    at = 1_790_000_000 + number * DAY
    return [row(n, domain=f"company{n}.com", event_at=at, **changes) for n in range(9)]


def window(last: int, *, grown: int = 0) -> Rows:
    """Seven days, of which the last one still grows."""
    rows = [each for number in range(last - 6, last + 1) for each in day(number)]
    return [*rows[:-9], *({**each, "count": each["count"] + grown} for each in rows[-9:])]


def silent(run: Run) -> bool:
    """Whether a run sent what it had to and said nothing of replaced events."""
    said = "count twice" in run.stderr or "delivered before" in run.stderr
    return run.code == 0 and not said


def stopped(desk: Desk, *args: str | Path, number: int, events: int, **more: Any) -> Run:
    before = len(desk.server.requests)
    run = desk.send(*args, **more)
    assert (run.code, run.json["error"]["reason"]) == (65, "replaced"), run.stderr
    assert f"{number} of {events} event" in run.json["error"]["message"]
    assert "--on-change" in run.json["error"]["hint"]
    assert run.json["invalid"] == run.json["delivered"] == 0
    assert len(desk.server.requests) == before
    return run


# The same events under other ids


def test_what_other_options_make_of_the_same_rows_is_stopped(desk: Desk) -> None:
    """I1: --extra, a setting, --id-from. From nine in ten on it is the same input."""
    file = desk.csv([row(n, platform="linux") for n in range(90)])
    assert counts(desk.send(file, *IGNORED)) == {"delivered": 90}
    stopped(desk, file, "--extra", "meta", number=90, events=90)
    stopped(desk, file, *IGNORED, env={"REO_ENVIRONMENT": "TEST"}, number=90, events=90)
    run = stopped(desk, file, *IGNORED, "--id-from", "domain,event_at", number=90, events=90)
    assert "with the same counts" in run.json["error"]["message"]
    assert "to go on" not in run.stderr
    (issue,) = run.json["issues"]
    assert (issue["line"], issue["severity"], issue["code"]) == (2, "error", "replaced")
    assert counts(desk.send(file, *IGNORED)) == {"already_delivered": 90}
    grown = desk.csv([row(n, count=n + 1 + 5 * (n == 7), platform="linux") for n in range(90)])
    run = stopped(desk, grown, *IGNORED, *TEST, number=90, events=90)
    assert "89 of them with the same counts" in run.json["error"]["message"]
    stopped(desk, desk.csv([row(n) for n in range(100)]), *TEST, number=90, events=100)
    assert silent(desk.send(desk.csv([row(n) for n in range(102)]), *TEST))


def test_on_change_decides_over_replaced_events(desk: Desk) -> None:
    rows = [row(n, platform="linux") for n in range(20)]
    desk.send(desk.csv(rows), *IGNORED)
    other = (desk.csv(rows), "--extra", "meta")
    stopped(desk, *other, "--dry-run", number=20, events=20)
    for rule, word in (("skip", "already_delivered"), ("send", "delivered")):
        run = desk.send(*other, "--on-change", rule)
        assert (run.code, counts(run)) == (0, {word: 20})
        assert "20 of 20 events" in run.stderr
        assert f"--on-change {rule}" in run.stderr
    assert silent(desk.send(*other))
    late = desk.csv([*rows, row(3, count=5)])
    assert silent(desk.send(late, "--extra", "meta")), "what was sent twice is not asked again"


# A newer version


def test_a_count_that_went_on_is_stopped(desk: Desk) -> None:
    rows = [row(n) for n in range(100)]
    desk.send(desk.csv(rows))
    some = [{**each, "environment": "TEST"} for each in rows[:5]]
    run = stopped(desk, desk.csv([*some, *rows[5:]]), number=5, events=100)
    assert "with the same counts" in run.json["error"]["message"]
    rows[17]["count"] = 5000
    error = stopped(desk, desk.csv(rows), number=1, events=100).json["error"]
    assert error["message"].startswith("1 of 100 events of")
    assert " replaces what was delivered before " in error["message"]
    assert "line 19, had count 18 and has 5,000" in error["message"]
    assert "--id-from" in error["hint"]
    assert counts(desk.send(desk.csv(rows), "--on-change", "skip")) == {"already_delivered": 100}
    sent = desk.send(desk.csv(rows), "--on-change", "send")
    assert counts(sent) == {"already_delivered": 99, "delivered": 1}


def test_a_nightly_window_whose_last_day_still_grows(desk: Desk) -> None:
    assert silent(desk.send(desk.csv(window(20))))
    stopped(desk, desk.csv([*window(21)[:-18], *day(20, count=777), *day(21)]), number=9, events=63)
    assert silent(desk.send(desk.csv(window(21)))), "when the day is over, the window is"


def test_what_cannot_be_stopped_is_warned_of_at_its_end(desk: Desk) -> None:
    """A pipe, and --skip-invalid."""
    desk.send("-", input=ndjson(window(20)))
    run = desk.send("-", input=ndjson(window(20, grown=5)))
    assert (run.code, counts(run)) == (0, {"already_delivered": 54, "delivered": 9})
    assert "warning: 9 of 63 events of - replace what was delivered before" in run.stderr
    (issue,) = run.json["issues"]
    assert (issue["line"], issue["severity"], issue["code"]) == (55, "warning", "replaced")
    assert silent(desk.send("-", input=ndjson(window(20, grown=5)))), "it is said once"
    quiet = desk.send("-", "-q", *TEST, input=ndjson(window(20, grown=5)))
    assert "warning: 63 of 63 events of - were delivered before under other ids" in quiet.stderr
    run = desk.send(desk.csv(window(20, grown=5)), "--skip-invalid", "-e", "PROD")
    assert (run.code, counts(run)) == (0, {"delivered": 63})
    assert "warning: 63 of 63 events" in run.stderr


def test_beside_a_pipe_a_file_is_decided_over_alone(desk: Desk) -> None:
    """What is left of the file is known while the pipe is still noted."""
    file = desk.csv([row(n) for n in range(20)])
    desk.send(file)
    both = (file, "-", *TEST, "--on-change", "skip")
    run = desk.send(*both, input=ndjson([row(n) for n in range(40, 60)]))
    assert (run.code, counts(run)) == (0, {"already_delivered": 20, "delivered": 20})
    assert "count twice" not in run.stderr


# No false alarm


def test_runs_that_go_on_are_silent(desk: Desk) -> None:
    """Killed and resumed; reordered and appended; late beside old ones, an old day dropped."""
    rows = [row(n // 4, count=n + 1) for n in range(80)]
    desk.send(desk.csv(rows), "--limit", "40")
    assert silent(desk.send(desk.csv(rows)))
    assert silent(desk.send("-", input=ndjson(rows)))
    random.Random(3).shuffle(rows)
    assert silent(desk.send(desk.csv([*rows, *(row(n) for n in range(500, 520))])))
    assert silent(desk.send(desk.csv([*rows, row(3, count=999)])))
    assert silent(desk.send(desk.csv([row(3, count=1000), *rows, row(3, count=999)])))


@pytest.mark.parametrize(
    ("stay", "grow", "fall", "stops"), [(1, 20, 1, 1), (1, 1, 1, 1), (4, 10, 4, 1), (1, 2, 6, 0)]
)
def test_few_counts_fall_in_a_newer_version(
    desk: Desk, stay: int, grow: int, fall: int, stops: int
) -> None:
    """However few stay the same, beside those that have grown."""
    rows = [row(n, count=50) for n in range(stay + grow + fall)]
    desk.send(desk.csv(rows))
    changed = [50] * stay + [60] * grow + [40] * fall
    newer = desk.csv([{**each, "count": n} for each, n in zip(rows, changed, strict=True)])
    if stops:
        stopped(desk, newer, number=grow + fall, events=len(rows))
    else:
        assert silent(desk.send(newer))


@pytest.mark.parametrize("column", ["user_agent", "platform"])
def test_files_of_several_platforms_for_the_same_companies_and_days(
    desk: Desk, column: str
) -> None:
    """One after the other; also where some counts are equal by chance."""
    chance = random.Random(7)
    for name in ("linux", "mac", "windows"):
        rows = [{**each, "count": chance.randrange(1, 200), column: name} for each in window(20)]
        assert silent(desk.send(desk.csv(rows, f"{name}.csv"), *IGNORED))


def test_shards_and_inputs_of_one_run_hold_each_other_s_events(desk: Desk) -> None:
    rows = [row(n // 5, count=n + 1) for n in range(100)]
    file = desk.csv(rows)
    for share in ("1/3", "2/3", "3/3", "1/3"):
        assert silent(desk.send(file, "--shard", share))
    assert len(desk.server.accepted) == 100
    run = desk.send(file, "--shard", "1/3", *TEST)
    assert 20 < run.json["read"] < 50, "of the others' nothing is said"
    assert f"{run.json['read']} of {run.json['read']} events" in run.json["error"]["message"]
    late = desk.csv([row(n, count=200 + n) for n in range(9)], "late.csv")
    assert silent(desk.send(file, late))


@pytest.mark.parametrize(
    "how",
    [
        *("--resend", "--account=other", "--endpoint={}/other", "--no-ledger"),
        *("ids of their own", "a ledger of an older reo"),
    ],
)
def test_what_is_never_asked(desk: Desk, how: str) -> None:
    own = "a" if how == "ids of their own" else ""
    rows = [row(n, event_id=own and f"{own}{n}") for n in range(30)]
    run = desk.send(desk.csv(rows))
    if how == "a ledger of an older reo":
        with closing(sqlite3.connect(run.json["ledger"]["path"])) as ledger, ledger:
            ledger.execute("DELETE FROM subject")
    again = [
        {**each, "environment": "TEST", "event_id": own and f"b{n}"} for n, each in enumerate(rows)
    ]
    options = [how.format(desk.server.url)] if how.startswith("--") else []
    run = desk.send(desk.csv(again), *options)
    assert silent(run)
    assert counts(run) == {"delivered": 30}

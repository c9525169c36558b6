"""Replaced, not repeated: what counts twice is stopped or said, and nothing else is (I1)."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run, World
from tests.delivery.harness import Desk, counts, ndjson, row, write_csv
from tests.faults import FaultServer

Rows = list[dict[str, object]]
DAY = 86_400


@pytest.fixture
def desk(world: World) -> Iterator[Desk]:
    with FaultServer() as server:
        yield Desk(world, server)


def day(number: int, *, companies: int = 9, **changes: object) -> Rows:
    """One row a company, of one day."""
    return [
        row(n, domain=f"company{n}.com", event_at=1_790_000_000 + number * DAY, **changes)
        for n in range(companies)
    ]


def window(last: int, *, grown: int = 0) -> Rows:
    """Seven days, of which the last one still grows."""
    rows = [each for number in range(last - 6, last + 1) for each in day(number)]
    return [*rows[:-9], *({**each, "count": int(str(each["count"])) + grown} for each in rows[-9:])]


def silent(run: Run) -> bool:
    """Whether a run sent what it had to and said nothing of replaced events."""
    return (
        run.code == 0 and "count twice" not in run.stderr and "delivered before" not in run.stderr
    )


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
    """I1: --extra, a setting, --id-from."""
    rows = [row(n, platform="linux") for n in range(100)]
    file = desk.csv(rows)
    assert counts(desk.send(file, "--ignore", "platform")) == {"delivered": 100}
    stopped(desk, file, "--extra", "meta", number=100, events=100)
    ignored = ("--ignore", "platform")
    stopped(desk, file, *ignored, env={"REO_ENVIRONMENT": "TEST"}, number=100, events=100)
    run = stopped(desk, file, *ignored, "--id-from", "domain,event_at", number=100, events=100)
    assert "with the same counts" in run.json["error"]["message"]
    assert "to go on" not in run.stderr
    (issue,) = run.json["issues"]
    assert (issue["line"], issue["severity"], issue["code"]) == (2, "error", "replaced")
    assert counts(desk.send(file, *ignored)) == {"already_delivered": 100}


def test_on_change_decides_over_replaced_events(desk: Desk) -> None:
    file = desk.csv([row(n, platform="linux") for n in range(20)])
    desk.send(file, "--ignore", "platform")
    other = (file, "--extra", "meta")
    dry = desk.send(*other, "--dry-run")
    assert (dry.code, dry.json["error"]["reason"]) == (65, "replaced")
    skipped = desk.send(*other, "--on-change", "skip")
    assert (skipped.code, counts(skipped)) == (0, {"already_delivered": 20})
    assert "20 of 20 events" in skipped.stderr
    assert "--on-change skip" in skipped.stderr
    sent = desk.send(*other, "--on-change", "send")
    assert (sent.code, counts(sent)) == (0, {"delivered": 20})
    assert "--on-change send" in sent.stderr
    assert silent(desk.send(*other))
    late = desk.csv([row(n, platform="linux") for n in range(20)] + [row(3, count=5)])
    assert silent(desk.send(late, "--extra", "meta")), "what was sent twice is not asked again"


def test_one_event_in_ten_may_be_new(desk: Desk) -> None:
    file = desk.csv([row(n) for n in range(90)])
    desk.send(file)
    setting = ("-e", "TEST")
    stopped(desk, desk.csv([row(n) for n in range(100)]), *setting, number=90, events=100)
    assert silent(desk.send(desk.csv([row(n) for n in range(102)]), *setting))


# A newer version


def test_a_count_that_went_on_is_stopped(desk: Desk) -> None:
    rows = [row(n) for n in range(100)]
    desk.send(desk.csv(rows))
    some = [{**each, "environment": "TEST"} for each in rows[:5]]
    run = stopped(desk, desk.csv([*some, *rows[5:]]), number=5, events=100)
    assert "with the same counts" in run.json["error"]["message"]
    rows[17]["count"] = 5000
    run = stopped(desk, desk.csv(rows), number=1, events=100)
    assert run.json["error"]["message"].startswith("1 of 100 events of")
    assert " replaces what was delivered before " in run.json["error"]["message"]
    assert "line 19, had count 18 and has 5,000" in run.json["error"]["message"]
    assert "--id-from" in run.json["error"]["hint"]
    assert counts(desk.send(desk.csv(rows), "--on-change", "skip")) == {"already_delivered": 100}
    assert counts(desk.send(desk.csv(rows), "--on-change", "send")) == {
        "already_delivered": 99,
        "delivered": 1,
    }


def test_a_nightly_window_whose_last_day_still_grows(desk: Desk) -> None:
    assert silent(desk.send(desk.csv(window(20))))
    stopped(desk, desk.csv([*window(21)[:-18], *day(20, count=777), *day(21)]), number=9, events=63)
    assert silent(desk.send(desk.csv(window(21)))), "when the day is over, the window is"


def test_a_pipe_is_warned_of_at_its_end(desk: Desk) -> None:
    desk.send("-", input=ndjson(window(20)))
    run = desk.send("-", input=ndjson(window(20, grown=5)), env={"REO_ENVIRONMENT": ""})
    assert (run.code, counts(run)) == (0, {"already_delivered": 54, "delivered": 9})
    assert "warning: 9 of 63 events of - replace what was delivered before" in run.stderr
    (issue,) = run.json["issues"]
    assert (issue["line"], issue["severity"], issue["code"]) == (55, "warning", "replaced")
    assert silent(desk.send("-", input=ndjson(window(20, grown=5)))), "it is said once"
    quiet = desk.send("-", "-q", "-e", "TEST", input=ndjson(window(20, grown=5)))
    assert "warning: 63 of 63 events of - were delivered before under other ids" in quiet.stderr


def test_skip_invalid_is_warned_of_at_its_end(desk: Desk) -> None:
    file = desk.csv(window(20))
    desk.send(file)
    run = desk.send(file, "--skip-invalid", "-e", "TEST")
    assert (run.code, counts(run)) == (0, {"delivered": 63})
    assert "warning: 63 of 63 events" in run.stderr


# No false alarm


def test_a_killed_run_is_resumed_without_a_word(desk: Desk) -> None:
    rows = [row(n // 3, count=n + 1) for n in range(90)]
    file = desk.csv(rows)
    desk.send(file, "--limit", "40")
    assert silent(desk.send(file))
    assert silent(desk.send("-", input=ndjson(rows)))


def test_reordered_appended_and_late_rows(desk: Desk) -> None:
    """Several rows of one subject, a late one beside the old ones, an old day dropped."""
    rows = [row(n // 4, count=n + 1) for n in range(80)]
    desk.send(desk.csv(rows))
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


@pytest.mark.parametrize("extra", [{}, {"user_agent": "mac"}])
def test_files_of_several_platforms_for_the_same_companies_and_days(
    desk: Desk, extra: dict[str, object]
) -> None:
    """One after the other; also where some counts are equal by chance."""
    chance = random.Random(7)
    for name in ("linux", "mac", "windows"):
        more = {"user_agent": name} if extra else {}
        rows = [{**each, "count": chance.randrange(1, 200), **more} for each in window(20)]
        assert silent(desk.send(desk.csv(rows, f"{name}.csv")))


def test_shards_hold_what_the_others_send(desk: Desk) -> None:
    file = desk.csv([row(n // 5, count=n + 1) for n in range(100)])
    for share in ("1/3", "2/3", "3/3", "1/3"):
        assert silent(desk.send(file, "--shard", share))
    assert len(desk.server.accepted) == 100


def test_inputs_of_one_run_hold_each_other_s_events(desk: Desk) -> None:
    first, second = (
        desk.csv([row(n, count=100 * p + n + 1) for n in range(9)], f"{p}.csv") for p in (1, 2)
    )
    desk.send(first)
    assert silent(desk.send(first, second))


@pytest.mark.parametrize(
    "how", ["own ids", "resend", "another account", "another endpoint", "no ledger"]
)
def test_what_is_never_asked(desk: Desk, how: str) -> None:
    rows: Sequence[dict[str, object]] = [row(n, event_id=f"a{n}") for n in range(30)]
    rows = rows if how == "own ids" else [row(n) for n in range(30)]
    desk.send(desk.csv(rows))
    again = [{**each, "event_id": f"b{n}"} for n, each in enumerate(rows)]
    again = again if how == "own ids" else [{**each, "environment": "TEST"} for each in rows]
    options = {
        "resend": ["--resend"],
        "another account": ["--account", "other"],
        "no ledger": ["--no-ledger"],
        "another endpoint": ["--endpoint", f"{desk.server.url}/other"],
    }
    run = desk.send(desk.csv(again), *options.get(how, []))
    assert silent(run)
    assert counts(run) == {"delivered": 30}


def test_entries_without_a_subject_are_silent(desk: Desk) -> None:
    import sqlite3

    file = desk.csv([row(n) for n in range(30)])
    run = desk.send(file)
    with sqlite3.connect(run.json["ledger"]["path"]) as ledger:
        ledger.execute("DELETE FROM subject")
    ledger.close()
    assert silent(desk.send(file, "-e", "TEST"))
    write_csv(file, [row(n, count=7) for n in range(30)])
    assert silent(desk.send(file, "-e", "PROD"))

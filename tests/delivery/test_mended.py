"""What was not delivered, mended and sent again: each event once, none taken for another (I2)."""

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run
from tests.delivery.harness import Desk, counts, lines, ndjson, refusing, rejects, row, write_csv
from tests.faults import FaultServer, success

BAD = "x"
BY_FIELDS = ("--id-from", "domain,event_at")


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(refusing(lambda payload: payload["domain"] == "refused.com")) as server:
        yield server


def mend(path: Path, how: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Change the payloads in a rejects file, and nothing else."""
    mended = lines(path)
    for line in mended:
        line["payload"] |= how(line["payload"])
    path.write_text(ndjson(mended))


def printed_command(run: Run) -> list[str]:
    """The arguments of the command that the run said to send the rejects with."""
    command = next(part for part in run.stderr.split("`") if ".reo-rejects" in part)
    return shlex.split(command)[2:]


def test_mended_lines_and_then_the_mended_source(desk: Desk) -> None:
    """Two of the mended rows are equal, and equal to one that was delivered: three events."""
    where = ("--endpoint", desk.server.url, "--ledger", "own.db")
    good = [row(n) for n in range(10)]
    bad = [row(3, count=BAD), row(3, count="y"), row(20, count=BAD), row(20, count=BAD)]
    file = desk.csv([*good, *bad])
    run = desk.send(file, "--skip-invalid", *where)
    assert (run.code, counts(run)) == (1, {"delivered": 10, "invalid": 4})
    assert len({line["payload"]["event_id"] for line in lines(rejects(run))}) == 4
    assert desk.send(file, "--skip-invalid", *where).code == 1
    assert len(lines(rejects(run))) == 4, "no line is written twice"

    mend(rejects(run), lambda payload: {"count": row(payload["event_at"] % 100)["count"]})
    command = printed_command(run)
    assert (command[0], sorted(command[1:])) == (f"{file}.reo-rejects", sorted(where))
    sent = desk.send(*command)
    assert (sent.code, counts(sent)) == (0, {"delivered": 4})
    assert counts(desk.send(*command)) == {"already_delivered": 4}
    source = desk.csv([*good, row(3), row(3), row(20), row(20)])
    assert counts(desk.send(source, *where)) == {"already_delivered": 14}
    assert len(set(desk.server.accepted)) == len(desk.server.accepted) == 14


@pytest.mark.parametrize("by_profile", [False, True])
def test_the_printed_command_keeps_what_identifies_an_event(desk: Desk, by_profile: bool) -> None:
    """A mended field of --id-from too: the id is that of the mended source."""
    option: tuple[str, ...] = BY_FIELDS
    if by_profile:
        config = desk.world.folder / "config.toml"
        config.write_text('[profiles.nightly]\nid_from = ["domain", "event_at"]\n')
        desk.env = {"REO_CONFIG": str(config)}
        option = ("--profile", "nightly")
    good, bad = [row(n) for n in range(5)], [row(7, count=BAD), row(8, event_at=BAD)]
    run = desk.send(desk.csv([*good, *bad]), "--skip-invalid", "--resend", *option)
    assert counts(run) == {"delivered": 5, "invalid": 2}
    assert "--resend" not in printed_command(run)  # twice the same command sends once
    mend(rejects(run), lambda payload: row(7) if payload["count"] == BAD else row(8))
    assert counts(desk.send(*printed_command(run))) == {"delivered": 2}
    assert counts(desk.send(desk.csv([*good, row(7), row(8)]), *option)) == {"already_delivered": 7}


def test_neither_a_changed_nor_a_mended_line_is_sent_past_on_change(desk: Desk) -> None:
    """The date of the last is mended to that of an event delivered with another count."""
    good = [row(n) for n in range(5)]
    desk.send(desk.csv(good), *BY_FIELDS)
    bad = [row(0, count=777), row(1, count=5, event_at=BAD)]
    run = desk.send(desk.csv([*good[1:], *bad]), "--skip-invalid", *BY_FIELDS)
    assert counts(run) == {"already_delivered": 4, "invalid": 2}
    at = row(1)["event_at"]
    mend(rejects(run), lambda payload: {} if payload["count"] == 777 else {"event_at": at})
    again = desk.send(*printed_command(run))
    assert (again.code, counts(again)) == (65, {"invalid": 2})
    assert {each["code"] for each in again.json["issues"]} == {"changed"}
    assert counts(desk.send(*printed_command(run), "--on-change", "send")) == {"delivered": 2}
    assert len(set(desk.server.accepted)) == 5


@pytest.mark.parametrize("option", [(), BY_FIELDS])
def test_a_mended_rejected_line_and_then_the_mended_source(
    desk: Desk, option: tuple[str, ...]
) -> None:
    """Of three equal rows that the API refuses one is mended, one sent as it is and one dropped."""
    refused, mended = row(7, domain="refused.com"), row(7, domain="mended.com")
    number = 1 if option else 3
    run = desk.send(desk.csv([row(1), *[refused] * number]), "--concurrency", "1", *option)
    assert counts(run) == {"delivered": 1, "rejected": number}
    kept = lines(rejects(run))
    kept[0]["payload"]["domain"] = "mended.com"
    rejects(run).write_text(ndjson(kept[:2]))
    assert desk.send(*printed_command(run)).code == (0 if option else 1)
    again = desk.send(desk.csv([row(1), mended]), *option)
    assert (again.code, counts(again)) == (0, {"already_delivered": 2})
    desk.server.script = success()
    assert desk.send(*printed_command(run)).json["delivered"] == (0 if option else 1)
    run = desk.send(desk.csv([row(1), mended, *[refused] * (number - 1)]), *option)
    assert counts(run)["already_delivered"] == (2 if option else 4)
    assert len(set(desk.server.accepted)) == len(desk.server.accepted)


def test_a_mended_rejected_sum_and_then_the_mended_source(desk: Desk) -> None:
    """One that mends to a sum which was delivered with another count is not sent beside it."""

    def summed(other: str) -> Run:
        return desk.send(desk.csv([row(1), row(7, domain=other)]), "--roll-up", "day")

    run = summed("refused.com")
    assert (run.json["delivered"], run.json["rejected"]) == (1, 1)
    mend(rejects(run), lambda _: {"domain": row(1)["domain"]})
    assert desk.send(*printed_command(run)).code == 65
    mend(rejects(run), lambda _: {"domain": "mended.com"})
    assert counts(desk.send(*printed_command(run))) == {"delivered": 1}
    again = summed("mended.com")
    assert (again.code, again.json["already_delivered"]) == (0, 2)


def test_equal_invalid_rows_of_two_files_are_two_events(desk: Desk) -> None:
    """Mended to different counts, they go out together and are known ever after."""
    files = [desk.csv([row(n), row(9, count=BAD)], f"{n}.csv") for n in (1, 2)]
    run = desk.send(*files, "--skip-invalid")
    mended = [desk.csv([row(n), row(9, count=49 + n)], f"{n}.csv") for n in (1, 2)]
    for number, each in enumerate(run.json["inputs"]):
        mend(Path(each["rejects_file"]), lambda _, count=50 + number: {"count": count})  # type: ignore[misc]
    assert counts(desk.send(*printed_command(run))) == {"delivered": 2}
    assert counts(desk.send(*mended)) == {"already_delivered": 4}


def test_three_days_of_all_files_make_one_rejects_file(desk: Desk) -> None:
    """I3: each rejected event is tried once a day, whatever the order of the files."""
    folder = desk.world.folder / "data"
    folder.mkdir()
    write_csv(folder / "usage.csv", [row(1), row(2, domain="refused.com"), row(3, count=BAD)])
    for day in range(1, 4):
        names = sorted(folder.iterdir(), reverse=day == 3)
        run = desk.send(*names, "--skip-invalid")
        assert run.code == 1
        assert {each.name for each in folder.iterdir()} == {"usage.csv", "usage.csv.reo-rejects"}
        assert len(lines(rejects(run))) == 2
        assert len(desk.server.requests) == 1 + day


def test_a_rejects_file_of_any_name_makes_none_of_its_own(desk: Desk) -> None:
    """And a sandbox run leaves none behind. An invalid record keeps an id of its own."""
    kept = desk.world.folder / "kept.ndjson"
    file = desk.csv([row(1), row(2, domain="refused.com"), row(3, count=BAD, event_id="own")])
    tried = desk.send(file, "--skip-invalid", "--sandbox")
    assert (tried.code, tried.json["inputs"][0]["rejects_file"]) == (1, None)
    desk.send(file, "--skip-invalid", "--rejects", kept)
    assert "own" in {line["payload"]["event_id"] for line in lines(kept)}
    before = kept.read_text()
    run = desk.send(kept, "--skip-invalid")
    assert (run.code, counts(run)) == (1, {"rejected": 1, "invalid": 1})
    assert rejects(run) == kept
    assert kept.read_text() == before
    assert not list(desk.world.folder.glob("*.reo-rejects"))


def test_a_rejects_file_that_fails_takes_no_other_input_s_lines_with_it(desk: Desk) -> None:
    """Beside the first input there is a rejects file that cannot be read: 74, the other's stand."""
    first, second = (desk.csv([row(n), row(9, count=BAD)], f"{n}.csv") for n in (1, 2))
    Path(f"{first}.reo-rejects").symlink_to("/dev/full")
    state = desk.world.home / ".local/state/reo"
    state.mkdir(parents=True)
    (state / "rejects").write_text("no folder")
    run = desk.send(first, second, "--skip-invalid", "--concurrency", "1")
    assert (run.code, run.json["error"]["reason"]) == (74, "rejects_not_written")
    assert len(lines(Path(f"{second}.reo-rejects"))) == 1

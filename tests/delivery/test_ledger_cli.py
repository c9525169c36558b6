import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reo_cli.delivery.ledger import Account, Acknowledged, Ledger

API = "https://api.test/events"
DAY = 86_400

Reo = Callable[..., Any]


def fill(path: Path, *ids: str, account: str | None = None) -> None:
    now = time.time()
    with Ledger.open(path) as ledger:
        Account(ledger, API, "canary-key-1", account).record(
            [Acknowledged(each, b"c" * 16, now - DAY * 5) for each in ids]
        )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "folder" / "ledger.db"
    fill(path, "a", "b")
    fill(path, "c", account="acme")
    return path


def as_json(run: Any) -> dict[str, Any]:
    found: dict[str, Any] = run.json
    assert found["schema"] == "reo.ledger/1"
    assert found["exit_code"] == run.code
    return found


def test_info_as_json(reo: Reo, path: Path) -> None:
    run = reo("ledger", "info", "-o", "json", env={"REO_LEDGER": str(path)})
    found = as_json(run)
    assert (run.code, run.stderr, found["error"], found["status"]) == (0, "", None, "success")
    assert (found["path"], found["events"], found["schema_version"]) == (str(path), 3, 2)
    assert found["oldest"] <= found["newest"] <= time.time()
    assert found["size"] > 0
    unnamed, named = found["scopes"]
    assert (unnamed["endpoint"], unnamed["account"], unnamed["events"]) == (API, None, 2)
    assert (named["account"], named["key"], named["events"]) == ("acme", None, 1)
    assert "canary" not in run.stdout


def test_info_for_people(reo: Reo, path: Path) -> None:
    run = reo("ledger", "info", "--ledger", path)
    assert run.code == 0
    assert f"ledger: {path}\n" in run.stdout
    assert "events: 3\n" in run.stdout
    assert f"1 event to {API} for account acme, the last one 20" in run.stdout
    assert f"2 events to {API} for the key with fingerprint " in run.stdout
    assert "\x1b" not in run.stdout
    table = reo("ledger", "info", "--ledger", path, "-o", "table")
    assert " account       events  last delivery\n" in table.stdout
    assert f" endpoint   {API}\n" in table.stdout
    assert reo("ledger", "info", "--ledger", path, "-q").stdout == ""


@pytest.mark.parametrize("command", ["info", "prune"])
def test_a_missing_ledger_is_66_and_is_not_made(reo: Reo, tmp_path: Path, command: str) -> None:
    missing = tmp_path / "missing" / "ledger.db"
    run = reo("ledger", command, "--ledger", missing)
    assert (run.code, run.stdout) == (66, "")
    assert run.stderr.startswith(f"error: there is no ledger at `{missing}`\nhint: ")
    run = reo("ledger", command, "--ledger", missing, "-o", "json")
    assert (run.code, as_json(run)["error"]["reason"]) == (66, "no_ledger")
    assert not missing.parent.exists()


@pytest.mark.parametrize("command", [["info"], ["prune"], ["merge"]])
def test_a_foreign_file_is_73_and_left_alone(reo: Reo, path: Path, command: list[str]) -> None:
    foreign = path.with_name("foreign.db")
    foreign.write_text("activity_type,count\n")
    given = [*command, path] if command == ["merge"] else command
    env = {"REO_API_KEY": "canary-key-1"}
    assert reo("ledger", *given, "--ledger", foreign, env=env).code == 73
    assert foreign.read_text() == "activity_type,count\n"


def test_prune_can_be_tried_first(reo: Reo, path: Path) -> None:
    prune = ("ledger", "prune", "--ledger", path, "-o", "json")
    assert as_json(reo(*prune))["removed"] == 0
    for tries in (["--dry-run"], []):
        found = as_json(reo(*prune, "--keep-days", "4", *tries))
        done = found["removed"], found["dry_run"], found["events"]
        assert done == (3, bool(tries), 3 * bool(tries))
    run = reo("ledger", "prune", "--ledger", path)
    assert run.stdout.startswith("done: 0 events removed\n")


@pytest.mark.parametrize("days", ["-1", "1.5", "x", ""])
def test_a_wrong_number_of_days_is_a_wrong_usage(reo: Reo, path: Path, days: str) -> None:
    run = reo("ledger", "prune", "--ledger", path, "--keep-days", days)
    assert (run.code, run.stdout) == (2, "")


def test_merge_takes_over_another_ledger(reo: Reo, path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    fill(other, "b", "x", "y")
    merge = ("ledger", "merge", other, "--ledger", path)
    refused = reo(*merge)
    assert (refused.code, "--account NAME" in refused.stderr) == (2, True)
    key = {"REO_API_KEY": "canary-key-1"}
    run = reo(*merge, "-o", "json", env=key)
    assert (run.code, as_json(run)["read"], as_json(run)["events"]) == (0, 3, 5)
    assert reo(*merge, env=key).stdout.startswith("done: 0 of 3 events were new here")
    new = tmp_path / "new" / "ledger.db"
    run = reo("ledger", "merge", path, "--ledger", new, "--account", "acme", "-o", "json")
    assert as_json(run)["events"] == 5, "made where there is none"


@pytest.mark.parametrize(("name", "code"), [("missing", 66), ("text", 65), ("link", 2)])
def test_what_cannot_be_merged_is_refused(
    reo: Reo, path: Path, tmp_path: Path, name: str, code: int
) -> None:
    (tmp_path / "text").write_text("hello")
    (tmp_path / "link").symlink_to(path)
    run = reo("ledger", "merge", tmp_path / name, "--ledger", path)
    assert (run.code, run.stdout) == (code, "")
    assert str(tmp_path / name) in run.stderr
    fresh = tmp_path / "fresh" / "ledger.db"
    assert reo("ledger", "merge", tmp_path / "text", "--ledger", fresh).code == 65
    assert not fresh.exists()

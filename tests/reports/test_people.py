import json
from pathlib import Path
from typing import Any

import pytest

from reo_cli.delivery.summary import Counts, InputSummary
from reo_cli.errors import ExitCode, ReoError
from reo_cli.records import Issue
from reo_cli.reports import Streams, Talk, send_file_report, send_report, validate_report
from reo_cli.reports.content import Column, Grid
from reo_cli.reports.plain import plain_grid
from reo_cli.validation import FileResult, Totals
from tests.reports.samples import (
    COUNT,
    KEY,
    KEY_REFUSED,
    MAILBOX,
    Act,
    delivered,
    on_screen,
    piped,
    settled,
    success,
    summary,
    validation,
)

EVIL_SHOWN = r"evil\x1b[31m\u202e[/x]\n::stop-commands::x.csv"


def clock() -> float:
    return 0.0


def send_file(result: Any, output: Any = None, **options: Any) -> Act:
    return lambda streams, talk: send_file_report(
        output, streams, talk, clock=clock, **options
    ).finish(result)


def validate(result: Any, output: Any = None, **options: Any) -> Act:
    return lambda streams, talk: validate_report(
        output, streams, talk, clock=clock, **options
    ).finish(result)


def send(result: Any, output: Any = None) -> Act:
    return lambda streams, talk: send_report(output, streams, talk).finish(result)


def test_send_file_in_a_pipe(tmp_path: Path) -> None:
    seen = piped(send_file(summary()), tmp_path)
    assert seen.out == (
        "usage.csv: 9,000 read, 8,993 delivered, 0 already delivered, 7 invalid, 0 rejected,"
        " 0 errored, 0 unsent\n"
        "more.ndjson: 1,000 read, 0 delivered, 1,000 already delivered, 0 invalid, 0 rejected,"
        " 0 errored, 0 unsent\n"
        "total: 10,000 read, 8,993 delivered, 1,000 already delivered, 7 invalid, 0 rejected,"
        " 0 errored, 0 unsent\n"
        "result: 9,993 of 10,000 events delivered, 1,000 of them earlier\n"
        "time: 12.3 s, 9,011 requests, 812 events a second\n"
        "ledger: /var/ledger.sqlite3 (new), 8,993 events\n"
        "rejects: usage.csv.reo-rejects\n"
    )
    assert seen.err == (
        'usage.csv:17: count: "1,250" is not a whole number (remove the comma: 1250)\n'
        'usage.csv:20: warning: domain: "gmail.com" is a mailbox provider\n'
        "error: not every event was delivered: 7 invalid\n"
        "hint: mend what is in the rejects file, then `reo send-file usage.csv.reo-rejects`\n"
    )


def test_send_file_on_a_terminal() -> None:
    assert on_screen(send_file(success())) == (
        "                               already\n"
        " file       read  delivered  delivered  invalid  rejected  errored  unsent\n"
        " ──────────────────────────────────────────────────────────────────────────\n"
        " usage.csv     3          3          0        0         0        0       0\n"
        "\n"
        " result  3 events delivered\n"
        " time    12.3 s, 9,011 requests, 812 events a second\n"
        " ledger  /var/ledger.sqlite3 (new), 8,993 events\n"
    )


def test_columns_of_zeros_give_way_on_a_narrow_terminal() -> None:
    table = on_screen(send_file(summary()), columns=64)
    assert " file           read  delivered  delivered  invalid\n" in table
    assert " total        10,000      8,993      1,000        7\n" in table


@pytest.mark.parametrize(
    "act",
    [send_file(summary(issues=(), errors=0, warnings=0)), validate(validation(issues=[COUNT]))],
    ids=["send-file", "validate"],
)
def test_forty_columns_are_enough(act: Act) -> None:
    screen = on_screen(act, columns=40)
    table, _, facts = screen.partition(" result ")
    assert "total\n  read " in table
    assert facts
    whole = (EVIL_SHOWN, "--max-issues")  # a name and a command are never broken
    long = [line for line in screen.splitlines() if len(line) > 40]
    assert [line for line in long if not line.startswith(("error:", "hint:"))] == [
        line for line in long if any(word in line for word in whole)
    ]


def test_validate_in_a_pipe(tmp_path: Path) -> None:
    seen = piped(validate(validation()), tmp_path)
    lines = seen.out.splitlines()
    assert lines[:2] == [
        'usage.csv:20: warning: domain: "gmail.com" is a mailbox provider',
        'usage.csv:17: count: "1,250" is not a whole number (remove the comma: 1250)',
    ]
    assert lines[2].startswith(f"{EVIL_SHOWN}:3: meta.a|b: ")
    assert lines[3] == "… and 7 more issues (`--max-issues 10` shows all)"
    assert lines[4] == "usage.csv: 10,000 read, 9,993 valid, 7 invalid, 7 errors, 2 warnings"
    assert lines[7:] == [
        "result: invalid: 8 of 10,003 records",
        "count: 1,234,567 in all valid events",
        "domains: ≈ 12,345 different",
        "IPs: 34 different",
        "time: 2026-11-01 00:00 UTC to 2026-11-04 00:00 UTC",
        "events a day",
        "2026-11-01  ███ 3",
        "2026-11-02  ████████████████████████████████████████ 40",
        "2026-11-03  0",
        "2026-11-04  ████████████████████ 20",
    ]
    assert (seen.err, seen.code) == ("", 65)


def test_validate_on_a_terminal_shows_the_value_in_context() -> None:
    screen = on_screen(validate(validation()))
    assert (
        " usage.csv\n"
        '  line 20  domain  warning: "gmail.com" is a mailbox provider\n'
        '  line 17  count   "1,250" is not a whole number\n'
        '                   2026-11-01;acme.com;"1,250";US\n'
        "                   hint: remove the comma: 1250\n"
    ) in screen
    assert "\x1b" not in screen
    assert f" {EVIL_SHOWN}\n" in screen
    assert "[/x]" in screen


def test_the_value_is_marked_in_its_context() -> None:
    screen = on_screen(validate(validation()), environ={"TERM": "xterm"})
    assert ';"\x1b[0m\x1b[1;4m1,250\x1b[0m\x1b[2m";US' in screen


def test_a_header_finding_keeps_its_command_in_one_piece() -> None:
    command = f"`reo validate usage.csv {'--map count=Downloads ' * 8}`"
    issue = Issue("usage.csv", 1, 0, "", "error", 'column "Downloads" is no field', command)
    screen = on_screen(validate(validation(issues=[issue])), columns=60)
    assert f"  hint: {command}\n" in screen


def test_a_valid_file_is_short(tmp_path: Path) -> None:
    good = validation(files=[FileResult("a.csv", 2)], issues=(), totals=Totals(sum_of_count=5))
    seen = piped(validate(good), tmp_path)
    assert seen.out == (
        "a.csv: 2 read, 2 valid, 0 invalid, 0 errors, 0 warnings\n"
        "result: valid: 2 events\ncount: 5 in all valid events\n"
        "domains: 0 different\nIPs: 0 different\n"
    )
    assert seen.code == 0


def test_an_input_that_was_not_read_to_its_end(tmp_path: Path) -> None:
    error = ReoError(ExitCode.IO, "changed", "`usage.csv` changed while it was read")
    result = validation(error=error)
    result.files[0].error = error
    seen = piped(validate(result), tmp_path)
    assert "usage.csv (not read to its end): " in seen.out
    assert "; 1 file not read to the end\n" in seen.out
    assert seen.err == "error: `usage.csv` changed while it was read\n"
    assert seen.code == 74


@pytest.mark.parametrize(
    ("result", "line"),
    [
        (delivered(), "delivered: event_id 4f1c, HTTP 200, 1 attempt, 142 ms"),
        (
            delivered(status="already_delivered", http_status=None, attempts=0),
            "already delivered: event_id 4f1c",
        ),
    ],
)
def test_send_is_one_line_in_a_pipe(result: Any, line: str, tmp_path: Path) -> None:
    assert piped(send(result), tmp_path).out == f"{line}\n"


def test_an_empty_input_is_no_mystery(tmp_path: Path) -> None:
    empty = summary(inputs=[InputSummary("a.csv")], issues=(), errors=0, warnings=0, attempts=0)
    seen = piped(send_file(empty), tmp_path)
    assert "\nresult: no events in the input\nledger: " in seen.out
    assert seen.code == 0


def test_send_on_a_terminal() -> None:
    screen = on_screen(send(delivered()), environ={"TERM": "xterm"})
    assert screen == (
        " \x1b[2mdelivered\x1b[0m  \x1b[32mevent_id 4f1c, HTTP 200, 1 attempt, 142 ms\x1b[0m\n"
    )


def test_a_dry_run_of_send_shows_endpoint_and_body(tmp_path: Path) -> None:
    endpoint = "https://ingest.reo.dev/api"
    dry = delivered(status="dry_run", endpoint=endpoint, http_status=None, attempts=0)
    assert piped(send(dry), tmp_path).out == (
        f'dry run: nothing was sent\nendpoint: {endpoint}\n{{"payload":{{"count":1}}}}\n'
    )


def test_issues_of_one_event_have_no_place(tmp_path: Path) -> None:
    issues = [
        Issue("-", 0, 0, "count", "error", '"1,250" is not a whole number', "remove the comma"),
        Issue("-", 0, 0, "domain", "warning", '"gmail.com" is a mailbox provider'),
    ]
    bad = delivered(status="invalid", exit_code=ExitCode.INVALID, issues=issues)
    seen = piped(send(bad), tmp_path)
    assert seen.out == ""
    assert seen.err == (
        'error: count: "1,250" is not a whole number (remove the comma)\n'
        'warning: domain: "gmail.com" is a mailbox provider\n'
    )


def test_a_rejected_event(tmp_path: Path) -> None:
    bad = delivered(status="rejected", exit_code=ExitCode.INVALID, http_status=400)
    seen = piped(send(bad), tmp_path)
    assert seen.out == "rejected: event_id 4f1c, HTTP 400, 1 attempt, 142 ms\n"
    assert seen.err == "error: the event was rejected (HTTP 400)\n"


def test_a_dry_run_of_a_file_shows_endpoint_and_bodies() -> None:
    inputs = [InputSummary("usage.csv", Counts(unsent=9))]
    body = json.dumps({"payload": {"user_agent": "x" * 500, "domain": "[/x]"}})
    dry = success().__class__(
        inputs,
        0,
        0.1,
        0.0,
        dry_run=True,
        bodies=[body],
        to_send=9,
        endpoint="https://ingest.reo.dev/api",
    )
    screen = on_screen(send_file(dry))
    assert " result    dry run: 9 events would be sent, nothing was\n" in screen
    assert " endpoint  https://ingest.reo.dev/api\n bodies    1 of 9\n" in screen
    assert f"\n{body}\n" in screen


def test_a_stopped_run_names_the_command_that_goes_on(tmp_path: Path) -> None:
    error = ReoError(ExitCode.INTERRUPTED, "interrupted", "interrupted by Ctrl-C")
    stopped = summary(error=error, resume="reo send-file usage.csv")
    seen = piped(send_file(stopped, max_issues=0), tmp_path)
    assert seen.err == (
        "2 issues not shown (`--max-issues 2` shows all)\n"
        "error: interrupted by Ctrl-C\n"
        "hint: to go on, `reo send-file usage.csv`\n"
        "hint: mend what is in the rejects file, then `reo send-file usage.csv.reo-rejects`\n"
    )
    assert seen.code == 130


def test_a_failure_that_is_forgiven_is_still_loud(tmp_path: Path) -> None:
    inputs = [InputSummary("usage.csv", Counts(1, errored=2))]
    forgiven = summary(inputs=inputs, issues=(), errors=0, warnings=0, allow_failure=True)
    seen = piped(send_file(forgiven), tmp_path, quiet=True)
    assert seen.err == (
        "error: not every event was delivered: 2 errored\n"
        "warning: `--allow-failure` turns exit code 69 into 0\n"
    )
    assert (seen.out, seen.code) == ("", 0)


@pytest.mark.parametrize("output", [None, "table", "text"])
def test_quiet_leaves_errors_only(output: Any, tmp_path: Path) -> None:
    for act in (
        send_file(summary(), output),
        validate(validation(issues=[MAILBOX, COUNT]), output),
    ):
        seen = piped(act, tmp_path, quiet=True)
        assert seen.out == ""
        assert seen.err.startswith('usage.csv:17: count: "1,250"')
        assert "warning" not in seen.err


def test_quiet_success_says_nothing(tmp_path: Path) -> None:
    seen = piped(send_file(success()), tmp_path, quiet=True)
    assert (seen.out, seen.err) == ("", "")


def test_a_table_that_was_asked_for_in_a_pipe_has_no_colour(tmp_path: Path) -> None:
    environ = {"TERM": "xterm-256color", "FORCE_COLOR": "1", "COLUMNS": "200"}
    seen = piped(validate(validation(), "table"), tmp_path, environ)
    assert "─────" in seen.out
    assert "\x1b" not in seen.out


def test_quiet_drops_warnings_as_they_come(tmp_path: Path) -> None:
    def act(streams: Streams, talk: Talk) -> object:
        report = send_file_report(None, streams, talk, clock=clock)
        report.issue(MAILBOX)
        report.issue(COUNT)
        return report.finish(summary())

    seen = piped(act, tmp_path, quiet=True)
    assert [line.split(":")[1] for line in seen.err.splitlines()[:2]] == [
        "17",
        " not every event was delivered",
    ]


def test_a_grid_in_a_pipe_has_a_head(tmp_path: Path) -> None:
    grid = Grid((Column("setting"), Column("value")), [("timeout", "10\x1b"), ("retries", 5)])
    seen = piped(lambda s, _: s.out.lines(*plain_grid(grid, s.out)), tmp_path)
    assert seen.out == "setting  value\ntimeout  10\\x1b\nretries  5\n"


def test_records_the_api_did_not_take_are_named(tmp_path: Path) -> None:
    def act(streams: Streams, talk: Talk) -> object:
        report = send_file_report(None, streams, talk, clock=clock)
        report.settled(settled())
        report.settled(settled("rejected", reason="HTTP 400: \x1bno such product"))
        report.settled(settled("unsent"))
        return report.finish(success())

    assert piped(act, tmp_path).err == ("usage.csv:2: rejected: HTTP 400: \\x1bno such product\n")


def test_the_key_is_masked_also_where_a_text_is_cut(tmp_path: Path) -> None:
    long = Issue("usage.csv", 1, 1, "", "error", "x" * 19_990 + KEY)
    seen = piped(validate(validation(issues=[long])), tmp_path)
    assert KEY[:6] not in seen.out
    error = ReoError(ExitCode.CONFIG, "key", "x" * 1_990 + KEY)
    shown = on_screen(lambda s, t: send_report(None, s, t).failed(error))
    assert KEY[:6] not in shown


def test_a_failure_before_any_result_prints_nothing_but_the_error(tmp_path: Path) -> None:
    def act(streams: Streams, talk: Talk) -> object:
        return validate_report(None, streams, talk, clock=clock).failed(KEY_REFUSED)

    seen = piped(act, tmp_path)
    assert (seen.out, seen.err) == ("", "error: the API refused the key\nhint: get one\n")

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reo_cli.checks.rollup import RolledUp
from reo_cli.checks.validation import FileResult, Totals
from reo_cli.delivery.summary import Counts, InputSummary, Summary
from reo_cli.errors import ExitCode, ReoError
from reo_cli.records import Issue
from reo_cli.reports import Streams, Talk
from reo_cli.reports.send import SendReport
from reo_cli.reports.send_file import SendFileReport
from reo_cli.reports.validate import ValidateReport
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
    return lambda streams, talk: SendFileReport(
        output, streams, talk, clock=clock, **options
    ).finish(result)


def validate(result: Any, output: Any = None, **options: Any) -> Act:
    return lambda streams, talk: ValidateReport(
        output, streams, talk, clock=clock, **options
    ).finish(result)


def send(result: Any, output: Any = None) -> Act:
    return lambda streams, talk: SendReport(output, streams, talk).finish(result)


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
        "domains: 12,345+ different",
        "IPs: 34 different",
        "time: 2026-11-01 00:00 UTC to 2026-11-04 00:00 UTC",
    ]
    assert (seen.err, seen.code) == ("", 65)


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
        "events: 3 read, 1 delivered, 2 errored\n"
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
        report = SendFileReport(None, streams, talk, clock=clock)
        report.issue(MAILBOX)
        report.issue(COUNT)
        return report.finish(summary())

    seen = piped(act, tmp_path, quiet=True)
    assert [line.split(":")[1] for line in seen.err.splitlines()[:2]] == [
        "17",
        " not every event was delivered",
    ]


def test_records_the_api_did_not_take_are_named(tmp_path: Path) -> None:
    def act(streams: Streams, talk: Talk) -> object:
        report = SendFileReport(None, streams, talk, clock=clock)
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
    shown = on_screen(lambda s, t: SendReport(None, s, t).failed(error))
    assert KEY[:6] not in shown


def test_a_failure_before_any_result_prints_nothing_but_the_error(tmp_path: Path) -> None:
    def act(streams: Streams, talk: Talk) -> object:
        return ValidateReport(None, streams, talk, clock=clock).failed(KEY_REFUSED)

    seen = piped(act, tmp_path)
    assert (seen.out, seen.err) == ("", "error: the API refused the key\nhint: get one\n")


def test_send_file_on_a_terminal() -> None:
    screen = on_screen(send_file(summary(issues=(), errors=0, warnings=0)))
    assert screen == (
        " file           read  delivered  already delivered  invalid\n"
        " ───────────────────────────────────────────────────────────\n"
        " usage.csv     9,000      8,993                  0        7\n"
        " more.ndjson   1,000          0              1,000        0\n"
        " ───────────────────────────────────────────────────────────\n"
        " total        10,000      8,993              1,000        7\n"
        "\n"
        " result   9,993 of 10,000 events delivered, 1,000 of them earlier\n"
        " time     12.3 s, 9,011 requests, 812 events a second\n"
        " ledger   /var/ledger.sqlite3 (new), 8,993 events\n"
        " rejects  usage.csv.reo-rejects\n"
        "error: not every event was delivered: 7 invalid\n"
        "hint: mend what is in the rejects file, then:\n"
        "  reo send-file usage.csv.reo-rejects\n"
    )


def test_one_input_needs_no_table() -> None:
    assert on_screen(send_file(success())) == (
        " result  3 events delivered\n"
        " time    12.3 s, 9,011 requests, 812 events a second\n"
        " ledger  /var/ledger.sqlite3 (new), 8,993 events\n"
    )


def test_a_run_that_dies_at_once_tells_the_error_first() -> None:
    inputs = [InputSummary("usage.csv", Counts(unsent=10_000))]
    resume = "reo send-file usage.csv -p reoWebApp"
    died = summary(inputs=inputs, issues=(), errors=0, warnings=0, error=KEY_REFUSED, resume=resume)
    assert on_screen(send_file(died)) == (
        "error: the API refused the key\nhint: get one\n"
        "hint: then, to go on:\n  reo send-file usage.csv -p reoWebApp\n"
        " events  10,000 read, 10,000 unsent\n"
    )


@pytest.mark.parametrize(
    "act",
    [send_file(summary(issues=(), errors=0, warnings=0)), validate(validation(issues=[COUNT]))],
    ids=["send-file", "validate"],
)
def test_forty_columns_are_enough(act: Act) -> None:
    screen = on_screen(act, columns=40)
    assert "\ntotal\n  read " in screen
    whole = (EVIL_SHOWN, "--max-issues", "usage.csv:17: ")  # what is never broken
    long = [line for line in screen.splitlines() if len(line) > 40]
    assert long == [line for line in long if any(word in line for word in whole)]


def test_the_verdict_is_the_last_word_of_a_check() -> None:
    screen = on_screen(validate(validation(issues=[COUNT])))
    assert screen.endswith(" result   invalid: 8 of 10,003 records (8 errors, 2 warnings)\n")
    assert f"\n{EVIL_SHOWN}\n" in screen


def test_send_on_a_terminal_fits_eighty_columns() -> None:
    result = delivered(event_id="0123456789abcdef0123456789abcdef", attempts=3)
    assert on_screen(send(result), environ={"TERM": "xterm"}) == (
        " \x1b[2mdelivered\x1b[0m  \x1b[32m0123456789abcdef0123456789abcdef, HTTP 200,"
        " 3 attempts, 142 ms\x1b[0m\n"
    )


def test_a_dry_run_of_a_file_shows_endpoint_and_indented_bodies() -> None:
    inputs = [InputSummary("usage.csv", Counts(unsent=9))]
    body = json.dumps({"payload": {"user_agent": "x" * 500, "domain": "[/x]"}})
    endpoint = "https://ingest.reo.dev/api"
    dry = Summary(inputs, 0, 0.1, 0.0, dry_run=True, bodies=[body], to_send=9, endpoint=endpoint)
    screen = on_screen(send_file(dry))
    assert " result    dry run: 9 events would be sent, nothing was\n" in screen
    assert " endpoint  https://ingest.reo.dev/api\n bodies    1 of 9\n" in screen
    assert '{\n  "payload": {\n    "user_agent": "xxx' in screen
    assert '    "domain": "[/x]"\n  }\n}\n' in screen


def test_nothing_new_is_said_so(tmp_path: Path) -> None:
    again = summary(inputs=[InputSummary("a.csv", Counts(0, 1))], issues=(), errors=0, warnings=0)
    assert "\nresult: 0 sent now, 1 delivered earlier\n" in piped(send_file(again), tmp_path).out


def test_a_full_disk_does_not_hide_what_was_delivered(tmp_path: Path) -> None:
    script = f"{sys.executable} -m tests.reports.driver"
    for command, done in (("send json", "the event was delivered"), ("send-file text", "9,993 of")):
        run = subprocess.run(
            f"{script} {command} > /dev/full", shell=True, capture_output=True, text=True
        )
        assert run.returncode == 74
        assert f"standard output cannot be written: No space left on device; {done}" in run.stderr


def test_quiet_says_where_the_events_of_a_failing_run_are(tmp_path: Path) -> None:
    seen = piped(send_file(summary(issues=(), errors=0, warnings=0)), tmp_path, quiet=True)
    assert seen.err == (
        "error: not every event was delivered: 7 invalid\n"
        "hint: mend what is in the rejects file, then `reo send-file usage.csv.reo-rejects`\n"
        "events: 10,000 read, 8,993 delivered, 1,000 already delivered, 7 invalid\n"
        "rejects: usage.csv.reo-rejects\n"
    )


def test_records_left_out_and_rolled_up_are_told(tmp_path: Path) -> None:
    inputs = [InputSummary("a.csv", Counts(skipped=4, summed=9))]
    made = RolledUp(6, 2, left_out=3, open_bucket="2026-08-02", differing=["user_agent"])
    sums = {"rolled_up": made, "sums": Counts(2)}
    result = summary(inputs=inputs, issues=(), errors=0, warnings=0, **sums)
    out = piped(send_file(result), tmp_path).out
    assert "result: 2 events delivered\n" in out
    assert (
        "\nrolled up: 6 records gave 2 events: they differ in user_agent; 3 more from 2026-08-02 "
        "on are left out: it is not over\nskipped: 4 records left out\n"
    ) in out

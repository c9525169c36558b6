"""What people are told of results: whole outputs in a pipe, under `-q` and on a terminal."""

import json
from typing import Any

import pytest

from reo_cli.checks.rollup import RolledUp
from reo_cli.checks.validation import FileResult
from reo_cli.delivery.summary import Counts
from reo_cli.errors import ExitCode, ReoError
from reo_cli.records import Issue
from reo_cli.reports.send import SendReport
from reo_cli.reports.validate import ValidateReport
from tests.reports.samples import (
    COUNT,
    EVIL_SHOWN,
    KEY,
    KEY_REFUSED,
    MAILBOX,
    delivered,
    on_screen,
    one_input,
    piped,
    report,
    settled,
    summary,
    validation,
)

TWO = summary(issues=(), errors=0, warnings=0)
MEND = "hint: mend what is in the rejects file, then `reo send-file usage.csv.reo-rejects`\n"


def test_send_file_in_a_pipe() -> None:
    seen = piped(report(summary()))
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
        f"error: not every event was delivered: 7 invalid\n{MEND}"
    )


def test_validate_in_a_pipe() -> None:
    seen = piped(report(validation()))
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


def test_an_input_that_was_not_read_to_its_end() -> None:
    error = ReoError(ExitCode.IO, "changed", "`usage.csv` changed while it was read")
    result = validation(error=error)
    result.files[0].error = error
    seen = piped(report(result))
    assert "usage.csv (not read to its end): " in seen.out
    assert "; 1 file not read to the end\n" in seen.out
    assert (seen.err, seen.code) == ("error: `usage.csv` changed while it was read\n", 74)


BAD_EVENT = [
    Issue("-", 0, 0, "count", "error", '"1,250" is not a whole number', "remove the comma"),
    Issue("-", 0, 0, "domain", "warning", '"gmail.com" is a mailbox provider'),
]
INVALID = ExitCode.INVALID
DRY = {"status": "dry_run", "endpoint": "https://a.dev/api", "http_status": None, "attempts": 0}
SENDS = [
    (
        {"status": "already_delivered", "http_status": None, "attempts": 0},
        "already delivered: event_id 4f1c\n",
        "",
    ),
    (DRY, 'dry run: nothing was sent\nendpoint: https://a.dev/api\n{"payload":{"count":1}}\n', ""),
    (
        {"status": "rejected", "exit_code": INVALID, "http_status": 400},
        "rejected: event_id 4f1c, HTTP 400, 1 attempt, 142 ms\n",
        "error: the event was rejected (HTTP 400)\n",
    ),
    (
        {"status": "invalid", "exit_code": INVALID, "issues": BAD_EVENT},
        "",
        'error: count: "1,250" is not a whole number (remove the comma)\n'
        'warning: domain: "gmail.com" is a mailbox provider\n',
    ),
]


@pytest.mark.parametrize(("changes", "out", "err"), SENDS)
def test_send_in_a_pipe(changes: dict[str, Any], out: str, err: str) -> None:
    assert piped(report(delivered(**changes)))[:2] == (out, err)


MADE = RolledUp(6, 2, left_out=3, open_bucket="2026-08-02", differing=["user_agent"])
FACTS = [
    (one_input(Counts(), attempts=0), "result: no events in the input\nledger: "),
    (
        one_input(Counts(0, 1, skipped=4)),
        "result: 0 sent now, 1 delivered earlier\nskipped: 4 records",
    ),
    (
        validation(files=[FileResult("a.csv", 2)], issues=()),
        "result: valid: 2 events\ncount: 1,234,567 in all valid events\n",
    ),
    (one_input(Counts(summed=9), rolled_up=MADE, sums=Counts(2)), "result: 2 events delivered\n"),
    (
        one_input(Counts(summed=9), rolled_up=MADE, sums=Counts(2)),
        "rolled up: 6 records gave 2 events: they differ in user_agent; 3 more from 2026-08-02 on"
        " are left out: it is not over\n",
    ),
]


@pytest.mark.parametrize(("result", "expected"), FACTS)
def test_what_else_is_worth_knowing_of_a_run(result: Any, expected: str) -> None:
    seen = piped(report(result))
    assert f"\n{expected}" in seen.out
    assert seen.code == 0


def test_a_stopped_run_names_the_command_that_goes_on() -> None:
    error = ReoError(ExitCode.INTERRUPTED, "interrupted", "interrupted by Ctrl-C")
    stopped = summary(error=error, resume="reo send-file usage.csv")
    seen = piped(report(stopped, max_issues=0))
    assert seen.err == (
        "2 issues not shown (`--max-issues 2` shows all)\n"
        f"error: interrupted by Ctrl-C\nhint: to go on, `reo send-file usage.csv`\n{MEND}"
    )
    assert seen.code == 130


FORGIVEN = one_input(Counts(1, errored=2), allow_failure=True)
QUIET = [
    (one_input(), ""),
    (
        FORGIVEN,  # still loud
        "error: not every event was delivered: 2 errored\n"
        "events: 3 read, 1 delivered, 2 errored\n"
        "warning: `--allow-failure` turns exit code 69 into 0\n",
    ),
    (
        TWO,
        f"error: not every event was delivered: 7 invalid\n{MEND}"
        "events: 10,000 read, 8,993 delivered, 1,000 already delivered, 7 invalid\n"
        "rejects: usage.csv.reo-rejects\n",
    ),
]


@pytest.mark.parametrize(("result", "err"), QUIET)
def test_quiet_leaves_what_is_wrong_and_where_the_events_are(result: Any, err: str) -> None:
    assert piped(report(result), quiet=True)[:2] == ("", err)


@pytest.mark.parametrize("output", [None, "table", "text"])
@pytest.mark.parametrize("result", [summary(), validation(issues=[MAILBOX, COUNT])])
def test_quiet_drops_warnings(result: Any, output: str | None) -> None:
    for told in ([], [MAILBOX, COUNT]):
        seen = piped(report(result, output, told), quiet=True)
        assert seen.out == ""
        assert seen.err.startswith('usage.csv:17: count: "1,250"')
        assert "warning" not in seen.err


def test_records_the_api_did_not_take_are_named() -> None:
    rejected = settled("rejected", reason="HTTP 400: \x1bno such product")
    seen = piped(report(one_input(), told=[settled(), rejected, settled("unsent")]))
    assert seen.err == "usage.csv:2: rejected: HTTP 400: \\x1bno such product\n"


def test_the_key_is_masked_also_where_a_text_is_cut() -> None:
    long = Issue("usage.csv", 1, 1, "", "error", "x" * 19_990 + KEY)
    assert KEY[:6] not in piped(report(validation(issues=[long]))).out
    error = ReoError(ExitCode.CONFIG, "key", "x" * 1_990 + KEY)
    assert KEY[:6] not in on_screen(lambda s, t: SendReport(None, s, t).failed(error))


def test_a_failure_before_any_result_prints_nothing_but_the_error() -> None:
    seen = piped(lambda s, t: ValidateReport(None, s, t).failed(KEY_REFUSED))
    assert seen[:2] == ("", "error: the API refused the key\nhint: get one\n")


def test_a_table_that_was_asked_for_in_a_pipe_has_no_colour() -> None:
    environ = {"TERM": "xterm-256color", "FORCE_COLOR": "1", "COLUMNS": "200"}
    seen = piped(report(validation(), "table"), environ)
    assert "─────" in seen.out
    assert "\x1b" not in seen.out


def test_send_file_on_a_terminal() -> None:
    assert on_screen(report(TWO)) == (
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


def test_a_run_that_dies_at_once_tells_the_error_first() -> None:
    resume = "reo send-file usage.csv -p reoWebApp"
    assert on_screen(report(one_input(Counts(unsent=9), error=KEY_REFUSED, resume=resume))) == (
        "error: the API refused the key\nhint: get one\n"
        "hint: then, to go on:\n  reo send-file usage.csv -p reoWebApp\n"
        " events  9 read, 9 unsent\n"
    )


@pytest.mark.parametrize("result", [TWO, validation(issues=[COUNT])], ids=["send-file", "validate"])
def test_forty_columns_are_enough(result: Any) -> None:
    screen = on_screen(report(result), columns=40)
    assert "\ntotal\n  read " in screen
    whole = (EVIL_SHOWN, "--max-issues", "usage.csv:17: ")  # what is never broken
    long = [line for line in screen.splitlines() if len(line) > 40]
    assert long == [line for line in long if any(word in line for word in whole)]


def test_the_verdict_is_the_last_word_of_a_check() -> None:
    screen = on_screen(report(validation(issues=[COUNT])))
    assert screen.endswith(" result   invalid: 8 of 10,003 records (8 errors, 2 warnings)\n")
    assert f"\n{EVIL_SHOWN}\n" in screen


def test_send_on_a_terminal_fits_eighty_columns() -> None:
    result = delivered(event_id="0123456789abcdef0123456789abcdef", attempts=3)
    assert on_screen(report(result), environ={"TERM": "xterm"}) == (
        " \x1b[2mdelivered\x1b[0m  \x1b[32m0123456789abcdef0123456789abcdef, HTTP 200,"
        " 3 attempts, 142 ms\x1b[0m\n"
    )


def test_a_dry_run_of_a_file_on_a_terminal_indents_its_bodies() -> None:
    bodies = [json.dumps({"payload": {"domain": "[/x]"}})]
    dry = one_input(Counts(unsent=9), attempts=0, dry_run=True, bodies=bodies, to_send=9)
    screen = on_screen(report(dry))
    assert " result    dry run: 9 events would be sent, nothing was\n" in screen
    assert '{\n  "payload": {\n    "domain": "[/x]"\n  }\n}\n' in screen

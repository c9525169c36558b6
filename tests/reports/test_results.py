"""What people are told of results: whole outputs in a pipe, under `-q` and on a terminal."""

from dataclasses import replace
from typing import Any

import pytest

from reo_cli.checks.rollup import RolledUp
from reo_cli.checks.validation import FileResult
from reo_cli.cli.help import FOLDER, titles
from reo_cli.delivery.summary import Counts
from reo_cli.errors import ExitCode, ReoError
from reo_cli.records import Issue
from reo_cli.reports import Streams, Talk
from reo_cli.reports.send import SendReport
from reo_cli.reports.terminal import topic_lines
from reo_cli.reports.words import duration, instant, rate
from tests.reports.samples import (
    COUNT,
    DELIVERED,
    EVIL_SHOWN,
    KEY,
    KEY_REFUSED,
    MAILBOX,
    SETTLED,
    SUMMARY,
    VALIDATION,
    on_screen,
    one_input,
    piped,
    report,
)

XTERM = {"TERM": "xterm"}
TWO = replace(SUMMARY, issues=())
MEND = "hint: mend what is in the rejects file, then `reo send-file usage.csv.reo-rejects`\n"
ROLLED_UP = RolledUp(6, 2, left_out=3, open_bucket="2026-08-02", differing=["user_agent"])
CHANGED = ReoError(ExitCode.IO, "changed", "`usage.csv` changed while it was read")
STOPPED = ReoError(ExitCode.INTERRUPTED, "interrupted", "interrupted by Ctrl-C")


FACTS: list[tuple[Any, str, int]] = [
    (
        TWO,
        "more.ndjson: 1,000 read, 0 delivered, 1,000 already delivered, 0 invalid, 0 rejected,"
        " 0 errored, 0 unsent\n"
        "total: 10,000 read, 8,993 delivered, 1,000 already delivered, 7 invalid, 0 rejected,"
        " 0 errored, 0 unsent\n"
        "result: 9,993 of 10,000 events delivered, 1,000 of them earlier\n"
        "time: 12.3 s, 9,011 requests, 812 events a second\n"
        "ledger: /var/ledger.sqlite3 (new), 8,993 events\nrejects: usage.csv.reo-rejects\n",
        1,
    ),
    (
        VALIDATION,
        f"{EVIL_SHOWN}: 3 read, 2 valid, 1 invalid, 1 error, 0 warnings\n"
        "total: 10,003 read, 9,995 valid, 8 invalid, 8 errors, 2 warnings\n"
        "result: invalid: 8 of 10,003 records\ncount: 1,234,567 in all valid events\n"
        "domains: 12,345+ different\nIPs: 34 different\n"
        "time: 2026-11-01 00:00 UTC to 2026-11-04 00:00 UTC\n",
        65,
    ),
    (one_input(Counts(), attempts=0), "result: no events in the input\nledger: ", 0),
    (
        one_input(Counts(summed=9), rolled_up=ROLLED_UP, sums=Counts(2)),
        "result: 2 events delivered\nrolled up: 6 records gave 2 events: they differ in user_agent;"
        " 3 more from 2026-08-02 on are left out: it is not over\n",
        0,
    ),
    (
        VALIDATION._replace(rolled_up=ROLLED_UP._replace(records=1, events=1, left_out=0)),
        "rolled up: 1 record gave 1 event: they differ in user_agent\n",
        65,
    ),
    (
        replace(DELIVERED, status="rejected", exit_code=ExitCode.DATA, http_status=400),
        "rejected: event_id 4f1c, HTTP 400, 1 attempt, 142 ms\n",
        1,
    ),
    (
        VALIDATION._replace(files=[FileResult("a.csv", 2)], error=STOPPED),
        "result: not finished\n",
        130,
    ),
]


@pytest.mark.parametrize(("result", "expected", "code"), FACTS)
def test_what_else_is_worth_knowing(result: Any, expected: str, code: int) -> None:
    seen = piped(report(result))
    assert f"\n{expected}" in f"\n{seen.out}"
    assert seen.code == code


def test_an_input_that_was_not_read_to_its_end() -> None:
    file = FileResult("usage.csv", 10, 1, 1)
    file.error = CHANGED
    seen = piped(report(VALIDATION._replace(files=[file], issues=(), error=CHANGED)))
    assert "usage.csv (not read to its end): 10 read" in seen.out
    assert "result: invalid: 1 of 10 records; 1 file not read to the end\n" in seen.out
    assert seen[1:] == ("error: `usage.csv` changed while it was read\n", 74)


FORGIVEN = one_input(Counts(1, errored=2), allow_failure=True)
REJECTED = SETTLED._replace(outcome="rejected", reason="HTTP 400: \x1bno such product")
TALK: list[tuple[Any, str]] = [
    (
        report(replace(SUMMARY, error=STOPPED, resume="reo send-file usage.csv"), max_issues=0),
        "2 issues not shown (`--max-issues 2` shows all)\n"
        f"error: interrupted by Ctrl-C\nhint: to go on, `reo send-file usage.csv`\n{MEND}",
    ),
    (
        report(one_input(), told=[SETTLED, REJECTED, SETTLED._replace(outcome="unsent")]),
        "usage.csv:2: rejected: HTTP 400: \\x1bno such product\n",
    ),
]


@pytest.mark.parametrize(("act", "err"), TALK)
def test_what_is_said_beside_the_result(act: Any, err: str) -> None:
    assert piped(act).err == err


QUIET: list[tuple[Any, str]] = [
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


@pytest.mark.parametrize("output", [None, "table"])
@pytest.mark.parametrize("result", [SUMMARY, VALIDATION._replace(issues=[MAILBOX, COUNT])])
def test_quiet_drops_warnings(result: Any, output: str | None) -> None:
    seen = piped(report(result, output), quiet=True)
    assert seen.out == ""
    assert seen.err.startswith('usage.csv:17: count: "1,250"')
    assert "warning" not in seen.err


def test_the_key_is_masked_also_where_a_text_is_cut() -> None:
    long = Issue("usage.csv", 1, 1, "", "error", "x" * 19_990 + KEY)
    assert KEY[:6] not in piped(report(VALIDATION._replace(issues=[long]))).out
    error = ReoError(ExitCode.CONFIG, "key", "x" * 1_990 + KEY)
    assert KEY[:6] not in on_screen(lambda s, t: SendReport(None, s, t).failed(error))


def test_a_table_that_was_asked_for_in_a_pipe_has_no_colour() -> None:
    environ = {"TERM": "xterm-256color", "FORCE_COLOR": "1", "COLUMNS": "200"}
    seen = piped(report(VALIDATION, "table"), environ)
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


def test_the_numbers_of_a_table_have_colours_and_a_zero_is_no_news() -> None:
    row = next(line for line in on_screen(report(TWO), 80, XTERM).splitlines() if "more." in line)
    assert row.split() == ["more.ndjson", "1,000", "\x1b[2m0\x1b[0m", "1,000", "\x1b[2m0\x1b[0m"]
    assert " \x1b[32m8,993\x1b[0m " in on_screen(report(TWO), 80, XTERM)


def test_a_run_that_dies_at_once_tells_the_error_first() -> None:
    resume = "reo send-file usage.csv -p reoWebApp"
    died = one_input(Counts(unsent=9), errors=0, error=KEY_REFUSED, resume=resume)
    assert on_screen(report(died)) == (
        "error: the API refused the key\nhint: get one\n"
        "hint: then, to go on:\n  reo send-file usage.csv -p reoWebApp\n"
        " events  9 read, 9 unsent\n"
    )


def test_an_error_about_issues_stands_below_them() -> None:
    lines = on_screen(report(one_input(Counts(), error=KEY_REFUSED))).splitlines()
    assert lines[0] == " result  nothing was sent"
    assert lines[-2:] == ["error: the API refused the key", "hint: get one"]


@pytest.mark.parametrize("result", [TWO, VALIDATION._replace(issues=[COUNT])])
def test_forty_columns_are_enough(result: Any) -> None:
    screen = on_screen(report(result), columns=40)
    assert "\ntotal\n  read " in screen
    whole = (EVIL_SHOWN, "usage.csv:17: ")  # what is never broken
    long = [line for line in screen.splitlines() if len(line) > 40]
    assert long == [line for line in long if any(word in line for word in whole)]


def test_the_verdict_is_the_last_word_of_a_check() -> None:
    screen = on_screen(report(VALIDATION))
    assert screen.endswith(" result   invalid: 8 of 10,003 records (8 errors, 2 warnings)\n")
    assert f"\n{EVIL_SHOWN}\n" in screen


def test_send_on_a_terminal_fits_eighty_columns() -> None:
    result = replace(DELIVERED, event_id="0123456789abcdef0123456789abcdef", attempts=3)
    assert on_screen(report(result), environ=XTERM) == (
        " \x1b[2mdelivered\x1b[0m  \x1b[32m0123456789abcdef0123456789abcdef, HTTP 200,"
        " 3 attempts, 142 ms\x1b[0m\n"
    )


def everything(_: Streams, talk: Talk) -> None:
    talk.error(ReoError(ExitCode.CONFIG, "no_key", f"no key [/x] \x1b {KEY}", "set\none"))
    talk.warning("careful")
    talk.warning("very careful", loud=True)
    talk.hint("try")
    talk.note("by the way")
    talk.verbose("attempt 1: HTTP 503")


def test_talk_in_a_pipe_and_on_a_terminal() -> None:
    error = "error: no key [/x] \\x1b ****\nhint: set\\none\n"
    rest = "warning: careful\nwarning: very careful\nhint: try\nby the way\n"
    assert piped(everything).err == error + rest
    assert piped(everything, verbose=True).err == f"{error}{rest}attempt 1: HTTP 503\n"
    assert piped(everything, quiet=True, verbose=True).err == f"{error}warning: very careful\n"
    assert on_screen(everything, environ=XTERM) == (
        "\x1b[1;31merror:\x1b[0m no key [/x] \\x1b ****\n\x1b[36mhint:\x1b[0m set\\none\n"
        "\x1b[33mwarning:\x1b[0m careful\n\x1b[33mwarning:\x1b[0m very careful\n"
        "\x1b[36mhint:\x1b[0m try\nby the way\n"
    )


@pytest.mark.parametrize("topic", titles())
def test_a_topic_of_help_is_its_file_in_a_pipe_and_a_page_on_a_terminal(topic: str) -> None:
    source = (FOLDER / f"{topic}.md").read_text("utf-8")
    text = piped(lambda s, _: s.out.lines(*topic_lines(source, s.out))).out
    kept = [line for line in source.splitlines() if not line.startswith("<!--")]
    assert text.splitlines() == kept
    screen = on_screen(lambda s, _: s.out.lines(*topic_lines(source, s.out)))
    assert titles()[topic] in screen
    assert "**" not in screen
    assert "\x1b" not in screen
    assert max(map(len, screen.splitlines())) <= 80


def test_a_page_has_colour_where_there_is_colour() -> None:
    page = on_screen(lambda s, _: s.out.lines(*topic_lines("use `--x`", s.out)), environ=XTERM)
    assert "\x1b[36m--x\x1b[0m" in page


def test_times_and_rates() -> None:
    seconds = [-1.0, 0.42, 12.34, 59.94, 59.96, 125.4, 3599.6, 4_000_000.0]
    assert list(map(duration, seconds)) == [
        *("0.00 s", "0.42 s", "12.3 s", "59.9 s", "1 min 0 s", "2 min 5 s", "1 h 0 min"),
        "1,111 h 6 min",
    ]
    assert list(map(instant, [0, 1_793_491_199, 253_402_300_800, 10**30])) == [
        *("1970-01-01 00:00 UTC", "2026-10-31 23:59 UTC", "10000-01-01 00:00 UTC"),
        str(10**30),
    ]
    assert (rate(9.87), rate(1234.5)) == ("9.9 events a second", "1,234 events a second")

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reo_cli.records import Issue
from reo_cli.reports import Streams
from reo_cli.reports.issues import IssueLines, in_context, more_issues
from tests.reports.samples import (
    COUNT,
    HOSTILE,
    MAILBOX,
    on_screen,
    one_input,
    piped,
    report,
    settled,
    validation,
)


def issues(severities: str) -> list[Issue]:
    """Issues of the lines from 1 on: `e` is an error, `w` a warning."""
    names: Any = {"e": "error", "w": "warning"}
    return [Issue("a.csv", n, n, "", names[s], s) for n, s in enumerate(severities, 1)]


@pytest.mark.parametrize(
    ("limit", "streamed", "kept", "totals", "expected"),
    [
        (100, "", "ewe", (2, 1), "e w e"),
        (100, "ewe", "ewe", (2, 1), "e w e"),
        (4, "wwwwee", "wwww", (2, 4), "w w e e … and 2 more issues (`--max-issues 6` shows all)"),
        (4, "wwww", "wwww", (0, 4), "w w w w"),
        (2, "", "ee", (5, 0), "e e … and 3 more issues (`--max-issues 5` shows all)"),
        (0, "ee", "", (2, 0), "2 issues not shown (`--max-issues 2` shows all)"),
        (1, "", "e", (1, 1), "e … and 1 more issue (`--max-issues 2` shows all)"),
        (9, "", "", (0, 0), ""),
    ],
)
def test_a_bounded_number_of_issues_and_the_count_of_the_others(
    limit: int, streamed: str, kept: str, totals: tuple[int, int], expected: str
) -> None:
    def act(streams: Streams, _: object) -> None:
        lines = IssueLines(streams.out, limit)
        for each in issues(streamed):
            lines.issue(each)
        lines.finish(issues(kept), totals, 0)

    lines = piped(act).out.splitlines()
    shown = [line[-1] if line.startswith("a.csv") else line for line in lines]
    assert " ".join(shown) == expected


def test_large_numbers_have_separators() -> None:
    assert more_issues(1234, 100) == "… and 1,234 more issues (`--max-issues 1334` shows all)"


def issue(message: str, field: str = "count") -> Issue:
    return Issue("a.csv", 1, 1, field, "error", message)


CONTEXT = [
    ('"1,250" is bad', '2026;"1,250";US', ('2026;"', "1,250", '";US')),
    ('"12" is bad', "12;3", ("", "12", ";3")),
    ('"1" is bad', "2021-11;1;US", ("2021-11;", "1", ";US")),
    ("is missing", "2021-11;1;US", ("", "", "2021-11;1;US")),
    ('"7" is bad', "7;7;US", ("", "", "7;7;US")),
    ('"nowhere" is bad', "7;7;US", ("", "", "7;7;US")),
    ("`7` is bad", '{"id": 7, "count": 7}', ('{"id": 7, "count": ', "7", "}")),
    ('"7" is bad', '{\n "id": 7,\n  "count": "7"\n}', ('"count": "', "7", '"')),
]


@pytest.mark.parametrize(("message", "excerpt", "expected"), CONTEXT)
def test_the_value_is_found_where_it_can_be_told(
    message: str, excerpt: str, expected: tuple[str, str, str]
) -> None:
    assert in_context(excerpt, issue(message), 60) == expected


def test_a_long_line_is_cut_around_the_value() -> None:
    before, value, after = in_context("a" * 500 + ";oops;" + "b" * 500, issue('"oops" is bad'), 40)
    assert value == "oops"
    assert before.startswith("…a")
    assert after.endswith("b…")
    assert len(before + value + after) <= 42


@given(st.text(), st.text(min_size=1), st.integers(10, 100))
def test_any_excerpt_gives_a_part_of_bounded_length(text: str, value: str, room: int) -> None:
    parts = in_context(f"{text} {value} {text}", issue(f'"{value}" is bad'), room)
    assert sum(map(len, parts)) <= room + 8


def thousands(line: int, **changes: Any) -> Issue:
    found = Issue(
        "usage.csv",
        line,
        line - 1,
        "count",
        "error",
        f'"{line},250" is not a whole number',
        "these are thousands: `reo send-file usage.csv -p reoWebApp --thousands ,`",
        f'acme.com;"{line},250";US',
        "thousands",
    )
    return found._replace(**changes)


def screen(found: list[Issue], limit: int = 100, columns: int = 80) -> str:
    """What a terminal shows of issues that were found one by one."""
    result = validation(files=(), issues=found[:limit])
    return on_screen(report(result, told=found, max_issues=limit), columns)


def test_issues_of_one_kind_are_one_entry() -> None:
    assert screen([thousands(line) for line in range(2, 20_002)]) == (
        'usage.csv:2: acme.com;"2,250";US\n'
        '  error: count: "2,250" is not a whole number\n'
        '    20,000 times: lines 2, 3, 4, 5, 6 … 20001; also "3,250", "4,250"\n'
        "  hint: these are thousands:\n"
        "    reo send-file usage.csv -p reoWebApp --thousands ,\n"
        "\n"
    )


def test_a_command_without_quotes_is_for_pasting_too() -> None:
    hint = "put in your PRODUCT_ID and try: reo validate a.csv -p PRODUCT_ID --ignore 'a b'"
    found = Issue("a.csv", 1, 0, "", "error", "the header is odd", hint)
    assert screen([found], columns=50).endswith(
        "  hint: put in your PRODUCT_ID and try:\n"
        "    reo validate a.csv -p PRODUCT_ID --ignore 'a b'\n\n"
    )


DIFFERENT = [
    ({"severity": "warning"}, True),
    ({"field": "domain"}, True),
    ({"file": "b.csv"}, True),
    ({"code": "other"}, True),
    ({"hint": "round it"}, True),
    ({"hint": "these are thousands: `reo send-file usage.csv -p reoWebApp --thousands .`"}, True),
    ({"message": '"x" is odd'}, False),
]


@pytest.mark.parametrize(("changes", "apart"), DIFFERENT)
def test_what_makes_a_kind(changes: dict[str, Any], apart: bool) -> None:
    text = screen([thousands(2), thousands(3, **changes)])
    assert ("2 times" not in text) is apart


def test_lines_are_named_in_order_whatever_the_order_of_answers() -> None:
    assert "lines 2, 3, 4, 5, 6 … 9" in screen([thousands(n) for n in (4, 2, 9, 6, 3, 5)])


def test_the_values_in_a_hint_make_no_kind() -> None:
    found = [thousands(n, message=f'"x{n}" is a URL', hint=f"write x{n}.com") for n in (1, 2)]
    assert "2 times: lines 1, 2" in screen(found)


def test_warnings_come_first_and_a_record_has_one_head() -> None:
    both = thousands(17, field="domain", message="is missing", hint="", code="missing")
    lines = screen([thousands(17), both, MAILBOX]).splitlines()
    assert [line.strip()[:14] for line in lines] == [
        "usage.csv:20:",
        "warning: domai",
        "",
        "usage.csv:17: ",
        "error: count: ",
        "hint: these ar",
        "reo send-file ",
        "error: domain:",
        "",
    ]


def test_errors_have_the_room_and_the_rest_is_counted() -> None:
    text = screen([MAILBOX, thousands(2), thousands(3)], limit=1)
    assert "warning" not in text
    assert text.endswith("… and 1 more issue (`--max-issues 3` shows all)\n")


def test_records_the_api_did_not_take_are_entries_too() -> None:
    told = 3 * [settled("rejected", reason="HTTP 400: no such product")]
    text = on_screen(report(one_input(), told=told))
    assert "  error: rejected: HTTP 400: no such product\n    3 times: line 2\n" in text


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_no_word_and_no_command_is_broken(columns: int) -> None:
    text = screen([thousands(2), COUNT, HOSTILE], columns=columns)
    assert "\n    reo send-file usage.csv -p reoWebApp --thousands ,\n" in text
    words = {word for line in text.splitlines() for word in line.split()}
    assert {"thousands:", '"1,250"', "number"} <= words


def test_the_value_is_marked_in_its_context() -> None:
    shown = on_screen(report(validation()), environ={"TERM": "xterm"})
    assert ';"\x1b[0m\x1b[1;4m1,250\x1b[0m\x1b[2m";US' in shown

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reo_cli.records import Issue
from reo_cli.reports.issues import in_context
from tests.reports.samples import (
    COUNT,
    HOSTILE,
    MAILBOX,
    SETTLED,
    VALIDATION,
    on_screen,
    one_input,
    piped,
    report,
)


def shown(issues: Sequence[Issue], limit: int = 100, columns: int = 0) -> str:
    """What a pipe, or a terminal of so many `columns`, shows of issues found one by one."""
    act = report(VALIDATION._replace(files=(), issues=issues), max_issues=limit)
    return on_screen(act, columns) if columns else piped(act).out


@pytest.mark.parametrize(
    ("limit", "found", "expected"),
    [
        (100, "ewe", "e w e"),
        (4, "wwwwee", "w w e e … and 2 more issues (`--max-issues 6` shows all)"),
        (4, "wwww", "w w w w"),
        (1, "ew", "e … and 1 more issue (`--max-issues 2` shows all)"),
        (0, "ee", "2 issues not shown (`--max-issues 2` shows all)"),
        (100, "e" * 1334, f"{'e ' * 100}… and 1,234 more issues (`--max-issues 1334` shows all)"),
        (9, "", ""),
    ],
)
def test_a_bounded_number_of_issues_and_the_count_of_the_others(
    limit: int, found: str, expected: str
) -> None:
    names: Any = {"e": "error", "w": "warning"}
    issues = [Issue("a.csv", n, n, "", names[s], s) for n, s in enumerate(found, 1)]
    lines = shown(issues, limit).splitlines()
    assert " ".join(line[-1] if line[0] == "a" else line for line in lines) == expected


CONTEXT = [
    ('"1,250" is bad', '2026;"1,250";US', ('2026;"', "1,250", '";US')),
    ('"12" is bad', "12;3", ("", "12", ";3")),
    ('"1" is bad', "2021-11;1;US", ("2021-11;", "1", ";US")),
    ("is missing", "2021-11;1;US", ("", "", "2021-11;1;US")),
    ('"7" is bad', "7;7;US", ("", "", "7;7;US")),
    ('"nowhere" is bad', "7;7;US", ("", "", "7;7;US")),
    ("`7` is bad", '{"id": 7, "count": 7}', ('{"id": 7, "count": ', "7", "}")),
    ('"7" is bad', '{\n "id": 7,\n  "count": "7"\n}', ('"count": "', "7", '"')),
    (
        '"oops" is bad',  # a long line is cut around the value
        f"{'a' * 99};oops;{'b' * 99}",
        (f"…{'a' * 27};", "oops", f";{'b' * 26}…"),
    ),
]


@pytest.mark.parametrize(("message", "excerpt", "expected"), CONTEXT)
def test_the_value_is_found_where_it_can_be_told(
    message: str, excerpt: str, expected: tuple[str, str, str]
) -> None:
    assert in_context(excerpt, Issue("a.csv", 1, 1, "count", "error", message), 60) == expected


@given(st.text(), st.text(min_size=1), st.integers(10, 100))
def test_any_excerpt_gives_a_part_of_bounded_length(text: str, value: str, room: int) -> None:
    issue = Issue("a.csv", 1, 1, "count", "error", f'"{value}" is bad')
    assert sum(map(len, in_context(f"{text} {value} {text}", issue, room))) <= room + 8


def thousands(line: int, **changes: Any) -> Issue:
    found = Issue(
        *("usage.csv", line, line - 1, "count", "error"),
        message=f'"{line},250" is not a whole number',
        hint="these are thousands: `reo send-file usage.csv -p reoWebApp --thousands ,`",
        excerpt=f'acme.com;"{line},250";US',
        code="thousands",
    )
    return found._replace(**changes)


def test_issues_of_one_kind_are_one_entry() -> None:
    assert shown([thousands(line) for line in range(2, 20_002)], columns=80) == (
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
    assert shown([found], columns=50).endswith(
        "  hint: put in your PRODUCT_ID and try:\n"
        "    reo validate a.csv -p PRODUCT_ID --ignore 'a b'\n\n"
    )


KINDS: list[tuple[dict[str, Any], bool]] = [
    ({"severity": "warning"}, True),
    ({"field": "domain"}, True),
    ({"file": "b.csv"}, True),
    ({"code": "other"}, True),
    ({"hint": "round it"}, True),
    ({"hint": "these are thousands: `reo send-file usage.csv -p reoWebApp --thousands .`"}, True),
    ({"message": '"x" is odd'}, False),
    ({"hint": thousands(3).hint.replace("usage", "x3")}, False),  # its values make no kind
]


@pytest.mark.parametrize(("changes", "apart"), KINDS)
def test_what_makes_a_kind(changes: dict[str, Any], apart: bool) -> None:
    text = shown([thousands(2), thousands(3, **changes)], columns=80)
    assert ("2 times" not in text) is apart


def test_the_hint_is_that_of_the_options_that_mend_them_all() -> None:
    day, month = ("--date-format", "day-first"), ("--date-format", "month-first")
    either = thousands(2, hint="add one of two", options=(day, month))
    one = thousands(3, hint="add day-first", options=(day,))
    for found in ([either, one], [one, either]):
        text = shown(found, columns=80)
        assert "2 times: lines 2, 3" in text
        assert "  hint: add day-first\n" in text


def test_lines_are_named_in_order_whatever_the_order_of_answers() -> None:
    found = [thousands(n) for n in (4, 2, 9, 6, 3, 5)]
    assert "6 times: lines 2, 3, 4, 5, 6 … 9;" in shown(found, columns=80)


def test_what_has_no_line_is_only_counted() -> None:
    assert "\n  2 times\n" in shown(2 * [Issue("", 0, 0, "", "error", "odd")], columns=80)


def test_warnings_come_first_and_a_record_has_one_head() -> None:
    both = thousands(17, field="domain", message="is missing", hint="", code="missing")
    lines = shown([thousands(17), both, MAILBOX], columns=80).splitlines()
    assert [line.strip()[:14] for line in lines] == [
        *("usage.csv:20:", "warning: domai", ""),
        *("usage.csv:17: ", "error: count: ", "hint: these ar", "reo send-file ", "error: domain:"),
        "",
    ]


def test_errors_have_the_room_and_the_rest_is_counted() -> None:
    text = shown([MAILBOX, thousands(2), thousands(3)], 1, columns=80)
    assert "warning" not in text
    assert text.endswith("… and 1 more issue (`--max-issues 3` shows all)\n")


def test_records_the_api_did_not_take_are_entries_too() -> None:
    told = 3 * [SETTLED._replace(outcome="rejected", reason="HTTP 400: no such product")]
    text = on_screen(report(one_input(), told=told))
    assert "  error: rejected: HTTP 400: no such product\n    3 times: line 2\n" in text


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_no_word_and_no_command_is_broken(columns: int) -> None:
    text = shown([thousands(2), COUNT, HOSTILE], columns=columns)
    assert "\n    reo send-file usage.csv -p reoWebApp --thousands ,\n" in text
    words = {word for line in text.splitlines() for word in line.split()}
    assert {"thousands:", '"1,250"', "number"} <= words


def test_the_value_is_marked_in_its_context() -> None:
    text = on_screen(report(VALIDATION), environ={"TERM": "xterm"})
    assert ';"\x1b[0m\x1b[1;4m1,250\x1b[0m\x1b[2m";US' in text

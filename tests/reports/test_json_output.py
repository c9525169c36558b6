import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reo_cli.errors import ExitCode, ReoError
from reo_cli.records import Issue
from reo_cli.reports import Report
from reo_cli.reports.json_output import issue_shape, json_line
from reo_cli.reports.send import SendReport
from reo_cli.reports.send_file import SendFileReport
from reo_cli.reports.validate import ValidateReport
from reo_cli.text import MASKED, Mask
from tests.reports.samples import (
    COUNT,
    DELIVERED,
    EVIL,
    HOSTILE,
    KEY,
    KEY_REFUSED,
    SETTLED,
    SUMMARY,
    VALIDATION,
    on_screen,
    one_input,
    piped,
    report,
)


def lines_of(result: Any, output: str = "ndjson", told: Any = ()) -> Any:
    return [json.loads(line) for line in piped(report(result, output, told)).out.splitlines()]


def test_the_one_line_of_send_is_its_ndjson_too() -> None:
    (line,) = lines_of(DELIVERED)
    assert (line["schema"], line["response"]) == ("reo.send/1", {"status": "success"})


def test_an_invalid_event_names_its_first_issue() -> None:
    bad = replace(DELIVERED, status="invalid", exit_code=ExitCode.INVALID, issues=[COUNT, HOSTILE])
    (line,) = lines_of(bad)
    assert line["error"] == {
        "exit_code": 65,
        "reason": "invalid",
        "message": 'count: "1,250" is not a whole number (and 1 more error)',
        "hint": "remove the comma: 1250",
    }


def test_the_line_of_send_file() -> None:
    (line,) = lines_of(SUMMARY, "json")
    assert (line["status"], line["exit_code"], line["elapsed_s"]) == ("partial", 1, 12.346)
    ends = "delivered already_delivered invalid rejected errored unsent".split()
    assert line["read"] == sum(line[end] for end in ends) == 10_000
    assert [each["rejects_file"] for each in line["inputs"]] == ["usage.csv.reo-rejects", None]
    assert line["ledger"] == {"path": "/var/ledger.sqlite3", "created": True, "events": 8993}
    issue = "file line record field severity message hint code"
    assert list(line["issues"][0]) == issue.split()
    assert line["error"]["message"] == "not every event was delivered: 7 invalid"
    assert line["error"]["hint"].endswith("`reo send-file usage.csv.reo-rejects`")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", line["started_at"])


def test_the_lines_of_validate() -> None:
    *issues, last = lines_of(VALIDATION)
    (line,) = lines_of(VALIDATION, "json")
    assert line | {"started_at": ""} == last["summary"] | {"started_at": ""}
    assert (issues, issues[2]["file"]) == (line["issues"], EVIL)
    assert (line["read"], line["valid"], line["invalid"], line["warnings"]) == (10003, 9995, 8, 2)
    totals = line["totals"]
    assert (totals["domains"], totals["domains_estimated"]) == (12_345, True)
    assert (totals["ips"], totals["ips_estimated"]) == (34, False)


def test_ndjson_is_a_line_a_record_and_then_the_summary() -> None:
    rejected = SETTLED._replace(outcome="rejected", http_status=400, reason="HTTP 400")
    dry = SETTLED._replace(outcome="unsent", body='{"payload":{"count":1}}')
    *records, last = lines_of(one_input(), told=[SETTLED, rejected, dry])
    keys = "file line record status event_id http_status attempts reason".split()
    assert [list(line) for line in records] == [keys, keys, [*keys, "payload"]]
    assert (records[1]["reason"], records[2]["payload"]) == ("HTTP 400", {"count": 1})
    assert {name: value["schema"] for name, value in last.items()} == {"summary": "reo.send-file/1"}


@pytest.mark.parametrize("output", ["json", "ndjson"])
def test_a_terminal_gets_the_same_line_as_a_pipe(output: str) -> None:
    act = report(VALIDATION, output)
    assert on_screen(act, columns=40, environ={"TERM": "xterm"}) == piped(act).out


REPORTS: list[tuple[type[Report[Any]], Any]] = [
    (SendReport, DELIVERED),
    (SendFileReport, SUMMARY),
    (ValidateReport, VALIDATION),
]


@pytest.mark.parametrize("output", ["json", "ndjson"])
@pytest.mark.parametrize(("kind", "whole"), REPORTS)
def test_a_failure_before_any_event_is_one_line_with_every_key(
    kind: type[Report[Any]], whole: Any, output: Any
) -> None:
    seen = piped(lambda s, t: kind(output, s, t).failed(KEY_REFUSED), quiet=True)
    line = json.loads(seen.out)
    line = line.get("summary", line)
    assert list(line) == list(lines_of(whole, "json")[0])
    assert (line["exit_code"], line["error"]["reason"]) == (77, "key_refused")
    assert line.get("read", 0) == 0
    assert seen[1:] == ("error: the API refused the key\nhint: get one\n", 77)


def test_send_that_failed_on_its_data_is_invalid() -> None:
    error = ReoError(ExitCode.INVALID, "json", "two values")
    seen = piped(lambda s, t: SendReport("json", s, t).failed(error))
    assert json.loads(seen.out)["status"] == "invalid"


def test_the_key_is_masked_in_values_and_the_line_stays_json() -> None:
    (line,) = lines_of(replace(DELIVERED, response={"echo": [f"your {KEY}"], KEY: 1}))
    assert line["response"] == {"echo": [f"your {MASKED}"], MASKED: 1}
    text = json_line({"a": [{"b": 'x": [{"y'}]}, Mask('": [{"'))
    assert json.loads(text) == {"a": [{"b": "x****y"}]}


def test_a_path_is_text_and_anything_else_a_bug() -> None:
    assert json_line({"a": Path("x")}, Mask()) == '{"a": "x"}\n'
    with pytest.raises(TypeError):
        json_line({"a": object()}, Mask())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(JSON)
@example([float("nan"), {"a": float("-inf")}])
def test_any_value_is_one_ascii_line_of_strict_json(value: object) -> None:
    line = json_line({"value": value}, Mask())
    assert line.isascii()
    assert line.count("\n") == 1
    assert "##" not in line
    json.loads(line, parse_constant=pytest.fail)


@given(st.text(st.characters()))
def test_every_text_survives_its_line(text: str) -> None:
    issue = Issue("a.csv", 1, 1, text, "error", text, text)
    assert json.loads(json_line(issue_shape(issue), Mask()))["message"] == text

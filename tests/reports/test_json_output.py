import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reo_cli.errors import ExitCode, ReoError
from reo_cli.records import Issue
from reo_cli.reports import Streams, Talk
from reo_cli.reports.json_output import json_line
from reo_cli.reports.send import SendReport
from reo_cli.reports.send_file import SendFileReport
from reo_cli.reports.validate import ValidateReport
from reo_cli.text import MASKED, Mask
from tests.reports.samples import (
    COUNT,
    EVIL,
    HOSTILE,
    KEY,
    KEY_REFUSED,
    delivered,
    on_screen,
    piped,
    settled,
    success,
    summary,
    validation,
)

SEND_KEYS = (
    "schema status exit_code started_at event_id payload http_status response attempts elapsed_ms"
    " error endpoint endpoint_source"
).split()
COUNT_KEYS = "read delivered already_delivered invalid rejected errored unsent".split()
SEND_FILE_KEYS = [
    *("schema", "status", "exit_code", "started_at"),
    *COUNT_KEYS,
    *("skipped", "rolled_up", "left_out", "attempts", "elapsed_s", "events_per_s"),
    *("inputs", "ledger", "issues", "error", "endpoint", "endpoint_source"),
]
VALIDATE_KEYS = (
    "schema status exit_code started_at read valid invalid warnings skipped rolled_up left_out"
    " issues totals files error"
).split()
ISSUE_KEYS = "file line record field severity message hint code".split()
SETTLED_KEYS = "file line record status event_id http_status attempts reason".split()


def clock() -> float:
    return 0.0


def send_file(output: Any, streams: Streams, talk: Talk) -> SendFileReport:
    return SendFileReport(output, streams, talk, clock=clock)


def test_send_has_the_keys_of_the_contract_in_their_order(tmp_path: Path) -> None:
    seen = piped(lambda s, t: SendReport("json", s, t).finish(delivered()), tmp_path)
    assert seen.out.count("\n") == 1
    line = json.loads(seen.out)
    assert list(line) == SEND_KEYS
    assert line["schema"] == "reo.send/1"
    assert line["response"] == {"status": "success"}
    assert line["error"] is None
    assert (seen.err, seen.code) == ("", 0)


def test_send_ndjson_is_the_same_line(tmp_path: Path) -> None:
    seen = piped(lambda s, t: SendReport("ndjson", s, t).finish(delivered()), tmp_path)
    assert list(json.loads(seen.out)) == SEND_KEYS


def test_an_invalid_event_names_its_first_issue(tmp_path: Path) -> None:
    bad = delivered(status="invalid", exit_code=ExitCode.INVALID, issues=[COUNT, HOSTILE])
    seen = piped(lambda s, t: SendReport("json", s, t).finish(bad), tmp_path)
    assert json.loads(seen.out)["error"] == {
        "exit_code": 65,
        "reason": "invalid",
        "message": 'count: "1,250" is not a whole number (and 1 more error)',
        "hint": "remove the comma: 1250",
    }


def test_send_file_has_the_keys_of_the_contract_in_their_order(tmp_path: Path) -> None:
    seen = piped(lambda s, t: send_file("json", s, t).finish(summary()), tmp_path)
    assert seen.out.count("\n") == 1
    line = json.loads(seen.out)
    assert list(line) == SEND_FILE_KEYS
    assert (line["status"], line["exit_code"], seen.code) == ("partial", 1, 1)
    assert line["read"] == sum(line[key] for key in COUNT_KEYS[1:]) == 10_000
    assert line["elapsed_s"] == 12.346
    assert list(line["inputs"][0]) == ["file", *COUNT_KEYS, "rejects_file"]
    assert line["inputs"][0]["rejects_file"] == "usage.csv.reo-rejects"
    assert line["inputs"][1]["rejects_file"] is None
    assert line["ledger"] == {"path": "/var/ledger.sqlite3", "created": True, "events": 8993}
    assert list(line["issues"][0]) == ISSUE_KEYS
    assert line["error"]["message"] == "not every event was delivered: 7 invalid"
    assert line["error"]["hint"].endswith("`reo send-file usage.csv.reo-rejects`")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", line["started_at"])


def test_ndjson_is_a_line_a_record_and_then_the_summary(tmp_path: Path) -> None:
    def act(streams: Streams, talk: Talk) -> object:
        report = send_file("ndjson", streams, talk)
        report.settled(settled())
        report.settled(settled("rejected", http_status=400, reason="HTTP 400"))
        report.settled(settled("unsent", body='{"payload":{"count":1}}'))
        return report.finish(success())

    lines = [json.loads(line) for line in piped(act, tmp_path).out.splitlines()]
    assert [list(line) for line in lines[:2]] == [SETTLED_KEYS, SETTLED_KEYS]
    assert lines[1]["reason"] == "HTTP 400"
    assert list(lines[2]) == [*SETTLED_KEYS, "payload"]
    assert lines[2]["payload"] == {"count": 1}
    assert list(lines[3]) == ["summary"]
    assert list(lines[3]["summary"]) == SEND_FILE_KEYS


def test_validate_has_the_keys_of_the_contract_in_their_order(tmp_path: Path) -> None:
    seen = piped(
        lambda s, t: ValidateReport("json", s, t, clock=clock).finish(validation()), tmp_path
    )
    line = json.loads(seen.out)
    assert list(line) == VALIDATE_KEYS
    assert (line["read"], line["valid"], line["invalid"], line["warnings"]) == (10003, 9995, 8, 2)
    assert line["issues"][2]["file"] == EVIL
    assert line["totals"] == {
        "count": 1_234_567,
        "domains": 12_345,
        "domains_estimated": True,
        "ips": 34,
        "ips_estimated": False,
        "first_event_at": 1_793_491_200,
        "last_event_at": 1_793_750_400,
    }
    assert (seen.err, seen.code) == ("", 65)


def test_validate_ndjson_is_a_line_an_issue_and_then_the_summary(tmp_path: Path) -> None:
    seen = piped(
        lambda s, t: ValidateReport("ndjson", s, t, clock=clock).finish(validation()), tmp_path
    )
    *issues, end = [json.loads(line) for line in seen.out.splitlines()]
    assert [issue["line"] for issue in issues] == [20, 17, 3]
    assert list(end["summary"]) == VALIDATE_KEYS


@pytest.mark.parametrize("output", ["json", "ndjson"])
def test_a_terminal_gets_the_same_line_as_a_pipe(output: Any, tmp_path: Path) -> None:
    def act(streams: Streams, talk: Talk) -> object:
        return ValidateReport(output, streams, talk, clock=clock).finish(validation())

    assert on_screen(act, columns=40, environ={"TERM": "xterm"}) == piped(act, tmp_path).out


@pytest.mark.parametrize("output", ["json", "ndjson"])
@pytest.mark.parametrize("command", ["send", "send-file", "validate"])
def test_a_failure_before_any_event_is_one_whole_line(
    command: str, output: Any, tmp_path: Path
) -> None:
    def act(streams: Streams, talk: Talk) -> object:
        if command == "send":
            return SendReport(output, streams, talk).failed(KEY_REFUSED)
        if command == "validate":
            return ValidateReport(output, streams, talk, clock=clock).failed(KEY_REFUSED)
        return send_file(output, streams, talk).failed(KEY_REFUSED)

    seen = piped(act, tmp_path, quiet=True)
    line = json.loads(seen.out)
    line = line.get("summary", line)
    keys = {"send": SEND_KEYS, "send-file": SEND_FILE_KEYS, "validate": VALIDATE_KEYS}
    assert list(line) == keys[command]
    assert (line["exit_code"], seen.code) == (77, 77)
    assert line["error"]["reason"] == "key_refused"
    assert line.get("read", 0) == 0
    assert seen.err == "error: the API refused the key\nhint: get one\n"


def test_send_that_failed_on_its_data_is_invalid(tmp_path: Path) -> None:
    error = ReoError(ExitCode.INVALID, "json", "two values")
    seen = piped(lambda s, t: SendReport("json", s, t).failed(error), tmp_path)
    assert json.loads(seen.out)["status"] == "invalid"


def test_the_key_is_masked_in_values_and_the_line_stays_json(tmp_path: Path) -> None:
    echo = delivered(response={"echo": [f"your {KEY}"], KEY: 1})
    seen = piped(lambda s, t: SendReport("json", s, t).finish(echo), tmp_path)
    assert json.loads(seen.out)["response"] == {"echo": [f"your {MASKED}"], MASKED: 1}


def test_a_key_of_json_punctuation_breaks_nothing() -> None:
    mask = Mask()
    mask.hide('": [{"')
    assert json.loads(json_line({"a": [{"b": 'x": [{"y'}]}, mask)) == {"a": [{"b": "x****y"}]}


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
    def no_constant(name: str) -> object:
        raise AssertionError(name)

    line = json_line({"value": value}, Mask())
    assert line.isascii()
    assert line.count("\n") == 1
    assert "##" not in line
    json.loads(line, parse_constant=no_constant)


@given(st.text(st.characters()))
def test_every_text_survives_its_line(text: str) -> None:
    issue = Issue(text, 1, 1, text, "error", text, text)
    assert json.loads(json_line(issue.message, Mask())) == text

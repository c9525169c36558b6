"""Record → event: defaults, rules, limits, and every issue of a record at once."""

from typing import Any

import pytest

from reo_cli.checks.checker import Checker, Result, require_good
from reo_cli.checks.content import BODY_LIMIT
from reo_cli.delivery.identity import request_body
from reo_cli.errors import ExitCode, ReoError
from reo_cli.events import FIELDS, Event, Rules
from reo_cli.records import Record

NOW = 1795000000
RECORD = {
    "activity_type": "primary",
    "count": "12",
    "domain": "acme.com",
    "event_at": "1790000000",
    "product_id": "p",
}


def check(fields: dict[str, Any], rules: Rules | None = None, **meta: Any) -> Result:
    return Checker(rules or Rules(NOW)).check(Record("x.csv", 2, 1, fields, meta, ""))


def event_of(fields: dict[str, Any], rules: Rules | None = None, **meta: Any) -> Event:
    """Return the event of a good record with some fields changed."""
    event, issues = check({**RECORD, **fields}, rules, **meta)
    assert event is not None, issues
    return event


def wrong(fields: dict[str, Any], **meta: Any) -> list[tuple[str, str]]:
    """Return what is wrong with a record that was good: field and code."""
    event, issues = check({**RECORD, **fields}, **meta)
    assert event is None
    return [(each.field, each.code) for each in issues]


def test_an_event_has_its_fields_in_the_order_of_the_table() -> None:
    event, issues = check(dict(reversed({**RECORD, "event_id": "a"}.items())))
    assert not issues
    assert event is not None
    assert event.content == (
        b'{"mode":"DOMAIN","source":"TELEMETRY","activity_type":"primary","count":12,'
        b'"domain":"acme.com","event_at":1790000000,"product_id":"p"}'
    )
    assert (event.event_id, event.payload["event_id"], event.timeless) == ("a", "a", False)


def test_all_issues_of_a_record_are_reported() -> None:
    event, issues = check({"count": "x", "ip_addr": "1", "domain": "y", "mode": "z"})
    assert event is None
    fields = "mode count ip_addr domain activity_type event_at product_id"
    assert " ".join(each.field for each in issues) == fields


@pytest.mark.parametrize("blank", [None, "", "  ", "\t"])
def test_null_and_blank_are_absent(blank: Any) -> None:
    blanks = {"ip_addr": blank, "environment": blank, "mode": blank}
    assert event_of(blanks).payload == event_of({}).payload
    assert wrong({"domain": blank}) == [("ip_addr", "missing")]


def test_set_wins_over_the_record_and_default_does_not() -> None:
    rules = Rules(
        NOW,
        always={"count": "5", "user_agent": "", "meta.a": "set"},
        absent={"domain": "other.com", "environment": "TEST", "meta.b": "default", "meta.a": "x"},
        fallback={"product_id": "settings", "environment": "settings"},
    )
    made = event_of({"product_id": "", "user_agent": "x"}, rules, a="record", c="record").payload
    assert (made["count"], made["domain"], made["environment"]) == (5, "acme.com", "TEST")
    assert (made["product_id"], "user_agent" in made) == ("settings", False)
    assert made["meta"] == {"a": "set", "b": "default", "c": "record"}


def test_a_whole_meta_and_single_keys_go_together() -> None:
    assert event_of({"meta": '{"b": 1}'}, a="x").payload["meta"] == {"a": "x", "b": 1}
    assert event_of({"meta": {}}).payload["meta"] == {}
    assert event_of({}, plan=" ", none=None).payload["meta"] == {"none": None, "plan": " "}
    assert wrong({"meta": {"a": 1}}, a="x") == [("meta.a", "given-twice")]
    one, other = {"b": 1, "a": {"d": 1, "c": [2]}}, {"a": {"c": [2], "d": 1}, "b": 1}
    assert event_of({"meta": one}).content == event_of({"meta": other}).content


def test_meta_is_bounded_in_depth_and_its_large_integers_are_warned_of() -> None:
    deepest: dict[str, Any] = {"a": 1}
    for _ in range(62):
        deepest = {"a": deepest}
    assert event_of({"meta": deepest})
    assert wrong({"meta": {"a": deepest}}) == [("meta", "too-deep")]
    _, issues = check({**RECORD, "meta": {"a": [2**53, 2**53 + 1]}})
    assert [(each.severity, each.field, each.code) for each in issues] == [
        ("warning", "meta", "big-integer")
    ]


@pytest.mark.parametrize(
    ("event_at", "rules", "timeless"),
    [
        ("now", Rules(NOW), True),
        (None, Rules(NOW, absent={"event_at": "now"}), True),
        ("1790000000", Rules(NOW, always={"event_at": "now"}), True),
        (str(NOW), Rules(NOW, absent={"event_at": "now"}), False),
    ],
)
def test_events_of_now_are_known(event_at: str | None, rules: Rules, timeless: bool) -> None:
    event = event_of({"event_at": event_at}, rules)
    assert (event.timeless, event.payload["event_at"]) == (timeless, NOW)


@pytest.mark.parametrize("event_id", [None, "x" * 999, "é" * 99, 12])
def test_the_limit_is_that_of_the_request_body(event_id: Any) -> None:
    known = event_of({"event_id": event_id}, a="")
    sent = known.event_id if known.event_id is not None else "0" * 32
    room = BODY_LIMIT - len(request_body(sent, known.content))
    event_of({"event_id": event_id}, a="x" * room)
    event, (issue,) = check({**RECORD, "event_id": event_id}, a="x" * (room + 1))
    assert (event, issue.field, issue.code) == (None, "meta", "too-large")
    assert f"{BODY_LIMIT + 1:,} bytes" in issue.message


@pytest.mark.parametrize("name", ["activity_type", "product_id", "event_id", "user_agent", "meta"])
def test_half_a_character_is_an_issue_of_its_field(name: str) -> None:
    half = {"a": "\ud800"} if name == "meta" else "a\udfff"
    assert wrong({name: half}) == [(name, "half-character")]


@pytest.mark.parametrize("name", [each.name for each in FIELDS if each.kind != "meta"])
def test_arrays_and_objects_are_no_values(name: str) -> None:
    for value, kind in (([1], "an array"), ({"a": 1}, "an object")):
        event, issues = check({**RECORD, name: value})
        assert event is None
        message = f"is {kind}, not a single value"
        assert (name, message) in [(each.field, each.message) for each in issues]


def test_what_is_wrong_is_kept_as_far_as_it_is_good() -> None:
    rules = Rules(NOW, always={"count": "5", "meta.b": "set"}, absent={"environment": "TEST"})
    fields = {**RECORD, "domain": "x", "event_at": "2026-01-31", "count": "9"}
    checker = Checker(rules)
    kept = checker.as_far_as_good(Record("x.csv", 2, 1, fields, {"a": "1"}, "")) or {}
    assert (kept["domain"], kept["event_at"], kept["count"]) == ("x", 1769817600, 5)
    assert (kept["environment"], kept["meta"]) == ("TEST", {"a": "1", "b": "set"})
    kept = checker.as_far_as_good(Record("x.csv", 2, 1, {**RECORD, "meta": []}, {}, "")) or {}
    assert kept["meta"] == []
    assert checker.as_far_as_good(Record("x.csv", 2, 1, None, {}, "")) is None


@pytest.mark.parametrize(
    "rules",
    [
        Rules(NOW, always={"count": "1,250"}),
        Rules(NOW, absent={"event_at": "yesterday"}),
        Rules(NOW, fallback={"mode": "domain"}),
        Rules(NOW, always={"meta": "[1]"}),
    ],
)
def test_values_that_no_event_could_have_are_found_at_once(rules: Rules) -> None:
    require_good(Rules(NOW, {"mode": "USER", "meta.a": "x", "count": ""}, {"event_at": "now"}))
    with pytest.raises(ReoError) as caught:
        require_good(rules)
    assert caught.value.exit_code is ExitCode.INVALID


def test_a_given_value_is_warned_of_where_it_is_used() -> None:
    rules = Rules(NOW, absent={"domain": "gmail.com"})
    assert not check(RECORD, rules).issues
    assert [each.code for each in check({**RECORD, "domain": " "}, rules).issues] == ["mailbox"]


def test_a_blank_id_of_a_single_event_is_warned_of() -> None:
    record = Record("", 0, 1, {**RECORD, "event_id": " "}, {}, "")
    event, (issue,) = Checker(Rules(NOW), {}).check(record)
    assert event is not None
    assert event.event_id is None
    assert (issue.severity, issue.code, issue.field) == ("warning", "blank", "event_id")
    assert not Checker(Rules(NOW)).check(record).issues


def test_a_hint_that_only_qualifies_an_option_goes_with_it() -> None:
    record = Record("", 0, 1, {**RECORD, "mode": "tomorrow"}, {}, "")
    (issue,) = Checker(Rules(NOW)).check(record).issues
    assert issue.hint == "add --set mode=DOMAIN if it says something else"
    (issue,) = Checker(Rules(NOW), {}).check(record).issues
    assert issue.hint == ""

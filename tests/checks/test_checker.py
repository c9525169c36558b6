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
GOOD = {
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
    event, issues = check({**GOOD, **fields}, rules, **meta)
    assert event is not None, issues
    return event


def told(result: Result) -> list[tuple[str, str]]:
    return [(issue.field, issue.message) for issue in result.issues]


def test_an_event_has_its_fields_in_the_order_of_the_table() -> None:
    event, issues = check(dict(reversed({**GOOD, "event_id": "a"}.items())))
    assert not issues
    assert event is not None
    assert event.content == (
        b'{"mode":"DOMAIN","source":"TELEMETRY","activity_type":"primary","count":12,'
        b'"domain":"acme.com","event_at":1790000000,"product_id":"p"}'
    )
    assert event.event_id == event.payload["event_id"] == "a"
    assert not event.timeless


def test_all_issues_of_a_record_are_reported() -> None:
    result = check({"count": "x", "ip_addr": "1", "domain": "y", "mode": "z"})
    assert result.event is None
    fields = "mode count ip_addr domain activity_type event_at product_id"
    assert " ".join(field for field, _ in told(result)) == fields


@pytest.mark.parametrize("blank", [None, "", "  ", "\t"])
def test_null_and_blank_are_absent(blank: Any) -> None:
    blanks = {"ip_addr": blank, "environment": blank, "mode": blank}
    assert event_of(blanks).payload == event_of({}).payload
    assert told(check({**GOOD, "domain": blank})) == [("ip_addr", "is missing, and so is domain")]


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
    result = check({**GOOD, "meta": {"a": 1}}, a="x")
    assert told(result) == [("meta.a", "is given twice: in `meta` and on its own")]
    one, other = {"b": 1, "a": {"d": 1, "c": [2]}}, {"a": {"c": [2], "d": 1}, "b": 1}
    assert event_of({"meta": one}).content == event_of({"meta": other}).content


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
    result = check({**GOOD, "event_id": event_id}, a="x" * (room + 1))
    assert result.event is None
    assert [field for field, _ in told(result)] == ["meta"]
    assert f"{BODY_LIMIT + 1:,} bytes" in result.issues[0].message


@pytest.mark.parametrize("name", ["activity_type", "product_id", "event_id", "user_agent", "meta"])
def test_half_a_character_is_an_issue_of_its_field(name: str) -> None:
    result = check({**GOOD, name: {"a": "\ud800"} if name == "meta" else "a\udfff"})
    assert result.event is None
    assert [field for field, _ in told(result)] == [name]


@pytest.mark.parametrize("name", [each.name for each in FIELDS if each.kind != "meta"])
@pytest.mark.parametrize(("value", "kind"), [([1], "array"), ({"a": 1}, "object")])
def test_arrays_and_objects_are_no_values(name: str, value: Any, kind: str) -> None:
    result = check({**GOOD, name: value})
    assert result.event is None
    assert (name, f"is an {kind}, not a single value") in told(result)


def test_what_is_wrong_is_kept_as_far_as_it_is_good() -> None:
    rules = Rules(NOW, always={"count": "5", "meta.b": "set"}, absent={"environment": "TEST"})
    fields = {**GOOD, "domain": "x", "event_at": "2026-01-31", "count": "9"}
    checker = Checker(rules)
    kept = checker.as_far_as_good(Record("x.csv", 2, 1, fields, {"a": "1"}, ""))
    assert kept is not None
    assert (kept["domain"], kept["event_at"], kept["count"]) == ("x", 1769817600, 5)
    assert (kept["environment"], kept["meta"]) == ("TEST", {"a": "1", "b": "set"})
    wrong = checker.as_far_as_good(Record("x.csv", 2, 1, {**GOOD, "meta": []}, {"a": "1"}, ""))
    assert wrong is not None
    assert wrong["meta"] == []
    assert checker.as_far_as_good(Record("x.csv", 2, 1, None, {}, "")) is None


@pytest.mark.parametrize(
    ("always", "absent"),
    [
        ({"count": "1,250"}, {}),
        ({}, {"event_at": "yesterday"}),
        ({}, {"mode": "domain"}),
        ({"meta": "[1]"}, {}),
    ],
)
def test_values_that_no_event_could_have_are_found_at_once(
    always: dict[str, str], absent: dict[str, str]
) -> None:
    require_good(Rules(NOW, {"mode": "USER", "meta.a": "x", "count": ""}, {"event_at": "now"}))
    with pytest.raises(ReoError) as caught:
        require_good(Rules(NOW, always, absent))
    assert caught.value.exit_code is ExitCode.INVALID


def test_a_given_value_is_warned_of_where_it_is_used() -> None:
    rules = Rules(NOW, absent={"domain": "gmail.com"})
    assert not check(GOOD, rules).issues
    assert [each.code for each in check({**GOOD, "domain": " "}, rules).issues] == ["mailbox"]


def test_a_blank_id_of_a_single_event_is_warned_of() -> None:
    record = Record("", 0, 1, {**GOOD, "event_id": " "}, {}, "")
    event, issues = Checker(Rules(NOW), {}).check(record)
    assert event is not None
    assert event.event_id is None
    assert [(each.severity, each.code, each.field) for each in issues] == [
        ("warning", "blank", "event_id")
    ]
    assert not Checker(Rules(NOW)).check(record).issues

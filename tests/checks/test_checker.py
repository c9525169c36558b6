"""Record → event: defaults, rules, limits, and every issue of a record at once."""

import json
from typing import Any

import pytest

from reo_cli.checks.checker import Checker, Result, require_good
from reo_cli.checks.content import BODY_LIMIT
from reo_cli.delivery.identity import request_body
from reo_cli.errors import ExitCode, ReoError
from reo_cli.events import FIELDS, Rules
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
    record = Record("x.csv", 2, 1, fields, meta, "")
    return Checker(rules or Rules(NOW)).check(record)


def payload(fields: dict[str, Any], rules: Rules | None = None, **meta: Any) -> dict[str, Any]:
    event, issues = check(fields, rules, **meta)
    assert event is not None, issues
    return event.payload


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
    assert [field for field, _ in told(result)] == [
        "mode",
        "count",
        "ip_addr",
        "domain",
        "activity_type",
        "event_at",
        "product_id",
    ]


@pytest.mark.parametrize("blank", [None, "", "  ", "\t"])
def test_null_and_blank_are_absent(blank: Any) -> None:
    assert payload({**GOOD, "ip_addr": blank, "environment": blank, "mode": blank}) == payload(GOOD)
    result = check({**GOOD, "domain": blank})
    assert told(result) == [("ip_addr", "is missing, and so is domain")]


def test_blank_is_kept_inside_meta() -> None:
    assert payload(GOOD, plan=" ", none=None)["meta"] == {"none": None, "plan": " "}


def test_set_wins_over_the_record_and_default_does_not() -> None:
    rules = Rules(
        NOW,
        always={"count": "5", "meta.a": "set"},
        absent={"domain": "other.com", "environment": "TEST", "meta.b": "default", "meta.a": "x"},
        fallback={"product_id": "settings", "environment": "settings"},
    )
    made = payload({**GOOD, "product_id": ""}, rules, a="record", c="record")
    assert (made["count"], made["domain"], made["environment"]) == (5, "acme.com", "TEST")
    assert made["product_id"] == "settings"
    assert made["meta"] == {"a": "set", "b": "default", "c": "record"}


def test_a_field_can_be_set_to_nothing() -> None:
    assert "environment" not in payload(
        {**GOOD, "environment": "X"}, Rules(NOW, {"environment": ""})
    )


def test_a_whole_meta_and_single_keys_go_together() -> None:
    assert payload({**GOOD, "meta": '{"b": 1}'}, a="x")["meta"] == {"a": "x", "b": 1}
    assert payload({**GOOD, "meta": {}})["meta"] == {}
    result = check({**GOOD, "meta": {"a": 1}}, a="x")
    assert told(result) == [("meta.a", "is given twice: in `meta` and on its own")]


@pytest.mark.parametrize(
    ("fields", "rules", "timeless"),
    [
        ({"event_at": "now"}, Rules(NOW), True),
        ({"event_at": None}, Rules(NOW, absent={"event_at": "now"}), True),
        ({"event_at": "1790000000"}, Rules(NOW, always={"event_at": "now"}), True),
        ({"event_at": str(NOW)}, Rules(NOW, absent={"event_at": "now"}), False),
    ],
)
def test_events_of_now_are_known(fields: dict[str, Any], rules: Rules, timeless: bool) -> None:
    event = check({**GOOD, **fields}, rules).event
    assert event is not None
    assert event.timeless is timeless
    assert (event.payload["event_at"] == NOW) is True


@pytest.mark.parametrize("event_id", [None, "x" * 999, "é" * 99, 12])
def test_the_limit_is_that_of_the_request_body(event_id: Any) -> None:
    def body(size: int) -> tuple[int, Result]:
        result = check({**GOOD, "event_id": event_id}, a="x" * size)
        known = check({**GOOD, "event_id": event_id}, a="").event
        assert known is not None
        sent = known.event_id if known.event_id is not None else "0" * 32
        return len(request_body(sent, known.content)) + size, result

    overhead, _ = body(0)
    for size, fits in ((BODY_LIMIT - overhead, True), (BODY_LIMIT - overhead + 1, False)):
        bytes_, result = body(size)
        assert (bytes_ <= BODY_LIMIT) is fits
        assert (result.event is not None) is fits
    assert [field for field, _ in told(result)] == ["meta"]
    assert f"{BODY_LIMIT + 1:,} bytes" in result.issues[0].message


@pytest.mark.parametrize("name", ["activity_type", "product_id", "event_id", "user_agent", "meta"])
def test_half_a_character_is_an_issue_of_its_field(name: str) -> None:
    value = {"a": "\ud800"} if name == "meta" else "a\udfff"
    result = check({**GOOD, name: value})
    assert result.event is None
    assert [field for field, _ in told(result)] == [name]


@pytest.mark.parametrize("name", [each.name for each in FIELDS if each.kind != "meta"])
@pytest.mark.parametrize("value", [[1], {"a": 1}, [[[]]]])
def test_arrays_and_objects_are_no_values(name: str, value: Any) -> None:
    result = check({**GOOD, name: value})
    assert result.event is None
    assert (
        name,
        f"is {'an array' if isinstance(value, list) else 'an object'}, not a single value",
    ) in told(result)


def test_values_are_told_apart_by_their_types() -> None:
    """Parsers remember what they saw: True, 1 and 1.0 are equal to Python, not here."""
    checker = Checker(Rules(NOW))
    for value, good in (
        (1, True),
        (True, False),
        (1.0, True),
        ("1", True),
        (False, False),
        (0, True),
    ):
        result = checker.check(Record("x", 1, 1, {**GOOD, "count": value}, {}, ""))
        assert (result.event is not None) is good, value


def test_records_keep_the_order_of_keys_out_of_it() -> None:
    one, other = {"b": 1, "a": {"d": 1, "c": 2}}, {"a": {"c": 2, "d": 1}, "b": 1}
    first, second = (check({**GOOD, "meta": json.loads(json.dumps(each))}) for each in (one, other))
    assert first.event is not None
    assert second.event is not None
    assert first.event.content == second.event.content


@pytest.mark.parametrize(
    "rules",
    [
        Rules(NOW, always={"count": "1,250"}),
        Rules(NOW, absent={"event_at": "yesterday"}),
        Rules(NOW, absent={"mode": "domain"}),
        Rules(NOW, always={"meta": "[1]"}),
    ],
)
def test_values_that_no_event_could_have_are_found_at_once(rules: Rules) -> None:
    with pytest.raises(ReoError) as caught:
        require_good(rules)
    assert caught.value.exit_code is ExitCode.INVALID


def test_a_blank_id_of_a_single_event_is_warned_of() -> None:
    record = Record("", 0, 1, {**GOOD, "event_id": " "}, {}, "")
    event, issues = Checker(Rules(NOW), {}).check(record)
    assert event is not None
    assert event.event_id is None
    assert [(each.severity, each.code, each.field) for each in issues] == [
        ("warning", "blank", "event_id")
    ]
    assert not Checker(Rules(NOW)).check(record).issues


def test_good_rules() -> None:
    require_good(Rules(NOW, {"mode": "USER", "meta.a": "x", "count": ""}, {"event_at": "now"}))

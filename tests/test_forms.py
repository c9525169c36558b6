"""Forms: an event made from what is remembered of others is the one that the whole check makes."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reo_cli.checker import Checker, Result
from reo_cli.events import Event, Rules
from reo_cli.forms import Forms, Room
from reo_cli.records import Record
from reo_cli.values import QuotedNumber
from reo_cli.values.numbers import ExactFloat

NOW = 1795000000

TEXTS = ["primary", " a", "", "100%", "%d", 'say "hi"', "ü\\", "\ud800", "x" * 9000, None, 1, True]
VALUES: dict[str, list[Any]] = {
    "activity_type": TEXTS,
    "environment": TEXTS,
    "product_id": ["app", "p%s", ["app"], {}],
    "mode": ["DOMAIN", "USER", ""],
    "count": [1, 0, "12", "", None, 1.0, True, QuotedNumber("3"), ExactFloat("1e1"), [1], 2**60],
    "ip_addr": ["156.59.87.83", "10.0.0.1", "2a00:1450::8a", "", "1.2.3.4/8", {}],
    "domain": ["acme.com", "ACME.com", "gmail.com", "", "100%.com", None],
    "event_at": [1790000000, "1790000000", NOW, "now", "", "2026-01-31", "x"],
    "meta": [
        *({"b": 1, "a": "100%"}, {}, None, "", '{"a": 1}', "{", [1], {"a": ExactFloat("1.00")}),
        *({"a": 2**60}, {"a": "\ud800"}, {"a": ["x", {"d": 1, "c": None}]}, {"a": "x" * 300_000}),
    ],
    "event_id": ["a", "", "ü", "\ud800", 7, 7.5, None, "i" * 300_000],
}

RULES = [
    Rules(NOW),
    Rules(NOW, absent={"count": "5", "event_at": "now"}),
    Rules(NOW, absent={"meta.a": "x", "meta.c": "y"}),
    Rules(NOW, always={"meta": '{"a": 1}'}),
    Rules(NOW, always={"domain": "reo.dev", "event_id": "one"}, fallback={"product_id": "100%"}),
]


@st.composite
def records(draw: st.DrawFn) -> list[Record]:
    """Draw records of which many are alike."""
    keys = draw(st.lists(st.sampled_from(list(VALUES)), min_size=5, unique=True))
    like = {name: st.sampled_from(draw(st.permutations(VALUES[name]))[:2]) for name in keys}
    drawn = draw(st.lists(st.fixed_dictionaries(like), min_size=1, max_size=8))
    single = draw(st.sampled_from([{}, {"b": "2", "a": "%"}, {"a": "\ud800"}]))
    return [
        Record("x", at, at, fields, single if at % 2 else {}, "")
        for at, fields in enumerate([*drawn, *drawn, *drawn], 1)
    ]


def told(result: Result) -> Any:
    event, issues = result
    return event and (*event[1:], list(event.payload)), list(issues)


@given(records(), st.sampled_from(RULES))
def test_what_is_remembered_changes_nothing(drawn: list[Record], rules: Rules) -> None:
    remembers = Checker(rules)
    for record in drawn:
        assert told(remembers.check(record)) == told(Checker(rules).check(record))


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("name", list(VALUES))
def test_one_odd_value_among_good_ones(name: str, rules: Rules) -> None:
    remembers = Checker(rules)
    odd = [good(**{name: value}) for value in VALUES[name]]
    every = itertools.product([good(), *odd, *odd], [{}, {"b": "2"}])
    for at, (fields, single) in enumerate(every, 1):
        record = Record("x", at, at, fields, single, "")
        assert told(remembers.check(record)) == told(Checker(rules).check(record))


def good(**changed: Any) -> dict[str, Any]:
    fields = {"activity_type": "100%", "count": 12, "domain": "acme.com", "event_at": 1790000000}
    return {**fields, "product_id": "p", "event_id": "a", **changed}


def test_the_second_of_its_form_is_not_checked_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    checker = Checker(Rules(NOW))
    checker.check(Record("x", 1, 1, good(), {}, ""))
    monkeypatch.setattr(Checker, "_whole", None)
    event, issues = checker.check(Record("x", 2, 2, good(count=13, event_id=7), {}, ""))
    assert isinstance(event, Event)
    assert not issues
    assert event.content == (
        b'{"mode":"DOMAIN","source":"TELEMETRY","activity_type":"100%","count":13,'
        b'"domain":"acme.com","event_at":1790000000,"product_id":"p"}'
    )
    assert event.payload["event_id"] == event.event_id == 7


def test_a_bounded_number_is_remembered() -> None:
    known = Forms(["activity_type"], {}, Room(2))
    for each in "abc":
        known.learn({"activity_type": each}, {"activity_type": each})
    records = [Record("x", 1, 1, {"activity_type": each}, {}, "") for each in "abc"]
    filled = [known.filled(each, each.fields or {}) for each in records]
    assert [each is not None for each in filled] == [True, True, False]

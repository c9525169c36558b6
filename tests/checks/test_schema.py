"""The JSON Schema takes what our own checks take, and refuses what a schema can refuse."""

import importlib
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from reo_cli.checks.checker import Checker
from reo_cli.checks.schema import event_schema
from reo_cli.events import FIELDS, Rules
from reo_cli.records import Record
from tests.checks.test_values import GOOD, WARNED, WRONG
from tests.conftest import World

jsonschema: Any = importlib.import_module("jsonschema")
"""Its package has no types."""

SCHEMA = jsonschema.Draft202012Validator(event_schema(), format_checker=jsonschema.FormatChecker())
CHECKER = Checker(Rules(now=1795000000))
EVENT = {
    "activity_type": "primary",
    "count": 12,
    "domain": "acme.com",
    "event_at": 1790000000,
    "product_id": "p",
}

BEYOND: dict[str, Callable[[Any], bool]] = {
    "event_at": lambda raw: isinstance(raw, str) or raw == 2026090110,  # what is a time
    "ip_addr": lambda raw: isinstance(raw, str) and raw != raw.strip(),
    "domain": lambda raw: isinstance(raw, str),  # names of hosts are more and less than domains
    "meta": lambda raw: isinstance(raw, str),  # JSON inside JSON
}
"""Values over which a schema does not decide."""


def variants() -> Iterator[tuple[str, Any]]:
    """Give a field and a value that stands in it in place of the good one."""
    odd = [None, "", " ", True, False, 0, 1, -1, 1.0, 1.5, "1", "x", [], [1], {}, {"a": 1}]
    for field in FIELDS:
        yield from ((field.name, value) for value in odd)
    for table in (GOOD, WARNED, WRONG):
        for name, found in table.items():
            yield from ((name, row[0]) for row in found)


@pytest.mark.parametrize(("name", "raw"), list(variants()), ids=lambda value: ascii(value)[:40])
def test_schema_and_checks_agree(name: str, raw: Any) -> None:
    event = {**EVENT, "ip_addr": "8.8.8.8", name: raw}
    ours = CHECKER.check(Record("x", 1, 1, event, {}, "")).event is not None
    theirs = SCHEMA.is_valid(event)
    assert theirs is ours or BEYOND.get(name, lambda _: False)(raw)


def test_what_is_required_and_what_is_unknown() -> None:
    assert SCHEMA.is_valid(EVENT)
    assert SCHEMA.is_valid({**EVENT, "meta.a": 1, "ip_addr": None})
    for name in EVENT:
        assert not SCHEMA.is_valid({key: value for key, value in EVENT.items() if key != name})
    for wrong in ({"Count": 1}, {"meta.": 1}, {"domain": "acme"}, {"domain": None}):
        assert not SCHEMA.is_valid({**EVENT, **wrong})


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(event_schema())
    assert list(event_schema()["properties"]) == [field.name for field in FIELDS]


def patterns(schema: object) -> Iterator[str]:
    """Give every pattern of a schema."""
    if isinstance(schema, dict):
        yield from (text for key, text in schema.items() if key == "pattern")
        yield from (found for each in schema.values() for found in patterns(each))
    elif isinstance(schema, list):
        yield from (found for each in schema for found in patterns(each))


def test_the_patterns_are_those_of_javascript_too() -> None:
    """JSON Schema's are ECMA-262's, where only syntax characters and classes may be escaped."""
    found = list(patterns(event_schema()))
    assert len(found) > 5
    for pattern in found:
        for escaped in re.findall(r"\\(.)", pattern):
            assert escaped in r"^$\.*+?()[]{}|/dDwWsSbBtrnvfxu", pattern


def test_it_is_printed(world: World) -> None:
    run = world.run("validate", "--print-schema")
    assert run.code == 0
    assert json.loads(run.stdout) == event_schema()

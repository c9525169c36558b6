"""The JSON Schema takes what our own checks take, and refuses what a schema can refuse."""

import importlib
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from reo_cli.checks.schema import event_schema
from reo_cli.events import FIELDS
from tests.checks.test_checker import RECORD, check
from tests.checks.test_values import GOOD, WARNED, WRONG, rows, short
from tests.conftest import World

jsonschema: Any = importlib.import_module("jsonschema")
"""Its package has no types."""

SCHEMA = jsonschema.Draft202012Validator(event_schema(), format_checker=jsonschema.FormatChecker())
EVENT = {**RECORD, "count": 12, "event_at": 1790000000}

BEYOND: dict[str, Callable[[Any], bool]] = {
    "event_at": lambda raw: isinstance(raw, str) or raw == 2026090110,  # what is a time
    "ip_addr": lambda raw: isinstance(raw, str) and raw != raw.strip(),
    "domain": lambda raw: isinstance(raw, str),  # names of hosts are more and less than domains
    "meta": lambda raw: isinstance(raw, str),  # JSON inside JSON
}
"""Values over which a schema does not decide."""

ODD = [None, "", " ", True, False, 0, 1, -1, 1.0, 1.5, "1", "x", [], [1], {}, {"a": 1}]


VALUES = [
    *((field.name, value) for field in FIELDS for value in ODD),
    *((name, raw) for name, raw, _ in rows(GOOD, 1)),
    *(row[:2] for table in (WARNED, WRONG) for row in rows(table, 2)),
]


@pytest.mark.parametrize(("name", "raw"), VALUES, ids=short)
def test_schema_and_checks_agree(name: str, raw: Any) -> None:
    event = {**EVENT, "ip_addr": "8.8.8.8", name: raw}
    ours, theirs = check(event).event is not None, SCHEMA.is_valid(event)
    assert theirs is ours or BEYOND.get(name, lambda _: False)(raw)


def test_what_is_required_and_what_is_unknown() -> None:
    assert SCHEMA.is_valid(EVENT)
    assert SCHEMA.is_valid({**EVENT, "meta.a": 1, "ip_addr": None})
    for name in EVENT:
        assert not SCHEMA.is_valid({key: value for key, value in EVENT.items() if key != name})
    for wrong in ({"Count": 1}, {"meta.": 1}, {"domain": "acme"}, {"domain": None}):
        assert not SCHEMA.is_valid({**EVENT, **wrong})


def test_the_schema_is_one_whose_patterns_are_those_of_javascript_too(world: World) -> None:
    """They are ECMA-262's, where only syntax characters and classes may be escaped."""
    run = world.run("validate", "--print-schema")
    schema = json.loads(run.stdout)
    assert (run.code, schema) == (0, event_schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    assert list(schema["properties"]) == [field.name for field in FIELDS]
    patterns = re.findall(r'"pattern": ("[^"]*")', run.stdout)
    assert len(patterns) > 5
    for pattern in map(json.loads, patterns):
        assert set(re.findall(r"\\(.)", pattern)) <= set(r"^$\.*+?()[]{}|/dDwWsSbBtrnvfxu"), pattern

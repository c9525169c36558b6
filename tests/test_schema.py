"""The JSON Schema says what our own checks say, wherever a schema can say it."""

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reo_cli.checker import Checker
from reo_cli.events import FIELDS, Rules
from reo_cli.readers import ReadOptions, read
from reo_cli.readers.source import Source
from reo_cli.records import Record
from reo_cli.schema import event_schema
from tests.conftest import World
from tests.readers.reading import Drip
from tests.values.test_addresses import CHANGED, DOMAINS, NO_DOMAIN, NO_IP, PUBLIC, SPECIAL
from tests.values.test_times import BAD as BAD_TIMES
from tests.values.test_times import GOOD as GOOD_TIMES

CASES = Path(__file__).parent / "cases"
Draft202012Validator: Any = importlib.import_module("jsonschema").Draft202012Validator
"""Its package has no types."""

SCHEMA = Draft202012Validator(event_schema())
CHECKER = Checker(Rules(now=1795000000))

EVENT = {
    "activity_type": "primary",
    "count": 12,
    "domain": "acme.com",
    "event_at": 1790000000,
    "product_id": "p",
}

BEYOND = {
    "\ud800.com",  # a name of another script that is no domain
    "xn--ac99999999999999999999ⓖⓞⓞ.comom",
    "2026-02-30",  # a day that does not exist
}
"""Values over which a schema cannot decide."""


def judged(event: dict[str, Any]) -> bool:
    """Whether our own reading and checks take an event, written as JSON."""
    source = Source("x.json", "x.json", Drip(json.dumps(event).encode(), 1 << 18), streamed=False)
    (record,) = read(source, ReadOptions())
    assert isinstance(record, Record)
    return CHECKER.check(record).event is not None


def variants() -> Iterator[dict[str, Any]]:
    """Give events that differ from a good one in one field."""
    odd = [
        None,
        "",
        " ",
        True,
        False,
        0,
        1,
        -1,
        1.0,
        1.5,
        10**20,
        "1",
        "x",
        " x ",
        [],
        [1],
        {},
        {"a": 1},
    ]
    for field in FIELDS:
        for value in odd:
            yield {**EVENT, field.name: value}
    for name in EVENT:
        yield {key: value for key, value in EVENT.items() if key != name}
    for ip in [*PUBLIC, *SPECIAL, *(raw for raw, _ in NO_IP)]:
        yield {**EVENT, "ip_addr": ip}
        yield {**EVENT, "domain": None, "ip_addr": ip}
    for domain in [*DOMAINS, *CHANGED, *(raw for raw, _ in NO_DOMAIN)]:
        yield {**EVENT, "domain": domain}
    for at in [*GOOD_TIMES, *BAD_TIMES]:
        yield {**EVENT, "event_at": at[0]}
    for name in ("mode", "source"):
        for value in ("DOMAIN", "USER", "TELEMETRY", "PRODUCT_CLOUD", "domain"):
            yield {**EVENT, name: value}
    yield {**EVENT, "Count": 1}
    yield {**EVENT, "meta.a": 1}
    yield {**EVENT, "meta.": 1}
    yield {**EVENT, "meta.\n": 1}
    for text in ("{", '{"a": 1}x', "\u00a0{}", ' {"a": 1} ', "{}", "{}{"):
        yield {**EVENT, "meta": text}
    yield {**EVENT, "meta": {"a": [None, {"b": 1.5}]}}


EXPRESSED = [each for each in variants() if BEYOND.isdisjoint(map(str, each.values()))]


@pytest.mark.parametrize("event", EXPRESSED, ids=str)
def test_schema_and_checks_agree(event: dict[str, Any]) -> None:
    assert SCHEMA.is_valid(event) is judged(event)


def test_few_values_are_beyond_a_schema() -> None:
    assert len(EXPRESSED) > 300
    assert len(list(variants())) - len(EXPRESSED) <= 2 * len(BEYOND)


@given(st.ip_addresses().map(str) | st.from_regex(r"[0-9a-f.:]{2,30}", fullmatch=True))
def test_they_agree_over_addresses(ip: str) -> None:
    event = {**EVENT, "ip_addr": ip}
    assert SCHEMA.is_valid(event) is judged(event)


@given(st.from_regex(r"[a-zA-Z0-9.-]{1,70}", fullmatch=True))
def test_they_agree_over_names(domain: str) -> None:
    event = {**EVENT, "domain": domain}
    assert SCHEMA.is_valid(event) is judged(event)


@given(st.integers())
def test_they_agree_over_numbers(number: int) -> None:
    for name in ("count", "event_at", "event_id"):
        event = {**EVENT, name: number}
        assert SCHEMA.is_valid(event) is judged(event)


@pytest.mark.parametrize("path", sorted(CASES.glob("*/*.ndjson")), ids=lambda path: path.name)
def test_they_agree_over_the_cases_on_disk(path: Path) -> None:
    wrong = wrong_lines(path)
    for number, line in enumerate(
        path.read_text("utf-8", "replace").replace("\r", "\n").split("\n"), 1
    ):
        try:
            event = json.loads(line, parse_constant=lambda _: "NaN")
        except (ValueError, RecursionError):
            continue
        event = event.get("payload", event) if isinstance(event, dict) else event
        if number not in wrong or not re.search(
            r"surrogate|levels|stand|large|byte", wrong[number]
        ):
            assert SCHEMA.is_valid(event) is (number not in wrong), line


def wrong_lines(path: Path) -> dict[int, str]:
    """Give the lines with errors that are expected of a case."""
    expected = path.with_name(path.name + ".expected").read_text("utf-8")
    found = re.findall(rf"(?m)^{re.escape(path.name)}:(\d+): (?!warning)(.*)", expected)
    return {int(line): words for line, words in found}


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(event_schema())
    assert event_schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
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
    assert len(found) > 10
    for pattern in found:
        for escaped in re.findall(r"\\(.)", pattern):
            assert escaped in r"^$\.*+?()[]{}|/dDwWsSbBtrnvfxu", pattern


def test_it_is_printed(world: World) -> None:
    run = world.run("validate", "--print-schema")
    assert run.code == 0
    assert json.loads(run.stdout) == event_schema()

"""JSON in every shape: what is valid is read exactly, what is broken costs one record."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reo_cli.checker import Checker
from reo_cli.commandline import CommandLine
from reo_cli.events import Rules
from reo_cli.readers import ReadOptions
from reo_cli.readers.names import NameRules
from reo_cli.readers.text import RECORD_LIMIT
from reo_cli.records import Issue, Record
from tests.readers.reading import ALL, fields, items

EVENTS = [
    {"count": 1, "domain": "a.com"},
    {"count": 2, "meta": {"a": [1.5, None]}},
    {"domain": "é"},
]


def read(text: str, drip: int = 1 << 18, name: str = "x.json") -> list[Record | Issue]:
    return items(text.encode(), ReadOptions(names=ALL), name=name, drip=drip)


SHAPES = {
    "ndjson": "\n".join(map(json.dumps, EVENTS)),
    "crlf": "".join(f"{json.dumps(each)}\r\n\r\n" for each in EVENTS),
    "old_mac": "\r".join(map(json.dumps, EVENTS)),
    "array": json.dumps(EVENTS),
    "pretty_array": json.dumps(EVENTS, indent=2),
    "pretty": "\n".join(json.dumps(each, indent=4) for each in EVENTS),
    "concatenated": "".join(map(json.dumps, EVENTS)),
    "arrays": "".join(json.dumps([each]) for each in EVENTS),
    "envelopes": "\n".join(json.dumps({"error": {"count": 9}, "payload": each}) for each in EVENTS),
    "spaced": " \n\t" + " \n ".join(map(json.dumps, EVENTS)) + "\n ",
    "escaped": json.dumps(EVENTS, ensure_ascii=True),
}


@pytest.mark.parametrize("drip", [1, 3, 17, 1 << 18])
@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES)
def test_all_shapes_are_the_same(text: str, drip: int) -> None:
    assert fields(read(text, drip)) == EVENTS


BROKEN = [
    '{"count": 1',
    '{"count" 1}',
    "{'count': 1}",
    '{"count": NaN}',
    '{"count": None}',
    '{"count": 1,}',
    "{count: 1}",
    '{"count": }',
    "hello",
    '{"count": "x',
    '{"count": 01}',
    '{"count": "\\x"}',
    '{"count": 1, "count": 2}',
    '{"count": 1e400}',
    '{"count": ' + "9" * 5000 + "}",
    "[" * 100_000,
    '["',
    '{"payload": 3}',
    '{"payload": null, "raw": "x"}',
    "12",
    '"text"',
    "null",
    "{",
    '{"count": "' + "x" * RECORD_LIMIT + '"}',
    '{"a": ' * 2000,
    "\x00",
    "{" * 100,
    '{"a": "\t"}',
]


@pytest.mark.parametrize("broken", BROKEN, ids=range(len(BROKEN)))
def test_a_broken_line_costs_one_record(broken: str) -> None:
    good = [json.dumps(each) for each in EVENTS]
    found = read("\n".join([good[0], broken, good[1], good[2]]) + "\n", name="x.ndjson")
    told = fields(found)
    assert told[0] == EVENTS[0]
    assert told[-2:] == EVENTS[1:]
    assert [line for line, _ in told[1:-2]] == [2]


@pytest.mark.parametrize(
    "change", [('"count": 7', '"count" 7'), ('"count": 7', '"count: 7'), ("7,", "7"), ("7", "x")]
)
@pytest.mark.parametrize("indent", [2, 4])
def test_a_broken_value_of_several_lines_costs_one_record(
    change: tuple[str, str], indent: int
) -> None:
    events = [{"count": n, "meta": {"a": {"b": [1, 2]}}} for n in (5, 7, 6)]
    array = json.dumps(events, indent=indent)
    between = "},\n" + " " * indent + "{"
    assert between in array
    for text in (
        array,
        array.replace(between, "},{"),
        array.replace(between, "} , {"),
        "\n".join(json.dumps(each, indent=indent) for each in events),
    ):
        told = fields(read(text.replace(*change)))
        assert [told[0], told[-1]] == [events[0], events[2]]
        assert len(told) == 3


def test_a_broken_value_in_one_line_costs_one_record() -> None:
    told = fields(read('[{"count": 1}, {"count": x2}, {"count": 3}, {"count": 4, {"count": 5}]'))
    assert [each for each in told if isinstance(each, dict)] == [
        {"count": 1},
        {"count": 3},
        {"count": 5},
    ]
    assert len(told) == 5


@pytest.mark.parametrize(
    ("text", "words", "read_all"),
    [
        ('[{"count": 1},\n]', "before the end of the array", 1),
        ('[{"count": 1}\n{"count": 2}]', "comma is missing", 2),
        ('[{"count": 1},,{"count": 2}]', "where a value belongs", 2),
        ('[,{"count": 1}]', "where a value belongs", 1),
        ('{"count": 1},\n{"count": 2}', "outside an array", 2),
        ('[{"count": 1},\n{"count": 2}\n', "not closed", 2),
        ('[{"count": 1},\n{"count":', "in the middle of a value", 1),
        ('{"count": 1}\n{"count": "x', "in the middle of a value", 1),
    ],
)
def test_faults_around_values_are_said_and_the_values_read(
    text: str, words: str, read_all: int
) -> None:
    told = fields(read(text))
    assert [each for each in told if isinstance(each, dict)] == [
        {"count": n + 1} for n in range(read_all)
    ]
    (fault,) = [each for each in told if not isinstance(each, dict)]
    assert words in fault[1]


@given(st.text(st.sampled_from('{}[]",:1a\\ \n\r-'), max_size=50), st.integers(1, 60))
def test_any_text_becomes_records_or_issues(text: str, drip: int) -> None:
    found = read("{" + text, drip)
    assert [each.line for each in found] == sorted(each.line for each in found)
    assert found
    assert [type(each) for each in found] == [type(each) for each in read("{" + text)]


@given(st.lists(st.dictionaries(st.sampled_from(["count", "meta"]), st.integers() | st.none())))
def test_lines_are_counted(events: list[dict[str, Any]]) -> None:
    found = read("".join(f"{json.dumps(each)}\n" for each in events), name="x.ndjson")
    lines = [each.line for each in found if isinstance(each, Record)]
    assert lines == list(range(1, len(events) + 1))


def test_the_line_of_a_field_is_that_of_its_key() -> None:
    text = '\n{\n"meta": {\n"count": 1,\n"plan": 2},\n"count"\n:\n3, "a\\u0062": 1,\n"meta.x": 5}'
    (record,) = read(text)
    assert isinstance(record, Record)
    wanted = {"meta": 3, "count": 6, "meta.plan": 5, "meta.x": 9, "domain": 2}
    assert {name: record.line_of(name) for name in wanted} == wanted
    (record,) = read('{"count": 9,\n"payload":\n{"count": 1}}')
    assert isinstance(record, Record)
    assert record.line_of("count") == 3


def test_what_python_changes_is_kept() -> None:
    (record,) = read('{"meta": {"a": -0, "b": 1.50, "c": "-0", "d": "2026-01-01"}}')
    assert isinstance(record, Record)
    assert record.fields is not None
    assert [str(getattr(each, "text", each)) for each in record.fields["meta"].values()] == [
        "-0",
        "1.50",
        "-0",
        "2026-01-01",
    ]


@pytest.mark.parametrize(("name", "severity"), [("x.ndjson", "warning"), ("x.json", "error")])
@pytest.mark.parametrize("text", ["", " \n "])
def test_no_value_at_all(text: str, name: str, severity: str) -> None:
    (issue,) = read(text, name=name)
    assert isinstance(issue, Issue)
    assert issue.severity == severity
    assert not read("[]", name=name)


WHOLE = '{"a": -1.5e3, "b": true, "c": [null, false, {}], "d": "x\\u00e9\\n\\"", "e": {"f": 0}}'


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_cut_is_known_wherever_it_is(end: str) -> None:
    for size in range(1, len(WHOLE)):
        ((_, message),) = fields(read(WHOLE[:size] + end))
        assert "the input ends in the middle of a value" in message, WHOLE[:size]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"count": 1,}', "a comma before a closing bracket"),
        ('{"count": 1, "meta":}', "no value"),
        ('[{"count": 1},{"a"}]', "a colon is missing"),
        ('{"count": 01}', "missing"),
    ],
)
def test_a_fault_at_the_end_is_no_cut(text: str, words: str) -> None:
    told = [each[1] for each in fields(read(text)) if isinstance(each, tuple)]
    assert any(words in each for each in told)


def test_what_else_is_wrong_is_found_beside_an_unreadable_value() -> None:
    text = '{"count": NaN, "foo": 1, "meta": {"a": [1e400]}, "domain": "x", "domain": "y"}'
    options = ReadOptions(names=NameRules())
    (record,) = items(f'{{"payload": {text}}}'.encode(), options, name="x.json")
    assert isinstance(record, Record)
    assert [(issue.field, issue.message.partition(" ")[2][:20]) for issue in record.faults] == [
        ("count", "is not JSON: leave t"),
        ("meta", "number 1e400 is too "),
        ("domain", 'key "domain" stands '),
        ("foo", "no field"),
    ]
    assert record.fields == {}
    assert not record.is_whole


GOOD = '{"count": 1, "domain": "a.com"}'
NESTED = '{"count": 900, "domain": "never.sent"}'


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ('{"count": tru}' + GOOD * 50, 50),
        (f'[{GOOD}, {{"count": 1 "meta": {{"a": [{NESTED}, {NESTED}]}}}}, {GOOD}]', 2),
        (f'[{{"count": 1 "meta": {{"a": [{NESTED}, {NESTED}]}}}},{{"count": 2}}]', 1),
        (f'{{"count": 1 "user_agent": "/{{a}}{{b}}"}}\n{GOOD}', 1),
        (f'{{"count": 1, "user_agent": "\\x}}{{"}}\n{GOOD}', 1),
        (f'{{"count": 1\n{{"count": 2, "user_agent": "/{{a}}{{b}}"}}\n{GOOD}', 2),
        (f'{{"count": 1, "meta":\n{GOOD}\n{GOOD}{GOOD}', 3),
        (f'[\n{{\n  "count": 1\n,}},\n{GOOD}\n]', 1),
        (f'[{GOOD}, {{"user_agent": "{"x" * 1_300_000}"}}, {GOOD}, {GOOD}]', 3),
        (f'{GOOD}{{"user_agent": "\\\\{"x" * 1_300_000}\\""}}{GOOD}{GOOD}', 3),
        (f'[{GOOD}, {{"count": x, "meta": [{{"b": 1}}, {{"c": 2}}]}}, {GOOD}]', 2),
    ],
    ids=range(11),
)
@pytest.mark.parametrize("drip", [1 << 18, 4099, 7])
def test_a_broken_value_takes_no_other_of_its_line_with_it(text: str, good: int, drip: int) -> None:
    told = fields(read(text, drip=drip))
    assert sum(isinstance(each, dict) for each in told) == good
    assert len(told) == good + 1


def test_a_mapped_field_is_read_from_its_key_only() -> None:
    rules = NameRules({"domain": "Company"}, command=None)
    first, second = items(
        b'{"Company": "right.com"}\n{"domain": "wrong.com"}', ReadOptions(names=rules)
    )
    assert isinstance(first, Record)
    assert isinstance(second, Record)
    assert (first.fields, second.fields) == ({"domain": "right.com"}, {})
    assert "left over" in second.faults[0].message


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ('{"count": NaN,\n"user_agent": "NaN"}', [1]),
        ('{"user_agent": "NaN",\n"count": NaN}', [2]),
        ('{"count": 1,\n"count": 2,\n"meta": {"sort": "count"}}', [2]),
        ('{"meta": {"a": 1,\n"a": 2},\n"a": 3}', [2]),
        ('{"count": 1,\r"domain": "x",\n"count": 2}', [3]),
    ],
)
def test_a_fault_is_at_its_own_line(text: str, lines: list[int]) -> None:
    (record,) = items(text.encode(), name="x.json")
    assert isinstance(record, Record)
    assert [issue.line for issue in record.faults] == lines


def test_the_events_inside_an_object_are_pointed_at() -> None:
    rules = NameRules(command=CommandLine(("reo", "validate", "x"), ("x",)))
    (record,) = items(b'{"n": 1, "my events": [{"count": 1}]}', ReadOptions(names=rules))
    assert isinstance(record, Record)
    (issue,) = record.faults
    assert 'inside "my events"' in issue.message
    assert issue.hint == """try: jq -c '.["my events"][]' x | reo validate -"""


MANY = 20_000
META = {f"k{n}": 1 for n in range(MANY)}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({f"company-{n}.com": {"downloads": n} for n in range(MANY)}, indent=1),
        json.dumps({"count": 1, "meta": {"v": [2**60 + n for n in range(MANY)]}}, indent=1),
        '{"count": 1, "meta": {"v": [\n' + ",\n".join(["NaN"] * MANY) + "]}}",
        json.dumps({"meta": META, **{f"meta.{name}": 1 for name in META}}, indent=1),
        "{" + ", ".join(f'"k{n}": 1' for n in range(MANY)) + ', "k1": 2}',
        "[" + ", ".join(['{"a": [x}'] * MANY) + "]",
    ],
    ids=["keys", "integers", "nan", "meta", "twice", "brackets"],
)
@pytest.mark.timeout(40)
def test_many_issues_of_one_record_take_no_time_each_of_its_size(text: str) -> None:
    """Each took minutes when every issue looked through the whole record."""
    checker = Checker(Rules(1_795_000_000))
    found = items(text.encode(), ReadOptions(names=NameRules()), name="x.json")
    issues = [issue for each in found for issue in told(checker, each)]
    assert len(issues) >= 1


def told(checker: Checker, item: Record | Issue) -> Sequence[Issue]:
    return [item] if isinstance(item, Issue) else checker.check(item).issues

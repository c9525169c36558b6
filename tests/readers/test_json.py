"""JSON in every shape: what is valid is read exactly, what is broken is said where it stands."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reo_cli.checks.checker import Checker
from reo_cli.events import Rules
from reo_cli.readers.source import BLOCK
from reo_cli.readers.text import RECORD_LIMIT
from reo_cli.records import Issue, Record
from tests.readers.reading import NOW, STRICT, WHOLE, items, problem, told

EVENTS: list[Any] = [
    {"count": 1, "domain": "a.com"},
    {"count": 2, "meta": {"a": [1.5, None]}},
    {"domain": "é"},
]
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
    "seq": "".join(f"\x1e{json.dumps(each)}\n" for each in EVENTS),
    "joined": "".join(f"\ufeff{json.dumps(each)}\n" for each in EVENTS),
}


@pytest.mark.parametrize("drip", [1, 3, 17, WHOLE])
@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES)
def test_all_shapes_are_the_same(text: str, drip: int) -> None:
    assert told(text, name="x.json", drip=drip) == EVENTS


NOT_JSON = r"""
{"count": 1|{"count" 1}|{'count': 1}|{"count": NaN}|{"count": None}|{"count": 1,}|{count: 1}|hello
{"count": }|{"count": "x|{"count": 01}|{"count": "\x"}|["|{|],|{"a": "	"}
"""
BROKEN = [
    *((text, "not-json") for text in (*NOT_JSON.strip().replace("\n", "|").split("|"), "\0")),
    ("{" * 100, "not-json"),
    ('{"count": 1, "count": 2}', "key-twice"),
    ('{"count": 1e400}', "too-large"),
    ('{"count": ' + "9" * 5000 + "}", "too-large"),
    ("[" * 100_000, "too-deep"),
    ('{"a": ' * 2000, "too-deep"),
    *((text, "not-an-object") for text in ('{"payload": 3}', "12", '"text"', "null")),
    ('{"payload": null, "raw": "x"}', "not-an-object"),
    ('{"count": "' + "x" * RECORD_LIMIT + '"}', "too-long"),
    ('{"count": "' + "x" * 3 * RECORD_LIMIT + '"}', "too-long"),
]


@pytest.mark.parametrize(("broken", "code"), BROKEN, ids=range(len(BROKEN)))
def test_a_broken_line_costs_one_line(broken: str, code: str) -> None:
    one, *others = map(json.dumps, EVENTS)
    found = told("\n".join([one, broken, *others]) + "\n", name="x.ndjson")
    assert [each for each in found if isinstance(each, dict)] == EVENTS
    first, *more = (each for each in found if isinstance(each, tuple))
    assert first == (2, code)
    assert {line for line, _ in more} <= {2, 3}


@pytest.mark.parametrize(
    "change", [('"count": 7', '"count" 7'), ('"count": 7', '"count: 7'), ("7,", "7"), ("7", "x")]
)
@pytest.mark.parametrize("indent", [2, 4])
def test_a_broken_value_of_several_lines(change: tuple[str, str], indent: int) -> None:
    nested = {"a": {"count": 900, "b": [{"count": 901}, {"count": 902}]}}
    first, second, third = [{"count": n, "meta": nested} for n in (5, 7, 6)]
    stream = "\n".join(json.dumps(each, indent=indent) for each in (first, second, third))
    one, (_, code), other = told(stream.replace(*change), name="x.json")
    assert (one, code, other) == (first, "not-json", third)
    array = json.dumps([first, second, third], indent=indent).replace(*change)
    one, (_, code) = told(array, name="x.json")  # it ends there
    assert (one, code) == (first, "not-json")


GOOD = '{"count": 1, "domain": "a.com"}'
NESTED = '{"count": 900, "domain": "never.sent"}'


@pytest.mark.parametrize(
    ("text", "wrong", "good"),
    [
        (f"[{GOOD},\n]", (2, "not-json"), 1),
        (f"[{GOOD}\n{GOOD}]", (2, "not-json"), 1),
        (f"[{GOOD},,{GOOD}]", (1, "not-json"), 1),
        (f"[,{GOOD}]", (1, "not-json"), 0),
        (f"{GOOD},\n{GOOD}", (1, "not-json"), 2),
        (f"{GOOD}]\n{GOOD}", (1, "not-json"), 2),
        (f"[{GOOD},\n{GOOD}\n", (3, "cut-off"), 2),
        (f'[{GOOD},\n{{"count":', (2, "cut-off"), 1),
        (f'{GOOD}\n{{"count": "x', (2, "cut-off"), 1),
        (f"[{GOOD}] x\n{GOOD}", (1, "not-json"), 2),
        (f'[{GOOD}, {{"count": x2}}, {GOOD}]', (1, "not-json"), 1),
        (f'[{GOOD}, {{"count": 1 "meta": {{"a": [{NESTED}, {NESTED}]}}}}]', (1, "not-json"), 1),
        (f'{{"count": tru}}{GOOD}\n{GOOD}', (1, "not-json"), 1),
        (f'[{GOOD}, {{"user_agent": "{"x" * 1_300_000}"}}, {GOOD}]', (1, "too-long"), 2),
        ('[{"a": ["' + "\\\\]" * 700_000 + '"], "b": {}}, ' + GOOD + "]", (1, "too-long"), 1),
        (f'["{"x" * 1_300_000}", {GOOD}]', (1, "too-long"), 1),
        (f'[{GOOD}, {{"count": NaN}}, {GOOD}]', (1, "not-json"), 2),
        (f'[{GOOD},\n{{"count": {"9" * 5000}}}, {GOOD}]', (2, "too-large"), 2),
    ],
    ids=range(18),
)
@pytest.mark.parametrize("drip", [WHOLE, 4099, 7])
def test_faults_around_values(text: str, wrong: tuple[int, str], good: int, drip: int) -> None:
    found = told(text, name="x.json", drip=drip)
    assert [each for each in found if isinstance(each, dict)] == [json.loads(GOOD)] * good
    assert [each for each in found if isinstance(each, tuple)] == [wrong]


@given(st.text(st.sampled_from('{}[]",:1a\\ \n\r-'), max_size=50), st.integers(1, 60))
def test_any_text_becomes_records_or_issues_in_the_order_of_lines(text: str, drip: int) -> None:
    found = items("{" + text, name="x.json", drip=drip)
    assert [each.line for each in found] == sorted(each.line for each in found)
    assert found
    assert list(map(type, found)) == list(map(type, items("{" + text, name="x.json")))


@pytest.mark.parametrize(("name", "severity"), [("x.ndjson", "warning"), ("x.json", "error")])
def test_no_value_at_all(name: str, severity: str) -> None:
    for text in ("", " \n "):
        issue = problem(text, name=name)
        assert (issue.severity, issue.code) == (severity, "empty")
    assert not items("[]", name=name)


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_cut_is_an_error_wherever_it_is(end: str) -> None:
    whole = '{"a": -1.5e3, "b": true, "c": [null, false, {}], "d": "x\\u00e9\\n\\"", "e": {"f": 0}}'
    for size in range(1, len(whole)):
        assert told(whole[:size] + end, name="x.json") in ([(1, "cut-off")], [(1, "not-json")])


def test_all_that_cannot_be_kept_is_named() -> None:
    text = '{"count": NaN, "foo": 1, "meta": {"a": [1e400]}, "domain": "x", "domain": "y"}'
    (record,) = items(f'{{"payload": {text}}}', STRICT, name="x.json")
    assert isinstance(record, Record)
    found = [(issue.field, issue.code) for issue in record.faults]
    assert found == [("count", "not-json"), ("meta", "too-large"), ("domain", "key-twice")]
    assert record.fields is None


INNER = '{"domain":"a.com"},{"domain":"b.com","count":9}'


@pytest.mark.parametrize(
    ("text", "path", "found"),
    [
        ('{"count":1,"rows":[%s]}', "rows", [("a.com", 1), ("b.com", 9)]),
        ('{"count":1,"x":{"y":{"rows":[%s]}}}', "x.y.rows", [("a.com", 1), ("b.com", 9)]),
        ('[{"count":1,"rows":[%s]},{"rows":[]}]', "rows", [("a.com", 1), ("b.com", 9)]),
        ('{"count":1,"x":[{"count":2,"rows":[%s]}]}', "x.rows", [("a.com", 2), ("b.com", 9)]),
        ('{"a.b":[%s]}\n{"c":1,"a.b":[]}', "a.b", [("a.com", None), ("b.com", 9)]),
        ('{"rows":{"domain":"a.com"}}', "rows", [("a.com", None)]),
        ('{"a":1}', "rows", "no-records"),
        ('{"rows":3}', "rows", "no-records"),
        ('{"rows":[1]}', "rows", "not-an-object"),
        ("[[3]]", "rows", "not-an-object"),
        ('{"rows":[{]}', "rows", "not-json"),
    ],
)
@pytest.mark.parametrize("drip", [1, WHOLE])
def test_records_inside_documents(text: str, path: str, found: Any, drip: int) -> None:
    spaced = text.replace("%s", INNER).replace(":", " :\n ")
    read = told(spaced, name="x.json", records=path, drip=drip)
    if isinstance(found, str):
        assert [code for _, code in read] == [found]
    else:
        rows = [each for each in read if isinstance(each, dict)]
        assert [(each["domain"], each.get("count")) for each in rows] == found


def test_a_document_may_be_larger_than_a_record() -> None:
    text = '{"source":"x","rows":[' + ",".join(['{"domain":"a.com"}'] * 100_000) + '],"event_at":1}'
    *read, last = told(text, records="rows")
    assert read == [{"source": "x", "domain": "a.com"}] * 100_000
    assert last == (1, "late-key")  # the records were read without it


def test_a_number_may_be_cut_in_two_by_a_block() -> None:
    before = '"note":"' + "x" * (BLOCK - 24) + '","event_at":'
    assert len(before) == BLOCK - 3
    found = told("{\n" + before + '12345,"rows":[{"domain":"a.com"}]}', records="rows")
    assert found == [{"event_at": 12345, "domain": "a.com"}]


def test_a_count_from_outside_the_records_is_doubted() -> None:
    text = '{"count": 2, "rows": [{"domain": "acme.com", "pulls": 5}]}'
    assert told(text, records="rows") == [{"count": 2, "domain": "acme.com"}, (1, "outer-count")]
    mapped = told(text, records="rows", mapped={"count": "pulls"})
    assert mapped == [{"count": 5, "domain": "acme.com"}]


@pytest.mark.timeout(20)
def test_different_unknown_keys_in_every_record_take_no_time() -> None:
    lines = (json.dumps({f"p{n}_{k}": k for k in range(50)}) + "\n" for n in range(3000))
    found = items("".join(lines), STRICT, name="x.ndjson")
    news = [each for each in found if isinstance(each, Record) and not each.faults[0].again]
    assert (len(found), len(news)) == (3000, 20)


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
        json.dumps({"meta": [{"a": {}}] * MANY}, indent=1),
    ],
    ids=["keys", "integers", "nan", "meta", "twice", "brackets", "lines"],
)
@pytest.mark.timeout(40)
def test_many_issues_of_one_record_take_no_time_each_of_its_size(text: str) -> None:
    """Each took minutes when every issue looked through the whole record."""
    checker = Checker(Rules(NOW))
    for each in items(text, STRICT, name="x.json"):
        assert isinstance(each, Issue) or checker.check(each).issues

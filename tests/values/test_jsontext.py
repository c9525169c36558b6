"""JSON text ↔ values: everything valid is kept exactly, everything else is a fault."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reo_cli.values.jsontext import Decoder, encode, encode_plain
from reo_cli.values.metadata import meta_object, normal

NUMBERS = [
    "0",
    "-0",
    "-0.0",
    "1.0",
    "1.00",
    "1e5",
    "1E+2",
    "1e-400",
    "0.1",
    "12345678901234567890.5",
]
STRICT = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["a", "é", "\U0001f600", '"\\\n'])
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab-0", max_size=3), inner),
)


def decoded(text: str) -> tuple[Any, list[str]]:
    decoder = Decoder()
    value = decoder.decode(text)
    return value, [fault.message for fault in decoder.faults]


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_keep_their_digits(number: str) -> None:
    text = f'{{"a":[{number},"-0",{number}]}}'
    value, faults = decoded(text)
    assert not faults
    assert encode(value) == text


@given(STRICT)
def test_values_come_back_as_they_are(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False)
    read, faults = decoded(text)
    assert not faults
    assert read == value
    assert (
        encode(read)
        == encode_plain(read)
        == json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    )


@pytest.mark.parametrize(
    "text", ['{"a":1,"a":2}', '{"a":{"b":1,"b":1}}', "[NaN]", "-Infinity", "1e400", "[1e309]"]
)
def test_what_python_lets_through_is_a_fault(text: str) -> None:
    assert decoded(text)[1]


@pytest.mark.parametrize(
    "text", ["", "01", "1.", ".5", "+1", "[1,]", "{'a':1}", "tru", "1 2", "\ufeff1"]
)
def test_no_json(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decoded(text)


def test_meta_is_sorted_at_every_depth() -> None:
    value, exact, findings = normal({"b": {"d": 1, "c": [{"z": 1, "a": None}]}, "a": True})
    assert encode(value) == '{"a":true,"b":{"c":[{"a":null,"z":1}],"d":1}}'
    assert not exact
    assert not findings


def test_meta_may_have_64_levels_of_the_event() -> None:
    def nested(levels: int) -> Any:
        return json.loads('{"a":' * levels + "1" + "}" * levels)

    assert not normal(nested(63)).findings
    assert [each.severity for each in normal(nested(64)).findings] == ["error"]


@pytest.mark.parametrize("text", ["x", "[1]", '"a"', '{"a":1,"a":2}', '{"a":NaN}', "{", "1" * 5000])
def test_a_cell_of_meta_must_be_an_object(text: str) -> None:
    value, findings = meta_object(text)
    assert value is None
    assert findings

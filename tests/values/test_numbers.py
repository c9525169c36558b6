"""`count`: what is a whole number, and what is said of everything else."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reo_cli.values import QuotedNumber
from reo_cli.values.numbers import EXACT_LIMIT, ExactFloat, count, exact_integer

GOOD: list[tuple[Any, int]] = [
    ("1250", 1250),
    ("1250.0", 1250),
    ("9" * 15, 10**15 - 1),
    (1250, 1250),
    (1250.0, 1250),
    (ExactFloat("1.25e3"), 1250),
    (ExactFloat("1E2"), 100),
    (EXACT_LIMIT, EXACT_LIMIT),
]

BAD: list[tuple[Any, str]] = [
    ("1,250", "comma, the thousands separator: 1250"),
    ("1.000", "dot, the thousands separator: 1000"),
    ("1.250.000", "1250000"),
    ("1'250", "apostrophe"),
    ("1\u202f250", "space, the thousands separator: 1250"),
    ("1_000", "underscore"),
    ("1,25,000", "125000"),
    ("1,250.00", "and the decimals: 1250"),
    ("1.250,75", "and round it: 1251"),
    ("1.250,49", "and round it: 1250"),
    ("+1,250", "the thousands separator: 1250"),
    ("0.125", "round it, for instance to 0"),
    ("0,500", "round it, for instance to 1"),
    (".5", "round it, for instance to 1"),
    ("+007", "remove the plus sign: 7"),
    (" 007 ", "spaces around it: 7"),
    (" 12.0 ", "write 12"),
    ("012,345", "digits only"),
    ("-1,250", "zero or more"),
    (" -12.5", "zero or more"),
    ("\u22125", "zero or more"),
    (QuotedNumber("-5"), "zero or more"),
    (-1.5, "zero or more"),
    (" 1,250 ", "1250"),
    ("12.5", "round it"),
    ("1.2E+05", "spreadsheet"),
    ("1,79E+09", "spreadsheet"),
    ("+5", "plus sign: 5"),
    ("007", "write 7"),
    (" 12 ", "spaces around it: 12"),
    ("١٢", "digits 0 to 9: 12"),
    ("0x1f", "digits only"),
    ("true", "digits only"),
    ("-5", "zero or more"),
    ("1" * 5000, "no count is that large"),
    ("1" * 400 + ".5", "round it"),
    (QuotedNumber("12"), "write 12 without quotes"),
    (QuotedNumber("1,250"), "1250"),
    (-1, "zero or more"),
    (1.5, "round it, for instance to 2"),
    (ExactFloat("1e-400"), "round it"),
]


@pytest.mark.parametrize(("raw", "value"), GOOD)
def test_whole_numbers(raw: Any, value: int) -> None:
    assert count(raw) == (value, ())


@pytest.mark.parametrize(("raw", "hint"), BAD)
def test_everything_else_has_its_hint(raw: Any, hint: str) -> None:
    value, findings = count(raw)
    assert value is None
    assert [each.severity for each in findings] == ["error"]
    assert hint in findings[0].hint


@pytest.mark.parametrize("raw", [True, False])
def test_other_types(raw: Any) -> None:
    value, findings = count(raw)
    assert value is None
    assert "not a whole number" in findings[0].message


@pytest.mark.parametrize("raw", ["", "  ", None, QuotedNumber(" ")])
def test_blank_is_absent(raw: Any) -> None:
    assert count(raw) == (None, ())


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("0", 0),
        (0, 0),
        (-0.0, 0),
        (EXACT_LIMIT + 1, EXACT_LIMIT + 1),
        ("9007199254740993", 9007199254740993),
        (ExactFloat("9007199254740993.0"), 9007199254740993),
    ],
)
def test_odd_numbers_pass_with_a_warning(raw: Any, value: int) -> None:
    number, findings = count(raw)
    assert number == value
    assert [each.severity for each in findings] == ["warning"]


def test_what_is_remembered_of_a_number_is_not_said_of_its_neighbour() -> None:
    near = [ExactFloat(text) for text in ("9007199254740993.0", "9007199254740992.00", "1.5e0")]
    same = ExactFloat("15e-1")
    assert [count(each)[0] for each in near] == [9007199254740993, 9007199254740992, None]
    assert "15e-1" in count(same)[1][0].message


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0e99999999999999999999", 0),
        ("-0.0e-99999999999999999999", 0),
        ("1e-99999999999999999999", None),
        ("1e+00000000000000000000002", 100),
        ("1.00000000000000000001", None),
        ("9007199254740993.0", 9007199254740993),
        ("1.2300e2", 123),
        ("-12.5e1", -125),
        ("0." + "0" * 9000 + "1e9001", 1),
    ],
)
def test_exact_integers(text: str, number: int | None) -> None:
    assert exact_integer(ExactFloat(text)) == number


@given(
    st.from_regex(r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][-+]?[0-9]{1,2})?", fullmatch=True)
)
def test_an_integer_is_what_its_digits_say(text: str) -> None:
    exact = Decimal(text)
    number = int(exact) if exact == exact.to_integral_value() else None
    assert exact_integer(ExactFloat(text)) == number


@given(st.text() | st.from_regex(r"[-+ 0-9.,'_eE]{1,30}"))
def test_any_text_is_a_number_or_an_error(raw: str) -> None:
    value, findings = count(raw)
    assert value is None or value == int(raw.partition(".")[0])
    assert value is not None or findings or not raw.strip()

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reo_cli.records import Issue
from reo_cli.reports.findings import in_context


def issue(message: str, field: str = "count") -> Issue:
    return Issue("a.csv", 1, 1, field, "error", message)


CONTEXT = [
    ('"1,250" is bad', '2026;"1,250";US', ('2026;"', "1,250", '";US')),
    ('"12" is bad', "12;3", ("", "12", ";3")),
    ('"1" is bad', "2021-11;1;US", ("2021-11;", "1", ";US")),
    ("is missing", "2021-11;1;US", ("2021-11;1;US", "", "")),
    ('"7" is bad', "7;7;US", ("7;7;US", "", "")),
    ('"nowhere" is bad', "7;7;US", ("7;7;US", "", "")),
    ("`7` is bad", '{"id": 7, "count": 7}', ('{"id": 7, "count": ', "7", "}")),
    ('"7" is bad', '{\n "id": 7,\n  "count": "7"\n}', ('"count": "', "7", '"')),
]


@pytest.mark.parametrize(("message", "excerpt", "expected"), CONTEXT)
def test_the_value_is_found_where_it_can_be_told(
    message: str, excerpt: str, expected: tuple[str, str, str]
) -> None:
    assert in_context(excerpt, issue(message), 60) == expected


def test_a_long_line_is_cut_around_the_value() -> None:
    before, value, after = in_context("a" * 500 + ";oops;" + "b" * 500, issue('"oops" is bad'), 40)
    assert value == "oops"
    assert before.startswith("…a")
    assert after.endswith("b…")
    assert len(before + value + after) <= 42


@given(st.text(), st.text(min_size=1), st.integers(10, 100))
def test_any_excerpt_gives_a_part_of_bounded_length(text: str, value: str, room: int) -> None:
    parts = in_context(f"{text} {value} {text}", issue(f'"{value}" is bad'), room)
    assert sum(map(len, parts)) <= room + 8

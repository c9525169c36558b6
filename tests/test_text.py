import json
import unicodedata
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reo_cli.text import MASKED, Mask, inert, visible

SHOWN = [
    ("plain ASCII, untouched", "plain ASCII, untouched"),
    ("Zoë 東京 ✓", "Zoë 東京 ✓"),
    ("\x1b[31mred", r"\x1b[31mred"),
    ("a\nb\r\tc\x00", r"a\nb\r\tc\x00"),
    ("\x7f\x85\x9b", r"\x7f\x85\x9b"),
    ("\u202eevil\u2066", r"\u202eevil\u2066"),
    ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
    ("a\u2028b\u2029", r"a\u2028b\u2029"),
    ("\udcff\ud800", r"\udcff\ud800"),
    ("1\xa0250", r"1\xa0250"),
    ("soft\xadhyphen", r"soft\xadhyphen"),
    ("filler\u3164 vs\ufe0f\U000e0101", r"filler\u3164 vs\ufe0f\U000e0101"),
    ("[/x][red] \\x1b", "[/x][red] \\x1b"),
]


@pytest.mark.parametrize(("text", "expected"), SHOWN)
def test_what_cannot_be_seen_becomes_an_escape(text: str, expected: str) -> None:
    assert visible(text) == expected


def test_a_long_text_is_cut_and_says_so_and_no_escape_in_two() -> None:
    assert visible("x" * 200) == "x" * 200
    assert visible("x" * 201) == "x" * 199 + "…"
    assert visible("abc\x1b\x1b", limit=10) == r"abc\x1b…"


@given(st.text(), st.integers(1, 300))
def test_5_9_no_character_of_a_text_does_anything(text: str, limit: int) -> None:
    shown = visible(text, limit)
    assert len(shown) <= limit
    assert shown.isprintable()
    bad = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert not [each for each in shown if unicodedata.category(each) in bad]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("::stop-commands::x", r"\x3a:stop-commands::x"),
        (" \t::error::x", " \t\\x3a:error::x"),
        ("fine\n::error::x\n", "fine\n\\x3a:error::x\n"),
        ("in the ::middle::", "in the ::middle::"),
        ("anywhere ##[group]x", r"anywhere \x23#[group]x"),
        ("###[error]", r"#\x23#[error]"),
        ("##vso[task.setvariable]", r"\x23#vso[task.setvariable]"),
        ("## heading", "## heading"),
    ],
)
def test_a_command_for_a_ci_runner_is_made_inert(line: str, expected: str) -> None:
    assert inert(line) == expected


def test_the_mask_knows_the_longest_secret_first_and_no_short_one() -> None:
    mask = Mask()
    for key in ("", "sent", "abcdefgh", "abcdefgh-and-more"):
        mask.hide(key)
    assert mask("abcdefgh-and-more was sent") == f"{MASKED} was sent"


@given(st.text('ab\\/%+"', min_size=8, max_size=12), st.text(), st.text())
def test_a_mask_hides_every_spelling(key: str, before: str, after: str) -> None:
    mask = Mask(key)
    spelled = json.dumps(key)[1:-1].replace("/", "\\/").replace("+", "\\u002B")
    for text in (key, spelled, quote(key, safe="")):
        assert mask(text) == MASKED
        assert mask.data(text.encode()) == MASKED.encode()
    assert key not in mask(before + key + after)

"""The oracle is GitHub's runner as its source has it: a line that begins with `::` after white
space is a command, and so is a known `##[name]` anywhere in a line."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from reo_cli.checks.validation import FileResult
from reo_cli.delivery.summary import Counts
from reo_cli.errors import ExitCode
from reo_cli.records import STDIN, Issue
from reo_cli.reports import Streams, Talk
from reo_cli.reports.github import LARGEST_SUMMARY, annotation, markdown
from reo_cli.reports.view import Block, Fact, Line, View
from tests.reports.samples import (
    EVIL,
    HOSTILE,
    KEY_REFUSED,
    MAILBOX,
    delivered,
    on_screen,
    one_input,
    piped,
    report,
    settled,
    summary,
    validation,
)

STREAM = Streams(None, None, {}).out
TEXTS = st.text(max_size=60) | st.lists(
    st.sampled_from(["::", "##[", "error", "]", "\r", "\n", "%0A", ",", "=", " ", "|", "<", "`"])
).map("".join)
CHECKED = report(validation(), "github")


def commands(log: str) -> list[tuple[str, dict[str, str], str]]:
    """What a runner would obey in `log`: name, properties, message, all of them unescaped."""
    found = []
    for line in re.split(r"\r\n|\r|\n", log):
        text = line.lstrip()
        if text.startswith("::") and "::" in text[2:]:
            head, _, message = text[2:].partition("::")
            name, _, pairs = head.partition(" ")
            properties = dict(pair.split("=", 1) for pair in pairs.split(",") if "=" in pair)
            found.append((name, {k: unescape(v) for k, v in properties.items()}, unescape(message)))
        elif re.search(r"##\[\w+", line):
            found.append(("##", {}, line))
    return found


def unescape(text: str) -> str:
    for token, mark in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(token, mark)
    return text


def test_errors_come_first_and_are_escaped() -> None:
    seen = piped(CHECKED)
    lines = seen.out.splitlines()
    assert lines[0] == (
        '::error file=usage.csv,line=17,title=count::"1,250" is not a whole number'
        " (remove the comma: 1250)"
    )
    assert lines[1].startswith("::error file=evil\\x1b[31m\\u202e[/x]\\n%3A%3Astop-commands%3A%3A")
    assert lines[1].endswith('%250A" is odd (::debug::hint, with: marks)')
    assert lines[2].startswith("::warning file=usage.csv,line=20,title=domain::")
    assert (len(lines), seen.code) == (3, 65)


def test_the_text_goes_to_the_log_and_obeys_quiet() -> None:
    assert "result: invalid: 8 of 10,003 records\n" in piped(CHECKED).err
    assert piped(CHECKED, quiet=True).err == ""


PLACES = [
    (("{work}/data/a.csv", 1, 1, ""), "file=data/a.csv,line=1,title=reo"),
    (("/etc/b.csv", 2, 1, ""), "file=/etc/b.csv,line=2,title=reo"),
    ((STDIN, 0, 0, "count"), "title=count"),  # of the command line
    ((STDIN, 3, 2, "count"), "title=count%2C line 3 of standard input"),
]


@pytest.mark.parametrize(("place", "expected"), PLACES)
def test_where_an_annotation_is_shown(place: Any, expected: str, tmp_path: Path) -> None:
    file, line, number, field = place
    issue = Issue(file.format(work=tmp_path), line, number, field, "error", "bad")
    assert annotation(issue, STREAM, str(tmp_path)) == f"::error {expected}::bad"


def test_an_issue_of_the_command_line_has_no_place_in_the_summary() -> None:
    issue = Issue(STDIN, 0, 0, "count", "error", "bad")
    lines = markdown("x", View("", ExitCode.OK, {}, issues=[issue]), 0, STREAM)
    assert "|  | count | error | bad |" in list(lines)


def test_records_the_api_did_not_take_and_the_error_are_annotations() -> None:
    ends = ("rejected", "errored", "delivered", "errored")
    told = [settled(outcome, reason="HTTP 400") for outcome in ends]
    result = summary(issues=[MAILBOX], errors=0, warnings=1, error=KEY_REFUSED)
    seen = piped(report(result, "github", told, max_issues=2))
    assert seen.out == (
        "::error file=usage.csv,line=2,title=reo::rejected: HTTP 400\n"
        "::error file=usage.csv,line=2,title=reo::errored: HTTP 400\n"
        "::error title=reo send-file::the API refused the key (get one)\n"
    )
    assert "… and 2 more issues (`--max-issues 4` shows all)\n" in seen.err


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_data_cannot_leave_its_annotation(file: str, field: str, message: str, hint: str) -> None:
    line = annotation(Issue(file, 7, 1, field, "error", message, hint), STREAM, "")
    assert line.isprintable()
    ((name, properties, _),) = commands(line)
    assert name == "error"
    assert set(properties) <= {"file", "line", "title"}


@pytest.mark.parametrize("output", ["table", "text", "json", "ndjson", "github"])
def test_no_output_holds_a_command_that_is_not_ours(output: str) -> None:
    names = ["::error::x", "##[group]x", EVIL]
    issues = [Issue(name, 1, 1, "", "error", f"{name} {HOSTILE.message}", name) for name in names]
    files = [FileResult(name, 1, 1, 1) for name in names]
    rejected = settled("rejected", reason="\n::warning::x ##[error]y")

    def act(streams: Streams, talk: Talk) -> None:
        report(validation(files=files, issues=issues), output)(streams, talk)
        report(summary(issues=issues, error=KEY_REFUSED), output, [rejected])(streams, talk)
        talk.note("::note::x")
        talk.verbose("::verbose::x")
        report(delivered(response="##[error]x"), output)(streams, talk)

    seen = piped(act, verbose=True)
    found = commands(seen.out)
    assert [name for name, _, _ in found] == ["error"] * (8 if output == "github" else 0)
    assert all("title" in properties for _, properties, _ in found)
    assert commands(seen.err) == []
    assert commands(on_screen(act, columns=40)) == found


@pytest.fixture
def step(tmp_path: Path) -> Path:
    """The file of a step summary that an earlier command has written to."""
    path = tmp_path / "summary.md"
    path.write_text("# before\n", encoding="utf-8")
    return path


def test_the_step_summary_holds_everything(step: Path) -> None:
    piped(CHECKED, {"GITHUB_STEP_SUMMARY": str(step)})
    text = step.read_text("utf-8")
    assert text.startswith("# before\n### reo validate\n")
    html = MarkdownIt("commonmark").enable("table").render(text)
    assert html.count("<tr>") == 4 + 4
    assert "&lt;b&gt;z&lt;/b&gt; `k` | %0A" in html
    assert "… and 7 more issues" in html
    assert "<b>" not in html


def test_the_step_summary_of_a_failure_and_of_success(step: Path) -> None:
    for result in (KEY_REFUSED, one_input()):
        piped(report(result, "github"), {"GITHUB_STEP_SUMMARY": str(step)})
    text = step.read_text("utf-8")
    assert "**error:** the API refused the key\n\n**hint:** get one\n" in text
    assert "- result: 3 events delivered\n" in text


def test_a_summary_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    seen = piped(CHECKED, {"GITHUB_STEP_SUMMARY": str(tmp_path)})
    assert f"warning: the step summary `{tmp_path}` cannot be written: " in seen.err
    assert seen.code == 65


def test_a_step_summary_is_never_too_large_for_github() -> None:
    issues = [Issue("a.csv", line, line, "", "error", "!" * 4000) for line in range(1, 1000)]
    text = "\n".join(markdown("reo", View("", ExitCode.OK, {}, issues=issues), 5, STREAM))
    assert len(text) < 1_000_000
    assert re.search(r"… and \d+ more issues \(`--max-issues 1004` shows all\)", text)


def test_the_summaries_of_one_step_stay_under_the_limit_together(step: Path) -> None:
    issues = [Issue("a.csv", line, line, "", "error", "!" * 4000) for line in range(1, 100)]
    act = report(validation(issues=issues), "github")
    environ = {"GITHUB_STEP_SUMMARY": str(step)}
    assert {piped(act, environ).code for _ in range(20)} == {65}
    assert 900_000 < step.stat().st_size <= LARGEST_SUMMARY
    assert step.read_text("utf-8").count("### reo validate") == 20
    step.write_bytes(b" " * (LARGEST_SUMMARY - 100))
    warning = f"warning: the step summary `{step}` has no room: GitHub allows 1 MiB"
    assert warning in piped(act, environ).err
    assert step.stat().st_size == LARGEST_SUMMARY - 100


def test_what_is_forgiven_is_a_warning() -> None:
    seen = piped(report(one_input(Counts(1, errored=2), allow_failure=True), "github"))
    assert seen.out.startswith("::warning title=reo send-file::not every event was delivered")
    assert "::error" not in seen.out
    assert seen.code == 0


@given(TEXTS)
def test_data_adds_no_markup_to_the_step_summary(text: str) -> None:
    issue = Issue(text, 1, 1, text, "error", text, text)
    blocks: list[Block] = [[Fact("ledger", text)], [Line(text)]]
    said: dict[str, Any] = {
        "issues": [issue],
        "errors": [KEY_REFUSED],
        "hints": [text],
        "forgiven": text,
    }
    lines = markdown("reo", View("", ExitCode.OK, {}, blocks, **said), 0, STREAM)
    html = MarkdownIt("commonmark").enable("table").render("\n".join(lines))
    tags = set(re.findall(r"<(/?[a-z0-9]+)", html)) - {"/code", "code"}
    known = "h3 p strong table thead tbody tr th td ul li"
    assert {tag.lstrip("/") for tag in tags} <= set(known.split())
    assert html.count("<tr>") == 2
    assert html.count("<td>") == 4
    assert html.count("<li>") == 2
    assert html.count("<strong>") == 3 + bool(text)

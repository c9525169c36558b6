"""The oracle is GitHub's runner as its source has it: a line that begins with `::` after white
space is a command, and so is a known `##[name]` anywhere in a line."""

import re
from dataclasses import replace
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
from reo_cli.reports.view import Fact, Line, View
from tests.reports.samples import (
    DELIVERED,
    EVIL,
    HOSTILE,
    KEY_REFUSED,
    MAILBOX,
    SETTLED,
    SUMMARY,
    VALIDATION,
    on_screen,
    one_input,
    piped,
    report,
)

STREAM = Streams(None, None, {}).out
TEXTS = st.text(max_size=60) | st.lists(
    st.sampled_from(["::", "##[", "error", "]", "\r", "\n", "%0A", ",", "=", " ", "|", "<", "`"])
).map("".join)
CHECKED = report(VALIDATION, "github", max_issues=2)
TO_HTML = MarkdownIt("commonmark").enable("table")


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


def test_errors_come_first_and_are_escaped_and_the_text_goes_to_the_log() -> None:
    seen = piped(CHECKED)
    first, second = seen.out.splitlines()
    assert first == (
        '::error file=usage.csv,line=17,title=count::"1,250" is not a whole number'
        " (remove the comma: 1250)"
    )
    assert second.startswith("::error file=evil\\x1b[31m\\u202e[/x]\\n%3A%3Astop-commands%3A%3A")
    assert second.endswith('%250A" is odd (::debug::hint, with: marks)')
    assert "result: invalid: 8 of 10,003 records\n" in seen.err
    assert seen.err.endswith("… and 1 more issue (`--max-issues 3` shows all)\n")
    assert piped(CHECKED, quiet=True) == (seen.out, "", 65)


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
    where = f"{issue.file}:{line}" if line else ""
    summary = TO_HTML.render(
        "\n".join(markdown("x", View("", ExitCode.OK, {}, issues=[issue]), 0, STREAM))
    )
    assert f"<td>{where}</td>" in summary


def test_records_the_api_did_not_take_and_the_error_are_annotations() -> None:
    ends = ("rejected", "errored", "delivered", "errored")
    told = [SETTLED._replace(outcome=each, reason="HTTP 400") for each in ends]
    result = replace(SUMMARY, issues=[MAILBOX], error=KEY_REFUSED)
    seen = piped(report(result, "github", told, max_issues=2))
    assert seen.out == (
        "::error file=usage.csv,line=2,title=reo::rejected: HTTP 400\n"
        "::error file=usage.csv,line=2,title=reo::errored: HTTP 400\n"
        "::error title=reo send-file::the API refused the key (get one)\n"
    )
    assert "… and 2 more issues (`--max-issues 4` shows all)\n" in seen.err


def test_what_is_forgiven_is_a_warning() -> None:
    seen = piped(report(one_input(Counts(1, errored=2), allow_failure=True), "github"))
    assert seen.out.startswith("::warning title=reo send-file::not every event was delivered")
    assert seen.out.count("::error") == seen.code == 0


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
    rejected = SETTLED._replace(outcome="rejected", reason="\n::warning::x ##[error]y")
    stopped = replace(SUMMARY, issues=issues, error=KEY_REFUSED)

    def act(streams: Streams, talk: Talk) -> None:
        report(VALIDATION._replace(files=files, issues=issues), output)(streams, talk)
        report(stopped, output, [rejected])(streams, talk)
        talk.note("::note::x")
        talk.verbose("::verbose::x")
        report(replace(DELIVERED, response="##[error]x"), output)(streams, talk)

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
    for result in (VALIDATION, KEY_REFUSED, one_input()):
        piped(report(result, "github", max_issues=2), {"GITHUB_STEP_SUMMARY": str(step)})
    text = step.read_text("utf-8")
    assert text.startswith("# before\n### reo validate\n")
    html = TO_HTML.render(text)
    assert html.count("<tr>") == 4 + 3 + 2
    assert "&lt;b&gt;z&lt;/b&gt; `k` | %0A" in html
    assert "… and 1 more issue" in html
    assert "<b>" not in html
    assert "**error:** the API refused the key\n\n**hint:** get one\n" in text
    assert "- result: 3 events delivered\n" in text


def test_a_summary_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    seen = piped(CHECKED, {"GITHUB_STEP_SUMMARY": str(tmp_path)})
    assert f"warning: the step summary `{tmp_path}` cannot be written: " in seen.err
    assert seen.code == 65


def test_the_summaries_of_one_step_stay_under_the_limit_together(step: Path) -> None:
    issues = [Issue("a.csv", line, line, "", "error", "!" * 4000) for line in range(1, 100)]
    act = report(VALIDATION._replace(issues=issues), "github")
    environ = {"GITHUB_STEP_SUMMARY": str(step)}
    assert {piped(act, environ).code for _ in range(20)} == {65}
    assert 900_000 < step.stat().st_size <= LARGEST_SUMMARY
    text = step.read_text("utf-8")
    assert text.count("### reo validate") == 20
    assert re.search(r"… and \d+ more issues \(`--max-issues 99` shows all\)", text)
    step.write_bytes(b" " * (LARGEST_SUMMARY - 100))
    warning = f"warning: the step summary `{step}` has no room: GitHub allows 1 MiB"
    assert warning in piped(act, environ).err
    assert step.stat().st_size == LARGEST_SUMMARY - 100


@given(TEXTS)
def test_data_adds_no_markup_to_the_step_summary(text: str) -> None:
    view = View(
        *("", ExitCode.OK, {}),
        blocks=[[Fact("ledger", text)], [Line(text)]],
        issues=[Issue(text, 1, 1, text, "error", text, text)],
        errors=[KEY_REFUSED],
        hints=[text],
        forgiven=text,
    )
    html = TO_HTML.render("\n".join(markdown("reo", view, 0, STREAM)))
    tags = {tag.strip("/") for tag in re.findall(r"<(/?[a-z0-9]+)", html)}
    assert tags <= set("h3 p strong table thead tbody tr th td ul li code".split())
    counts = [html.count(f"<{tag}>") for tag in ("tr", "td", "li", "strong")]
    assert counts == [2, 4, 2, 2 + 2 * bool(text)]

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
from reo_cli.delivery.summary import Counts, InputSummary
from reo_cli.errors import ExitCode
from reo_cli.records import STDIN, Issue
from reo_cli.reports import Streams, Talk
from reo_cli.reports.github import LARGEST_SUMMARY, annotation, markdown
from reo_cli.reports.send import SendReport
from reo_cli.reports.send_file import SendFileReport
from reo_cli.reports.validate import ValidateReport
from reo_cli.reports.view import Block, Fact, Line, View
from tests.reports.samples import (
    EVIL,
    HOSTILE,
    KEY_REFUSED,
    MAILBOX,
    Seen,
    delivered,
    on_screen,
    piped,
    settled,
    success,
    summary,
    validation,
)

STREAM = Streams(None, None, {}).out
TEXTS = st.text(max_size=60) | st.lists(
    st.sampled_from(["::", "##[", "error", "]", "\r", "\n", "%0A", ",", "=", " ", "|", "<", "`"])
).map("".join)


def clock() -> float:
    return 0.0


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


def validate(result: Any, folder: Path, environ: dict[str, str] | None = None) -> Seen:
    return piped(
        lambda s, t: ValidateReport("github", s, t, clock=clock).finish(result), folder, environ
    )


def test_errors_come_first_and_are_escaped(tmp_path: Path) -> None:
    seen = validate(validation(), tmp_path)
    lines = seen.out.splitlines()
    assert lines[0] == (
        '::error file=usage.csv,line=17,title=count::"1,250" is not a whole number'
        " (remove the comma: 1250)"
    )
    assert lines[1].startswith("::error file=evil\\x1b[31m\\u202e[/x]\\n%3A%3Astop-commands%3A%3A")
    assert lines[1].endswith('%250A" is odd (::debug::hint, with: marks)')
    assert lines[2].startswith("::warning file=usage.csv,line=20,title=domain::")
    assert len(lines) == 3
    assert seen.code == 65


def test_the_text_goes_to_the_log_and_obeys_quiet(tmp_path: Path) -> None:
    assert "result: invalid: 8 of 10,003 records\n" in validate(validation(), tmp_path).err
    quiet = piped(
        lambda s, t: ValidateReport("github", s, t, clock=clock).finish(validation()),
        tmp_path,
        quiet=True,
    )
    assert quiet.err == ""


def test_paths_are_those_of_the_workspace(tmp_path: Path) -> None:
    inside = str(tmp_path / "data" / "a.csv")
    environ = {"GITHUB_WORKSPACE": str(tmp_path)}
    issues = [
        Issue(inside, 1, 1, "", "error", "bad"),
        Issue("/etc/b.csv", 2, 1, "", "error", "bad"),
    ]
    result = validation(files=[FileResult(inside, 1, 1, 1)], issues=issues)
    assert validate(result, tmp_path, environ).out == (
        "::error file=data/a.csv,line=1,title=reo::bad\n"
        "::error file=/etc/b.csv,line=2,title=reo::bad\n"
    )


def test_a_name_that_no_file_can_have_is_left_alone() -> None:
    issue = Issue("a\0b", 1, 1, "", "error", "bad")
    assert annotation(issue, STREAM, "/work") == "::error file=a\\x00b,line=1,title=reo::bad"


def test_an_issue_of_the_command_line_has_no_place() -> None:
    issue = Issue(STDIN, 0, 0, "count", "error", "bad")
    assert annotation(issue, STREAM, "") == "::error title=count::bad"
    (row,) = (
        line
        for line in markdown("x", View("", ExitCode.OK, {}, issues=[issue]), 0, STREAM)
        if "bad" in line
    )
    assert row == "|  | count | error | bad |"


def test_standard_input_is_no_file() -> None:
    issue = Issue(STDIN, 3, 2, "count", "error", "bad")
    assert annotation(issue, STREAM, "") == ("::error title=count%2C line 3 of standard input::bad")


def test_records_the_api_did_not_take_and_the_error_are_annotations(tmp_path: Path) -> None:
    def act(streams: Streams, talk: Talk) -> object:
        report = SendFileReport("github", streams, talk, clock=clock, max_issues=2)
        for outcome in ("rejected", "errored", "delivered", "errored"):
            report.settled(settled(outcome, reason="HTTP 400"))
        return report.finish(summary(issues=[MAILBOX], errors=0, warnings=1, error=KEY_REFUSED))

    seen = piped(act, tmp_path)
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
def test_no_output_holds_a_command_that_is_not_ours(output: Any, tmp_path: Path) -> None:
    names = ["::error::x", "##[group]x", EVIL]
    issues = [Issue(name, 1, 1, "", "error", f"{name} {HOSTILE.message}", name) for name in names]
    failing = [settled("rejected", reason="\n::warning::x ##[error]y")]

    def act(streams: Streams, talk: Talk) -> object:
        files = [FileResult(name, 1, 1, 1) for name in names]
        result = validation(files=files, issues=issues)
        code = ValidateReport(output, streams, talk, clock=clock).finish(result)
        report = SendFileReport(output, streams, talk, clock=clock)
        for each in failing:
            report.settled(each)
        report.finish(summary(issues=issues, error=KEY_REFUSED))
        talk.note("::note::x")
        talk.verbose("::verbose::x")
        SendReport(output, streams, talk).finish(delivered(response="##[error]x"))
        return code

    seen = piped(act, tmp_path, verbose=True)
    ours = {name for name, properties, _ in commands(seen.out) if "title" in properties}
    assert len(commands(seen.out)) == (8 if output == "github" else 0)
    assert ours == ({"error"} if output == "github" else set())
    assert commands(seen.err) == []
    assert commands(on_screen(act, columns=40)) == commands(seen.out)


def summarized(folder: Path, act: Any) -> str:
    target = folder / "summary.md"
    target.write_text("# before\n", encoding="utf-8")
    piped(act, folder, {"GITHUB_STEP_SUMMARY": str(target)})
    return target.read_text("utf-8")


def test_the_step_summary_holds_everything(tmp_path: Path) -> None:
    text = summarized(
        tmp_path, lambda s, t: ValidateReport("github", s, t, clock=clock).finish(validation())
    )
    assert text.startswith("# before\n### reo validate\n")
    html = MarkdownIt("commonmark").enable("table").render(text)
    assert html.count("<tr>") == 4 + 4
    assert "&lt;b&gt;z&lt;/b&gt; `k` | %0A" in html
    assert "… and 7 more issues" in html
    assert "<b>" not in html


def test_the_step_summary_of_a_failure_and_of_success(tmp_path: Path) -> None:
    failed = summarized(
        tmp_path, lambda s, t: SendFileReport("github", s, t, clock=clock).failed(KEY_REFUSED)
    )
    assert "**error:** the API refused the key\n\n**hint:** get one\n" in failed
    well = summarized(
        tmp_path, lambda s, t: SendFileReport("github", s, t, clock=clock).finish(success())
    )
    assert "- result: 3 events delivered\n" in well


def test_a_summary_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    environ = {"GITHUB_STEP_SUMMARY": str(tmp_path)}
    seen = validate(validation(), tmp_path, environ)
    assert f"warning: the step summary `{tmp_path}` cannot be written: " in seen.err
    assert seen.code == 65


def test_a_step_summary_is_never_too_large_for_github() -> None:
    issues = [Issue("a.csv", line, line, "", "error", "!" * 4000) for line in range(1, 1000)]
    text = "\n".join(markdown("reo", View("", ExitCode.OK, {}, issues=issues), 5, STREAM))
    assert len(text) < 1_000_000
    assert re.search(r"… and \d+ more issues \(`--max-issues 1004` shows all\)", text)


def test_the_summaries_of_one_step_stay_under_the_limit_together(tmp_path: Path) -> None:
    target = tmp_path / "summary.md"
    issues = [Issue("a.csv", line, line, "", "error", "!" * 4000) for line in range(1, 100)]
    environ = {"GITHUB_STEP_SUMMARY": str(target)}
    for _ in range(20):
        assert validate(validation(issues=issues), tmp_path, environ).code == 65
    assert 900_000 < target.stat().st_size <= LARGEST_SUMMARY
    assert target.read_text("utf-8").count("### reo validate") == 20
    target.write_bytes(b" " * (LARGEST_SUMMARY - 100))
    seen = validate(validation(issues=issues), tmp_path, environ)
    assert target.stat().st_size == LARGEST_SUMMARY - 100
    assert f"warning: the step summary `{target}` has no room: GitHub allows 1 MiB" in seen.err


def test_what_is_forgiven_is_a_warning(tmp_path: Path) -> None:
    inputs = [InputSummary("usage.csv", Counts(1, errored=2))]
    forgiven = summary(inputs=inputs, issues=(), errors=0, warnings=0, allow_failure=True)
    seen = piped(
        lambda s, t: SendFileReport("github", s, t, clock=clock).finish(forgiven), tmp_path
    )
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

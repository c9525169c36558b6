from pathlib import Path

import pytest

from reo_cli.records import Issue
from reo_cli.reports.issues import IssueLines, more_issues
from reo_cli.reports.streams import Streams


def issue(line: int, severity: str) -> Issue:
    return Issue("a.csv", line, line, "", "error" if severity == "e" else "warning", severity)


def printed(path: Path, limit: int, streamed: str, kept: str, errors: int, warnings: int) -> str:
    """The severities printed and the last line; issues are numbered from 1 in both texts."""
    with path.open("w", encoding="utf-8") as file:
        lines = IssueLines(Streams(file, None, {}).out, limit)
        for place, severity in enumerate(streamed, 1):
            lines.issue(issue(place, severity))
        found = [issue(place, severity) for place, severity in enumerate(kept, 1)]
        lines.finish(found, (errors, warnings), 0)
    return " ".join(
        line.split(" ")[1] if line.startswith("a.csv") else line
        for line in path.read_text("utf-8").splitlines()
    ).replace("warning:", "w")


@pytest.mark.parametrize(
    ("limit", "streamed", "kept", "totals", "expected"),
    [
        (100, "", "ewe", (2, 1), "e w e"),
        (100, "ewe", "ewe", (2, 1), "e w e"),
        (4, "wwwwee", "wwww", (2, 4), "w w e e … and 2 more issues (`--max-issues 6` shows all)"),
        (4, "wwww", "wwww", (0, 4), "w w w w"),
        (2, "", "ee", (5, 0), "e e … and 3 more issues (`--max-issues 5` shows all)"),
        (0, "ee", "", (2, 0), "2 issues not shown (`--max-issues 2` shows all)"),
        (1, "", "e", (1, 1), "e … and 1 more issue (`--max-issues 2` shows all)"),
        (9, "", "", (0, 0), ""),
    ],
)
def test_a_bounded_number_of_issues_and_the_count_of_the_others(
    limit: int,
    streamed: str,
    kept: str,
    totals: tuple[int, int],
    expected: str,
    tmp_path: Path,
) -> None:
    assert printed(tmp_path / "out", limit, streamed, kept, *totals) == expected


def test_large_numbers_have_separators() -> None:
    assert more_issues(1234, 100) == "… and 1,234 more issues (`--max-issues 1334` shows all)"

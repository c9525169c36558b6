import pytest

from reo_cli.cli.help import FOLDER, titles
from reo_cli.reports.help import topic_lines
from tests.reports.samples import on_screen, piped

TOPICS = (
    "aggregate ci delivery exit-codes fields formats library output security settings "
    "troubleshooting"
).split()


def test_the_topics_and_their_titles() -> None:
    assert list(titles()) == TOPICS
    assert titles()["fields"] == "Fields: what an event holds"


@pytest.mark.parametrize("topic", TOPICS)
def test_a_pipe_gets_the_file_and_a_terminal_a_page(topic: str) -> None:
    source = (FOLDER / f"{topic}.md").read_text("utf-8")
    text = piped(lambda s, _: s.out.lines(*topic_lines(source, s.out))).out
    kept = [line for line in source.splitlines() if not line.startswith("<!--")]
    assert text.splitlines() == kept
    screen = on_screen(lambda s, _: s.out.lines(*topic_lines(source, s.out)))
    assert titles()[topic] in screen
    assert "**" not in screen
    assert max(map(len, screen.splitlines())) <= 80
    assert "\x1b" not in screen


def test_a_page_has_colour_where_there_is_colour() -> None:
    xterm = {"TERM": "xterm"}
    page = on_screen(lambda s, _: s.out.lines(*topic_lines("use `--x`", s.out)), environ=xterm)
    assert "\x1b[36m--x\x1b[0m" in page

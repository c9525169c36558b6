"""A topic of `reo help`: Markdown drawn on a terminal, as it is written in a pipe."""

from reo_cli.reports.streams import Stream


def topic_lines(text: str, stream: Stream) -> list[str]:
    """Return the lines of a topic for a stream."""
    if not stream.terminal:
        return text.splitlines()
    from rich.markdown import Markdown

    from reo_cli.reports.terminal import draw

    return draw(Markdown(text), stream)

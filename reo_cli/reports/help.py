"""A topic of `reo help`: Markdown drawn on a terminal by rich, in a pipe the file itself.

The marks by which the tests fill in its tables are nothing to read, and are left out.
"""

from reo_cli.reports.streams import Stream


def topic_lines(text: str, stream: Stream) -> list[str]:
    """Return the lines of a topic for a stream."""
    lines = [line for line in text.splitlines() if not line.startswith("<!--")]
    if not stream.terminal:
        return lines
    from rich.markdown import Markdown

    from reo_cli.reports.terminal import draw

    return draw(Markdown("\n".join(lines), code_theme="ansi_dark", hyperlinks=False), stream)

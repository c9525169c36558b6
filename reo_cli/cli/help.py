"""`reo help [TOPIC]`: the texts of `reo_cli/help`, and the pages of the commands."""

from pathlib import Path
from typing import Any

from reo_cli.cli import completion
from reo_cli.cli.command import Options, argument, command, new_app
from reo_cli.errors import ExitCode, ReoError

FOLDER = Path(__file__).parents[1] / "help"
"""The topics, a file each; the first line is the title."""

help_app = new_app()


class Topic(Options):
    """What is to be explained."""

    topic: list[str] | None = argument(
        *("[TOPIC]", "A topic or a command; none lists them."),
        default=None,
        many=True,
        offers=completion.topics,
    )


@command(help_app, "help", Topic, "Explain a topic, such as fields, formats or exit-codes.")
def show_help(options: Topic) -> None:
    """Print a topic, the page of a command, or the list of topics."""
    from reo_cli.cli import pages
    from reo_cli.reports import Streams
    from reo_cli.reports.help import topic_lines

    out = Streams.standard().out
    words = options.topic or []
    if not words:
        rows = [(name, title.partition(": ")[2]) for name, title in titles().items()]
        lines = [pages.section("Topics", rows), "", "  reo help TOPIC, or reo COMMAND --help"]
        out.lines(*"\n".join(lines).splitlines())
    elif (path := FOLDER / f"{words[0]}.md").is_file() and len(words) == 1:
        out.lines(*topic_lines(path.read_text(encoding="utf-8"), out))
    else:
        out.lines(*_page(words).splitlines())


def titles() -> dict[str, str]:
    """Return the topics with their titles."""
    found = {}
    for path in sorted(FOLDER.glob("*.md")):
        with path.open(encoding="utf-8") as file:
            found[path.stem] = file.readline().strip("# \n")
    return found


def _page(words: list[str]) -> str:
    """Return the page of a command; raises ReoError 2 where there is none, with the nearest."""
    import typer

    from reo_cli.cli.app import COMMANDS, app

    found: Any = typer.main.get_command(app)
    context: Any = typer.Context(found, info_name="reo", help_option_names=["-h", "--help"])
    for word in words:
        below = getattr(found, "load", getattr(found, "get_command", None))
        found = below(context, word) if below else None
        if found is None:
            from reo_cli.settings.table import nearest

            known = {**titles(), **COMMANDS}
            near = nearest(word, known) or nearest(word.replace("_", "-"), known)
            hint = f"did you mean `reo help {near}`?" if near else f"topics: {', '.join(titles())}"
            raise ReoError(ExitCode.USAGE, "usage", f"there is no topic `{' '.join(words)}`", hint)
        context = typer.Context(found, info_name=word, parent=context)
    return str(found.get_help(context))

"""`reo help [TOPIC]`: the texts of `reo_cli/help`, and the pages of the commands."""

from pathlib import Path

from reo_cli.cli import completion
from reo_cli.cli.command import Options, argument, command
from reo_cli.errors import ExitCode, ReoError

FOLDER = Path(__file__).parents[1] / "help"
"""The topics, a file each; the first line is the title."""


class Topic(Options):
    """What is to be explained."""

    topic: tuple[str, ...] = argument(
        "[TOPIC]  A topic or a command; none lists them.", many=True, offers=completion.topics
    )


@command("help", Topic, "Explain a topic, such as fields, formats or exit-codes.")
def help(options: Topic) -> int:  # noqa: A001 - the command's name
    """Print a topic, the page of a command, or the list of topics."""
    from reo_cli.cli.app import COMMANDS, obey
    from reo_cli.cli.pages import section
    from reo_cli.reports import Streams
    from reo_cli.reports.terminal import topic_lines

    out, words = Streams.standard().out, options.topic
    if words and words[0] in COMMANDS:
        return obey([*words, "--help"])
    if not words:
        rows = [(name, title.partition(": ")[2]) for name, title in titles().items()]
        lines = [section("Topics", rows), "", "  reo help TOPIC, or reo COMMAND --help"]
        out.lines(*"\n".join(lines).splitlines())
    elif len(words) == 1 and words[0] in titles():
        out.lines(*topic_lines((FOLDER / f"{words[0]}.md").read_text(encoding="utf-8"), out))
    else:
        raise _unknown(" ".join(words))
    return ExitCode.OK


def titles() -> dict[str, str]:
    """Return the topics with their titles."""
    found = {}
    for path in sorted(FOLDER.glob("*.md")):
        with path.open(encoding="utf-8") as file:
            found[path.stem] = file.readline().strip("# \n")
    return found


def _unknown(topic: str) -> ReoError:
    """Return the error for a topic that is none, with the nearest."""
    from reo_cli.cli.app import COMMANDS
    from reo_cli.settings.table import nearest

    known = [*titles(), *COMMANDS]
    near = nearest(topic, known) or nearest(topic.replace("_", "-"), known)
    hint = f"did you mean `reo help {near}`?" if near else f"topics: {', '.join(titles())}"
    return ReoError(ExitCode.USAGE, "usage", f"there is no topic `{topic}`", hint)

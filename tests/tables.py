"""The tables of the README and of the help pages that come from the program.

They stand between `<!-- table: NAME -->` and `<!-- end -->`; `test_docs` compares them, and writes
them anew with `REO_UPDATE=1`.
"""

import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from datetime import UTC
from operator import attrgetter
from typing import Any

import reo_cli
from reo_cli.cli.app import COMMANDS, app
from reo_cli.cli.help import titles
from reo_cli.events import FIELDS
from reo_cli.settings.table import BY_KEY, SETTINGS

ROOT: Any = app


def command(path: str) -> Any:
    """Return a command by its words: `config set`; `reo` is the whole."""
    found = ROOT
    for word in path.split():
        if word != "reo":
            found = found.load(word) if found is ROOT else found.get_command(None, word)
    return found


def all_commands() -> Iterator[str]:
    """Give every command that has options, groups left out."""
    for name in (each for each in COMMANDS if each != "help"):
        group = command(name)
        if hasattr(group, "list_commands"):
            yield from (f"{name} {each}" for each in group.list_commands(None))
        else:
            yield name


def option_names(path: str) -> set[str]:
    """Return every way to write an option of a command, `--help` left out."""
    options = [each for each in command(path).params if each.param_type_name == "option"]
    return {name for each in options for name in each.opts}


def fields() -> Iterator[str]:
    yield from _head("field", "needed", "what it is")
    for each in FIELDS:
        needed = "yes" if each.required and not each.default else ""
        needed = f"`{each.default}` if absent" if each.default else needed
        needed = "one of the two" if each.name in ("ip_addr", "domain") else needed
        yield _row(f"`{each.name}`", needed, each.help)


def settings() -> Iterator[str]:
    yield from _head("setting, variable", "default", "what it is")
    for each in SETTINGS:
        default = each.default_text
        default = f"`{default}`" if default and " " not in default else default
        if each.key == "endpoint":
            default = "the API"
        yield _row(f"`{each.key}`, `{each.variable}`", default, each.help)


def help_topics() -> Iterator[str]:
    yield from _head("page", "what it says")
    for topic, title in titles().items():
        name, _, rest = title.partition(": ")
        yield _row(f"`reo help {topic}`", rest or name)


def library() -> Iterator[str]:
    """The public names of the library, from their docstrings."""
    for name in PUBLIC:
        found = attrgetter(name)(reo_cli)
        yield from (f"### {name}", "")
        if inspect.isroutine(found) or name in ("Client", "Settings"):
            yield from ("```python", *_signature(name, found), "```", "")
        for paragraph in inspect.cleandoc(found.__doc__).split("\n\n"):
            yield from (*textwrap.wrap(paragraph, 88), "")


PUBLIC = (
    "Settings Settings.load Client Client.send Client.close deliver Event SendResult Summary"
    " ReoError InvalidData TryAgain Misconfigured Sandbox"
).split()


def _signature(name: str, found: Any) -> list[str]:
    """Return a signature without types, on as many lines as it takes."""
    shown = inspect.signature(found)
    plain = [
        each.replace(annotation=each.empty, default=SHORT.get(each.default, each.default))
        for each in shown.parameters.values()
        if each.name != "self"
    ]
    line = f"{name}{shown.replace(parameters=plain, return_annotation=shown.empty)}"
    return textwrap.wrap(line, 88, subsequent_indent="    ")


class Word(str):
    """A text that is its own `repr`."""

    __repr__ = str.__str__


SHORT: dict[Any, Word] = {BY_KEY["endpoint"].default: Word("THE_API"), UTC: Word("UTC")}
"""What stands for a default that has no short `repr`."""


TABLES: dict[str, Callable[[], Iterator[str]]] = {
    "fields": fields,
    "settings": settings,
    "topics": help_topics,
    "library": library,
}


def _head(*names: str) -> Iterator[str]:
    yield _row(*names)
    yield "|" + "---|" * len(names)


def _row(*cells: str) -> str:
    safe = [cell.replace("|", r"\|") for cell in cells]
    return f"| {' | '.join(safe)} |".replace("|  |", "| |")


MARKED = re.compile(r"(<!-- table: (?P<name>[^>]*?) -->\n).*?(<!-- end -->)", re.DOTALL)


def written(text: str) -> str:
    """Return a page with every table as it should be."""
    return MARKED.sub(lambda m: m[1] + "\n".join([*TABLES[m["name"]](), m[3]]), text)

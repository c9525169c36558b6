"""The tables of the README that come from the program: fields, settings, options, commands.

They stand between `<!-- table: NAME -->` and `<!-- end -->`; `test_docs` compares them, and writes
them anew with `REO_UPDATE=1`.
"""

import re
from collections.abc import Iterator
from typing import Any

import typer

from reo_cli.cli.app import COMMANDS, app
from reo_cli.events import FIELDS
from reo_cli.settings.table import SETTINGS

ROOT: Any = typer.main.get_command(app)


def command(path: str) -> Any:
    """Return a command by its words: `config set`; `reo` is the whole."""
    found = ROOT
    for word in path.split():
        found = found if word == "reo" else found.get_command(None, word)
    return found


def all_commands() -> Iterator[str]:
    """Give every command that does something, groups left out."""
    for name in COMMANDS:
        group = command(name)
        if hasattr(group, "list_commands"):
            yield from (f"{name} {each}" for each in group.list_commands(None))
        else:
            yield name


def params(path: str, kind: str) -> list[Any]:
    """Return the options (`option`) or arguments (`argument`) of a command."""
    return [each for each in command(path).params if each.param_type_name == kind]


def option_names(path: str) -> set[str]:
    """Return every way to write an option of a command, `--help` left out."""
    return {name for each in params(path, "option") for name in each.opts}


def table(name: str) -> list[str]:
    """Return the lines of a table by the name in its marker."""
    kind, _, rest = name.partition(" ")
    make = {"fields": fields, "settings": settings, "options": options, "commands": commands}[kind]
    return list(make(rest))


def fields(_: str) -> Iterator[str]:
    yield from _head("field", "needed", "what it is")
    for each in FIELDS:
        needed = "yes" if each.required and not each.default else ""
        needed = f"`{each.default}` if absent" if each.default else needed
        needed = "one of the two" if each.name in ("ip_addr", "domain") else needed
        yield _row(f"`{each.name}`", needed, each.help)


def settings(_: str) -> Iterator[str]:
    yield from _head("setting, variable", "default", "what it is")
    for each in SETTINGS:
        default = each.default_text
        default = f"`{default}`" if default and " " not in default else default
        if each.key == "endpoint":
            default = "the API"
        yield _row(f"`{each.key}`, `{each.variable}`", default, each.help)


def options(path: str) -> Iterator[str]:
    yield from _head("option", "meaning")
    for each in params(path, "option"):
        long = [name for name in each.opts if name.startswith("--")]
        short = [name for name in each.opts if not name.startswith("--")]
        names = [f"`{name}`" for name in (*short, *long)]
        if not each.is_flag:
            names[-1] = f"{names[-1][:-1]} {each.metavar}`"
        yield _row(", ".join(names), each.help)


def commands(group: str) -> Iterator[str]:
    yield from _head("command", "what it does", "options")
    for name in command(group).list_commands(None):
        path = f"{group} {name}"
        arguments = "".join(f" {each.metavar}" for each in params(path, "argument"))
        listed = ", ".join(
            f"`{next(name for name in each.opts if name.startswith('--'))}`"
            for each in params(path, "option")
        )
        words = command(path).help.partition("\n")[0]
        yield _row(f"`{path}{arguments}`", words, listed)


def _head(*names: str) -> Iterator[str]:
    yield _row(*names)
    yield "|" + "---|" * len(names)


def _row(*cells: str) -> str:
    safe = [cell.replace("|", r"\|") for cell in cells]
    return f"| {' | '.join(safe)} |".replace("|  |", "| |")


MARKED = re.compile(r"(<!-- table: (?P<name>[^>]*?) -->\n)(?P<body>.*?)(<!-- end -->)", re.DOTALL)


def written(text: str) -> str:
    """Return a page with every table as it should be."""
    return MARKED.sub(lambda m: m[1] + "\n".join([*table(m["name"]), m[4]]), text)

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
        if word != "reo":
            found = found.load(None, word) if found is ROOT else found.get_command(None, word)
    return found


def all_commands() -> Iterator[str]:
    """Give every command that has options, groups left out."""
    for name in (each for each in COMMANDS if each != "help"):
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
    if hasattr(command(path), "list_commands") and path != "reo":
        yield from _options_of_group(path)
        return
    yield from _head("option", "meaning")
    for each in params(path, "option"):
        yield _row(_written(each), _words(each))


def _options_of_group(group: str) -> Iterator[str]:
    yield from _head("option", "of", "meaning")
    names = command(group).list_commands(None)
    rows: dict[tuple[str, str], list[str]] = {}
    for name in names:
        for each in params(f"{group} {name}", "option"):
            rows.setdefault((_written(each), _words(each)), []).append(f"`{name}`")
    for (option, meaning), users in rows.items():
        yield _row(option, "all" if len(users) == len(names) else ", ".join(users), meaning)


def _words(option: Any) -> str:
    """Return the help of an option; its variable stands in the table of settings."""
    return re.sub(r" \[env: \w+\]", "", option.help).replace("`. [", "` [")


def _written(option: Any) -> str:
    """Return all ways to write an option, short ones first, the last one with its value."""
    names = [f"`{name}`" for name in sorted(option.opts, key=lambda name: name.startswith("--"))]
    if not option.is_flag:
        names[-1] = f"{names[-1][:-1]} {option.metavar}`"
    return ", ".join(names)


def commands(group: str) -> Iterator[str]:
    yield from _head("command", "what it does")
    for name in command(group).list_commands(None):
        path = f"{group} {name}"
        arguments = "".join(f" {each.metavar}" for each in params(path, "argument"))
        yield _row(f"`reo {path}{arguments}`", command(path).help.partition("\n")[0])


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

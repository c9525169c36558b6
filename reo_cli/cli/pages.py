"""How help pages look: options in sections, defaults in words, examples at the end.

The pages are the same plain text whatever the version of Typer, 80 columns wide.
"""

from typing import Any

import typer.core


class Command(typer.core.TyperCommand):
    """A command; `rich_help_panel` names the section of an option, the epilog holds examples."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return what stands behind the name in the line of usage."""
        return ["[OPTIONS]", *(each.metavar or "" for each in _arguments(self, ctx))]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """List the arguments, then the options, by section where they are many."""
        arguments = [(str(each.metavar), each.help or "") for each in _arguments(self, ctx)]
        options: list[Any] = [
            each for each in self.get_params(ctx) if each.param_type_name == "option"
        ]
        sections = {"Arguments": [(name.strip("[]"), text) for name, text in arguments]}
        title = "Options"
        for option in options:
            title = getattr(option, "rich_help_panel", None) or title
            if "--help" in option.opts:
                title = list(sections)[-1]
            record = option.get_help_record(ctx)
            if record is not None:
                place = title if len(options) > FEW else "Options"
                sections.setdefault(place, []).append(record)
        for title, records in sections.items():
            _write_section(title, records, formatter)

    def format_epilog(self, _ctx: Any, formatter: Any) -> None:
        """Write the examples as they are."""
        write_lines(self.epilog, formatter)


FEW = 10
"""Options that need no sections."""

NAME_WIDTH = 24
"""Columns for the names of options in every section; a longer name has a line of its own."""


class Group(typer.core.TyperGroup):
    """A group of commands, each with the whole of its first line of help."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the commands."""
        rows = []
        for name in self.list_commands(ctx):
            command: Any = self.get_command(ctx, name)
            rows.append((name, (command.help or "").partition("\n")[0]))
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def format_epilog(self, _ctx: Any, formatter: Any) -> None:
        """Write the last lines as they are."""
        write_lines(self.epilog, formatter)


def _write_section(title: str, rows: list[tuple[str, str]], formatter: Any) -> None:
    if rows:
        padded = [(name.ljust(NAME_WIDTH), text) for name, text in rows]
        with formatter.section(title):
            formatter.write_dl(padded, col_max=NAME_WIDTH)


def write_lines(text: str | None, formatter: Any) -> None:
    """Write lines after an empty one, as they are."""
    if text:
        formatter.write(f"\n{text.strip()}\n")


def _arguments(command: Any, ctx: Any) -> list[Any]:
    return [each for each in command.get_params(ctx) if each.param_type_name == "argument"]

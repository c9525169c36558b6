"""How help looks: plain pages of our own, the same whatever the version of Typer, 80 columns wide.

`-h` shows the options that people use and how to see the rest, `--help` all of them by section.
Colour is for a terminal only, and not there either where NO_COLOR is set.
"""

import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap
from typing import Any

import typer.core

from reo_cli.errors import ExitCode, ReoError
from reo_cli.settings.table import nearest

WIDTH = 80
NAMES = 26
"""Columns for names; a longer one has a line of its own."""
FEW = 12
"""Options that need neither sections nor a short page."""

UNBROKEN: Any = {"break_long_words": False, "break_on_hyphens": False}
"""Nothing breaks inside a word, a path or a URL."""

Rows = Sequence[tuple[str, str]]


class Command(typer.core.TyperCommand):
    """A command with a page; `often` names the options of the short one."""

    often: tuple[str, ...] = ()

    def get_help(self, ctx: Any) -> str:
        """Return the page."""
        params: list[Any] = self.get_params(ctx)
        arguments = [each for each in params if each.param_type_name == "argument"]
        options = [each for each in params if each.param_type_name == "option"]
        usage = ["[OPTIONS]", *(str(each.metavar) for each in arguments)]
        parts = [_usage(ctx, usage), _text(self.help, whole=not _is_short())]
        named = [(str(each.metavar).strip("[]"), each.help or "") for each in arguments]
        parts += [section("Arguments", named)] if named else []
        shown = options
        if self.often and _is_short():
            by_name = {each.name: each for each in options}
            shown = [by_name[name] for name in self.often]
        if shown is options and len(options) > FEW:
            for title, rows in _by_section(options):
                parts.append(section(title, rows))
        else:
            parts.append(section("Options", [_row(each) for each in shown]))
        if len(shown) < len(options):
            more = f"{len(options) - len(shown)} more: `{ctx.command_path} --help`"
            parts.append(f"  {more}")
        return "\n\n".join([*parts, *_block(self.epilog)])


class Group(typer.core.TyperGroup):
    """A group of commands, each with the whole of its first line of help."""

    def get_help(self, ctx: Any) -> str:
        """Return the page."""
        rows = []
        for name in self.list_commands(ctx):
            command: Any = self.get_command(ctx, name)
            rows.append((name, (command.help or "").partition("\n")[0]))
        options = [each for each in self.get_params(ctx) if each.param_type_name == "option"]
        parts = [_usage(ctx, ["[OPTIONS]", "COMMAND", "[ARGS]..."]), _text(self.help, whole=True)]
        parts += self.sections(rows)
        parts.append(section("Options", [_row(each) for each in options]))
        return "\n\n".join([*parts, *([] if _is_short() else _block(self.epilog))])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the subcommand that is used; raises ReoError 2 with the nearest."""
        name, known = args[0], self.list_commands(ctx)
        if name in known or name.startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        near = nearest(name, known)
        hint = (
            f"did you mean `{ctx.command_path} {near}`?" if near else f"there is {', '.join(known)}"
        )
        raise ReoError(ExitCode.USAGE, "usage", f"no such command: `{name}`", hint)

    def sections(self, rows: Rows) -> list[str]:
        """Return the commands as they are grouped."""
        return [section("Commands", rows)]


def _is_short() -> bool:
    """Whether `-h` asks; both names are one option of Typer's, whatever the command."""
    return "-h" in sys.argv and "--help" not in sys.argv


def _by_section(options: Iterable[Any]) -> Iterator[tuple[str, Rows]]:
    """Give the options by the section that they were declared in; `--help` is in the last."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for each in options:
        title = getattr(each, "rich_help_panel", None) or list(sections)[-1]
        sections.setdefault(title, []).append(_row(each))
    yield from sections.items()


def _row(option: Any) -> tuple[str, str]:
    names = ", ".join(sorted(option.opts, key=lambda name: name.startswith("--")))
    value = "" if option.is_flag else f" {option.metavar}"
    return f"{names}{value}", option.help or ""


def _usage(ctx: Any, pieces: Sequence[str]) -> str:
    return f"{bold('Usage:')} {ctx.command_path} {' '.join(pieces)}"


def _text(text: str | None, *, whole: bool) -> str:
    """Return the words below the usage, wrapped; without `whole` their first paragraph."""
    paragraphs = (text or "").strip().split("\n\n")
    lines = [
        "\n".join(f"  {line}" for line in wrap(each, WIDTH - 2, **UNBROKEN))
        for each in (paragraphs if whole else paragraphs[:1])
    ]
    return "\n\n".join(lines)


def section(title: str, rows: Rows) -> str:
    """Return one part of a page: names and what they are."""
    lines = [bold(f"{title}:")]
    for name, text in rows:
        first, *rest = _wrapped(text) or [""]
        if len(name) > NAMES - 2:
            lines.append(f"  {coloured(name)}")
            lines.append(f"  {' ' * NAMES}{first}")
        else:
            lines.append(f"  {coloured(name)}{' ' * (NAMES - len(name))}{first}".rstrip())
        lines += [f"  {' ' * NAMES}{line}" for line in rest]
    return "\n".join(lines)


def _wrapped(text: str) -> list[str]:
    """Wrap words, but not inside `[env: REO_TIMEOUT]`."""
    joined = re.sub(r"\[[^]]*\]", lambda found: found[0].replace(" ", "\0"), text)
    return [line.replace("\0", " ") for line in wrap(joined, WIDTH - NAMES - 2, **UNBROKEN)]


def _block(text: str | None) -> list[str]:
    """Return lines as they are, their heads bold."""
    lines = (text or "").strip().splitlines()
    marked = [bold(each) if each and not each.startswith(" ") else each for each in lines]
    return ["\n".join(marked)] if lines else []


def bold(text: str) -> str:
    """Return a head of a page."""
    return f"\x1b[1m{text}\x1b[0m" if _has_colour() else text


def coloured(text: str) -> str:
    """Return a name of an option or command."""
    return f"\x1b[36m{text}\x1b[0m" if _has_colour() else text


def _has_colour() -> bool:
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return sys.stdout.isatty() and sys.stderr.isatty() and not plain  # usage goes to stderr

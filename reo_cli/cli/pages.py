"""How help looks: plain pages of our own, the same whatever the version of Typer, 80 columns wide.

`-h` shows the options that people use and how to see the rest, `--help` all of them by section.
Colour is for a terminal only, and not there either where NO_COLOR is set.
"""

import os
import re
import sys
from collections.abc import Iterable, Sequence
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

Rows = Iterable[tuple[str, str]]


class Command(typer.core.TyperCommand):
    """A command with a page; `often` names the options of the short one."""

    def __init__(self, name: str, often: Sequence[str] = (), **given: Any) -> None:
        super().__init__(name, **given)
        self.often = often

    def get_help(self, ctx: Any) -> str:
        """Return the page."""
        params: list[Any] = self.get_params(ctx)
        options = {each.name: each for each in params if each.param_type_name == "option"}
        arguments = [each for each in params if each.param_type_name == "argument"]
        shown = [options[name] for name in self.often] if self.often and _is_short() else []
        sections = {"Arguments": [(each.metavar.strip("[]"), each.help) for each in arguments]}
        for each in shown or options.values():
            title = "Options"
            if len(options) > FEW and not shown:  # `--help` goes with the last
                title = getattr(each, "rich_help_panel", "") or list(sections)[-1]
            sections.setdefault(title, []).append(_row(each))
        parts = [section(title, rows) for title, rows in sections.items() if rows]
        if shown:
            left = len(options) - len(shown)
            parts.append(f"  {left} more: `{ctx.command_path} --help`")
        usage = " ".join(["[OPTIONS]", *(each.metavar for each in arguments)])
        return _page(ctx, usage, parts, self.epilog)


class Group(typer.core.TyperGroup):
    """A group of commands, each with the whole of its first line of help."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse a command line; one without a subcommand is answered by the page (2)."""
        if not args and not ctx.resilient_parsing:
            sys.stderr.write(self.get_help(ctx) + "\n")
            ctx.exit(ExitCode.USAGE)
        return super().parse_args(ctx, args)

    def get_help(self, ctx: Any) -> str:
        """Return the page."""
        options = section("Options", [_row(each) for each in self.get_params(ctx)])
        epilog = "" if _is_short() else self.epilog
        return _page(ctx, "[OPTIONS] COMMAND [ARGS]...", [*self.sections(), options], epilog)

    def sections(self) -> list[str]:
        """Return the commands as they are grouped."""
        found: list[Any] = list(self.commands.values())
        return [section("Commands", [(each.name, each.help.split("\n")[0]) for each in found])]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the subcommand that is used; raises ReoError 2 with the nearest."""
        name, known = args[0], list(self.commands)
        if name in known or name.startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        near = nearest(name, known)
        hint = (
            f"did you mean `{ctx.command_path} {near}`?" if near else f"there is {', '.join(known)}"
        )
        raise ReoError(ExitCode.USAGE, "usage", f"no such command: `{name}`", hint)


def _is_short() -> bool:
    """Whether `-h` asks; both names are one option of Typer's, whatever the command."""
    return "-h" in sys.argv and "--help" not in sys.argv


def _page(ctx: Any, usage: str, parts: Sequence[str], epilog: str | None) -> str:
    """Put a page together: usage, words (of a short page their first paragraph), parts, epilog."""
    words = ctx.command.help.strip().split("\n\n")
    if _is_short() and isinstance(ctx.command, Command):
        words = words[:1]
    texts = ["\n".join(f"  {line}" for line in _wrapped(each, WIDTH - 2)) for each in words]
    lines = (epilog or "").strip().splitlines()
    end = "\n".join(line if line.startswith(" ") else _coloured(line, "1") for line in lines)
    head = f"{_coloured('Usage:', '1')} {ctx.command_path} {usage}"
    return "\n\n".join(filter(None, [head, *texts, *parts, end]))


def _row(option: Any) -> tuple[str, str]:
    names = ", ".join(sorted(option.opts, key=lambda name: name.startswith("--")))
    return f"{names} {'' if option.is_flag else option.metavar}".strip(), option.help or ""


def section(title: str, rows: Rows) -> str:
    """Return one part of a page: names and what they are."""
    lines = [_coloured(f"{title}:", "1")]
    for name, text in rows:
        first, *rest = _wrapped(text, WIDTH - NAMES - 2) or [""]
        gap = f"\n  {' ' * NAMES}" if len(name) > NAMES - 2 else " " * (NAMES - len(name))
        lines.append(f"  {_coloured(name, '36')}{gap}{first}".rstrip())
        lines += [f"  {' ' * NAMES}{line}" for line in rest]
    return "\n".join(lines)


def _wrapped(text: str, width: int) -> list[str]:
    """Wrap words, but not inside a word, a path, a URL or `[env: REO_TIMEOUT]`."""
    joined = re.sub(r"\[[^]]*\]", lambda found: found[0].replace(" ", "\0"), text)
    lines = wrap(joined, width, break_long_words=False, break_on_hyphens=False)
    return [line.replace("\0", " ") for line in lines]


def _coloured(text: str, code: str) -> str:
    """Return a head of a page in bold (1), or a name of an option or command in cyan (36)."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    shown = sys.stdout.isatty() and sys.stderr.isatty() and not plain  # usage goes to stderr
    return f"\x1b[{code}m{text}\x1b[0m" if text and shown else text

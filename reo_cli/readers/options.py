"""What the user said about reading, as one value, and the command line that a hint repeats."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from reo_cli.errors import ExitCode, ReoError
from reo_cli.records import STDIN
from reo_cli.text import pasted

Extra = Literal["error", "meta", "ignore"]

NOTHING: Mapping[str, frozenset[str]] = MappingProxyType({})

Words = tuple[list[str], list[str]]
"""Options to add to a command line, and what the user has to put in where they leave a blank."""

Needs = Callable[[Mapping[str, Sequence[Any]], Mapping[str, str]], Words]
"""From values and columns, both by field, to the options that the values need to be read."""


class CommandLine(NamedTuple):
    """The words of a command line, which of them are inputs, and whether some were left out."""

    words: tuple[str, ...] = ("reo", "send-file", "FILE")
    inputs: tuple[str, ...] = ("FILE",)
    is_part: bool = False

    def __str__(self) -> str:
        """Return it as it can be pasted into a shell."""
        return " ".join(map(pasted, self.words))

    def plus(self, *more: str) -> "CommandLine":
        """Return it with more options, which stand before the names that follow `--`."""
        end = self.words.index("--") if "--" in self.words else len(self.words)
        return self._replace(words=(*self.words[:end], *more, *self.words[end:]))

    def of(self, file: str, name: str | None = None) -> "CommandLine":
        """Return it for one input, called by another `name` if one is given.

        The others are left out: what is added for one need not apply to them.
        """
        kept = list(self.words)
        for each in self.inputs:
            places = [at for at, word in enumerate(kept) if word == each]
            plain = [at for at in places if kept[at - 1] == "--" or kept[at - 1][:1] != "-"]
            for at in (plain or places)[-1:]:  # not the value of an option, where there is a choice
                kept[at : at + 1] = [name or file] if each == file else []
        return CommandLine(tuple(kept), (name or file,), len({*self.inputs}) > 1)

    def without(self, values: Sequence[str]) -> "CommandLine":
        """Return it without some values of options, given as `--map VALUE` or `--map=VALUE`."""
        kept: list[str] = []
        for word in self.words:
            if word in values and kept[-1][:2] == "--":
                kept.pop()
            elif word.partition("=")[2] not in values:
                kept.append(word)
        return self._replace(words=tuple(kept))

    def piped(self, file: str, program: str) -> str:
        """Return the command line that reads one input through another program."""
        rest = self.of(file, STDIN)
        if file == STDIN:
            return f"… | {program} | {rest}"
        return f"{program} {pasted(f'./{file}' if file[:1] == '-' else file)} | {rest}"


class ReadOptions(NamedTuple):
    """How inputs are to be read; what is None or empty, the input decides.

    `mapped` gives fields the column, key, path or `column+column` they are read from. `given` are
    the fields that `--set`, `--default`, the short flags or the settings supply. `only` and `skip`
    are values by column or field, and `values` say what a field's text stands for there. `header`
    names the columns of a table that has no header.
    `sql` is a query whose rows are read in place of the inputs, with `sql_memory` at most.
    `command` is the command line that hints repeat; where it is None there are no such options.
    `needs` tells what options values need, to be proposed with those that names need.
    """

    format: str = "auto"
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    skip_lines: int = 0
    header: tuple[str, ...] = ()
    records: str = ""
    mapped: Mapping[str, str] = MappingProxyType({})
    extra: Extra = "error"
    ignored: tuple[str, ...] = ()
    only: Mapping[str, frozenset[str]] = NOTHING
    skip: Mapping[str, frozenset[str]] = NOTHING
    values: Mapping[str, Callable[[str], str | None]] = MappingProxyType({})
    null: frozenset[str] = frozenset()
    given: frozenset[str] = frozenset()
    sql: str | None = None
    sql_memory: str = "512MB"
    command: CommandLine | None = CommandLine()
    needs: Needs = lambda _samples, _columns: ([], [])

    def hint(self, file: str, *words: str, blanks: Sequence[str] = ()) -> str:
        """Return the complete command for one input with more options; "" where there are none."""
        if self.command is None:
            return ""
        return proposed(self.command.of(file).plus(*words), blanks)


def proposed(command: CommandLine, blanks: Sequence[str] = ()) -> str:
    """Return a command as a hint, with what is to be put in where it has blanks."""
    fill_in = f"put in your {', '.join(blanks)} and " if blanks else ""
    return f"{fill_in}{'for this input alone, ' * command.is_part}try: {command}"


def require_one_field_each(mapped: Mapping[str, str]) -> None:
    """Raise ReoError 2 when `--map` makes two fields of one column."""
    fields: dict[str, str] = {}
    for target, column in mapped.items():
        other = fields.setdefault(column, target)
        if other != target:
            message = f"--map: `{column}` can't be both {other} and {target}"
            raise ReoError(ExitCode.USAGE, "usage", message)

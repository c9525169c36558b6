"""What the user said about reading, as one value, and the command line that a hint repeats."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from reo_cli.errors import ExitCode, ReoError
from reo_cli.records import STDIN
from reo_cli.text import pasted

Extra = Literal["error", "meta", "ignore"]

NOTHING: Mapping[str, frozenset[str]] = MappingProxyType({})


class CommandLine(NamedTuple):
    """The words of a command line, and which of them are inputs."""

    words: tuple[str, ...] = ("reo", "send-file", "FILE")
    inputs: tuple[str, ...] = ("FILE",)

    def extended(self, file: str, more: Sequence[str], dropped: Sequence[str] = ()) -> str:
        """Return the command line for one input with more options.

        What an option was given as one of `dropped` is left out with it, and so are the other
        inputs, to which the options need not apply.
        """
        others = self._places([name for name in self.inputs if name != file])
        given: list[str] = []
        for at, word in enumerate(self.words):
            if word in dropped and given[-1:] and given[-1].startswith("--"):
                given.pop()
            elif word.partition("=")[2] not in dropped and at not in others:
                given.append(word)
        return " ".join(map(pasted, _inserted(given, more)))

    def plus(self, *more: str) -> "CommandLine":
        """Return the command line with more options."""
        return self._replace(words=tuple(_inserted(self.words, more)))

    def piped(self, file: str, program: str) -> str:
        """Return the command line that reads one input through another program."""
        if file == STDIN:
            return f"… | {program} | {self.extended(STDIN, ())}"
        here = self._places([file])
        words = [STDIN if at in here else word for at, word in enumerate(self.words)]
        inputs = [STDIN if name == file else name for name in self.inputs]
        rest = CommandLine(tuple(words), tuple(inputs)).extended(STDIN, ())
        name = f"./{file}" if file.startswith("-") else file
        return f"{program} {pasted(name)} | {rest}"

    def _places(self, names: Sequence[str]) -> set[int]:
        """Return where inputs stand: where there is a choice, not behind an option."""
        found: set[int] = set()
        for name in names:
            places = [at for at, word in enumerate(self.words) if word == name and at not in found]
            behind = [at for at in places if self.words[at - 1].startswith("-")]
            plain = [at for at in places if at not in behind or self.words[at - 1] == "--"]
            found.update((plain or places)[-1:])
        return found


def _inserted(words: Sequence[str], more: Sequence[str]) -> list[str]:
    """Put options before the names that follow `--`."""
    end = words.index("--") if "--" in words else len(words)
    return [*words[:end], *more, *words[end:]]


Needs = Callable[
    [Mapping[str, Sequence[Any]], Mapping[str, str]], tuple[list[tuple[str, str]], list[str]]
]
"""From values and columns, both by field, to the options that the values need and their blanks."""


def no_needs(
    _samples: Mapping[str, Sequence[Any]], _columns: Mapping[str, str]
) -> tuple[list[tuple[str, str]], list[str]]:
    """Ask for nothing."""
    return [], []


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
    needs: Needs = no_needs

    def hint(self, file: str, *words: str, otherwise: str = "", before: str = "") -> str:
        """Return the complete command with more options, or what to say where there are none."""
        if self.command is None:
            return otherwise
        return f"{before}try: {self.command.extended(file, words)}"


def require_one_field_each(mapped: Mapping[str, str]) -> None:
    """Raise ReoError 2 when `--map` makes two fields of one column."""
    fields: dict[str, str] = {}
    for target, column in mapped.items():
        other = fields.setdefault(column, target)
        if other != target:
            message = f"--map: `{column}` can't be both {other} and {target}"
            raise ReoError(ExitCode.USAGE, "usage", message)

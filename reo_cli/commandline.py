"""Command lines to paste: the one that was given, for one of its inputs and with more options."""

from collections.abc import Sequence
from typing import NamedTuple

from reo_cli.records import STDIN
from reo_cli.text import pasted


class CommandLine(NamedTuple):
    """The words of a command line, and which of them are inputs."""

    words: tuple[str, ...] = ("reo", "send-file", "FILE")
    inputs: tuple[str, ...] = ("FILE",)

    def extended(self, file: str, more: Sequence[str], dropped: Sequence[str] = ()) -> str:
        """Return the command line for one input with more options.

        What `--map` was given as one of `dropped` is left out, and so are the other inputs, to
        which the options need not apply.
        """
        others = self._places([name for name in self.inputs if name != file])
        given: list[str] = []
        for at, word in enumerate(self.words):
            if word in dropped and given[-1:] == ["--map"]:
                given.pop()
            elif word.removeprefix("--map=") not in dropped and at not in others:
                given.append(word)
        end = given.index("--") if "--" in given else len(given)
        return " ".join(map(pasted, [*given[:end], *more, *given[end:]]))

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

"""Command lines to paste: the one that was given, for one of its inputs and with more options."""

from collections.abc import Sequence
from typing import NamedTuple

from reo_cli.records import STDIN


class CommandLine(NamedTuple):
    """The words of a command line, and which of them are inputs."""

    words: tuple[str, ...] = ("reo", "send-file", "FILE")
    inputs: tuple[str, ...] = ("FILE",)

    def extended(self, file: str, more: Sequence[str], dropped: Sequence[str] = ()) -> str:
        """Return the command line for one input with more options.

        What `--map` was given as one of `dropped` is left out, and so are the other inputs, to
        which the options need not apply.
        """
        given: list[str] = []
        for word in self.words:
            if word in dropped and given[-1:] == ["--map"]:
                given.pop()
            elif word.removeprefix("--map=") not in dropped and not self._is_other(word, file):
                given.append(word)
        end = given.index("--") if "--" in given else len(given)
        return " ".join(map(pasted, [*given[:end], *more, *given[end:]]))

    def piped(self, file: str, program: str) -> str:
        """Return the command line that reads one input through another program."""
        if file == STDIN:
            return f"… | {program} | {self.extended(STDIN, ())}"
        words = [STDIN if word == file else word for word in self.words]
        rest = CommandLine(tuple(words), self.inputs).extended(STDIN, ())
        return f"{program} {pasted(file)} | {rest}"

    def _is_other(self, word: str, file: str) -> bool:
        return word in self.inputs and word != file


def pasted(word: str) -> str:
    """Quote a word for a shell so that what is pasted from a terminal is the same word.

    Characters that a terminal doesn't show, or that are easily lost, are written as escapes.
    """
    import shlex

    if all(each.isalnum() or (each.isascii() and each.isprintable()) for each in word):
        return shlex.quote(word)
    return "$'" + "".join(map(_escaped, word)) + "'"


def _escaped(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    if character.isalnum() or (character.isascii() and character.isprintable()):
        return character
    if "\udc80" <= character <= "\udcff":  # a byte of a file's name that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii").replace("\\x", "\\u00")

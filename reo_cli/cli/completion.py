"""What a TAB offers: subcommands, options, and values where they can be listed.

Typer's own completion is not used: for zsh and fish it loads rich and every subcommand, 2.4 times
the time of `import typer`, and in zsh its first TAB does nothing. The variables that a shell asks
with are Typer's; `shells` has the scripts that set them.
"""

import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

VARIABLE = "_REO_COMPLETE"
"""Asks for an answer in place of a run: `complete_bash`, `complete_zsh` or `complete_fish`."""

FILES = ("file", "dir")
"""Kinds of a Typer completion that leave it to the shell to list files."""


class Offer(NamedTuple):
    """One thing that could stand at the cursor."""

    value: str
    help: str = ""


def complete(command: Any, environ: Mapping[str, str]) -> int:
    """Print what the shell asked for, a line each; nothing means that it may offer files."""
    shell = environ[VARIABLE].removeprefix("complete_")
    words, incomplete = _asked(shell, environ)
    found = offers(command, words, incomplete)
    sys.stdout.write("".join(f"{_line(each, shell, incomplete)}\n" for each in found))
    return 0


def _asked(shell: str, environ: Mapping[str, str]) -> tuple[list[str], str]:
    """Return the words before the cursor, without the program's name, and the one at it."""
    if shell == "bash":
        words = environ.get("COMP_WORDS", "").split("\n")
        if len(words) == 1:
            words = _split(words[0])
        words = words[: int(environ.get("COMP_CWORD", len(words))) + 1]
        words = _glued(words)
        return [_plain(word) for word in words[1:-1]], _plain(words[-1])
    line = environ.get("_TYPER_COMPLETE_ARGS", "")
    words = _split(line)
    if line[-1:].isspace() or not words:
        words.append("")
    return words[1:-1], words[-1]


def _split(line: str) -> list[str]:
    """Split a line as a shell does, also one whose last quote is still open."""
    for end in ("", "'", '"'):
        try:
            return shlex.split(line + end)
        except ValueError:
            continue
    return line.split()


def _plain(word: str) -> str:
    return "".join(_split(word)) if set(word) & set("'\"\\") else word


def _glued(words: Sequence[str]) -> list[str]:
    """Put `--map = FIELD`, which bash takes for three words, together again."""
    whole: list[str] = []
    after_sign = False
    for word in words:
        if len(whole) > 1 and (word == "=" or (after_sign and not word.startswith("-"))):
            whole[-1] += word
        else:
            whole.append(word)
        after_sign = word == "="
    return whole


def _line(offer: Offer, shell: str, incomplete: str) -> str:
    value, words = offer.value, " ".join(offer.help.split())
    if shell == "bash":
        return value[incomplete.rfind("=") + 1 :]
    if shell == "zsh":
        return ":".join(filter(None, (value.replace(":", r"\:"), words)))
    return "\t".join(filter(None, (value, words)))


def offers(command: Any, words: Sequence[str], incomplete: str) -> list[Offer]:
    """Return what may stand at the cursor behind `words`; `command` is the group `reo`."""
    used: set[str] = set()
    waiting: Any = None
    ended, places = False, 0
    for word in words:
        if waiting is not None:
            waiting = None
        elif word == "--" and not ended:
            ended = True
        elif word.startswith("-") and word != "-" and not ended:
            name, sign, _ = word.partition("=")
            option = _option(command, name)
            if option is not None:
                used.add(option.name)
                waiting = None if sign or option.is_flag else option
        elif _is_group(command):
            command, used = command.get_command(None, word), set()
            if command is None:
                return []
        else:
            places += 1
    if waiting is not None:
        return _values(waiting, incomplete)
    name, sign, start = incomplete.partition("=")
    if incomplete.startswith("-") and not ended:
        if sign:
            option = _option(command, name)
            found = [] if option is None else _values(option, start)
            return [each._replace(value=f"{name}={each.value}") for each in found]
        return _options(command, used, incomplete)
    if _is_group(command):
        return [each for each in _subcommands(command) if each.value.startswith(incomplete)]
    return _argument(command, places, incomplete)


def _is_group(command: Any) -> bool:
    return hasattr(command, "list_commands")


def _option(command: Any, name: str) -> Any:
    for param in command.params:
        if param.param_type_name == "option" and name in param.opts:
            return param
    return None


def _options(command: Any, used: set[str], incomplete: str) -> list[Offer]:
    """Return the long names of options that may still be given."""
    found = [
        Offer(next(name for name in param.opts if name.startswith("--")), param.help or "")
        for param in command.params
        if param.param_type_name == "option" and (param.multiple or param.name not in used)
    ]
    found.append(Offer("--help", "Show this message and exit."))
    return [each for each in found if each.value.startswith(incomplete)]


def _subcommands(group: Any) -> list[Offer]:
    helps = getattr(group, "helps", None)
    if helps is not None:
        return [Offer(*item) for item in helps.items()]
    names = group.list_commands(None)
    return [Offer(name, group.get_command(None, name).help or "") for name in names]


def _argument(command: Any, place: int, incomplete: str) -> list[Offer]:
    """Return the values of the argument at a place; the last one may take all the rest."""
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    if not arguments or (place >= len(arguments) and arguments[-1].nargs != -1):
        return []
    return _values(arguments[min(place, len(arguments) - 1)], incomplete)


def _values(param: Any, incomplete: str) -> list[Offer]:
    """Return the values that an option or argument can list; none for files and free text."""
    if param.name in LISTED:
        found = LISTED[param.name](incomplete)
    else:
        choices = param.shell_complete(None, incomplete)
        found = [Offer(each.value) for each in choices if each.type not in FILES]
    return [each for each in found if each.value.startswith(incomplete)]


def _field_pairs(incomplete: str) -> list[Offer]:
    return [] if "=" in incomplete else [Offer(f"{each.value}=", each.help) for each in _fields()]


def _field_list(incomplete: str) -> list[Offer]:
    before = incomplete[: incomplete.rfind(",") + 1]
    return [Offer(before + each.value, each.help) for each in _fields()]


def _fields() -> list[Offer]:
    from reo_cli.events import FIELDS

    return [Offer(each.name, each.help) for each in FIELDS]


def _values_of(name: str) -> list[Offer]:
    from reo_cli.events import BY_NAME

    return [Offer(value) for value in (*BY_NAME[name].documented, *BY_NAME[name].tolerated)]


def _settings(_incomplete: str) -> list[Offer]:
    from reo_cli.settings.table import SETTINGS

    return [Offer(each.key, each.help) for each in SETTINGS]


def _profiles(_incomplete: str) -> list[Offer]:
    """Return the profiles of the config file; none when it cannot be read."""
    from reo_cli.errors import ReoError
    from reo_cli.settings.configfile import config_path, load

    try:
        config = load(config_path(os.environ, Path()))
    except ReoError:
        return []
    return [Offer(name) for name in config.profiles] if config else []


LISTED: dict[str, Callable[[str], list[Offer]]] = {
    "map": _field_pairs,
    "set": _field_pairs,
    "default": _field_pairs,
    "id_from": _field_list,
    "mode": lambda _: _values_of("mode"),
    "source": lambda _: _values_of("source"),
    "key": _settings,
    "profile": _profiles,
}
"""Parameters of the commands, by name, whose values can be listed though Typer does not know."""

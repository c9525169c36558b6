"""Questions to a person at a terminal: the key without an echo, and the few things `init` asks.

Prompts go to stderr, so that stdout stays free for results; answers come from the terminal only.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from reo_cli.errors import ExitCode, ReoError
from reo_cli.settings.configfile import Keys, load
from reo_cli.settings.edit import place
from reo_cli.settings.guard import check_key
from reo_cli.settings.table import KEY_PLACE, masked
from reo_cli.text import visible

Tell = Callable[[str], None]
"""Shows a line to the person."""

TRIES = 3
KEY_LIMIT = 4096
"""Bytes read of a key; no key is that long."""
NEW_KEY_HINT = (
    "run `reo config set api_key` and type it, or pipe it into `reo config set api_key -`"
)
INIT_HINT = (
    "use `reo config set KEY VALUE` and `reo config set api_key -`, or variables (REO_API_KEY)"
)
QUESTIONS = {
    "product_id": "product id, such as reoWebApp",
    "environment": "environment, such as PRODUCTION",
}


def is_interactive() -> bool:
    """Whether a person can answer: stdin and stderr are terminals (traps.md, Streams)."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def _line(prompt: str) -> str:
    sys.stderr.write(visible(prompt))
    sys.stderr.flush()
    with _ends_its_line():
        answer = sys.stdin.buffer.readline()
    if not answer:
        raise _no_answer()
    return answer.decode("utf-8", "replace").strip()


def _hidden(prompt: str) -> str:
    import getpass
    import warnings

    with warnings.catch_warnings(), _ends_its_line():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return getpass.getpass(prompt, sys.stderr)
        except (EOFError, getpass.GetPassWarning):
            raise _no_answer() from None
        except UnicodeDecodeError:
            return "\N{REPLACEMENT CHARACTER}"  # no key either way, and then it is told so


@contextmanager
def _ends_its_line() -> Iterator[None]:
    """Let the shell's prompt stand below a question that Ctrl-C ended, not behind it."""
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        raise


def _no_answer() -> ReoError:
    return ReoError(ExitCode.USAGE, "no_answer", "the input ended without an answer")


def _ask_key(tell: Tell, kept: str | None = None) -> str | None:
    """Ask for the key until it has the right shape; None keeps the one there is.

    Raises what `guard.check_key` says of the third bad answer.
    """
    keep = f", Enter keeps {masked(kept)}" if kept else ""
    for left in reversed(range(TRIES)):
        text = _hidden(f"API key (not shown as you type{keep}): ")
        if kept and not text.strip():
            return None
        try:
            return check_key(text)
        except ReoError as error:
            if not left:
                raise
            tell(f"{error.message}; try again")
    raise AssertionError


def new_key(given: str | None, tell: Tell) -> str:
    """Return a key for the config file: from the prompt, or from a piped stdin for `-`.

    Raises ReoError 2 for a key on the command line, which is not repeated, and where there is
    nobody to ask.
    """
    if given == "-" and not (sys.stdin and sys.stdin.isatty()):  # a terminal would echo it
        return sys.stdin.buffer.read(KEY_LIMIT).decode("utf-8", "replace") if sys.stdin else ""
    if given not in (None, "-"):
        message = "a key is not taken from the command line, where `ps` and the history show it"
        raise ReoError(ExitCode.USAGE, "key_in_argv", message, NEW_KEY_HINT)
    _require_terminal("config set api_key", NEW_KEY_HINT)
    return _ask_key(tell) or ""


def interview(path: Path, profile: str | None, tell: Tell) -> dict[Keys, str]:
    """Ask for key, product and environment; return what is to be written. Raises ReoError."""
    _require_terminal("config init", INIT_HINT)
    where = f"`{path}`" + (f", profile `{profile}`" if profile else "")
    tell(f"these settings go to {where}; the key is in Reo.Dev under {KEY_PLACE}")
    now = _current(path, profile)
    key = _ask_key(tell, now.get("api_key"))
    answers = {} if key is None else {place("api_key", profile): key}
    for name, question in QUESTIONS.items():
        current = now.get(name)
        choice = f"Enter keeps {current}" if current else "Enter: none"
        answer = _line(f"{question} ({choice}): ")
        if answer:
            answers[place(name, profile)] = answer
    return answers


def _require_terminal(command: str, hint: str) -> None:
    if not is_interactive():
        message = f"`reo {command}` asks questions, and there is no terminal to answer them"
        raise ReoError(ExitCode.USAGE, "no_terminal", message, hint)


def _current(path: Path, profile: str | None) -> Mapping[str, str]:
    """Return what the file says now, at the place that is to be written."""
    config = load(path)
    if config is None:
        return {}
    if profile is None:
        return config.texts
    return config.profiles[profile].texts if profile in config.profiles else {}

"""Questions to a person at a terminal: the key without an echo, and the few things `init` asks.

Prompts go to stderr, so that stdout stays free for results; answers come from the terminal only.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from reo_cli.errors import ExitCode, ReoError
from reo_cli.settings.files import load
from reo_cli.settings.guard import KEY_LIMIT, KEY_PLACE, check_key
from reo_cli.text import visible

NEW_KEY_HINT = (
    "run `reo config set api_key` and type it, or pipe it into `reo config set api_key -`"
)
INIT_HINT = (
    "use `reo config set KEY VALUE` and `reo config set api_key -`, or variables (REO_API_KEY)"
)
QUESTIONS = {
    "api_key": "API key (not shown as you type; Enter: no change): ",
    "product_id": "product id, such as reoWebApp (Enter: no change): ",
    "environment": "environment, such as PRODUCTION (Enter: no change): ",
}


def _ask(question: str, *, hidden: bool = False) -> str:
    """Return what the person types; Ctrl-C leaves a line of its own to the shell.

    Raises ReoError 2 at the end of the input.
    """
    import getpass

    try:
        if hidden:
            return getpass.getpass(question, sys.stderr).strip()
        sys.stderr.write(visible(question))
        sys.stderr.flush()
        if answer := sys.stdin.buffer.readline():
            return answer.decode("utf-8", "replace").strip()
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        raise
    except (EOFError, UnicodeDecodeError):
        pass
    raise ReoError(ExitCode.USAGE, "no_answer", "there is no answer, or not one in UTF-8")


def new_key(given: str | None) -> str:
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
    return _ask("API key (not shown as you type): ", hidden=True)


def interview(path: Path, profile: str | None, tell: Callable[[str], None]) -> dict[str, str]:
    """Ask for key, product and environment; return what is to be written. Raises ReoError."""
    _require_terminal("config init", INIT_HINT)
    where = f"`{path}`" + (f", profile `{profile}`" if profile else "")
    tell(f"these settings go to {where}; the key is in Reo.Dev under {KEY_PLACE}")
    load(path)  # a broken file is told before the questions
    answers = {}
    for name, question in QUESTIONS.items():
        is_key = name == "api_key"
        if answer := _ask(question, hidden=is_key):
            answers[name] = check_key(answer) if is_key else answer
    return answers


def _require_terminal(command: str, hint: str) -> None:
    """Raise ReoError 2 unless stdin and stderr are terminals (traps.md, Streams)."""
    if not all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr)):
        message = f"`reo {command}` asks questions, and there is no terminal to answer them"
        raise ReoError(ExitCode.USAGE, "no_terminal", message, hint)

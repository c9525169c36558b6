"""The key: asked for, piped in or read from a file, and checked; and the other things `init` asks.

Prompts go to stderr, so that stdout stays free for results; answers come from the terminal only. A
key is checked more strictly than HTTP asks for, and no message shows it (reliability.md 5.6).
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path

from reo_cli.errors import ExitCode, ReoError

KEY_PLACE = "Settings → Integrations → API Keys → Product Usage API"
"""Where the Reo.Dev UI shows the key (api.md)."""
KEY_HINT = f"copy it again from {KEY_PLACE} in Reo.Dev; an admin generates it"
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

BLANKS = " \t\r\n\v\f"
"""What is stripped from a key and an endpoint."""
KEY_LIMIT = 4096
"""Bytes that are read where a key is expected."""

# Patterns are compiled where they are first used, if at all: most runs need none.
QUOTED = r"([\"'`]).*\1"
"""A text with quotes around it, as `docker --env-file` leaves them."""
_ODD_KEYS = {
    QUOTED: "it stands in quotes, which are sent with it",
    r"(?i)(bearer |basic |x-api-key).*": "it begins with the name of a header or scheme; "
    "give the key alone",
    r".*(\$\{|\{\{).*|\$.*": "it is the name of a variable that nothing has put a value into",
    r"[{\[].*": "it is JSON; give the key alone",
    r"(\.\.?|~)?/.*": "it is a path; `--api-key-file` reads a key from a file",
}


def check_key(key: str) -> str:
    """Return the key without the blanks around it.

    Raises ReoError 78, `key_malformed`, unless it is 8 to 512 printable ASCII characters.
    """
    key = key.strip(BLANKS)
    if wrong := re.search(r"[^ -~]", key):
        what = "a control character" if wrong[0].isascii() else "outside ASCII"
        what = "a line break" if wrong[0] in "\r\n" else what
        problem = f"a key is printable ASCII, and character {wrong.end()} is {what}"
    elif not key:
        problem = "the key is empty"
    elif not 8 <= len(key) <= 512:
        length = f"{len(key)} character{'s' if len(key) > 1 else ''}"
        problem = f"the key has {length}; a key has 8 to 512"
    else:
        return key
    raise ReoError(ExitCode.CONFIG, "key_malformed", problem, KEY_HINT)


def key_in(path: Path) -> str:
    """Return the key that a file holds. Raises ReoError 78, `key_file` or `key_malformed`."""
    try:
        with path.open("rb") as file:
            text = file.read(KEY_LIMIT).decode("utf-8", "replace")
    except OSError as error:
        message = f"cannot read the key file `{path}`: {error.strerror}"
        hint = "it holds the key and nothing else"
        raise ReoError(ExitCode.CONFIG, "key_file", message, hint) from None
    return check_key(text)


def odd_key(key: str) -> str:
    """Say what a key looks like that is probably none, empty for any other; never with its text.

    Such a key is still sent: only the API knows its keys.
    """
    bare = key.strip(BLANKS)
    return next((words for odd, words in _ODD_KEYS.items() if re.fullmatch(odd, bare)), "")


def masked(key: str) -> str:
    """Return what may be shown of a key: its last 4 characters if it has 20 or more."""
    tail = key[-4:] if len(key) >= 20 else ""
    return "********" + (tail if tail.isascii() and tail.isprintable() else "")


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
    from reo_cli.settings.files import load

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


def _ask(question: str, *, hidden: bool = False) -> str:
    """Return what the person types; Ctrl-C leaves a line of its own to the shell.

    Raises ReoError 2 at the end of the input.
    """
    import getpass

    try:
        if hidden:
            return getpass.getpass(question, sys.stderr).strip()
        sys.stderr.write(question)
        sys.stderr.flush()
        if answer := sys.stdin.buffer.readline():
            return answer.decode("utf-8", "replace").strip()
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        raise
    except (EOFError, UnicodeDecodeError):
        pass
    raise ReoError(ExitCode.USAGE, "no_answer", "there is no answer, or not one in UTF-8")

"""The completion scripts of bash, zsh and fish, and where a shell finds them.

They live in `completions/` of the repository, and in the wheel inside the package.
"""

import os
import shlex
import sys
from pathlib import Path

from reo_cli.errors import ExitCode, ReoError

FILES = {"bash": "reo.bash", "zsh": "_reo", "fish": "reo.fish"}


def script(shell: str) -> str:
    """Return the script of a shell."""
    package = Path(__file__).parents[1]
    shipped = package / "completions"
    folder = shipped if shipped.is_dir() else package.parent / "completions"
    return (folder / FILES[shell]).read_text(encoding="utf-8")


def chosen() -> str:
    """Return the shell that is named, else the one that runs reo. Raises ReoError 2.

    It is the word behind the option, which cannot say that its value may be left out.
    """
    named = next(iter(sys.argv[2:]), None)
    shell = named or _running() or Path(os.environ.get("SHELL", "")).name
    if shell in FILES:
        return shell
    what = (
        f"`{named}` is not a shell that reo can complete in" if named else "this shell is unknown"
    )
    hint = f"name one of {', '.join(FILES)}: reo --show-completion bash"
    raise ReoError(ExitCode.USAGE, "unknown_shell", what, hint)


def _running() -> str:
    """Return the shell that started reo; empty where it was none, or the system has no /proc."""
    try:
        name = Path(f"/proc/{os.getppid()}/comm").read_text(errors="replace").strip()
    except OSError:
        return ""
    return name if name in FILES else ""


def install(shell: str) -> list[Path]:
    """Put the script where the shell finds it; returns the files written. Raises ReoError 74."""
    home = Path.home()
    try:
        if shell == "fish":
            folder = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config", "fish/completions")
            return [_write(folder / f"{name}.fish", shell) for name in ("reo", "reo-cli")]
        data = os.environ.get("XDG_DATA_HOME") or home / ".local/share"
        path = _write(Path(data, "reo", f"completion.{shell}"), shell)
        load = f"source {shlex.quote(str(path))}"
        if shell == "bash":
            return [path, _append(home / ".bashrc", load)]
        ready = "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }"
        return [
            path,
            _append(Path(os.environ.get("ZDOTDIR") or home, ".zshrc"), f"{ready}; {load}"),
        ]
    except OSError as error:
        message = f"cannot write `{error.filename}`: {(error.strerror or str(error)).lower()}"
        hint = f"`reo --show-completion {shell}` prints the script"
        raise ReoError(ExitCode.IO, "completion", message, hint) from None


def _write(path: Path, shell: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(script(shell))
    return path


def _append(path: Path, line: str) -> Path:
    """Add a line to a start-up file, unless it stands there already."""
    old = path.read_text(errors="replace") if path.exists() else ""
    if line not in old.splitlines():
        start = "" if not old or old.endswith("\n") else "\n"
        with path.open("a") as file:
            file.write(f"{start}\n# completion of reo\n{line}\n")
    return path

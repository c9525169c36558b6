"""The completion scripts of bash, zsh and fish, and where a shell finds them.

They live in `completions/` of the repository, and in the wheel inside the package.
"""

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from reo_cli.errors import ExitCode, ReoError

FILES = {"bash": "reo.bash", "zsh": "_reo", "fish": "reo.fish"}


def script(shell: str) -> str:
    """Return the script of a shell."""
    package = Path(__file__).parents[1]
    shipped = package / "completions"
    folder = shipped if shipped.is_dir() else package.parent / "completions"
    return (folder / FILES[shell]).read_text(encoding="utf-8")


def chosen(named: str | None, environ: Mapping[str, str]) -> str:
    """Return the shell that was named, else the one that runs reo. Raises ReoError 2."""
    shell = named or _running(os.getppid()) or Path(environ.get("SHELL", "")).name
    if shell in FILES:
        return shell
    what = (
        f"`{named}` is not a shell that reo can complete in" if named else "this shell is unknown"
    )
    hint = f"name one of {', '.join(FILES)}: reo --show-completion bash"
    raise ReoError(ExitCode.USAGE, "unknown_shell", what, hint)


def _running(process: int) -> str:
    """Return the nearest shell among a process and those above it; empty where it cannot be told.

    The kernel's /proc is asked, so this finds nothing on systems without it.
    """
    while process > 1:
        try:
            text = Path(f"/proc/{process}/stat").read_text(errors="replace")
        except OSError:
            return ""
        name, _, rest = text.partition("(")[2].rpartition(")")
        if (shell := name.lstrip("-")) in FILES:
            return shell
        process = int(rest.split()[1])
    return ""


def show(shell: str) -> None:
    """Print the script of a shell."""
    sys.stdout.write(script(shell))


def install(shell: str, environ: Mapping[str, str]) -> list[Path]:
    """Put the script where the shell finds it; returns the files written. Raises ReoError 74."""
    home = Path.home()
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    data = Path(environ.get("XDG_DATA_HOME") or home / ".local/share")
    path = data / "reo" / f"completion.{shell}"
    try:
        if shell == "fish":
            folder = config / "fish/completions"
            return [_write(folder / f"{name}.fish", shell) for name in ("reo", "reo-cli")]
        _write(path, shell)
        load = f"source {shlex.quote(str(path))}"
        if shell == "bash":
            return [path, _append(home / ".bashrc", load)]
        ready = "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }"
        return [path, _append(Path(environ.get("ZDOTDIR") or home, ".zshrc"), f"{ready}; {load}")]
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

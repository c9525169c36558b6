"""The completion scripts of bash, zsh and fish, and where a shell finds them.

`completions/` in the repository holds what `reo --show-completion` prints, kept so by a test.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from reo_cli.errors import ExitCode, ReoError

if TYPE_CHECKING:
    from collections.abc import Mapping

BASH = r"""# bash completion for reo; `reo --install-completion bash` puts it in its place.

_reo_completion() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        COMPREPLY+=("$line")
    done < <(
        IFS=$'\n'
        COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD _REO_COMPLETE=complete_bash \
            "${1/#\~/$HOME}" 2>/dev/null
    )
    # a value follows `FIELD=` without a space
    [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace 2>/dev/null
    return 0
}

complete -o default -F _reo_completion reo reo-cli
"""

ZSH = r"""#compdef reo reo-cli
# zsh completion for reo; `reo --install-completion zsh` puts it in its place.

_reo_completion() {
  local line
  local -a whole open
  for line in "${(@f)$(_REO_COMPLETE=complete_zsh _TYPER_COMPLETE_ARGS="${words[1,CURRENT]}" \
      ${~words[1]} 2>/dev/null)}"; do
    if [[ $line == [^:]#=(:*|) ]]; then
      open+=("$line")  # a value follows `FIELD=` without a space
    elif [[ -n $line ]]; then
      whole+=("$line")
    fi
  done
  if (( $#whole + $#open == 0 )); then
    _files
    return
  fi
  (( $#whole )) && _describe reo whole
  (( $#open )) && _describe field open -S ''
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _reo_completion "$@"
else
  compdef _reo_completion reo reo-cli
fi
"""

FISH = r"""# fish completion for reo; `reo --install-completion fish` puts it in its place.

function _reo_completion
    set -l line (commandline -cp | string collect)
    set -l program (commandline -opc)[1]
    set -l found (env _REO_COMPLETE=complete_fish _TYPER_COMPLETE_ARGS="$line" $program 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end

complete --command reo --no-files --arguments '(_reo_completion)'
complete --command reo-cli --no-files --arguments '(_reo_completion)'
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


def chosen(named: str | None, environ: "Mapping[str, str]") -> str:
    """Return the shell that was named, else the one that runs reo. Raises ReoError 2."""
    shell = named or _running(os.getppid()) or Path(environ.get("SHELL", "")).name
    if shell in SCRIPTS:
        return shell
    what = f"`{named}` is no shell that reo can complete in" if named else "this shell is unknown"
    hint = f"name one of {', '.join(SCRIPTS)}: reo --show-completion bash"
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
        if (shell := name.lstrip("-")) in SCRIPTS:
            return shell
        process = int(rest.split()[1])
    return ""


def show(shell: str) -> None:
    """Print the script of a shell."""
    sys.stdout.write(SCRIPTS[shell])


def install(shell: str, environ: "Mapping[str, str]") -> list[Path]:
    """Put the script where the shell finds it; returns the files written. Raises ReoError 74."""
    home = Path.home()
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    data = Path(environ.get("XDG_DATA_HOME") or home / ".local/share")
    script = data / "reo" / f"completion.{shell}"
    try:
        if shell == "fish":
            folder = config / "fish/completions"
            return [_write(folder / f"{name}.fish", FISH) for name in ("reo", "reo-cli")]
        _write(script, SCRIPTS[shell])
        if shell == "bash":
            return [script, _append(home / ".bashrc", f"source {_quoted(script)}")]
        ready = "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }"
        start = Path(environ.get("ZDOTDIR") or home, ".zshrc")
        return [script, _append(start, f"{ready}; source {_quoted(script)}")]
    except OSError as error:
        message = f"cannot write `{error.filename}`: {(error.strerror or str(error)).lower()}"
        hint = f"`reo --show-completion {shell}` prints the script"
        raise ReoError(ExitCode.IO, "completion", message, hint) from None


def _quoted(path: Path) -> str:
    import shlex

    return shlex.quote(str(path))


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def _append(path: Path, line: str) -> Path:
    """Add a line to a start-up file, unless it stands there already."""
    old = path.read_text(errors="replace") if path.exists() else ""
    if line not in old.splitlines():
        start = "" if not old or old.endswith("\n") else "\n"
        with path.open("a") as file:
            file.write(f"{start}\n# completion of reo\n{line}\n")
    return path

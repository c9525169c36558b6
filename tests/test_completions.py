"""TAB in the real shells, the committed scripts, and what `--install-completion` writes."""

import os
import pty
import re
import select
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from reo_cli.cli.app import COMMANDS
from tests import tables
from tests.conftest import Env, Reo, World

FOLDER = Path(__file__).parent.parent / "completions"
FILES = {"bash": "reo.bash", "zsh": "_reo", "fish": "reo.fish"}
PATIENCE = 30.0
"""Seconds that an answer of a shell may take on a machine that is busy."""

TELL = {
    "bash": 'bind -x \'"\\C-t": printf "<%s>" "$READLINE_LINE"\'',
    "zsh": "tell() { print -r -- \"<$BUFFER>\" }; zle -N tell; bindkey '^T' tell",
}
"""Bind Ctrl-T to print the line as the shell has it: a screen also shows what it redraws."""

Type = Callable[[str, str], None]


def needs(shell: str) -> None:
    """Skip a test on a machine without its shell; `.ci/run` installs all three where it can."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed on this machine")


def shell_environ(world: World, path: str) -> Env:
    more = {"TERM": "xterm", "COLUMNS": "200", "PS1": "READY> ", "ZDOTDIR": str(world.home)}
    return {"PATH": path, **more}


@pytest.fixture
def environ(world: World) -> Env:
    """An environment in which `reo` and `reo-cli` are the commands of this source tree."""
    (world.folder / "usage.csv").touch()
    return shell_environ(world, world.path_with_reo())


@contextmanager
def terminal(world: World, env: Env, command: str, setup: str) -> Iterator[Type]:
    """Start a shell in a terminal; give what types keys, and waits until the screen has a text."""
    words = command.split()
    needs(words[0])
    child, descriptor = pty.fork()
    if not child:
        os.chdir(world.folder)
        os.execvpe(words[0], words, world.environ(env))
    seen = ""

    def type_in(keys: str, awaited: str) -> None:
        nonlocal seen
        os.write(descriptor, keys.encode())
        end = time.monotonic() + PATIENCE
        while awaited not in seen:
            left = end - time.monotonic()
            assert left > 0, f"{awaited!r} did not come; the screen shows {seen!r}"
            if select.select([descriptor], [], [], left)[0]:
                chunk = os.read(descriptor, 65536).decode(errors="replace")
                seen += re.sub(r"\x1b(?:\[[0-9;?]*[A-Za-z]|[()=>].?)", "", chunk)

    try:
        type_in(f"{setup}; {TELL[words[0]]}; echo rea''dy\n", "ready\r\n")
        yield type_in
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(descriptor)


FIRST = {"reo vali\t": "reo validate "}


def completes(
    world: World, env: Env, command: str, setup: str, lines: Mapping[str, str] = FIRST
) -> None:
    """See that keys with TABs in them become the lines that they should, one after the other."""
    with terminal(world, env, command, setup) as type_in:
        for keys, expected in lines.items():
            type_in(f"{keys}\x14", f"<{expected}>")
            type_in("\x15", "")  # Ctrl-U clears the line


def fish_offers(world: World, env: Env, line: str, script: str = "true") -> list[str]:
    needs("fish")
    run = world.execute("fish", "-c", f"{script}; complete -C '{line}'", env=env)
    assert run.stderr == ""
    return sorted(each.split("\t")[0] for each in run.stdout.splitlines())


ZSH = "autoload -Uz compinit; compinit -u -D"
SETUPS = {
    "bash --norc -i": f"source {FOLDER}/reo.bash",
    # From `fpath`, where the first call of the function comes from its own loading.
    "zsh -f -i": f"fpath=({FOLDER} $fpath); {ZSH}",
}
LINES = {
    "reo vali\t": "reo validate ",
    "reo-cli vali\t": "reo-cli validate ",
    "reo config get ledger_\t": "reo config get ledger_keep_days ",
    "reo send --event-i\t": "reo send --event-id ",
    "reo validate --map dom\tCompany": "reo validate --map domain=Company",
    "reo validate --map=dom\tCompany": "reo validate --map=domain=Company",
    "reo validate --map=domain=x --extra=ig\t": "reo validate --map=domain=x --extra=ignore ",
    "reo validate us\t": "reo validate usage.csv ",
    "~/bin/reo vali\t": "~/bin/reo validate ",
}


@pytest.mark.parametrize("command", SETUPS, ids=lambda command: command[:4])
def test_a_line_is_completed_from_the_first_tab_on(
    world: World, environ: Env, command: str
) -> None:
    completes(world, environ, command, SETUPS[command], LINES)


def test_zsh_says_what_it_offers(world: World, environ: Env) -> None:
    with terminal(world, environ, "zsh -f -i", f"{ZSH}; source {FOLDER}/_reo") as type_in:
        type_in("reo sen\t\t", "Send the events of files or a pipe.")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("reo-cli sen", ["send", "send-file"]),
        ("reo send --event-id 7 --event", ["--event-at"]),
        ("reo validate --extra=i", ["--extra=ignore"]),
        ("reo send-file --id-from domain,event_", ["domain,event_at", "domain,event_id"]),
        ("reo validate us", ["usage.csv"]),
    ],
)
def test_fish_offers(world: World, environ: Env, line: str, expected: list[str]) -> None:
    assert fish_offers(world, environ, line, f"source {FOLDER}/reo.fish") == expected


@pytest.mark.parametrize("shell", FILES)
def test_the_program_prints_the_script(reo: Reo, shell: str) -> None:
    shown = reo("--show-completion", shell)
    assert (shown.code, shown.stderr) == (0, "")
    assert (FOLDER / FILES[shell]).read_text() == shown.stdout
    assert len(list(FOLDER.iterdir())) == len(FILES)


@pytest.mark.parametrize("shell", TELL)
def test_installed_completion_works_in_a_new_shell(
    world: World, environ: Env, reo: Reo, shell: str
) -> None:
    start = world.home / f".{shell}rc"
    start.write_text("alias ll='ls -l'")
    before = reo("--install-completion", shell)
    assert (before.code, before.stdout, str(start) in before.stderr) == (0, "", True)
    text = start.read_text()
    assert text.startswith("alias ll='ls -l'\n")
    assert reo("--install-completion", shell).code == 0
    assert start.read_text() == text, "a second time adds nothing"
    completes(world, environ, f"{shell} -i", "true")


def test_installed_completion_works_in_fish(world: World, environ: Env, reo: Reo) -> None:
    assert reo("--install-completion", "fish").code == 0
    for name in ("reo", "reo-cli"):
        assert fish_offers(world, environ, f"{name} vali") == ["validate"]


def test_the_running_shell_is_found(world: World, environ: Env) -> None:
    if not Path("/proc/self/comm").exists():
        pytest.skip("this system has no /proc to look the running shell up in")
    run = world.execute("bash", "--norc", "-c", "reo --show-completion; exit $?", env=environ)
    assert run.stdout == (FOLDER / "reo.bash").read_text()


def test_a_start_up_file_that_cannot_be_written_is_an_error(world: World, reo: Reo) -> None:
    (world.home / ".bashrc").mkdir()
    run = reo("--install-completion", "bash")
    assert (run.code, "reo --show-completion bash" in run.stderr) == (74, True)


def offers(world: World, line: str, **env: str) -> dict[str, str]:
    """Return what is offered behind a line, with its words."""
    run = world.run(env={"_REO_COMPLETE": "complete_fish", "_TYPER_COMPLETE_ARGS": line, **env})
    assert (run.code, run.stderr) == (0, "")
    rows = (each.partition("\t") for each in run.stdout.splitlines())
    return {value: words for value, _, words in rows}


def test_profiles_of_the_config_file_where_it_can_be_read(world: World) -> None:
    for text, expected in (("[profiles.eu]\n[profiles.us]\n", ["eu", "us"]), ("[broken", [])):
        (world.home / "config.toml").write_text(text)
        found = offers(world, "reo send --profile ", REO_CONFIG=str(world.home / "config.toml"))
        assert list(found) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("reo unknown ", []),
        ("reo send ", []),
        ("reo config ", ["list", "get", "set", "unset", "path", "init", "doctor"]),
        ("reo config set timeout 10 ", []),
        ("reo send --mode ", ["DOMAIN", "USER"]),
        ("reo send --mode=U", ["USER"]),
        ("reo send --nothing=U", []),
        ("reo send --count ", []),
        ("reo send-file -- --", []),
        ("reo send-file -q --qu", []),
        ("reo send-file -o ", ["table", "json", "ndjson", "github"]),
        ("reo validate --map c", ["count="]),
        ("reo validate --map count=n --m", ["--map", "--max-issues"]),
        ("reo validate --set mode=", []),
        ("reo --ver", ["--version"]),
        ("reo --version ", list(COMMANDS)),
        ("reo help exit", ["exit-codes"]),
        ("reo ledger merge ", []),
        ("reo send -d 'a b' -a 'x --e", []),
        ("reo send -d 'a b' --event-i", ["--event-id"]),
    ],
)
def test_what_is_offered(world: World, line: str, expected: list[str]) -> None:
    assert list(offers(world, line)) == expected


def test_offers_have_the_words_of_the_help(world: World) -> None:
    assert offers(world, "reo v") == {"validate": "Check files without sending anything."}
    assert offers(world, "reo config p")["path"].startswith("Print the path")


@pytest.mark.parametrize("command", ["send", "send-file", "validate", "sandbox"])
def test_every_option_is_offered(world: World, command: str) -> None:
    assert set(offers(world, f"reo {command} -")) == tables.option_names(command) | {"-h", "--help"}

"""TAB in the real shells, the committed scripts, and what `--install-completion` writes."""

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import tables
from tests.conftest import Run, World

Reo = Callable[..., Run]

FOLDER = Path(__file__).parent.parent / "completions"
FILES = {"bash": "reo.bash", "zsh": "_reo", "fish": "reo.fish"}
PATIENCE = 30.0
"""Seconds that an answer of a shell may take on a machine that is busy."""


def needs(shell: str) -> None:
    """Skip a test on a machine without its shell; `.ci/run` installs all three where it can."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed on this machine")


@pytest.fixture
def program(world: World) -> Path:
    """A folder for PATH, with the commands `reo` and `reo-cli` of this source tree."""
    folder = world.home / "bin"
    folder.mkdir()
    for name in ("reo", "reo-cli"):
        command = folder / name
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m reo_cli "$@"\n')
        command.chmod(0o755)
    return folder


def environ(world: World, program: Path, **more: str) -> dict[str, str]:
    path = f"{program}:{os.environ['PATH']}"
    return world.environ({"PATH": path, "TERM": "dumb", "PS1": "READY> ", **more})


def run(world: World, program: Path, *command: str) -> str:
    done = subprocess.run(
        command,
        env=environ(world, program),
        cwd=world.folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE * 2,
        stdin=subprocess.DEVNULL,
    )
    assert done.stderr == ""
    return done.stdout


class Terminal:
    """A shell on a terminal of its own, to type in."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.seen = ""

    def type(self, keys: str) -> None:
        os.write(self._descriptor, keys.encode())

    def wait_for(self, text: str) -> None:
        end = time.monotonic() + PATIENCE
        while text not in self.seen:
            left = end - time.monotonic()
            assert left > 0, f"{text!r} did not come; the screen shows {self.seen!r}"
            if select.select([self._descriptor], [], [], left)[0]:
                chunk = os.read(self._descriptor, 65536).decode(errors="replace")
                self.seen += re.sub(r"\x1b(?:\[[0-9;?]*[A-Za-z]|[()=>].?)", "", chunk)


@contextmanager
def terminal(env: dict[str, str], folder: Path, *command: str) -> Iterator[Terminal]:
    child, descriptor = pty.fork()
    if not child:
        os.chdir(folder)
        os.execvpe(command[0], command, env)
    try:
        yield Terminal(descriptor)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(descriptor)


@pytest.mark.parametrize("shell", FILES)
def test_the_program_prints_the_script(reo: Reo, shell: str) -> None:
    shown = reo("--show-completion", shell)
    assert (shown.code, shown.stderr) == (0, "")
    assert (FOLDER / FILES[shell]).read_text() == shown.stdout


def test_no_other_file_stands_beside_the_scripts() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(FILES.values())


CASES = [
    ("reo sen", {"send", "send-file"}),
    ("reo-cli val", {"validate"}),
    ("reo config ", {"list", "get", "set", "unset", "path", "init", "doctor"}),
    ("reo config get ledger", {"ledger", "ledger_keep_days"}),
    ("reo send --event", {"--event-id", "--event-at"}),
    ("reo send --event-id 7 --event", {"--event-at"}),
    ("reo validate --map c", {"count="}),
    ("reo validate --map count=n --m", {"--map", "--max-issues"}),
    ("reo send-file -o ", {"table", "json", "ndjson", "github"}),
    ("reo send-file --id-from domain,event_", {"domain,event_id", "domain,event_at"}),
    ("reo validate my.csv --extra i", {"ignore"}),
]


@pytest.mark.parametrize(("line", "expected"), CASES)
def test_bash(world: World, program: Path, line: str, expected: set[str]) -> None:
    needs("bash")
    script = (
        f"source {FOLDER}/reo.bash; COMP_LINE=$1 COMP_POINT=${{#1}}; _reo_completion ${{1%% *}}; "
        "printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    out = run(world, program, "bash", "--norc", "-c", script, "bash", line)
    assert set(out.split()) == expected


def test_bash_takes_an_equals_sign_for_a_word_of_its_own(world: World, program: Path) -> None:
    needs("bash")
    with terminal(environ(world, program), world.folder, "bash", "--norc", "-i") as shell:
        shell.type(f"source {FOLDER}/reo.bash; echo so''urced\n")
        shell.wait_for("sourced\r\n")
        shell.type("reo validate --map=dom\t")
        shell.wait_for("--map=domain=")
        shell.type("Company --extra=ig\t")
        shell.wait_for("--map=domain=Company --extra=ignore ")


def test_bash_offers_files_where_there_is_nothing_to_list(world: World, program: Path) -> None:
    needs("bash")
    (world.folder / "usage.csv").touch()
    with terminal(environ(world, program), world.folder, "bash", "--norc", "-i") as shell:
        shell.type(f"source {FOLDER}/reo.bash; echo so''urced\n")
        shell.wait_for("sourced\r\n")
        shell.type("reo validate us\t")
        shell.wait_for("reo validate usage.csv ")


@pytest.mark.parametrize(("line", "expected"), CASES)
def test_fish(world: World, program: Path, line: str, expected: set[str]) -> None:
    needs("fish")
    script = f"source {FOLDER}/reo.fish; complete -C '{line}'"
    out = run(world, program, "fish", "--no-config", "-c", script)
    assert {each.split("\t")[0] for each in out.splitlines()} == expected


def test_fish_offers_files_where_there_is_nothing_to_list(world: World, program: Path) -> None:
    needs("fish")
    (world.folder / "usage.csv").touch()
    script = f"source {FOLDER}/reo.fish; complete -C 'reo validate us'"
    assert "usage.csv" in run(world, program, "fish", "--no-config", "-c", script)


ECHO = "\x14"
"""Ctrl-T, bound to print the line as the shell has it: a screen also shows what it redraws."""

ZSH_SETUP = "tell() { print -r -- \"<$BUFFER>\" }; zle -N tell; bindkey '^T' tell; echo rea''dy\n"

ZSH_LINES = [
    ("reo vali\t", "reo validate "),
    ("reo-cli vali\t", "reo-cli validate "),
    ("reo config get ledger_\t", "reo config get ledger_keep_days "),
    ("reo send --event-i\t", "reo send --event-id "),
    ("reo validate --map dom\tCompany", "reo validate --map domain=Company"),
    ("reo validate --map=dom\tCompany", "reo validate --map=domain=Company"),
    ("reo validate us\t", "reo validate usage.csv "),
    ("~/bin/reo vali\t", "~/bin/reo validate "),
]


@pytest.mark.parametrize(("keys", "expected"), ZSH_LINES)
def test_zsh_completes_at_the_first_tab(
    world: World, program: Path, keys: str, expected: str
) -> None:
    """From `fpath`, where the first call of the function comes from its own loading."""
    needs("zsh")
    (world.folder / "usage.csv").touch()
    env = environ(world, program, TERM="xterm", COLUMNS="200", ZDOTDIR=str(world.home))
    with terminal(env, world.folder, "zsh", "-f", "-i") as shell:
        shell.type(f"fpath=({FOLDER} $fpath); autoload -Uz compinit; compinit -u -D; {ZSH_SETUP}")
        shell.wait_for("ready\r\n")
        shell.type(keys + ECHO)
        shell.wait_for(f"<{expected}>")


def test_zsh_says_what_it_offers(world: World, program: Path) -> None:
    needs("zsh")
    env = environ(world, program, TERM="xterm", COLUMNS="200", ZDOTDIR=str(world.home))
    with terminal(env, world.folder, "zsh", "-f", "-i") as shell:
        shell.type(f"autoload -Uz compinit; compinit -u -D; source {FOLDER}/_reo; {ZSH_SETUP}")
        shell.wait_for("ready\r\n")
        shell.type("reo sen\t\t")
        shell.wait_for("Send the events of files or a pipe.")


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_installed_completion_works_in_a_new_shell(
    world: World, program: Path, reo: Reo, shell: str
) -> None:
    needs(shell)
    start = world.home / f".{shell}rc"
    start.write_text("alias ll='ls -l'")
    before = reo("--install-completion", shell)
    assert (before.code, before.stdout) == (0, "")
    assert str(start) in before.stderr
    text = start.read_text()
    assert text.startswith("alias ll='ls -l'\n")
    assert reo("--install-completion", shell).code == 0
    assert start.read_text() == text, "a second time adds nothing"
    env = environ(world, program, TERM="xterm", COLUMNS="200")
    with terminal(env, world.folder, shell, "-i") as screen:
        screen.type(ZSH_SETUP if shell == "zsh" else "echo rea''dy\n")
        screen.wait_for("ready\r\n")
        screen.type("reo vali\t" + (ECHO if shell == "zsh" else ""))
        screen.wait_for("<reo validate >" if shell == "zsh" else "reo validate ")


def test_installed_completion_works_in_fish(world: World, program: Path, reo: Reo) -> None:
    needs("fish")
    assert reo("--install-completion", "fish").code == 0
    for name in ("reo", "reo-cli"):
        out = run(world, program, "fish", "-c", f"complete -C '{name} vali'")
        assert out.startswith("validate\t")


def test_the_running_shell_is_found(world: World, program: Path) -> None:
    needs("bash")
    if not Path("/proc/self/stat").exists():
        pytest.skip("this system has no /proc to look the running shell up in")
    out = run(world, program, "bash", "--norc", "-c", "reo --show-completion; exit $?")
    assert out == (FOLDER / "reo.bash").read_text()


def test_an_unknown_shell_is_a_usage_error(reo: Reo) -> None:
    run = reo("--show-completion", "tcsh")
    assert (run.code, run.stdout) == (2, "")
    assert "bash, zsh, fish" in run.stderr


def test_a_start_up_file_that_cannot_be_written_is_an_error(world: World, reo: Reo) -> None:
    (world.home / ".bashrc").mkdir()
    run = reo("--install-completion", "bash")
    assert run.code == 74
    assert "reo --show-completion bash" in run.stderr


PROFILES = '[profiles.eu]\nproduct_id = "a"\n[profiles.us]\nproduct_id = "b"\n'


@pytest.mark.parametrize(("text", "expected"), [(PROFILES, ["eu", "us"]), ("[broken", [])])
def test_profiles_of_the_config_file(world: World, text: str, expected: list[str]) -> None:
    (world.home / "config.toml").write_text(text)
    env = {
        "REO_CONFIG": str(world.home / "config.toml"),
        "_REO_COMPLETE": "complete_fish",
        "_TYPER_COMPLETE_ARGS": "reo send --profile ",
    }
    run = world.run(env=env)
    assert (run.code, run.stdout.split(), run.stderr) == (0, expected, "")


def offers(world: World, line: str) -> dict[str, str]:
    """Return what is offered behind a line, with its words."""
    env = {"_REO_COMPLETE": "complete_fish", "_TYPER_COMPLETE_ARGS": line}
    run = world.run(env=env)
    assert (run.code, run.stderr) == (0, "")
    rows = (each.partition("\t") for each in run.stdout.splitlines() if each)
    return {value: words for value, _, words in rows}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("reo unknown ", []),
        ("reo send ", []),
        ("reo config set timeout 10 ", []),
        ("reo send --mode ", ["DOMAIN", "USER"]),
        ("reo send --mode=U", ["USER"]),
        ("reo send --nothing=U", []),
        ("reo send --count ", []),
        ("reo send-file -- --", []),
        ("reo send-file -q --qu", []),
        ("reo validate --set mode=", []),
        ("reo --ver", ["--version"]),
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

"""What is published: the contents of wheel and sdist, and that it works where nothing else is."""

import email
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from reo_cli import __version__
from tests.conftest import World
from tests.test_completions import ZSH, completes, fish_offers, shell_environ

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "tests" / "cases" / "valid" / "usage.csv"
INFO = f"reo_cli-{__version__}.dist-info"
SHARED = f"reo_cli-{__version__}.data/data/share"

BESIDE_THE_MODULES = {
    *(f"reo_cli/completions/{name}" for name in ("_reo", "reo.bash", "reo.fish")),
    f"{SHARED}/bash-completion/completions/reo",
    f"{SHARED}/zsh/site-functions/_reo",
    f"{SHARED}/fish/vendor_completions.d/reo.fish",
    *(f"{INFO}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt")),
    f"{INFO}/licenses/LICENSE",
}
SOURCE = {
    *("reo_cli", "tests", "completions", "pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE"),
    *(".env.example", ".gitignore", "PKG-INFO"),
}


def build(kind: str, source: Path, folder: Path) -> Path:
    """Build a wheel or an sdist of a source tree."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True, timeout=60)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


def names(wheel: Path) -> set[str]:
    return set(zipfile.ZipFile(wheel).namelist())


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    files = [path for path in (ROOT / "reo_cli").rglob("*") if path.is_file()]
    files = [path for path in files if "__pycache__" not in path.parts]
    assert {path.suffix or path.name for path in files} == {".py", ".md", ".typed"}
    assert names(wheel) == {str(path.relative_to(ROOT)) for path in files} | BESIDE_THE_MODULES


def test_the_sdist_holds_the_sources_and_makes_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(build("sdist", ROOT, tmp_path / "sdist")) as archive:
        archive.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.glob(f"reo_cli-{__version__}")
    assert {path.name for path in folder.iterdir()} == SOURCE
    files = [path.name for path in folder.rglob("*")]
    assert not [name for name in files if re.search(r"\.pyc$|\.reo-rejects$|^\.env$", name)]
    assert names(build("wheel", folder, tmp_path / "again")) == names(wheel)


def test_the_metadata_say_who_what_and_where(wheel: Path) -> None:
    metadata = email.message_from_bytes(zipfile.ZipFile(wheel).read(f"{INFO}/METADATA"))
    assert (metadata["Name"], metadata["Version"]) == ("reo-cli", __version__)
    assert metadata.get_all("Provides-Extra") == ["all", "dev", "excel", "sql"]
    assert metadata["Author"] == "The reo-cli authors"
    urls = metadata.get_all("Project-URL") or []
    assert urls
    assert not [url for url in urls if re.search(r"pypi|pythonhosted", url)]
    classifiers = "\n".join(metadata.get_all("Classifier") or [])
    assert re.findall(r"Python :: (3\.\d+)$", classifiers, re.M) == ["3.11", "3.12", "3.13"]
    assert metadata["Requires-Python"] == ">=3.11"


def test_the_version_is_the_one_of_the_changelog() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.findall(r"^## \[(\d\S*)\] - \d{4}-\d\d-\d\d$", text, re.M)
    assert released[0] == __version__
    assert set(re.findall(r"^### (.*)$", text, re.M)) <= {"Added", "Changed", "Removed", "Fixed"}
    entries = re.findall(r"^- (.*)$", text, re.M)
    assert not [entry for entry in entries if len(entry) > 90 or entry.endswith(".")]


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel, what it declares, and nothing else."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    done = pip(folder, "install", "-q", "--retries", "1", str(wheel))
    if done.returncode:
        pytest.skip(f"its dependencies could not be had: {done.stderr.strip()[-300:]}")
    return folder


def pip(venv: Path, *args: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(venv)]
    return subprocess.run([*command, *args], capture_output=True, text=True, timeout=110)


COMMANDS = {
    "--version": f"reo {__version__}\n",
    "--help": "send-file",
    "help fields": "# Fields: ",
    f"validate {SAMPLE}": "valid",
    "send -a primary -n 5 -d acme.com -p app --sandbox": "delivered",
    f"send-file {SAMPLE} --sandbox": "delivered",
    "config list": "timeout",
    "--show-completion zsh": "#compdef reo",
}


def test_it_works_where_nothing_else_is_installed(world: World, installed: Path) -> None:
    env = {"PATH": f"{installed}/bin:/usr/bin:/bin"}
    for name in ("reo", "reo-cli"):
        for args, expected in COMMANDS.items():
            done = world.execute(f"{installed}/bin/{name}", *args.split(), env=env)
            assert (done.code, done.stderr) == (0, ""), (name, args, done)
            assert expected in done.stdout
    frozen = pip(installed, "freeze").stdout
    found = {re.split(r"[=@ ]", line)[0].lower() for line in frozen.splitlines()}
    assert not found & {"pytest", "python-calamine", "duckdb", "hatchling", "mypy"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {re.split(r"[<>=]", each)[0] for each in project["dependencies"]} <= found


def test_tab_works_from_the_installed_wheel(world: World, installed: Path) -> None:
    """At the first TAB, with the scripts where the wheel puts them and shells look for them."""
    share = installed / "share"
    env = shell_environ(world, f"{installed}/bin:{os.environ['PATH']}")
    bash = f"source {share}/bash-completion/completions/reo"
    completes(world, env, "bash --norc -i", bash)
    completes(world, env, "zsh -f -i", f"fpath=({share}/zsh/site-functions $fpath); {ZSH}")
    fish = {**env, "XDG_DATA_DIRS": str(share)}
    assert fish_offers(world, fish, "reo vali") == ["validate"]

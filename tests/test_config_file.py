"""The config file: what is wrong with it is named, and no write loses or reveals anything."""

import os
import stat
import tempfile
import tomllib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import tomlkit

from reo_cli.errors import ExitCode, ReoError
from reo_cli.settings import Sources, resolve
from reo_cli.settings.edit import require_known, set_values, unset
from reo_cli.settings.files import load
from tests.conftest import CANARY as KEY


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of a config file; neither it nor its folder exists."""
    return tmp_path / "a" / "reo" / "config.toml"


def write(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def set_one(path: Path, name: str, text: str, profile: str | None = None) -> None:
    require_known(name, profile)
    set_values(path, profile, {name: text}, path.parent)


def refused(call: Callable[..., object], *args: Any) -> ReoError:
    with pytest.raises(ReoError) as caught:
        call(*args)
    assert KEY not in f"{caught.value.message} {caught.value.hint}"
    return caught.value


# Reading

BY_HAND = "mend it by hand; reo changes nothing"


@pytest.mark.parametrize(
    ("text", "where", "hint"),
    [
        ("timeout = 3\ntimeot = 4\n", "2: `timeot`: is not a setting", "you mean `timeout`?"),
        ("# product-id\n\nproduct-id = 'x'", "3: `product-id`: is not", "you mean `product_id`?"),
        ("colour = 1", "1: `colour`: is not a setting", "the settings are api_key,"),
        ("retries = 1\ntimeout = 'ten'", '2: `timeout`: "ten" is not a plain number', ""),
        ("timeout = nan", '1: `timeout`: "nan" is not a plain number', ""),
        ('ledger = "a\\u0000b"', "1: `ledger`: holds a NUL byte", ""),
        ("retries = true", "1: `retries`: is n", ""),
        ("product_id = [\n 15\n]", "1: `product_id`: is n", ""),
        ('"\\u0061ccount" = []', "1: `account`: is n", ""),
        ("[profiles.a]\nretries = 1\n[profiles.b]\nretries = -1", "4: `profiles.b.retries`", ""),
        ("[profiles.a]\n\n[profiles.a.mapp]\n", "3: `profiles.a.mapp`: is not", "you mean `map`?"),
        ("[map]\ndomain = 'x'", "1: `map`: belongs in a profile", "[profiles.NAME]"),
        ("[profile.a]\n", "1: `profile`: is not a setting", "did you mean `profiles`?"),
        ("profiles = 1", "1: `profiles`: is not a table", ""),
        ("[profiles]\na = 1", "2: `profiles.a`: is not a table", "[profiles.a]"),
        ("[profiles.a.map]\ndomian = 'x'", "2: `profiles.a.map.domian`: names the", "`domain`"),
        ("[profiles.a]\nset = { count = true }", "2: `profiles.a.set.count`: is neither", ""),
        ("[profiles.a]\nset.event_at = 2026-01-01", "2: `profiles.a.set.event_at`: is n", ""),
        (
            "[profiles.a]\nextra = 'maybe'",
            "2: `profiles.a.extra`: cannot be this",
            "error, meta, ig",
        ),
        ("[profiles.a]\nid_from = [\n'domain',\n'x'\n]", "2: `profiles.a.id_from`: names", ""),
        ("[profiles.a]\nsql = '''\nsheet = 1\n'''\nsheet = []", "5: `profiles.a.sheet`: is n", ""),
        ("[profiles.a]\nonly = [\n'x = 1',\n'y = 2'\n]\nx = 1", "6: `profiles.a.x`: is not", ""),
        ("# one\n'account#' = 1", "2: `account#`: is not a setting", ""),
        ("[profiles.a]\nid_from = [1]", "2: `profiles.a.id_from`: is not a list", ""),
        ("timeout = 1\nretries = \n", "2: the config file is not valid TOML", BY_HAND),
        ("timeout = 1\n\ntimeout = 2\n", "3: the config file is not valid TOML", BY_HAND),
        ("x = " + "[" * 5000, "1: the config file is not valid TOML: maximum recursion", BY_HAND),
        (f'api_key = "{KEY}" x', "1: the config file is not valid TOML", BY_HAND),
        (f'# ours\napi_key = "{KEY}\n', "2: the config file is not valid TOML", BY_HAND),
        (f"api_key = {KEY}", "1: the config file is not valid TOML", BY_HAND),
        (b"timeout = 1\n# caf\xe9\n", "2: the config file is not UTF-8", BY_HAND),
        (b"#" * (1024 * 1024 + 1), " the config file is larger than 1 MiB", BY_HAND),
    ],
)
def test_faults_name_file_line_and_key(
    path: Path, text: str | bytes, where: str, hint: str
) -> None:
    write(path, text)
    error = refused(load, path)
    assert error.exit_code is ExitCode.CONFIG
    assert error.message.startswith(f"{path}:{where}")
    assert hint in error.hint


def test_what_the_file_may_look_like(path: Path) -> None:
    write(path, '\ufefftimeout = 2.5\r\naccount = ""\r\n[profiles."my own"]\r\nrate = "3"\r\n')
    assert load(path) == {None: {"timeout": "2.5"}, "my own": {"rate": "3"}}
    assert load(path.with_name("missing.toml")) == load(path / "below-a-file") == {}
    assert "cannot read" in refused(load, path.parent).message


def test_a_file_with_a_key_that_others_can_read(path: Path) -> None:
    for mode, text, exposed in (
        (0o600, f"api_key = '{KEY}'", 0),
        (0o640, f"api_key = '{KEY}'", 1),
        (0o604, f"[profiles.other]\napi_key = '{KEY}'", 1),
        (0o644, "retries = 1", 0),
    ):
        write(path, text)
        path.chmod(mode)
        warnings = resolve(Sources({}, {"REO_CONFIG": str(path)}, path.parent)).warnings
        assert ["others can read it" in each for each in warnings] == [True] * exposed


# Writing

DOCUMENTS = [
    "",
    "# a comment\n",
    "# above\ntimeout = 3 # beside\n\n# below\n",
    "timeout = 3",
    "[profiles.a]\ntimeout = 1\n",
    "profiles.a.timeout = 1\n",
    "profiles = { a = { timeout = 1 } }\n",
    "[profiles.a]\ntimeout = 1\n[profiles.a.map]\ncount = 'x' # k\n[profiles.b]\nretries = 1\n"
    "[profiles.a.set]\nmode = 'DOMAIN'\n",
    "\r\n# x\r\ntimeout = 3\r\n[profiles.a]\r\nretries = 1\r\n",
    "[profiles.a.map]\n[profiles.a.map.meta]\nplan = 'P'\n",
    "[profiles.a.map]\n'meta.plan' = 'P'\n",
    "[profiles]\n[profiles.a]\n",
    "[profiles.b]\nretries = 1\n\n# about a\n[profiles.a]\nretries = 1\n",
]


@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.parametrize(
    ("name", "profile", "text", "value"),
    [
        ("retries", None, "7", "7"),
        ("timeout", None, "2.50", "2.5"),
        ("retries", "a", "7", "7"),
        ("map.meta.plan", "a", "Pl an", "Pl an"),
        ("map.domain", "a", "Company Domain", "Company Domain"),
        ("id_from", "new", "domain, event_at", ("domain", "event_at")),
        ("product_id", "x y", 'say "hi"', 'say "hi"'),
    ],
)
def test_a_value_is_set_and_removed_and_comments_stay(
    path: Path, document: str, name: str, profile: str | None, text: str, value: object
) -> None:
    def found() -> Any:
        node: Any = load(path).get(profile, {})
        head, dot, rest = name.partition(".")
        return node.get(head, {}).get(rest) if dot else node.get(name)

    write(path, document)
    set_one(path, name, text, profile)
    new = path.read_bytes().decode()
    assert found() == value
    for comment in (line.partition("#")[2] for line in document.splitlines() if "#" in line):
        assert f"#{comment}" in new
    assert unset(path, profile, name)
    assert found() is None
    assert not unset(path, profile, name)


@pytest.mark.parametrize(
    ("name", "profile", "text", "code", "problem"),
    [
        ("timeout", None, "abc", 2, "not a plain number"),
        ("account", None, " ", 2, "is empty"),
        ("endpoint", None, "http://evil.example", 78, "not https"),
        ("api_key", None, "short", 78, "characters"),
        ("extra", "a", "no", 2, "`extra` cannot be this"),
        ("map.domian", "a", "x", 2, "`map.domian` names the unknown field"),
        ("id_from", "a", "domain,x", 2, "`id_from` names the unknown field `x`"),
        ("timeot", None, "1", 2, "`timeot` is not a setting"),
        ("map.domain", None, "x", 2, "`map` belongs in a profile"),
        ("extra", None, "meta", 2, "`extra` belongs in a profile"),
        ("map", "a", "x", 2, "no setting of that name"),
        (KEY, None, "x", 2, "no setting of that name"),
    ],
)
def test_name_and_value_are_checked_before_anything_is_written(
    path: Path, name: str, profile: str | None, text: str, code: int, problem: str
) -> None:
    error = refused(set_one, path, name, text, profile)
    assert error.exit_code == code
    assert problem in error.message
    assert not path.parent.exists()


def test_a_path_is_written_in_full(path: Path, tmp_path: Path) -> None:
    set_values(path, None, {"ca_bundle": "ca.pem", "ledger": "~/l.db"}, tmp_path)
    assert load(path)[None] == {"ca_bundle": str(tmp_path / "ca.pem"), "ledger": "~/l.db"}


def test_what_reo_does_not_know_can_be_removed_and_nothing_is_written_without_a_change(
    path: Path,
) -> None:
    assert not unset(path, None, "retries")
    assert not path.parent.exists()
    write(path, "timeot = 3\n[profiles.a]\nmapp = 1\n")
    assert unset(path, None, "timeot")
    assert unset(path, "a", "mapp")
    assert load(path) == {None: {}, "a": {}}
    assert "no setting" in refused(unset, path, None, "colour").message
    path.unlink()
    assert not unset(path, "a", "retries")
    assert not path.exists()


@pytest.mark.parametrize("text", ["timeout = \n", "a = 1\na = 2\n", "profiles = 3\n"])
def test_a_broken_file_is_left_as_it_is(path: Path, text: str) -> None:
    write(path, text)
    assert refused(set_one, path, "retries", "1", "a").exit_code is ExitCode.CONFIG
    assert path.read_text() == text


def test_a_change_of_more_than_was_asked_is_not_written(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What tomlkit makes of a file is read again and compared, whatever bug it may have."""
    write(path, "retries = 1\ntimeout = 3\n")
    monkeypatch.setattr(tomlkit, "dumps", lambda document: f"retries = {document['retries']}\n")
    with pytest.raises(RuntimeError, match="more than was asked"):
        set_one(path, "retries", "2")
    assert path.read_text() == "retries = 1\ntimeout = 3\n"


@pytest.mark.parametrize("mask", [0, 0o22, 0o77, 0o277, 0o777])
def test_5_7_the_file_is_for_its_owner_only_under_any_umask(path: Path, mask: int) -> None:
    old = os.umask(mask)
    try:
        set_one(path, "api_key", KEY)
    finally:
        os.umask(old)
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (path, *path.parents[:2])]
    assert modes == [0o600, 0o700, 0o700]
    path.chmod(0o644)
    set_one(path, "retries", "1")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.symlink_to(path.with_name("victim")), "a symbolic link"),
        (lambda path: path.symlink_to(path.with_name("nothing")), "a symbolic link"),
        (os.mkfifo, "not a regular file"),
    ],
)
def test_5_7_a_symbolic_link_and_what_is_odd_is_refused(
    path: Path, make: Callable[[Path], None], said: str
) -> None:
    write(path.with_name("victim"), "retries = 1\n")
    make(path)
    kind = path.lstat().st_mode
    for call, *args in ((set_one, path, "api_key", KEY), (unset, path, None, "retries")):
        error = refused(call, *args)
        assert (error.exit_code, said in error.message) == (ExitCode.CONFIG, True)
    assert path.lstat().st_mode == kind
    assert path.with_name("victim").read_text() == "retries = 1\n"
    assert not path.with_name("nothing").exists()


def test_5_7_new_files_are_made_exclusively_and_follow_no_link(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The temporary name is guessed here: a link planted at it must not be written through."""
    write(path, "")
    monkeypatch.setattr(tempfile, "_get_candidate_names", lambda: iter(["guessed", "other"]))
    path.with_name(".config.toml.guessed").symlink_to(path.with_name("victim"))
    set_one(path, "api_key", KEY)
    assert not path.with_name("victim").exists()
    assert path.read_text() == f'api_key = "{KEY}"\n'


@pytest.mark.parametrize("call", ["fsync", "fchmod"])
def test_5_7_a_write_that_fails_changes_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    write(path, "retries = 1\n")
    full = Mock(side_effect=OSError(28, "No space left on device"))
    monkeypatch.setattr(os, call, full)
    error = refused(set_one, path, "retries", "2")
    assert error.exit_code is ExitCode.IO
    assert "No space left" in error.message
    assert path.read_text() == "retries = 1\n"
    assert [each.name for each in path.parent.iterdir()] == ["config.toml"]


def test_5_7_writers_at_the_same_time_lose_nothing(path: Path) -> None:
    """Each thread opens the lock for itself, so they exclude one another as processes do."""
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda n: set_one(path, "retries", "1", f"w{n}"), range(30)))
    assert len(tomllib.loads(path.read_text())["profiles"]) == 30


def test_without_a_home_there_is_no_file_to_write() -> None:
    error = refused(set_one, Path("~/.config/reo/config.toml"), "retries", "1")
    assert "no home folder" in error.message

"""Which value wins, where it is said to come from, and what a stranger's `.env` cannot do."""

import os
import pwd
import subprocess
import sys
from pathlib import Path
from typing import Any

import platformdirs
import pytest

from reo_cli.errors import ExitCode, ReoError
from reo_cli.settings import SETTINGS, Settings, Sources, resolve
from reo_cli.settings.files import user_folder
from reo_cli.settings.table import BY_KEY, masked
from tests.conftest import CANARY as KEY

ENV_EXAMPLE = Path(__file__).parents[1] / ".env.example"
OTHER_KEY = "another-key-9876543210-wxyz"
EVIL = "REO_ENDPOINT=https://evil.example"
LEVELS = ("flag", "environment", "env_file", "profile", "top")


class Files:
    """A working folder with the files that settings come from; the environment is empty."""

    def __init__(self, folder: Path) -> None:
        self.cwd = folder / "work"
        self.cwd.mkdir()
        self.config = folder / "config" / "config.toml"
        self.config.parent.mkdir()
        self.write(self.config, "")

    def write(self, path: Path | str, content: str | bytes) -> Path:
        path = self.cwd / path
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(0o600)
        return path

    def sources(self, dotenv: str = "", toml: str = "", **given: Any) -> Sources:
        """Return sources with these files; capitals are variables, the rest attributes."""
        if dotenv:
            self.write(".env", dotenv)
        if toml:
            self.write(self.config, toml)
        environ = {name: text for name, text in given.items() if name.isupper()}
        more = {name: value for name, value in given.items() if not name.isupper()}
        sources = Sources({}, {"REO_CONFIG": str(self.config), **environ}, self.cwd)
        return sources._replace(**more)

    def resolve(self, dotenv: str = "", toml: str = "", **given: Any) -> Settings:
        return resolve(self.sources(dotenv, toml, **given))

    def refused(self, dotenv: str = "", toml: str = "", **given: Any) -> ReoError:
        """Return the error that resolving ends with, or asking for the key."""
        with pytest.raises(ReoError) as caught:
            self.resolve(dotenv, toml, **given).require_key()
        assert KEY not in f"{caught.value.message} {caught.value.hint}"
        return caught.value


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def attribute(settings: Settings, key: str) -> str:
    value = getattr(settings, key)
    return f"{value:g}" if isinstance(value, float) else str(value)


def text_of(key: str, level: int) -> str:
    """Return another text for each setting and level."""
    match BY_KEY[key].kind:
        case "whole":
            return str(level + 1)
        case "decimal":
            return f"{level + 1}.5"
        case "url":
            return f"https://host{level}.example/path"
    return f"/{key} of/{level}"


@pytest.mark.parametrize("highest", range(5), ids=LEVELS)
@pytest.mark.parametrize("key", BY_KEY)
def test_the_highest_level_wins_and_is_named(files: Files, key: str, highest: int) -> None:
    """`key` has another text in every level from `highest` on down."""
    setting = BY_KEY[key]
    if setting.kind == "secret" and highest == 0:
        assert setting.flag == ""
        return
    texts = {name: text_of(key, n) for n, name in enumerate(LEVELS) if n >= highest}
    profile = f"{key} = '{texts['profile']}'" if "profile" in texts else ""
    toml = f"{key} = '{texts['top']}'\n[profiles.p]\n{profile}\n"
    given: dict[str, Any] = {"profile": "p"}
    if "flag" in texts:
        given["flags"] = {key: texts["flag"]}
    if "environment" in texts:
        given[setting.variable] = texts["environment"]
    if "env_file" in texts:
        line = f"{setting.variable}={texts['env_file']}\n"
        given["env_file"] = files.write("named.env", line)
    settings = files.resolve(toml=toml, **given)
    assert attribute(settings, key) == text_of(key, highest)
    source, file = {
        "flag": (f"flag {setting.flag}", None),
        "environment": (f"environment {setting.variable}", None),
        "env_file": (f"{files.cwd}/named.env", files.cwd / "named.env"),
        "profile": (f"profile p in {files.config}", files.config),
        "top": (str(files.config), files.config),
    }[LEVELS[highest]]
    assert (settings.values[key].source, settings.values[key].file) == (source, file)


@pytest.mark.parametrize("key", sorted(set(BY_KEY) - {"api_key_file", "ledger", "ca_bundle"}))
def test_the_env_file_of_the_working_folder_is_found(files: Files, key: str) -> None:
    settings = files.resolve(f"REO_API_KEY={KEY}\n{BY_KEY[key].variable}={text_of(key, 2)}\n")
    assert attribute(settings, key) == text_of(key, 2)
    assert settings.values[key].source == ".env"
    assert settings.warnings == ()


def test_defaults(files: Files, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    settings = files.resolve()
    given = {key: getattr(settings, key) for key in BY_KEY}
    assert {key: value for key, value in given.items() if value is not None} == {
        "endpoint": "https://ingest.reo.dev/api/product/aggregateusage",
        "timeout": 10.0,
        "retries": 5,
        "concurrency": 8,
        "ledger": tmp_path / "state" / "reo" / "ledger.db",
        "ledger_keep_days": 400,
    }
    assert {value.source for value in settings.values.values()} == {"default"}
    assert settings.reading == {}


def test_without_a_home_there_is_no_config_file_and_no_ledger(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder `~` would be one in the working folder, which may be anybody's."""

    def fail(_: int) -> None:
        raise KeyError("an unknown user, as in containers")

    monkeypatch.setattr(pwd, "getpwuid", fail)
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(files.cwd)
    Path("~/.config/reo").mkdir(parents=True)
    Path("~/.config/reo/config.toml").write_text('endpoint = "https://evil.example"\n')
    settings = resolve(Sources({}, {}, Path()))
    assert settings.values["endpoint"].source == "default"
    with pytest.raises(ReoError, match="no home folder") as caught:
        _ = settings.ledger
    assert caught.value.exit_code is ExitCode.CONFIG
    assert {value.key: value.value for value in settings.shown()}["ledger"] is None


@pytest.mark.parametrize("blank", ["", "  "])
@pytest.mark.parametrize("key", BY_KEY)
def test_an_empty_variable_is_absent(files: Files, key: str, blank: str) -> None:
    variable, toml = BY_KEY[key].variable, f"{key} = '{text_of(key, 4)}'\n"
    settings = files.resolve(f"{variable}='{blank}'", toml, **{variable: blank})
    assert attribute(settings, key) == text_of(key, 4)


@pytest.mark.parametrize("key", sorted(set(BY_KEY) - {"api_key", "endpoint"}))
def test_blanks_and_line_ends_around_a_variable_are_dropped(files: Files, key: str) -> None:
    """`docker --env-file` keeps a CR: `acme\\r` would be another account."""
    text, variable = text_of(key, 0), BY_KEY[key].variable
    assert attribute(files.resolve(**{variable: f" {text}\r"}), key) == text
    named = files.write("named.env", f'{variable}=" {text}\\t"\n')
    assert attribute(files.resolve(env_file=named), key) == text


@pytest.mark.parametrize(
    ("key", "text", "problem"),
    [
        ("timeout", "abc", '"abc" is not a plain number'),
        *(("timeout", text, "not a plain number") for text in ("nan", "inf", "1_0", "1e3", "٣")),
        ("timeout", "0", "outside 0.001 to 86400"),
        ("timeout", "9" * 400, "outside"),
        ("retries", "-1", '"-1" is outside 0 to 1000'),
        ("retries", "5.0", "not a whole number"),
        ("retries", "+5", "not a whole number"),
        ("retries", "9" * 5000, "outside"),
        ("concurrency", "0", "outside 1 to 256"),
        ("concurrency", "257", "outside 1 to 256"),
        ("rate", "-2.5", "outside"),
        ("ledger_keep_days", "0", "outside 1 to 36500"),
    ],
)
def test_bad_values_name_their_source(files: Files, key: str, text: str, problem: str) -> None:
    flag, variable = BY_KEY[key].flag, BY_KEY[key].variable
    for given, source, code in (
        ({"flags": {key: text}}, f"flag {flag}: ", ExitCode.USAGE),
        ({variable: text}, f"environment {variable}: ", ExitCode.CONFIG),
        ({"dotenv": f"{variable}='{text}'"}, "from .env: ", ExitCode.CONFIG),
    ):
        error = files.refused(**given)
        assert error.exit_code == code
        assert source in error.message
        assert problem in error.message
        assert len(error.message) < 300


@pytest.mark.parametrize(
    ("given", "code", "problem"),
    [
        *(({"flags": {key: ""}}, 2, "is empty") for key in ("account", "endpoint", "ledger")),
        *(
            ({"REO_ACCOUNT": text}, 78, "`REO_ACCOUNT` in the environment holds a control")
            for text in ("a\rb", "a\x1b[31m", "a\x7f", "a\x85b", "caf\udce9")
        ),
        ({"env_file": Path("missing.env")}, 78, "cannot be read"),
        ({"env_file": Path("x"), "use_env_file": False}, 2, "exclude"),
        ({"REO_API_KEY": ""}, 78, "`REO_API_KEY` is set but empty"),
        ({"REO_API_KEY_FILE": "."}, 78, "cannot read the key file"),
        ({"REO_API_KEY_FILE": KEY}, 78, "looks like a key"),
        ({"profile": "x", "toml": "[profiles.b]\n[profiles.a]\n"}, 78, "no profile `x`"),
    ],
)
def test_what_is_refused(files: Files, given: dict[str, Any], code: int, problem: str) -> None:
    error = files.refused(**given)
    assert (error.exit_code, problem in error.message) == (code, True)


@pytest.mark.parametrize(
    ("given", "warnings"),
    [
        (
            {"REO_ACCOUNT": '"acme"', "REO_PRODUCT_ID": "it's"},
            ["`REO_ACCOUNT` in the environment stands in quotes"],
        ),
        (
            {
                "REO_TIMOUT": "3",
                "REO_TEST_SCALE": "1",
                "dotenv": "REO_PRODUKT_ID=x\nREO_SOMETHING_ELSE=y\nDATABASE=z\n",
            },
            [
                "`REO_TIMOUT` in the environment is not a setting: did you mean `REO_TIMEOUT`?",
                "`REO_PRODUKT_ID` in `.env` is not a setting: did you mean `REO_PRODUCT_ID`?",
            ],
        ),
        (
            {"REO_API_KEY": KEY, "REO_API_KEY_FILE": "/nowhere"},
            ["environment REO_API_KEY is used, not `api_key_file` from environment REO_API_KEY_F"],
        ),
        (
            {"REO_API_KEY": f"{KEY}\n"},
            ["blanks around the key from environment REO_API_KEY were removed"],
        ),
        ({"REO_CONFIG": "/nowhere/c.toml"}, ["`REO_CONFIG` names `/nowhere/c.toml`, which does"]),
        ({"dotenv": EVIL}, ["which holds no key: it has no effect"]),
    ],
)
def test_what_is_warned_of(files: Files, given: dict[str, Any], warnings: list[str]) -> None:
    found = files.resolve(**given).warnings
    assert len(found) == len(warnings)
    assert all(part in warning for part, warning in zip(warnings, found, strict=True))


def test_a_config_file_by_default_that_is_closed_to_this_user_counts_as_absent(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HOME is another user's under `docker --user` and `sudo -u`; tests may run as root."""
    opened: Any = Path.open

    def closed(path: Path, *args: str) -> Any:
        if path.name == "config.toml":
            raise PermissionError(13, "Permission denied")
        return opened(path, *args)

    monkeypatch.setattr(Path, "open", closed)
    [warning] = resolve(Sources({}, {}, files.cwd)).warnings
    assert "counts as absent" in warning
    assert files.refused().exit_code is ExitCode.CONFIG


def test_paths_are_relative_to_where_they_are_written(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    toml = 'ledger = "l.db"\n[profiles.p]\nca_bundle = "~/ca.pem"\n'
    settings = files.resolve(toml=toml, REO_API_KEY_FILE="key.txt", profile="p")
    assert settings.ledger == files.config.parent / "l.db"
    assert settings.ca_bundle == Path("~/ca.pem").expanduser()
    assert settings.api_key_file == files.cwd / "key.txt"
    monkeypatch.chdir(files.cwd)
    path = files.write("my.toml", "retries = 3\n")
    settings = resolve(Sources({}, {"REO_CONFIG": "my.toml"}, Path()))
    assert (settings.retries, settings.config_path) == (3, path)


# The key


def test_without_a_key_one_line_tells_every_way(files: Files) -> None:
    error = files.refused()
    assert (error.exit_code, error.reason) == (ExitCode.CONFIG, "no_key")
    for way in ("REO_API_KEY", "--api-key-file", ".env", "reo config set api_key", "Integrations"):
        assert way in error.message
    assert "\n" not in error.message


def test_a_higher_level_wins_in_whatever_way_it_gives_the_key(files: Files) -> None:
    settings = files.resolve(REO_API_KEY=KEY, flags={"api_key_file": "key"})
    files.write("key", f"  {OTHER_KEY}\r\n")  # it is read when the key is asked for
    assert settings.require_key() == OTHER_KEY
    assert settings.api_key is None
    assert not settings.values["api_key"].used
    assert settings.warnings == ()
    assert settings.notes == (
        "`api_key_file` from flag --api-key-file is used",
        "`api_key` from environment REO_API_KEY is not used",
    )


def test_within_one_level_the_key_comes_before_its_file(files: Files) -> None:
    settings = files.resolve(REO_API_KEY=KEY, REO_API_KEY_FILE="/nowhere")
    assert (settings.require_key(), settings.api_key_file) == (KEY, None)
    assert not settings.values["api_key_file"].used


def test_with_an_explicit_profile_a_key_from_elsewhere_is_a_warning(files: Files) -> None:
    toml = f'[profiles.prod]\napi_key = "{OTHER_KEY}"\n'
    for chosen in ({"profile": "prod"}, {"REO_PROFILE": "prod"}):
        [warning] = files.resolve(toml=toml, REO_API_KEY=KEY, **chosen).warnings
        assert "environment REO_API_KEY" in warning
        assert f"profile prod in {files.config}" in warning
    assert files.resolve(profile="prod").warnings == ()


def test_nothing_shows_the_key(files: Files) -> None:
    sources = files.sources(f"REO_API_KEY={KEY}", f'api_key = "{KEY}"\n', REO_API_KEY=KEY)
    assert KEY not in repr(sources) + repr(resolve(sources))
    assert resolve(sources).values["api_key"].value == "********abcd"
    assert masked("k" * 16 + "wxyz") == "********wxyz"
    assert masked("k" * 15 + "wxyz") == masked("") == "********"


@pytest.mark.parametrize("source", ["environment", "env_file", "config", "key_file"])
@pytest.mark.parametrize(
    "key",
    ["7 chars", "k" * 5000, "cr\r\nlf-in-the-key", "“quotes”", "\ufeffbom-in-key", "nul\0in-key"],
)
def test_5_6_key_syntax(files: Files, key: str, source: str) -> None:
    line_ends = key.replace("\r", "\\r").replace("\n", "\\n")
    files.write("key", key)
    error = files.refused(
        **{
            "environment": {"REO_API_KEY": key},
            "env_file": {"dotenv": f'REO_API_KEY="{line_ends}"'},
            "config": {"toml": f'api_key = "{line_ends}"\n'.replace("\0", "\\u0000")},
            "key_file": {"REO_API_KEY_FILE": "key"},
        }[source]
    )
    assert error.exit_code is ExitCode.CONFIG
    assert key not in f"{error.message} {error.hint}"
    assert "from " in error.message


# Profiles


def test_an_unknown_profile_lists_the_known_ones(files: Files) -> None:
    error = files.refused(toml="[profiles.prod]\n[profiles.staging]\n", profile="x")
    assert error.hint == "the profiles there are `prod`, `staging`"
    assert files.refused(toml="retries = 1\n", profile="x").hint == "it has no profiles"
    files.config.unlink()
    assert "does not exist" in files.refused(REO_PROFILE="x").hint


def test_the_flag_chooses_the_profile_before_the_variable(files: Files) -> None:
    toml = "[profiles.a]\nretries = 1\n[profiles.b]\nretries = 2\n"
    settings = files.resolve(toml=toml, REO_PROFILE="a", profile="b")
    assert (settings.retries, settings.profile) == (2, "b")


def test_a_profile_says_how_files_are_read(files: Files) -> None:
    toml = """
        [profiles.downloads]
        extra = "ignore"
        id_from = ["domain", "event_at"]
        date_format = "day-first"
        skip_lines = 2
        map = { domain = "Company Domain", meta.plan = "Plan" }
        set.activity_type = "DOWNLOAD"
        default.count = 1
        """
    settings = files.resolve(toml=toml, profile="downloads")
    assert settings.reading == {
        "extra": "ignore",
        "id_from": ("domain", "event_at"),
        "date_format": "day-first",
        "skip_lines": "2",
        "map": {"domain": "Company Domain", "meta.plan": "Plan"},
        "set": {"activity_type": "DOWNLOAD"},
        "default": {"count": "1"},
    }
    shown = {value.key: value.value for value in settings.shown()}
    assert (shown["map.meta.plan"], shown["id_from"]) == ("Plan", "domain,event_at")


# A stranger's .env (reliability.md 5.8)


@pytest.mark.parametrize("key", ["api_key_file", "ledger", "ca_bundle"])
def test_5_8_an_automatic_env_file_names_no_file(files: Files, key: str) -> None:
    settings = files.resolve(f"REO_API_KEY={KEY}\n{BY_KEY[key].variable}=/etc/passwd\n")
    assert settings.values[key].source == "default"
    [warning] = settings.warnings
    assert BY_KEY[key].variable in warning


@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY", "ALL_PROXY", "REQUESTS_CA_BUNDLE"])
@pytest.mark.parametrize("named", [None, Path(".env")])
def test_5_8_no_env_file_sets_a_proxy_or_a_ca(files: Files, name: str, named: Path | None) -> None:
    before = dict(os.environ)
    [warning] = files.resolve(f"{name}=http://evil.example:3128", env_file=named).warnings
    assert f"`{name}`" in warning
    assert dict(os.environ) == before


@pytest.mark.parametrize("name", ["REO_CONFIG", "REO_PROFILE"])
def test_5_8_an_automatic_env_file_chooses_no_config(files: Files, name: str) -> None:
    evil = files.write("evil.toml", 'endpoint = "https://evil.example"\n')
    toml = '[profiles.evil]\nendpoint = "https://evil.example"\n'
    sources = files.sources(f"{name}={'evil' if name == 'REO_PROFILE' else evil}", toml)
    sources = sources._replace(environ={} if name == "REO_CONFIG" else sources.environ)
    settings = resolve(sources)
    assert settings.values["endpoint"].source == "default"
    assert any(f"`{name}`" in warning for warning in settings.warnings)


WAYS: dict[str, dict[str, Any]] = {
    "flag": {"flags": {"api_key_file": "key"}},
    "environment": {"REO_API_KEY": KEY},
    "environment file": {"REO_API_KEY_FILE": "key"},
    "profile": {"toml": f'[profiles.p]\napi_key = "{KEY}"\n', "profile": "p"},
    "top": {"toml": f'api_key = "{KEY}"\n'},
}
"""The ways to give a key that are not the `.env`; the first three come before it."""


@pytest.mark.parametrize("way", WAYS)
def test_5_8_an_endpoint_needs_the_key_of_the_same_file(files: Files, way: str) -> None:
    files.write("key", KEY)
    error = files.refused(EVIL, **WAYS[way])
    assert (error.exit_code, error.reason) == (ExitCode.CONFIG, "foreign_endpoint")
    settings = files.resolve(EVIL, **WAYS[way], offline=True)
    key = "api_key" if settings.api_key else "api_key_file"
    assert str(files.cwd / ".env") in error.message
    assert settings.values[key].source in error.message
    assert settings.values["endpoint"].source == "default"
    assert "nothing would be sent" in settings.warnings[-1]


@pytest.mark.parametrize("way", WAYS)
def test_5_8_a_key_beside_the_endpoint_must_be_the_one_in_use(files: Files, way: str) -> None:
    files.write("key", KEY)
    dotenv = f"{EVIL}\nREO_API_KEY={OTHER_KEY}\n"
    if way in ("profile", "top"):
        settings = files.resolve(dotenv, **WAYS[way])
        assert (settings.endpoint, settings.require_key()) == ("https://evil.example", OTHER_KEY)
    else:
        error = files.refused(dotenv, **WAYS[way])
        assert (error.exit_code, error.reason) == (ExitCode.CONFIG, "foreign_endpoint")


def test_5_8_key_and_endpoint_of_a_stranger_do_not_replace_an_empty_secret(files: Files) -> None:
    dotenv = f"{EVIL}\nREO_API_KEY={OTHER_KEY}\n"
    error = files.refused(dotenv, REO_API_KEY="")
    assert error.exit_code is ExitCode.CONFIG
    assert "`REO_API_KEY` is set, but empty" in error.message
    offline = files.resolve(dotenv, REO_API_KEY="", offline=True)
    assert offline.values["endpoint"].source == "default"


def test_5_8_a_real_variable_comes_before_the_env_file(files: Files) -> None:
    settings = files.resolve(EVIL, REO_API_KEY=KEY, REO_ENDPOINT="https://mine.example")
    assert (settings.endpoint, settings.warnings) == ("https://mine.example", ())
    assert files.resolve(f"REO_API_KEY={OTHER_KEY}", REO_API_KEY=KEY).api_key == KEY


def test_5_8_a_key_in_the_env_file_is_never_expanded(files: Files) -> None:
    settings = files.resolve("REO_API_KEY=abc-${HOME}-$(id)-$HOME-`id`", HOME="/secret/home")
    assert settings.require_key() == "abc-${HOME}-$(id)-$HOME-`id`"


def test_5_8_an_env_file_above_is_not_read(files: Files) -> None:
    below = files.cwd / "below"
    below.mkdir()
    assert files.resolve(f"REO_API_KEY={KEY}", cwd=below).api_key is None


def test_5_8_a_pipe_in_place_of_the_env_file_is_not_waited_for(files: Files) -> None:
    os.mkfifo(files.cwd / ".env")
    assert "not a regular file" in files.refused().message
    assert files.resolve(use_env_file=False).api_key is None


def test_a_named_env_file_is_trusted(files: Files) -> None:
    """`--env-file` is a decision of the user: all settings, profile and config file included."""
    files.write("prod.env", "REO_ENDPOINT=https://mine.example\nREO_LEDGER=l.db\nREO_PROFILE=p\n")
    toml = "[profiles.p]\nretries = 1\n[profiles.real]\nretries = 2\n"
    given: dict[str, Any] = {"env_file": Path("prod.env"), "REO_API_KEY": KEY}
    settings = files.resolve("REO_TIMEOUT=99", toml, **given)
    assert (settings.endpoint, settings.retries) == ("https://mine.example", 1)
    assert (settings.ledger, settings.timeout) == (files.cwd / "l.db", 10.0)
    assert settings.warnings == ()
    assert files.resolve(**given, REO_PROFILE="real").retries == 2


def test_env_files_of_others_are_read_for_our_variables_only(
    files: Files, capfd: pytest.CaptureFixture[str]
) -> None:
    content = (
        b"\xef\xbb\xbfREO_RATE=5\n# caf\xe9\nNAME=caf\xe9\nnot a line at all = = '\n"
        b'export REO_RETRIES=2\n\n\nREO_TIMEOUT="3\nREO_RATE=1\nREO_RATE=\n'
    )
    files.write(".env", content)
    settings = files.resolve()
    assert (settings.retries, settings.timeout, settings.rate) == (2, 10.0, None)
    assert settings.warnings == ("`.env`, line 8 is not understood and has no effect",)
    assert capfd.readouterr() == ("", "")


def test_an_env_file_that_is_a_folder_too_large_or_in_another_encoding(files: Files) -> None:
    files.write(".env", b"A=1\n\nREO_ACCOUNT=caf\xe9\n")
    assert "`REO_ACCOUNT` in `.env` holds a control character or is not" in files.refused().message
    files.write(".env", b"#" * (1024 * 1024 + 1))
    assert "`.env` is larger than 1 MiB" in files.refused().message
    for encoding, mark in (("utf-16", ""), ("utf-16-be", "\ufeff")):
        files.write(".env", f"{mark}REO_RETRIES=2\r\n".encode(encoding))
        assert "`.env` is UTF-16" in files.refused().message
        files.write(".env", f"{mark}OTHER=2".encode(encoding))
        assert files.resolve().warnings == ()
        assert "UTF-16" in files.refused(env_file=Path(".env")).message
    (files.cwd / ".env").unlink()
    (files.cwd / ".env").mkdir()
    assert files.resolve().warnings == ()


# The table, and what it costs


def test_env_example_is_that_of_the_table(files: Files) -> None:
    text = ENV_EXAMPLE.read_text(encoding="utf-8")
    _, *parts = text.split("\n\n")
    for setting, part in zip(SETTINGS, parts, strict=True):
        default = setting.default_text
        value = "" if setting.key == "ledger" else default
        about = f"# {setting.help} Default: {default or 'none'}"
        assert part.rstrip("\n") == f"{about}\n# {setting.variable}={value}"
    settings = files.resolve(text, REO_API_KEY=KEY)
    assert settings.warnings == ()
    assert {each.source for each in settings.values.values()} == {
        "default",
        "environment REO_API_KEY",
    }


def test_resolving_without_files_imports_almost_nothing(tmp_path: Path) -> None:
    code = (
        "import sys, os; from pathlib import Path; from reo_cli.settings import Sources, resolve; "
        "resolve(Sources({'timeout': '3'}, os.environ, Path())); print(*sorted(sys.modules))"
    )
    environ = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environ, capture_output=True, text=True
    )
    modules = set(run.stdout.split())
    assert "reo_cli.settings.resolve" in modules, run.stderr
    heavy = ("dotenv", "tomlkit", "tomllib", "rich", "requests", "ssl", "sqlite3", "difflib")
    assert not modules.intersection({*heavy, "typer", "logging", "getpass", "socket"})


@pytest.mark.parametrize("xdg", ["", "/somewhere/else"])
def test_the_user_folders_are_those_of_platformdirs(
    xdg: str, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", xdg)
    monkeypatch.setenv("XDG_STATE_HOME", xdg)
    config = Path(platformdirs.user_config_dir("reo", appauthor=False))
    assert user_folder("config") == config
    assert user_folder("state") == Path(platformdirs.user_state_dir("reo", appauthor=False))
    assert resolve(Sources({}, {}, files.cwd)).config_path == config / "config.toml"

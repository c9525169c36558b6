"""Which value wins, where it is said to come from, and what a stranger's `.env` cannot do."""

import os
import pwd
import re
from pathlib import Path
from typing import Any

import platformdirs
import pytest

from reo_cli.errors import ExitCode, ReoError
from reo_cli.settings import SETTINGS, Settings, Sources, resolve
from reo_cli.settings.files import user_folder
from reo_cli.settings.prompt import masked
from reo_cli.settings.table import BY_KEY
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
    toml = [f"{key} = '{texts[level]}'" if level in texts else "" for level in ("top", "profile")]
    given: dict[str, Any] = {"profile": "p", "toml": "\n[profiles.p]\n".join(toml)}
    if "flag" in texts:
        given["flags"] = {key: texts["flag"]}
    if "environment" in texts:
        given[setting.variable] = texts["environment"]
    if "env_file" in texts:
        given["env_file"] = files.write("my.env", f"{setting.variable}={texts['env_file']}\n")
    settings = files.resolve(**given)
    assert attribute(settings, key) == text_of(key, highest)
    shown = settings.values[key]
    assert (shown.source, shown.file) == (
        (f"flag {setting.flag}", None),
        (f"environment {setting.variable}", None),
        (f"{files.cwd}/my.env", files.cwd / "my.env"),
        (f"profile p in {files.config}", files.config),
        (str(files.config), files.config),
    )[highest]


@pytest.mark.parametrize("key", sorted(set(BY_KEY) - {"api_key_file", "ledger", "ca_bundle"}))
def test_the_env_file_of_the_working_folder_is_found(files: Files, key: str) -> None:
    settings = files.resolve(f"REO_API_KEY={KEY}\n{BY_KEY[key].variable}={text_of(key, 2)}\n")
    assert attribute(settings, key) == text_of(key, 2)
    assert settings.values[key].source == ".env"
    assert settings.warnings == ()


def test_the_ledger_is_in_the_state_folder_by_default(
    files: Files, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    settings = files.resolve()
    assert settings.ledger == settings.values["ledger"].value == tmp_path / "reo" / "ledger.db"


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
    assert settings.values["ledger"].value is None
    with pytest.raises(ReoError, match="no home folder"):
        settings.require_ledger()


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
    ("given", "warning"),
    [
        ({"REO_ACCOUNT": '"a"', "REO_PRODUCT_ID": "it's"}, "`REO_ACCOUNT` in the environment stan"),
        ({"REO_TIMOUT": "3", "REO_TEST_SCALE": "1"}, "environment is not a setting: did you mean"),
        (
            {"dotenv": "REO_PRODUKT_ID=x\nREO_ELSE=y\nDB=z"},
            "`.env` is not a setting: did you mean `",
        ),
        (
            {"REO_API_KEY": KEY, "REO_API_KEY_FILE": "/x"},
            "environment REO_API_KEY is used, not `ap",
        ),
        ({"REO_API_KEY": f"{KEY}\n"}, "blanks around the key from environment REO_API_KEY were"),
        ({"REO_CONFIG": "/nowhere/c.toml"}, "`REO_CONFIG` names `/nowhere/c.toml`, which does not"),
        ({"dotenv": EVIL}, "which holds no key: it has no effect"),
    ],
)
def test_what_is_warned_of(files: Files, given: dict[str, Any], warning: str) -> None:
    [found] = files.resolve(**given).warnings
    assert warning in found


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
    one_level = files.resolve(REO_API_KEY=KEY, REO_API_KEY_FILE="/nowhere")
    assert (one_level.require_key(), one_level.values["api_key_file"].used) == (KEY, False)
    assert settings.notes == (
        "`api_key_file` from flag --api-key-file is used",
        "`api_key` from environment REO_API_KEY is not used",
    )


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


def test_the_flag_chooses_the_profile_before_the_variable(files: Files) -> None:
    toml = "[profiles.b]\nretries = 2\n[profiles.a]\nretries = 1\n"
    settings = files.resolve(toml=toml, REO_PROFILE="a", profile="b")
    assert (settings.retries, settings.profile) == (2, "b")
    assert files.refused(profile="x").hint == "the profiles there are `a`, `b`"
    assert files.refused(toml="retries = 1\n", profile="x").hint == "it has no profiles"
    files.config.unlink()
    assert "does not exist" in files.refused(REO_PROFILE="x").hint


def test_a_profile_says_how_files_are_read(files: Files) -> None:
    toml = """
        [profiles.p]
        id_from = ["domain", "event_at"]
        date_format = "day-first"
        skip_lines = 2
        map = { domain = "Company Domain", meta.plan = "Plan" }
        default.count = 1
        """
    settings = files.resolve(toml=toml, profile="p")
    assert settings.reading == {
        "id_from": ("domain", "event_at"),
        "date_format": "day-first",
        "skip_lines": "2",
        "map": {"domain": "Company Domain", "meta.plan": "Plan"},
        "default": {"count": "1"},
    }
    shown = [settings.values[key].value for key in ("map.meta.plan", "id_from")]
    assert shown == ["Plan", "domain,event_at"]


# A stranger's .env (reliability.md 5.8)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        *((name, "/etc/passwd") for name in ("REO_API_KEY_FILE", "REO_LEDGER", "REO_CA_BUNDLE")),
        ("REO_CONFIG", "evil.toml"),
        ("REO_PROFILE", "evil"),
    ],
)
def test_5_8_an_automatic_env_file_names_no_file_and_no_profile(
    files: Files, variable: str, value: str
) -> None:
    files.write("evil.toml", "retries = 66\n")
    sources = files.sources(f"{variable}={value}\n", "[profiles.evil]\nretries = 66\n")
    if variable == "REO_CONFIG":
        sources = sources._replace(environ={})
    settings = resolve(sources)
    assert {value.source for value in settings.values.values()} == {"default"}
    [warning] = settings.warnings
    assert f"`{variable}` in `.env` has no effect" in warning


@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY", "ALL_PROXY", "REQUESTS_CA_BUNDLE"])
@pytest.mark.parametrize("named", [None, Path(".env")])
def test_5_8_no_env_file_sets_a_proxy_or_a_ca(files: Files, name: str, named: Path | None) -> None:
    before = dict(os.environ)
    [warning] = files.resolve(f"{name}=http://evil.example:3128", env_file=named).warnings
    assert f"`{name}`" in warning
    assert dict(os.environ) == before


WITH_KEY = f"{EVIL}\nREO_API_KEY={OTHER_KEY}\n"
WAYS: dict[str, dict[str, Any]] = {
    "flag": {"flags": {"api_key_file": "key"}},
    "environment": {"REO_API_KEY": KEY},
    "environment file": {"REO_API_KEY_FILE": "key"},
    "profile": {"toml": f"[profiles.p]\napi_key = '{KEY}'\n", "profile": "p"},
    "top": {"toml": f"api_key = '{KEY}'\n"},
}
"""The ways to give a key that are not the `.env`; the first three come before it."""


@pytest.mark.parametrize(
    ("dotenv", "given"),
    [
        *((EVIL, given) for given in WAYS.values()),
        *((WITH_KEY, WAYS[way]) for way in ("flag", "environment", "environment file")),
        (WITH_KEY, {"REO_API_KEY": ""}),
    ],
)
def test_5_8_an_endpoint_needs_the_key_beside_it(
    files: Files, dotenv: str, given: dict[str, Any]
) -> None:
    files.write("key", KEY)
    error = files.refused(dotenv, **given)
    assert (error.exit_code, error.reason) == (ExitCode.CONFIG, "foreign_endpoint")
    settings = files.resolve(dotenv, **given, offline=True)
    assert settings.values["endpoint"].source == "default"
    assert settings.warnings[-1] == f"{error.message}: nothing would be sent"
    assert f"`{files.cwd / '.env'}`" in error.message
    source = settings.values["api_key" if settings.api_key else "api_key_file"].source
    assert ("`REO_API_KEY` is set, but empty" if source == ".env" else source) in error.message


@pytest.mark.parametrize("way", ["profile", "top"])
def test_5_8_endpoint_and_key_of_one_env_file_go_together(files: Files, way: str) -> None:
    settings = files.resolve(WITH_KEY, **WAYS[way])
    assert (settings.endpoint, settings.require_key()) == ("https://evil.example", OTHER_KEY)


def test_5_8_a_real_variable_comes_before_the_env_file(files: Files) -> None:
    settings = files.resolve(WITH_KEY, REO_API_KEY=KEY, REO_ENDPOINT="https://mine.example")
    assert (settings.endpoint, settings.require_key()) == ("https://mine.example", KEY)
    assert settings.warnings == ()


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
    [warning] = files.resolve(re.sub(r"(?m)^# (?=REO_\w+=)", "", text)).warnings
    assert "the endpoint comes from" in warning  # every other value is as if it were not there


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

"""Which value wins, where it is said to come from, and what a stranger's `.env` cannot do."""

import os
import pwd
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from platformdirs import user_config_dir, user_state_dir

from reo_cli.errors import ExitCode, ReoError
from reo_cli.settings import SETTINGS, Settings, Sources, resolve
from reo_cli.settings.prompt import masked
from reo_cli.settings.table import BY_KEY
from tests.conftest import CANARY as KEY

ENV_EXAMPLE = Path(__file__).parents[1] / ".env.example"
OTHER_KEY = "another-key-9876543210-wxyz"
BAD = "“a key in quotes”"
"""No key (reliability.md 5.6), whatever source it comes from."""
EVIL = "REO_ENDPOINT=https://evil.example"
LEVELS = ("flag", "environment", "env_file", "profile", "top")


@dataclass(frozen=True)
class Files:
    """A working folder with the files that settings come from; the environment is empty."""

    cwd: Path
    config: Path

    def write(self, path: Path | str, content: str | bytes) -> Path:
        path = self.cwd / path
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(0o600)
        return path

    def resolve(self, dotenv: str | bytes = "", toml: str = "", **given: Any) -> Settings:
        """Resolve with these files; capitals are variables, the rest attributes of `Sources`."""
        if dotenv:
            self.write(".env", dotenv)
        if toml:
            self.write(self.config, toml)
        environ = {name: text for name, text in given.items() if name.isupper()}
        more = {name: value for name, value in given.items() if not name.isupper()}
        sources = Sources({}, {"REO_CONFIG": str(self.config), **environ}, self.cwd)
        return resolve(sources._replace(**more))

    def refused(self, dotenv: str | bytes = "", toml: str = "", **given: Any) -> ReoError:
        """Return the error that resolving ends with, or asking for the key."""
        with pytest.raises(ReoError) as caught:
            self.resolve(dotenv, toml, **given).require_key()
        for secret in (KEY, BAD):
            assert secret not in f"{caught.value.message} {caught.value.hint}"
        return caught.value


@pytest.fixture
def files(tmp_path: Path) -> Files:
    files = Files(tmp_path / "work", tmp_path / "config.toml")
    files.cwd.mkdir()
    files.write(files.config, "")
    return files


def attribute(settings: Settings, key: str) -> str:
    value = getattr(settings, key)
    return f"{value:g}" if isinstance(value, float) else str(value)


def text_of(key: str, level: int) -> str:
    """Return another text for each setting and level."""
    number, kind = str(level + 1), BY_KEY[key].kind
    words = {"whole": number, "decimal": f"{number}.5", "url": f"https://host{level}.example/path"}
    return words.get(kind, f"/{key} of/{level}")


@pytest.mark.parametrize("highest", range(5), ids=LEVELS)
@pytest.mark.parametrize("key", BY_KEY)
def test_the_highest_level_wins_and_is_named(files: Files, key: str, highest: int) -> None:
    """`key` has another text in every level from `highest` on down; above it is an empty one.

    `docker --env-file` keeps a CR, which is dropped: `acme\\r` would be another account.
    """
    flag, variable = BY_KEY[key].flag, BY_KEY[key].variable
    if not flag and highest == 0:
        assert key == "api_key"
        return
    texts = {name: text_of(key, n) for n, name in enumerate(LEVELS) if n >= highest}
    toml = [f"{key} = '{texts.get(level, '')}'" for level in ("top", "profile")]
    named = files.write("my.env", f'{variable}=" {texts.get("env_file", "")}\\t"\n')
    settings = files.resolve(
        toml="\n[profiles.p]\n".join(toml),
        profile="p",
        env_file=named,
        flags={key: texts.get("flag")},
        **{variable: f" {texts.get('environment', '')}\r"},
    )
    assert attribute(settings, key) == text_of(key, highest)
    shown = settings.values[key]
    assert (shown.source, shown.file) == (
        (f"flag {flag}", None),
        (f"environment {variable}", None),
        (str(named), named),
        (f"profile p in {files.config}", files.config),
        (str(files.config), files.config),
    )[highest]


@pytest.mark.parametrize("xdg", ["", "/somewhere/else"])
def test_the_user_folders_are_those_of_platformdirs(
    xdg: str, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", xdg)
    monkeypatch.setenv("XDG_STATE_HOME", xdg)
    settings = resolve(Sources({}, {}, files.cwd))
    config, state = (find("reo", appauthor=False) for find in (user_config_dir, user_state_dir))
    assert settings.config_path == Path(config) / "config.toml"
    assert settings.require_ledger() == settings.values["ledger"].value == Path(state) / "ledger.db"


def test_without_a_home_there_is_no_config_file_and_no_ledger(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder `~` would be one in the working folder, which may be anybody's."""
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)  # an unknown user, as in containers
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


PROD = f'[profiles.p]\napi_key = "{OTHER_KEY}"\n'
FROM_ELSEWHERE = "the key comes from environment REO_API_KEY, not from profile p in /"
TWO = "[profiles.b]\nretries = 2\n[profiles.a]\nretries = 1\n"
UTF16 = "\ufeffREO_RETRIES=2\r\n"
OTHERS_UTF16 = "\ufeffOTHER=2".encode("utf-16-be")


@pytest.mark.parametrize(
    ("given", "code", "problem"),
    [
        *(({"flags": {key: ""}}, 2, "is empty") for key in ("account", "endpoint", "ledger")),
        ({"flags": {"timeout": "abc"}}, 2, '`timeout` from flag --timeout: "abc" is not a plain'),
        ({"REO_TIMEOUT": "abc"}, 78, '`timeout` from environment REO_TIMEOUT: "abc" is not'),
        ({"dotenv": "REO_TIMEOUT=abc"}, 78, '`timeout` from .env: "abc" is not a plain number'),
        *(
            ({"flags": {key: text}}, 2, f"{problem} (")
            for key, texts, problem in (
                ("timeout", ("nan", "1_0", "1e3", "٣"), "is not a plain number, as 10 or 2.5"),
                ("timeout", ("0", "9" * 400), "is outside 0.001 to 86400"),
                ("retries", ("5.0", "+5"), "is not a whole number"),
                ("retries", ("-1", "1001", "9" * 5000), "is outside 0 to 1000"),
                ("concurrency", ("0", "257"), "is outside 1 to 256"),
                ("rate", ("-2.5", "0"), "is outside 0.001 to 1000000"),
                ("ledger_keep_days", ("0", "36501"), "is outside 1 to 36500"),
            )
            for text in texts
        ),
        *(
            ({"REO_ACCOUNT": text}, 78, "`REO_ACCOUNT` in the environment holds a control")
            for text in ("a\rb", "a\x1b[31m", "a\x7f", "a\x85b", "caf\udce9")
        ),
        ({"env_file": Path("missing.env")}, 78, "cannot be read"),
        ({"env_file": Path("x"), "use_env_file": False}, 2, "exclude"),
        ({"REO_API_KEY": ""}, 78, "`REO_API_KEY` is set but empty"),
        ({"REO_API_KEY_FILE": "."}, 78, "cannot read the key file"),
        ({"REO_API_KEY_FILE": KEY}, 78, "looks like a key"),
        ({"REO_API_KEY": BAD}, 78, "(`api_key` from environment REO_API_KEY)"),
        ({"dotenv": f"REO_API_KEY={BAD}"}, 78, "(`api_key` from .env)"),
        ({"toml": f"api_key = '{BAD}'"}, 78, "(`api_key` from /"),
        ({"REO_API_KEY_FILE": "key"}, 78, "(`api_key_file` from environment REO_API_KEY_FILE)"),
        ({"profile": "x", "toml": TWO}, 78, "no profile `x`"),
        ({"profile": "x", "toml": TWO}, 78, "the profiles there are `a`, `b`"),
        ({"profile": "x", "toml": "retries = 1"}, 78, "it has no profiles"),
        ({"REO_PROFILE": "x", "REO_CONFIG": "/no/file"}, 78, "the file does not exist"),
        ({"dotenv": b"A=1\nREO_ACCOUNT=caf\xe9\n"}, 78, "`REO_ACCOUNT` in `.env` holds a control"),
        ({"dotenv": b"#" * (1024 * 1024 + 1)}, 78, "`.env` is larger than 1 MiB"),
        ({"dotenv": UTF16.encode("utf-16-le")}, 78, "`.env` is UTF-16"),
        ({"dotenv": UTF16.encode("utf-16-be")}, 78, "`.env` is UTF-16"),
        ({"dotenv": OTHERS_UTF16, "env_file": Path(".env")}, 78, "`.env` is UTF-16"),
    ],
)
def test_what_is_refused(files: Files, given: dict[str, Any], code: int, problem: str) -> None:
    files.write("key", BAD)
    error = files.refused(**given)
    assert error.exit_code == code
    assert problem in f"{error.message} ({error.hint})"
    assert len(error.message) < 300


@pytest.mark.parametrize(
    ("given", "warnings"),
    [
        ({"REO_ACCOUNT": '"a"', "REO_PRODUCT_ID": "it's"}, ["`REO_ACCOUNT` in the environment st"]),
        ({"REO_TIMOUT": "3", "REO_TEST_SCALE": "1"}, ["in the environment is not a setting: did"]),
        ({"dotenv": "REO_PRODUKT_ID=x\nREO_ELSE=y\nDB=z"}, ["in `.env` is not a setting: did you"]),
        ({"REO_API_KEY": KEY, "REO_API_KEY_FILE": "/x"}, ["environment REO_API_KEY is used, not"]),
        ({"REO_API_KEY": f"{KEY}\n"}, ["blanks around the key from environment REO_API_KEY were"]),
        ({"REO_CONFIG": "/nowhere/c.toml"}, ["`REO_CONFIG` names `/nowhere/c.toml`, which does"]),
        ({"dotenv": EVIL}, ["which holds no key: it has no effect"]),
        ({"toml": PROD, "REO_API_KEY": KEY, "profile": "p"}, [FROM_ELSEWHERE]),
        ({"toml": PROD, "REO_API_KEY": KEY, "REO_PROFILE": "p"}, [FROM_ELSEWHERE]),
        ({"toml": PROD, "profile": "p"}, []),
        ({"dotenv": OTHERS_UTF16}, []),
    ],
)
def test_what_is_warned_of(files: Files, given: dict[str, Any], warnings: list[str]) -> None:
    for found, warning in zip(files.resolve(**given).warnings, warnings, strict=True):
        assert warning in found


def test_a_config_file_by_default_that_is_closed_to_this_user_counts_as_absent(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HOME is another user's under `docker --user` and `sudo -u`; tests may run as root."""
    closed = Mock(side_effect=PermissionError(13, "Permission denied"))
    monkeypatch.setattr(Path, "open", closed)
    [warning] = resolve(Sources({}, {}, files.cwd)).warnings
    assert "counts as absent" in warning
    assert "cannot read the config file: Permission denied" in files.refused().message


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


# The key and the profile


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
    one_level = files.resolve(REO_API_KEY=KEY, REO_API_KEY_FILE="/nowhere")
    assert (one_level.require_key(), one_level.values["api_key_file"].used) == (KEY, False)


def test_nothing_shows_the_key(files: Files) -> None:
    settings = files.resolve(f"REO_API_KEY={KEY}", f'api_key = "{KEY}"\n', REO_API_KEY=KEY)
    assert KEY not in f"{settings} {settings.values} {Sources({}, {'REO_API_KEY': KEY}, files.cwd)}"
    assert settings.values["api_key"].value == "********abcd"
    assert masked("k" * 16 + "wxyz") == "********wxyz"
    assert masked("k" * 15 + "wxyz") == masked("") == "********"


def test_the_flag_chooses_the_profile_before_the_variable(files: Files) -> None:
    settings = files.resolve(toml=TWO, REO_PROFILE="a", profile="b")
    assert (settings.retries, settings.profile) == (2, "b")
    assert files.resolve(REO_PROFILE="a").retries == 1


def test_a_profile_says_how_files_are_read(files: Files) -> None:
    toml = """
        [profiles.p]
        id_from = ["domain", "event_at"]
        map = { domain = "Company Domain", meta.plan = "Plan" }
        default.count = 1
        """
    settings = files.resolve(toml=toml, profile="p")
    columns = {"domain": "Company Domain", "meta.plan": "Plan"}
    known = {"id_from": ("domain", "event_at"), "map": columns, "default": {"count": "1"}}
    assert settings.reading == known
    assert settings.values["map.meta.plan"].value == "Plan"
    assert settings.values["id_from"].value == "domain,event_at"


# A stranger's .env (reliability.md 5.8)


def test_5_8_an_automatic_env_file_names_no_file_and_no_profile(files: Files) -> None:
    variables = ("API_KEY_FILE", "LEDGER", "CA_BUNDLE", "PROFILE", "CONFIG")
    files.write("evil", "[profiles.evil]\nretries = 66\n")
    files.write(".env", "".join(f"REO_{name}=evil\n" for name in variables))
    settings = resolve(Sources({}, {}, files.cwd))
    assert {value.source for value in settings.values.values()} == {"default"}
    for variable, warning in zip(variables, settings.warnings, strict=True):
        assert f"`REO_{variable}` in `.env` has no effect" in warning


@pytest.mark.parametrize("named", [None, Path(".env")])
def test_5_8_no_env_file_sets_a_proxy_or_a_ca(files: Files, named: Path | None) -> None:
    before = dict(os.environ)
    variables = ("https_proxy", "HTTPS_PROXY", "ALL_PROXY", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR")
    dotenv = "".join(f"{name}=http://evil.example:3128\n" for name in variables)
    warnings = files.resolve(dotenv, env_file=named).warnings
    assert all(f"`{name}`" in each for name, each in zip(variables, warnings, strict=True))
    assert dict(os.environ) == before


WITH_KEY = f"{EVIL}\nREO_API_KEY={OTHER_KEY}\n"
ABOVE: list[dict[str, Any]] = [
    {"flags": {"api_key_file": "key"}},
    {"REO_API_KEY": KEY},
    {"REO_API_KEY_FILE": "key"},
]
BELOW: list[dict[str, Any]] = [
    {"toml": f"[profiles.p]\napi_key = '{KEY}'\n", "profile": "p"},
    {"toml": f"api_key = '{KEY}'\n"},
]
"""The ways to give a key that come before the `.env`, and behind it."""


@pytest.mark.parametrize(
    ("dotenv", "given"),
    [
        *((EVIL, way) for way in (*ABOVE, *BELOW)),
        *((WITH_KEY, way) for way in (*ABOVE, {"REO_API_KEY": ""})),
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
    assert settings.warnings[-1] == f"{error.message}: sending would stop (78)"
    assert f"`{files.cwd / '.env'}`" in error.message
    source = settings.values["api_key" if settings.api_key else "api_key_file"].source
    assert ("`REO_API_KEY` is set, but empty" if source == ".env" else source) in error.message


@pytest.mark.parametrize("given", BELOW)
def test_5_8_endpoint_and_key_of_one_env_file_go_together(
    files: Files, given: dict[str, Any]
) -> None:
    settings = files.resolve(WITH_KEY, **given)
    assert (settings.endpoint, settings.require_key()) == ("https://evil.example", OTHER_KEY)
    settings = files.resolve(WITH_KEY, REO_API_KEY=KEY, REO_ENDPOINT="https://mine.example")
    assert (settings.endpoint, settings.require_key()) == ("https://mine.example", KEY)


def test_5_8_what_is_read_as_env_file_and_how(files: Files) -> None:
    """Nothing in a key is expanded, and only a file of this very folder is read."""
    settings = files.resolve("REO_API_KEY=abc-${HOME}-$(id)-$HOME-`id`", HOME="/secret/home")
    assert settings.require_key() == "abc-${HOME}-$(id)-$HOME-`id`"
    (files.cwd / "below").mkdir()
    assert files.resolve(cwd=files.cwd / "below").api_key is None
    assert files.resolve(use_env_file=False).api_key is None
    (files.cwd / ".env").unlink()
    (files.cwd / ".env").mkdir()  # as some projects have
    assert files.resolve().warnings == ()
    (files.cwd / ".env").rmdir()
    os.mkfifo(files.cwd / ".env")  # it is not waited for
    assert "not a regular file" in files.refused().message


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

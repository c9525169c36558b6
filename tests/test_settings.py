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
from reo_cli.settings.guard import odd_key
from reo_cli.settings.table import BY_KEY, NO_KEY, masked
from tests.conftest import CANARY as KEY

ENV_EXAMPLE = Path(__file__).parents[1] / ".env.example"
OTHER_KEY = "another-key-9876543210-wxyz"
LEVELS = ("flag", "environment", "env_file", "profile", "top")
TEXTS = {
    "api_key": tuple(f"key-number-{n}-of-the-test" for n in range(5)),
    "api_key_file": tuple(f"/keys/{n}" for n in range(5)),
    "account": tuple(f"account {n}" for n in range(5)),
    "endpoint": tuple(f"https://host{n}.example/path" for n in range(5)),
    "product_id": tuple(f"product{n}" for n in range(5)),
    "activity_type": tuple(f"CALL HOME {n}" for n in range(5)),
    "environment": tuple(f"ENV{n}" for n in range(5)),
    "timeout": ("1", "2.5", "3", "4", "5"),
    "retries": ("0", "1", "2", "3", "4"),
    "concurrency": ("1", "2", "3", "4", "256"),
    "rate": ("0.5", "2", "3", "4", "5"),
    "ledger": tuple(f"/ledgers/{n}.db" for n in range(5)),
    "ledger_keep_days": ("1", "2", "3", "4", "5"),
    "ca_bundle": tuple(f"/ca/{n}.pem" for n in range(5)),
}
"""A text for each setting and level."""


class Files:
    """A working folder with the files that settings come from; the environment is empty."""

    def __init__(self, folder: Path) -> None:
        self.cwd = folder / "work"
        self.cwd.mkdir()
        self.config = folder / "config" / "config.toml"
        self.config.parent.mkdir()
        self.write_config("")

    def write_config(self, text: str, mode: int = 0o600) -> None:
        self.config.write_text(text)
        self.config.chmod(mode)

    def write_env(self, *lines: str) -> Path:
        path = self.cwd / ".env"
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    def sources(self, **variables: str) -> Sources:
        return Sources({}, {"REO_CONFIG": str(self.config), **variables}, self.cwd)

    def resolve(self, **variables: str) -> Settings:
        return resolve(self.sources(**variables))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def attribute(settings: Settings, key: str) -> object:
    return getattr(settings, key)


def as_text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def quoted(key: str, text: str) -> str:
    return text if BY_KEY[key].kind in ("whole", "decimal") else f'"{text}"'


def lay_out(files: Files, key: str, highest: int) -> Sources:
    """Give `key` another text in every level from `highest` on down."""
    texts = {level: TEXTS[key][n] for n, level in enumerate(LEVELS) if n >= highest}
    toml = f"{key} = {quoted(key, texts['top'])}\n"
    if "profile" in texts:
        toml += f"[profiles.p]\n{key} = {quoted(key, texts['profile'])}\n"
    else:
        toml += "[profiles.p]\n"
    files.write_config(toml)
    sources = files.sources()._replace(profile="p")
    if "env_file" in texts:
        path = files.write_env(f"{BY_KEY[key].variable}={texts['env_file']}")
        sources = sources._replace(env_file=path)
    if "environment" in texts:
        environ = {**sources.environ, BY_KEY[key].variable: texts["environment"]}
        sources = sources._replace(environ=environ)
    if "flag" in texts:
        sources = sources._replace(flags={key: texts["flag"]})
    return sources


@pytest.mark.parametrize("highest", range(5), ids=LEVELS)
@pytest.mark.parametrize("key", BY_KEY)
def test_the_highest_level_wins_and_is_named(files: Files, key: str, highest: int) -> None:
    if key == "api_key" and highest == 0:
        assert BY_KEY[key].flag == ""
        return
    settings = resolve(lay_out(files, key, highest))
    assert as_text(attribute(settings, key)) == TEXTS[key][highest]
    source = {
        "flag": f"flag {BY_KEY[key].flag}",
        "environment": f"environment {BY_KEY[key].variable}",
        "env_file": f"{files.cwd}/.env",
        "profile": f"profile p in {files.config}",
        "top": str(files.config),
    }[LEVELS[highest]]
    assert settings.values[key].source == source
    file = {"env_file": files.cwd / ".env", "profile": files.config, "top": files.config}
    assert settings.values[key].file == file.get(LEVELS[highest])


@pytest.mark.parametrize("key", sorted(set(BY_KEY) - {"api_key_file", "ledger", "ca_bundle"}))
def test_the_env_file_of_the_working_folder_is_found(files: Files, key: str) -> None:
    lines = {"REO_API_KEY": KEY, BY_KEY[key].variable: TEXTS[key][2]}
    files.write_env(*(f"{name}={text}" for name, text in lines.items()))
    settings = files.resolve()
    assert as_text(attribute(settings, key)) == TEXTS[key][2]
    assert settings.values[key].source == ".env"
    assert settings.warnings == ()


def test_defaults(files: Files, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    settings = files.resolve()
    assert {key: attribute(settings, key) for key in BY_KEY} == {
        "api_key": None,
        "api_key_file": None,
        "account": None,
        "endpoint": "https://ingest.reo.dev/api/product/aggregateusage",
        "product_id": None,
        "activity_type": None,
        "environment": None,
        "timeout": 10.0,
        "retries": 5,
        "concurrency": 8,
        "rate": None,
        "ledger": tmp_path / "state" / "reo" / "ledger.db",
        "ledger_keep_days": 400,
        "ca_bundle": None,
    }
    assert {value.source for value in settings.values.values()} == {"default"}
    assert settings.reading == {}


def test_the_config_file_is_in_the_user_config_folder(
    files: Files, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    (tmp_path / "xdg" / "reo").mkdir(parents=True)
    path = tmp_path / "xdg" / "reo" / "config.toml"
    path.write_text("retries = 3\n")
    settings = resolve(Sources({}, {}, files.cwd))
    assert (settings.retries, settings.config_path) == (3, path)


def test_without_a_home_there_is_no_config_file_and_no_ledger(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder `~` would be one in the working folder, which may be anybody's."""

    def fail(_: int) -> None:
        raise KeyError("an unknown user, as in containers")

    monkeypatch.setattr(pwd, "getpwuid", fail)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.chdir(files.cwd)
    Path("~/.config/reo").mkdir(parents=True)
    Path("~/.config/reo/config.toml").write_text('endpoint = "https://evil.example"\n')
    settings = resolve(Sources({}, {}, Path()))
    assert settings.values["endpoint"].source == "default"
    with pytest.raises(ReoError, match="no home folder") as caught:
        _ = settings.ledger
    assert caught.value.exit_code is ExitCode.CONFIG
    assert {value.key: value.value for value in settings.shown()}["ledger"] is None


@pytest.mark.parametrize("key", BY_KEY)
@pytest.mark.parametrize("blank", ["", "  "])
def test_an_empty_variable_is_absent(files: Files, key: str, blank: str) -> None:
    files.write_env(f"{BY_KEY[key].variable}='{blank}'")
    files.write_config(f"{key} = {quoted(key, TEXTS[key][4])}\n")
    settings = files.resolve(**{BY_KEY[key].variable: blank})
    assert as_text(attribute(settings, key)) == TEXTS[key][4]


BAD = [
    ("timeout", "abc", '"abc" is not a plain number'),
    ("timeout", "nan", "not a plain number"),
    ("timeout", "inf", "not a plain number"),
    ("timeout", "1_0", "not a plain number"),
    ("timeout", "1e3", "not a plain number"),
    ("timeout", "٣", "not a plain number"),
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
]


@pytest.mark.parametrize(("key", "text", "problem"), BAD)
def test_bad_values_name_their_source(files: Files, key: str, text: str, problem: str) -> None:
    setting = BY_KEY[key]
    with pytest.raises(ReoError, match=f"flag {setting.flag}: ") as of_flag:
        resolve(files.sources()._replace(flags={key: text}))
    assert of_flag.value.exit_code is ExitCode.USAGE
    assert problem in of_flag.value.message
    with pytest.raises(ReoError, match=f"environment {setting.variable}: ") as of_variable:
        files.resolve(**{setting.variable: text})
    assert of_variable.value.exit_code is ExitCode.CONFIG
    files.write_env(f"{setting.variable}='{text}'")
    with pytest.raises(ReoError, match=r"from \.env: ") as of_env_file:
        files.resolve()
    assert of_env_file.value.exit_code is ExitCode.CONFIG
    assert len(of_env_file.value.message) < 300


@pytest.mark.parametrize("key", ["account", "endpoint", "ledger", "product_id"])
def test_an_empty_flag_is_wrong_usage(files: Files, key: str) -> None:
    with pytest.raises(ReoError, match="is empty") as caught:
        resolve(files.sources()._replace(flags={key: ""}))
    assert caught.value.exit_code is ExitCode.USAGE


@pytest.mark.parametrize("source", ["environment", "env file"])
@pytest.mark.parametrize("key", sorted(set(BY_KEY) - {"api_key", "endpoint"}))
def test_blanks_and_line_ends_around_a_variable_are_dropped(
    files: Files, key: str, source: str
) -> None:
    """`docker --env-file` keeps a CR: `acme\\r` would be another account."""
    text, variable = TEXTS[key][0], BY_KEY[key].variable
    path = files.cwd / "named.env"
    path.write_text(f'{variable}=" {text}\\t"\n')
    sources = files.sources()._replace(env_file=path)
    settings = (
        resolve(sources) if source == "env file" else files.resolve(**{variable: f" {text}\r"})
    )
    assert as_text(attribute(settings, key)) == text


@pytest.mark.parametrize("text", ["a\rb", "a\x1b[31m", "a\x7f", "a\x85b"])
def test_a_control_character_left_in_a_variable_is_78(files: Files, text: str) -> None:
    with pytest.raises(
        ReoError, match="`REO_ACCOUNT` in the environment holds a control"
    ) as caught:
        files.resolve(REO_ACCOUNT=text)
    assert caught.value.exit_code is ExitCode.CONFIG


def test_quotes_that_became_part_of_a_value_are_a_warning(files: Files) -> None:
    settings = files.resolve(REO_ACCOUNT='"acme"', REO_PRODUCT_ID="it's")
    [warning] = settings.warnings
    assert "`REO_ACCOUNT` in the environment stands in quotes" in warning


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
    with pytest.raises(ReoError, match="cannot read") as caught:
        files.resolve()
    assert caught.value.exit_code is ExitCode.CONFIG


def test_paths_are_relative_to_where_they_are_written(files: Files) -> None:
    files.write_config('ledger = "l.db"\n[profiles.p]\nca_bundle = "~/ca.pem"\n')
    sources = files.sources(REO_API_KEY_FILE="key.txt")._replace(profile="p")
    settings = resolve(sources)
    assert settings.ledger == files.config.parent / "l.db"
    assert settings.ca_bundle == Path("~/ca.pem").expanduser()
    assert settings.api_key_file == files.cwd / "key.txt"


def test_a_mistyped_variable_is_a_warning(files: Files) -> None:
    files.write_env("REO_PRODUKT_ID=x", "REO_SOMETHING_ELSE=y", "DATABASE=z")
    settings = files.resolve(REO_TIMOUT="3", REO_TEST_SCALE="1")
    assert settings.warnings == (
        "`REO_TIMOUT` in the environment is not a setting: did you mean `REO_TIMEOUT`?",
        "`REO_PRODUKT_ID` in `.env` is not a setting: did you mean `REO_PRODUCT_ID`?",
    )


# The key


def test_without_a_key_one_line_tells_every_way(files: Files) -> None:
    settings = files.resolve()
    with pytest.raises(ReoError) as caught:
        settings.require_key()
    assert (caught.value.exit_code, caught.value.reason) == (ExitCode.CONFIG, "no_key")
    for way in ("REO_API_KEY", "--api-key-file", ".env", "reo config set api_key", "Integrations"):
        assert way in caught.value.message
    assert "\n" not in NO_KEY


def test_a_secret_that_is_empty_is_called_empty(files: Files) -> None:
    with pytest.raises(ReoError, match="`REO_API_KEY` is set but empty") as caught:
        files.resolve(REO_API_KEY="").require_key()
    assert caught.value.reason == "no_key"


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (f'"{KEY}"', "quotes"),
        (f"Bearer {KEY}", "alone"),
        ("${{ secrets.REO_API_KEY }}", "variable"),
        ("$REO_API_KEY", "variable"),
        (f'{{"key": "{KEY}"}}', "JSON"),
        ("/run/secrets/reo", "--api-key-file"),
        (KEY, ""),
        ("abc/def/ghi+jkl==", ""),
    ],
)
def test_what_looks_like_no_key(key: str, said: str) -> None:
    assert said in odd_key(key)
    assert bool(odd_key(key)) == bool(said)
    assert KEY not in odd_key(key)


def test_within_one_level_the_key_comes_before_its_file(files: Files) -> None:
    settings = files.resolve(REO_API_KEY=KEY, REO_API_KEY_FILE="/nowhere")
    assert settings.require_key() == KEY
    assert settings.api_key_file is None
    assert not settings.values["api_key_file"].used
    [warning] = settings.warnings
    assert "environment REO_API_KEY is used" in warning
    assert "environment REO_API_KEY_FILE" in warning


def test_a_higher_level_wins_in_whatever_way_it_gives_the_key(files: Files) -> None:
    (files.cwd / "key").write_text(f"{OTHER_KEY}\n")
    sources = files.sources(REO_API_KEY=KEY)._replace(flags={"api_key_file": "key"})
    settings = resolve(sources)
    assert settings.require_key() == OTHER_KEY
    assert settings.api_key is None
    assert not settings.values["api_key"].used
    assert settings.warnings == ()
    assert settings.notes == (
        "`api_key_file` from flag --api-key-file is used",
        "`api_key` from environment REO_API_KEY is not used",
    )


def test_the_key_file_is_read_only_when_the_key_is_asked_for(files: Files) -> None:
    settings = files.resolve(REO_API_KEY_FILE="key")
    (files.cwd / "key").write_text(f"  {KEY}\r\n")
    assert settings.require_key() == KEY


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot read the key file"),
        (b"", "the key is empty"),
        (b"\n\n", "the key is empty"),
        (b"short", "5 characters"),
        (b"k" * 5000, "larger than 4 KiB|4096 characters"),
        (b"\xff\xfe" + b"k\0" * 20, "outside ASCII"),
        (b"first-line-key\nsecond-line", "line break"),
    ],
)
def test_bad_key_files(files: Files, content: bytes | None, problem: str) -> None:
    if content is not None:
        (files.cwd / "key").write_bytes(content)
    with pytest.raises(ReoError, match=problem) as caught:
        files.resolve(REO_API_KEY_FILE="key").require_key()
    assert caught.value.exit_code is ExitCode.CONFIG
    assert "REO_API_KEY_FILE" in caught.value.message or str(files.cwd) in caught.value.message


def test_a_folder_is_no_key_file(files: Files) -> None:
    with pytest.raises(ReoError, match="cannot read the key file"):
        files.resolve(REO_API_KEY_FILE=".").require_key()


def test_a_key_given_as_the_name_of_its_file_is_not_shown(files: Files) -> None:
    with pytest.raises(ReoError, match="looks like a key") as caught:
        files.resolve(REO_API_KEY_FILE=KEY)
    assert KEY not in f"{caught.value.message} {caught.value.hint}"


def test_with_an_explicit_profile_a_key_from_elsewhere_is_a_warning(files: Files) -> None:
    files.write_config(f'[profiles.prod]\napi_key = "{OTHER_KEY}"\n')
    for sources in (
        files.sources(REO_API_KEY=KEY)._replace(profile="prod"),
        files.sources(REO_API_KEY=KEY, REO_PROFILE="prod"),
    ):
        [warning] = resolve(sources).warnings
        assert "environment REO_API_KEY" in warning
        assert f"profile prod in {files.config}" in warning
    assert resolve(files.sources()._replace(profile="prod")).warnings == ()


def test_blanks_around_a_key_are_removed_and_said(files: Files) -> None:
    settings = files.resolve(REO_API_KEY=f"{KEY}\n")
    assert settings.require_key() == KEY
    assert settings.warnings == ("blanks around the key from environment REO_API_KEY were removed",)


def test_nothing_shows_the_key(files: Files) -> None:
    files.write_config(f'api_key = "{KEY}"\n')
    files.write_env(f"REO_API_KEY={KEY}")
    sources = files.sources(REO_API_KEY=KEY)
    assert KEY not in repr(sources)
    assert KEY not in repr(resolve(sources))
    assert resolve(sources).values["api_key"].value == "********abcd"


@pytest.mark.parametrize(
    ("key", "shown"),
    [("k" * 16 + "wxyz", "********wxyz"), ("k" * 15 + "wxyz", "********"), ("", "********")],
)
def test_a_mask_shows_four_characters_of_a_long_key(key: str, shown: str) -> None:
    assert masked(key) == shown


@pytest.mark.parametrize(
    "key",
    [
        "short",
        "k" * 513,
        "cr\r\nlf-in-the-key",
        "nul\0in-the-key",
        "“smart-quotes”",
        "\ufeffbom-in-key",
    ],
)
@pytest.mark.parametrize("source", ["environment", "env_file", "config", "key_file"])
def test_5_6_key_syntax(files: Files, key: str, source: str) -> None:
    variables = {}
    if source == "environment":
        variables["REO_API_KEY"] = key
    elif source == "env_file":
        text = key.replace("\r", "\\r").replace("\n", "\\n")
        files.write_env(f'REO_API_KEY="{text}"')
    elif source == "config":
        escapes = {"\r": "\\r", "\n": "\\n", "\0": "\\u0000"}
        files.write_config(f'api_key = "{"".join(escapes.get(c, c) for c in key)}"\n')
    else:
        (files.cwd / "key").write_bytes(key.encode())
        variables["REO_API_KEY_FILE"] = "key"
    with pytest.raises(ReoError) as caught:
        files.resolve(**variables).require_key()
    assert caught.value.exit_code is ExitCode.CONFIG
    assert key.strip() not in f"{caught.value.message} {caught.value.hint}"


# Profiles


def test_an_unknown_profile_lists_the_known_ones(files: Files) -> None:
    files.write_config("[profiles.prod]\n[profiles.staging]\n")
    with pytest.raises(ReoError, match="no profile `x`") as caught:
        resolve(files.sources()._replace(profile="x"))
    assert caught.value.exit_code is ExitCode.CONFIG
    assert caught.value.hint == "the profiles there are `prod`, `staging`"


def test_a_profile_without_a_config_file(files: Files) -> None:
    files.config.unlink()
    with pytest.raises(ReoError, match="no profile `x`") as caught:
        files.resolve(REO_PROFILE="x")
    assert "does not exist" in caught.value.hint


def test_the_flag_chooses_the_profile_before_the_variable(files: Files) -> None:
    files.write_config("[profiles.a]\nretries = 1\n[profiles.b]\nretries = 2\n")
    sources = files.sources(REO_PROFILE="a")._replace(profile="b")
    assert (resolve(sources).retries, resolve(sources).profile) == (2, "b")


def test_a_profile_says_how_files_are_read(files: Files) -> None:
    files.write_config(
        """
        [profiles.downloads]
        extra = "ignore"
        id_from = ["domain", "event_at"]
        date_format = "day-first"
        map = { domain = "Company Domain", meta.plan = "Plan" }
        set.activity_type = "DOWNLOAD"
        default.count = 1
        """
    )
    settings = resolve(files.sources()._replace(profile="downloads"))
    assert settings.reading == {
        "extra": "ignore",
        "id_from": ("domain", "event_at"),
        "date_format": "day-first",
        "map": {"domain": "Company Domain", "meta.plan": "Plan"},
        "set": {"activity_type": "DOWNLOAD"},
        "default": {"count": "1"},
    }
    shown = {value.key: value.value for value in settings.shown()}
    assert shown["map.meta.plan"] == "Plan"
    assert shown["id_from"] == "domain,event_at"


# A stranger's .env (reliability.md 5.8)


@pytest.mark.parametrize("key", ["api_key_file", "ledger", "ca_bundle"])
def test_5_8_an_automatic_env_file_names_no_file(files: Files, key: str) -> None:
    files.write_env(f"REO_API_KEY={KEY}", f"{BY_KEY[key].variable}=/etc/passwd")
    settings = files.resolve()
    assert settings.values[key].source == "default"
    [warning] = settings.warnings
    assert BY_KEY[key].variable in warning


@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY", "ALL_PROXY", "REQUESTS_CA_BUNDLE"])
@pytest.mark.parametrize("named", [False, True])
def test_5_8_no_env_file_sets_a_proxy_or_a_ca(files: Files, name: str, named: bool) -> None:
    path = files.write_env(f"{name}=http://evil.example:3128")
    before = dict(os.environ)
    settings = resolve(files.sources()._replace(env_file=path if named else None))
    assert dict(os.environ) == before
    [warning] = settings.warnings
    assert f"`{name}`" in warning


@pytest.mark.parametrize("name", ["REO_CONFIG", "REO_PROFILE"])
def test_5_8_an_automatic_env_file_chooses_no_config(files: Files, name: str) -> None:
    files.write_config('[profiles.evil]\nendpoint = "https://evil.example"\n')
    files.write_env(f"{name}={'evil' if name == 'REO_PROFILE' else 'evil.toml'}")
    (files.cwd / "evil.toml").write_text('endpoint = "https://evil.example"\n')
    environ = {key: text for key, text in files.sources().environ.items() if key != name}
    settings = resolve(files.sources()._replace(environ=environ))
    assert settings.values["endpoint"].source == "default"
    assert any(f"`{name}`" in warning for warning in settings.warnings)


def give_key(files: Files, source: str) -> Sources:
    """Give the key in one of the ways that are not the `.env`."""
    (files.cwd / "key").write_text(KEY)
    match source:
        case "flag":
            return files.sources()._replace(flags={"api_key_file": "key"})
        case "environment":
            return files.sources(REO_API_KEY=KEY)
        case "environment file":
            return files.sources(REO_API_KEY_FILE="key")
        case "profile":
            files.write_config(f'[profiles.p]\napi_key = "{KEY}"\n')
            return files.sources()._replace(profile="p")
        case _:
            files.write_config(f'api_key = "{KEY}"\n')
            return files.sources()


@pytest.mark.parametrize("source", ["flag", "environment", "environment file", "profile", "top"])
def test_5_8_an_endpoint_needs_the_key_of_the_same_file(files: Files, source: str) -> None:
    files.write_env("REO_ENDPOINT=https://evil.example")
    sources = give_key(files, source)
    with pytest.raises(ReoError) as caught:
        resolve(sources)
    assert (caught.value.exit_code, caught.value.reason) == (ExitCode.CONFIG, "foreign_endpoint")
    settings = resolve(sources._replace(offline=True))
    key = "api_key" if settings.api_key else "api_key_file"
    assert str(files.cwd / ".env") in caught.value.message
    assert settings.values[key].source in caught.value.message
    assert settings.values["endpoint"].source == "default"
    assert "nothing would be sent" in settings.warnings[-1]


@pytest.mark.parametrize("source", ["flag", "environment", "environment file"])
def test_5_8_a_key_beside_the_endpoint_must_be_the_one_in_use(files: Files, source: str) -> None:
    files.write_env("REO_ENDPOINT=https://evil.example", f"REO_API_KEY={OTHER_KEY}")
    with pytest.raises(ReoError, match="endpoint comes from") as caught:
        resolve(give_key(files, source))
    assert caught.value.exit_code is ExitCode.CONFIG


@pytest.mark.parametrize("source", ["profile", "top"])
def test_5_8_endpoint_and_key_of_one_env_file_go_together(files: Files, source: str) -> None:
    files.write_env("REO_ENDPOINT=https://other.example", f"REO_API_KEY={OTHER_KEY}")
    settings = resolve(give_key(files, source))
    assert (settings.endpoint, settings.require_key()) == ("https://other.example", OTHER_KEY)


def test_5_8_key_and_endpoint_of_a_stranger_do_not_replace_an_empty_secret(files: Files) -> None:
    files.write_env("REO_ENDPOINT=https://evil.example", f"REO_API_KEY={OTHER_KEY}")
    sources = files.sources(REO_API_KEY="")
    with pytest.raises(ReoError, match="`REO_API_KEY` is set, but empty") as caught:
        resolve(sources)
    assert caught.value.exit_code is ExitCode.CONFIG
    assert resolve(sources._replace(offline=True)).values["endpoint"].source == "default"


def test_5_8_an_endpoint_without_any_key_has_no_effect(files: Files) -> None:
    files.write_env("REO_ENDPOINT=https://evil.example")
    settings = files.resolve()
    assert settings.endpoint == BY_KEY["endpoint"].default
    assert "no effect" in settings.warnings[-1]


def test_5_8_a_real_endpoint_hides_the_one_in_the_env_file(files: Files) -> None:
    files.write_env("REO_ENDPOINT=https://evil.example")
    settings = files.resolve(REO_API_KEY=KEY, REO_ENDPOINT="https://mine.example")
    assert (settings.endpoint, settings.warnings) == ("https://mine.example", ())


def test_5_8_a_key_in_the_env_file_is_never_expanded(files: Files) -> None:
    files.write_env("REO_API_KEY=abc-${HOME}-$(id)-$HOME-`id`")
    settings = files.resolve(HOME="/secret/home")
    assert settings.require_key() == "abc-${HOME}-$(id)-$HOME-`id`"


def test_5_8_an_env_file_above_is_not_read(files: Files) -> None:
    files.write_env(f"REO_API_KEY={KEY}")
    below = files.cwd / "below"
    below.mkdir()
    settings = resolve(files.sources()._replace(cwd=below))
    assert settings.api_key is None


def test_5_8_an_env_file_never_beats_a_real_variable(files: Files) -> None:
    files.write_env(f"REO_API_KEY={OTHER_KEY}")
    assert files.resolve(REO_API_KEY=KEY).api_key == KEY


def test_5_8_a_pipe_in_place_of_the_env_file_is_not_waited_for(files: Files) -> None:
    os.mkfifo(files.cwd / ".env")
    with pytest.raises(ReoError, match="not a regular file"):
        files.resolve()
    assert resolve(files.sources()._replace(use_env_file=False)).api_key is None


def test_a_named_env_file_is_trusted(files: Files) -> None:
    """`--env-file` is a decision of the user: all settings, profile and config file included."""
    files.write_config("[profiles.p]\nretries = 1\n")
    path = files.cwd / "prod.env"
    path.write_text("REO_ENDPOINT=https://mine.example\nREO_LEDGER=l.db\nREO_PROFILE=p\n")
    files.write_env("REO_TIMEOUT=99")
    settings = resolve(files.sources(REO_API_KEY=KEY)._replace(env_file=Path("prod.env")))
    assert settings.endpoint == "https://mine.example"
    assert settings.ledger == files.cwd / "l.db"
    assert settings.retries == 1
    assert settings.timeout == 10.0
    assert settings.warnings == ()


def test_a_real_variable_comes_before_a_named_env_file(files: Files) -> None:
    files.write_config("[profiles.real]\nretries = 1\n")
    (files.cwd / "prod.env").write_text("REO_PROFILE=other\nREO_CONFIG=other.toml\n")
    sources = files.sources(REO_PROFILE="real")._replace(env_file=Path("prod.env"))
    assert resolve(sources).retries == 1


def test_a_relative_config_path_starts_at_the_working_folder(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(files.cwd)
    (files.cwd / "my.toml").write_text("retries = 3\n")
    settings = resolve(Sources({}, {"REO_CONFIG": "my.toml"}, Path()))
    assert (settings.retries, settings.config_path) == (3, files.cwd / "my.toml")


def test_a_named_env_file_has_to_be_there(files: Files) -> None:
    with pytest.raises(ReoError, match="cannot be read") as caught:
        resolve(files.sources()._replace(env_file=Path("missing.env")))
    assert caught.value.exit_code is ExitCode.CONFIG
    with pytest.raises(ReoError, match="exclude") as both:
        resolve(files.sources()._replace(env_file=Path("x"), use_env_file=False))
    assert both.value.exit_code is ExitCode.USAGE


def test_a_folder_called_env_is_no_env_file(files: Files) -> None:
    (files.cwd / ".env").mkdir()
    assert files.resolve().warnings == ()


def test_env_files_of_others_are_read_for_our_variables_only(
    files: Files, capfd: pytest.CaptureFixture[str]
) -> None:
    (files.cwd / ".env").write_bytes(
        b"\xef\xbb\xbf# caf\xe9\nNAME=caf\xe9\nnot a line at all = = '\nexport REO_RETRIES=2\n"
        b'\n\nREO_TIMEOUT="3\nREO_RATE=1\nREO_RATE=\n'
    )
    settings = files.resolve()
    assert (settings.retries, settings.timeout, settings.rate) == (2, 10.0, None)
    assert settings.warnings == ("`.env`, line 7 is not understood and has no effect",)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_an_env_file_in_utf_16_is_said(files: Files, encoding: str) -> None:
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    (files.cwd / ".env").write_bytes(f"{mark}REO_RETRIES=2\r\n".encode(encoding))
    with pytest.raises(ReoError, match=r"`\.env` is UTF-16"):
        files.resolve()
    (files.cwd / ".env").write_bytes("OTHER=2".encode(encoding))
    assert files.resolve().warnings == ()


def test_an_env_file_in_another_encoding_is_named(files: Files) -> None:
    (files.cwd / ".env").write_bytes(b"A=1\n\nREO_ACCOUNT=caf\xe9\n")
    with pytest.raises(ReoError, match=r"REO_ACCOUNT.*is not UTF-8"):
        files.resolve()


# The table, and what it costs


def test_env_example_is_made_from_the_table() -> None:
    _, *parts = ENV_EXAMPLE.read_text(encoding="utf-8").split("\n\n")
    for setting, part in zip(SETTINGS, parts, strict=True):
        default = setting.default_text
        value = "" if setting.key == "ledger" else default
        about = f"# {setting.help} Default: {default or 'none'}"
        assert part.rstrip("\n") == f"{about}\n# {setting.variable}={value}"


def test_env_example_changes_nothing_when_copied_as_it_is(files: Files) -> None:
    files.write_env(ENV_EXAMPLE.read_text(encoding="utf-8"))
    settings = files.resolve(REO_API_KEY=KEY)
    assert settings.warnings == ()
    assert all(
        value.source == "default" for key, value in settings.values.items() if key != "api_key"
    )


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
    xdg: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", xdg)
    monkeypatch.setenv("XDG_STATE_HOME", xdg)
    config, state = user_folder("config"), user_folder("state")
    assert config == Path(platformdirs.user_config_dir("reo", appauthor=False))
    assert state == Path(platformdirs.user_state_dir("reo", appauthor=False))

"""`config doctor` against real servers: what it finds, what it sends, what it makes of the code."""

import os
import socket
import threading
import time
from collections.abc import Sequence
from email.utils import formatdate
from pathlib import Path
from unittest.mock import patch

import pytest

from reo_cli.doctor import Check, examine, verdict
from reo_cli.errors import ExitCode
from reo_cli.settings import Sources
from tests.conftest import CANARY as KEY
from tests.faults import Action, FaultServer, answer, cut_head, drip_head, raw, silence
from tests.proxies import BUNDLE, STRANGER, proxy_to, server_context

ALL = ["config", "key", "endpoint", "dns", "tcp", "proxy", "tls", "answer", "clock", "ledger"]
NOBODY = "http://127.0.0.1:1/"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text(f'ledger = "{tmp_path}/state/ledger.db"\ntimeout = 2\n')
    (tmp_path / "config.toml").chmod(0o600)
    return tmp_path


def dated(offset: float = 0.0, names: Sequence[str] = (), days: float = 90) -> FaultServer:
    """A server whose clock is `offset` seconds ahead; of TLS, if its certificate has `names`."""
    date = formatdate(time.time() + offset, usegmt=True)
    tls = server_context(*names, until=days) if names else None
    host = "localhost" if names else "127.0.0.1"
    return FaultServer(answer(404, headers={"Date": date}), tls=tls, host=host)


def run(folder: Path, endpoint: str = "", **variables: str) -> list[Check]:
    own = {"REO_API_KEY": KEY, "REO_ENDPOINT": endpoint}
    environ = {"REO_CONFIG": str(folder / "config.toml"), **own, **variables}
    with patch.dict(os.environ, environ):
        return list(examine(Sources({}, os.environ, folder), time.time()))


def message(checks: list[Check], name: str) -> str:
    return {check.name: check.message for check in checks}[name]


def assert_found(checks: list[Check], status: str, name: str, said: str, code: ExitCode) -> None:
    """One finding is not well, and says so; what is to be done follows from it."""
    assert [(each.name, each.status) for each in checks if each.status != "ok"] == [(name, status)]
    assert said in message(checks, name)
    assert verdict(checks) == (status, code)
    assert KEY not in repr(checks)


def test_all_is_well_and_neither_key_nor_event_is_sent(folder: Path) -> None:
    with dated() as server:
        checks = run(folder, server.url)
    assert [(check.name, check.status) for check in checks] == [
        (name, "ok") for name in (*ALL, "versions")
    ]
    assert verdict(checks) == ("ok", ExitCode.OK)
    assert message(checks, "key") == "********abcd from environment REO_API_KEY"
    assert "environment REO_ENDPOINT" in message(checks, "endpoint")
    assert message(checks, "answer").startswith("HTTP 404")
    assert "state/ledger.db" in message(checks, "ledger")
    assert not (folder / "state").exists()
    [request] = server.requests
    assert (request.line, request.body) == ("HEAD / HTTP/1.1", b"")
    assert "x-api-key" not in request.headers
    assert KEY not in repr(request)


@pytest.mark.parametrize(
    ("variables", "name", "said"),
    [
        ({"REO_API_KEY": ""}, "key", "there is no API key"),
        ({"REO_API_KEY": "short"}, "key", "environment REO_API_KEY"),
        ({"REO_API_KEY": "", "REO_API_KEY_FILE": "/nowhere/key"}, "key", "/nowhere/key"),
        ({"REO_ENDPOINT": "http://evil.example/x"}, "endpoint", "environment REO_ENDPOINT"),
        ({"REO_TIMEOUT": "soon"}, "settings", "environment REO_TIMEOUT"),
        ({"REO_LEDGER": "/dev/null/ledger.db"}, "ledger", "/dev/null"),
        ({"REO_LEDGER": "/dev"}, "ledger", "/dev"),
        ({"REO_PROFILE": "x"}, "settings", "no profile `x`"),
        ({"REO_ENDPOINT": "https://localhost:1/", "REO_CA_BUNDLE": "/dev/null"}, "tls", "/dev/nul"),
        ({"REO_ENDPOINT": "https://x.example/", "HTTPS_PROXY": "socks5://x:1"}, "proxy", "PROXY"),
    ],
)
def test_faults_of_the_configuration(
    folder: Path, variables: dict[str, str], name: str, said: str
) -> None:
    with dated() as server:
        checks = run(folder, **{"REO_ENDPOINT": server.url, **variables})
    assert_found(checks, "failed", name, said, ExitCode.CONFIG)
    assert checks[-1].name == "versions"


def test_a_key_that_looks_like_none_is_a_warning(folder: Path) -> None:
    with dated() as server:
        checks = run(folder, server.url, REO_API_KEY=f'"{KEY}"')
    assert_found(checks, "warning", "key", "it stands in quotes", ExitCode.OK)


def test_a_config_file_that_others_can_read(folder: Path) -> None:
    path = folder / "config.toml"
    path.write_text(f'{path.read_text()}api_key = "{KEY}"\n')
    path.chmod(0o644)
    with dated() as server:
        checks = run(folder, server.url, REO_API_KEY="")
    assert_found(checks, "warning", "settings", "chmod 600", ExitCode.OK)
    assert "mode 0644" in message(checks, "config")


def test_a_config_file_that_is_broken_or_not_there(folder: Path) -> None:
    (folder / "config.toml").write_text("timeout =\n")
    checks = run(folder, NOBODY)
    assert [check.name for check in checks] == ["settings", "versions"]
    assert f"{folder}/config.toml" in checks[0].message
    (folder / "config.toml").unlink()
    assert "no config file" in message(run(folder, NOBODY), "config")


def test_an_endpoint_of_a_strangers_env_file_is_not_visited(folder: Path) -> None:
    with dated() as server:
        (folder / ".env").write_text(f"REO_ENDPOINT={server.url}\n")
        (folder / "config.toml").write_text('endpoint = "http://127.0.0.1:1/"\n')
        checks = run(folder, "")
    assert server.requests == []
    assert message(checks, "endpoint").startswith(NOBODY)
    assert checks[0].status == "failed"
    assert "endpoint comes from" in checks[0].message
    assert verdict(checks) == ("failed", ExitCode.CONFIG)


def test_nobody_listens(folder: Path) -> None:
    checks = run(folder, NOBODY)
    assert_found(checks, "failed", "tcp", "refused", ExitCode.UNAVAILABLE)


@pytest.mark.parametrize("seconds", [0, 30])
def test_a_name_that_is_not_found(
    folder: Path, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    over = threading.Event()

    def fail(*_: object, **__: object) -> None:
        over.wait(seconds)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    checks = run(folder, "https://nobody.example/", REO_TIMEOUT="0.1" if seconds else "9")
    over.set()
    said = "`nobody.example` within 0.1 s" if seconds else "find the host `nobody.example`"
    assert_found(checks, "failed", "dns", said, ExitCode.UNAVAILABLE)


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (silence(), "no answer within 0.3 s"),
        (drip_head(), "no answer within 0.3 s"),
        (cut_head(), "was cut off"),
        (raw(b"220 mail.example ESMTP\r\n"), "HTTP"),
    ],
)
def test_answers_that_are_none(folder: Path, action: Action, said: str) -> None:
    started = time.monotonic()
    with FaultServer(action) as server:
        checks = run(folder, server.url, REO_TIMEOUT="0.3")
    assert_found(checks, "failed", "answer", said, ExitCode.UNAVAILABLE)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("offset", "said"), [(3700, "behind the server"), (-90_000, "ahead of the server"), (50, "")]
)
def test_the_clock(folder: Path, offset: float, said: str) -> None:
    with dated(offset) as server:
        checks = run(folder, server.url)
    if said:
        assert_found(checks, "warning", "clock", said, ExitCode.OK)
    else:
        assert verdict(checks) == ("ok", ExitCode.OK)


@pytest.mark.parametrize("date", [None, "yesterday", "Mon, 99 Foo 2026 00:00:00 GMT", ""])
def test_a_server_that_does_not_tell_its_time(folder: Path, date: str | None) -> None:
    with FaultServer(answer(200, headers={} if date is None else {"Date": date})) as server:
        checks = run(folder, server.url)
    assert_found(checks, "warning", "clock", "did not tell its time", ExitCode.OK)


@pytest.mark.parametrize(
    ("name", "days", "variables", "status", "said"),
    [
        ("localhost", 90.5, {"REO_CA_BUNDLE": BUNDLE}, "ok", "by Test Authority, valid for 90"),
        ("localhost", 90.5, {"REQUESTS_CA_BUNDLE": BUNDLE}, "ok", "TLSv1.3, certificate by"),
        ("localhost", 5.5, {"REO_CA_BUNDLE": BUNDLE}, "warning", "valid for 5 more days"),
        ("localhost", -1, {"REO_CA_BUNDLE": BUNDLE}, "failed", "expired"),
        ("other.example", 90, {"REO_CA_BUNDLE": BUNDLE}, "failed", "not valid"),
        ("localhost", 90, {"REO_CA_BUNDLE": STRANGER}, "failed", "unknown CA"),
    ],
)
def test_certificates(
    folder: Path, name: str, days: float, variables: dict[str, Path], status: str, said: str
) -> None:
    with dated(0, [name], days) as server:
        checks = run(folder, server.url, **{key: str(value) for key, value in variables.items()})
    assert said in message(checks, "tls")
    if status == "failed":
        assert_found(checks, "failed", "tls", said, ExitCode.CONFIG)
    else:
        assert verdict(checks) == (status, ExitCode.OK)
    assert bool(server.requests) is (status != "failed")


def test_the_way_through_a_proxy(folder: Path) -> None:
    with dated(0, ["ingest.example"]) as server, proxy_to(server.port, "a:password") as proxy:
        url, ca = f"http://a:password@{proxy.address}", str(BUNDLE)
        checks = run(folder, "https://ingest.example/x", REO_CA_BUNDLE=ca, HTTPS_PROXY=url)
    assert verdict(checks) == ("ok", ExitCode.OK)
    assert message(checks, "proxy") == f"proxy {proxy.address}"
    assert [each.line[:31] for each in proxy.requests] == ["CONNECT ingest.example:443 HTTP"]
    assert "password" not in repr(checks)


def test_a_proxy_that_wants_a_password(folder: Path) -> None:
    with FaultServer(answer(407)) as proxy:
        checks = run(folder, "https://x.example/", HTTPS_PROXY=f"http://127.0.0.1:{proxy.port}")
    assert_found(checks, "failed", "proxy", "407", ExitCode.CONFIG)


@pytest.mark.parametrize(
    ("content", "status", "said"),
    [
        (b"SQLite format 3\0" + bytes(84), "failed", "is not a ledger, or is damaged"),
        (b"not a database", "failed", "is not a ledger, or is damaged"),
        (b"", "ok", "0 bytes"),
        (None, "ok", "will be created"),
    ],
)
def test_a_ledger_is_looked_at_and_not_made(
    folder: Path, content: bytes | None, status: str, said: str
) -> None:
    path = folder / "state" / "ledger.db"
    path.parent.mkdir()
    if content is not None:
        path.write_bytes(content)
    [found] = [check for check in run(folder, NOBODY) if check.name == "ledger"]
    assert (found.status, said in found.message) == (status, True)
    left = [each.read_bytes() for each in path.parent.iterdir()]
    assert left == ([] if content is None else [content])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(folder: Path) -> None:
    folder.chmod(0o500)
    try:
        assert "cannot write" in message(run(folder, NOBODY), "ledger")
    finally:
        folder.chmod(0o700)

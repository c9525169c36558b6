"""`config doctor` against real servers: what it finds, what it sends, what it makes of the code."""

import os
import socket
import threading
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from reo_cli.doctor import Check, examine, verdict
from reo_cli.errors import ExitCode
from reo_cli.settings import Sources
from tests.conftest import CANARY as KEY
from tests.faults import Action, FaultServer, answer, cut_head, drip_head, raw, silence
from tests.proxies import BUNDLE, STRANGER, proxy_to, server_context

ALL = ["config", "key", "endpoint", "dns", "tcp", "proxy", "tls", "answer", "clock", "ledger"]
NOBODY, FAR = "http://127.0.0.1:1/", "https://ingest.example/x"
DAMAGED = b"SQLite format 3\0" + bytes(84)
OK, CONFIG, UNAVAILABLE = ExitCode.OK, ExitCode.CONFIG, ExitCode.UNAVAILABLE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text(f'ledger = "{tmp_path}/state/ledger.db"\ntimeout = 2\n')
    (tmp_path / "config.toml").chmod(0o600)
    (tmp_path / "damaged.db").write_bytes(DAMAGED)
    (tmp_path / "empty.db").touch()
    return tmp_path


def server(offset: float = 0, tls: str = "", days: float = 90.5) -> FaultServer:
    """A server with its clock `offset` seconds ahead, and a certificate for so many days."""

    def script(*_: object) -> Action:
        return answer(404, headers={"Date": formatdate(time.time() + offset, usegmt=True)})

    context = server_context(tls, until=days) if tls else None
    return FaultServer(script, tls=context, host="localhost" if tls else "127.0.0.1")


def run(folder: Path, endpoint: str = "", **variables: Any) -> list[Check]:
    given = {"REO_CONFIG": folder / "config.toml", "REO_API_KEY": KEY, "REO_ENDPOINT": endpoint}
    with patch.dict(os.environ, {name: str(text) for name, text in (given | variables).items()}):
        return list(examine(Sources({}, os.environ, folder), time.time()))


def message(checks: list[Check], name: str) -> str:
    return {check.name: check.message for check in checks}[name]


def assert_found(checks: list[Check], code: ExitCode, name: str, said: str) -> None:
    """One finding is not well, and says so; what is to be done follows from it."""
    status = "failed" if code else "warning"
    assert [(each.name, each.status) for each in checks if each.status != "ok"] == [(name, status)]
    assert said in message(checks, name)
    assert verdict(checks) == (status, code)
    names = [each.name for each in checks]
    assert names[-1] == "versions"
    if code is UNAVAILABLE:
        assert names[:-2] == ALL[: ALL.index(name) + 1]
    assert KEY not in repr(checks)


def test_all_is_well_and_neither_key_nor_event_is_sent(folder: Path) -> None:
    with server(50) as api:
        checks = run(folder, api.url)
        again = run(folder, api.url, REO_LEDGER="empty.db")
    assert [(check.name, check.status) for check in checks] == [
        (name, "ok") for name in (*ALL, "versions")
    ]
    assert verdict(checks) == ("ok", OK)
    assert message(checks, "key") == "********abcd from environment REO_API_KEY"
    assert "environment REO_ENDPOINT" in message(checks, "endpoint")
    assert message(checks, "answer").startswith("HTTP 404")
    assert "state/ledger.db` will be created" in message(checks, "ledger")
    assert "empty.db` can be written (0 bytes)" in message(again, "ledger")
    left = {each.name for each in folder.iterdir()}
    assert left == {"config.toml", "damaged.db", "empty.db"}
    request, _ = api.requests
    assert (request.line, request.body) == ("HEAD / HTTP/1.1", b"")
    assert "x-api-key" not in request.headers
    assert KEY not in repr(request)


SHORT = {"REO_TIMEOUT": "0.3"}
OURS = {"REO_CA_BUNDLE": BUNDLE}


@pytest.mark.parametrize(
    ("api", "variables", "code", "name", "said"),
    [
        (server(), {"REO_API_KEY": ""}, CONFIG, "key", "there is no API key"),
        (server(), {"REO_API_KEY": "short"}, CONFIG, "key", "environment REO_API_KEY"),
        (server(), {"REO_API_KEY": "", "REO_API_KEY_FILE": "/no/key"}, CONFIG, "key", "/no/key"),
        (server(), {"REO_API_KEY": f'"{KEY}"'}, OK, "key", "it stands in quotes"),
        (server(), {"REO_ENDPOINT": "http://evil.example/"}, CONFIG, "endpoint", "nment REO_ENDPO"),
        (server(), {"REO_TIMEOUT": "soon"}, CONFIG, "settings", "environment REO_TIMEOUT"),
        (server(), {"REO_LEDGER": "/dev/null/ledger.db"}, CONFIG, "ledger", "/dev/null"),
        (server(), {"REO_LEDGER": "/dev"}, CONFIG, "ledger", "/dev"),
        (server(), {"REO_LEDGER": "damaged.db"}, CONFIG, "ledger", "is not a ledger, or is dam"),
        (server(tls="localhost"), {"REO_CA_BUNDLE": "/dev/null"}, CONFIG, "tls", "/dev/null"),
        (server(), {"REO_ENDPOINT": FAR, "HTTPS_PROXY": "socks5://x:1"}, CONFIG, "proxy", "PROXY"),
        (server(tls="localhost", days=5.5), OURS, OK, "tls", "valid for 5 more days"),
        (server(tls="localhost", days=-1), OURS, CONFIG, "tls", "expired"),
        (server(tls="other.example"), OURS, CONFIG, "tls", "not valid"),
        (server(tls="localhost"), {"REO_CA_BUNDLE": STRANGER}, CONFIG, "tls", "unknown CA"),
        (server(), {"REO_ENDPOINT": NOBODY}, UNAVAILABLE, "tcp", "refused"),
        (FaultServer(silence()), SHORT, UNAVAILABLE, "answer", "no answer within 0.3 s"),
        (FaultServer(drip_head()), SHORT, UNAVAILABLE, "answer", "no answer within 0.3 s"),
        (FaultServer(cut_head()), {}, UNAVAILABLE, "answer", "was cut off"),
        (FaultServer(raw(b"220 mail.example ESMTP\r\n")), {}, UNAVAILABLE, "answer", "HTTP"),
        (server(3700), {}, OK, "clock", "behind the server"),
        (server(-90_000), {}, OK, "clock", "ahead of the server"),
        (FaultServer(answer(200)), {}, OK, "clock", "did not tell its time"),
        *(
            (FaultServer(answer(200, headers={"Date": date})), {}, OK, "clock", "did not tell")
            for date in ("yesterday", "Mon, 99 Foo 2026 00:00:00 GMT", "")
        ),
    ],
)
def test_what_is_found(
    folder: Path,
    api: FaultServer,
    variables: dict[str, Any],
    code: ExitCode,
    name: str,
    said: str,
) -> None:
    started = time.monotonic()
    with api:
        checks = run(folder, **{"REO_ENDPOINT": api.url, **variables})
    assert_found(checks, code, name, said)
    assert not (name == "tls" and code and api.requests)
    assert time.monotonic() - started < 5
    assert (folder / "damaged.db").read_bytes() == DAMAGED


@pytest.mark.parametrize("name", ["REO_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
def test_a_certificate_that_is_good(folder: Path, name: str) -> None:
    with server(tls="localhost") as api:
        checks = run(folder, api.url, **{name: BUNDLE})
    assert message(checks, "tls").startswith("TLSv1.3, certificate by Test Authority, valid for 90")
    assert verdict(checks) == ("ok", OK)


def test_the_config_file(folder: Path) -> None:
    path = folder / "config.toml"
    path.write_text(f'{path.read_text()}api_key = "{KEY}"\n')
    path.chmod(0o644)
    with server() as api:
        checks = run(folder, api.url, REO_API_KEY="")
    assert_found(checks, OK, "settings", "chmod 600")
    assert "mode 0644" in message(checks, "config")
    path.write_text("timeout =\n")
    checks = run(folder, NOBODY)
    assert [check.name for check in checks] == ["settings", "versions"]
    assert str(path) in checks[0].message
    path.unlink()
    assert "no config file" in message(run(folder, NOBODY), "config")


def test_an_endpoint_of_a_strangers_env_file_is_not_visited(folder: Path) -> None:
    with server() as api:
        (folder / ".env").write_text(f"REO_ENDPOINT={api.url}\n")
        (folder / "config.toml").write_text(f'endpoint = "{NOBODY}"\n')
        checks = run(folder)
    assert api.requests == []
    assert message(checks, "endpoint").startswith(NOBODY)
    assert checks[0].status == "failed"
    assert "endpoint comes from" in checks[0].message
    assert verdict(checks) == ("failed", CONFIG)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "find the host `nobody.example`"), (30, "`nobody.example` within 0.1 s")],
)
def test_a_name_that_is_not_found(
    folder: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, said: str
) -> None:
    over = threading.Event()

    def fail(*_: object, **__: object) -> None:
        over.wait(seconds)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    checks = run(folder, "https://nobody.example/", REO_TIMEOUT="0.1" if seconds else "9")
    over.set()
    assert_found(checks, UNAVAILABLE, "dns", said)


def test_the_way_through_a_proxy(folder: Path) -> None:
    with server(tls="ingest.example") as api, proxy_to(api.port, "a:password") as proxy:
        url = f"http://a:password@{proxy.address}"
        checks = run(folder, FAR, REO_CA_BUNDLE=BUNDLE, HTTPS_PROXY=url)
        refused = run(folder, FAR, HTTPS_PROXY=f"http://{proxy.address}")
    assert verdict(checks) == ("ok", OK)
    assert message(checks, "proxy") == f"proxy {proxy.address}"
    assert proxy.requests[0].line[:31] == "CONNECT ingest.example:443 HTTP"
    assert "password" not in repr(checks)
    assert_found(refused, CONFIG, "proxy", "407")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(folder: Path) -> None:
    folder.chmod(0o500)
    try:
        assert "cannot write" in message(run(folder, NOBODY), "ledger")
    finally:
        folder.chmod(0o700)

"""`config doctor` against real servers: what it finds, what it sends, what it makes of the code."""

import os
import socket
import threading
import time
from email.utils import formatdate
from pathlib import Path
from unittest.mock import patch

import pytest
import trustme

from reo_cli.doctor import Check, examine, verdict
from reo_cli.errors import ExitCode
from reo_cli.settings import Sources
from tests.conftest import CANARY as KEY
from tests.faults import Action, FaultServer, answer, cut_head, drip_head, raw, silence
from tests.proxies import ForwardProxy, server_context

ALL = ["config", "key", "endpoint", "dns", "tcp", "proxy", "tls", "answer", "clock", "ledger"]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA(organization_name="Test Authority")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text(f'ledger = "{tmp_path}/state/ledger.db"\ntimeout = 2\n')
    (tmp_path / "config.toml").chmod(0o600)
    return tmp_path


def dated(offset: float = 0.0, status: int = 404) -> FaultServer:
    """A server whose clock is `offset` seconds ahead."""
    date = formatdate(time.time() + offset, usegmt=True)
    return FaultServer(answer(status, headers={"Date": date}))


def run(folder: Path, endpoint: str, **variables: str) -> list[Check]:
    environ = {
        "REO_CONFIG": str(folder / "config.toml"),
        "REO_API_KEY": KEY,
        "REO_ENDPOINT": endpoint,
        **variables,
    }
    with patch.dict(os.environ, environ):
        return list(examine(Sources({}, os.environ, folder), time.time()))


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def statuses(checks: list[Check]) -> dict[str, str]:
    return {check.name: check.status for check in checks if check.status != "ok"}


def bundle(authority: trustme.CA, folder: Path) -> str:
    path = folder / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


def test_all_is_well(folder: Path) -> None:
    with dated() as server:
        checks = run(folder, server.url)
    assert [check.name for check in checks] == [*ALL, "versions"]
    assert statuses(checks) == {}
    assert verdict(checks) == ("ok", ExitCode.OK)
    found = by_name(checks)
    assert found["key"].message == "********abcd from environment REO_API_KEY"
    assert "environment REO_ENDPOINT" in found["endpoint"].message
    assert found["answer"].message.startswith("HTTP 404")
    assert "state/ledger.db" in found["ledger"].message
    assert not (folder / "state").exists()


def test_neither_key_nor_event_is_sent(folder: Path) -> None:
    with dated() as server:
        run(folder, server.url)
    [request] = server.requests
    assert (request.method, request.path, request.body) == ("HEAD", "/", b"")
    assert "x-api-key" not in request.headers
    assert KEY.encode() not in request.head


@pytest.mark.parametrize(
    ("variables", "name", "message"),
    [
        ({"REO_API_KEY": ""}, "key", "there is no API key"),
        ({"REO_API_KEY": "short"}, "key", "environment REO_API_KEY"),
        ({"REO_API_KEY": "", "REO_API_KEY_FILE": "/nowhere/key"}, "key", "/nowhere/key"),
        ({"REO_ENDPOINT": "http://evil.example/x"}, "endpoint", "environment REO_ENDPOINT"),
        ({"REO_TIMEOUT": "soon"}, "settings", "environment REO_TIMEOUT"),
        ({"REO_LEDGER": "/dev/null/ledger.db"}, "ledger", "/dev/null"),
        ({"REO_PROFILE": "x"}, "settings", "no profile `x`"),
    ],
)
def test_faults_of_the_configuration(
    folder: Path, variables: dict[str, str], name: str, message: str
) -> None:
    with dated() as server:
        checks = run(folder, variables.pop("REO_ENDPOINT", server.url), **variables)
    assert statuses(checks) == {name: "failed"}
    assert message in by_name(checks)[name].message
    assert verdict(checks) == ("failed", ExitCode.CONFIG)
    assert checks[-1].name == "versions"


def test_a_config_file_that_others_can_read(folder: Path) -> None:
    path = folder / "config.toml"
    path.write_text(f'{path.read_text()}api_key = "{KEY}"\n')
    path.chmod(0o644)
    with dated() as server:
        checks = run(folder, server.url, REO_API_KEY="")
    assert statuses(checks) == {"settings": "warning"}
    assert "chmod 600" in by_name(checks)["settings"].message
    assert "mode 0644" in by_name(checks)["config"].message
    assert verdict(checks) == ("warning", ExitCode.OK)


def test_a_broken_config_file_is_named(folder: Path) -> None:
    (folder / "config.toml").write_text("timeout =\n")
    checks = run(folder, "http://127.0.0.1:1/")
    assert [check.name for check in checks] == ["settings", "versions"]
    assert f"{folder}/config.toml:1" in checks[0].message


def test_an_endpoint_of_a_strangers_env_file_is_not_visited(folder: Path) -> None:
    with dated() as server:
        (folder / ".env").write_text(f"REO_ENDPOINT={server.url}\n")
        (folder / "config.toml").write_text('endpoint = "http://127.0.0.1:9/"\n')
        checks = run(folder, "")
    assert server.requests == []
    assert by_name(checks)["endpoint"].message.startswith("http://127.0.0.1:9/")
    assert checks[0].status == "failed"
    assert "endpoint comes from" in checks[0].message
    assert verdict(checks) == ("failed", ExitCode.CONFIG)


def test_nobody_listens(folder: Path) -> None:
    with dated() as server:
        url = server.url
    checks = run(folder, url)
    assert statuses(checks) == {"tcp": "failed"}
    assert "refused" in by_name(checks)["tcp"].message
    assert verdict(checks) == ("failed", ExitCode.UNAVAILABLE)


def test_a_name_that_is_not_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    checks = run(folder, "https://nobody.example/")
    assert statuses(checks) == {"dns": "failed"}
    assert "nobody.example" in by_name(checks)["dns"].message
    assert verdict(checks) == ("failed", ExitCode.UNAVAILABLE)


def test_a_lookup_without_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: release.wait(30) and [])
    checks = run(folder, "https://nobody.example/", REO_TIMEOUT="0.1")
    release.set()
    assert "within 0.1 s" in by_name(checks)["dns"].message


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (silence(), "no answer within 0.3 s"),
        (drip_head(), "no answer within 0.3 s"),
        (cut_head(), "was cut off"),
        (raw(b"220 mail.example ESMTP\r\n"), "HTTP"),
    ],
)
def test_answers_that_are_none(folder: Path, action: Action, message: str) -> None:
    started = time.monotonic()
    with FaultServer(action) as server:
        checks = run(folder, server.url, REO_TIMEOUT="0.3")
    assert statuses(checks) == {"answer": "failed"}
    assert message in by_name(checks)["answer"].message
    assert verdict(checks) == ("failed", ExitCode.UNAVAILABLE)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("offset", "message"),
    [(3700.0, "behind the server"), (-90_000.0, "ahead of the server"), (50.0, None)],
)
def test_the_clock(folder: Path, offset: float, message: str | None) -> None:
    with dated(offset) as server:
        checks = run(folder, server.url)
    if message is None:
        assert statuses(checks) == {}
        return
    assert statuses(checks) == {"clock": "warning"}
    assert message in by_name(checks)["clock"].message


@pytest.mark.parametrize("date", [None, "yesterday", "Mon, 99 Foo 2026 00:00:00 GMT", ""])
def test_a_server_that_does_not_tell_its_time(folder: Path, date: str | None) -> None:
    headers = {} if date is None else {"Date": date}
    with FaultServer(answer(200, headers=headers)) as server:
        checks = run(folder, server.url)
    assert statuses(checks) == {"clock": "warning"}


# TLS


@pytest.mark.parametrize(
    ("days", "variable", "status"),
    [
        (90.5, "REO_CA_BUNDLE", {}),
        (90.5, "REQUESTS_CA_BUNDLE", {}),
        (5.5, "REO_CA_BUNDLE", {"tls": "warning"}),
    ],
)
def test_tls_names_issuer_and_expiry(
    folder: Path, authority: trustme.CA, days: float, variable: str, status: dict[str, str]
) -> None:
    with dated() as server:
        server.tls = server_context(authority, "localhost", until=days)
        server.host = "localhost"
        checks = run(folder, server.url, **{variable: bundle(authority, folder)})
    assert statuses(checks) == status
    message = by_name(checks)["tls"].message
    assert message.startswith("TLSv1.3, certificate by Test Authority, valid for")
    assert f"valid for {int(days)} more days" in message


@pytest.mark.parametrize(
    ("name", "days", "trusted", "message"),
    [
        ("localhost", -1, True, "expired"),
        ("other.example", 90, True, "not valid"),
        ("localhost", 90, False, "unknown CA"),
    ],
)
def test_certificates_that_are_refused(
    folder: Path, authority: trustme.CA, name: str, days: float, trusted: bool, message: str
) -> None:
    trust = bundle(authority if trusted else trustme.CA(), folder)
    with dated() as server:
        server.tls = server_context(authority, name, until=days)
        server.host = "localhost"
        checks = run(folder, server.url, REO_CA_BUNDLE=trust)
    assert server.requests == []
    assert statuses(checks) == {"tls": "failed"}
    assert message in by_name(checks)["tls"].message
    assert verdict(checks) == ("failed", ExitCode.CONFIG)


def test_a_ca_file_that_is_none(folder: Path) -> None:
    checks = run(folder, "https://localhost:1/", REO_CA_BUNDLE="/dev/null")
    assert statuses(checks) == {"tls": "failed"}
    assert "/dev/null" in by_name(checks)["tls"].message


# Proxies


def test_the_way_through_a_proxy(folder: Path, authority: trustme.CA) -> None:
    with dated() as server:
        server.tls = server_context(authority, "ingest.example", until=90)
        with ForwardProxy(server.port, "ann:secret-password") as proxy:
            checks = run(
                folder,
                "https://ingest.example/x",
                REO_CA_BUNDLE=bundle(authority, folder),
                HTTPS_PROXY=f"http://ann:secret-password@{proxy.address}",
            )
    assert statuses(checks) == {}
    assert by_name(checks)["proxy"].message == f"proxy {proxy.address}"
    assert [head.split(b" HTTP")[0] for head in proxy.heads] == [b"CONNECT ingest.example:443"]
    assert not any("secret-password" in f"{check.message}{check.hint}" for check in checks)


def test_a_proxy_that_wants_a_password(folder: Path) -> None:
    with FaultServer(answer(407)) as proxy:
        checks = run(folder, "https://x.example/", HTTPS_PROXY=f"http://127.0.0.1:{proxy.port}")
    assert statuses(checks) == {"proxy": "failed"}
    assert "407" in by_name(checks)["proxy"].message
    assert verdict(checks) == ("failed", ExitCode.CONFIG)


def test_a_proxy_that_cannot_be_used(folder: Path) -> None:
    checks = run(folder, "https://x.example/", HTTPS_PROXY="socks5://127.0.0.1:1")
    assert statuses(checks) == {"proxy": "failed"}
    assert verdict(checks) == ("failed", ExitCode.CONFIG)


# The ledger


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        (b"SQLite format 3\0" + bytes(84), "failed", "is not a ledger, or is damaged"),
        (b"", "ok", "0 bytes"),
        (b"not a database", "failed", "is not a ledger"),
    ],
)
def test_a_ledger_that_is_there(folder: Path, content: bytes, status: str, message: str) -> None:
    path = folder / "state" / "ledger.db"
    path.parent.mkdir()
    path.write_bytes(content)
    found = by_name(run(folder, "http://127.0.0.1:1/"))["ledger"]
    assert (found.status, message in found.message) == (status, True)
    assert path.read_bytes() == content
    assert [each.name for each in path.parent.iterdir()] == ["ledger.db"]


def test_a_ledger_is_not_made(folder: Path) -> None:
    (folder / "state").mkdir()
    assert by_name(run(folder, "http://127.0.0.1:1/"))["ledger"].status == "ok"
    assert list((folder / "state").iterdir()) == []


def test_a_folder_in_place_of_the_ledger(folder: Path) -> None:
    (folder / "state" / "ledger.db").mkdir(parents=True)
    assert by_name(run(folder, "http://127.0.0.1:1/"))["ledger"].status == "failed"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(folder: Path) -> None:
    folder.chmod(0o500)
    try:
        assert by_name(run(folder, "http://127.0.0.1:1/"))["ledger"].status == "failed"
    finally:
        folder.chmod(0o700)

"""Certificates and proxies, against a real TLS server and a real proxy: reliability.md 5.3, 5.4."""

import os
import shutil
import ssl
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
import trustme

from reo_cli.client import Target
from reo_cli.client.faults import failed
from reo_cli.client.outcome import Outcome, Verdict
from reo_cli.client.target import CA_VARIABLES
from reo_cli.client.timed import Attempt
from reo_cli.errors import ExitCode, ReoError
from tests import faults
from tests.attempts import GRACE, KEY, TIMEOUT, ask, body_of, connected, target_for, timed
from tests.faults import Action, FaultServer
from tests.proxies import ForwardProxy, server_context

HOST = "ingest.example"
DELIVERED, TRANSIENT, CONFIG = Verdict.DELIVERED, Verdict.TRANSIENT, Verdict.CONFIG
REFUSED = Verdict.NOT_THE_API


@pytest.fixture(autouse=True, scope="module")
def no_variables() -> Iterator[None]:
    """Only what a test says is in the environment."""
    names = {"NO_PROXY", "HTTPS_PROXY", "ALL_PROXY", "HTTP_PROXY", *CA_VARIABLES}
    kept = {name: each for name, each in os.environ.items() if name.upper() not in names}
    with patch.dict(os.environ, kept, clear=True):
        yield


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def bundle(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "private ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA that has signed nothing here."""
    path = tmp_path_factory.mktemp("ca") / "stranger.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    return path


@pytest.fixture(scope="session")
def context(authority: trustme.CA) -> ssl.SSLContext:
    return server_context(authority)


# --- Certificates (5.3) -------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_5_3_a_private_ca_works(host: str, context: ssl.SSLContext, bundle: Path) -> None:
    with FaultServer(tls=context, host=host) as server:
        target = target_for(server.url, bundle)
        assert ask(target).verdict is DELIVERED
        assert target.tls is not None
        assert target.tls.cert_store_stats()["x509"] == 1, "nobody else is trusted"
    assert server.requests[0].headers["x-api-key"] == KEY


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_5_3_a_private_ca_from_the_environment_works(
    name: str, context: ssl.SSLContext, bundle: Path
) -> None:
    with FaultServer(tls=context) as server:
        assert ask(target_for(server.url, None, {name: str(bundle)})).verdict is DELIVERED


def test_the_first_ca_that_is_named_counts(
    context: ssl.SSLContext, bundle: Path, stranger: Path
) -> None:
    right, wrong = str(bundle), str(stranger)
    with FaultServer(tls=context) as server:
        for setting, environ, verdict in [
            (bundle, {"REQUESTS_CA_BUNDLE": wrong}, DELIVERED),
            (stranger, {"REQUESTS_CA_BUNDLE": right}, CONFIG),
            (None, {"REQUESTS_CA_BUNDLE": right, "SSL_CERT_FILE": wrong}, DELIVERED),
            (None, {"REQUESTS_CA_BUNDLE": "", "CURL_CA_BUNDLE": right}, DELIVERED),
            (None, {"REQUESTS_CA_BUNDLE": wrong, "CURL_CA_BUNDLE": right}, CONFIG),
        ]:
            assert ask(target_for(server.url, setting, environ)).verdict is verdict


def test_an_intermediate_ca_is_enough(authority: trustme.CA, tmp_path: Path) -> None:
    middle = authority.create_child_ca()
    path = tmp_path / "middle.pem"
    middle.cert_pem.write_to_path(str(path))
    with FaultServer(tls=server_context(middle)) as server:
        assert ask(target_for(server.url, path)).verdict is DELIVERED


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl to hash the folder")
def test_a_folder_of_ca_certificates_works(
    context: ssl.SSLContext, bundle: Path, tmp_path: Path
) -> None:
    empty = {"SSL_CERT_DIR": str(tmp_path)}
    with pytest.raises(ReoError, match="named by SSL_CERT_DIR cannot be used: it holds no"):
        target_for("https://x.example/", None, empty)
    command = ["openssl", "x509", "-hash", "-noout", "-in", str(bundle)]
    name = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    shutil.copy(bundle, tmp_path / f"{name}.0")
    with FaultServer(tls=context) as server:
        assert ask(target_for(server.url, tmp_path)).verdict is DELIVERED
        assert ask(target_for(server.url, None, empty)).verdict is DELIVERED


def assert_no_request(server: FaultServer, outcome: Outcome, said: str) -> None:
    assert outcome.verdict is CONFIG
    assert not outcome.unreachable
    assert said in outcome.reason
    assert (server.received, server.requests) == (0, [])
    assert KEY not in repr(outcome)


@pytest.mark.parametrize("known", [None, "stranger"])
def test_5_3_an_unknown_ca_gets_no_byte(
    known: str | None, context: ssl.SSLContext, stranger: Path
) -> None:
    with FaultServer(tls=context) as server:
        outcome = ask(target_for(server.url, stranger if known else None))
        assert_no_request(server, outcome, "unknown CA")
    assert "--ca-bundle" in outcome.hint
    assert "REQUESTS_CA_BUNDLE" in outcome.hint


@pytest.mark.parametrize("names", [("other.example",), ("localhost.evil.example", "127.0.0.2")])
def test_5_3_a_certificate_for_another_host_gets_no_byte(
    names: tuple[str, ...], authority: trustme.CA, bundle: Path
) -> None:
    for host, said in [("localhost", "ostname mismatch"), ("127.0.0.1", "IP address mismatch")]:
        with FaultServer(tls=server_context(authority, *names), host=host) as server:
            outcome = ask(target_for(server.url, bundle))
            assert_no_request(server, outcome, said)
            assert f"{host}:{server.port}" in outcome.reason


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [(-40, -1, "it has expired"), (900, 909, "not yet valid: the clock")],
)
def test_5_3_a_certificate_out_of_its_time_gets_no_byte(
    since: float, until: float, said: str, authority: trustme.CA, bundle: Path
) -> None:
    context = server_context(authority, since=since, until=until)
    with FaultServer(tls=context) as server:
        assert_no_request(server, ask(target_for(server.url, bundle)), said)


def test_any_other_fault_of_a_certificate_is_named() -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = 24, "invalid CA certificate"
    outcome = failed("tls", error, "h:1", Attempt(target_for("http://localhost:1/"))).outcome
    assert outcome.reason == "the certificate of h:1 is not valid (invalid CA certificate)"
    assert outcome.verdict is CONFIG


def test_5_3_the_certificate_is_always_checked(bundle: Path) -> None:
    environ = {"PYTHONHTTPSVERIFY": "0", "REQUESTS_CA_BUNDLE": "", "SSLKEYLOGFILE": "/dev/null"}
    tls = target_for("https://x.example/", bundle, environ).tls
    assert tls is not None
    assert tls.verify_mode is ssl.CERT_REQUIRED
    assert tls.check_hostname
    assert tls.minimum_version is ssl.TLSVersion.TLSv1_2
    assert tls.keylog_filename is None


KEY_ONLY = trustme.CA().issue_cert("x.example").private_key_pem.bytes()


@pytest.mark.parametrize("content", [None, b"", b"not a certificate", b"\0" * 100, KEY_ONLY])
def test_a_ca_file_that_cannot_be_used_is_an_error(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    for setting, environ in [(path, {}), (None, {"REQUESTS_CA_BUNDLE": str(path)})]:
        with pytest.raises(ReoError, match=r"ca\.pem") as caught:
            target_for("https://x.example/", setting, environ)
        assert caught.value.exit_code is ExitCode.CONFIG
        assert ("REQUESTS_CA_BUNDLE" in caught.value.message) is (setting is None)


# --- Handshakes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("greeting", "verdict", "said"),
    [
        (faults.hang_up(), TRANSIENT, "was cut off"),
        (faults.raw(b"\x16\x03\x03\x40\x00\x02"), TRANSIENT, "was cut off"),
        (faults.reset(), TRANSIENT, ""),
        (faults.raw(b"\x15\x03\x03\x00\x02\x02\x50"), TRANSIENT, "alert internal error"),
        (faults.raw(b"\x15\x03\x03\x00\x02\x02\x5a"), TRANSIENT, "alert user cancelled"),
        (faults.raw(b"\x15\x03\x03\x00\x02\x02\x28"), CONFIG, "alert handshake failure"),
        (faults.raw(b"\x15\x03\x03\x00\x02\x02\x70"), CONFIG, "unrecognized name"),
        (faults.raw(b"\x15\x03\x03\x00\x02\x02\x46"), CONFIG, "no TLS of version 1.2"),
        (faults.raw(faults.response(400, b"plain HTTP")), CONFIG, "does not speak TLS"),
        (faults.raw(b"SSH-2.0-OpenSSH_9.2p1\r\n"), CONFIG, "does not speak TLS"),
    ],
)
def test_a_failed_handshake(greeting: Action, verdict: Verdict, said: str, bundle: Path) -> None:
    with FaultServer(greeting=lambda _: greeting) as server:
        outcome = ask(target_for(server.url.replace("http:", "https:"), bundle))
    assert outcome.verdict is verdict
    assert said in outcome.reason
    assert f"127.0.0.1:{server.port}" in outcome.reason
    assert outcome.unreachable is (verdict is TRANSIENT)
    assert not server.requests


def test_a_server_that_wants_a_client_certificate(authority: trustme.CA, bundle: Path) -> None:
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = server_context(authority)
        context.maximum_version = version
        context.verify_mode = ssl.CERT_REQUIRED
        authority.configure_trust(context)
        with FaultServer(tls=context) as server:
            outcome = ask(target_for(server.url, bundle))
        assert outcome.verdict is CONFIG
        assert "refuses TLS with us" in outcome.reason
        assert "client certificate" in outcome.hint
        assert server.requests == []


# --- The same faults, inside TLS ----------------------------------------------------------------


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    ("action", "verdict"),
    [
        (faults.cut_head(), TRANSIENT),
        (faults.cut_body(), TRANSIENT),
        (faults.until_close(), DELIVERED),
        (faults.reset(), TRANSIENT),
        (faults.hang_up(), TRANSIENT),
        (faults.drip_head(), TRANSIENT),
        (faults.drip_body(), TRANSIENT),
        (faults.silence(), TRANSIENT),
        (faults.early_answer(faults.failure(413)), Verdict.REJECTED),
    ],
    ids=lambda value: value.name if isinstance(value, Action) else None,
)
def test_faults_inside_tls(
    action: Action, verdict: Verdict, version: ssl.TLSVersion, authority: trustme.CA, bundle: Path
) -> None:
    context = server_context(authority)
    context.maximum_version = version
    with FaultServer([faults.success(), action], tls=context) as server:
        target = target_for(server.url, bundle, timeout=TIMEOUT)
        assert ask(target).verdict is DELIVERED
        start = time.monotonic()
        assert ask(target).verdict is verdict
        assert time.monotonic() - start < TIMEOUT + GRACE
        assert len(server.requests) == 2


@pytest.mark.parametrize("every", [0, 1, 3])
def test_n14_inside_tls(every: int, context: ssl.SSLContext, bundle: Path) -> None:
    with (
        FaultServer(tls=context, close_every=every) as server,
        connected(target_for(server.url, bundle)) as connection,
    ):
        assert {connection.attempt(body_of()).verdict for _ in range(12)} == {DELIVERED}
        assert len(server.requests) == 12
        assert server.connections == (12 // every if every else 1)


DRIPPING = faults.drip(b"\x16\x03\x03\x40\x00" + bytes(999), before=b"HTTP/1.1 200 OK\r\n\r\n")
"""A tunnel in which a handshake begins that never ends."""


# --- Proxies (5.4) ------------------------------------------------------------------------------


def proxied(proxy: str, bundle: Path, host: str = HOST, timeout: float = 5) -> Target:
    return target_for(f"https://{host}{faults.PATH}", bundle, {"HTTPS_PROXY": proxy}, timeout)


def test_5_4_a_proxy_sees_the_host_and_never_the_key(context: ssl.SSLContext, bundle: Path) -> None:
    with (
        FaultServer(tls=context) as server,
        ForwardProxy(server.port) as proxy,
        connected(proxied(f"http://{proxy.address}", bundle)) as connection,
    ):
        assert [connection.attempt(body_of()).verdict for _ in range(3)] == [DELIVERED] * 3
    (head,) = proxy.heads
    assert head.startswith(b"CONNECT ingest.example:443 HTTP/1.")
    assert b"Authorization" not in head
    assert proxy.relayed
    assert KEY.encode() not in head + proxy.relayed
    assert server.connections == 1
    assert server.requests[0].headers["host"] == HOST


@pytest.mark.parametrize("user_info", ["joe:hunter2@", "j%6Fe:hunter%32@"])
def test_a_password_goes_to_the_proxy_only(
    user_info: str, context: ssl.SSLContext, bundle: Path
) -> None:
    with FaultServer(tls=context) as server, ForwardProxy(server.port, "joe:hunter2") as proxy:
        target = proxied(f"http://{user_info}{proxy.address}", bundle)
        assert ask(target).verdict is DELIVERED
    assert "hunter" not in repr(target)
    assert b64encode(b"joe:hunter2").decode() not in repr(target)
    assert not any("proxy" in name for name in server.requests[0].headers)
    assert b"hunter2" not in server.requests[0].head


@pytest.mark.parametrize("user_info", ["", "joe:wrong@"])
def test_a_proxy_that_wants_another_password_is_configuration(
    user_info: str, context: ssl.SSLContext, bundle: Path
) -> None:
    with FaultServer(tls=context) as server, ForwardProxy(server.port, "joe:hunter2") as proxy:
        outcome = ask(proxied(f"http://{user_info}{proxy.address}", bundle))
    assert outcome.verdict is CONFIG
    assert outcome.reason == f"proxy {proxy.address} wants another user and password (HTTP 407)"
    assert "HTTPS_PROXY" in outcome.hint
    assert "wrong" not in repr(outcome)
    assert server.connections == 0


@pytest.mark.parametrize(
    ("answer", "verdict", "said"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", REFUSED, " refuses ingest.example:443 (HTTP 403)"),
        (b"HTTP/1.1 404 No\r\n\r\n", REFUSED, " refuses ingest.example:443 (HTTP 404)"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://x/\r\n\r\n", REFUSED, "(HTTP 302)"),
        (b"HTTP/1.1 429 Wait\r\n\r\n", TRANSIENT, "connect to ingest.example:443 (HTTP 429)"),
        (b"HTTP/1.1 408 Late\r\n\r\n", TRANSIENT, "(HTTP 408)"),
        (b"HTTP/1.0 502 Bad\r\nX: y\r\n\r\n<html>", TRANSIENT, "(HTTP 502)"),
        (b"HTTP/1.1 200 OK\r\n", TRANSIENT, "the answer was cut off (HTTP 200)"),
        (b"SSH-2.0-x\r\n", TRANSIENT, "the answer is not HTTP/1.1"),
    ],
)
def test_a_proxy_that_does_not_connect(
    answer: bytes, verdict: Verdict, said: str, context: ssl.SSLContext, bundle: Path
) -> None:
    with FaultServer(tls=context) as server, ForwardProxy(server.port, answer=answer) as proxy:
        outcome = ask(proxied(f"http://joe:hunter2@{proxy.address}", bundle))
    assert outcome.verdict is verdict
    assert outcome.unreachable is (verdict is TRANSIENT)
    assert outcome.after_delivery is None
    assert outcome.reason.startswith(f"proxy {proxy.address}")
    assert outcome.reason.endswith(said)
    assert "hunter2" not in repr(outcome)
    assert server.connections == 0


def test_a_proxy_that_is_not_there(bundle: Path) -> None:
    with FaultServer() as server:
        pass
    outcome = ask(proxied(f"http://joe:hunter2@127.0.0.1:{server.port}", bundle))
    assert outcome.reason == f"connection refused by proxy 127.0.0.1:{server.port}"
    assert outcome.unreachable


@pytest.mark.parametrize("action", [faults.silence(), faults.drip_head(), faults.drip_continue()])
def test_n6_a_slow_proxy_does_not_stretch_the_deadline(action: Action, bundle: Path) -> None:
    with FaultServer(action) as proxy:
        outcome = timed(proxied(f"http://127.0.0.1:{proxy.port}", bundle, timeout=TIMEOUT))
    assert (outcome.verdict, outcome.unreachable) == (TRANSIENT, True)


@pytest.mark.parametrize("inner", [faults.raw(b"HTTP/1.1 200 OK\r\n\r\n", "hold"), DRIPPING])
def test_n6_a_slow_proxy_over_https_does_not_either(
    inner: Action, context: ssl.SSLContext, bundle: Path
) -> None:
    with FaultServer(inner, tls=context) as proxy:
        outcome = timed(proxied(f"https://127.0.0.1:{proxy.port}", bundle, timeout=TIMEOUT))
    assert (outcome.verdict, outcome.unreachable) == (TRANSIENT, True)


def test_certificates_are_checked_through_a_proxy(context: ssl.SSLContext, bundle: Path) -> None:
    with FaultServer(tls=context) as server, ForwardProxy(server.port) as proxy:
        outcome = ask(proxied(f"http://{proxy.address}", bundle, host="other.example"))
        assert_no_request(server, outcome, "ostname mismatch")
        assert "other.example:443" in outcome.reason


def test_a_proxy_over_https_works(context: ssl.SSLContext, bundle: Path) -> None:
    large = body_of("x" * 200_000)
    with (
        FaultServer(tls=context, close_every=2) as server,
        ForwardProxy(server.port, "joe:hunter2", tls=context) as proxy,
    ):
        url = f"https://joe:hunter2@{proxy.address}"
        with connected(proxied(url, bundle)) as connection:
            verdicts = [connection.attempt(each).verdict for each in (body_of(), large) * 3]
        assert verdicts == [DELIVERED] * 6
        server.script = faults.drip_body()
        assert timed(proxied(url, bundle, timeout=TIMEOUT)).verdict is TRANSIENT
    assert KEY.encode() not in proxy.relayed + b"".join(proxy.heads)


def test_the_certificate_of_a_proxy_is_checked(
    context: ssl.SSLContext, authority: trustme.CA, bundle: Path
) -> None:
    wrong = server_context(authority, "other.example")
    with FaultServer(tls=context) as server, ForwardProxy(server.port, tls=wrong) as proxy:
        outcome = ask(proxied(f"https://{proxy.address}", bundle))
    assert outcome.verdict is CONFIG
    assert f"certificate of proxy {proxy.address}" in outcome.reason
    assert proxy.heads == []


def test_loopback_needs_no_proxy(context: ssl.SSLContext, bundle: Path) -> None:
    with FaultServer(tls=context, host="localhost") as server, ForwardProxy(1) as proxy:
        everything = dict.fromkeys(
            ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"),
            f"http://{proxy.address}",
        )
        assert ask(target_for(server.url, bundle, everything)).verdict is DELIVERED
    assert proxy.heads == []


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, ""),
        ({"HTTPS_PROXY": "http://a.example:1"}, "proxy a.example:1"),
        ({"https_proxy": "http://a.example:1"}, "proxy a.example:1"),
        ({"https_proxy": "http://a.example:1", "HTTPS_PROXY": "http://b:2"}, "proxy a.example:1"),
        ({"https_proxy": "", "HTTPS_PROXY": "http://b:2"}, ""),
        ({"ALL_PROXY": "http://a.example:1"}, "proxy a.example:1"),
        ({"HTTPS_PROXY": "http://a.example:1", "ALL_PROXY": "http://b:2"}, "proxy a.example:1"),
        ({"HTTP_PROXY": "http://a.example:1"}, ""),
        ({"HTTPS_PROXY": "a.example:3128"}, "proxy a.example:3128"),
        ({"HTTPS_PROXY": "http://a.example/"}, "proxy a.example:80"),
        ({"HTTPS_PROXY": "https://a.example"}, "proxy a.example:443"),
        ({"HTTPS_PROXY": "http://[::1]:3128"}, "proxy [::1]:3128"),
    ],
)
def test_which_proxy_applies(environ: dict[str, str], expected: str) -> None:
    proxy = target_for("https://ingest.example/api", None, environ).proxy
    assert (proxy.name if proxy else "") == expected


@pytest.mark.parametrize(
    ("no_proxy", "spared"),
    [
        (HOST, True),
        ("example", True),
        (".example", True),
        ("other.test, ingest.example", True),
        ("ingest.example:443", False),
        ("*", True),
        ("other.example", False),
        ("", False),
    ],
)
def test_no_proxy_is_obeyed_in_the_usual_way(no_proxy: str, spared: bool) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        environ = {"HTTPS_PROXY": "http://a.example:1", name: no_proxy}
        proxy = target_for("https://ingest.example/api", None, environ).proxy
        assert (proxy is None) is spared


@pytest.mark.parametrize(
    "value",
    [
        "socks5://joe:hunter2@a.example:1080",
        "socks5h://a.example",
        "ftp://a.example",
        "http://joe:hunter2@",
        "http://joe:hunter2@a.example:port",
        "http://a.example:0",
        "http://a.example:99999",
        "http://[::1:1",
        "http://hunter2 example/",
        "http://bücher.example:1",
        "http://" + "a" * 64 + ".example",
    ],
)
def test_a_proxy_that_cannot_be_used_is_an_error(value: str) -> None:
    with pytest.raises(ReoError, match="HTTPS_PROXY") as caught:
        target_for("https://ingest.example/api", None, {"HTTPS_PROXY": value})
    assert caught.value.exit_code is ExitCode.CONFIG
    assert "hunter2" not in repr(caught.value)

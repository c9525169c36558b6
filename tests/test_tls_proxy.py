"""Certificates and proxies, against a real TLS server and a real proxy: reliability.md 5.3, 5.4."""

import shutil
import ssl
import subprocess
import time
from base64 import b64encode
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from reo_cli.client.faults import failed
from reo_cli.client.outcome import Outcome, Verdict
from reo_cli.client.timed import Attempt
from reo_cli.errors import ExitCode, ReoError
from tests import faults
from tests.attempts import (
    GRACE,
    HOST,
    KEY,
    TIMEOUT,
    ask,
    body_of,
    connected,
    proxied,
    target_for,
    timed,
)
from tests.faults import SUCCESS, Action, FaultServer
from tests.proxies import AUTHORITY, BUNDLE, CONTEXT, STRANGER, proxy_to, server_context, written

DELIVERED, TRANSIENT, CONFIG = Verdict.DELIVERED, Verdict.TRANSIENT, Verdict.CONFIG
REFUSED = Verdict.NOT_THE_API


@pytest.mark.parametrize(
    ("setting", "environ", "verdict"),
    [
        (BUNDLE, {}, DELIVERED),
        (None, {"REQUESTS_CA_BUNDLE": BUNDLE}, DELIVERED),
        (None, {"CURL_CA_BUNDLE": BUNDLE}, DELIVERED),
        (None, {"SSL_CERT_FILE": BUNDLE}, DELIVERED),
        (BUNDLE, {"REQUESTS_CA_BUNDLE": STRANGER}, DELIVERED),
        (STRANGER, {"REQUESTS_CA_BUNDLE": BUNDLE}, CONFIG),
        (None, {"REQUESTS_CA_BUNDLE": BUNDLE, "SSL_CERT_FILE": STRANGER}, DELIVERED),
        (None, {"REQUESTS_CA_BUNDLE": "", "CURL_CA_BUNDLE": BUNDLE}, DELIVERED),
        (None, {"REQUESTS_CA_BUNDLE": STRANGER, "CURL_CA_BUNDLE": BUNDLE}, CONFIG),
    ],
)
def test_5_3_the_first_private_ca_that_is_named_counts(
    setting: Path | None, environ: dict[str, Path | str], verdict: Verdict
) -> None:
    with FaultServer(tls=CONTEXT, host="localhost") as server:
        target = target_for(server.url, setting, {name: str(environ[name]) for name in environ})
        assert ask(target).verdict is verdict
    assert target.tls is not None
    assert target.tls.cert_store_stats()["x509"] == 1, "nobody else is trusted"
    assert [request.headers["x-api-key"] for request in server.requests] in ([], [KEY])


def test_an_intermediate_ca_is_enough(tmp_path: Path) -> None:
    middle = AUTHORITY.create_child_ca()
    with FaultServer(tls=server_context(authority=middle)) as server:
        assert ask(target_for(server.url, written(middle, tmp_path / "ca"))).verdict is DELIVERED


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl to hash the folder")
def test_a_folder_of_ca_certificates_works(tmp_path: Path) -> None:
    environ = {"SSL_CERT_DIR": str(tmp_path)}
    with pytest.raises(ReoError, match="named by SSL_CERT_DIR cannot be used: it holds no"):
        target_for("https://x.example/", None, environ)
    command = ["openssl", "x509", "-hash", "-noout", "-in", str(BUNDLE)]
    name = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    shutil.copy(BUNDLE, tmp_path / f"{name}.0")
    with FaultServer(tls=CONTEXT) as server:
        assert ask(target_for(server.url, tmp_path)).verdict is DELIVERED
        assert ask(target_for(server.url, None, environ)).verdict is DELIVERED


def assert_no_byte(server: FaultServer, outcome: Outcome, said: str) -> None:
    assert (outcome.verdict, outcome.unreachable) == (CONFIG, False)
    assert said in outcome.reason
    assert server.requests == []
    assert KEY not in repr(outcome)


@pytest.mark.parametrize(
    ("bundle", "host", "names", "since", "until", "said"),
    [
        (None, "localhost", (), -40, 90, "unknown CA"),
        (STRANGER, "localhost", (), -40, 90, "unknown CA"),
        (BUNDLE, "localhost", ("other.example",), -40, 90, "ostname mismatch"),
        (BUNDLE, "localhost", ("localhost.evil.example", "127.0.0.2"), -40, 90, "ostname mismatch"),
        (BUNDLE, "127.0.0.1", ("other.example",), -40, 90, "IP address mismatch"),
        (BUNDLE, "127.0.0.1", ("127.0.0.2",), -40, 90, "IP address mismatch"),
        (BUNDLE, "localhost", (), -40, -1, "it has expired"),
        (BUNDLE, "localhost", (), 900, 909, "not yet valid: the clock"),
    ],
)
def test_5_3_a_certificate_that_is_not_valid_gets_no_byte(
    bundle: Path | None, host: str, names: tuple[str, ...], since: float, until: float, said: str
) -> None:
    with FaultServer(tls=server_context(*names, since=since, until=until), host=host) as server:
        outcome = ask(target_for(server.url, bundle))
        assert_no_byte(server, outcome, said)
        assert server.address in outcome.reason
    assert ("--ca-bundle` or REQUESTS_CA_BUNDLE" in outcome.hint) is (said == "unknown CA")


def test_any_other_fault_of_a_certificate_is_named() -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = 24, "invalid CA certificate"
    outcome = failed("tls", error, "h:1", Attempt(target_for("http://localhost:1/"))).outcome
    assert outcome.reason == "the certificate of h:1 is not valid (invalid CA certificate)"
    assert outcome.verdict is CONFIG


def test_5_3_the_certificate_is_always_checked() -> None:
    environ = {"PYTHONHTTPSVERIFY": "0", "REQUESTS_CA_BUNDLE": "", "SSLKEYLOGFILE": "/dev/null"}
    tls = target_for("https://x.example/", BUNDLE, environ).tls
    assert tls is not None
    assert (tls.verify_mode, tls.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert tls.minimum_version is ssl.TLSVersion.TLSv1_2
    assert not tls.keylog_filename


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
def test_a_failed_handshake(greeting: Action, verdict: Verdict, said: str) -> None:
    with FaultServer(greeting=greeting, tls=CONTEXT) as server:
        outcome = ask(server)
    assert (outcome.verdict, outcome.unreachable) == (verdict, verdict is TRANSIENT)
    assert said in outcome.reason
    assert server.address in outcome.reason
    assert not server.requests


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def versioned(request: pytest.FixtureRequest) -> ssl.SSLContext:
    """A server's context for one version of TLS."""
    context = server_context()
    context.maximum_version = request.param
    return context


def test_a_server_that_wants_a_client_certificate(versioned: ssl.SSLContext) -> None:
    versioned.verify_mode = ssl.CERT_REQUIRED
    AUTHORITY.configure_trust(versioned)
    with FaultServer(tls=versioned) as server:
        outcome = ask(server)
    assert outcome.verdict is CONFIG
    assert "refuses TLS with us" in outcome.reason
    assert "client certificate" in outcome.hint
    assert server.requests == []


@pytest.mark.parametrize(
    ("action", "verdict"),
    [
        (faults.cut_head(), TRANSIENT),
        (faults.cut_body(), TRANSIENT),
        (faults.raw(faults.head_of(200) + SUCCESS), DELIVERED),
        (faults.reset(), TRANSIENT),
        (faults.hang_up(), TRANSIENT),
        (faults.drip_head(), TRANSIENT),
        (faults.drip_body(), TRANSIENT),
        (faults.silence(), TRANSIENT),
        (replace(faults.failure(413), early=True, then="close"), Verdict.REJECTED),
    ],
)
def test_the_same_faults_inside_tls(
    action: Action, verdict: Verdict, versioned: ssl.SSLContext
) -> None:
    with FaultServer([faults.success(), action], tls=versioned) as server:
        assert ask(server).verdict is DELIVERED
        start = time.monotonic()
        assert ask(server, timeout=TIMEOUT).verdict is verdict
        assert time.monotonic() - start < TIMEOUT + GRACE
        assert len(server.requests) == 2


@pytest.mark.parametrize("user_info", ["", "joe:hunter2@", "j%6Fe:hunter%32@"])
def test_5_4_a_proxy_sees_the_host_and_never_the_key(user_info: str) -> None:
    password = "joe:hunter2" if user_info else ""
    with FaultServer(tls=CONTEXT) as server, proxy_to(server.port, password) as proxy:
        target = proxied(f"http://{user_info}{proxy.address}")
        with connected(target) as connection:
            assert {connection.attempt(body_of()).verdict for _ in range(3)} == {DELIVERED}
    (tunnel,) = proxy.requests
    assert tunnel.line.startswith("CONNECT ingest.example:443 HTTP/1.")
    assert ("proxy-authorization" in tunnel.headers) is bool(user_info)
    assert proxy.relayed
    assert KEY not in f"{tunnel} {proxy.relayed!r}"
    assert server.connections == 1
    assert server.requests[0].headers["host"] == HOST
    assert not any("proxy" in name for name in server.requests[0].headers)
    for secret in ("hunter", b64encode(b"joe:hunter2").decode()):
        assert secret not in f"{target!r} {server.requests[0]}"


@pytest.mark.parametrize(
    ("answer", "verdict", "said"),
    [
        (b"HTTP/1.1 407 No\r\n\r\n", CONFIG, " wants another user and password (HTTP 407)"),
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
def test_a_proxy_that_does_not_connect(answer: bytes, verdict: Verdict, said: str) -> None:
    with FaultServer(faults.raw(answer)) as proxy:
        outcome = ask(proxied(f"http://joe:hunter2@{proxy.address}"))
    assert (outcome.verdict, outcome.unreachable) == (verdict, verdict is TRANSIENT)
    assert outcome.after_delivery is None
    assert ("HTTPS_PROXY" in outcome.hint) is (verdict is not REFUSED)
    assert outcome.reason.startswith(f"proxy {proxy.address}")
    assert outcome.reason.endswith(said)
    assert "hunter2" not in repr(outcome)
    gone = ask(proxied(f"http://joe:hunter2@{proxy.address}"))
    assert gone.reason == f"connection refused by proxy {proxy.address}"
    assert gone.unreachable


def test_certificates_are_checked_through_a_proxy() -> None:
    with FaultServer(tls=CONTEXT) as server, proxy_to(server.port) as proxy:
        outcome = ask(proxied(proxy.url, host="other.example"))
        assert_no_byte(server, outcome, "ostname mismatch")
        assert "other.example:443" in outcome.reason


def test_a_proxy_over_https_works() -> None:
    large = body_of("x" * 200_000)
    with (
        FaultServer(tls=CONTEXT, close_every=2) as server,
        proxy_to(server.port, "joe:hunter2", CONTEXT) as proxy,
    ):
        url = f"https://joe:hunter2@{proxy.address}"
        with connected(proxied(url)) as connection:
            verdicts = [connection.attempt(each).verdict for each in (body_of(), large) * 3]
        assert verdicts == [DELIVERED] * 6
        server.script = faults.drip_body()
        assert timed(proxied(url)).verdict is TRANSIENT
    assert KEY not in f"{proxy.requests} {proxy.relayed!r}"


def test_the_certificate_of_a_proxy_is_checked() -> None:
    with proxy_to(1, tls=server_context("other.example")) as proxy:
        outcome = ask(proxied(proxy.url))
        assert_no_byte(proxy, outcome, f"certificate of proxy {proxy.address}")


def test_loopback_needs_no_proxy() -> None:
    names = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy")
    with FaultServer(tls=CONTEXT, host="localhost") as server, proxy_to(1) as proxy:
        everything = dict.fromkeys(names, proxy.url)
        assert ask(target_for(server.url, BUNDLE, everything)).verdict is DELIVERED
    assert proxy.connections == 0


A, B = "http://a.example:1", "http://b:2"


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({}, ""),
        ({"HTTP_PROXY": A}, ""),
        ({"HTTPS_PROXY": A}, "a.example:1"),
        ({"https_proxy": A}, "a.example:1"),
        ({"ALL_PROXY": A}, "a.example:1"),
        ({"https_proxy": A, "HTTPS_PROXY": B}, "a.example:1"),
        ({"HTTPS_PROXY": A, "ALL_PROXY": B}, "a.example:1"),
        ({"https_proxy": "", "HTTPS_PROXY": B}, ""),
        ({"HTTPS_PROXY": "a.example:3128"}, "a.example:3128"),
        ({"HTTPS_PROXY": "http://a.example/"}, "a.example:80"),
        ({"HTTPS_PROXY": "https://a.example"}, "a.example:443"),
        ({"HTTPS_PROXY": "http://[::1]:3128"}, "[::1]:3128"),
        *(
            ({"HTTPS_PROXY": A, "no_proxy": each}, "")
            for each in (HOST, "example", ".example", "*")
        ),
        ({"HTTPS_PROXY": A, "NO_PROXY": f"other.test, {HOST}"}, ""),
        ({"HTTPS_PROXY": A, "NO_PROXY": f"{HOST}:443"}, "a.example:1"),
        ({"HTTPS_PROXY": A, "no_proxy": "other.example"}, "a.example:1"),
        ({"HTTPS_PROXY": A, "NO_PROXY": ""}, "a.example:1"),
    ],
)
def test_which_proxy_applies(environ: dict[str, str], name: str) -> None:
    proxy = target_for(f"https://{HOST}/api", None, environ).proxy
    assert (proxy.name if proxy else "") == (f"proxy {name}" if name else "")


@pytest.mark.parametrize(
    "value",
    [
        *("socks5://joe:hunter2@a.example:1080", "socks5h://a.example", "ftp://a.example"),
        *("http://joe:hunter2@", "http://joe:hunter2@a.example:port", "http://a.example:0"),
        *("http://a.example:99999", "http://[::1:1", "http://hunter2 example/"),
        *("http://bücher.example:1", f"http://{'a' * 64}.example"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_an_error(value: str) -> None:
    with pytest.raises(ReoError, match="HTTPS_PROXY") as caught:
        proxied(value)
    assert caught.value.exit_code is ExitCode.CONFIG
    assert "hunter2" not in repr(caught.value)

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
from tests.proxies import AUTHORITY, BUNDLE, STRANGER, ForwardProxy, server_context, written

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


CONTEXT = server_context()

# --- Certificates (5.3) -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "environ", "verdict"),
    [
        ("right", {}, DELIVERED),
        (None, {"REQUESTS_CA_BUNDLE": "right"}, DELIVERED),
        (None, {"CURL_CA_BUNDLE": "right"}, DELIVERED),
        (None, {"SSL_CERT_FILE": "right"}, DELIVERED),
        ("right", {"REQUESTS_CA_BUNDLE": "wrong"}, DELIVERED),
        ("wrong", {"REQUESTS_CA_BUNDLE": "right"}, CONFIG),
        (None, {"REQUESTS_CA_BUNDLE": "right", "SSL_CERT_FILE": "wrong"}, DELIVERED),
        (None, {"REQUESTS_CA_BUNDLE": "", "CURL_CA_BUNDLE": "right"}, DELIVERED),
        (None, {"REQUESTS_CA_BUNDLE": "wrong", "CURL_CA_BUNDLE": "right"}, CONFIG),
    ],
)
def test_5_3_the_first_private_ca_that_is_named_counts(
    setting: str | None,
    environ: dict[str, str],
    verdict: Verdict,
) -> None:
    files = {"right": BUNDLE, "wrong": STRANGER}
    named = {name: str(files.get(each, each)) for name, each in environ.items()}
    with FaultServer(tls=CONTEXT, host="localhost") as server:
        target = target_for(server.url, files[setting] if setting else None, named)
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


def assert_no_request(server: FaultServer, outcome: Outcome, said: str) -> None:
    assert (outcome.verdict, outcome.unreachable) == (CONFIG, False)
    assert said in outcome.reason
    assert (server.received, server.requests) == (0, [])
    assert KEY not in repr(outcome)


@pytest.mark.parametrize("known", [None, "stranger"])
def test_5_3_an_unknown_ca_gets_no_byte(known: str | None) -> None:
    with FaultServer(tls=CONTEXT) as server:
        outcome = ask(target_for(server.url, STRANGER if known else None))
        assert_no_request(server, outcome, "unknown CA")
    assert "--ca-bundle` or REQUESTS_CA_BUNDLE" in outcome.hint


@pytest.mark.parametrize(
    ("host", "names", "days", "said"),
    [
        ("localhost", ("other.example",), (-40, 90), "ostname mismatch"),
        ("localhost", ("localhost.evil.example", "127.0.0.2"), (-40, 90), "ostname mismatch"),
        ("127.0.0.1", ("other.example",), (-40, 90), "IP address mismatch"),
        ("127.0.0.1", ("127.0.0.2",), (-40, 90), "IP address mismatch"),
        ("localhost", (), (-40, -1), "it has expired"),
        ("localhost", (), (900, 909), "not yet valid: the clock"),
    ],
)
def test_5_3_a_certificate_that_is_not_valid_gets_no_byte(
    host: str,
    names: tuple[str, ...],
    days: tuple[float, float],
    said: str,
) -> None:
    wrong = server_context(*names, since=days[0], until=days[1])
    with FaultServer(tls=wrong, host=host) as server:
        outcome = ask(target_for(server.url, BUNDLE))
        assert_no_request(server, outcome, said)
        assert f"{host}:{server.port}" in outcome.reason


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
def test_a_failed_handshake(greeting: Action, verdict: Verdict, said: str) -> None:
    with FaultServer(greeting=lambda _: greeting) as server:
        outcome = ask(target_for(server.url.replace("http:", "https:"), BUNDLE))
    assert (outcome.verdict, outcome.unreachable) == (verdict, verdict is TRANSIENT)
    assert said in outcome.reason
    assert f"127.0.0.1:{server.port}" in outcome.reason
    assert not server.requests


VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


@VERSIONS
def test_a_server_that_wants_a_client_certificate(version: ssl.TLSVersion) -> None:
    context = server_context()
    context.maximum_version, context.verify_mode = version, ssl.CERT_REQUIRED
    AUTHORITY.configure_trust(context)
    with FaultServer(tls=context) as server:
        outcome = ask(target_for(server.url, BUNDLE))
    assert outcome.verdict is CONFIG
    assert "refuses TLS with us" in outcome.reason
    assert "client certificate" in outcome.hint
    assert server.requests == []


# --- The same faults, inside TLS ----------------------------------------------------------------

INSIDE = {
    faults.cut_head(): TRANSIENT,
    faults.cut_body(): TRANSIENT,
    faults.until_close(): DELIVERED,
    faults.reset(): TRANSIENT,
    faults.hang_up(): TRANSIENT,
    faults.drip_head(): TRANSIENT,
    faults.drip_body(): TRANSIENT,
    faults.silence(): TRANSIENT,
    faults.early_answer(faults.failure(413)): Verdict.REJECTED,
}


@VERSIONS
@pytest.mark.parametrize("action", INSIDE, ids=lambda action: action.name)
def test_faults_inside_tls(action: Action, version: ssl.TLSVersion) -> None:
    context = server_context()
    context.maximum_version = version
    with FaultServer([faults.success(), action], tls=context) as server:
        target = target_for(server.url, BUNDLE, timeout=TIMEOUT)
        assert ask(target).verdict is DELIVERED
        start = time.monotonic()
        assert ask(target).verdict is INSIDE[action]
        assert time.monotonic() - start < TIMEOUT + GRACE
        assert len(server.requests) == 2


@pytest.mark.parametrize("every", [0, 1, 3])
def test_n14_inside_tls(every: int) -> None:
    with (
        FaultServer(tls=CONTEXT, close_every=every) as server,
        connected(target_for(server.url, BUNDLE)) as connection,
    ):
        assert {connection.attempt(body_of()).verdict for _ in range(12)} == {DELIVERED}
        assert len(server.requests) == 12
        assert server.connections == (12 // every if every else 1)


# --- Proxies (5.4) ------------------------------------------------------------------------------


def proxied(proxy: str, host: str = HOST, timeout: float = 5) -> Target:
    return target_for(f"https://{host}{faults.PATH}", BUNDLE, {"HTTPS_PROXY": proxy}, timeout)


@pytest.mark.parametrize("user_info", ["", "joe:hunter2@", "j%6Fe:hunter%32@"])
def test_5_4_a_proxy_sees_the_host_and_never_the_key(user_info: str) -> None:
    password = "joe:hunter2" if user_info else ""
    with FaultServer(tls=CONTEXT) as server, ForwardProxy(server.port, password) as proxy:
        target = proxied(f"http://{user_info}{proxy.address}")
        with connected(target) as connection:
            assert [connection.attempt(body_of()).verdict for _ in range(3)] == [DELIVERED] * 3
    (head,) = proxy.heads
    assert head.startswith(b"CONNECT ingest.example:443 HTTP/1.")
    assert (b"Authorization" in head) is bool(user_info)
    assert proxy.relayed
    assert KEY.encode() not in head + proxy.relayed
    assert server.connections == 1
    assert server.requests[0].headers["host"] == HOST
    assert not any("proxy" in name for name in server.requests[0].headers)
    for secret in ("hunter", b64encode(b"joe:hunter2").decode()):
        assert secret not in repr(target) + server.requests[0].head.decode()


@pytest.mark.parametrize("user_info", ["", "joe:wrong@"])
def test_a_proxy_that_wants_another_password_is_configuration(user_info: str) -> None:
    with FaultServer(tls=CONTEXT) as server, ForwardProxy(server.port, "joe:hunter2") as proxy:
        outcome = ask(proxied(f"http://{user_info}{proxy.address}"))
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
def test_a_proxy_that_does_not_connect(answer: bytes, verdict: Verdict, said: str) -> None:
    with FaultServer(tls=CONTEXT) as server, ForwardProxy(server.port, answer=answer) as proxy:
        outcome = ask(proxied(f"http://joe:hunter2@{proxy.address}"))
    assert (outcome.verdict, outcome.unreachable) == (verdict, verdict is TRANSIENT)
    assert outcome.after_delivery is None
    assert outcome.reason.startswith(f"proxy {proxy.address}")
    assert outcome.reason.endswith(said)
    assert "hunter2" not in repr(outcome)
    assert server.connections == 0


def test_a_proxy_that_is_not_there() -> None:
    with FaultServer() as server:
        pass
    outcome = ask(proxied(f"http://joe:hunter2@127.0.0.1:{server.port}"))
    assert outcome.reason == f"connection refused by proxy 127.0.0.1:{server.port}"
    assert outcome.unreachable


DRIPPING = faults.drip(b"\x16\x03\x03\x40\x00" + bytes(999), before=b"HTTP/1.1 200 OK\r\n\r\n")
"""A tunnel in which a handshake begins that never ends."""


@pytest.mark.parametrize(
    ("scheme", "action"),
    [
        ("http", faults.silence()),
        ("http", faults.drip_head()),
        ("http", faults.drip_continue()),
        ("https", faults.raw(b"HTTP/1.1 200 OK\r\n\r\n", "hold")),
        ("https", DRIPPING),
    ],
)
def test_n6_a_slow_proxy_does_not_stretch_the_deadline(scheme: str, action: Action) -> None:
    with FaultServer(action, tls=CONTEXT if scheme == "https" else None) as proxy:
        outcome = timed(proxied(f"{scheme}://127.0.0.1:{proxy.port}", timeout=TIMEOUT))
    assert (outcome.verdict, outcome.unreachable) == (TRANSIENT, True)


def test_certificates_are_checked_through_a_proxy() -> None:
    with FaultServer(tls=CONTEXT) as server, ForwardProxy(server.port) as proxy:
        outcome = ask(proxied(f"http://{proxy.address}", host="other.example"))
        assert_no_request(server, outcome, "ostname mismatch")
        assert "other.example:443" in outcome.reason


def test_a_proxy_over_https_works() -> None:
    large = body_of("x" * 200_000)
    with (
        FaultServer(tls=CONTEXT, close_every=2) as server,
        ForwardProxy(server.port, "joe:hunter2", tls=CONTEXT) as proxy,
    ):
        url = f"https://joe:hunter2@{proxy.address}"
        with connected(proxied(url)) as connection:
            verdicts = [connection.attempt(each).verdict for each in (body_of(), large) * 3]
        assert verdicts == [DELIVERED] * 6
        server.script = faults.drip_body()
        assert timed(proxied(url, timeout=TIMEOUT)).verdict is TRANSIENT
    assert KEY.encode() not in proxy.relayed + b"".join(proxy.heads)


def test_the_certificate_of_a_proxy_is_checked() -> None:
    wrong = server_context("other.example")
    with ForwardProxy(1, tls=wrong) as proxy:
        outcome = ask(proxied(f"https://{proxy.address}"))
    assert outcome.verdict is CONFIG
    assert f"certificate of proxy {proxy.address}" in outcome.reason
    assert proxy.heads == []


def test_loopback_needs_no_proxy() -> None:
    names = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy")
    with FaultServer(tls=CONTEXT, host="localhost") as server, ForwardProxy(1) as proxy:
        everything = dict.fromkeys(names, f"http://{proxy.address}")
        assert ask(target_for(server.url, BUNDLE, everything)).verdict is DELIVERED
    assert proxy.heads == []


def proxy_in(**environ: str) -> str:
    proxy = target_for(f"https://{HOST}/api", None, environ).proxy
    return proxy.name if proxy else ""


def test_which_proxy_applies() -> None:
    assert proxy_in() == proxy_in(HTTP_PROXY="http://a.example:1") == ""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        assert proxy_in(**{name: "http://a.example:1"}) == "proxy a.example:1"
    a, b = "http://a.example:1", "http://b:2"
    assert proxy_in(https_proxy=a, HTTPS_PROXY=b) == "proxy a.example:1"
    assert proxy_in(HTTPS_PROXY=a, ALL_PROXY=b) == "proxy a.example:1"
    assert proxy_in(https_proxy="", HTTPS_PROXY=b) == ""
    assert proxy_in(HTTPS_PROXY="a.example:3128") == "proxy a.example:3128"
    assert proxy_in(HTTPS_PROXY="http://a.example/") == "proxy a.example:80"
    assert proxy_in(HTTPS_PROXY="https://a.example") == "proxy a.example:443"
    assert proxy_in(HTTPS_PROXY="http://[::1]:3128") == "proxy [::1]:3128"


@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_no_proxy_is_obeyed_in_the_usual_way(name: str) -> None:
    for value in (HOST, "example", ".example", f"other.test, {HOST}", "*"):
        assert proxy_in(HTTPS_PROXY="http://a.example:1", **{name: value}) == "", value
    for value in (f"{HOST}:443", "other.example", ""):
        assert proxy_in(HTTPS_PROXY="http://a.example:1", **{name: value}), value


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
        proxy_in(HTTPS_PROXY=value)
    assert caught.value.exit_code is ExitCode.CONFIG
    assert "hunter2" not in repr(caught.value)

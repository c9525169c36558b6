"""Keys and endpoints: reliability.md sections 5.2 and 5.6, with every trick that is known."""

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reo_cli.errors import ExitCode, ReoError
from reo_cli.settings.prompt import check_key, odd_key
from reo_cli.settings.table import check_endpoint

KEY = "k3y-CANARY_0123456789+/=~"


@pytest.mark.parametrize("key", ["12345678", "x" * 512, "with a space", "!\"#$%&'()*~"])
def test_good_keys_pass_unchanged(key: str) -> None:
    assert check_key(f" \t{key}\r\n") == check_key(key) == key


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (" \r\n", "the key is empty"),
        ("1", "the key has 1 character; a key has 8 to 512"),
        ("1234567", "the key has 7 characters; a key has 8 to 512"),
        ("x" * 513, "the key has 513 characters; a key has 8 to 512"),
        (f"{KEY}\r\nX-Other: 1", "character 26 is a line break"),
        (f"\0{KEY}", "character 1 is a control character"),
        (f"{KEY}\x7f", "character 26 is a control character"),
        (f"\ufeff{KEY}", "character 1 is outside ASCII"),
        (f"“{KEY}”", "character 1 is outside ASCII"),
        (f"{KEY}\xa0", "character 26 is outside ASCII"),
        (f"{KEY[:9]}\ud800", "character 10 is outside ASCII"),
    ],
)
def test_5_6_bad_keys_are_refused_and_not_shown(key: str, said: str) -> None:
    with pytest.raises(ReoError, match=said) as caught:
        check_key(key)
    assert (caught.value.exit_code, caught.value.reason) == (ExitCode.CONFIG, "key_malformed")
    assert "Settings" in caught.value.hint
    assert KEY[:8] not in repr(caught.value)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (f'"{KEY}"', "quotes"),
        (f"Bearer {KEY}", "alone"),
        ("${{ secrets.REO_API_KEY }}", "variable"),
        ("$REO_API_KEY", "variable"),
        (f'{{"key": "{KEY}"}}', "JSON"),
        ("/run/secrets/reo", "--api-key-file"),
        ("~/key", "--api-key-file"),
    ],
)
def test_what_looks_like_no_key(key: str, said: str) -> None:
    assert said in odd_key(key)
    assert KEY not in odd_key(key)
    assert odd_key(KEY) == odd_key("abc/def/ghi+jkl==") == ""


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("HTTPS://Ingest.Reo.Dev/Api", "https://ingest.reo.dev/Api"),
        (" https://host.example\n", "https://host.example/"),
        ("https://host.example:443/x", "https://host.example/x"),
        ("https://host.example:8443/x?a=b&c=%20", None),
        ("https://host.example:/x", "https://host.example/x"),
        ("https://host.example?x=1", "https://host.example/?x=1"),
        ("https://10.0.0.1/", None),
        ("https://[2001:db8::1]:8443/", None),
        ("https://under_score.internal/", None),
        ("http://LOCALHOST:80", "http://localhost/"),
        ("http://127.0.0.1:8080/api", None),
        ("http://127.255.255.254/", None),
        ("http://[::1]:1/", None),
        ("https://localhost:65535/", None),
    ],
)
def test_good_endpoints(url: str, normal: str | None) -> None:
    assert check_endpoint(url) == (normal or url)


TRICKS = """
ingest.reo.dev ingest.reo.dev/api //ingest.reo.dev/api https:ingest.reo.dev https:/ingest.reo.dev
https:// https:///api https://:443/ https://?x
ftp://localhost/ file:///etc/passwd file://localhost/etc/passwd javascript://localhost/%0aalert(1)
http+unix://localhost/ http://ingest.reo.dev/api http://10.0.0.1/ http://192.168.1.1/
http://0.0.0.0/ http://[::]/ http://0/ http://127.1/ http://127.0.1/ http://2130706433/
http://0x7f000001/ http://0x7f.0.0.1/ http://0177.0.0.1/ http://127.0.0.01/ http://127.0.0.256/
http://127.0.0.1.nip.io/ http://127.0.0.1.evil.com/ http://128.0.0.1/ http://localhost.evil.com/
http://localhost./ http://127.0.0.1./ http://localhost.localdomain/ http://evil.localhost/
http://localhost@evil.com/ http://localhost:80@evil.com/ http://evil.com@localhost/
http://evil.com#@localhost/ http://localhost#@evil.com/ http://localhost?@evil.com/
http://localhost\\@evil.com/ http://localhost\\.evil.com/ http://localhost%00.evil.com/
http://localhost%2eevil.com/ http://127。0。0。1/ http://ⓛocalhost/ http://localhost．evil.com/
http://１２７.0.0.1/ http://loc\u200balhost/ https://bücher.example/ http://[::ffff:127.0.0.1]/
http://[::1%25eth0]/ http://[::1%eth0]/ http://[::1/ http://::1/ http://[127.0.0.1]/
https://[v1.x]/ https://[:::]/ https://user:hunter2@ingest.reo.dev/ https://ingest.reo.dev:0/
https://ingest.reo.dev:65536/ https://ingest.reo.dev:99999999/ https://ingest.reo.dev:-1/
https://ingest.reo.dev:https/ http://localhost:8080.evil.com/ https://ingest..reo.dev/
https://.reo.dev/ https://-reo.dev/ https://reo.dev./ https://1.2.3/ https://ingest.reo.dev/#x
https://ingest.reo.dev/<x> https://ingest.reo.dev/\ud800
""".split()
BLANK_TRICKS = [
    *("", "http://local host/", "http://local\thost/", "http://local\nhost/"),
    *("http://localhost\r\nX-Evil: 1/", "http://localhost/\r\nX-Evil: 1", "http://localhost/\x00"),
    *(f"https://{'a' * 64}.dev/", f"https://{'a.' * 130}dev/"),
]


@pytest.mark.parametrize("url", [*TRICKS, *BLANK_TRICKS])
def test_5_2_tricky_endpoints_are_refused(url: str) -> None:
    with pytest.raises(ReoError) as caught:
        check_endpoint(url)
    assert (caught.value.exit_code, caught.value.reason) == (ExitCode.CONFIG, "endpoint_invalid")
    assert caught.value.message.isprintable()
    assert caught.value.hint
    assert "hunter2" not in repr(caught.value)


@given(st.text() | st.from_regex(r"https?://[a-z0-9.:@\[\]/?#%-]{0,40}", fullmatch=True))
def test_any_text_is_an_endpoint_or_an_error(url: str) -> None:
    try:
        normal = check_endpoint(url)
    except ReoError:
        return
    parts = urlsplit(normal)
    here = parts.hostname in ("localhost", "::1") or str(parts.hostname).startswith("127.")
    assert parts.scheme == "https" or here
    assert parts.port is None or 0 < parts.port < 65536
    assert parts.path.startswith("/")
    assert check_endpoint(normal) == normal

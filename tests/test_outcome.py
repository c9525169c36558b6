"""The table of reliability.md section 1, row by row, and what must hold for any answer at all."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reo_cli.client.answers import LONGEST_WAIT, Answer
from reo_cli.client.outcome import Outcome, Verdict, classify
from tests.faults import PAGE, SUCCESS, WRONG_KEY

URL = "http://localhost:8080/api"
CUT = "the answer was cut off"
HTML = {"content-type": "text/html"}

DELIVERED, REJECTED, TRANSIENT = Verdict.DELIVERED, Verdict.REJECTED, Verdict.TRANSIENT
NOT_THE_API, KEY_REFUSED, CONFIG = Verdict.NOT_THE_API, Verdict.KEY_REFUSED, Verdict.CONFIG


def judge(status: int, body: Any = b"", headers: Any = None, problem: str = "") -> Outcome:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return classify(Answer(status, headers or {}, content, problem, URL))


def failing(code: object, text: str = "No") -> dict[str, Any]:
    return {"response_code": code, "response": text, "status": "failure"}


NO_SUCCESS = [
    *(b"", b"  \n", b"OK", b"\x1f\x8b\x08\x00\x00\x00", b"\0" * 100, b"[" * 60_000),
    *(SUCCESS[:-1], SUCCESS + SUCCESS, SUCCESS.decode().encode("utf-16"), b"[" + SUCCESS + b"]"),
    *(b'"success"', b"200", b"null", b'{"response_code": "200"}', b'{"status": null}'),
    b'{"data": {"status": "success"}}',
    b'{"status": "success", "x": "\xff"}',
    b'{"status": "success", "x": NaN}',
    b'{"status": "success", "x": -Infinity}',
    b'{"status": "failure", "status": "success"}',
    b'{"status": "success", "x": ' + b"[" * 65 + b"]" * 65 + b"}",
]


@pytest.mark.parametrize("body", NO_SUCCESS, ids=range(len(NO_SUCCESS)))
def test_a_2xx_without_a_json_success_is_unknown(body: bytes) -> None:
    outcome = judge(200, body)
    assert (outcome.verdict, outcome.after_delivery) == (TRANSIENT, None)
    assert "HTTP 200" in outcome.reason


def test_only_a_whole_success_is_delivered() -> None:
    for status in (200, 201, 202, 206, 299):
        said = json.loads(SUCCESS)
        expected = Outcome(DELIVERED, f"HTTP {status}", http_status=status, response=said)
        assert judge(status, SUCCESS) == expected
    assert judge(200, {"status": "success", "response": "Authentication Failure"})[0] is DELIVERED
    cut = judge(200, SUCCESS, problem=CUT)
    assert (cut.verdict, cut.reason) == (TRANSIENT, "the answer was cut off (HTTP 200)")
    for word in ("Success", "SUCCESS", "ok", "success ", 1, True, ["success"], ""):
        assert judge(200, {"status": word}).verdict is REJECTED, word


ODD_CODES: list[object] = [
    *("200", 204, None, "", True, "４００", 1001, 0, -500, 500.5, 422.0, " 413 ", "1e400"),
    *("9" * 5000, [500], {"x": 1}),
]


def test_a_failing_2xx_is_rejected_unless_its_response_code_says_more() -> None:
    for code in ODD_CODES:
        outcome = judge(200, failing(code))
        assert (outcome.verdict, outcome.http_status) == (REJECTED, 200), code


BY_STATUS = {
    KEY_REFUSED: [401, 403],
    CONFIG: [407],
    NOT_THE_API: [300, 301, 302, 303, 304, 307, 308, 399, 404, 405, 410, 501],
    REJECTED: [400, 402, 406, 409, 411, 412, 413, 414, 415, 416, 418, 422, 423, 431, 451, 499],
    TRANSIENT: [408, 425, 429, 500, 502, 503, 504, 505, 507, 511, 520, 599, 100, 101, 600, 999],
}


@pytest.mark.parametrize("verdict", BY_STATUS)
def test_other_statuses_and_a_2xx_whose_response_code_is_one(verdict: Verdict) -> None:
    for status in BY_STATUS[verdict]:
        for body in (b"", b"No", failing(status), b"{", SUCCESS):
            for problem in ("", CUT):
                outcome = judge(status, body, problem=problem)
                assert (outcome.verdict, outcome.http_status) == (verdict, status)
                assert outcome.throttled == (status in (429, 503))
                assert outcome.after_delivery == (TRANSIENT if verdict is NOT_THE_API else None)
        waits = judge(status, b"", {"retry-after": "7"})
        assert (waits.retry_after, waits.throttled) == (7.0, True)
        for code in (status, str(status)) if 300 <= status < 600 else ():
            said = judge(200, failing(code))
            assert (said.verdict, said.http_status) == (verdict, 200)
            assert said.throttled == (status in (429, 503))


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 422, 429, 500, 503])
def test_authentication_failure_is_about_the_key(status: int) -> None:
    words = [WRONG_KEY, b"Authentication Failure", b"error: AUTHENTICATION failure.\n"]
    for body in (*words, "Authentication Failure", failing(1, "authentication failure")):
        outcome = judge(status, body, HTML)
        assert outcome.verdict is KEY_REFUSED, body
        assert "Settings" in outcome.hint
    echoed = failing(400, 'unknown activity_type "Authentication Failure"')
    assert (judge(status, echoed).verdict is KEY_REFUSED) is (status in (401, 403))


@pytest.mark.parametrize(
    ("status", "verdict", "after"),
    [
        *((status, NOT_THE_API, TRANSIENT) for status in (200, 202, 401, 302, 404)),
        (403, NOT_THE_API, REJECTED),
        (400, REJECTED, None),
        (407, CONFIG, None),
        *((status, TRANSIENT, None) for status in (429, 502)),
    ],
)
def test_web_pages(status: int, verdict: Verdict, after: Verdict | None) -> None:
    for body, headers in [(PAGE, HTML), (PAGE, {}), (b" \n<HTML>", {}), (b"<p>Hi", HTML)]:
        for problem in ("", CUT):
            outcome = judge(status, body, headers, problem)
            assert (outcome.verdict, outcome.after_delivery) == (verdict, after)
    assert judge(200, SUCCESS, HTML).verdict is DELIVERED
    assert judge(200, b"", HTML).verdict is TRANSIENT


@pytest.mark.parametrize(
    ("status", "body", "location", "reason"),
    [
        (200, {"status": "failure", "response": "Bad count"}, "", "HTTP 200: Bad count"),
        (400, failing(400, "A\r\n\tb\u2028c\u200d\x1b[2J"), "", "HTTP 400: A b c\\u200d\\x1b[2J"),
        (404, b"", "", f"HTTP 404 at {URL}"),
        (422, {"message": "no count"}, "", "HTTP 422: no count"),
        (500, b"upstream down", "", "HTTP 500: upstream down"),
        (500, b"x" * 60_000, "", f"HTTP 500: {'x' * 199}…"),
        (503, b"", "", "HTTP 503"),
        (302, b"", "https://u:hunter2@p.x/in?a=b#c", "HTTP 302, a redirect to https://p.x/in"),
        (302, b"", "/elsewhere", "HTTP 302, a redirect to /elsewhere"),
        (302, b"", "http://x/\x1b\u202e", "HTTP 302, a redirect to http://x/\\x1b\\u202e"),
        (302, b"", "", f"HTTP 302 at {URL}"),
    ],
)
def test_the_servers_own_words_are_the_reason(
    status: int, body: Any, location: str, reason: str
) -> None:
    outcome = judge(status, body, {"location": location})
    assert outcome.reason == reason
    assert len(str(outcome.response)) <= 500


def test_odd_json_values_survive() -> None:
    body = b'{"status": "success", "a": 1e400, "b": %s, "c": "\\ud800x", "d": 1.5}' % (b"7" * 5000)
    outcome = judge(200, body)
    assert outcome.verdict is DELIVERED
    odd = {"a": "1e400", "b": "7" * 5000, "c": "\ufffdx", "d": 1.5}
    assert outcome.response == {"status": "success", **odd}


NOW = "Mon, 23 Nov 2026 11:00:00 GMT"
SOON = "Mon, 23 Nov 2026 11:01:30 GMT"
NONSENSE = ("", "soon", "-1", "+5", "1e9", "٣", "NaN", "inf", "5 s", "\0", "x" * 500)


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        *(("120", 120.0), ("0", 0.0), ("1.5", 1.5), ("007", 7.0), ("5\n30\nsoon", 30.0)),
        *(("9999999999", LONGEST_WAIT), ("9" * 5000, LONGEST_WAIT)),
        (SOON, 90.0),
        ("Monday, 23-Nov-26 11:01:30 GMT", 90.0),
        ("Mon Nov 23 11:01:30 2026", 90.0),
        ("Mon, 23 Nov 2026 12:01:30 +0100", 90.0),
        ("Mon, 23 Nov 2026 10:59:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_WAIT),
        *((each, None) for each in NONSENSE),
        ("Mon, 99 Nov 2026 11:01:30 GMT", None),
        ("Mon, 23 Nov 99999999 11:01:30 GMT", None),
        ("Mon, 23 Foo 2026 11:01:30 GMT", None),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_retry_after(asked: str, seconds: float | None) -> None:
    assert judge(503, headers={"retry-after": asked, "date": NOW}).retry_after == seconds


@pytest.mark.parametrize(("date", "wait"), [(NOW, 90.0), ("", 30.0), ("yesterday", 30.0)])
def test_a_date_counts_from_the_servers_clock_else_from_ours(date: str, wait: float) -> None:
    headers = {"retry-after": SOON, **({"date": date} if date else {})}
    ours = 1795431600.0 + 60  # 11:01:00
    assert classify(Answer(503, headers, b"", read_at=ours)).retry_after == wait


values = (
    st.text(max_size=60)
    | st.sampled_from([NOW, "text/html", "7"])
    | st.builds(
        "".join,
        st.lists(st.sampled_from([*"0123456789:,-+ ", "Mon", "Nov", "GMT", "2026", "-0000"])),
    )
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
optional = {
    "status": st.sampled_from(["success", "failure"]) | json_values,
    "response_code": st.integers(-1, 700) | json_values,
    "response": st.just("Authentication Failure") | json_values,
}
documents = json_values | st.fixed_dictionaries({}, optional=optional)
bodies = (
    st.binary(max_size=300)
    | documents.map(lambda value: json.dumps(value).encode())
    | st.sampled_from([SUCCESS, WRONG_KEY, PAGE, *NO_SUCCESS])
)
names = ("retry-after", "date", "content-type", "content-encoding", "location")
headers = st.fixed_dictionaries({}, optional=dict.fromkeys(names, values))
answers = st.builds(
    *(Answer, st.integers(100, 999), headers, bodies, st.sampled_from(["", CUT]), st.just(URL)),
    st.floats(0, 2e9),
)


@given(answers)
def test_classify_never_raises_and_delivers_only_a_framed_success(answer: Answer) -> None:
    outcome = classify(answer)
    if outcome.verdict is DELIVERED:
        assert not answer.problem
        assert 200 <= answer.status < 300
        assert json.loads(answer.body)["status"] == "success"
    assert outcome.retry_after is None or 0 <= outcome.retry_after <= LONGEST_WAIT
    assert outcome.reason
    assert "\n" not in outcome.reason
    json.dumps(outcome.response, allow_nan=False).encode()

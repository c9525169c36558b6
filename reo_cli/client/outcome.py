"""What one attempt came to. `classify` (below) is the only judge of what counts as delivered.

The table is reliability.md section 1 in code: pure, total over every answer, nothing is delivered
but a complete 2xx whose JSON body says `"status": "success"`. Without an answer, see `faults`.
"""

import re
from enum import StrEnum
from typing import Any, NamedTuple

from reo_cli.client.answers import Answer, content, is_html, one_line, retry_after, words_of
from reo_cli.settings.prompt import KEY_HINT

CUT_OFF = "the answer was cut off"

NOT_THE_API_HINT = "check the endpoint, and whether a proxy or a login portal stands in the way"

PROXY_HINT = "put the proxy's user and password in HTTPS_PROXY: `http://USER:PASSWORD@HOST:PORT`"

_AUTHENTICATION_FAILURE = re.compile(
    r"(?<![\"'`“«])authentication failure(?![\"'`”»])", re.IGNORECASE
)
"""What the API says to a wrong key (api.md); in quotes it is an event's own text, echoed."""


class Verdict(StrEnum):
    """The closed set of ends an attempt can have."""

    DELIVERED = "delivered"
    REJECTED = "rejected"
    TRANSIENT = "transient"
    """Worth another attempt with the same body and the same `event_id`."""
    NOT_THE_API = "not_the_api"
    """A redirect, an HTML page, 404, 405: a proxy, a portal or a wrong URL answered."""
    KEY_REFUSED = "key_refused"
    CONFIG = "config"
    """TLS or proxy authentication: another attempt cannot help."""
    LIMIT = "limit"
    """A limit of this machine is reached."""


class Outcome(NamedTuple):
    """The end of one attempt.

    `reason` is one short line for people (`HTTP 503`, `connection refused`), `hint` what to do or
    empty. `retry_after` is the wait the server asked for, in seconds from the moment the answer
    was read. `unreachable` says that no connection came about, so the event cannot be to blame.
    `after_delivery` is what counts in place of `verdict` once this run has delivered something
    (a page from a portal is then a passing fault, reliability.md section 1). `response` is the
    decoded JSON answer, or the start of its text.
    """

    verdict: Verdict
    reason: str
    hint: str = ""
    http_status: int | None = None
    retry_after: float | None = None
    throttled: bool = False
    unreachable: bool = False
    after_delivery: Verdict | None = None
    response: Any = None


def classify(answer: Answer) -> Outcome:
    """Judge an answer: reliability.md section 1, pure and total, never raises."""
    value = content(answer.body)
    outcome = _judge(answer, value)
    wait = retry_after(answer)
    asks_for_less = wait is not None and outcome.verdict is not Verdict.DELIVERED
    return outcome._replace(
        http_status=answer.status,
        retry_after=wait,
        throttled=outcome.throttled or asks_for_less,
        response=None if value == "" else value,
    )


def _judge(answer: Answer, value: Any) -> Outcome:
    """Judge by the first row of the table that fits; `value` is what the body holds."""
    status = answer.status
    if _is_success(answer, value):
        return Outcome(Verdict.DELIVERED, f"HTTP {status}")
    is_page = isinstance(value, str) and is_html(answer)
    words = "" if is_page else words_of(value)
    if is_page and (200 <= status < 300 or status in (401, 403)):
        after = Verdict.REJECTED if status == 403 else Verdict.TRANSIENT
        page = f"a web page instead of an answer of the API (HTTP {status})"
        return Outcome(Verdict.NOT_THE_API, page, NOT_THE_API_HINT, after_delivery=after)
    if _AUTHENTICATION_FAILURE.search(words):
        return _refused(f"HTTP {status}: {words}")
    if 200 <= status < 300:
        return _judge_2xx(answer, value, words)
    return _by_status(status, f"HTTP {status}", words, answer)


def _is_success(answer: Answer, value: Any) -> bool:
    if answer.problem or not 200 <= answer.status < 300:
        return False
    return isinstance(value, dict) and value.get("status") == "success"


def _judge_2xx(answer: Answer, value: Any, words: str) -> Outcome:
    shown = f"HTTP {answer.status}"
    if answer.problem:
        return Outcome(Verdict.TRANSIENT, f"{answer.problem} ({shown})")
    if not isinstance(value, dict) or value.get("status") is None:
        return Outcome(Verdict.TRANSIENT, f"{_unusable(answer, value)} ({shown})")
    code = re.fullmatch(r"([345][0-9]{2})(?:\.0)?", str(value.get("response_code")).strip())
    if code is None:
        said = f": {words}" if words else " whose `status` is not `success`"
        return Outcome(Verdict.REJECTED, shown + said)
    return _by_status(int(code[1]), f"{shown} with `response_code` {code[1]}", words, answer)


def _by_status(code: int, shown: str, words: str, answer: Answer) -> Outcome:
    """Judge by an HTTP status that is no 2xx; anything unheard of is worth another attempt."""
    said = f"{shown}: {words}" if words else shown
    if code in (401, 403):
        return _refused(said)
    if code == 407:
        return Outcome(Verdict.CONFIG, f"a proxy wants a password ({shown})", PROXY_HINT)
    if 300 <= code < 400 or code in (404, 405, 410, 501):
        reason = f"{shown}{_elsewhere(answer)}" if code < 400 else f"{shown} at {answer.url}"
        after = Verdict.TRANSIENT
        return Outcome(Verdict.NOT_THE_API, reason, NOT_THE_API_HINT, after_delivery=after)
    if 400 <= code < 500 and code not in (408, 425, 429):
        return Outcome(Verdict.REJECTED, said)
    return Outcome(Verdict.TRANSIENT, said, throttled=code in (429, 503))


def _refused(said: str) -> Outcome:
    return Outcome(Verdict.KEY_REFUSED, f"the API refused the key ({said})", KEY_HINT)


def _elsewhere(answer: Answer) -> str:
    """Name where a redirect points, without user info, query or fragment."""
    target = re.split(r"[?#]", answer.headers.get("location", "").strip(), maxsplit=1)[0]
    target = re.sub(r"//[^/]*@", "//", target)
    return f", a redirect to {one_line(target)}" if target else f" at {answer.url}"


def _unusable(answer: Answer, value: Any) -> str:
    if not answer.body:
        return "an empty answer"
    encoding = answer.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        return f"an answer compressed with {one_line(encoding, 30)}, which was not asked for"
    if isinstance(value, str):
        return "an answer that is not complete JSON"
    return "a JSON answer without a `status`"

"""What one attempt came to. `classify` (below) is the only judge of what counts as delivered.

The table is reliability.md section 1 in code: pure, total over every answer, nothing is delivered
but a framed 2xx whose JSON body says `"status": "success"`.
"""

import re
from enum import StrEnum
from typing import Any, NamedTuple

from reo_cli.client.answers import (
    Answer,
    Fault,
    FaultKind,
    decode,
    is_html,
    one_line,
    retry_after,
    text_of,
    words_of,
)
from reo_cli.settings.guard import KEY_HINT

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


class _Judgement(NamedTuple):
    """A verdict in the making; `code` is the status that counted."""

    verdict: Verdict
    reason: str
    hint: str = ""
    after_delivery: Verdict | None = None
    code: int = 0


def classify(result: Answer | Fault) -> Outcome:
    """Judge what an attempt brought: reliability.md section 1, pure and total, never raises.

    Delivered is only a framed 2xx whose body is a JSON object with `"status": "success"`.
    """
    if isinstance(result, Fault):
        return _of_fault(result)
    is_json, value = True, None
    try:
        value = decode(result.body)
    except ValueError:
        is_json = False
    if is_json and _is_success(result, value):
        reason, wait = f"HTTP {result.status}", retry_after(result)
        return Outcome(Verdict.DELIVERED, reason, "", result.status, wait, response=value)
    if not is_json:
        value = text_of(result.body)
    return _outcome(result, value, _judge(result, is_json, value))


def _outcome(answer: Answer, value: Any, judgement: _Judgement) -> Outcome:
    wait = retry_after(answer)
    return Outcome(
        verdict=judgement.verdict,
        reason=judgement.reason,
        hint=judgement.hint,
        http_status=answer.status,
        retry_after=wait,
        throttled=wait is not None or judgement.code in (429, 503),
        after_delivery=judgement.after_delivery,
        response=value if value != "" else None,
    )


_OF_FAULT = {
    FaultKind.CONFIG: Verdict.CONFIG,
    FaultKind.REFUSED: Verdict.NOT_THE_API,
    FaultKind.LIMIT: Verdict.LIMIT,
}


def _of_fault(fault: Fault) -> Outcome:
    return Outcome(
        verdict=_OF_FAULT.get(fault.kind, Verdict.TRANSIENT),
        reason=fault.reason,
        hint=fault.hint,
        http_status=fault.status,
        unreachable=fault.kind is FaultKind.UNREACHABLE,
    )


def _is_success(answer: Answer, value: Any) -> bool:
    if not answer.framed or not 200 <= answer.status < 300:
        return False
    return isinstance(value, dict) and value.get("status") == "success"


def _judge(answer: Answer, is_json: bool, value: Any) -> _Judgement:
    """Judge any answer that is no success, in the order of the table's precedence."""
    status = answer.status
    if not is_json and is_html(answer):
        if 200 <= status < 300 or status in (401, 403):
            after = Verdict.REJECTED if status == 403 else Verdict.TRANSIENT
            page = f"a web page instead of an answer of the API (HTTP {status})"
            return _Judgement(Verdict.NOT_THE_API, page, NOT_THE_API_HINT, after)
        return _by_status(status, f"HTTP {status}", "", answer)
    words = words_of(value)
    if _AUTHENTICATION_FAILURE.search(words):
        return _refused(f"HTTP {status}: {words}")
    if 200 <= status < 300:
        return _judge_2xx(answer, is_json, value, words)
    return _by_status(status, f"HTTP {status}", words, answer)


def _judge_2xx(answer: Answer, is_json: bool, value: Any, words: str) -> _Judgement:
    shown = f"HTTP {answer.status}"
    if not answer.framed:
        return _Judgement(Verdict.TRANSIENT, f"{answer.problem or CUT_OFF} ({shown})")
    if not isinstance(value, dict) or value.get("status") is None:
        return _Judgement(Verdict.TRANSIENT, f"{_unusable(answer, is_json)} ({shown})")
    code = _response_code(value.get("response_code"))
    if code is None:
        said = f": {words}" if words else " whose `status` is not `success`"
        return _Judgement(Verdict.REJECTED, shown + said)
    return _by_status(code, f"{shown} with `response_code` {code}", words, answer)


def _by_status(code: int, shown: str, words: str, answer: Answer) -> _Judgement:
    """Judge by an HTTP status that is no 2xx; anything unheard of is worth another attempt."""
    said = f"{shown}: {words}" if words else shown
    if code in (401, 403):
        return _refused(said)
    if code == 407:
        return _Judgement(Verdict.CONFIG, f"a proxy wants a password ({shown})", PROXY_HINT)
    if 300 <= code < 400 or code in (404, 405, 410, 501):
        reason = f"{shown}{_elsewhere(answer)}" if code < 400 else f"{shown} at {answer.url}"
        return _Judgement(Verdict.NOT_THE_API, reason, NOT_THE_API_HINT, Verdict.TRANSIENT)
    if 400 <= code < 500 and code not in (408, 425, 429):
        return _Judgement(Verdict.REJECTED, said, code=code)
    return _Judgement(Verdict.TRANSIENT, said, code=code)


def _refused(said: str) -> _Judgement:
    return _Judgement(Verdict.KEY_REFUSED, f"the API refused the key ({said})", KEY_HINT)


def _elsewhere(answer: Answer) -> str:
    """Name where a redirect points, without user info, query or fragment."""
    target = re.split(r"[?#]", answer.headers.get("location", "").strip(), maxsplit=1)[0]
    target = re.sub(r"//[^/]*@", "//", target)
    return f", a redirect to {one_line(target)}" if target else f" at {answer.url}"


def _unusable(answer: Answer, is_json: bool) -> str:
    if not answer.body:
        return "an empty answer"
    encoding = answer.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        return f"an answer compressed with {one_line(encoding, 30)}, which was not asked for"
    return "a JSON answer without a `status`" if is_json else "an answer that is not complete JSON"


def _response_code(value: object) -> int | None:
    """The answer's own code where it is a status beyond 2xx; `"400"` and 400 are the same."""
    text = f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)
    return int(text) if re.fullmatch(r"[345][0-9]{2}", text.strip(), re.ASCII) else None

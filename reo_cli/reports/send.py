"""What `reo send` came to, for programs (its JSON) and for people (its content)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reo_cli.checks.content import encode
from reo_cli.errors import ExitCode, ReoError
from reo_cli.records import Issue
from reo_cli.reports.json_output import JsonText, error_shape
from reo_cli.reports.streams import Tone
from reo_cli.reports.view import Closing, Content, Fact, Shape, View, endpoint_fact, is_elsewhere
from reo_cli.reports.words import count_of, number

if TYPE_CHECKING:
    from reo_cli.delivery.summary import SendResult

SCHEMA = "reo.send/1"

_TONES: dict[str, Tone] = {"delivered": "good", "rejected": "bad", "errored": "bad"}


def blank(error: ReoError) -> "SendResult":
    """The result of a `send` that failed before it had an event to send."""
    from reo_cli.delivery.summary import SendResult

    status = "invalid" if error.exit_code is ExitCode.INVALID else "failed"
    return SendResult(status, error.exit_code, error=error)


def shape(result: "SendResult") -> Shape:
    """The JSON of a `send` (design.md, Output)."""
    return {
        "schema": SCHEMA,
        "status": result.status,
        "exit_code": int(result.exit_code),
        "event_id": result.event_id,
        "payload": None if result.payload is None else JsonText(encode(result.payload)),
        "http_status": result.http_status,
        "response": result.response,
        "attempts": result.attempts,
        "elapsed_ms": result.elapsed_ms,
        "error": error_shape(_error(result)),
        "endpoint": result.endpoint or None,
        "endpoint_source": result.endpoint_source or None,
    }


def issues_of(result: "SendResult") -> tuple[Sequence[Issue], int, int]:
    """The issues of the one event, and how many of them are errors and warnings."""
    errors = sum(issue.severity == "error" for issue in result.issues)
    return result.issues, errors, len(result.issues) - errors


def content(result: "SendResult", screen: bool) -> Content:
    """One line when it was sent; the endpoint and the exact body in a dry run."""
    if result.status in ("failed", "invalid"):
        return Content()
    if result.status == "dry_run":
        facts = [Fact("dry run", "nothing was sent"), endpoint_fact(result)]
        return Content(facts=facts, bodies=[encode({"payload": result.payload})])
    parts = [str(result.event_id) if screen else f"event_id {result.event_id}"]
    if result.http_status is not None:
        parts.append(f"HTTP {result.http_status}")
    if result.attempts > 1 or (result.attempts and not screen):
        parts.append(count_of(result.attempts, "attempt"))
    if result.attempts:
        parts.append(f"{number(result.elapsed_ms)} ms")
    words = result.status.replace("_", " ")
    facts = [Fact(words, ", ".join(parts), _TONES.get(result.status, ""))]
    return Content(facts=[*facts, endpoint_fact(result)] if is_elsewhere(result) else facts)


def closing(result: "SendResult") -> Closing:
    """Why the event was not delivered, unless its issues have said so."""
    told = any(issue.severity == "error" for issue in result.issues)
    error = result.error if told else _error(result)
    done = "the event was delivered" if "delivered" in result.status else "nothing was delivered"
    return Closing([error] if error else [], done=done)


def _error(result: "SendResult") -> ReoError | None:
    """The error of the result, or one made of its first issue or of the API's answer."""
    if result.error is not None or result.exit_code is ExitCode.OK:
        return result.error
    errors = [issue for issue in result.issues if issue.severity == "error"]
    if errors:
        first = errors[0]
        words = f"{first.field}: {first.message}" if first.field else first.message
        more = f" (and {count_of(len(errors) - 1, 'more error')})" if len(errors) > 1 else ""
        return ReoError(result.exit_code, result.status, words + more, first.hint)
    answer = f" (HTTP {result.http_status})" if result.http_status is not None else ""
    message = f"the event was {result.status}{answer}"
    return ReoError(result.exit_code, result.status, message)


VIEW = View("send", blank, shape, content, closing, issues_of)

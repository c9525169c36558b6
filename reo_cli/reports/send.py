"""What `reo send` came to, for programs and for people."""

from collections.abc import Sequence

from reo_cli.checks.content import encode
from reo_cli.delivery.summary import SendResult, Summary
from reo_cli.errors import ExitCode, ReoError
from reo_cli.records import Issue
from reo_cli.reports.json_output import error_shape, picked
from reo_cli.reports.report import Report
from reo_cli.reports.streams import Tone
from reo_cli.reports.view import Block, Fact, Json, View
from reo_cli.reports.words import count_of

_TONES: dict[str, Tone] = {"delivered": "good", "rejected": "bad", "errored": "bad"}


class SendReport(Report[SendResult]):
    """The report of `reo send`."""

    name = "send"
    is_one = True

    def blank(self, error: ReoError) -> SendResult:
        """The result of a `send` that failed before it had an event to send."""
        status = "invalid" if error.exit_code is ExitCode.INVALID else "failed"
        return SendResult(status, error.exit_code, error=error)

    def finish(self, result: SendResult) -> ExitCode:
        """Tell what was wrong with the event, then what became of it."""
        for issue in result.issues:
            self.issue(issue)
        return super().finish(result)

    def view(self, result: SendResult, *, screen: bool) -> View:
        """One line when it was sent; the endpoint and the exact body in a dry run."""
        errors = [issue for issue in result.issues if issue.severity == "error"]
        error = _error(result, errors)
        delivered = "delivered" in result.status
        return View(
            result.status,
            result.exit_code,
            shape={
                "event_id": result.event_id,
                "payload": None if result.payload is None else Json(encode(result.payload)),
                **picked(result, "http_status response attempts elapsed_ms"),
                "error": error_shape(error),
                "endpoint": result.endpoint or None,
                "endpoint_source": result.endpoint_source or None,
            },
            blocks=_blocks(result, screen),
            issues=result.issues,
            errors=[result.error if errors else error],  # issues say what is wrong
            done="the event was delivered" if delivered else "nothing was delivered",
        )


def endpoint_facts(result: Summary | SendResult, *, dry_run: bool) -> list[Fact]:
    """Where events go in a dry run or because of a setting; `--sandbox` was typed for this run."""
    if result.endpoint_source in ("", "flag --sandbox") and not dry_run:
        return []
    source = f" ({result.endpoint_source})" if result.endpoint_source else ""
    return [Fact("endpoint", f"{result.endpoint}{source}")]


def _blocks(result: SendResult, screen: bool) -> list[Block]:
    if result.status in ("failed", "invalid"):
        return []
    dry_run = result.status == "dry_run"
    endpoint = endpoint_facts(result, dry_run=dry_run)
    if dry_run:
        body = Json(encode({"payload": result.payload}))
        return [[Fact("dry run", "nothing was sent"), *endpoint], [body]]
    parts = [str(result.event_id) if screen else f"event_id {result.event_id}"]
    if result.http_status is not None:
        parts.append(f"HTTP {result.http_status}")
    if result.attempts > 1 or (result.attempts and not screen):
        parts.append(count_of(result.attempts, "attempt"))
    if result.attempts:
        parts.append(f"{result.elapsed_ms:,} ms")
    words, tone = result.status.replace("_", " "), _TONES.get(result.status, "")
    return [[Fact(words, ", ".join(parts), tone), *endpoint]]


def _error(result: SendResult, errors: Sequence[Issue]) -> ReoError | None:
    """The error of the result, or one made of its first issue."""
    if result.error is not None or not errors:
        return result.error
    message, hint = str(errors[0]._replace(file="", hint="")), errors[0].hint
    if len(errors) > 1:
        message += f" (and {count_of(len(errors) - 1, 'more error')})"
    return ReoError(result.exit_code, result.status, message, hint)

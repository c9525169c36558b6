"""`config doctor`: what would stop an upload, found without sending an event or the key.

`local` looks at the settings and at files, `network` takes the way of a real attempt, with the
client's own parts, up to an answer to `HEAD /`. Findings are values; `reports` shows them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from reo_cli.errors import ExitCode, ReoError
from reo_cli.settings import Settings, Sources, resolve

Status = Literal["ok", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class Check:
    """One finding; `code` is what a failed one makes of the exit code, 78 or 69."""

    name: str
    status: Status
    message: str
    hint: str = ""
    code: ExitCode = ExitCode.OK


def ok(name: str, message: str) -> Check:
    """Return a finding that all is well."""
    return Check(name, "ok", message)


def warning(name: str, message: str, hint: str = "") -> Check:
    """Return a finding that does not stop an upload."""
    return Check(name, "warning", message, hint)


def failed(name: str, error: ReoError) -> Check:
    """Return the finding of an error that a send would end with."""
    return Check(name, "failed", error.message, error.hint, error.exit_code)


def examine(sources: Sources, now: float) -> Iterator[Check]:
    """Give every finding in the order in which an upload would come upon it.

    `now` is this machine's time in epoch seconds. Waits for the network up to the `timeout`
    setting in each step.
    """
    from reo_cli.doctor import local, network

    settings, broken = _settings(sources)
    if broken:
        yield failed("settings", broken)
    if settings:
        yield from local.config_checks(settings)
        yield local.key_check(settings)
        yield from network.checks(settings, sources.environ, now)
        yield local.ledger_check(settings)
    yield local.versions()


def _settings(sources: Sources) -> tuple[Settings | None, ReoError | None]:
    """Resolve as a send would; when only the endpoint is at fault, go on without it."""
    try:
        return resolve(sources), None
    except ReoError as error:
        if error.reason != "foreign_endpoint":
            return None, error
        return resolve(sources._replace(offline=True)), error


def verdict(checks: Sequence[Check]) -> tuple[Status, ExitCode]:
    """Sum up: 78 when the configuration is at fault, else 69 for the network, else 0."""
    codes = {check.code for check in checks if check.status == "failed"}
    if codes:
        return "failed", ExitCode.UNAVAILABLE if codes == {
            ExitCode.UNAVAILABLE
        } else ExitCode.CONFIG
    return ("warning" if any(check.status == "warning" for check in checks) else "ok"), ExitCode.OK

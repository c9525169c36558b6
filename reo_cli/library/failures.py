"""What a call of the library raises: one of three errors, by what the caller can do about it.

Each is a `ReoError` with the reason, message, hint and exit code that the command would give.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reo_cli.errors import ExitCode, ReoError

if TYPE_CHECKING:
    from reo_cli.delivery.summary import SendResult, Summary


class _Failure(ReoError):
    result: "SendResult | Summary | None" = None


class InvalidData(_Failure):
    """Change the data: the check or the API has refused events (exit codes 1 and 65).

    `reason`, `message`, `hint` and `exit_code` are those of the command; `result` is the `Summary`
    or `SendResult`, None where nothing was begun. So it is with the other two errors.
    """


class TryAgain(_Failure):
    """The same call may succeed later: network, server, disk, or time is up (69, 74 and 75)."""


class Misconfigured(_Failure):
    """Change key, endpoint, settings or the call: nothing gets through as it is (all others)."""


_KINDS: Mapping[ExitCode, type[_Failure]] = {
    ExitCode.DATA: InvalidData,
    ExitCode.INVALID: InvalidData,
    ExitCode.UNAVAILABLE: TryAgain,
    ExitCode.IO: TryAgain,
    ExitCode.TRY_LATER: TryAgain,
}


@contextmanager
def typed() -> Iterator[None]:
    """Let errors of reo out as one of the three that callers tell apart."""
    try:
        yield
    except ReoError as error:
        raise _typed(error) from error.__cause__


def failure(result: "SendResult | Summary", message: str) -> ReoError:
    """Return the exception for a result: what stopped it, or that not all was delivered."""
    error = result.error or ReoError(result.exit_code, result.status, message)
    failure = _typed(error)
    failure.result, failure.__cause__ = result, error.__cause__
    return failure


def _typed(error: ReoError) -> _Failure:
    return _KINDS.get(error.exit_code, Misconfigured)(*error.args)


def not_delivered(summary: "Summary") -> str:
    """Say how many events were not delivered, and what is wrong with the first."""
    counts = summary.counts
    found = {name: getattr(counts, name) for name in ("invalid", "rejected", "errored", "unsent")}
    parts = ", ".join(f"{number:,} {name}" for name, number in found.items() if number)
    text = f"{sum(found.values()):,} of {summary.events:,} events were not delivered: {parts}"
    first = next((issue for issue in summary.issues if issue.severity == "error"), None)
    return f"{text}; {first}" if first else text

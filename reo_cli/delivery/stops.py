"""What stops a run, as errors: the words and exit codes that `send` and `send-file` share."""

import time
from typing import TYPE_CHECKING

from reo_cli.client.outcome import Outcome, Verdict
from reo_cli.delivery.pace import LONGEST_WAIT
from reo_cli.errors import ExitCode, ReoError

if TYPE_CHECKING:
    from reo_cli.delivery.replaced import Replaced


_FATAL = {
    Verdict.KEY_REFUSED: ExitCode.KEY_REFUSED,
    Verdict.CONFIG: ExitCode.CONFIG,
    Verdict.NOT_THE_API: ExitCode.NOT_THE_API,
    Verdict.LIMIT: ExitCode.IO,
}


def fatal(verdict: Verdict, outcome: Outcome) -> ReoError:
    """Return the error that an outcome ends a run with."""
    return ReoError(_FATAL[verdict], verdict.value, outcome.reason, outcome.hint)


def asked_to_come_back(seconds: float) -> ReoError:
    """Return the error for a `Retry-After` above the cap; says when to come back."""
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(min(time.time() + seconds, 2**40)))
    message = f"the API asks to wait {seconds:,.0f} s, longer than {LONGEST_WAIT:g} s"
    return ReoError(ExitCode.TRY_LATER, "retry_after", message, f"run it again after {when}")


def timed_out(seconds: float, cause: str = "", hint: str = "run it again to go on") -> ReoError:
    """Return the error for a run whose `--max-time` is over; `cause` held it up, if anything."""
    message = f"the time is over: --max-time {seconds:g}" + (f" ({cause})" if cause else "")
    return ReoError(ExitCode.TRY_LATER, "max_time", message, hint)


def gave_up(seconds: float, cause: str) -> ReoError:
    """Return the error for a run without progress for `seconds`; `cause` is the last failure's."""
    message = f"nothing was delivered for {seconds:g} s" + (f": {cause}" if cause else "")
    hint = "see whether the network and the API are up, then run it again"
    return ReoError(ExitCode.UNAVAILABLE, "gave_up", message, hint)


def invalid_input(invalid: int, read: int, skip_invalid: bool) -> ReoError:
    """Return the error for inputs that failed the check; `skip_invalid` then is a dry run."""
    verb = "is" if invalid == 1 else "are"
    message = f"{invalid:,} of {read:,} record{'s' * (read != 1)} {verb} invalid: nothing was sent"
    hint = "mend them, or add --skip-invalid to send the others"
    if not invalid:
        message, hint = "an input cannot be read: nothing was sent", "see the issues above"
    elif skip_invalid:
        message = f"{invalid:,} of {read:,} records would go to the rejects file"
        hint = "without --dry-run the others are sent, and the exit code is 1"
    return ReoError(ExitCode.INVALID, "invalid_input", message, hint)


def changed_sums(changed: int, events: int) -> ReoError:
    """Return the error for events of a roll-up that were delivered with other counts."""
    message = f"{changed:,} of {events:,} sums have changed since they were delivered"
    hint = "--on-change send sends them with their new counts, --on-change skip leaves them"
    return ReoError(ExitCode.INVALID, "invalid_input", f"{message}: nothing was sent", hint)


def not_all_read(delivered: bool) -> ReoError:
    """Return the error for inputs with something between their records, or with no end."""
    code = ExitCode.DATA if delivered else ExitCode.INVALID
    hint = "mend it and run the same command again: what was delivered is not sent twice"
    return ReoError(code, "input_not_read", "an input holds something that is not a record", hint)


def all_rejected(file: str, rejected: int, reason: str, delivered: bool) -> ReoError:
    """Return the error for an input of which the API takes nothing; `delivered`: of another."""
    code = ExitCode.DATA if delivered else ExitCode.INVALID
    message = f"the API rejected the first {rejected} events of {file}, the last with {reason}"
    hint = "a field may be mapped wrongly; --max-rejects 0 sends the rest all the same"
    return ReoError(code, "all_rejected", message, hint)


def replaced(found: "Replaced", file: str) -> str:
    """Say what the events of an input do to those that were delivered before."""
    of = f"{found.number:,} of {found.events:,} event{'s' * (found.events != 1)} of {file}"
    was, replace = ("was", "replaces") if found.number == 1 else ("were", "replace")
    if found.same:
        how_many = f"{found.equal:,} of them " * (found.equal < found.number)
        return f"{of} {was} delivered before under other ids, {how_many}with the same counts"
    first = f"the first, line {found.line}, had count {found.before:,} and has {found.now:,}"
    return f"{of} {replace} what was delivered before with other counts: {first}"


def would_count_twice(found: "Replaced", file: str) -> ReoError:
    """Return the error for an input whose events would count a second time."""
    message = f"{replaced(found, file)}: nothing was sent, they would count twice"
    hint = "--id-from FIELD,… keeps the id of an event whose count goes on"
    if found.same:
        hint = "send them with the options and settings that they were sent with"
    ways = "--on-change skip leaves them, --on-change send sends them all the same"
    return ReoError(ExitCode.INVALID, "replaced", message, f"{hint}; {ways}")


def other_key(where: str, delivered_at: int) -> ReoError:
    """Return the error for an event that another key without an account name has delivered."""
    message = f"{where}: this event was delivered on {date(delivered_at)} with another key"
    rotated = "run send-file with --key-rotated if the key is new and the account the same"
    hint = f"{rotated}, or give --account NAME if the key belongs to another account"
    return ReoError(ExitCode.CONFIG, "delivered_under_another_key", message, hint)


def date(epoch: int) -> str:
    """Return a moment as people read it, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(epoch))

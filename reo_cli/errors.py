"""The exit codes and the one error class that users see. Imports nothing of reo.

A `ReoError` says what happened, where, and what to do next, and carries the exit code of the
process. Bad data is not an error but a value (`records.Issue`); any other exception is a bug (70).
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process tells its caller; the numbers from 64 on follow sysexits.h."""

    OK = 0
    DATA = 1
    USAGE = 2
    INVALID = 65
    NO_INPUT = 66
    UNAVAILABLE = 69
    BUG = 70
    CANT_CREATE = 73
    IO = 74
    TRY_LATER = 75
    NOT_THE_API = 76
    KEY_REFUSED = 77
    CONFIG = 78
    HANGUP = 129
    INTERRUPTED = 130
    TERMINATED = 143


class ReoError(Exception):
    """Something a user can cause or mend.

    `reason` is a short stable slug for scripts (`key_refused`), `message` one sentence without a
    full stop, `hint` what to do next or empty. None of them ever holds the key.
    """

    def __init__(self, exit_code: ExitCode, reason: str, message: str, hint: str = "") -> None:
        super().__init__(exit_code, reason, message, hint)
        self.exit_code = exit_code
        self.reason = reason
        self.message = message
        self.hint = hint

    def changed(
        self,
        *,
        exit_code: ExitCode | None = None,
        message: str | None = None,
        hint: str | None = None,
    ) -> "ReoError":
        """Return the same error with other words, or another code."""
        return ReoError(
            self.exit_code if exit_code is None else exit_code,
            self.reason,
            self.message if message is None else message,
            self.hint if hint is None else hint,
        )

    def __str__(self) -> str:
        return self.message

"""The exit codes and the one error class that users see. Imports nothing of reo.

A `ReoError` says what happened, where, and what to do next, and carries the exit code of the
process. Bad data is not an error but a value (`records.Issue`); any other exception is a bug (70).
"""

from dataclasses import dataclass
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


@dataclass(eq=False)
class ReoError(Exception):
    """Something a user can cause or mend.

    `reason` is a short stable slug for scripts (`key_refused`), `message` one sentence without a
    full stop, `hint` what to do next or empty. None of them ever holds the key.
    """

    exit_code: ExitCode
    reason: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        return self.message

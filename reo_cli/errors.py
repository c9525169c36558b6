"""The exit codes and the errors that users see. Imports nothing of reo.

A `ReoError` says what happened, where, and what to do next, and carries the exit code of the
process. Bad data is not an error but a value (`records.Issue`); any other exception is a bug (70).
"""

import errno
import os
import sys
from enum import IntEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from threading import Thread


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

    def changed(self, **words: Any) -> "ReoError":
        """Return the same error with another `exit_code`, `message` or `hint`."""
        names = ("exit_code", "reason", "message", "hint")
        return ReoError(**{name: getattr(self, name) for name in names} | words)

    def __str__(self) -> str:
        return self.message


class Interrupted(ReoError):
    """The end of a command by a signal: 130, 143 or 129."""

    def __init__(self, number: int) -> None:
        from signal import Signals

        by = "" if number == Signals.SIGINT else f" by {Signals(number).name}"
        super().__init__(ExitCode(128 + number), "interrupted", f"interrupted{by}")


def start(thread: "Thread") -> None:
    """Start a thread; a signal that comes meanwhile waits until it runs, and never goes to it.

    `Thread.start` cannot stand that the handler of a signal raises, as those of commands do. Raises
    RuntimeError as it does.
    """
    import signal

    handled = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, handled)
    try:
        thread.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def system_limit(fault: BaseException) -> ReoError | None:
    """Return the error for what this system or this Python does not give; None for another.

    Also where that is the cause of a `ReoError`, which says only what could not be done for it.
    """
    match fault:
        case ReoError(__context__=BaseException() as cause):
            return system_limit(cause)
        case OSError(errno=errno.EMFILE | errno.ENFILE):
            message = "the system lets this process open no more files"
            hint = "raise the limit (`ulimit -n 1024`), or use fewer files or a lower --concurrency"
            return ReoError(ExitCode.IO, "no_descriptor", message, hint)
        case ImportError() if str(fault).endswith(os.strerror(errno.EMFILE)):
            return system_limit(OSError(errno.EMFILE, ""))
        case RuntimeError() if "start new thread" in str(fault):
            message = "the system lets this user start no more threads"
            hint = "raise the limit (`ulimit -u`, or that of the container), or end other programs"
            return ReoError(ExitCode.IO, "no_thread", message, hint)
        case MemoryError() | OSError(errno=errno.ENOMEM):
            message = "the system gives this process no more memory"
            return ReoError(ExitCode.IO, "no_memory", message, "raise its limit (`ulimit -v`)")
        case ModuleNotFoundError(name=str(name)) if name in sys.stdlib_module_names:
            message = f"this Python ({sys.executable}) was built without its module `{name}`"
            hint = "install reo with a complete Python, such as that of the system or of uv"
            return ReoError(ExitCode.CONFIG, "incomplete_python", message, hint)
    return None

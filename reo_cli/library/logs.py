"""What a command would print on standard error, passed on to `logging`: silent unless asked for."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from logging import Logger

    from reo_cli.client.outcome import Outcome
    from reo_cli.delivery.summary import Settled
    from reo_cli.records import Progress


def log() -> "Logger":
    """Return the logger `reo_cli`, which is silent until the program gives it a handler."""
    import logging

    logger = logging.getLogger("reo_cli")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return logger


class Logged:
    """Passes what a run has to say on to `logging`, and what became of rejected events."""

    lists_records = False

    def __init__(self) -> None:
        self._log = log()
        self.note = self.hint = self._log.info

    def warning(self, text: str, *, loud: bool = False) -> None:
        """Log a warning; a loud one as an error, for it is one that is found too late."""
        (self._log.error if loud else self._log.warning)(text)

    def settled(self, settled: "Settled") -> None:
        """Log the end of an event that was not delivered."""
        if settled.outcome in ("rejected", "errored"):
            place = (settled.event_id, settled.outcome, settled.reason)
            self._log.warning("event %s was %s: %s", *place)

    def attempted(self, event_id: str | int, attempt: int, outcome: "Outcome") -> None:
        """Log one attempt."""
        self._log.debug("event %s, attempt %d: %s", event_id, attempt, outcome.reason)

    def progress(self, progress: "Progress") -> None:
        """Log nothing: progress is for a person who waits."""

"""What an exchange came to → an `Outcome`, with the key kept out of it."""

import time

from reo_cli.answers import Answer, Fault, FaultKind
from reo_cli.client.faults import exchange_fault
from reo_cli.client.reading import Garbled, Reply
from reo_cli.client.target import Target
from reo_cli.outcome import Outcome, classify
from reo_cli.text import Mask

TOO_EARLY = "an answer came before the whole event was sent"

SHOWN_HEADERS = ("location", "content-encoding")
"""Headers whose text can get into a message."""


class Results:
    """Judges what comes from one target."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._mask = Mask(target.key)

    def of_reply(self, reply: Reply, sent: bool) -> Outcome:
        """Judge an answer; `sent` says that the whole request went out before."""
        headers = reply.headers
        shown = {name: headers[name] for name in SHOWN_HEADERS if name in headers}
        if shown:
            hidden = {name: self._mask(value) for name, value in shown.items()}
            headers = {**headers, **hidden}
        answer = Answer(
            status=reply.status,
            headers=headers,
            body=self._mask.data(reply.body),
            framed=sent and not reply.problem,
            problem=reply.problem if sent else TOO_EARLY,
            url=self._target.url,
            read_at=time.time(),
        )
        return classify(answer)

    def of_error(self, error: OSError, seconds: float) -> Outcome:
        """Judge an exchange without an answer, which had so many seconds."""
        if isinstance(error, Garbled):
            return classify(Fault(FaultKind.BROKEN, error.reason, status=error.status))
        return classify(exchange_fault(error, self._target.name, seconds))

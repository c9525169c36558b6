"""One worker's connection: attempts one after another, kept alive between them.

An attempt never raises for anything that the network or the server does. The dead end of a
kept-alive connection is replaced at once and unseen (reliability.md section 1).
"""

import time

from reo_cli.answers import Answer, Fault, FaultKind
from reo_cli.client.dial import open_wire
from reo_cli.client.faults import Failed, exchange_fault
from reo_cli.client.mask import Mask
from reo_cli.client.reading import Garbled, Reply, read_reply
from reo_cli.client.target import Target
from reo_cli.client.wire import Clock, Deadline, Wire
from reo_cli.outcome import Outcome, classify

TOO_EARLY = "an answer came before the whole event was sent"

SHOWN_HEADERS = ("location", "content-encoding")
"""Headers whose text can get into a message."""


class Connection:
    """A connection to one target, opened when needed; for one thread only."""

    def __init__(self, target: Target, clock: Clock = time.monotonic) -> None:
        self._target = target
        self._clock = clock
        self._mask = Mask(target.key)
        self._wire: Wire | None = None

    def attempt(self, body: bytes) -> Outcome:
        """Send one body and say what came of it.

        Ends by the target's timeout; never raises for what network or server do.
        """
        target = self._target
        deadline = Deadline.after(target.timeout, self._clock)
        result: Answer | Fault
        try:
            result = self._ask(target.request(body), deadline)
        except Failed as failed:
            result = failed.fault
        except Garbled as error:
            result = Fault(FaultKind.BROKEN, error.reason, status=error.status)
        except OSError as error:
            result = exchange_fault(error, target.name, target.timeout)
        return classify(result)

    def close(self) -> None:
        """Close what is open; a later attempt opens it again."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def _ask(self, request: bytes, deadline: Deadline) -> Answer:
        """Ask over the kept connection, and if the server had left it, once over a new one.

        Raises `Failed` and OSError, `Garbled` among them.
        """
        wire, self._wire = self._wire, None
        if wire is not None and wire.is_idle():
            wire.deadline = deadline
            try:
                return self._exchange(wire, request)
            except OSError as error:
                if wire.received or isinstance(error, TimeoutError):
                    raise
        elif wire is not None:
            wire.close()
        return self._exchange(open_wire(self._target, deadline), request)

    def _exchange(self, wire: Wire, request: bytes) -> Answer:
        """Send and read over one wire, which is kept or closed; raises OSError, `Garbled` too.

        A server may answer and hang up before it has read everything: what it said is still read.
        """
        wire.received = 0
        keep = False
        unsent: OSError | None = None
        try:
            try:
                wire.send(request)
            except OSError as error:
                unsent = error
            late = isinstance(unsent, TimeoutError)
            reply = read_reply(wire.receive_at_once if late else wire.receive)
            keep = reply.reusable and unsent is None
        except Garbled:
            raise
        except OSError:
            if unsent is not None:
                raise unsent from None
            raise
        finally:
            if not keep:
                wire.close()
        self._wire = wire if keep else None
        return self._answer(reply, unsent is None)

    def _answer(self, reply: Reply, sent: bool) -> Answer:
        headers = reply.headers
        shown = {name: headers[name] for name in SHOWN_HEADERS if name in headers}
        if shown:
            hidden = {name: self._mask.hide_text(value) for name, value in shown.items()}
            headers = {**headers, **hidden}
        return Answer(
            status=reply.status,
            headers=headers,
            body=self._mask.hide(reply.body),
            framed=sent and not reply.problem,
            problem=reply.problem if sent else TOO_EARLY,
            url=self._target.url,
            read_at=time.time(),
        )

"""One request and its answer over an open wire: what goes without waiting, whenever it is asked to.

Whoever waits for the socket, and for the deadline, is outside: `pool`.
"""

from reo_cli.client.reading import Garbled, Reply, reply
from reo_cli.client.wire import Wire

_NOTHING = memoryview(b"")


class Exchange:
    """Sends, then receives; both raise OSError (`Garbled` too) for what ends it without a reply.

    A server may answer and hang up before it has read everything: what it said is still read.
    """

    def __init__(self, wire: Wire, request: bytes) -> None:
        wire.received = 0
        self._wire = wire
        self._unsent = memoryview(request)
        self._refusal: OSError | None = None
        self._reader = reply()
        next(self._reader)
        self.is_sending = True
        """Whether there is more to be sent."""
        self.wants_to_read = False
        """Whether TLS has to receive something before more can be sent."""

    @property
    def sent(self) -> bool:
        """Whether the whole request went out."""
        return not self.is_sending and self._refusal is None

    def send(self) -> None:
        """Send what the wire takes; what keeps the rest from going is told by `receive`."""
        wire = self._wire
        try:
            while self._unsent:
                self._unsent = wire.send_at_once(self._unsent)
            self.is_sending = not wire.flush()
        except wire.not_now as reason:
            self.wants_to_read = type(reason).__name__ == "SSLWantReadError"
        except OSError as error:
            self._refuse(error)

    def _refuse(self, error: OSError) -> None:
        self._refusal = error
        self._unsent = _NOTHING
        self.is_sending = False

    def receive(self) -> Reply | None:
        """Receive what is there; None while the answer is not complete."""
        wire = self._wire
        while True:
            try:
                data = wire.receive_at_once()
            except wire.not_now:
                return None
            except OSError as error:
                return self._end(error)
            try:
                self._reader.send(data)
            except StopIteration as done:
                return self._done(done)
            except OSError as error:
                raise self._blamed(error) from None

    def expire(self) -> Reply:
        """End it, because the time is over; what the server has said by now still counts.

        It may have come in time: this process may have been stopped, or busy with something else.
        """
        late = TimeoutError()
        if self.is_sending:
            self._refuse(late)
        said = self.receive()
        return self._end(late) if said is None else said

    def _end(self, error: OSError) -> Reply:
        """Tell the reader that there is no more, for this reason."""
        try:
            self._reader.throw(error)
        except StopIteration as done:
            return self._done(done)
        except OSError as fault:
            raise self._blamed(fault) from None
        raise AssertionError("a reader goes on after the end")

    def _blamed(self, error: OSError) -> OSError:
        """Return what to blame for an exchange without a reply: what came first."""
        return error if self._refusal is None or isinstance(error, Garbled) else self._refusal

    @staticmethod
    def _done(done: StopIteration) -> Reply:
        result: Reply = done.value
        return result

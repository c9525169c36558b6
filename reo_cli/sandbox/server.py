"""A sandbox from its opening to its end: in a thread of its own, or in the foreground."""

import errno
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType

from reo_cli.errors import ExitCode, ReoError
from reo_cli.sandbox.loop import Loop
from reo_cli.sandbox.service import PATH, RequestLine, SandboxOptions, Service, Totals

HOST = "127.0.0.1"
"""Nothing but this machine can reach a sandbox."""

_BACKLOG = 512


class Sandbox:
    """A local server that answers like the API.

    Listens from its construction on, which raises ReoError when the port or the record cannot be
    had. As a context manager it serves in a daemon thread; `serve` does so in the caller's.
    `on_request` is called in the thread that serves, and delays it.
    """

    def __init__(
        self,
        options: SandboxOptions | None = None,
        on_request: Callable[[RequestLine], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        options = options or SandboxOptions()
        self._service = Service(options, on_request)
        try:
            listener = _listen(options.port)
        except ReoError:
            self._service.close()
            raise
        self.url = f"http://{HOST}:{listener.getsockname()[1]}{PATH}"
        """The endpoint to send events to."""
        self._loop = Loop(listener, self._service, options.latency, clock)
        self._failure: ReoError | None = None
        self._thread = threading.Thread(target=self._serve_quietly, name="sandbox", daemon=True)

    @property
    def totals(self) -> Totals:
        """The counts at this moment, or in the end; for any thread."""
        return self._service.totals

    def serve(self) -> None:
        """Serve until `stop`; raises ReoError (74) when the record cannot be written."""
        try:
            self._loop.run()
        finally:
            self._service.close()

    def stop(self) -> None:
        """Have `serve` return; for any thread and for signal handlers."""
        self._loop.stop()

    def __enter__(self) -> "Sandbox":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop; raises what ended the serving early, unless something else was raised before."""
        self.stop()
        self._thread.join()
        if self._failure and error is None:
            raise self._failure

    def _serve_quietly(self) -> None:
        try:
            self.serve()
        except ReoError as failure:
            self._failure = failure


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # inherited when it accepts
    try:
        listener.bind((HOST, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        taken = error.errno == errno.EADDRINUSE
        raise ReoError(
            ExitCode.CANT_CREATE,
            "port_taken" if taken else "port_not_available",
            f"port {port} is taken by another program"
            if taken
            else f"cannot listen on port {port}: {error.strerror}",
            "`--port 0` takes a free one",
        ) from None
    listener.setblocking(False)
    return listener

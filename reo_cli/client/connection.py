"""One attempt at a time, waited for: a pool of a single connection."""

import time

from reo_cli.client.pool import Pool
from reo_cli.client.target import Target
from reo_cli.client.wire import Clock
from reo_cli.outcome import Outcome


class Connection:
    """A connection to one target, opened when needed and kept; for one thread only."""

    def __init__(self, target: Target, clock: Clock = time.monotonic) -> None:
        self._pool: Pool[None] = Pool(target, clock, threads=False)

    def attempt(self, body: bytes, timeout: float | None = None) -> Outcome:
        """Send one body and say what came of it.

        Ends by `timeout` (the target's unless given); never raises for what network or server do.
        """
        self._pool.start(None, body, timeout)
        outcome = None
        while outcome is None:
            for ended in self._pool.wait():
                outcome = ended.outcome
        return outcome

    def close(self) -> None:
        """Close what is open."""
        self._pool.close()

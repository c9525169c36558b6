"""Attempts: request bodies go out, `Outcome`s come back; the only part that knows HTTP.

requests carries every event. `prepare` builds a `Target` once a run; `connection.Connection` makes
one attempt at a time, `workers.Workers` many at once. What loads requests is imported late.
"""

from reo_cli.client.target import Target, prepare

__all__ = ["Target", "prepare"]

"""Attempts: request bodies go out, `Outcome`s come back; the only part that knows HTTP.

The exchange is written on plain sockets (an exact HTTP/1.1 client for one kind of request), because
then one deadline covers everything from the name lookup on, and no cut answer can look complete.
`prepare` builds a `Target` once; a `Pool` makes many attempts at once, a `Connection` one.
"""

from reo_cli.client.connection import Connection
from reo_cli.client.pool import Ended, Pool
from reo_cli.client.target import Target, prepare

__all__ = ["Connection", "Ended", "Pool", "Target", "prepare"]

"""One attempt: a request body goes out, an `Outcome` comes back; the only part that knows HTTP.

The exchange is written on plain sockets (an exact HTTP/1.1 client for one kind of request), because
then one deadline covers everything from the name lookup on, and no cut answer can look complete.
`prepare` builds a `Target` once; each worker sends through its own `Connection`.
"""

from reo_cli.client.connection import Connection
from reo_cli.client.target import Target, prepare

__all__ = ["Connection", "Target", "prepare"]

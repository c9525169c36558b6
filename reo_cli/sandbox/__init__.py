"""A server on the loopback interface that answers like the API: to try reo, for docs and tests.

It speaks HTTP/1.1, knows one path, and answers what the public documentation says (api.md). What
that leaves open it decides as follows, and the real API may do otherwise:

- a wrong or missing key is answered with HTTP 400, the code inside the documented body;
- a body that breaks a rule is HTTP 400 with a `failure` body that names every such field;
- fields it does not know are accepted, `Content-Type` is not looked at, and whether an IP address
  or a domain exists is not asked;
- an `event_id` that came before is accepted again, and counted as repeated;
- limits on rate, size and connections are its own.
"""

from reo_cli.sandbox.server import Sandbox
from reo_cli.sandbox.service import RequestLine, SandboxOptions, Totals

__all__ = ["RequestLine", "Sandbox", "SandboxOptions", "Totals"]

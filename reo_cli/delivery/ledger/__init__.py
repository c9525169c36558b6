"""What the API has acknowledged, in SQLite, so that none of it is sent again.

`store` looks up and records, `file` makes and opens the file, `scopes` tells accounts apart,
`admin` and `info` are for `reo ledger`, `faults` has the words for what goes wrong.
"""

from reo_cli.delivery.ledger.store import Acknowledged, Known, Ledger, Scope, files_of

__all__ = ["Acknowledged", "Known", "Ledger", "Scope", "files_of"]

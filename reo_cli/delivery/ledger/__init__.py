"""What the API has acknowledged, in SQLite, so that none of it is sent again.

`ledger` is the file, `accounts` who had what delivered, `admin` what `reo ledger` does.
"""

from reo_cli.delivery.ledger.accounts import Account, Acknowledged, Known
from reo_cli.delivery.ledger.ledger import Ledger, files_of

__all__ = ["Account", "Acknowledged", "Known", "Ledger", "files_of"]

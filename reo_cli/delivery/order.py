"""What one run of `send-file` is asked to do, gathered as values."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reo_cli.client import Target
from reo_cli.delivery.decide import Identity
from reo_cli.delivery.policy import Policy
from reo_cli.events import Rules
from reo_cli.readers import ReadOptions


@dataclass(frozen=True)
class LedgerOptions:
    """Which ledger is used and how; `path` None is one that lasts for this run only."""

    path: Path | None
    account: str | None = None
    key_rotated: bool = False
    resend: bool = False
    keep_days: int = 400


@dataclass(frozen=True)
class Order:
    """All that a run of `send-file` is asked to do.

    `target` is None for a dry run, `key` None for a dry run without one. `started` is the process's
    start in monotonic seconds. `state` is the user's state folder. `command` is the command line
    that resumes the run, `where` those of its options that say where events go and what is
    remembered of them.
    """

    names: Sequence[str]
    reading: ReadOptions
    rules: Rules
    identity: Identity
    policy: Policy
    endpoint: str
    target: Target | None
    key: str | None
    ledger: LedgerOptions
    state: Path
    started: float
    command: str
    rejects: Path | None = None
    lock_name: str | None = None
    locked: bool = True
    wait: float = 0.0
    skip_invalid: bool = False
    dry_run: bool = False
    allow_failure: bool = False
    where: str = ""

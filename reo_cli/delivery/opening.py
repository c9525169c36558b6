"""What a run of `send-file` is asked to do, and what it opens before it reads its first event.

Rejects files, the locks of its inputs and the ledger: an `ExitStack` closes them at the end.
"""

import os
import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection

from reo_cli.checks.rollup import Plan
from reo_cli.client import Target
from reo_cli.delivery.decide import Identity, Memory
from reo_cli.delivery.dispatch import Policy
from reo_cli.delivery.folders import temporary_folder
from reo_cli.delivery.ledger import Account, Ledger, files_of
from reo_cli.delivery.locks import lock
from reo_cli.delivery.rejects import Rejects, default_path, is_rejects_file, seen
from reo_cli.errors import ExitCode, ReoError
from reo_cli.events import Rules
from reo_cli.readers import ReadOptions
from reo_cli.readers.given import Given
from reo_cli.readers.source import Source


@dataclass(frozen=True)
class Order:
    """All that a run of `send-file` is asked to do.

    `endpoint_source` says where an endpoint that is not the API's comes from.
    `target` is None for a dry run, `key` None for a dry run without one. `ledger` None is one that
    lasts for this run only. `state` is the user's state folder, `started` the process's start in
    monotonic seconds. `command` is the command line that resumes the run, `where` those of its
    options that say where events go and what is remembered of them. Without `keeps_rejects` only
    `rejects`, a file that the user named, takes any. `roll_up` None sends the events as they are.
    `given` are events of a program, in place of inputs to open; `hints` say what to do about a
    required field that is missing, to those who have no command line.
    """

    names: Sequence[str]
    reading: ReadOptions
    rules: Rules
    identity: Identity
    policy: Policy
    endpoint: str
    endpoint_source: str
    target: Target | None
    key: str | None
    ledger: Path | None
    account: str | None
    key_rotated: bool
    resend: bool
    keep_days: int
    state: Path
    started: float
    command: str
    rejects: Path | None = None
    keeps_rejects: bool = True
    lock_name: str | None = None
    locked: bool = True
    wait: float = 0.0
    skip_invalid: bool = False
    allow_failure: bool = False
    where: str = ""
    roll_up: Plan | None = None
    given: Given | None = None
    hints: Mapping[str, str] | None = None


def rejects(order: Order, sources: Sequence[Source], stack: ExitStack) -> list[Rejects]:
    """Return the rejects file of each input; none for a program that keeps its own."""
    lines = stack.enter_context(closing(seen()))
    if order.rejects is not None:
        shared = Rejects(order.rejects, lines, explicit=True)
        taken = [Path(each.path) for each in sources if not each.streamed]
        shared.check([*taken, *files_of(order.ledger)])
        stack.callback(shared.close)
        return [shared] * len(sources)
    if not order.keeps_rejects:
        return []
    files = [_rejects_of(order, Path(each.path), each.streamed, lines) for each in sources]
    for each in files:
        stack.callback(each.close)
    return files


def _rejects_of(order: Order, path: Path, streamed: bool, lines: Connection) -> Rejects:
    if not streamed and is_rejects_file(path):
        return Rejects(path, lines, is_input=True)
    return Rejects(default_path(str(path), order.state), lines)


def lock_all(order: Order, sources: Sequence[Source], left: float | None, stack: ExitStack) -> None:
    """Lock all inputs or none, waiting `left` seconds at most; raises ReoError 75."""
    context = lock(
        [Path(each.path) for each in sources if not each.streamed],
        folder=order.state,
        clock=time.monotonic,
        sleep=time.sleep,
        name=order.lock_name,
        share=str(order.identity.shard) if order.identity.shard else None,
        wait=order.wait if left is None else min(order.wait, left),
    )
    stack.enter_context(context)


def ledger(order: Order, stack: ExitStack) -> Ledger | None:
    """Open the ledger, made if need be; None for a run without. Raises ReoError 73."""
    if order.ledger is None:
        return None
    return stack.enter_context(Ledger.open(order.ledger))


def memory(order: Order, ledger: Ledger | None, stack: ExitStack) -> Memory:
    """Return what the run remembers: one of its own first, where the ledger is not asked.

    Raises ReoError 78 for events that were delivered under another key.
    """
    accounts = []
    if ledger is None or order.resend:
        folder = stack.enter_context(temporary_folder())
        own = stack.enter_context(Ledger.open(Path(folder, "ledger.db")))
        accounts.append(_account(order, own))
    if ledger is not None:
        accounts.append(_account(order, ledger))
        if order.key_rotated:
            accounts[-1].adopt()
    return Memory(*accounts)


def viewed_ledger(order: Order, stack: ExitStack) -> Ledger | None:
    """Open the ledger to look into it only; None where there is nothing to look for."""
    if order.ledger is None or order.resend:
        return None
    try:
        return stack.enter_context(Ledger.existing(order.ledger))
    except ReoError as error:
        if error.exit_code is ExitCode.NO_INPUT:
            return None  # there is none yet
        raise


def viewed_memory(order: Order, ledger: Ledger) -> Memory:
    """Return what a dry run finds in the ledger; raises ReoError 78 like `memory`."""
    account = _account(order, ledger)
    return Memory(account.with_others() if order.key_rotated else account)


def _account(order: Order, ledger: Ledger) -> Account:
    return Account(ledger, order.endpoint, order.key, order.account)


def origin_of(source: Source) -> bytes:
    """Return what stands for an input where its events have no time of their own.

    A regular file's path (links followed), size and modification time; a random id for a pipe.
    """
    if source.streamed:
        return secrets.token_bytes(16)
    if source.origin:
        return source.origin
    _, _, size, mtime = source.snapshot
    path = os.fsencode(Path(source.path).resolve())
    return b"\x00".join([path, b"%d" % size, b"%d" % mtime])

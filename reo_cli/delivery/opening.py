"""What a run of `send-file` is asked to do, and what it opens before it reads its first event.

Inputs, rejects files, locks and the ledger: an `ExitStack` closes them at the end.
"""

import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from reo_cli.checks.rollup import Plan
from reo_cli.checks.scratch import scratch
from reo_cli.client import Target
from reo_cli.delivery.decide import Identity, Input
from reo_cli.delivery.dispatch import Policy
from reo_cli.delivery.folders import temporary_folder
from reo_cli.delivery.intake import Feed
from reo_cli.delivery.ledger import Account, Ledger, files_of
from reo_cli.delivery.locks import lock
from reo_cli.delivery.rejects import SEEN, Rejects, default_path, is_rejects_file
from reo_cli.errors import ExitCode, ReoError
from reo_cli.events import Rules
from reo_cli.readers import ReadOptions, read
from reo_cli.readers.given import Given
from reo_cli.readers.source import Source, open_source


@dataclass(frozen=True, kw_only=True)
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
    endpoint_source: str = ""
    target: Target | None = None
    key: str | None = None
    ledger: Path | None = None
    ledger_keep_days: int
    account: str | None = None
    key_rotated: bool = False
    resend: bool = False
    state: Path = Path()
    started: float
    command: str = ""
    where: str = ""
    rejects: Path | None = None
    keeps_rejects: bool = False
    lock: str | None = None
    locked: bool = False
    wait: float = 0.0
    skip_invalid: bool = False
    allow_failure: bool = False
    roll_up: Plan | None = None
    given: Given | None = None
    hints: Mapping[str, str] | None = None


def sources(order: Order, stack: ExitStack) -> list[Source]:
    """Open the inputs and close them, one descriptor at a time: each is opened when it is read.

    Raises ReoError 66 for one that cannot be opened.
    """
    found = []
    for name in order.names:
        source = order.given or open_source(name)
        source.close()
        stack.callback(source.close)
        found.append(source)
    return found


def inputs(
    order: Order, sources: Sequence[Source], stack: ExitStack
) -> tuple[list[Input], Sequence[Source]]:
    """Return the inputs as the intake takes them, and what they are read from.

    The rows of `--sql` are one in place of all; raises ReoError for what keeps them from being.
    """
    reading, origins = order.reading, [_origin_of(each) for each in sources]
    if reading.sql:
        from reo_cli.readers.queried import queried

        origins = [b"\0".join([reading.sql.encode(), *origins])]
        rows, reading = queried(sources, reading)
        stack.callback(rows.end)
        sources = [rows]
    found = []
    for at, (source, origin) in enumerate(zip(sources, origins, strict=True)):
        start, close = partial(_start, source, reading), partial(_close, source)
        stop = source.stop if source.streamed and order.given is None else None
        path = b"-" if source.streamed else _path_of(source)
        found.append(Input(at, source.name, origin, source.streamed, start, close, path, stop))
    return found, sources


def _start(source: Source, reading: ReadOptions) -> Feed:
    if not source.streamed:
        source.rewind()
        source.guarded = True
    return read(source, reading)


def _close(source: Source) -> None:
    source.verify_unchanged()
    source.close()


def _path_of(source: Source) -> bytes:
    return os.fsencode(Path(source.path).resolve())


def _origin_of(source: Source) -> bytes:
    """Return what stands for an input where its events have no time of their own.

    A regular file's path (links followed), size and modification time; a random id for a pipe.
    """
    if source.streamed:
        return secrets.token_bytes(16)
    _, _, size, mtime = source.snapshot
    return b"%b\0%d\0%d" % (_path_of(source), size, mtime)


def rejects(order: Order, sources: Sequence[Source], stack: ExitStack) -> list[Rejects]:
    """Return the rejects file of each input; none in a dry run, and for a program."""
    files: list[Rejects] = []
    if order.target is None:
        return files
    lines = stack.enter_context(closing(scratch(SEEN)))
    if order.rejects is not None:
        files = [Rejects(order.rejects, lines, explicit=True)] * len(sources)
        files[0].check([*_files(sources), *files_of(order.ledger)])
    elif order.keeps_rejects:
        for each in sources:
            is_input = not each.streamed and is_rejects_file(Path(each.path))
            path = Path(each.path) if is_input else default_path(each.path, order.state)
            files.append(Rejects(path, lines, is_input=is_input))
    for file in files:
        stack.callback(file.close)
    return files


def lock_all(order: Order, sources: Sequence[Source], left: float, stack: ExitStack) -> None:
    """Lock all inputs or none, waiting `left` seconds at most; raises ReoError 75."""
    name, share, wait = order.lock, order.identity.shard, min(order.wait, left)
    held = lock(_files(sources), folder=order.state, name=name, share=share, wait=wait)
    stack.enter_context(held)


def _files(sources: Sequence[Source]) -> list[Path]:
    return [Path(each.path) for each in sources if not each.streamed]


def ledger(order: Order, stack: ExitStack) -> Ledger | None:
    """Open the ledger, made if need be; a dry run only looks into one that is there.

    Raises ReoError 73.
    """
    if order.ledger is None or (order.target is None and order.resend):
        return None
    opened = Ledger.existing if order.target is None else Ledger.open
    try:
        return stack.enter_context(opened(order.ledger))
    except ReoError as error:
        if error.exit_code is ExitCode.NO_INPUT:
            return None  # there is none yet
        raise


def accounts(order: Order, ledger: Ledger | None, stack: ExitStack) -> list[Account]:
    """Return where deliveries are recorded; in the first they are looked up.

    That is one of this run only, where the ledger is not asked. A dry run without a ledger has
    none. Raises ReoError 73 to 75.
    """
    found = []
    who = order.endpoint, order.key, order.account
    if order.target is not None and (ledger is None or order.resend):
        folder = stack.enter_context(temporary_folder())
        own = stack.enter_context(Ledger.open(Path(folder, "ledger.db")))
        found.append(Account(own, *who))
    if ledger is not None:
        account = Account(ledger, *who)
        if order.key_rotated and order.target is None:
            account = account.with_others()
        elif order.key_rotated:
            account.adopt()
        found.append(account)
    return found

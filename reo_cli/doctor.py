"""`config doctor`: what would stop an upload, found without sending an event or the key.

It looks at settings and files, then takes the way of a real attempt over the client's own session,
up to an answer to `HEAD /`. Findings are values; `reports` shows them.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from reo_cli.errors import ExitCode, ReoError
from reo_cli.settings import Settings, Sources, resolve
from reo_cli.settings.prompt import masked, odd_key

if TYPE_CHECKING:
    from reo_cli.client import Target
    from reo_cli.client.timed import Attempt

Status = Literal["ok", "warning", "failed"]

PACKAGES = ("typer", "requests", "urllib3", "rich", "certifi")

NO_KEY = "no-key-is-sent"
"""Stands in for the key where the client wants one; the request that holds it is never sent."""

STEPS = ("dns", "tcp", "proxy", "tls", "answer")
"""What an attempt does, one after the other."""

CLOCK_TOLERANCE = 60
"""Seconds that clocks may differ before it is worth a warning."""
EXPIRY_NOTICE = 14
"""Days before the end of a certificate that are worth a warning."""


@dataclass(frozen=True, slots=True)
class Check:
    """One finding; `code` is what a failed one makes of the exit code, 78 or 69."""

    name: str
    status: Status
    message: str
    hint: str = ""
    code: ExitCode = ExitCode.OK


def ok(name: str, message: str) -> Check:
    """Return a finding that all is well."""
    return Check(name, "ok", message)


def failed(name: str, error: ReoError) -> Check:
    """Return the finding of an error that a send would end with."""
    return Check(name, "failed", error.message, error.hint, error.exit_code)


def examine(sources: Sources, now: float) -> Iterator[Check]:
    """Give every finding in the order in which an upload would come upon it.

    `now` is this machine's time in epoch seconds. Waits for the network up to the `timeout`
    setting.
    """
    settings, broken = _settings(sources)
    if broken:
        yield failed("settings", broken)
    if settings:
        yield from _config_checks(settings)
        yield _key_check(settings)
        yield from _network(settings, now)
        yield _ledger_check(settings)
    yield _versions()


def verdict(checks: Sequence[Check]) -> tuple[Status, ExitCode]:
    """Sum up: 78 when the configuration is at fault, else 69 for the network, else 0."""
    codes = {check.code for check in checks if check.status == "failed"}
    if codes == {ExitCode.UNAVAILABLE}:
        return "failed", ExitCode.UNAVAILABLE
    if codes:
        return "failed", ExitCode.CONFIG
    return ("warning" if any(check.status == "warning" for check in checks) else "ok"), ExitCode.OK


def _settings(sources: Sources) -> tuple[Settings | None, ReoError | None]:
    """Resolve as a send would; when only the endpoint is at fault, go on without it."""
    try:
        return resolve(sources), None
    except ReoError as error:
        if error.reason != "foreign_endpoint":
            return None, error
        return resolve(sources._replace(offline=True)), error


def _config_checks(settings: Settings) -> Iterator[Check]:
    """Say which config file is read and its mode, and repeat every warning about settings."""
    path = settings.config_path
    try:
        mode = path.stat().st_mode & 0o777
        yield ok("config", f"`{path}` is in order (mode {mode:04o})")
    except OSError:
        yield ok("config", f"no config file at `{path}`: not needed")
    yield from (Check("settings", "warning", text) for text in settings.warnings)


def _key_check(settings: Settings) -> Check:
    """Say whether there is a key of the right shape, and where it comes from."""
    try:
        key = settings.require_key()
    except ReoError as error:
        return failed("key", error)
    source = settings.values["api_key_file" if settings.api_key is None else "api_key"].source
    where = "" if settings.api_key_file is None else f", read from `{settings.api_key_file}`"
    known = f"{masked(key)} from {source}{where}"
    if odd := odd_key(key):
        return Check("key", "warning", f"{known} looks like no key: {odd}")
    return ok("key", known)


def _network(settings: Settings, now: float) -> Iterator[Check]:
    """Take the way of an attempt; give the findings up to the first step that fails."""
    from reo_cli.client import prepare

    try:
        endpoint = settings.require_endpoint()
    except ReoError as error:
        yield failed("endpoint", error)
        return
    yield ok("endpoint", f"{endpoint} from {settings.values['endpoint'].source}")
    try:
        target = prepare(endpoint, NO_KEY, timeout=settings.timeout, ca_bundle=settings.ca_bundle)
    except ReoError as error:
        yield failed("proxy" if "proxy" in error.reason else "tls", error)
        return
    yield from _way(target, now)


def _way(target: "Target", now: float) -> Iterator[Check]:
    from reo_cli.client.connection import Connection
    from reo_cli.client.faults import Failed
    from reo_cli.client.outcome import Verdict

    with closing(Connection(target)) as connection:
        seen = connection.seen
        try:
            answer = connection.greet()
        except Failed as stop:
            yield from (_reached(step, seen, now) for step in STEPS[: STEPS.index(stop.step)])
            end, is_config = stop.outcome, stop.outcome.verdict is Verdict.CONFIG
            code = ExitCode.CONFIG if is_config else ExitCode.UNAVAILABLE
            yield Check(stop.step, "failed", end.reason, end.hint, code)
        else:
            yield from (_reached(step, seen, now) for step in STEPS[:-1])
            yield ok("answer", f"HTTP {answer.status} to `HEAD /`, without key and event")
            yield _clock(answer.headers.get("date", ""), now)


def _reached(step: str, seen: "Attempt", now: float) -> Check:
    """Give the finding of a step that was taken."""
    target = seen.target
    if step == "dns":
        host = target.peer.host
        found = ", ".join(dict.fromkeys(str(address[0]) for _, address in seen.addresses))
        return ok(step, f"{host} is {found}" if found != host else f"{host} needs no lookup")
    if step == "tcp":
        return ok(step, f"{target.peer.name} accepts connections")
    if step == "proxy":
        return ok(step, target.proxy.name if target.proxy else "none in use")
    if seen.session is None:
        return ok(step, "not used: the endpoint is on this machine")
    import ssl

    version, certificate = seen.session
    names = {name: value for part in certificate["issuer"] for name, value in part}
    issuer = names.get("organizationName") or names.get("commonName") or "an unnamed CA"
    days = int((ssl.cert_time_to_seconds(certificate["notAfter"]) - now) // 86_400)
    message = f"{version}, certificate by {issuer}, valid for {days} more days"
    if days < EXPIRY_NOTICE:
        return Check(step, "warning", message, "whoever runs the server has to renew it")
    return ok(step, message)


def _clock(date: str, now: float) -> Check:
    """Compare this machine's clock with the `Date` of the answer (whole seconds)."""
    from reo_cli.client.answers import epoch

    theirs = epoch(date)
    if theirs is None:
        return Check("clock", "warning", "the server did not tell its time")
    difference = round(now - theirs)
    if abs(difference) <= CLOCK_TOLERANCE:
        return ok("clock", "agrees with the server's")
    side = "ahead of" if difference > 0 else "behind"
    message = f"this machine is {abs(difference):,} s {side} the server"
    return Check("clock", "warning", message, "set the clock; `now` is taken from it")


def _ledger_check(settings: Settings) -> Check:
    """Say whether the ledger can be written, and whether it knows this key."""
    try:
        path = settings.require_ledger()
        size = _size_of(path)
        if size is None:
            return ok("ledger", f"`{path}` will be created by the first send-file")
        if size and _is_under_another_key(settings, path):
            message = (
                f"`{path}` knows this endpoint under another key only: a run with what that one "
                "delivered would stop (78)"
            )
            hint = "give --key-rotated once if the key is new, --account NAME if it is another"
            return Check("ledger", "warning", message, f"{hint} account")
    except ReoError as error:
        return failed("ledger", error)
    except OSError as error:
        message = f"cannot write the ledger: {error.strerror}: `{error.filename}`"
        hint = "give --ledger PATH or --no-ledger"
        return Check("ledger", "failed", message, hint, ExitCode.CONFIG)
    return ok("ledger", f"`{path}` can be written ({size:,} bytes)")


def _size_of(path: Path) -> int | None:
    """Return the bytes of a file that can be written, None when it can be made; raises OSError."""
    try:
        with path.open("r+b") as file:
            return os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        folder = next(each for each in path.absolute().parents if each.exists())
        if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
            return None
        raise PermissionError(13, "Permission denied", str(folder)) from None


def _is_under_another_key(settings: Settings, path: Path) -> bool:
    """Tell whether a run would find its events delivered under another key; raises ReoError."""
    from reo_cli.delivery.ledger import Account, Ledger

    try:
        endpoint, key = settings.require_endpoint(), settings.require_key()
    except ReoError:
        return False  # that has a line of its own
    with Ledger.existing(path) as ledger:
        return Account(ledger, endpoint, key, settings.account).is_only_elsewhere()


def _versions() -> Check:
    """Name what is installed, for a report of a fault."""
    import platform
    import ssl
    from importlib.metadata import version

    from reo_cli import __version__

    parts = [f"reo {__version__}", f"Python {platform.python_version()}"]
    parts += [f"{package} {version(package)}" for package in PACKAGES]
    parts += [ssl.OPENSSL_VERSION, f"{platform.system()} {platform.release()}"]
    return ok("versions", ", ".join(parts))

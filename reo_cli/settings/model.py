"""The resolved settings as values: typed for the program, and with their sources for people.

Named tuples, because they are made at every start and cost a tenth of the time of a class.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from reo_cli.errors import ExitCode, ReoError
from reo_cli.settings import guard
from reo_cli.settings.configfile import Reading
from reo_cli.settings.files import user_folder
from reo_cli.settings.table import BY_KEY, KEY_PLACE

KEY_FILE_LIMIT = 4096
"""Bytes a key file may have; a key has at most 512 characters."""
NO_KEY = (
    "there is no API key: set `REO_API_KEY`, or give `--api-key-file FILE`, or put it in `.env`, "
    f"or run `reo config set api_key`; Reo.Dev shows it under {KEY_PLACE}"
)
EMPTY_KEY = (
    "there is no API key: `REO_API_KEY` is set but empty: a secret that this job may not see, or a "
    "misspelt name?"
)


class Value(NamedTuple):
    """What is shown of one setting.

    `value` is masked for a secret and None for what is not set. `source` is words such as
    `flag --timeout` or `default`, `file` the file it stands in. `used` is false for a way to give
    the key that another one comes before.
    """

    key: str
    value: str | int | float | Path | None
    source: str
    file: Path | None = None
    used: bool = True


class Settings(NamedTuple):
    """Every setting, resolved; see `table.SETTINGS` for what they mean.

    `timeout` is in seconds, `rate` in events a second. At most one of `api_key` and `api_key_file`
    is set: the one in use. `reading` is what the profile says about files. `warnings` are for
    everyone, `notes` for `-v`.
    """

    api_key: str | None
    api_key_file: Path | None
    account: str | None
    endpoint: str
    product_id: str | None
    activity_type: str | None
    environment: str | None
    timeout: float
    retries: int
    concurrency: int
    rate: float | None
    given_ledger: Path | None
    ledger_keep_days: int
    ca_bundle: Path | None
    reading: Reading
    values: Mapping[str, Value]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    profile: str | None
    config_path: Path
    empty_key: bool = False

    def __repr__(self) -> str:
        return "Settings(…)"  # never the key

    @property
    def ledger(self) -> Path:
        """The ledger's path, by default in the user state folder.

        Raises ReoError 78 when the system knows no home for this user.
        """
        if self.given_ledger is not None:
            return self.given_ledger
        folder = user_folder("state")
        if folder is None:
            message = "there is no home folder to keep the ledger in"
            hint = "set HOME, or give --ledger PATH or --no-ledger"
            raise ReoError(ExitCode.CONFIG, "no_home", message, hint)
        return folder / "ledger.db"

    @property
    def has_key(self) -> bool:
        """Whether a key is given, in whatever way."""
        return self.api_key is not None or self.api_key_file is not None

    @property
    def foreign_endpoint(self) -> str:
        """Where an endpoint that is not the API's comes from; empty for the API's own."""
        shown = self.values["endpoint"]
        return "" if self.endpoint == BY_KEY["endpoint"].default else shown.source

    def require_key(self) -> str:
        """Return the checked key, read from its file if that is how it is given.

        Raises ReoError 78: `no_key`, `key_file`, or what `guard.check_key` finds wrong with it.
        """
        try:
            if self.api_key is not None:
                return guard.check_key(self.api_key)
            if self.api_key_file is not None:
                return guard.check_key(read_key_file(self.api_key_file))
        except ReoError as error:
            raise self._located(error, "api_key" if self.api_key else "api_key_file") from None
        raise ReoError(ExitCode.CONFIG, "no_key", EMPTY_KEY if self.empty_key else NO_KEY)

    def require_endpoint(self) -> str:
        """Return the endpoint in its normal form. Raises ReoError 78 naming its source."""
        try:
            return guard.check_endpoint(self.endpoint)
        except ReoError as error:
            raise self._located(error, "endpoint") from None

    def shown(self) -> Iterator[Value]:
        """Give what is shown of every setting, in the order of the table, then of the profile."""
        for value in self.values.values():
            if value.key == "ledger" and value.value is None and user_folder("state"):
                yield value._replace(value=self.ledger)
            else:
                yield value
        source = f"profile {self.profile} in {self.config_path}"
        for key, own in self.reading.items():
            texts = own if isinstance(own, Mapping) else {"": own}
            for field, text in texts.items():
                name = f"{key}.{field}" if field else key
                joined = ",".join(text) if isinstance(text, tuple) else text
                yield Value(name, joined, source, self.config_path)

    def _located(self, error: ReoError, key: str) -> ReoError:
        """Return the error with the source of the value it is about."""
        message = f"{error.message} (`{key}` from {self.values[key].source})"
        return error.changed(message=message)


def read_key_file(path: Path) -> str:
    """Return the text of a key file. Raises ReoError 78, `key_file`."""
    try:
        with path.open("rb") as file:
            raw = file.read(KEY_FILE_LIMIT + 1)
    except OSError as error:
        raise _key_file_fault(f"cannot read the key file `{path}`: {error.strerror}") from None
    if len(raw) > KEY_FILE_LIMIT:
        raise _key_file_fault(f"the key file `{path}` is larger than 4 KiB: is it the right file?")
    return raw.decode("utf-8", "replace")


def _key_file_fault(message: str) -> ReoError:
    return ReoError(ExitCode.CONFIG, "key_file", message, "it holds the key and nothing else")

"""Mappings of a program → Records: an input that is no file, read as the run asks for it.

The same rules for keys as for JSON. Values of Python and pandas become what JSON could have held.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any

from reo_cli.errors import ExitCode, ReoError
from reo_cli.readers.keys import Keys
from reo_cli.readers.options import ReadOptions
from reo_cli.readers.source import Source, Stopped
from reo_cli.records import Issue, Record

NAME = "events"
"""What messages call the input: `events:3` is the third one."""

DEEPEST = 70
"""Levels that are made plain: more than any event may have."""


class Given(Source):
    """The events that a program gives; they are taken in the thread of the run, and only once.

    With `needs_ids` each must have an `event_id` of its own.
    """

    def __init__(self, events: Iterable[Any], *, needs_ids: bool = False) -> None:
        self.name = self.path = NAME
        self.streamed = True
        self.ended = False
        self._events = events
        self._needs_ids = needs_ids
        self._stopped = False

    def records(self, options: ReadOptions) -> Iterator[Record | Issue]:
        """Yield a record for each event.

        Raises ReoError: 2 for one without the id it needs, 74 when there can be no next one.
        """
        keys = Keys(NAME, options)
        for number, value in enumerate(self._values(), 1):
            if self._stopped:
                raise Stopped
            record = record_of(keys, number, value)
            fields = record.fields
            if self._needs_ids and fields is not None and not _has_id(fields):
                raise _no_id(number)
            yield record
        self.ended = True
        yield from keys.at_end()

    def _values(self) -> Iterator[Any]:
        """Yield the events; what their source raises ends the run in order, like a failed read."""
        try:
            yield from self._events
        except Exception as fault:
            message = f"the events ended with {type(fault).__name__}: {fault}"
            raise ReoError(ExitCode.IO, "no_next_event", message) from fault


def record_of(keys: Keys, line: int, value: Any) -> Record:
    """Return one event as a record, with what is wrong with its keys."""
    text = "" if isinstance(value, Mapping) else repr(value)[:200]
    record = keys.record_of(line, text, plain(value), {})
    return keys.told(record) if keys.has_news else record


def plain(value: Any, depth: int = 0) -> Any:
    """Return a value as JSON could have it: times are ISO 8601, what pandas calls missing is None.

    What has no counterpart there (`Decimal`, `UUID`, an IP address) becomes its text.
    """
    if value is None or isinstance(value, str | bool | int) or depth > DEEPEST:
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(each, depth + 1) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each, depth + 1) for each in value]
    if _is_missing(value):
        return None
    if isinstance(value, date):
        return value.isoformat()
    from numbers import Integral, Real

    if isinstance(value, Integral):
        return int(value)
    return float(value) if isinstance(value, Real) else str(value)


def _is_missing(value: Any) -> bool:
    """Tell NaN, NaT and NA, which equal nothing; an array does not say."""
    try:
        return bool(value != value)
    except TypeError:  # NA
        return True
    except ValueError:
        return False


def _has_id(fields: Mapping[str, Any]) -> bool:
    given = fields.get("event_id")
    return given is not None and bool(str(given).strip())


def _no_id(number: int) -> ReoError:
    message = f"event {number} of this part has no `event_id`"
    hint = (
        "equal events are told apart by their place in the whole, which a part does not know: give "
        "each an `event_id`, or name in `id_from` the fields that make it another one"
    )
    return ReoError(ExitCode.USAGE, "no_event_id", message, hint)

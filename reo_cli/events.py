"""The fields of an event, in one table, and an event as it goes on from the check.

Flags, columns, suggestions, checks, JSON Schema, README and `--help` all come from `FIELDS`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from reo_cli.records import Record

Kind = Literal["text", "count", "ip", "domain", "id", "time", "enum", "meta"]


class Field(NamedTuple):
    """One field of the API's payload.

    `required` is said of what an event must bring along. `values` are those of an enumeration: the
    first is documented and what an absent one becomes, the others pass with a warning. `also` are
    words under which exports often carry the field.
    """

    name: str
    kind: Kind
    help: str
    required: bool = False
    values: tuple[str, ...] = ()
    also: str = ""

    @property
    def default(self) -> str | None:
        """What an absent field becomes."""
        return self.values[0] if self.values else None


FIELDS: tuple[Field, ...] = (
    Field("mode", "enum", "How the events are attributed.", values=("DOMAIN", "USER")),
    Field("source", "enum", "Where the events come from.", values=("TELEMETRY", "PRODUCT_CLOUD")),
    Field(
        *("activity_type", "text"),
        "Metric key as defined in the Reo.Dev settings; case and spaces count.",
        required=True,
        also="activity metric event event_type event_name type action",
    ),
    Field("environment", "text", "Environment, e.g. PRODUCTION.", also="env stage"),
    Field(
        *("count", "count"),
        "How many events this one stands for: a whole number.",
        required=True,
        also="downloads hits events total quantity usage requests calls number amount event_count"
        " installs views num n",
    ),
    Field(
        *("ip_addr", "ip"),
        "IP address that the telemetry came from, v4 or v6.",
        also="ip ip_address address client_ip remote_addr remote_ip source_ip",
    ),
    Field(
        *("domain", "domain"),
        "Company domain, such as reo.dev.",
        also="company_domain company website email_domain",
    ),
    Field("event_id", "id", "Your own unique id of the event.", also="id uuid event_key"),
    Field(
        *("event_at", "time"),
        "When it happened: epoch seconds, ISO 8601 (UTC unless it says otherwise) or `now`.",
        required=True,
        also="date time timestamp day datetime ts created created_at event_time",
    ),
    Field(
        *("product_id", "text"),
        "Identifier of the product, such as reoWebApp.",
        required=True,
        also="product app package sku product_name",
    ),
    Field("user_agent", "text", "Browser properties.", also="ua agent browser"),
    Field("meta", "meta", "Anything else: a JSON object.", also="metadata properties"),
)

NAMES = tuple(each.name for each in FIELDS)
BY_NAME = {each.name: each for each in FIELDS}


def folded(name: str) -> str:
    """Return a name as headers are compared: without case, spaces, `_` and `-`."""
    return name.casefold().translate(_DROPPED)


_DROPPED = {ord(each): None for each in " _-\t\u00a0"}

BY_FOLDED = {folded(each.name): each.name for each in FIELDS}
"""Field names as headers are compared."""


def is_field(name: str) -> bool:
    """Tell whether `name` is a field name or names one key of `meta` (`meta.plan`)."""
    return name in BY_NAME or (name.startswith("meta.") and len(name) > len("meta."))


class Event(NamedTuple):
    """A record that passed every check, ready to be identified and sent.

    `content` is the canonical JSON of the payload without `event_id` (UTF-8); `timeless` says that
    `event_at` was filled with the run's `now`.
    """

    record: Record
    payload: dict[str, Any]
    content: bytes
    event_id: str | int | None
    timeless: bool


class Rules(NamedTuple):
    """What the user said about values: `--set`, `--default`, `--date-format`, and so on.

    `always` and `absent` map field names (also `meta.NAME`) to text; `fallback` holds what the
    settings give for `product_id`, `activity_type` and `environment`, below columns and keys.
    `now` is the run's, in epoch seconds. `thousands` is a value of `--thousands`. `domain_of` says
    that `domain` comes from a mail address, a URL or a domain. `columns` says which columns fields
    are read from, by `--map`: hints name them.
    """

    now: int
    always: Mapping[str, str] = MappingProxyType({})
    absent: Mapping[str, str] = MappingProxyType({})
    fallback: Mapping[str, str] = MappingProxyType({})
    date_format: str | None = None
    thousands: str | None = None
    domain_of: bool = False
    columns: Mapping[str, str] = MappingProxyType({})

"""The fields that every event needs, and what to do where one is missing."""

from collections.abc import Mapping
from typing import Any

from reo_cli.canonical import Found
from reo_cli.events import FIELDS
from reo_cli.values import Finding

_REQUIRED = frozenset(each.name for each in FIELDS if each.required)

MISSING_HINTS = {
    "mode": "leave it out of --set to get DOMAIN",
    "source": "leave it out of --set to get TELEMETRY",
    "activity_type": "--default activity_type=ACTIVITY_TYPE fills it in where it is missing",
    "count": "--default count=1 if each record is one event",
    "event_at": "--default event_at=now gives the moment of the upload",
    "product_id": "--default product_id=PRODUCT_ID fills it in where it is missing",
}
"""What to do about a required field that no column, key or setting gives."""


def is_complete(payload: Mapping[str, Any]) -> bool:
    """Tell whether a payload has all the fields that it needs."""
    return payload.keys() >= _REQUIRED and ("domain" in payload or "ip_addr" in payload)


def require(payload: Mapping[str, Any], found: Found, hints: Mapping[str, str]) -> None:
    """Add to `found` the fields that are missing, but not those that have an error already."""
    wrong = {name for name, finding in found if finding.severity == "error"}
    for name in MISSING_HINTS:
        if name not in payload and name not in wrong:
            found.append((name, Finding("error", "is missing", hints.get(name, ""))))
    if not {"domain", "ip_addr"} & (payload.keys() | wrong):
        hint = "the API needs one of the two to find the company"
        found.append(("ip_addr", Finding("error", "is missing, and so is domain", hint)))

"""Record → event: the check of every field, by the field table and what the user said.

`Checker` is prepared once a run; its `check` reports every issue of a record, never only the first.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from reo_cli.checks.addresses import ip_addr
from reo_cli.checks.content import content_of, normal
from reo_cli.checks.domains import domain_of, domains
from reo_cli.checks.numbers import counts
from reo_cli.checks.texts import given_identifier, identifier, meta_object, one_of, text
from reo_cli.checks.times import Now, moment
from reo_cli.checks.values import Parser, issue, with_options
from reo_cli.errors import ExitCode, ReoError
from reo_cli.events import FIELDS, NAMES, Event, Rules
from reo_cli.records import Issue, Record


class Result(NamedTuple):
    """What `Checker.check` found: an event, or None when an issue is an error."""

    event: Event | None
    issues: Sequence[Issue] = ()


MISSING: Mapping[str, tuple[str, str]] = {
    "mode": ("leave it out of --set to get DOMAIN", ""),
    "source": ("leave it out of --set to get TELEMETRY", ""),
    "activity_type": ("", "activity_type=ACTIVITY_TYPE"),
    "count": ("if each record is one event", "count=1"),
    "event_at": ("for the moment of the upload", "event_at=now"),
    "product_id": ("", "product_id=PRODUCT_ID"),
}
"""What to do about a required field that no column, key or setting gives: hint and `--default`."""

_REQUIRED = MISSING.keys()


def parsers(rules: Rules) -> dict[str, Parser]:
    """Return the parser of each field."""
    column = rules.columns.get("domain", "domain")
    by_kind: dict[str, Parser] = {
        "text": text,
        "count": counts(rules.thousands),
        "ip": ip_addr,
        "domain": domain_of if rules.domain_of else domains(column),
        "id": identifier,
        "time": moment(rules.now, rules.date_format),
        "meta": meta_object,
    }
    return {each.name: by_kind.get(each.kind) or one_of(each) for each in FIELDS}


def require_good(rules: Rules) -> None:
    """Raise ReoError 65 for a value that no event could have, before anything is read."""
    by_name = parsers(rules)
    given = (("--set", rules.always), ("--default", rules.absent), ("setting", rules.fallback))
    for source, fields in given:
        for name, raw in fields.items():
            for each in filter(_is_error, by_name[name](raw)[1] if name in by_name else ()):
                message = f"{source} {name}: {each.message}"
                raise ReoError(ExitCode.INVALID, "bad_value", message, each.hint)


NO_DOMAIN = "domain="
"""The condition of records without a domain."""


class Checker:
    """The check of one run: `Record` → `Event` or `Issue`s.

    `hints` say what to do about a required field that is missing, in place of `MISSING`, to users
    of a command that has no options for reading but `--date-format`.
    """

    def __init__(self, rules: Rules, hints: Mapping[str, str] | None = None) -> None:
        self._parsers = parsers(rules)
        self._hints = MISSING
        self._has_options = hints is None
        if hints is not None:
            self._hints = {name: (hint, "") for name, hint in hints.items()}
            self._parsers["event_id"] = given_identifier
        self._always = rules.always
        self._keys_absent = _meta_keys({**rules.fallback, **rules.absent})
        self._keys_always = _meta_keys(rules.always)
        self._template: dict[str, Any] = dict.fromkeys(NAMES)
        self._given: dict[str, Sequence[Issue]] = {}
        defaults = {each.name: each.default for each in FIELDS if each.default}
        given = {**defaults, **rules.fallback, **rules.absent, **rules.always}
        for name in given.keys() & self._parsers.keys():
            self._template[name], found = self._parsers[name](given[name])
            if found:
                self._given[name] = [each._replace(field=name) for each in found]
        self._has_times = self._has_domains = self._has_lone_ips = False

    def check(self, record: Record) -> Result:
        """Check every field; the event is None when any issue is an error."""
        if record.fields is None:
            return Result(None, record.faults)
        draft, found = self._read(record.fields)
        if draft["meta"] is not None or record.meta or self._keys_absent or self._keys_always:
            self._add_meta(record.meta, draft, found)
        payload = {name: value for name, value in draft.items() if value is not None}
        event_id = payload.pop("event_id", None)
        if not record.faults:  # they name what is missing, too
            found += self._missing(record.fields, payload, found)
        content, odd = content_of(payload, event_id)
        if event_id is not None:
            payload["event_id"] = event_id
        self._has_times = self._has_times or "event_at" in payload
        if "domain" in payload:
            self._has_domains = True
        elif "ip_addr" in payload:
            self._has_lone_ips = True
        if found or odd or record.faults:
            issues = [*record.faults, *self._placed(record, [*found, *odd])]
            if any(map(_is_error, issues)):
                return Result(None, issues if record.doubt is None else (record.doubt,))
            found = issues
        timeless = payload["event_at"].__class__ is Now
        return Result(Event(record, payload, content, event_id, timeless), found)

    @property
    def needed(self) -> str:
        """What `--skip` must not be given: it would leave out good records, which have an IP."""
        return NO_DOMAIN if self._has_lone_ips else ""

    def _read(self, fields: Mapping[str, Any]) -> tuple[dict[str, Any], list[Issue]]:
        """Return the value of each field, of options and settings too, and what is odd about it."""
        draft = self._template.copy()
        read = self._parsers
        found: list[Issue] = []
        for name, raw in fields.items():
            if name in self._always:
                continue
            value, issues = read[name](raw)
            if value is not None:
                draft[name] = value
            if issues:
                found += [each._replace(field=name) for each in issues]
        for name, issues in self._given.items():
            raw = fields.get(name)
            if name in self._always or raw is None or (raw.__class__ is str and not raw.strip()):
                found += issues
        return draft, found

    def _placed(self, record: Record, found: Sequence[Issue]) -> Iterator[Issue]:
        """Yield issues with their places, in the order of the field table, missing ones last."""
        for each in sorted(found, key=_order):
            options = [it for it in each.options if self._has_options or it[0] == "--date-format"]
            yield each._replace(
                file=record.file,
                line=record.line,
                record=record.number,
                hint=with_options(each, options),
                excerpt=record.excerpt,
            )

    def _add_meta(
        self, single: Mapping[str, Any], draft: dict[str, Any], found: list[Issue]
    ) -> None:
        """Put together the keys of `meta` from all places that give some."""
        whole = draft["meta"] or {}
        for name in (each for each in single if each in whole):
            what = "is given twice: in `meta` and on its own"
            twice = issue("error", "given-twice", what, "remove one of them")
            found.append(twice._replace(field=f"meta.{name}"))
        draft["meta"], odd = normal(self._keys(whole, single))
        found += [each._replace(field="meta") for each in odd]

    def _keys(self, whole: Mapping[str, Any], single: Mapping[str, Any]) -> dict[str, Any]:
        return {**self._keys_absent, **whole, **single, **self._keys_always}

    def _missing(
        self, fields: Mapping[str, Any], payload: Mapping[str, Any], found: Sequence[Issue]
    ) -> Iterator[Issue]:
        """Yield the fields that are missing, but not those that have an error already."""
        if payload.keys() >= _REQUIRED and ("domain" in payload or "ip_addr" in payload):
            return
        there = payload.keys() | {each.field for each in found if _is_error(each)}
        for name in (each for each in MISSING if each not in there):
            hint, default = self._hints.get(name, ("", ""))
            options = [("--default", default)] if default else []
            if name in self._always and not self._always[name].strip():
                hint, options = f"`--set {name}=` empties it in every record", []
            elif name == "event_at" and self._has_times:
                hint, options = "to leave it out: others have one", [("--skip", "event_at=")]
            yield issue("error", "missing", "is missing", hint, *options)._replace(field=name)
        if there.isdisjoint(("domain", "ip_addr")):
            hint, options = "the API needs one of the two to find the company", []
            if ("domain" in fields or self._has_domains) and not self.needed:
                hint, options = "to leave such records out: no company", [("--skip", NO_DOMAIN)]
            both = issue("error", "missing", "is missing, and so is domain", hint, *options)
            yield both._replace(field="ip_addr")

    def as_far_as_good(self, record: Record) -> dict[str, Any] | None:
        """Return the payload of a record with errors: checked values where good, others as read.

        With what options and settings give, so that it can be mended and sent without them. None
        for a record that could not be parsed, or not as a whole.
        """
        if record.fields is None:
            return None
        draft, found = self._read(record.fields)
        wrong = {each.field for each in found if _is_error(each)}
        draft |= {name: raw for name, raw in record.fields.items() if name in wrong}
        whole = {} if draft["meta"] is None else draft["meta"]
        if isinstance(whole, dict):
            draft["meta"] = self._keys(whole, record.meta) or draft["meta"]
        return {name: value for name, value in draft.items() if value is not None}


def _is_error(each: Issue) -> bool:
    return each.severity == "error"


def _meta_keys(given: Mapping[str, str]) -> dict[str, str]:
    """Return the single keys of `meta` that rules give."""
    return {name[5:]: raw for name, raw in given.items() if name.startswith("meta.")}


_PLACES = {name: at for at, name in enumerate(NAMES)}


def _order(each: Issue) -> tuple[bool, int]:
    return each.code == "missing", _PLACES.get(each.field.partition(".")[0], 0)

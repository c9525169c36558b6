"""Record → event: the check of every field, by the field table and what the user said.

`Checker` is prepared once a run; its `check` is pure and reports every issue of a record, never
only the first.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from reo_cli.canonical import Found, content_of
from reo_cli.errors import ExitCode, ReoError
from reo_cli.events import FIELDS, Event, Rules
from reo_cli.forms import Forms, Room
from reo_cli.records import Issue, Record
from reo_cli.required import MISSING_HINTS, is_complete, require
from reo_cli.values import (
    ABSENT,
    Checked,
    Finding,
    Parser,
    addresses,
    domains,
    error,
    kind_of,
    numbers,
    texts,
    times,
)
from reo_cli.values.metadata import meta_object, normal


class Result(NamedTuple):
    """What `Checker.check` found: an event, or None when an issue is an error."""

    event: Event | None
    issues: Sequence[Issue] = ()


def parsers(rules: Rules) -> dict[str, Parser]:
    """Return the parser of each field but `meta`."""
    by_kind: dict[str, Parser] = {
        "text": texts.text,
        "count": numbers.count,
        "ip": addresses.ip_address,
        "domain": domains.domain,
        "id": texts.identifier,
        "time": times.moment(rules.now, rules.date_format),
    }
    return {
        each.name: by_kind.get(each.kind) or texts.one_of(each.documented, each.tolerated)
        for each in FIELDS
        if each.kind != "meta"
    }


def require_good(rules: Rules) -> None:
    """Raise ReoError 65 for a value that no event could have, before anything is read."""
    by_name = parsers(rules)
    given = (("--set", rules.always), ("--default", rules.absent), ("setting", rules.fallback))
    for source, fields in given:
        for name, text in fields.items():
            parse = meta_object if name == "meta" else by_name.get(name)
            for finding in parse(text)[1] if parse else ():
                if finding.severity == "error":
                    message = f"{source} {name}: {finding.message}"
                    raise ReoError(ExitCode.INVALID, "bad_value", message, finding.hint)


def _tried(parse: Parser, raw: Any) -> Checked:
    try:
        return ABSENT if raw is None else parse(raw)
    except TypeError:  # an array or object
        return ABSENT


class _Plan(NamedTuple):
    """How records with certain keys are checked.

    `start` holds the values that all of them have. `steps` are, in the order of the table: a field,
    its parser (None: it always has the value), and the value it has when it is absent. `forms` is
    None when they are always checked in full.
    """

    start: dict[str, Any]
    steps: list[tuple[str, Parser | None, Checked]]
    has_meta: bool
    forms: Forms | None


class Checker:
    """The check of one run: `Record` → `Event` or `Issue`s.

    `hints` say what to do about a required field that is missing.
    """

    def __init__(self, rules: Rules, hints: Mapping[str, str] | None = None) -> None:
        self._hints = dict(MISSING_HINTS if hints is None else hints)
        for name, text in rules.always.items():
            if not text.strip():
                self._hints[name] = f"`--set {name}=` empties it in every record"
        defaults = {each.name: each.default for each in FIELDS if each.default}
        defaults.update(rules.fallback)
        defaults.update(rules.absent)
        self._parsers = parsers(rules)
        self._always = self._constants(rules.always)
        self._default = self._constants(defaults)
        self._now = rules.now
        self._says_now = [rules.always.get("event_at"), defaults.get("event_at")]
        self._meta_always = _meta_keys(rules.always)
        self._meta_absent = _meta_keys(defaults)
        self._meta_whole = (rules.always.get("meta"), defaults.get("meta"))
        self._room = Room()
        self._plans: dict[tuple[str, ...], _Plan] = {}

    def _constants(self, given: Mapping[str, str]) -> dict[str, Checked]:
        return {name: parse(given[name]) for name, parse in self._parsers.items() if name in given}

    def check(self, record: Record) -> Result:
        """Check every field; the event is None when any issue is an error."""
        fields = record.fields
        if fields is None:
            return Result(None, record.faults)
        keys = tuple(fields)
        plan = self._plans.get(keys) or self._plan(keys)
        forms = plan.forms
        if forms is None or record.faults:
            return self._whole(record, fields, plan)
        filled = forms.filled(record, fields)
        if filled is not None:
            payload, content, event_id = filled
            timeless = payload["event_at"] == self._now and self._is_now(fields.get("event_at"))
            event = _new(Event, (record, payload, content, event_id, timeless))
            result: Result = _new(Result, (event, ()))
            return result
        result = self._whole(record, fields, plan)
        if result.event is not None and not result.issues:
            forms.learn(fields, result.event.payload)
        return result

    def _whole(self, record: Record, fields: Mapping[str, Any], plan: _Plan) -> Result:
        """Check a record field by field."""
        payload = plan.start.copy()
        found: Found = []
        for name, parse, default in plan.steps:
            try:
                value, findings = parse(fields[name]) if parse else default
            except TypeError:  # parsers remember what they saw: arrays and objects have no hash
                value, findings = error(f"is {kind_of(fields[name])}, not a single value")
            if value is None and not findings:
                value, findings = default
            if value is not None:
                payload[name] = value
            if findings:
                found += [(name, finding) for finding in findings]
        exact = False
        if plan.has_meta or record.meta:
            exact = self._add_meta(fields.get("meta"), record.meta, payload, found)
        if not record.faults and not is_complete(payload):  # they name what is missing too
            require(payload, found, self._hints)
        event_id = payload.pop("event_id", None)
        content = content_of(payload, event_id, exact, found)
        if event_id is not None:
            payload["event_id"] = event_id
        issues: Sequence[Issue] = ()
        if found or record.faults:
            issues = [*record.faults, *(_issue(record, name, finding) for name, finding in found)]
            if any(issue.severity == "error" for issue in issues):
                return Result(None, issues)
        timeless = payload["event_at"] == self._now and self._is_now(fields.get("event_at"))
        return Result(Event(record, payload, content, event_id, timeless), issues)

    def as_far_as_good(self, record: Record) -> dict[str, Any] | None:
        """Return the payload of a record with errors: checked values where good, others as read.

        With what options and settings give, so that it can be mended and sent without them. None
        for a record that could not be parsed, or not as a whole.
        """
        if record.fields is None:
            return None
        payload: dict[str, Any] = {}
        for name, parse in self._parsers.items():
            raw = record.fields.get(name)
            good, _ = self._always.get(name) or _tried(parse, raw)
            if good is None and raw in (None, ""):
                good, _ = self._default.get(name, ABSENT)
            value = raw if good is None else good
            if value not in (None, ""):
                payload[name] = value
        whole = record.fields.get("meta")
        checked = meta_object(whole)[0] if whole is not None else None
        keys = {**self._meta_absent, **(checked or {}), **record.meta, **self._meta_always}
        if whole is not None and checked is None:
            payload["meta"] = whole
        elif keys:
            payload["meta"] = keys
        return payload

    def _plan(self, keys: tuple[str, ...]) -> _Plan:
        """Prepare the check of records with these keys."""
        start: dict[str, Any] = {}
        steps: list[tuple[str, Parser | None, Checked]] = []
        for name, parse in self._parsers.items():
            constant = self._always.get(name)
            default = self._default.get(name, ABSENT)
            is_read = constant is None and name in keys
            if constant is None and not is_read:
                constant = default
            if is_read:
                steps.append((name, parse, default))
            elif constant is not None and constant != ABSENT:
                if constant[1] or steps:
                    steps.append((name, None, constant))
                else:
                    start[name] = constant[0]
        given = any((self._meta_always, self._meta_absent, *self._meta_whole))
        has_meta = "meta" in keys or given
        read = [name for name, parse, _ in steps if parse is not None]
        read += ["meta"] if "meta" in keys else []
        is_full = given or "event_id" in self._always or "event_id" in self._default
        forms = None if is_full else Forms(read, self._parsers, self._room)
        if len(self._plans) >= _PLANS_KEPT:
            self._plans.clear()
        plan = self._plans[keys] = _Plan(start, steps, has_meta, forms)
        return plan

    def _is_now(self, raw: Any) -> bool:
        """Tell whether `event_at` was filled with `now`, and not only happens to be the same."""
        always, default = self._says_now
        says = always if always is not None else raw
        if says is None or (isinstance(says, str) and not says.strip()):
            says = default
        return isinstance(says, str) and says.strip() == "now"

    def _add_meta(
        self, raw: Any, single: Mapping[str, Any], payload: dict[str, Any], found: Found
    ) -> bool:
        """Add `meta` to the payload; tell whether it holds numbers to be written as read."""
        always, absent = self._meta_whole
        whole, findings = meta_object(raw if always is None else always)
        if whole is None and not findings:
            whole, findings = meta_object(absent)
        found += [("meta", finding) for finding in findings]
        for name in [each for each in single if each in (whole or {})]:
            message = "stands there twice: in `meta` and on its own"
            found.append((f"meta.{name}", Finding("error", message, "remove one of them")))
        keys = {**self._meta_absent, **(whole or {}), **single, **self._meta_always}
        if not keys and whole is None:
            return False
        payload["meta"], exact, notes = normal(keys)
        found += [("meta", finding) for finding in notes]
        return exact


def _meta_keys(given: Mapping[str, str]) -> dict[str, str]:
    """Return the single keys of `meta` that rules give."""
    return {name[5:]: text for name, text in given.items() if name.startswith("meta.")}


_new: Any = tuple.__new__
"""Makes a named tuple in half the time of its own constructor; two are made for each record."""

_PLANS_KEPT = 1000


def _issue(record: Record, name: str, finding: Finding) -> Issue:
    severity, message, hint = finding
    place = (record.file, record.line, record.number)
    return Issue(*place, name, severity, message, hint, record.excerpt)

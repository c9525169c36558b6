"""The keys of JSON objects → fields: decided once for all objects with the same keys."""

from collections.abc import Mapping
from typing import Any

from reo_cli.events import NAMES
from reo_cli.readers.names import NameRules, plan
from reo_cli.records import Issue, Record
from reo_cli.text import pasted
from reo_cli.values import QuotedNumber, shown
from reo_cli.values.jsontext import encode_plain
from reo_cli.values.patterns import Pattern

NO_META: dict[str, Any] = {}

_PLAIN = Pattern(r"[A-Za-z_][A-Za-z_0-9]*\Z")


class KeyPlan:
    """What the keys of an object stand for; `plain` when each is a field as it is."""

    def __init__(self, keys: tuple[str, ...], rules: NameRules) -> None:
        self._plan = plan(keys, rules, header=False)
        self._meant: dict[str, str] | None = None
        self._has_options = rules.command is not None
        self._fields: dict[str, str] = {}
        self._meta: dict[str, str] = {}
        self._twice: list[str] = []
        for key, target in zip(keys, self._plan.targets, strict=True):
            if target is not None:
                name, dot, inner = target.partition(".")
                into, known_as = (self._meta, inner) if dot else (self._fields, name)
                if known_as in into:
                    self._twice.append(target)
                into[known_as] = key
        self.plain = self._plan.targets == keys and all(key in NAMES for key in keys)
        self.is_strange = not any(self._plan.targets)
        self.is_good = not (self._plan.unknown or self._plan.left_over or self._twice)

    def split(self, value: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the fields, and the single keys of `meta`, of an object that has these keys."""
        fields = {name: value[key] for name, key in self._fields.items()}
        if fields.get("count").__class__ is str:
            fields["count"] = QuotedNumber(fields["count"])
        return fields, {name: value[key] for name, key in self._meta.items()}

    def with_faults(self, record: Record) -> Record:
        """Return the record with what is wrong with its keys."""
        faults = [
            *(_fault(record, key, "is no field", self._hint(key)) for key in self._plan.unknown),
            *(
                _fault(record, key, "is left over, because --map reads another key", _leave(key))
                for key in self._plan.left_over
            ),
            *(_fault(record, name, "is given by two keys", "remove one") for name in self._twice),
        ]
        return record._replace(faults=tuple(faults))

    def _hint(self, key: str) -> str:
        if self._meant is None:
            from reo_cli.suggestions import suggestions

            self._meant = suggestions(self._plan.unknown)
        meant = self._meant.get(key)
        if not self._has_options:
            return f"did you mean {meant}?" if meant else "other keys belong in `meta`"
        if meant and meant not in self._plan.targets:
            return f"add {_option('--map', f'{meant}={key}')}"
        return f"add {_leave(key)}, or --extra meta to keep it"


def wrapped(value: Mapping[str, Any], rules: NameRules, file: str) -> tuple[str, str] | None:
    """Say how to get at the events of an object that holds an array of them, or None."""
    for key, each in value.items():
        if isinstance(each, list) and each and all(isinstance(item, dict) for item in each):
            path = f".{key}" if _PLAIN.match(key) else f".[{encode_plain(key)}]"
            program = f"jq -c {pasted(f'{path}[]')}"
            command = rules.command
            hint = f"try: {command.piped(file, program)}" if command else f"see {program}"
            return f"the events stand inside {shown(key)}, in an object of their own", hint
    return None


def _leave(key: str) -> str:
    return _option("--ignore", key)


def _option(name: str, value: str) -> str:
    return f"{name} {pasted(value)}"


def _fault(record: Record, key: str, message: str, hint: str) -> Issue:
    line = record.line_of(key)
    number, excerpt = record.number, record.excerpt(line)
    return Issue(record.file, line, number, key, "error", message, hint, excerpt)

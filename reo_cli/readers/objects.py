"""The keys of JSON objects → fields: decided once for all objects with the same keys."""

from collections.abc import Mapping
from typing import Any

from reo_cli.events import BY_NAME, NAMES
from reo_cli.readers.names import NameRules, plan, suggestion
from reo_cli.records import Issue, Record
from reo_cli.values import QuotedNumber

NO_META: dict[str, Any] = {}


class KeyPlan:
    """What the keys of an object stand for; `plain` when each is a field as it is."""

    def __init__(self, keys: tuple[str, ...], rules: NameRules) -> None:
        self._plan = plan(keys, rules, header=False)
        self._has_options = bool(rules.command)
        self.plain = self._plan.targets == keys and all(key in NAMES for key in keys)

    def filled(self, record: Record, value: Mapping[str, Any]) -> Record:
        """Return the record with the fields of an object that has these keys."""
        fields: dict[str, Any] = {}
        meta: dict[str, Any] = {}
        twice: list[str] = []
        for target, each in zip(self._plan.targets, value.values(), strict=True):
            if target is None:
                continue
            name, dot, key = target.partition(".")
            into, known_as = (meta, key) if dot else (fields, name)
            if known_as in into:
                twice.append(target)
            is_quoted = isinstance(each, str) and not dot and BY_NAME[name].kind == "count"
            into[known_as] = QuotedNumber(each) if is_quoted else each
        record = record._replace(fields=fields, meta=meta)
        faults = [
            *(_fault(record, key, "is no field", self._hint(key)) for key in self._plan.unknown),
            *(
                _fault(record, key, "is left over, because --map reads another key", _leave(key))
                for key in self._plan.left_over
            ),
            *(_fault(record, name, "is given by two keys", "remove one") for name in twice),
        ]
        return record._replace(faults=tuple(faults)) if faults else record

    def _hint(self, key: str) -> str:
        meant = suggestion(key)
        if not self._has_options:
            return f"did you mean {meant}?" if meant else "other keys belong in `meta`"
        if meant and meant not in self._plan.targets:
            return f"add {_option('--map', f'{meant}={key}')}"
        return f"add {_leave(key)}, or --extra meta to keep it"


def _leave(key: str) -> str:
    return _option("--ignore", key)


def _option(name: str, value: str) -> str:
    import shlex

    return f"{name} {shlex.quote(value)}"


def _fault(record: Record, key: str, message: str, hint: str) -> Issue:
    line = record.line_of(key)
    number, excerpt = record.number, record.excerpt(line)
    return Issue(record.file, line, number, key, "error", message, hint, excerpt)

"""What the values of columns need to be read: options, found by looking at several values at once.

The readers ask when they have a command to propose for a header or for keys, so that one command
follows the first look at a file, and not one for each kind of value.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from reo_cli.checks.domains import domains
from reo_cli.checks.numbers import counts
from reo_cli.checks.texts import one_of
from reo_cli.checks.times import moment
from reo_cli.events import BY_NAME, Rules
from reo_cli.readers.options import Needs

_NULLS = 5
"""Texts proposed for `--null`."""


def needs_under(rules: Rules) -> Needs:
    """Return what tells the options that values need beside those of `rules`."""

    def needs(
        samples: Mapping[str, Sequence[Any]], columns: Mapping[str, str]
    ) -> tuple[list[tuple[str, str]], list[str]]:
        parsers = {
            "count": counts(rules.thousands),
            "event_at": moment(rules.now, rules.date_format),
            "domain": domains(columns.get("domain", "domain")),
            **{name: one_of(BY_NAME[name]) for name in ("mode", "source")},
        }
        if rules.domain_of:
            del parsers["domain"]
        options: list[tuple[str, str]] = []
        nulls: dict[tuple[str, str], None] = {}
        blanks: list[str] = []
        for field, parse in parsers.items():
            common: set[tuple[str, str]] = set()
            for value in samples.get(field, ()):
                for issue in parse(value)[1]:
                    if issue.severity != "error" or not issue.options:
                        continue
                    if issue.options[0][0] == "--null":
                        nulls[issue.options[0]] = None
                    else:
                        common = {*issue.options} & (common or {*issue.options})
            choices = sorted(common)
            if len(choices) > 1:  # nothing settles it: the user knows
                name = choices[0][0]
                blank = name.removeprefix("--").replace("-", "_").upper()
                blanks.append(f"{blank} ({' or '.join(value for _, value in choices)})")
                choices = [(name, blank)]
            options += choices
        return [*options, *list(nulls)[:_NULLS]], blanks

    return needs

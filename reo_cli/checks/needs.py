"""What the values of columns need to be read: options, found by looking at several values at once.

The readers ask when they have a command to propose for a header or for keys, so that one command
follows the first look at a file, and not one for each kind of value.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from reo_cli.checks.checker import parsers
from reo_cli.checks.issues import Mends
from reo_cli.events import Rules
from reo_cli.readers.options import Needs, Words


def needs_under(rules: Rules) -> Needs:
    """Return what tells the options that values need beside those of `rules`."""

    def needs(samples: Mapping[str, Sequence[Any]], columns: Mapping[str, str]) -> Words:
        mends = Mends("--thousands", "--date-format", "--domain-of", "--set", "--null")
        for field, parse in parsers(rules._replace(columns=columns)).items():
            for value in samples.get(field, ()):
                for issue in parse(value)[1]:
                    mends.note(issue)
        return mends.words()

    return needs

"""What the text of an option means, read by the same rules whatever the version of Typer.

A reader takes the option's name and what was typed, and raises ReoError 2.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reo_cli.errors import ExitCode, ReoError

if TYPE_CHECKING:
    from datetime import tzinfo

    from reo_cli.delivery.decide import Shard

Read = Callable[[str, Any], Any]


def usage(option: str, text: str, why: str, hint: str = "") -> ReoError:
    """Return the error for an option's value (2)."""
    from reo_cli.text import shown

    return ReoError(ExitCode.USAGE, "usage", f"{option}: {shown(text)} {why}", hint)


def reader(pattern: str, make: Callable[..., Any], why: str, hint: str = "") -> Read:
    """Return what reads texts of a form: `make` is given its groups, and may refuse them too."""

    def read(option: str, text: str) -> Any:
        found = re.fullmatch(pattern, text)
        try:
            if found:
                return make(*found.groups())
        except (LookupError, OSError, ValueError):
            pass
        raise usage(option, text, why, hint)

    return read


def within(least: float, number: float, most: float) -> Any:
    """Return a number that lies between two others; raises ValueError."""
    if not least <= number <= most:
        raise ValueError
    return number


def _shard(index: str, of: str) -> "Shard":
    from reo_cli.delivery.decide import Shard

    return Shard(within(1, int(index), int(of)) - 1, int(of))


def _encoding(name: str) -> str:
    import codecs

    if codecs.lookup(name).name in _NOT_OF_FILES:
        raise LookupError
    "".encode(name)
    codecs.getincrementaldecoder(name)
    return name


_NOT_OF_FILES = ("idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape")
"""What Python calls encodings and no file is written in."""


def _timezone(name: str) -> "tzinfo":
    from zoneinfo import ZoneInfo

    return ZoneInfo(name.strip())  # a folder is an OSError, a path a ValueError


whole = reader("([0-9]{1,15})", int, "is not a whole number from 0 on")
seconds = reader(
    r"([0-9]{1,12}(?:\.[0-9]+)?)", float, "is not a number of seconds, such as 30 or 2.5"
)
shard = reader("([0-9]{1,6})/([0-9]{1,6})", _shard, "is not a share", "such as 1/4, up to 4/4")
delimiter = reader(
    r'(\\t|tab|[^"\r\n\0\x80-\U0010ffff])',
    lambda text: text if len(text) == 1 else "\t",
    "is not one character",
    "such as ; or tab",
)
encoding = reader(
    "(.*)", _encoding, "is not an encoding", "such as utf-8, utf-16, cp1252, latin-1, shift_jis"
)
timezone = reader(
    "(.*)",
    _timezone,
    "is not a time zone",
    "such as Europe/Berlin; where the system has none: pip install tzdata",
)


def _halves(option: str, texts: Sequence[str], form: str) -> Iterator[tuple[str, str]]:
    """Give what stands before and behind the `=` of each text."""
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            why = "has nothing before its `=`" if equals else "has no `=`"
            raise usage(option, text, why, f"write {option} {form}")
        yield name, value


def pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    """Read `FIELD=VALUE` texts, each of another field."""
    found: dict[str, str] = {}
    for given, value in _halves(option, texts, "FIELD=VALUE"):
        name = field(option, given)
        if name in found:
            raise usage(option, f"{given}={value}", f"gives `{name}` a second time")
        found[name] = value
    return found


def conditions(option: str, texts: Sequence[str]) -> dict[str, frozenset[str]]:
    """Read `COLUMN=VALUE` texts; the values of one column go together."""
    found: dict[str, frozenset[str]] = {}
    for column, value in _halves(option, texts, "COLUMN=VALUE"):
        found[column] = found.get(column, frozenset()) | {value.strip()}
    return found


def keys(option: str, texts: Sequence[str]) -> dict[str, str]:
    """Read `KEY=VALUE` texts."""
    return dict(_halves(option, texts, "KEY=VALUE"))


def names(option: str, text: str) -> tuple[str, ...]:
    """Read `NAME,NAME`, as a line of CSV has them."""
    import csv

    found = tuple(each.strip() for each in next(csv.reader([text]), []))
    if not any(found):
        raise usage(option, text, "names no column", "such as domain,count,event_at")
    return found


def fields(option: str, text: str) -> tuple[str, ...]:
    """Read `FIELD,FIELD`."""
    return tuple(field(option, name) for name in text.split(","))


def field(option: str, name: str) -> str:
    """Return the field that `name` is, or suggest one."""
    from reo_cli.events import NAMES, is_field

    plain = name.strip().replace("-", "_") if not name.startswith("meta.") else name
    if is_field(plain):
        return plain
    from reo_cli.readers.suggest import suggestion

    near = suggestion(name)
    hint = f"did you mean `{near}`?" if near else f"fields are {', '.join(NAMES)} and meta.NAME"
    raise usage(option, name, "is an unknown field", hint)


def given(option: str, text: str, kind: str = "name") -> str:
    """Read a name, which cannot be blank."""
    if not text.strip():
        raise usage(option, text, f"is not a {kind}", "a variable in the command is empty")
    return text


def path(option: str, text: str) -> Path:
    """Read the path of a file; `~` is the user's home."""
    from reo_cli.settings.files import expanded

    return expanded(Path(), given(option, text, "path"))


def rejects_path(option: str, text: str) -> Path:
    """Read the path of a rejects file."""
    if text == "-":
        raise usage(option, text, "is not a file", "rejects go to a file: name one")
    return path(option, text)


def date_format(option: str, text: str) -> str | None:
    """Read a format of times; a blank one is none."""
    from reo_cli.checks.times import check_date_format

    wrong = check_date_format(text) if text else None
    if wrong:
        raise usage(option, text, wrong)
    return text or None

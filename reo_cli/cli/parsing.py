"""What the text of an option means, read by the same rules whatever the version of Typer.

Each function takes the option's name and what was typed, and raises ReoError 2.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reo_cli.errors import ExitCode, ReoError

if TYPE_CHECKING:
    from datetime import tzinfo

    from reo_cli.delivery.decide import Shard


def usage(option: str, text: str, why: str, hint: str = "") -> ReoError:
    """Return the error for an option's value (2)."""
    from reo_cli.text import shown

    return ReoError(ExitCode.USAGE, "usage", f"{option}: {shown(text)} {why}", hint)


def whole(option: str, text: str) -> int:
    """Read a whole number from 0 on."""
    if not re.fullmatch(r"[0-9]{1,15}", text):
        raise usage(option, text, "is not a whole number from 0 on")
    return int(text)


def seconds(option: str, text: str) -> float:
    """Read a time in seconds."""
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]+)?", text):
        raise usage(option, text, "is not a number of seconds, such as 30 or 2.5")
    return float(text)


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


def shard(option: str, text: str) -> "Shard":
    """Read `I/N`."""
    from reo_cli.delivery.decide import Shard

    found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise usage(option, text, "is not a share", "such as 1/4, up to 4/4")
    return Shard(int(found[1]) - 1, int(found[2]))


def delimiter(option: str, text: str) -> str:
    """Read one character, or a name of the tab."""
    plain = {"\\t": "\t", "tab": "\t"}.get(text, text)
    if len(plain) != 1 or plain in '"\r\n\0' or ord(plain) > 127:
        raise usage(option, text, "is not one character", "such as ; or tab")
    return plain


_NOT_OF_FILES = frozenset({"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape"})
"""What Python calls encodings and no file is written in."""


def encoding(option: str, name: str) -> str:
    """Read the name of an encoding that files are written in."""
    import codecs

    try:
        known = codecs.lookup(name).name not in _NOT_OF_FILES
        "".encode(name)
        codecs.getincrementaldecoder(name)
    except (LookupError, ValueError):
        known = False
    if not known:
        hint = "such as utf-8, utf-16, cp1252, latin-1, shift_jis"
        raise usage(option, name, "is not an encoding", hint)
    return name


def timezone(option: str, name: str) -> "tzinfo":
    """Read the name of a time zone."""
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name.strip())
    except (OSError, ValueError, LookupError) as fault:  # the first two: a folder, a path
        hint = "such as Europe/Berlin; where the system has none: pip install tzdata"
        raise usage(option, name, "is not a time zone", hint) from fault


def date_format(option: str, text: str) -> str | None:
    """Read a format of times; a blank one is none."""
    from reo_cli.checks.times import check_date_format

    wrong = check_date_format(text) if text else None
    if wrong:
        raise usage(option, text, wrong)
    return text or None

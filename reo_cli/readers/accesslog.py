"""Lines of a web server's access log → cells: the Common and the Combined format of Apache, nginx.

https://httpd.apache.org/docs/current/logs.html#accesslog; what stands behind the user agent, such
as the `X-Forwarded-For` that nginx's own example adds, is read as far as it is known.
"""

import re
from collections.abc import Iterator

from reo_cli.readers.columns import Problem
from reo_cli.readers.options import ReadOptions
from reo_cli.readers.table import Rows, Table
from reo_cli.readers.text import Lines
from reo_cli.records import Issue, Record

COLUMNS = (
    *("ip_addr", "user", "event_at", "method", "path", "status", "bytes", "referer"),
    *("user_agent", "forwarded_for"),
)
"""What a line tells; the first address of `X-Forwarded-For` is the client's."""

_TEXT = r'"((?:[^"\\]|\\.)*+)"'
_LINE = re.compile(
    r"(\S+) \S+ (.+?) \[(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d:\d\d:\d\d) ([+-]\d{4})\] "
    rf"{_TEXT} (\d{{3}}|-) (\d+|-)(?: {_TEXT} {_TEXT}(?: {_TEXT})?.*)?\s*\Z"
)
_REQUEST = re.compile(r"([A-Z]+) (\S+)(?: HTTP/\d(?:\.\d)?)?\Z")
_ESCAPED = re.compile(r"\\(x[0-9A-Fa-f]{2}|.)")
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


_NO_LINE = Problem(
    *("not-a-log-line", "this is not a line of an access log in the Common or Combined format"),
    "was another log mixed in? --skip-invalid sends the others",
)


def records(file: str, lines: Lines, options: ReadOptions) -> Iterator[Record | Issue]:
    """Yield a Record for each line, or Issues about what the columns stand for.

    Columns that are no field are there for `--only`, `--skip` and `--map`: they are left out
    unless `--extra meta` keeps them.
    """
    if options.extra == "error":
        options = options._replace(extra="ignore")
    for item in Table(file, COLUMNS, lines.line, options).records(_rows(lines)):
        if isinstance(item, Issue):  # a line is a request: to sum them up is what the count is for
            item = item._replace(hint=item.hint.replace("--default count=1", "--roll-up day"))
        yield item


def _rows(lines: Lines) -> Rows:
    while True:
        line = lines.line
        text = lines.read()
        if not text:
            return
        if text.strip():
            cells = cells_of(text)
            yield line, cells or [], text, None if cells else _NO_LINE
        while text and text[-1] not in "\r\n":  # the rest of a line that is too long
            text = lines.read()


def cells_of(line: str) -> list[str] | None:
    """Return the cells of a line, one for each of `COLUMNS`; None for what is no such line.

    `-` is an empty cell. The time is ISO 8601. A request that is none (a TLS handshake on the plain
    port) is a path without a method.
    """
    found = _LINE.match(line)
    if found is None or found[4] not in _MONTHS:
        return None
    host, user, day, month, year, clock, zone, request, status, size, *texts = found.groups()
    referer, agent, forwarded = (_text(each or "") for each in texts)
    method, path = _request(_text(request))
    at = f"{year}-{_MONTHS.index(month) + 1:02}-{day}T{clock}{zone[:3]}:{zone[3:]}"
    client = forwarded.partition(",")[0].strip()
    cells = (host, user, at, method, path, status, size, referer, agent, client)
    return ["" if each == "-" else each for each in cells]


def _request(text: str) -> tuple[str, str]:
    found = _REQUEST.match(text)
    return (found[1], found[2]) if found else ("", text)


def _text(quoted: str) -> str:
    return _ESCAPED.sub(_plain, quoted) if "\\" in quoted else quoted


def _plain(found: re.Match[str]) -> str:
    """Undo an escape; one of a byte that is no plain character stays as it is written."""
    code = found[1]
    if len(code) == 1:
        return code if code in '"\\' else found[0]
    character = chr(int(code[1:], 16))
    return character if character.isascii() and character.isprintable() else found[0]
